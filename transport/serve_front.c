#include "transport/serve_front.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/container.h"
#include "base/log.h"
#include "transport/serve_web.h"
#include "transport/tls_server.h"

#define HANDSHAKE_MS 60000		/* nginx's patience */
#define GUESTS_MAX 1024			/* shaking hands or silent */
/* "SSH-" may be the beginning of a method's name, "SSH-2" no more: a web server
 * would answer.  Who means SSH sends the rest with it. */
#define NO_METHOD 5
#define HALF_MS 1000

struct guest {
	LIST_LINK(guest) link;
	struct serve_front *f;
	struct serve_info who;
	struct tls_accept *tls;		/* while it shakes hands */
	struct loop_fd w;		/* fd -1: none yet */
	struct loop_timer timer;
	uint8_t first[16];
	size_t len;
};

struct serve_front {
	struct serve_server *v;
	struct tls_server *tls;
	struct serve_web *web;
	LIST_OF(guests, guest) guests;
	size_t n;
};

/* Whatever it still holds goes with it. */
static void
guest_free(struct guest *g)
{
	struct loop *l = &g->f->v->l;

	if (g->tls != NULL)
		tls_accept_cancel(g->tls);
	loop_del(l, &g->w);
	loop_set_timer(l, &g->timer, SW_NEVER);
	if (g->w.fd >= 0)
		close(g->w.fd);
	LIST_DROP(&g->f->guests, g, link);
	g->f->n--;
	free(g);
}

static void
to_web(struct guest *g, int plain)
{
	struct serve_front *f = g->f;
	int fd = g->w.fd;

	loop_del(&f->v->l, &g->w);
	g->w.fd = -1;
	if (serve_web_count(f->web) >= GUESTS_MAX)
		serve_web_drop_oldest(f->web);
	serve_web_take(f->web, fd, g->first, g->len, plain);
	guest_free(g);
}

static void
to_ssh(struct guest *g)
{
	struct serve_front *f = g->f;
	int fd = g->w.fd;

	loop_del(&f->v->l, &g->w);
	g->w.fd = -1;
	serve_session_start(f->v, fd, &g->who, g->first, g->len);
	guest_free(g);
}

/* 0: SSH.  1: not.  -1: cannot be told yet. */
static int
judge(const uint8_t *p, size_t len)
{
	static const char *const idents[] = { "SSH-2.0-", "SSH-1.99-" };
	int best = 1;

	for (int i = 0; i < 2; i++) {
		size_t n = strlen(idents[i]);

		if (memcmp(p, idents[i], len < n ? len : n) != 0)
			continue;
		if (len >= n)
			return 0;
		best = -1;
	}
	return best;
}

static void
on_bytes(struct loop_fd *w, uint32_t events)
{
	struct guest *g = CONTAINER_OF(w, struct guest, w);
	ssize_t n = recv(w->fd, g->first + g->len, sizeof(g->first) - g->len, 0);
	int what;

	(void)events;
	if (n < 0 && errno == EAGAIN)
		return;
	if (n <= 0) {
		guest_free(g);
		return;
	}
	g->len += (size_t)n;
	if ((what = judge(g->first, g->len)) == 0)
		to_ssh(g);
	else if (what == 1)
		to_web(g, 0);
	else if (g->len >= NO_METHOD)
		loop_set_timer(&g->f->v->l, &g->timer,
		    g->f->v->l.now_ms + HALF_MS);
}

static void
on_silence(struct loop_timer *t)
{
	struct guest *g = CONTAINER_OF(t, struct guest, timer);

	if (g->len >= NO_METHOD)
		to_web(g, 0);
	else
		guest_free(g);
}

static void
on_handshake(void *arg, int err, int fd, const struct tls_peer *peer,
    const char *why)
{
	struct guest *g = arg;
	int flags;

	(void)peer;
	(void)why;
	g->tls = NULL;
	if (fd < 0) {
		guest_free(g);
		return;
	}
	g->w.fd = fd;
	flags = fcntl(fd, F_GETFL);
	(void)fcntl(fd, F_SETFL, flags | O_NONBLOCK);
	if (err == SW_ERR_FORMAT) {
		to_web(g, 1);
		return;
	}
	loop_set_timer(&g->f->v->l, &g->timer,
	    g->f->v->l.now_ms + SERVE_WEB_HEAD_MS);
	if (loop_add(&g->f->v->l, &g->w, EPOLLIN) != SW_OK)
		guest_free(g);
}

static const struct tls_accept_events tls_events = { on_handshake };

void
serve_front_take(struct serve_front *f, int fd, const struct serve_info *who)
{
	struct guest *g;

	if (f->n >= GUESTS_MAX)		/* the oldest makes room */
		guest_free(LIST_FIRST(&f->guests));
	if ((g = calloc(1, sizeof(*g))) == NULL) {
		close(fd);
		return;
	}
	g->f = f;
	g->who = *who;
	g->w = (struct loop_fd){ .fd = -1, .ready = on_bytes };
	g->timer.fire = on_silence;
	g->timer.at_ms = SW_NEVER;
	LIST_APPEND(&f->guests, g, link);
	f->n++;
	g->tls = tls_accept_start(&f->v->l, f->tls, fd,
	    clock_now_ms() + HANDSHAKE_MS, &tls_events, g);
	if (g->tls == NULL)
		guest_free(g);
}

struct serve_front *
serve_front_new(struct serve_server *v, const struct serve_front_options *o,
    char why[static 256])
{
	const struct tls_server_cert cert = { o->cert, o->key };
	const struct tls_server_options tls = {	/* as nginx offers them */
		.certs = &cert, .ncerts = 1,
		.alpn = "http/1.1,http/1.0,http/0.9",
	};
	struct serve_front *f = calloc(1, sizeof(*f));

	_Static_assert(TLS_WHY_LEN <= 256, "why has room");
	snprintf(why, 256, "out of memory");
	if (f == NULL)
		return NULL;
	f->v = v;
	LIST_INIT(&f->guests);
	if (tls_server_new(&f->tls, &tls, why) == SW_OK &&
	    (f->web = serve_web_new(&v->l, o->web, why)) != NULL)
		return f;
	serve_front_free(f);
	return NULL;
}

void
serve_front_free(struct serve_front *f)
{
	struct guest *g, *next;

	if (f == NULL)
		return;
	for (g = LIST_FIRST(&f->guests); g != NULL; g = next) {
		next = LIST_NEXT(g, link);
		guest_free(g);
	}
	serve_web_free(f->web);
	tls_server_free(f->tls);
	free(f);
}

int
serve_front_reload(struct serve_front *f, char why[static 256])
{
	return tls_server_reload(f->tls, why);
}
