/* What the mix tunnel says of itself: its route and its counts. */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/log.h"
#include "preload/session_mix.h"

uint16_t
mix_entry_port(const struct session_mix *t)
{
	return t->link.is_tls ? t->entry.wss_port : t->entry.ws.port;
}

static size_t add(char *buf, size_t cap, size_t at, const char *fmt, ...)
    __attribute__((format(printf, 4, 5)));

static size_t
add(char *buf, size_t cap, size_t at, const char *fmt, ...)
{
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(buf + at, cap - at, fmt, ap);
	va_end(ap);
	return n < 0 || (size_t)n >= cap - at ? at : at + (size_t)n;
}

static size_t
add_place(char *buf, size_t cap, size_t at, const struct sw_addr *a,
    uint16_t port)
{
	char ip[SW_ADDR_TEXT_LEN];

	return add(buf, cap, at, addr_is_v4(a) ? "%s:%u" : "[%s]:%u",
	    addr_ip_text(a, ip), port);
}

static size_t
add_node(char *buf, size_t cap, size_t at, const struct sw_addr *a)
{
	return add_place(buf, cap, at, a, a->port);
}

/* "entry ADDRESS", "mix-1 ADDRESS" (or how many there are to choose from for
 * each packet), ..., "exit ADDRESS": one a line. */
static size_t
add_route(const struct session_mix *t, char *buf, size_t cap)
{
	const struct topology *net = t->topology;
	const struct topology_node *exit;
	size_t at = 0;

	if (t->mix == NULL)
		return 0;
	at = add(buf, cap, at, "entry ");
	at = add_place(buf, cap, at, &t->entry.ws, mix_entry_port(t));
	if (t->link.is_tls)
		at = add(buf, cap, at, " tls");
	for (unsigned i = 0; i < TOPOLOGY_LAYERS; i++) {
		at = add(buf, cap, at, "\nmix-%u ", i + 1);
		if (net->n_layer[i] == 1)
			at = add_node(buf, cap, at,
			    &net->node[net->layer[i][0]].mix);
		else
			at = add(buf, cap, at, "one-of-%zu", net->n_layer[i]);
	}
	if ((exit = topology_find(net, t->exit.gateway)) != NULL) {
		at = add(buf, cap, at, "\nexit ");
		at = add_node(buf, cap, at, &exit->mix);
	}
	return add(buf, cap, at, "\n");
}

void
mix_log_route(const struct session_mix *t)
{
	char text[1024], *line = text, *end;
	size_t n = add_route(t, text, sizeof(text) - 1);

	text[n] = '\0';
	for (; (end = strchr(line, '\n')) != NULL; line = end + 1) {
		*end = '\0';
		log_info("route: %s", line);
	}
}

size_t
mix_status(const struct session_tunnel *base, char *buf, size_t cap)
{
	const struct session_mix *t = (const struct session_mix *)base;
	const char *traffic = start_text(&base->s->start, TEXT_TRAFFIC);
	struct mixtunnel_stats st;
	size_t at = add_route(t, buf, cap);

	at = add(buf, cap, at, "traffic %s\n", traffic == NULL ? "default" :
	    traffic);
	if (t->mix == NULL)
		return at;
	mixtunnel_stats(t->mix, &st);
	return add(buf, cap, at, "slots-a-second %u\nlinks %llu\npackets-sent %llu\n"
	    "packets-again %llu\ncover %llu\nacknowledged %llu\n"
	    "packets-received %llu\ndropped %llu\nmixes-avoided %zu\n",
	    st.mix.slots, (unsigned long long)st.links,
	    (unsigned long long)st.mix.sent,
	    (unsigned long long)st.mix.resent,
	    (unsigned long long)st.mix.cover,
	    (unsigned long long)st.mix.acked,
	    (unsigned long long)st.mix.received,
	    (unsigned long long)t->dropped, st.shunned);
}
