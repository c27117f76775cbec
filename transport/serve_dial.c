/*
 *   start -> [resolver] -> addresses in turn, STAGGER_MS apart, TRIES_MAX at a
 *   time -> the first that connects; or the most telling of their errors
 *
 * With an outbound proxy it is the proxy's addresses that are tried, and then
 * the proxy that is asked for the target, by name.
 */
#include "transport/serve_dial.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/container.h"
#include "transport/serve_outbound.h"

#define TRIES_MAX 4
#define STAGGER_MS 250
#define NFAMILIES 2

struct try {
	struct loop_fd w;
	struct serve_dial *d;		/* NULL: unused */
};

struct serve_dial {
	const struct serve_dialing *g;
	serve_dialled *done;
	void *arg;
	struct dial_target to;
	struct serve_query *query;
	struct sw_addr addrs[SERVE_ADDRS_MAX];
	size_t n, next, ntries;
	struct try tries[TRIES_MAX];
	struct loop_timer step, deadline;
	struct serve_outbound *talk;	/* with the proxy, on fd */
	int fd;
	int err;			/* so far */
};

static void
drop_try(struct serve_dial *d, struct try *t, bool close_it)
{
	loop_del(d->g->l, &t->w);
	if (close_it)
		close(t->w.fd);
	t->d = NULL;
	d->ntries--;
}

void
serve_dial_cancel(struct serve_dial *d)
{
	for (size_t i = 0; i < TRIES_MAX; i++)
		if (d->tries[i].d != NULL)
			drop_try(d, &d->tries[i], true);
	if (d->query != NULL)
		serve_resolve_cancel(d->query);
	serve_outbound_free(d->talk);
	if (d->fd >= 0)
		close(d->fd);
	loop_set_timer(d->g->l, &d->step, SW_NEVER);
	loop_set_timer(d->g->l, &d->deadline, SW_NEVER);
	free(d);
}

static void
finish(struct serve_dial *d, int err, int fd)
{
	serve_dialled *done = d->done;
	void *arg = d->arg;

	serve_dial_cancel(d);
	done(arg, err, fd);
}

/* An answer from the far end says more than silence, and silence more than
 * what our own tables say. */
static int
weight(int err)
{
	switch (err) {
	case SW_ERR_REFUSED:
		return 5;
	case SW_ERR_TIMEOUT:
		return 4;
	case SW_ERR_UNREACH_HOST:
		return 3;
	case SW_ERR_UNREACH_NET:
		return 2;
	default:
		return 1;
	}
}

static void
note(struct serve_dial *d, int err)
{
	if (d->err == SW_OK || weight(err) > weight(d->err))
		d->err = err;
}

static void
on_proxied(void *arg, int err)
{
	struct serve_dial *d = arg;
	int fd = d->fd;

	d->talk = NULL;
	if (err == SW_OK)
		d->fd = -1;
	finish(d, err == SW_ERR_AUTH ? SW_ERR_DENIED : err, fd);
}

static void
connected(struct serve_dial *d, int fd)
{
	if (d->g->outbound == NULL) {
		finish(d, SW_OK, fd);
		return;
	}
	/* The others are not needed any more. */
	for (size_t i = 0; i < TRIES_MAX; i++)
		if (d->tries[i].d != NULL)
			drop_try(d, &d->tries[i], true);
	loop_set_timer(d->g->l, &d->step, SW_NEVER);
	d->fd = fd;
	d->talk = serve_outbound_start(d->g->l, fd, d->g->outbound, &d->to,
	    on_proxied, d);
	if (d->talk == NULL)
		finish(d, SW_ERR_NOMEM, -1);
}

static void
on_connected(struct loop_fd *w, uint32_t events)
{
	struct try *t = CONTAINER_OF(w, struct try, w);
	struct serve_dial *d = t->d;
	socklen_t len = sizeof(int);
	int e = 0, fd = w->fd;

	(void)events;
	if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &e, &len) != 0)
		e = errno;
	drop_try(d, t, e != 0);
	if (e == 0) {
		connected(d, fd);
		return;
	}
	note(d, sw_err_from_errno(e));
	/* The next one need not wait. */
	loop_set_timer(d->g->l, &d->step, d->g->l->now_ms);
}

static struct try *
unused_try(struct serve_dial *d)
{
	for (size_t i = 0; i < TRIES_MAX; i++)
		if (d->tries[i].d == NULL)
			return &d->tries[i];
	return NULL;
}

/* Begin to connect; the outcome comes through the loop. */
static int
begin_try(struct serve_dial *d, struct try *t, const struct sw_addr *a)
{
	int family = addr_is_v4(a) ? AF_INET : AF_INET6, on = 1;
	struct sockaddr_storage ss;
	socklen_t len = sizeof(ss);
	int e;

	t->w.fd = socket(family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (t->w.fd < 0)
		return errno == EMFILE || errno == ENFILE ? SW_ERR_LIMIT :
		    sw_err_from_errno(errno);
	(void)setsockopt(t->w.fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	(void)setsockopt(t->w.fd, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof(on));
	addr_to_sockaddr(a, family, (struct sockaddr *)&ss, &len);
	t->w.ready = on_connected;
	if (connect(t->w.fd, (struct sockaddr *)&ss, len) != 0 &&
	    errno != EINPROGRESS) {
		e = sw_err_from_errno(errno);
	} else if (loop_add(d->g->l, &t->w, EPOLLOUT) != SW_OK) {
		e = SW_ERR_LIMIT;
	} else {
		t->d = d;
		d->ntries++;
		return SW_OK;
	}
	close(t->w.fd);
	return e;
}

static void
on_step(struct loop_timer *timer)
{
	struct serve_dial *d = CONTAINER_OF(timer,
	    struct serve_dial, step);

	while (d->next < d->n) {
		struct try *t = unused_try(d);
		struct sw_addr a;
		int err;

		if (t == NULL)
			return;		/* one of them will end and step */
		a = d->addrs[d->next++];
		a.port = d->g->outbound != NULL ? d->g->outbound->port :
		    d->to.port;
		err = d->g->outbound != NULL ||
		    serve_policy_allows(d->g->policy, d->to.host, &a, a.port) ?
		    begin_try(d, t, &a) : SW_ERR_DENIED;
		if (err == SW_OK) {
			loop_set_timer(d->g->l, &d->step,
			    d->g->l->now_ms + STAGGER_MS);
			return;
		}
		note(d, err);
	}
	if (d->ntries == 0)
		finish(d, d->err, -1);
}

static void
on_deadline(struct loop_timer *timer)
{
	struct serve_dial *d = CONTAINER_OF(timer,
	    struct serve_dial, deadline);

	finish(d, SW_ERR_TIMEOUT, -1);
}

/* The families in turn, the first one's first. */
static void
interleave(struct serve_dial *d, const struct sw_addr *from, size_t n)
{
	size_t at[NFAMILIES] = { 0, 0 };
	bool v4 = addr_is_v4(&from[0]);

	while (d->n < n) {
		size_t *i = &at[v4];

		while (*i < n && addr_is_v4(&from[*i]) != v4)
			(*i)++;
		if (*i < n)
			d->addrs[d->n++] = from[(*i)++];
		v4 = !v4;
	}
}

/* Those that are meant, if there are any. */
static void
keep_family(struct serve_dial *d)
{
	size_t kept = 0;

	if (d->to.family == 0)
		return;
	for (size_t i = 0; i < d->n; i++)
		if (addr_is_v4(&d->addrs[i]) == (d->to.family == AF_INET))
			d->addrs[kept++] = d->addrs[i];
	d->n = kept > 0 ? kept : d->n;
}

static void
on_resolved(void *arg, int err, const struct sw_addr *addrs, size_t n)
{
	struct serve_dial *d = arg;

	d->query = NULL;
	if (err != SW_OK) {
		finish(d, err, -1);
		return;
	}
	interleave(d, addrs, n);
	if (d->g->outbound == NULL)		/* else they are the proxy's */
		keep_family(d);
	on_step(&d->step);
}

/* By an address that the client gave; a name is the proxy's to look up. */
static bool
may_proxy(const struct serve_dialing *g, const struct dial_target *to)
{
	struct sw_addr a;

	if (addr_parse_ip(&a, to->host) != SW_OK)
		return serve_policy_allows(g->policy, to->host, NULL, to->port);
	return serve_policy_allows(g->policy, to->host, &a, to->port);
}

struct serve_dial *
serve_dial_start(const struct serve_dialing *g, const void *owner,
    const struct dial_target *to, serve_dialled *done, void *arg)
{
	const char *host = g->outbound != NULL ? g->outbound->host : to->host;
	struct serve_dial *d = calloc(1, sizeof(*d));

	if (d == NULL)
		return NULL;
	d->g = g;
	d->fd = -1;
	d->done = done;
	d->arg = arg;
	d->to = *to;
	d->step.fire = on_step;
	d->deadline.fire = on_deadline;
	d->step.at_ms = d->deadline.at_ms = SW_NEVER;
	loop_set_timer(g->l, &d->deadline, g->l->now_ms + SERVE_DIAL_MS);
	if (g->outbound != NULL && !may_proxy(g, to)) {
		d->err = SW_ERR_DENIED;
	} else if (addr_parse_ip(&d->addrs[0], host) == SW_OK) {
		d->n = 1;
	} else {
		d->query = serve_resolve(g->resolver, owner, host, on_resolved, d);
		if (d->query != NULL)
			return d;
		d->err = SW_ERR_LIMIT;
	}
	loop_set_timer(g->l, &d->step, g->l->now_ms);
	return d;
}
