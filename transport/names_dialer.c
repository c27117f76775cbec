#include "transport/names_dialer.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/container.h"

#define TRIES_MAX 8			/* addresses of one name */

struct names_dialer {
	struct loop *l;
	struct names_service *s;
	struct dialer *below;
	const struct dialer_ops *ops;
};

/* Ours; those of the dialer below are only handed through. */
struct dial {
	struct names_dialer *n;
	const struct dial_events *ev;
	void *arg;
	struct dial *below;		/* NULL: none now */
	struct loop_timer fail;		/* with err, soon */
	bool resolving;
	int err;
	uint16_t port;
	size_t at, count;
	struct sw_addr addr[TRIES_MAX];
};

struct names_dialer *
names_dialer_new(struct loop *l, struct names_service *s, struct dialer *below,
    const struct dialer_ops *ops)
{
	struct names_dialer *n = calloc(1, sizeof(*n));

	if (n != NULL)
		*n = (struct names_dialer){ l, s, below, ops };
	return n;
}

void
names_dialer_free(struct names_dialer *n)
{
	free(n);
}

struct dialer *
names_dialer_dialer(struct names_dialer *n)
{
	return (struct dialer *)(void *)n;
}

static void
forget(struct dial *d)
{
	loop_set_timer(d->n->l, &d->fail, SW_NEVER);
	free(d);
}

static void
fail_now(struct loop_timer *t)
{
	struct dial *d = CONTAINER_OF(t, struct dial, fail);
	const struct dial_events *ev = d->ev;
	void *arg = d->arg;
	int err = d->err;

	forget(d);
	ev->failed(arg, err);
}

static void
fail_soon(struct dial *d, int err)
{
	d->err = err;
	loop_set_timer(d->n->l, &d->fail, d->n->l->now_ms);
}

/* ---- the dial below ---- */

static void try_next(struct dial *d, int err);

static void
on_opened(void *arg)
{
	struct dial *d = arg;

	d->ev->opened(d->arg);
}

static void
on_failed(void *arg, int err)
{
	struct dial *d = arg;

	d->below = NULL;
	try_next(d, err);
}

static size_t
on_data(void *arg, const uint8_t *buf, size_t len)
{
	struct dial *d = arg;

	return d->ev->data(d->arg, buf, len);
}

static void
on_eof(void *arg)
{
	struct dial *d = arg;

	d->ev->eof(d->arg);
}

static void
on_writable(void *arg)
{
	struct dial *d = arg;

	d->ev->writable(d->arg);
}

static void
on_closed(void *arg, int err)
{
	struct dial *d = arg;
	const struct dial_events *ev = d->ev;
	void *user = d->arg;

	forget(d);
	ev->closed(user, err);
}

static const struct dial_events below_events = {
	.opened = on_opened, .failed = on_failed, .data = on_data,
	.eof = on_eof, .writable = on_writable, .closed = on_closed,
};

/* The one before failed with `err`. */
static void
try_next(struct dial *d, int err)
{
	struct dial_target to = { .port = d->port };
	char text[SW_ADDR_TEXT_LEN];

	while (d->at < d->count) {
		addr_ip_text(&d->addr[d->at++], text);
		memcpy(to.host, text, strlen(text) + 1);
		d->below = d->n->ops->open(d->n->below, &to, &below_events, d,
		    &err);
		if (d->below != NULL)
			return;
	}
	fail_soon(d, err);
}

static void
resolved(void *arg, int err, uint32_t ttl_s, const struct sw_addr *addrs,
    size_t n)
{
	struct dial *d = arg;

	(void)ttl_s;
	d->resolving = false;
	d->count = n < TRIES_MAX ? n : TRIES_MAX;
	for (size_t i = 0; i < d->count; i++)
		d->addr[i] = addrs[i];
	try_next(d, err == SW_OK ? SW_ERR_NO_NAME : err);
}

/* ---- what the user asks ---- */

static struct dial *
dial_open(struct dialer *me, const struct dial_target *to,
    const struct dial_events *ev, void *arg, int *err)
{
	struct names_dialer *n = (struct names_dialer *)(void *)me;
	struct dial *d = calloc(1, sizeof(*d));

	*err = SW_ERR_NOMEM;
	if (d == NULL)
		return NULL;
	*err = SW_OK;
	d->n = n;
	d->ev = ev;
	d->arg = arg;
	d->port = to->port;
	d->fail.fire = fail_now;
	d->resolving = true;
	/* Numeric text is its own answer. */
	names_service_resolve(n->s, to->host, strlen(to->host), AF_UNSPEC,
	    resolved, d);
	return d;
}

static size_t
dial_write(struct dial *d, const uint8_t *buf, size_t len)
{
	return d->n->ops->write(d->below, buf, len);
}

static void
dial_shutdown(struct dial *d)
{
	d->n->ops->shutdown(d->below);
}

static void
dial_resume(struct dial *d)
{
	d->n->ops->resume(d->below);
}

static void
dial_abort(struct dial *d)
{
	if (d->resolving)
		names_service_cancel(d->n->s, d);
	if (d->below != NULL)
		d->n->ops->abort(d->below);
	forget(d);
}

const struct dialer_ops names_dialer_ops = {
	.open = dial_open, .write = dial_write, .shutdown = dial_shutdown,
	.resume = dial_resume, .abort = dial_abort,
};
