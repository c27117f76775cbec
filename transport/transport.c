/*
 * The kinds of transport, and what all of them share: options that are kept,
 * waits that end, and the way to the first byte (transport_reach).
 */
#include "transport/transport.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/wipe.h"
#include "transport/proxy.h"
#include "transport/shared.h"
#include "transport/tcp.h"
#include "transport/through.h"

struct transport {
	const struct transport_ops *ops;
	void *state;			/* ops' own */
	struct transport_options o;	/* strings are ours */
	int cancel_fd;			/* an eventfd */
	struct shared shares;
};

static const struct transport_ops *kinds[TRANSPORT_KINDS] = {
	[TRANSPORT_TCP] = &transport_tcp,
	[TRANSPORT_TLS] = &transport_tls,
};

void
transport_provide(const struct transport_ops *ops)
{
	kinds[ops->kind] = ops;
}

/* ---- options ---- */

/* The texts of the options, to be copied and freed alike. */
#define TEXTS 9

static void
list_texts(struct transport_options *o, const char **at[TEXTS])
{
	const char **const all[TEXTS] = {
		&o->proxy, &o->tls.ca, &o->tls.pin, &o->tls.name, &o->tls.alpn,
		&o->iroh.key, &o->iroh.relay, &o->iroh.address, &o->iroh.alpn,
	};

	memcpy(at, all, sizeof(all));
}

static void
wipe_options(struct transport_options *o)
{
	const char **at[TEXTS];

	list_texts(o, at);
	for (size_t i = 0; i < TEXTS; i++) {
		char *s;

		memcpy(&s, at[i], sizeof(s));
		if (s != NULL)
			sw_wipe_free(s, strlen(s));
	}
	through_unref(o->through);
	*o = (struct transport_options){ 0 };
}

static bool
copy_options(struct transport_options *to, const struct transport_options *o)
{
	const char **at[TEXTS];
	bool fine = true;

	*to = *o;
	list_texts(to, at);
	for (size_t i = 0; i < TEXTS; i++)
		if (*at[i] != NULL)
			fine &= (*at[i] = strdup(*at[i])) != NULL;
	if (to->through != NULL)
		to->through = through_ref(to->through);
	return fine;
}

/* ---- life ---- */

static int
check_options(const struct transport_options *o,
    char why[static TRANSPORT_WHY_LEN])
{
	struct proxy_url u;
	int r;

	if (kinds[o->kind] == NULL) {
		snprintf(why, TRANSPORT_WHY_LEN, "this program was built "
		    "without that transport");
		return SW_ERR_UNSUPPORTED;
	}
	if (o->proxy == NULL)
		return SW_OK;
	if (o->through != NULL) {
		snprintf(why, TRANSPORT_WHY_LEN, "a proxy is for the first "
		    "tunnel only");
		return SW_ERR_CONFIG;
	}
	r = proxy_url_parse(&u, o->proxy, why);
	proxy_url_wipe(&u);
	return r;
}

static void
destroy(struct transport *t)
{
	if (t->state != NULL)
		t->ops->stop(t->state);
	wipe_options(&t->o);
	if (t->cancel_fd >= 0)
		close(t->cancel_fd);
	free(t);
}

int
transport_new(struct transport **out, const struct transport_options *o,
    char why[static TRANSPORT_WHY_LEN])
{
	struct transport *t;
	int r;

	*out = NULL;
	why[0] = '\0';
	if ((r = check_options(o, why)) != SW_OK)
		return r;
	if ((t = calloc(1, sizeof(*t))) == NULL)
		goto nomem;
	t->ops = kinds[o->kind];
	shared_init(&t->shares, 1);
	t->cancel_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (!copy_options(&t->o, o) || t->cancel_fd < 0)
		goto nomem;
	if (t->ops->start != NULL &&
	    (r = t->ops->start(&t->o, &t->state, why)) != SW_OK) {
		destroy(t);
		return r;
	}
	*out = t;
	return SW_OK;
nomem:
	if (t != NULL)
		destroy(t);
	snprintf(why, TRANSPORT_WHY_LEN, "out of memory or descriptors");
	return SW_ERR_NOMEM;
}

struct transport *
transport_ref(struct transport *t)
{
	shared_ref(&t->shares);
	return t;
}

void
transport_unref(struct transport *t)
{
	if (t != NULL && shared_unref(&t->shares))
		destroy(t);
}

void
transport_cancel(struct transport *t)
{
	const uint64_t one = 1;

	/* Stays readable for ever: a counter that nobody reads. */
	(void)!write(t->cancel_fd, &one, sizeof(one));
}

enum transport_kind
transport_kind(const struct transport *t)
{
	return t->o.kind;
}

const char *
transport_name(const struct transport *t)
{
	return t->ops->name;
}

bool
transport_is_direct(const struct transport *t)
{
	return t->o.kind == TRANSPORT_TCP && t->o.proxy == NULL &&
	    t->o.through == NULL;
}

bool
transport_is_through(const struct transport *t)
{
	return t->o.through != NULL;
}

int
transport_peer_name(const struct transport *t, const char *host,
    char name[static TRANSPORT_NAME_LEN])
{
	if (t->ops->peer_name != NULL)
		return t->ops->peer_name(host, name);
	if (strlen(host) >= TRANSPORT_NAME_LEN)
		return SW_ERR_CONFIG;
	memcpy(name, host, strlen(host) + 1);
	return SW_OK;
}

/* ---- connecting ---- */

int
transport_connect(struct transport *t, const char *host, uint16_t port,
    int64_t deadline_ms, int *fd, char why[static TRANSPORT_WHY_LEN])
{
	const struct transport_limit until = {
		.deadline_ms = deadline_ms, .cancel_fd = t->cancel_fd,
	};

	*fd = -1;
	why[0] = '\0';
	return t->ops->connect(t->state, &t->o, host,
	    port != 0 ? port : t->ops->port, &until, fd, why);
}

int
transport_wait(int fd, short events, const struct transport_limit *until)
{
	struct pollfd p[2] = {
		{ .fd = fd, .events = events },
		{ .fd = until->cancel_fd, .events = POLLIN },
	};

	for (;;) {
		int64_t left = until->deadline_ms - clock_now_ms();

		if (left <= 0)
			return SW_ERR_TIMEOUT;
		if (poll(p, 2, left > INT32_MAX ? INT32_MAX : (int)left) < 0 &&
		    errno != EINTR)
			return SW_ERR_SYS;
		if (p[1].revents != 0)
			return SW_ERR_CLOSED;
		if (p[0].revents != 0)
			return SW_OK;
	}
}

int
transport_reach(const struct transport_options *o, const char *host,
    uint16_t port, const struct transport_limit *until, int *fd,
    char why[static TRANSPORT_WHY_LEN])
{
	struct proxy_url u;
	int r;

	*fd = -1;
	why[0] = '\0';
	if (o->through != NULL)
		return through_connect(o->through, host, port, until, fd, why);
	if (o->proxy == NULL)
		return tcp_reach(host, port, until, fd, why);
	if ((r = proxy_url_parse(&u, o->proxy, why)) == SW_OK)
		r = proxy_connect(&u, host, port, until, fd, why);
	proxy_url_wipe(&u);
	return r;
}

static int
connect_tcp(void *state, const struct transport_options *o, const char *host,
    uint16_t port, const struct transport_limit *until, int *fd,
    char why[static TRANSPORT_WHY_LEN])
{
	(void)state;
	return transport_reach(o, host, port, until, fd, why);
}

const struct transport_ops transport_tcp = {
	.kind = TRANSPORT_TCP, .name = "tcp", .port = 22, .connect = connect_tcp,
};
