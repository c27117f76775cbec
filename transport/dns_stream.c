#include "transport/dns_stream.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/random.h>

#include "base/clock.h"
#include "base/container.h"
#include "stack/dns.h"
#include "transport/list.h"

#define CONNS_MAX 16
#define ASKS_MAX 512
#define IDLE_MS 20000
#define TICK_MS 1000
#define MSG_MAX 65535

struct conn {
	LIST_LINK(conn) link;
	struct dns_stream *u;
	struct dial_target to;
	struct dial *d;
	bool open, dead;		/* dead: freed from the timer */
	bool answered;			/* at least one answer came over it */
	int64_t used_ms;
	uint16_t last_id;
	size_t in_len;
	uint8_t in[2 + MSG_MAX];
};

struct dns_stream_ask {
	LIST_LINK(dns_stream_ask) link;
	struct dns_stream *u;
	struct conn *c;			/* NULL: to be sent, or to fail */
	struct dial_target to;
	dns_stream_fn *done;
	void *arg;
	int64_t deadline_ms;
	int err;			/* with c NULL: what to fail with */
	bool retried, sent;
	size_t sent_len;		/* bytes of the frame given to the dialer */
	uint16_t id, own_id;
	size_t len;			/* of the frame: length field and message */
	uint8_t frame[];
};

struct dns_stream {
	struct loop *l;
	struct dialer *dialer;
	const struct dialer_ops *ops;
	struct loop_timer tick, now;
	LIST_OF(conn_list, conn) conns;
	LIST_OF(ask_list, dns_stream_ask) asks;	/* in the order they were asked */
	size_t nconns, nasks;
};

static void on_tick(struct loop_timer *t);
static void on_now(struct loop_timer *t);

struct dns_stream *
dns_stream_new(struct loop *l, struct dialer *d, const struct dialer_ops *ops)
{
	struct dns_stream *u = calloc(1, sizeof(*u));

	if (u == NULL)
		return NULL;
	u->l = l;
	u->dialer = d;
	u->ops = ops;
	u->tick.fire = on_tick;
	u->now.fire = on_now;
	u->tick.at_ms = u->now.at_ms = SW_NEVER;
	LIST_INIT(&u->conns);
	LIST_INIT(&u->asks);
	return u;
}

static void
conn_free(struct dns_stream *u, struct conn *c)
{
	LIST_DROP(&u->conns, c, link);
	u->nconns--;
	free(c);
}

static void
ask_free(struct dns_stream *u, struct dns_stream_ask *a)
{
	LIST_DROP(&u->asks, a, link);
	u->nasks--;
	free(a);
}

void
dns_stream_free(struct dns_stream *u)
{
	struct conn *c;
	struct dns_stream_ask *a;

	if (u == NULL)
		return;
	loop_set_timer(u->l, &u->tick, SW_NEVER);
	loop_set_timer(u->l, &u->now, SW_NEVER);
	while ((c = LIST_FIRST(&u->conns)) != NULL) {
		if (c->d != NULL)
			u->ops->abort(c->d);
		conn_free(u, c);
	}
	while ((a = LIST_FIRST(&u->asks)) != NULL)
		ask_free(u, a);
	free(u);
}

/* Failures and resends happen on a timer that is due at once: never while
 * somebody above us is on the stack. */
static void
soon(struct dns_stream *u)
{
	if (u->now.at_ms == SW_NEVER)
		loop_set_timer(u->l, &u->now, u->l->now_ms);
}

static void
tick_later(struct dns_stream *u)
{
	if (u->tick.at_ms == SW_NEVER)
		loop_set_timer(u->l, &u->tick, u->l->now_ms + TICK_MS);
}

/* The connection is no more: what it carried is sent once again if the server
 * had merely grown tired of it, else it fails. */
static void
conn_lost(struct conn *c, int err)
{
	struct dns_stream *u = c->u;
	struct dns_stream_ask *a;

	LIST_EACH(a, &u->asks, link) {
		if (a->c != c)
			continue;
		a->c = NULL;
		a->sent = false;
		a->sent_len = 0;
		a->err = c->answered && !a->retried ? SW_OK : err;
		a->retried = true;
	}
	/* Its own callback may be on the stack. */
	c->dead = true;
	c->open = false;
	soon(u);
}

/* ---- sending ---- */

static void
conn_send(struct conn *c)
{
	struct dns_stream *u = c->u;
	struct dns_stream_ask *a;

	if (!c->open)
		return;
	LIST_EACH(a, &u->asks, link) {
		if (a->c != c || a->sent)
			continue;
		a->sent_len += u->ops->write(c->d, a->frame + a->sent_len,
		    a->len - a->sent_len);
		if (a->sent_len < a->len)
			return;		/* its rest before any other */
		a->sent = true;
	}
}

static void
on_opened(void *arg)
{
	struct conn *c = arg;

	c->open = true;
	conn_send(c);
}

static void
on_failed(void *arg, int err)
{
	struct conn *c = arg;

	c->d = NULL;
	conn_lost(c, err);
}

static void
on_writable(void *arg)
{
	conn_send(arg);
}

/* ---- receiving ---- */

static bool
is_answer_to(const struct dns_stream_ask *a, const uint8_t *msg, size_t len)
{
	struct dns_response r;
	const uint8_t *question = a->frame + 2 + DNS_HEADER_LEN;

	if (dns_parse_response(msg, len, &r) != SW_OK ||
	    r.question_len > a->len - 2 - DNS_HEADER_LEN)
		return false;
	for (size_t i = 0; i < r.question_len; i++)
		if ((r.question[i] | 0x20) != (question[i] | 0x20))
			return false;
	return true;
}

static void
take_message(struct conn *c, uint8_t *msg, size_t len)
{
	struct dns_stream *u = c->u;
	struct dns_stream_ask *a;
	dns_stream_fn *done;
	void *arg;

	LIST_EACH(a, &u->asks, link)
		if (a->c == c && a->own_id == dns_get_id(msg, len))
			break;
	if (a == NULL || !is_answer_to(a, msg, len))
		return;
	c->answered = true;
	dns_set_id(msg, len, a->id);
	done = a->done;
	arg = a->arg;
	ask_free(a->u, a);
	done(arg, SW_OK, msg, len);
}

static size_t
on_data(void *arg, const uint8_t *buf, size_t len)
{
	struct conn *c = arg;
	struct dns_stream *u = c->u;
	size_t given = len;

	c->used_ms = u->l->now_ms;
	while (len > 0) {
		size_t want = 2, n;

		if (c->in_len >= 2)
			want += (size_t)(c->in[0] << 8 | c->in[1]);
		n = want - c->in_len < len ? want - c->in_len : len;
		memcpy(c->in + c->in_len, buf, n);
		c->in_len += n;
		buf += n;
		len -= n;
		if (c->in_len < 2 ||
		    c->in_len < 2 + (size_t)(c->in[0] << 8 | c->in[1]))
			continue;
		n = c->in_len - 2;
		c->in_len = 0;
		take_message(c, c->in + 2, n);
		if (c->dead)
			break;
	}
	return given;
}

static void
on_eof(void *arg)
{
	struct conn *c = arg;

	c->u->ops->abort(c->d);
	c->d = NULL;
	conn_lost(c, SW_ERR_RESET);
}

static void
on_closed(void *arg, int err)
{
	struct conn *c = arg;

	c->d = NULL;
	conn_lost(c, err == SW_OK ? SW_ERR_RESET : err);
}

static const struct dial_events events = {
	.opened = on_opened, .failed = on_failed, .data = on_data,
	.eof = on_eof, .writable = on_writable, .closed = on_closed,
};

/* ---- connections ---- */

static struct conn *
conn_get(struct dns_stream *u, const struct dial_target *to, int *err)
{
	struct conn *c;

	LIST_EACH(c, &u->conns, link)
		if (!c->dead && c->to.port == to->port &&
		    strcmp(c->to.host, to->host) == 0)
			return c;
	*err = SW_ERR_LIMIT;
	if (u->nconns >= CONNS_MAX)
		return NULL;
	*err = SW_ERR_NOMEM;
	if ((c = calloc(1, sizeof(*c))) == NULL)
		return NULL;
	c->u = u;
	c->to = *to;
	c->used_ms = u->l->now_ms;
	if (getrandom(&c->last_id, sizeof(c->last_id), 0) < 0)
		c->last_id = 1;		/* TCP: guessing it helps nobody */
	if ((c->d = u->ops->open(u->dialer, to, &events, c, err)) == NULL) {
		free(c);
		return NULL;
	}
	LIST_APPEND(&u->conns, c, link);
	u->nconns++;
	return c;
}

static void
assign(struct dns_stream_ask *a)
{
	struct dns_stream *u = a->u;

	if ((a->c = conn_get(u, &a->to, &a->err)) == NULL) {
		soon(u);
		return;
	}
	a->err = SW_OK;
	a->own_id = ++a->c->last_id;
	dns_set_id(a->frame + 2, a->len - 2, a->own_id);
	a->c->used_ms = u->l->now_ms;
	conn_send(a->c);
}

struct dns_stream_ask *
dns_stream_ask(struct dns_stream *u, const struct dial_target *server,
    const uint8_t *msg, size_t len, dns_stream_fn *done, void *arg)
{
	struct dns_stream_ask *a;

	if (u->nasks >= ASKS_MAX || len < DNS_HEADER_LEN || len > MSG_MAX ||
	    (a = calloc(1, sizeof(*a) + 2 + len)) == NULL)
		return NULL;
	a->u = u;
	a->to = *server;
	a->done = done;
	a->arg = arg;
	a->deadline_ms = u->l->now_ms + DNS_STREAM_TIMEOUT_MS;
	a->len = 2 + len;
	a->frame[0] = (uint8_t)(len >> 8);
	a->frame[1] = (uint8_t)len;
	memcpy(a->frame + 2, msg, len);
	a->id = dns_get_id(msg, len);
	LIST_APPEND(&u->asks, a, link);
	u->nasks++;
	tick_later(u);
	assign(a);
	return a;
}

static void
cancel(struct dns_stream *u, struct dns_stream_ask *a)
{
	/* A frame that is half written must be finished: the stream is shared. */
	if (a->c != NULL && a->sent_len > 0 && !a->sent) {
		struct conn *c = a->c;

		u->ops->abort(c->d);
		c->d = NULL;
		ask_free(u, a);
		conn_lost(c, SW_ERR_RESET);
		return;
	}
	ask_free(u, a);
}

void
dns_stream_cancel(struct dns_stream_ask *a)
{
	cancel(a->u, a);
}

static void
ask_fail(struct dns_stream *u, struct dns_stream_ask *a, int err)
{
	dns_stream_fn *done = a->done;
	void *arg = a->arg;

	cancel(u, a);
	done(arg, err, NULL, 0);
}

static void
on_now(struct loop_timer *t)
{
	struct dns_stream *u = CONTAINER_OF(t, struct dns_stream, now);
	struct conn *c, *next;
	struct dns_stream_ask *a;
	bool again;

	for (c = LIST_FIRST(&u->conns); c != NULL; c = next) {
		next = LIST_NEXT(c, link);
		if (c->dead)
			conn_free(u, c);
	}
	/* Any step may change the list: begin anew until all have a place. */
	do {
		again = false;
		LIST_EACH(a, &u->asks, link) {
			if (a->c != NULL)
				continue;
			again = true;
			if (a->err != SW_OK)
				ask_fail(u, a, a->err);
			else
				assign(a);
			break;
		}
	} while (again);
}

static void
on_tick(struct loop_timer *t)
{
	struct dns_stream *u = CONTAINER_OF(t, struct dns_stream, tick);
	struct dns_stream_ask *a;
	struct conn *c, *next;

	while ((a = LIST_FIRST(&u->asks)) != NULL &&
	    a->deadline_ms <= u->l->now_ms)
		ask_fail(u, a, SW_ERR_TIMEOUT);
	for (c = LIST_FIRST(&u->conns); c != NULL; c = next) {
		next = LIST_NEXT(c, link);
		if (c->dead || u->l->now_ms - c->used_ms < IDLE_MS)
			continue;
		u->ops->abort(c->d);
		c->d = NULL;
		conn_lost(c, SW_ERR_TIMEOUT);
	}
	if (u->nconns > 0 || u->nasks > 0)
		tick_later(u);
}

void
dns_stream_reset(struct dns_stream *u, int err)
{
	struct conn *c;

	LIST_EACH(c, &u->conns, link) {
		if (c->dead)
			continue;
		c->answered = false;	/* no retry */
		if (c->d != NULL)
			u->ops->abort(c->d);
		c->d = NULL;
		conn_lost(c, err);
	}
}
