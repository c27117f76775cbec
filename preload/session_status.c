/*
 * What `smolwrap status` shows: "key value" lines, without any destination.
 */
#include <stdio.h>

#include "preload/session_chain.h"
#include "preload/session_hop.h"
#include "preload/session_services.h"

size_t
session_status(const struct session *s, char *buf, size_t cap)
{
	static const char *const words[] = {
		[STATE_CONNECTING] = "connecting", [STATE_UP] = "up",
		[STATE_DOWN] = "down", [STATE_FAILED] = "failed",
	};
	const struct session_tunnel *t = s->tunnel;
	size_t hosted = 0, n;
	int used;

	for (const struct hop *h = s->hops; h != NULL; h = h->next)
		hosted += h->hosted;
	used = snprintf(buf, cap,
	    "state %s\ntunnel %s\nname %s\nuptime %lld\nprocesses %zu\n"
	    "hosted %zu\nflows %zu\nnames %zu\nbytes-in %llu\nbytes-out %llu\n",
	    words[t->state], t->ops->kind,
	    *s->start.name != '\0' ? s->start.name : "-",
	    (long long)((s->loop.now_ms - s->born_ms) / 1000),
	    s->hop_n - hosted, hosted, t->ops->count_unsent(t),
	    names_service_count(t->names), (unsigned long long)s->bytes_in,
	    (unsigned long long)s->bytes_out);
	n = used < 0 ? 0 : (size_t)used < cap ? (size_t)used : cap;
	if (t->err != SW_OK) {
		used = snprintf(buf + n, cap - n, "error %s\n",
		    sw_strerror(t->err));
		n += used < 0 || (size_t)used > cap - n ? 0 : (size_t)used;
	}
	n += chain_status(s, buf + n, cap - n);
	if (s->services != NULL)
		n += services_status(s->services, buf + n, cap - n);
	return n + t->ops->status(t, buf + n, cap - n);
}
