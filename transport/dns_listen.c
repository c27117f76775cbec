/*
 * DNS over TCP that ends here: a dialer whose streams are answered by the names
 * service.  Its user (the splice) writes queries and is given responses.
 */
#include "transport/dns_listen.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/container.h"

/* Responses that wait for the user; more queries are not taken meanwhile. */
#define OUT_MAX ((size_t)256 * 1024)
#define PENDING_MAX 64

struct dialer {
	struct names_service *s;
	struct loop *l;
	struct loop_timer now;
	struct dial *head;		/* all of them */
};

/* What the user must hear is told from the timer, never from within a call. */
struct dial {
	struct dial *next;
	struct dialer *owner;
	const struct dial_events *ev;
	void *arg;
	struct sw_addr to;
	bool has_to;
	bool told_open, paused, no_more, gone, starved;
	unsigned pending;		/* questions asked, not yet answered */
	size_t in_len;
	uint8_t in[2 + 65535];
	uint8_t *out;
	size_t out_at, out_len, out_room;
};

static void
soon(struct dialer *o)
{
	if (o->now.at_ms == SW_NEVER)
		loop_set_timer(o->l, &o->now, o->l->now_ms);
}

static struct dial *
op_open(struct dialer *o, const struct dial_target *to,
    const struct dial_events *ev, void *arg, int *err)
{
	struct dial *d = calloc(1, sizeof(*d));

	*err = SW_ERR_NOMEM;
	if (d == NULL)
		return NULL;
	d->owner = o;
	d->ev = ev;
	d->arg = arg;
	d->has_to = addr_parse_ip(&d->to, to->host) == SW_OK;
	d->to.port = to->port;
	d->next = o->head;
	o->head = d;
	*err = SW_OK;
	soon(o);
	return d;
}

static bool
put(struct dial *d, const uint8_t *buf, size_t n)
{
	if (d->out_at == d->out_len)
		d->out_at = d->out_len = 0;
	if (n > d->out_room - d->out_len) {
		size_t room = d->out_len + n + 4096;
		uint8_t *out = realloc(d->out, room);

		if (out == NULL)
			return false;
		d->out = out;
		d->out_room = room;
	}
	memcpy(d->out + d->out_len, buf, n);
	d->out_len += n;
	return true;
}

static void
on_answer(void *arg, int err, const uint8_t *msg, size_t len)
{
	struct dial *d = arg;
	uint8_t head[2] = { (uint8_t)(len >> 8), (uint8_t)len };

	d->pending--;
	/* No answer to something that is not a query: end the stream. */
	if (err != SW_OK || len > 65535 || !put(d, head, 2) || !put(d, msg, len))
		d->no_more = true;
	soon(d->owner);
}

static bool
is_full(const struct dial *d)
{
	return d->pending >= PENDING_MAX || d->out_len - d->out_at > OUT_MAX;
}

static size_t
op_write(struct dial *d, const uint8_t *buf, size_t len)
{
	size_t given = 0;

	while (given < len && !d->no_more) {
		size_t want = 2, n;

		if (is_full(d)) {
			d->starved = true;
			break;
		}
		if (d->in_len >= 2)
			want += (size_t)(d->in[0] << 8 | d->in[1]);
		n = want - d->in_len < len - given ? want - d->in_len :
		    len - given;
		memcpy(d->in + d->in_len, buf + given, n);
		d->in_len += n;
		given += n;
		if (d->in_len < 2 ||
		    d->in_len < 2 + (size_t)(d->in[0] << 8 | d->in[1]))
			continue;
		n = d->in_len - 2;
		d->in_len = 0;
		d->pending++;
		names_service_query(d->owner->s, d->has_to ? &d->to : NULL,
		    d->in + 2, n, 0, on_answer, d);
	}
	return d->no_more ? len : given;
}

static void
op_shutdown(struct dial *d)
{
	d->no_more = true;
	soon(d->owner);
}

static void
op_resume(struct dial *d)
{
	d->paused = false;
	soon(d->owner);
}

static void
op_abort(struct dial *d)
{
	if (d->pending > 0)
		names_service_cancel(d->owner->s, d);
	d->pending = 0;
	d->gone = true;
	soon(d->owner);
}

const struct dialer_ops names_service_dialer_ops = {
	.open = op_open, .write = op_write, .shutdown = op_shutdown,
	.resume = op_resume, .abort = op_abort,
};

/* One dial's news.  The user may abort any dial, this one too. */
static void
tell(struct dial *d)
{
	if (!d->told_open) {
		d->told_open = true;
		d->ev->opened(d->arg);
	}
	while (!d->gone && !d->paused && d->out_at < d->out_len) {
		size_t n = d->ev->data(d->arg, d->out + d->out_at,
		    d->out_len - d->out_at);

		d->paused = n < d->out_len - d->out_at;
		d->out_at += n;
	}
	if (!d->gone && d->starved && !is_full(d)) {
		d->starved = false;
		d->ev->writable(d->arg);
	}
	if (d->gone || !d->no_more || d->pending > 0 || d->out_at < d->out_len)
		return;
	d->ev->eof(d->arg);
	if (!d->gone) {
		d->gone = true;
		d->ev->closed(d->arg, SW_OK);
	}
}

static void
reap(struct dialer *o, bool all)
{
	struct dial **at = &o->head;

	while (*at != NULL) {
		struct dial *d = *at;

		if (!all && !d->gone) {
			at = &d->next;
			continue;
		}
		*at = d->next;
		free(d->out);
		free(d);
	}
}

static void
on_now(struct loop_timer *t)
{
	struct dialer *o = CONTAINER_OF(t, struct dialer, now);

	for (struct dial *d = o->head; d != NULL; d = d->next)
		if (!d->gone)
			tell(d);
	reap(o, false);
}

struct dialer *
dns_listen_new(struct loop *l, struct names_service *s)
{
	struct dialer *o = calloc(1, sizeof(*o));

	if (o == NULL)
		return NULL;
	o->s = s;
	o->l = l;
	o->now.fire = on_now;
	o->now.at_ms = SW_NEVER;
	return o;
}

void
dns_listen_free(struct dialer *o)
{
	if (o == NULL)
		return;
	loop_set_timer(o->l, &o->now, SW_NEVER);
	reap(o, true);
	free(o);
}
