/*
 * The pump: bytes between a program's descriptor pair and TCP.
 *
 * The last byte already forwarded stays unread in the far end (`kept`), or the
 * last byte of the connect filler before the program has written anything.
 * Closing the far end with a byte unread is the only way to say "reset" on a
 * descriptor pair, and the kernel says it for us if we die.  A regular end
 * reads the byte first.
 *
 *   queue of the far end:   [kept] fresh fresh ... fresh
 *   reading all of it:      consume the kept byte and all fresh ones but the
 *                           last; look at the last without consuming it
 *
 * Back-pressure: no more than stack_tx_limit() bytes wait for acknowledgement, then
 * the rest stays in the far end and the program blocks.  The other way, the
 * TCP window opens only for what the program's end has taken.
 */
#include <errno.h>
#include <string.h>
#include <sys/ioctl.h>

#include "base/container.h"
#include "base/sys.h"
#include "stack/arena.h"
#include "stack/owner_priv.h"

#define CHUNK_SMALL (4096 - 16 - sizeof(struct chunk))
#define CHUNK_LARGE (65536 + 512 - 16 - sizeof(struct chunk))
#define LITTLE 1024			/* bytes worth a copy to save a call */
#define GIVE_MAX 0xffff			/* tcp_write() takes 16 bits */

struct chunk *
pump_chunk(struct flow *f, size_t want)
{
	struct chunk *c = f->tx_last;
	size_t room;

	if (c != NULL && (c->room - c->len >= want ||
	    c->room - c->len >= CHUNK_LARGE / 4))
		return c;
	room = want <= CHUNK_SMALL ? CHUNK_SMALL : CHUNK_LARGE;
	if ((c = arena_get(sizeof(*c) + room)) == NULL)
		return NULL;
	*c = (struct chunk){ .room = (uint32_t)room };
	if (f->tx_last != NULL)
		f->tx_last->next = c;
	else
		f->tx = c;
	f->tx_last = c;
	return c;
}

void
pump_drop_tx(struct flow *f)
{
	struct chunk *c;

	while ((c = f->tx) != NULL) {
		f->tx = c->next;
		arena_put(c);
	}
	f->tx_last = NULL;
	f->tx_held = 0;
}

err_t
pump_acked(void *arg, struct tcp_pcb *pcb, u16_t len)
{
	struct flow *f = arg;
	uint32_t left = len;
	struct chunk *c;

	(void)pcb;
	if (f == NULL)
		return ERR_OK;
	while (left > 0 && (c = f->tx) != NULL) {
		uint32_t n = c->given - c->acked;

		if (n > left)
			n = left;
		c->acked += n;
		left -= n;
		f->tx_held -= n;
		f->tx_bytes += n;
		if (c->acked < c->len || (c->next == NULL && n == 0))
			break;
		f->tx = c->next;
		if (f->tx == NULL)
			f->tx_last = NULL;
		arena_put(c);
	}
	f->unacked_since_ms = f->owner->loop->now_ms;
	if (f->tx_held == 0)
		flow_answer_drains(f, 0);
	flow_touch(f);
	return ERR_OK;
}

void
pump_give(struct flow *f)
{
	for (struct chunk *c = f->tx; c != NULL; c = c->next)
		while (c->given < c->len) {
			uint32_t n = c->len - c->given;

			if (n > GIVE_MAX)
				n = GIVE_MAX;
			if (tcp_write(f->pcb, c->data + c->given, (u16_t)n,
			    0) != ERR_OK)
				return;
			c->given += n;
		}
}

static bool
all_given(const struct flow *f)
{
	for (const struct chunk *c = f->tx; c != NULL; c = c->next)
		if (c->given < c->len)
			return false;
	return true;
}

/* Bytes in the far end that were not forwarded yet. */
static size_t
count_fresh(const struct flow *f)
{
	int n = 0;

	if (sys_ioctl(f->w.fd, FIONREAD, &n) != 0 || n <= (int)f->kept)
		return 0;
	return (size_t)n - f->kept;
}

/* Move up to `take` of `fresh` bytes into c.  How many; 0 when it failed. */
static size_t
read_some(struct flow *f, struct chunk *c, size_t take, size_t fresh)
{
	size_t last = take == fresh ? 1 : 0;
	uint8_t old;
	struct iovec iov[2] = {
		{ &old, f->kept }, { c->data + c->len, take - last },
	};
	size_t want = iov[0].iov_len + iov[1].iov_len;
	ssize_t r = 0;

	if (want > 0) {
		r = sys_readv(f->w.fd, iov, 2);
		if (r <= 0)
			return 0;
		r -= f->kept;
		f->kept = false;
	}
	/* Short only where the program attached something to its bytes. */
	if ((size_t)r + last == take && last == 1) {
		if (sys_recv(f->w.fd, c->data + c->len + r, 1,
		    MSG_PEEK | MSG_DONTWAIT) == 1) {
			f->kept = true;
			r++;
		}
	}
	c->len += (uint32_t)r;
	f->tx_held += (uint32_t)r;
	return (size_t)r;
}

/*
 * A few bytes, in two calls: look at all there is, then consume what is before
 * the last.  False when that was not all of it: there is more than a few, or
 * something is attached to them.
 */
static bool
read_little(struct flow *f)
{
	uint8_t seen[LITTLE];
	struct iovec iov = { seen, sizeof(seen) };
	struct msghdr m = { .msg_iov = &iov, .msg_iovlen = 1 };
	ssize_t r = sys_recvmsg(f->w.fd, &m, MSG_PEEK | MSG_DONTWAIT);
	const ssize_t old = f->kept;
	ssize_t gone = 0;
	struct chunk *c;

	if (r > old) {
		if (r == sizeof(seen) || (m.msg_flags & MSG_CTRUNC) != 0 ||
		    (c = pump_chunk(f, (size_t)(r - old))) == NULL)
			return false;
		if (r > 1 && (gone = sys_recv(f->w.fd, seen, (size_t)r - 1,
		    MSG_DONTWAIT)) <= 0)
			return false;
		if (gone < r - 1)
			r = gone;	/* cannot be: nobody else reads */
		f->kept = gone < r;
		if (r <= old)
			return false;
		memcpy(c->data + c->len, seen + old, (size_t)(r - old));
		c->len += (uint32_t)(r - old);
		f->tx_held += (uint32_t)(r - old);
		if (!f->kept)
			return false;
	}
	f->in_ready = false;	/* what comes from now on is another edge */
	return true;
}

static void
send_fin(struct flow *f)
{
	if (!f->app_done || f->in_ready || f->fin_sent || !all_given(f))
		return;
	if (tcp_shutdown(f->pcb, 0, 1) == ERR_OK)
		f->fin_sent = true;
}

static void
read_program(struct flow *f)
{
	size_t limit = stack_tx_limit(STACK_NEAR);
	size_t fresh, take;
	struct chunk *c;

	if (f->pcb == NULL || f->fin_sent || f->w.fd < 0)
		return;
	if (f->tx_held == 0)
		f->unacked_since_ms = f->owner->loop->now_ms;
	if (f->in_ready && !f->in_bulk && f->tx_held + LITTLE <= limit)
		f->in_bulk = !read_little(f);
	while (f->in_ready && f->tx_held < limit) {
		fresh = count_fresh(f);
		if (fresh == 0) {
			f->in_ready = false;
			break;
		}
		take = limit - f->tx_held;
		if (take > fresh)
			take = fresh;
		f->in_bulk = take >= LITTLE - 1;
		if ((c = pump_chunk(f, take)) == NULL)
			break;		/* tried again when memory was freed */
		if (take > c->room - c->len)
			take = c->room - c->len;
		if (read_some(f, c, take, fresh) == 0)
			break;
		pump_give(f);
	}
	pump_give(f);
	send_fin(f);
	(void)tcp_output(f->pcb);
}

void
pump_discard_filler(struct flow *f)
{
	size_t room = 65536;
	uint8_t *scratch;

	if (f->discard == 0 || f->w.fd < 0 ||
	    (scratch = arena_get(room)) == NULL)
		return;
	while (f->discard > 1) {
		size_t n = f->discard - 1 < room ? f->discard - 1 : room;
		ssize_t r = sys_recv(f->w.fd, scratch, n, MSG_DONTWAIT);

		if (r <= 0)
			break;
		f->discard -= (uint32_t)r;
	}
	f->kept = true;
	f->discard = 0;
	arena_put(scratch);
}

/* ---- events of the far end ---- */

static int
pending_error(const struct flow *f)
{
	int e = 0;
	socklen_t n = sizeof(e);

	(void)sys_getsockopt(f->w.fd, SOL_SOCKET, SO_ERROR, &e, &n);
	return e;
}

void
pump_ready(struct loop_fd *w, uint32_t events)
{
	struct flow *f = CONTAINER_OF(w, struct flow, w);

	if ((events & EPOLLIN) != 0)
		f->in_ready = true;
	if ((events & (EPOLLRDHUP | EPOLLHUP)) != 0)
		f->app_done = f->in_ready = true;
	if ((events & EPOLLHUP) != 0)
		f->app_gone = true;
	/* The program closed with bytes of ours unread: it wants a reset. */
	if ((events & EPOLLERR) != 0 && pending_error(f) == ECONNRESET)
		f->linger_reset = true;
	flow_touch(f);
}

/* A regular end: nothing unread is left behind. */
static void
close_clean(struct flow *f)
{
	uint8_t old;

	if (f->kept && f->w.fd >= 0)
		(void)sys_recv(f->w.fd, &old, 1, MSG_DONTWAIT);
	f->kept = false;
	flow_close_far(f);
}

static void
turn_connected(struct flow *f)
{
	pump_deliver(f);
	if (f->app_gone && (f->linger_zero || f->linger_reset ||
	    f->rx_held > 0)) {
		conn_abort(f, ECONNRESET);
		flow_close_far(f);
		return;
	}
	read_program(f);
	if (f->tx_held == 0 && !f->in_ready)
		flow_answer_drains(f, 0);
	if (!f->fin_sent || f->w.fd < 0)
		return;
	if (f->app_gone) {
		/* Data that comes now has no reader: see above. */
		f->unacked_since_ms = f->owner->loop->now_ms;
		conn_watch_time(f);
		close_clean(f);
	} else if (f->rx_fin_done) {
		close_clean(f);
	}
}

void
pump_turn(struct flow *f)
{
	switch ((enum owner_flow_state)f->state) {
	case OWNER_CONNECTED:
		turn_connected(f);
		break;
	case OWNER_CONNECTING:
		/* Closed or shut down in the middle of it: give up.  (Without
		 * filler the program could write already, and be done.) */
		if (f->app_gone || (f->app_done && f->discard > 0)) {
			conn_abort(f, ECONNRESET);
			flow_close_far(f);
		}
		break;
	case OWNER_LISTENING:
		listen_ready(f);
		return;			/* it may be gone */
	case OWNER_FAILED:
	case OWNER_ENDED:
		if (f->dying) {
			pump_deliver(f);
			f->dying = f->rx_held > 0 && !f->app_gone &&
			    f->w.fd >= 0;
		}
		if (!f->dying)
			flow_close_far(f);
		break;
	case OWNER_NEW:
		break;
	}
	conn_settle(f);
}
