/*
 * The stream between ngtcp2 and a descriptor.
 *
 *	descriptor -> tx ring -> ngtcp2, which keeps pointers into the ring until
 *	  the peer has acknowledged: so the ring never moves
 *	ngtcp2 -> rx ring -> descriptor, once a turn; only what the descriptor
 *	  took widens the peer's window: that is the back-pressure
 */
#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#include "base/container.h"
#include "transport/iroh_private.h"

static int
ring_init(struct iroh_ring *r, size_t size)
{
	/* Whole pages that cost nothing until they are touched. */
	void *mem = mmap(NULL, size, PROT_READ | PROT_WRITE,
	    MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	*r = (struct iroh_ring){ .size = size };
	if (mem == MAP_FAILED)
		return SW_ERR_NOMEM;
	r->mem = mem;
	return SW_OK;
}

static void
ring_wipe(struct iroh_ring *r)
{
	if (r->mem != NULL)
		munmap(r->mem, r->size);
	*r = (struct iroh_ring){ .size = 0 };
}

/* The bytes [from, to) as at most two pieces. */
static size_t
ring_pieces(const struct iroh_ring *r, uint64_t from, uint64_t to,
    struct iovec v[static 2])
{
	size_t at = (size_t)((from - r->base) % r->size);
	size_t n = (size_t)(to - from), first = r->size - at;

	if (n == 0)
		return 0;
	v[0] = (struct iovec){ r->mem + at, n < first ? n : first };
	v[1] = (struct iovec){ r->mem, n - v[0].iov_len };
	return v[1].iov_len > 0 ? 2 : 1;
}

static size_t
ring_room(const struct iroh_ring *r)
{
	return r->size - (size_t)(r->end - r->begin);
}

static void
ring_drop(struct iroh_ring *r, uint64_t upto)
{
	if (upto > r->end)
		upto = r->end;
	if (upto > r->begin)
		r->begin = upto;
	if (r->begin == r->end)
		r->base = r->begin;
}

static void
watch(struct iroh_conn *c)
{
	struct iroh_stream *s = &c->stream;
	uint32_t want = 0;

	if (s->pair.fd < 0 || s->hung)
		return;
	if (!s->tx_eof && ring_room(&s->tx) > 0 &&
	    s->tx.end - s->tx_sent < TX_AHEAD)
		want |= EPOLLIN;
	if (s->rx.end > s->rx.begin)
		want |= EPOLLOUT;
	if (want != s->watched) {
		s->watched = want;
		loop_mod(&c->ep->loop, &s->pair, want);
	}
}

/* Nobody will read what the peer sends. */
static void
stop_reading(struct iroh_conn *c)
{
	struct iroh_stream *s = &c->stream;

	if (s->rx_discard)
		return;
	s->rx_discard = true;
	ring_drop(&s->rx, s->rx.end);
	if (!s->rx_fin && s->id >= 0 && c->state == CONN_OPEN)
		(void)ngtcp2_conn_shutdown_stream_read(c->q, s->id, 0);
}

/* The other end is closed and all it wrote has been read. */
static void
let_go(struct iroh_conn *c)
{
	struct iroh_stream *s = &c->stream;
	struct loop *l = &c->ep->loop;

	stop_reading(c);
	loop_del(l, &s->pair);
	close(s->pair.fd);
	s->pair.fd = -1;
	if (c->state == CONN_OPEN)
		loop_set_timer(l, &c->limit, l->now_ms + LINGER_MS);
}

static void
on_pair(struct loop_fd *w, uint32_t events)
{
	struct iroh_conn *c = CONTAINER_OF(w, struct iroh_conn, stream.pair);

	/* Hung up: epoll would say so again and again while the ring is full. */
	if ((events & (EPOLLHUP | EPOLLERR)) != 0) {
		c->stream.hung = true;
		loop_del(&c->ep->loop, w);
	}
	iroh_conn_mark(c);
}

int
iroh_stream_open(struct iroh_conn *c)
{
	struct iroh_stream *s = &c->stream;
	int fd[2];

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fd) != 0)
		return -1;
	(void)fcntl(fd[0], F_SETFL, O_NONBLOCK);	/* ours alone */
	s->pair = (struct loop_fd){ .fd = fd[0], .ready = on_pair };
	s->watched = EPOLLIN;
	if (ring_init(&s->tx, TX_RING) == SW_OK &&
	    (s->rx.mem != NULL || ring_init(&s->rx, RX_RING) == SW_OK) &&
	    loop_add(&c->ep->loop, &s->pair, s->watched) == SW_OK)
		return fd[1];
	close(fd[0]);
	close(fd[1]);
	s->pair.fd = -1;
	return -1;
}

int
iroh_stream_received(struct iroh_conn *c, const uint8_t *p, size_t n, bool fin)
{
	struct iroh_stream *s = &c->stream;
	struct iovec v[2];
	size_t pieces;

	if (fin)
		s->rx_fin = true;
	if (s->rx_discard) {
		ngtcp2_conn_extend_max_offset(c->q, n);
		return SW_OK;
	}
	if (s->rx.mem == NULL && ring_init(&s->rx, RX_RING) != SW_OK)
		return SW_ERR_NOMEM;
	if (n > ring_room(&s->rx))
		return SW_ERR_LIMIT;	/* ngtcp2 holds peers to the window */
	pieces = ring_pieces(&s->rx, s->rx.end, s->rx.end + n, v);
	for (size_t i = 0; i < pieces; i++) {
		memcpy(v[i].iov_base, p, v[i].iov_len);
		p += v[i].iov_len;
	}
	s->rx.end += n;
	return SW_OK;
}

void
iroh_stream_acked(struct iroh_conn *c, uint64_t upto)
{
	assert(upto <= c->stream.tx_sent);
	ring_drop(&c->stream.tx, upto);
}

void
iroh_stream_unwanted(struct iroh_conn *c)
{
	struct iroh_stream *s = &c->stream;

	/* ngtcp2 resets our direction by itself. */
	s->tx_eof = s->fin_sent = true;
	s->tx_sent = s->tx.end;
	ring_drop(&s->tx, s->tx.end);
	if (s->pair.fd >= 0)
		shutdown(s->pair.fd, SHUT_RD);
}

static void
hand_on(struct iroh_conn *c)
{
	struct iroh_stream *s = &c->stream;

	while (s->pair.fd >= 0 && s->rx.end > s->rx.begin) {
		struct iovec v[2];
		struct msghdr m = { .msg_iov = v };
		ssize_t n;

		m.msg_iovlen = ring_pieces(&s->rx, s->rx.begin, s->rx.end, v);
		n = sendmsg(s->pair.fd, &m, MSG_DONTWAIT | MSG_NOSIGNAL);
		if (n < 0 && errno != EAGAIN && errno != EINTR)
			stop_reading(c);
		if (n <= 0)
			break;
		ring_drop(&s->rx, s->rx.begin + (uint64_t)n);
		(void)ngtcp2_conn_extend_max_stream_offset(c->q, s->id,
		    (uint64_t)n);
		ngtcp2_conn_extend_max_offset(c->q, (uint64_t)n);
	}
	if (s->rx_fin && !s->rx_shut && s->rx.end == s->rx.begin &&
	    s->pair.fd >= 0) {
		s->rx_shut = true;
		shutdown(s->pair.fd, SHUT_WR);
	}
}

static void
take(struct iroh_conn *c)
{
	struct iroh_stream *s = &c->stream;

	while (s->pair.fd >= 0 && !s->tx_eof) {
		struct iovec v[2];
		size_t room = ring_room(&s->tx), pieces;
		uint64_t ahead = s->tx.end - s->tx_sent;
		ssize_t n;

		if (ahead >= TX_AHEAD || room == 0)
			break;
		if (room > TX_AHEAD - ahead)
			room = (size_t)(TX_AHEAD - ahead);
		pieces = ring_pieces(&s->tx, s->tx.end, s->tx.end + room, v);
		n = readv(s->pair.fd, v, (int)pieces);
		if (n < 0 && (errno == EAGAIN || errno == EINTR))
			break;
		if (n <= 0) {
			s->tx_eof = true;
			s->hung = s->hung || n < 0;
			break;
		}
		s->tx.end += (uint64_t)n;
		if ((size_t)n < room)
			break;
	}
}

void
iroh_stream_flush(struct iroh_conn *c)
{
	struct iroh_stream *s = &c->stream;

	hand_on(c);
	if (c->state < CONN_CLOSING)
		take(c);
	else if (s->rx.end == s->rx.begin)
		iroh_stream_end(c);
	if (s->pair.fd >= 0 && s->hung &&
	    (s->tx_eof || c->state >= CONN_CLOSING))
		let_go(c);
	watch(c);
}

size_t
iroh_stream_next(const struct iroh_conn *c, ngtcp2_vec out[static 2], bool *fin)
{
	const struct iroh_stream *s = &c->stream;
	struct iovec v[2];
	size_t n = 0;

	*fin = s->tx_eof && !s->fin_sent;
	if (s->tx.mem != NULL)
		n = ring_pieces(&s->tx, s->tx_sent, s->tx.end, v);
	for (size_t i = 0; i < n; i++)
		out[i] = (ngtcp2_vec){ v[i].iov_base, v[i].iov_len };
	return n;
}

void
iroh_stream_sent(struct iroh_conn *c, size_t n, bool fin)
{
	c->stream.tx_sent += n;
	if (fin && c->stream.tx_sent == c->stream.tx.end)
		c->stream.fin_sent = true;
}

void
iroh_stream_finish(struct iroh_conn *c)
{
	take(c);
	c->stream.tx_eof = true;
	iroh_conn_mark(c);
}

bool
iroh_stream_delivered(const struct iroh_conn *c)
{
	const struct iroh_stream *s = &c->stream;

	return s->rx_discard && s->fin_sent && s->tx.begin == s->tx.end;
}

void
iroh_stream_end(struct iroh_conn *c)
{
	struct iroh_stream *s = &c->stream;

	loop_del(&c->ep->loop, &s->pair);
	if (s->pair.fd >= 0)
		close(s->pair.fd);
	s->pair.fd = -1;
	s->rx_discard = true;
	ring_wipe(&s->tx);
	ring_wipe(&s->rx);
}
