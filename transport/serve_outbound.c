/*
 * What the proxy says is looked at before it is taken, so that not a byte of
 * the target's is read here.
 */
#include "transport/serve_outbound.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/socket.h>

#include "base/container.h"

struct serve_outbound {
	struct loop *l;
	struct loop_fd w;
	struct proxy_talk talk;
	serve_outbound_done *done;
	void *arg;
};

void
serve_outbound_free(struct serve_outbound *o)
{
	if (o == NULL)
		return;
	loop_del(o->l, &o->w);
	proxy_wipe(&o->talk);
	free(o);
}

static void
finish(struct serve_outbound *o, int err)
{
	serve_outbound_done *done = o->done;
	void *arg = o->arg;

	serve_outbound_free(o);
	done(arg, err);
}

/* SW_OK; SW_AGAIN: some is left; SW_ERR_DOWN. */
static int
push(struct serve_outbound *o)
{
	const uint8_t *p;
	size_t len;
	ssize_t n;

	while (p = proxy_output(&o->talk, &len), len > 0) {
		n = send(o->w.fd, p, len, MSG_NOSIGNAL);
		if (n < 0)
			return errno == EAGAIN ? SW_AGAIN : SW_ERR_DOWN;
		proxy_sent(&o->talk, (size_t)n);
	}
	return SW_OK;
}

static int
pull(struct serve_outbound *o)
{
	uint8_t buf[1024];
	size_t used;
	ssize_t n = recv(o->w.fd, buf, sizeof(buf), MSG_PEEK);
	int r;

	if (n < 0)
		return errno == EAGAIN ? SW_AGAIN : SW_ERR_DOWN;
	if (n == 0)
		return SW_ERR_DOWN;
	r = proxy_input(&o->talk, buf, (size_t)n, &used);
	if (used > 0 && recv(o->w.fd, buf, used, 0) != (ssize_t)used)
		return SW_ERR_DOWN;
	return r;
}

static void
on_ready(struct loop_fd *w, uint32_t events)
{
	struct serve_outbound *o = CONTAINER_OF(w, struct serve_outbound, w);
	int r = SW_AGAIN, sent;

	if ((events & (EPOLLIN | EPOLLHUP | EPOLLERR)) != 0)
		r = pull(o);
	if (r != SW_AGAIN) {
		finish(o, r);
		return;
	}
	if ((sent = push(o)) < 0) {
		finish(o, sent);
		return;
	}
	loop_mod(o->l, &o->w, sent == SW_AGAIN ? EPOLLIN | EPOLLOUT : EPOLLIN);
}

struct serve_outbound *
serve_outbound_start(struct loop *l, int fd, const struct proxy_url *proxy,
    const struct dial_target *to, serve_outbound_done *done, void *arg)
{
	struct serve_outbound *o = calloc(1, sizeof(*o));

	if (o == NULL)
		return NULL;
	o->l = l;
	o->done = done;
	o->arg = arg;
	o->w = (struct loop_fd){ .fd = fd, .ready = on_ready };
	if (proxy_begin(&o->talk, proxy, to->host, to->port) != SW_OK ||
	    loop_add(l, &o->w, EPOLLIN | EPOLLOUT) != SW_OK) {
		serve_outbound_free(o);
		return NULL;
	}
	return o;
}
