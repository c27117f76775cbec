#include <string.h>

#include "transport/iroh_private.h"

#define BURST_MIN 14520		/* ten packets */
#define BURST_MAX 260000

void
iroh_send_to(struct iroh_conn *c, const ngtcp2_path *path, const uint8_t *p,
    size_t n, size_t segment)
{
	struct iroh_endpoint *ep = c->ep;
	struct sw_addr local, to;

	if (iroh_path_is_first(path)) {
		switch (c->via) {
		case VIA_EVERY:
			for (size_t i = 0; i < c->peer.ndirect &&
			    !ep->no_udp; i++)
				iroh_udp_send(&ep->udp, NULL,
				    &c->peer.direct[i],
				    p, n, segment);
			/* The last datagram is what a slower relay gets. */
			c->flight_len = n % segment == 0 ? segment :
			    n % segment;
			if (c->flight_len > sizeof(c->flight))
				c->flight_len = 0;
			memcpy(c->flight, p + n - c->flight_len, c->flight_len);
			if (c->relay != NULL && c->relay_allowed)
				iroh_relay_send(c->relay, &c->peer.id, p, n,
				    segment);
			return;
		case VIA_RELAY:
			iroh_relay_send(c->first.relay, &c->first.id, p, n,
			    segment);
			return;
		case VIA_UDP:
			iroh_udp_send(&ep->udp, &c->first.local,
			    &c->first.remote, p, n, segment);
			return;
		}
	}
	if (addr_from_sockaddr(&to, path->remote.addr, path->remote.addrlen) !=
	    SW_OK || addr_from_sockaddr(&local, path->local.addr,
	    path->local.addrlen) != SW_OK)
		return;
	iroh_udp_send(&ep->udp, &local, &to, p, n, segment);
}

/* Packets of one path and one size, gathered until one differs. */
struct batch {
	ngtcp2_path_storage path;
	size_t n, segment;
};

static void
batch_flush(struct iroh_conn *c, struct batch *b)
{
	if (b->n > 0)
		iroh_send_to(c, &b->path.path, c->ep->batch, b->n, b->segment);
	b->n = b->segment = 0;
}

/* A packet of `n` bytes has been written behind the batch. */
static void
batch_add(struct iroh_conn *c, struct batch *b, const ngtcp2_path *path,
    size_t n)
{
	uint8_t *at = c->ep->batch + b->n;

	if (b->n > 0 && (n > b->segment ||
	    !ngtcp2_path_eq(path, &b->path.path))) {
		batch_flush(c, b);
		memmove(c->ep->batch, at, n);
	}
	if (b->n == 0) {
		b->segment = n;
		ngtcp2_path_copy(&b->path.path, path);
	}
	b->n += n;
	/* A shorter one can only be the last. */
	if (n < b->segment || b->n >= b->segment * UDP_SEGMENTS_MAX ||
	    b->n + NGTCP2_MAX_PMTUD_UDP_PAYLOAD_SIZE > UDP_BATCH_MAX)
		batch_flush(c, b);
}

/* What may leave at once: a millisecond's worth, and a first flight at least. */
static size_t
burst(ngtcp2_conn *q)
{
	ngtcp2_conn_stat st;
	uint64_t n;

	ngtcp2_conn_get_conn_stat(q, &st);
	n = st.smoothed_rtt == 0 ? 0 :
	    (uint64_t)((double)st.cwnd * (double)NS_PER_MS /
	    (double)st.smoothed_rtt);
	if (n > BURST_MAX)
		n = BURST_MAX;
	return n < BURST_MIN ? BURST_MIN : (size_t)n;
}

/* One packet.  Its length; 0 when there is nothing to send or none may be. */
static ngtcp2_ssize
write_one(struct iroh_conn *c, ngtcp2_path *path, uint8_t *out, uint64_t ts)
{
	struct iroh_stream *s = &c->stream;
	ngtcp2_vec v[2];
	ngtcp2_pkt_info pi;
	ngtcp2_ssize n, taken = -1;
	bool fin = false;
	size_t pieces = 0;
	int64_t id = -1;

	if (c->state == CONN_OPEN && s->id >= 0) {
		pieces = iroh_stream_next(c, v, &fin);
		if (pieces > 0 || fin)
			id = s->id;
	}
	n = ngtcp2_conn_writev_stream(c->q, path, &pi, out,
	    NGTCP2_MAX_PMTUD_UDP_PAYLOAD_SIZE, &taken,
	    fin ? NGTCP2_WRITE_STREAM_FLAG_FIN : NGTCP2_WRITE_STREAM_FLAG_NONE,
	    id, v, pieces, ts);
	if (n == NGTCP2_ERR_STREAM_SHUT_WR)
		iroh_stream_unwanted(c);	/* STOP_SENDING came */
	if (n == NGTCP2_ERR_STREAM_DATA_BLOCKED ||
	    n == NGTCP2_ERR_STREAM_SHUT_WR ||
	    n == NGTCP2_ERR_STREAM_NOT_FOUND)
		n = ngtcp2_conn_writev_stream(c->q, path, &pi, out,
		    NGTCP2_MAX_PMTUD_UDP_PAYLOAD_SIZE, &taken,
		    NGTCP2_WRITE_STREAM_FLAG_NONE, -1, NULL, 0, ts);
	else if (taken >= 0)
		iroh_stream_sent(c, (size_t)taken, fin);
	return n;
}

void
iroh_send_packets(struct iroh_conn *c)
{
	struct batch b = { .n = 0 };
	ngtcp2_path_storage ps;
	uint64_t ts = iroh_now_ns();
	size_t total = 0, most = burst(c->q);
	ngtcp2_ssize n = 0;

	ngtcp2_path_storage_zero(&b.path);
	ngtcp2_path_storage_zero(&ps);
	while (total < most) {
		n = write_one(c, &ps.path, c->ep->batch + b.n, ts);
		if (n <= 0)
			break;
		total += (size_t)n;
		batch_add(c, &b, &ps.path, (size_t)n);
	}
	batch_flush(c, &b);
	ngtcp2_conn_update_pkt_tx_time(c->q, ts);
	if (n < 0)
		iroh_conn_fail_lib(c, (int)n);
	else if (n > 0)
		/* there is more: in the next turn */
		iroh_conn_mark(c);
}
