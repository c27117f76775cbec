/*
 * One channel and one TCP connection.
 *
 *   DIALLING -> OPEN           the client asked for it
 *   OFFERED  -> OPEN           it came to a port the client listens on
 *   OPEN -> both directions ended, or one broke -> gone
 *
 * Each direction ends for itself: an end of file here is an EOF there.  A reset
 * here is a close without EOF there, and the other way round, so that a stream
 * that was cut never looks complete.
 *
 * From the client: what the socket does not take waits in `held`, which cannot
 * be longer than the window we granted.  To the client: the socket is read only
 * while the channel has room.
 *
 * When the client is gone but said EOF before, what is held still goes out:
 * LINGERING, without a session, for as long as the far end takes something
 * every LINGER_MS.
 */
#include "transport/serve_private.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/container.h"

#define READ_MAX SERVE_FAR
#define READS_A_TURN 4
#define LINGER_MS 30000

enum relay_state { DIALLING, OFFERED, OPEN, LINGERING };

struct serve_relay {
	struct serve_end end;
	LIST_LINK(serve_relay) link;
	struct serve_server *v;
	struct serve_session *s;	/* NULL: LINGERING */
	struct serve_chan *c;		/* NULL: gone */
	struct serve_dial *dial;
	enum relay_state state;
	struct loop_fd w;		/* fd -1: none yet */
	uint32_t events;
	struct loop_timer linger;
	uint8_t *held;
	size_t held_at, held_len, held_room;
	bool client_eof, sent_fin, far_eof;
	bool full;			/* the channel has no room */
	bool parked;			/* out of epoll, for it would only spin */
};

static struct serve_relay *
relay_of(struct serve_end *e)
{
	return CONTAINER_OF(e, struct serve_relay, end);
}

static void
relay_free(struct serve_relay *r)
{
	struct loop *l = &r->v->l;

	loop_set_timer(l, &r->linger, SW_NEVER);
	loop_del(l, &r->w);
	if (r->dial != NULL)
		serve_dial_cancel(r->dial);
	if (r->w.fd >= 0)
		close(r->w.fd);
	LIST_DROP(r->s != NULL ? &r->s->relays : &r->v->lingering, r, link);
	free(r->held);
	free(r);
}

/* End both sides now; the far end sees a reset unless its side is complete. */
static void
cut(struct serve_relay *r)
{
	const struct linger hard = { 1, 0 };

	if (r->c != NULL) {
		serve_chan_close(r->c);
		serve_session_touch(r->s);
	}
	if (r->w.fd >= 0 && !r->sent_fin)
		(void)setsockopt(r->w.fd, SOL_SOCKET, SO_LINGER, &hard,
		    sizeof(hard));
	relay_free(r);
}

/* ---- to the far end ---- */

static void
watch(struct serve_relay *r)
{
	bool reads = r->c != NULL && !r->far_eof && !r->full &&
	    r->state == OPEN;
	bool writes = r->held_len > r->held_at;
	uint32_t events = (reads ? EPOLLIN : 0u) | (writes ? EPOLLOUT : 0u);
	struct loop *l = &r->v->l;

	if (r->parked || r->w.fd < 0 || events == r->events)
		return;
	r->events = events;
	loop_mod(l, &r->w, events);
}

/* Everything is said both ways: the end.  True if r is gone. */
static bool
end_if_done(struct serve_relay *r)
{
	if (r->held_len > r->held_at)
		return false;
	if (r->client_eof && !r->sent_fin) {
		r->sent_fin = true;
		(void)shutdown(r->w.fd, SHUT_WR);
	}
	if (r->c == NULL || (r->sent_fin && r->far_eof)) {
		cut(r);
		return true;
	}
	return false;
}

static bool
hold(struct serve_relay *r, const uint8_t *p, size_t n)
{
	size_t used = r->held_len - r->held_at;

	if (r->held_at > 0 && n > r->held_room - r->held_len) {
		memmove(r->held, r->held + r->held_at, used);
		r->held_at = 0;
		r->held_len = used;
	}
	if (n > r->held_room - r->held_len) {
		size_t room = r->held_len + n + READ_MAX;
		uint8_t *q = realloc(r->held, room);

		if (q == NULL)
			return false;
		r->held = q;
		r->held_room = room;
	}
	memcpy(r->held + r->held_len, p, n);
	r->held_len += n;
	return true;
}

static void
took(struct serve_relay *r, size_t n)
{
	if (r->c == NULL || n == 0)
		return;
	serve_chan_took(r->c, n);
	serve_session_touch(r->s);
}

/* SW_OK: the count sent is in *n.  Else the connection broke. */
static int
send_some(struct serve_relay *r, const uint8_t *p, size_t len, size_t *n)
{
	ssize_t got = send(r->w.fd, p, len, MSG_NOSIGNAL);

	*n = got > 0 ? (size_t)got : 0;
	return got >= 0 || errno == EAGAIN || errno == EINTR ? SW_OK :
	    SW_ERR_RESET;
}

/* True if r is still there. */
static bool
flush_held(struct serve_relay *r)
{
	size_t n;

	if (r->held_len == r->held_at)
		return true;
	if (send_some(r, r->held + r->held_at, r->held_len - r->held_at, &n) !=
	    SW_OK) {
		cut(r);
		return false;
	}
	r->held_at += n;
	if (n > 0 && r->state == LINGERING)
		loop_set_timer(&r->v->l, &r->linger,
		    r->v->l.now_ms + LINGER_MS);
	if (r->held_at == r->held_len) {
		free(r->held);
		r->held = NULL;
		r->held_at = r->held_len = r->held_room = 0;
	}
	took(r, n);
	return !end_if_done(r);
}

/* ---- to the client ---- */

/* What the socket has, as long as the channel has room.  True if r is there. */
static bool
read_far(struct serve_relay *r)
{
	uint8_t *to = r->v->far;

	for (int i = 0; i < READS_A_TURN && r->c != NULL && !r->far_eof; i++) {
		size_t room = serve_chan_room(r->c);
		ssize_t n;

		r->full = room == 0;	/* then writable() comes */
		if (r->full)
			break;
		n = recv(r->w.fd, to, room < READ_MAX ? room : READ_MAX, 0);
		if (n > 0) {
			(void)serve_chan_write(r->c, to, (size_t)n);
			serve_session_touch(r->s);
			if ((size_t)n < READ_MAX)
				break;
		} else if (n == 0) {
			r->far_eof = true;
			serve_chan_eof(r->c);
			serve_session_touch(r->s);
		} else if (errno == EAGAIN || errno == EINTR) {
			break;
		} else {
			cut(r);
			return false;
		}
	}
	return !end_if_done(r);
}

static void
park(struct serve_relay *r)
{
	loop_del(&r->v->l, &r->w);
	r->parked = true;
}

static void
on_far(struct loop_fd *w, uint32_t events)
{
	struct serve_relay *r = CONTAINER_OF(w, struct serve_relay, w);

	if ((events & EPOLLOUT) != 0 && !flush_held(r))
		return;
	if ((r->events & EPOLLIN) != 0) {
		if ((events & (EPOLLIN | EPOLLHUP | EPOLLERR)) != 0 &&
		    !read_far(r))
			return;
	} else if ((events & (EPOLLHUP | EPOLLERR)) != 0) {
		/* Broken, and nobody reads: either we wait for room, and read
		 * what is left then, or there is nothing more to learn. */
		if (r->c == NULL || r->far_eof)
			cut(r);
		else
			park(r);
		return;
	}
	watch(r);
}

/* ---- what the client says ---- */

static void
on_data(struct serve_end *e, const uint8_t *p, size_t len)
{
	struct serve_relay *r = relay_of(e);
	size_t n = 0;

	if (r->held_len == r->held_at && r->w.fd >= 0 &&
	    send_some(r, p, len, &n) != SW_OK) {
		cut(r);
		return;
	}
	took(r, n);
	if (n < len && !hold(r, p + n, len - n)) {
		cut(r);
		return;
	}
	watch(r);
}

static void
on_eof(struct serve_end *e)
{
	struct serve_relay *r = relay_of(e);

	r->client_eof = true;
	(void)end_if_done(r);
}

static void
on_writable(struct serve_end *e)
{
	struct serve_relay *r = relay_of(e);

	r->full = false;
	if (r->parked) {
		r->parked = false;
		r->events = EPOLLIN;
		if (loop_add(&r->v->l, &r->w, EPOLLIN) != SW_OK)
			cut(r);
		return;
	}
	watch(r);
}

static void
on_linger(struct loop_timer *t)
{
	cut(CONTAINER_OF(t, struct serve_relay, linger));
}

/* Finish without the session. */
static void
linger(struct serve_relay *r)
{
	if (r->parked) {		/* it is broken */
		cut(r);
		return;
	}
	r->state = LINGERING;
	LIST_DROP(&r->s->relays, r, link);
	r->s = NULL;
	LIST_APPEND(&r->v->lingering, r, link);
	loop_set_timer(&r->v->l, &r->linger, r->v->l.now_ms + LINGER_MS);
	watch(r);
}

/* The channel is gone.  What came before a proper end still goes out. */
static void
on_closed(struct serve_end *e, bool clean)
{
	struct serve_relay *r = relay_of(e);

	(void)clean;
	r->c = NULL;
	if (r->w.fd < 0 || !r->client_eof) {
		cut(r);
		return;
	}
	if (!end_if_done(r))
		linger(r);
}

/* ---- beginnings ---- */

static void
on_opened(struct serve_end *e)
{
	struct serve_relay *r = relay_of(e);

	r->state = OPEN;
	r->events = EPOLLIN;
	if (loop_add(&r->v->l, &r->w, EPOLLIN) != SW_OK)
		cut(r);
}

static const struct serve_end_ops relay_ops = {
	on_opened, on_data, on_eof, on_writable, on_closed,
};

static struct serve_relay *
relay_new(struct serve_session *s, enum relay_state state)
{
	struct serve_relay *r = calloc(1, sizeof(*r));

	if (r == NULL)
		return NULL;
	r->end.ops = &relay_ops;
	r->v = s->v;
	r->s = s;
	r->state = state;
	r->w = (struct loop_fd){ .fd = -1, .ready = on_far };
	r->linger.fire = on_linger;
	r->linger.at_ms = SW_NEVER;
	LIST_APPEND(&s->relays, r, link);
	return r;
}

static void
on_dialled(void *arg, int err, int fd)
{
	struct serve_relay *r = arg;
	struct serve_chan *c = r->c;
	const char *words;
	enum serve_reason why;

	r->dial = NULL;
	serve_session_touch(r->s);
	if (err != SW_OK) {
		why = serve_reason_of(err, &words);
		r->c = NULL;
		relay_free(r);
		serve_chan_refuse(c, why, words);
		return;
	}
	r->w.fd = fd;
	serve_chan_accept(c);
	on_opened(&r->end);
}

void
serve_relay_dial(struct serve_session *s, struct serve_chan *c,
    const struct dial_target *to)
{
	struct serve_relay *r = relay_new(s, DIALLING);

	if (r == NULL) {
		serve_chan_refuse(c, SERVE_SHORTAGE, "out of memory");
		return;
	}
	r->c = c;
	serve_chan_set_arg(c, &r->end);
	r->dial = serve_dial_start(&s->v->dialing, s, to, on_dialled, r);
	if (r->dial == NULL) {
		r->c = NULL;
		relay_free(r);
		serve_chan_refuse(c, SERVE_SHORTAGE, "out of memory");
	}
}

void
serve_relay_offer(struct serve_session *s, int fd, const char *bind,
    uint16_t port, const struct sw_addr *from)
{
	struct serve_relay *r = relay_new(s, OFFERED);
	char ip[SW_ADDR_TEXT_LEN];
	int on = 1;

	if (r == NULL) {
		close(fd);
		return;
	}
	r->w.fd = fd;
	(void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	r->c = serve_chan_offer(s->ssh, bind, port, addr_ip_text(from, ip),
	    from->port, &r->end);
	if (r->c == NULL)
		cut(r);
	else
		serve_session_touch(s);
}

void
serve_relays_free(struct serve_session *s)
{
	struct serve_relay *r, *next;

	for (r = LIST_FIRST(&s->relays); r != NULL; r = next) {
		next = LIST_NEXT(r, link);
		r->c = NULL;		/* goes with its session */
		if (r->w.fd >= 0 && r->client_eof && r->held_len > r->held_at)
			linger(r);
		else
			cut(r);
	}
}

void
serve_relays_cut(struct serve_server *v)
{
	struct serve_relay *r, *next;

	for (r = LIST_FIRST(&v->lingering); r != NULL; r = next) {
		next = LIST_NEXT(r, link);
		cut(r);
	}
}
