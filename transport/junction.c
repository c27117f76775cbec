#include "transport/junction.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/container.h"

#define READ_MAX ((size_t)64 * 1024)
#define BUDGET 16		/* reads in a turn */

struct junction {
	struct loop *l;
	struct loop_fd w;		/* w.fd is -1 once closed */
	struct dial *dial;		/* NULL when it is gone */
	const struct dialer_ops *ops;
	const struct junction_events *ev;
	void *arg;

	uint8_t *held;			/* read, not taken by the dial yet */
	size_t held_at, held_n;
	uint8_t say[JUNCTION_SAY_MAX];	/* goes before the dial's data */
	size_t say_at, say_n;

	bool open;			/* the far side answered */
	bool in_eof;			/* the socket's end was passed on */
	bool out_full;			/* the socket takes no more for now */
	bool dead;			/* freed while a callback runs */
	unsigned depth;			/* of our functions on the stack */
};

/* Our functions call out to owners and dialers that may free the junction. */
static void
enter(struct junction *j)
{
	j->depth++;
}

static void
leave(struct junction *j)
{
	if (--j->depth == 0 && j->dead) {
		free(j->held);
		free(j);
	}
}

/* Whoever closes the socket next resets it, or does not. */
static void
reset_at_close(int fd, bool on)
{
	const struct linger hard = { .l_onoff = on, .l_linger = 0 };

	(void)setsockopt(fd, SOL_SOCKET, SO_LINGER, &hard, sizeof(hard));
}

static void
close_socket(struct junction *j, bool reset)
{
	if (j->w.fd < 0)
		return;
	loop_del(j->l, &j->w);
	reset_at_close(j->w.fd, reset);
	close(j->w.fd);
	j->w.fd = -1;
}

static void
end(struct junction *j, int err)
{
	if (j->dead || j->w.fd < 0)
		return;
	if (j->dial != NULL)
		j->ops->abort(j->dial);
	j->dial = NULL;
	close_socket(j, err != SW_OK);
	if (j->ev->ended != NULL)
		j->ev->ended(j->arg, err);
}

/* Listen for what could be used now.  A socket that hung up while its bytes
 * cannot be passed on is not watched: epoll would report it for ever. */
static void
watch(struct junction *j, bool hung_up)
{
	bool in = j->open && !j->in_eof && j->held == NULL;
	uint32_t events = (in ? EPOLLIN : 0u) | (j->out_full ? EPOLLOUT : 0u);

	if (j->dead || j->w.fd < 0)
		return;
	if (hung_up && !in) {
		loop_del(j->l, &j->w);
		return;
	}
	if (j->w.added)
		loop_mod(j->l, &j->w, events);
	else if (loop_add(j->l, &j->w, events) != SW_OK)
		end(j, SW_ERR_SYS);
}

static bool
hold(struct junction *j, const uint8_t *buf, size_t len)
{
	if (len == 0)
		return true;
	if ((j->held = malloc(len)) == NULL)
		return false;
	memcpy(j->held, buf, len);
	j->held_at = 0;
	j->held_n = len;
	return true;
}

/* Give the dial what is held.  True when nothing is left. */
static bool
pass_held(struct junction *j)
{
	if (j->held == NULL)
		return true;
	j->held_at += j->ops->write(j->dial, j->held + j->held_at,
	    j->held_n - j->held_at);
	if (j->dead || j->dial == NULL || j->held_at < j->held_n)
		return false;
	free(j->held);
	j->held = NULL;
	return true;
}

/* From the socket to the dial. */
static void
pump(struct junction *j)
{
	static uint8_t buf[READ_MAX];	/* one loop, one thread */

	for (int i = 0; i < BUDGET && pass_held(j); i++) {
		size_t taken;
		ssize_t n;

		if (j->in_eof)
			return;
		n = recv(j->w.fd, buf, sizeof(buf), MSG_DONTWAIT);
		if (n < 0) {
			if (errno != EAGAIN && errno != EINTR)
				end(j, sw_err_from_errno(errno));
			return;
		}
		if (n == 0) {
			j->in_eof = true;
			j->ops->shutdown(j->dial);
			return;
		}
		taken = j->ops->write(j->dial, buf, (size_t)n);
		if (j->dead || j->dial == NULL)
			return;
		if (!hold(j, buf + taken, (size_t)n - taken)) {
			end(j, SW_ERR_NOMEM);
			return;
		}
	}
}

/* Send; the count that went, and out_full when that was not all. */
static size_t
put(struct junction *j, const uint8_t *buf, size_t len)
{
	size_t at = 0;

	while (at < len) {
		ssize_t n = send(j->w.fd, buf + at, len - at,
		    MSG_DONTWAIT | MSG_NOSIGNAL);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0) {
			j->out_full = true;
			if (errno != EAGAIN)
				end(j, sw_err_from_errno(errno));
			break;
		}
		at += (size_t)n;
	}
	return at;
}

static void
flush_say(struct junction *j)
{
	j->say_at += put(j, j->say + j->say_at, j->say_n - j->say_at);
}

static void
ready(struct loop_fd *w, uint32_t events)
{
	struct junction *j = CONTAINER_OF(w, struct junction, w);
	int e = 0;
	socklen_t len = sizeof(e);

	enter(j);
	if (events & EPOLLERR) {
		(void)getsockopt(w->fd, SOL_SOCKET, SO_ERROR, &e, &len);
		end(j, e != 0 ? sw_err_from_errno(e) : SW_ERR_RESET);
	} else if (!j->open && (events & EPOLLHUP))
		end(j, SW_ERR_RESET);
	if (j->w.fd >= 0 && j->open && (events & (EPOLLIN | EPOLLHUP)))
		pump(j);
	if (!j->dead && j->w.fd >= 0 && (events & EPOLLOUT)) {
		j->out_full = false;
		flush_say(j);
		if (j->w.fd >= 0 && !j->out_full && j->dial != NULL && j->open)
			j->ops->resume(j->dial);
	}
	watch(j, (events & EPOLLHUP) != 0);
	leave(j);
}

/* --- the dial's side ------------------------------------------------------ */

static void
far_opened(void *arg)
{
	struct junction *j = arg;

	enter(j);
	j->open = true;
	/* If we are killed, the kernel closes it: not a clean end. */
	reset_at_close(j->w.fd, true);
	if (j->ev->opened != NULL)
		j->ev->opened(j->arg);
	if (!j->dead && j->dial != NULL)
		pump(j);
	watch(j, false);
	leave(j);
}

static void
far_failed(void *arg, int err)
{
	struct junction *j = arg;

	enter(j);
	j->dial = NULL;
	if (j->ev->failed != NULL)
		j->ev->failed(j->arg, err);
	else
		j->dead = true;
	if (j->dead)
		close_socket(j, false);
	leave(j);
}

static size_t
far_data(void *arg, const uint8_t *buf, size_t len)
{
	struct junction *j = arg;
	size_t n = 0;

	enter(j);
	if (j->w.fd >= 0 && !j->out_full && j->say_at == j->say_n)
		n = put(j, buf, len);
	watch(j, false);
	leave(j);
	return n;
}

static void
far_eof(void *arg)
{
	struct junction *j = arg;

	if (j->w.fd >= 0)
		(void)shutdown(j->w.fd, SHUT_WR);
}

static void
far_writable(void *arg)
{
	struct junction *j = arg;

	enter(j);
	pump(j);
	watch(j, false);
	leave(j);
}

static void
far_closed(void *arg, int err)
{
	struct junction *j = arg;

	enter(j);
	j->dial = NULL;
	end(j, err);
	leave(j);
}

static const struct dial_events far_events = {
	.opened = far_opened, .failed = far_failed, .data = far_data,
	.eof = far_eof, .writable = far_writable, .closed = far_closed,
};

/* --- life ----------------------------------------------------------------- */

static struct junction *
junction_new(struct loop *l, int fd, const struct dialer_ops *ops,
    const struct junction_events *ev, void *arg)
{
	struct junction *j = calloc(1, sizeof(*j));

	if (j == NULL)
		return NULL;
	j->l = l;
	j->w = (struct loop_fd){ .fd = fd, .ready = ready };
	j->ops = ops;
	j->ev = ev;
	j->arg = arg;
	if (fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK) != 0 ||
	    loop_add(l, &j->w, 0) != SW_OK) {
		free(j);
		return NULL;
	}
	return j;
}

/* Forget it, without closing the socket. */
static void
give_up(struct junction *j)
{
	loop_del(j->l, &j->w);
	free(j->held);
	free(j);
}

struct junction *
junction_dial(struct loop *l, int fd, struct dialer *d,
    const struct dialer_ops *ops, const struct dial_target *to,
    const void *early, size_t early_len, const struct junction_events *ev,
    void *arg, int *err)
{
	struct junction *j = junction_new(l, fd, ops, ev, arg);

	*err = SW_ERR_NOMEM;
	if (j == NULL)
		return NULL;
	if (!hold(j, early, early_len) ||
	    (j->dial = ops->open(d, to, &far_events, j, err)) == NULL) {
		give_up(j);
		return NULL;
	}
	*err = SW_OK;
	return j;
}

struct junction *
junction_adopt(struct loop *l, int fd, struct dial *d,
    const struct dialer_ops *ops, const struct junction_events *ev, void *arg,
    const struct dial_events **dial_ev, void **dial_arg)
{
	struct junction *j = junction_new(l, fd, ops, ev, arg);

	if (j == NULL)
		return NULL;
	j->dial = d;
	j->open = true;
	reset_at_close(fd, true);
	*dial_ev = &far_events;
	*dial_arg = j;
	loop_mod(l, &j->w, EPOLLIN);
	return j;
}

void
junction_say(struct junction *j, const void *buf, size_t len)
{
	if (len > JUNCTION_SAY_MAX - j->say_n || j->w.fd < 0)
		return;
	memcpy(j->say + j->say_n, buf, len);
	j->say_n += len;
	if (!j->out_full)
		flush_say(j);
}

void
junction_free(struct junction *j)
{
	if (j == NULL)
		return;
	enter(j);
	if (j->dial != NULL)
		j->ops->abort(j->dial);
	close_socket(j, j->dial != NULL && j->open);
	j->dial = NULL;
	j->dead = true;
	leave(j);
}
