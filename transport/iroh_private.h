/*
 * iroh_private.h - what the files of an endpoint share.  Everything here
 * belongs to the endpoint's thread, but for what `lock` guards.
 *
 *	iroh_calls.c	life, and what other threads call
 *	iroh_endpoint.c	the thread, orders of other threads, timers
 *	iroh_route.c	which connection a datagram belongs to; new ones
 *	iroh_conn.c	one connection: input, time, its states and its end
 *	iroh_quic.c	its ngtcp2 side: parameters and callbacks
 *	iroh_path.c	the ways it may take
 *	iroh_send.c	its packets out, in batches, by the path they belong to
 *	iroh_stream.c	the stream's two buffers and the descriptor
 *	iroh_relay.c	a relay's link
 *	iroh_proxy.c	datagrams through a SOCKS5 proxy
 */
#ifndef SW_TRANSPORT_IROH_PRIVATE_H
#define SW_TRANSPORT_IROH_PRIVATE_H

#include <ngtcp2/ngtcp2.h>
#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/addr.h"
#include "base/loop.h"
#include "transport/iroh.h"
#include "transport/iroh_crypto.h"
#include "transport/iroh_relay.h"
#include "transport/iroh_udp.h"

#define CID_LEN 16			/* of the connection ids we make */
#define RELAYS_MAX 4
#define ACCEPT_QUEUE_MAX 128
#define HANDSHAKE_MS 10000
#define FIRST_BYTE_MS 20000		/* from handshake to a stream */
#define IDLE_MS 20000
#define KEEPALIVE_MS 5000
#define LINGER_MS 5000			/* to deliver what a closed stream holds */
#define RELAY_LAG_MS 300		/* that direct addresses are ahead */
#define UPGRADE_MIN_MS 5000		/* a relayed client tries to move ... */
#define UPGRADE_MAX_MS 300000		/* ... this often, ever more seldom */
#define RELAY_HOLD_MS 150		/* that a relayed Initial waits for them */
#define HALF_OPEN_MAX 64		/* handshakes before Retry is asked for */
#define TX_RING (2u << 20)
#define TX_AHEAD (256u << 10)		/* unsent bytes taken from a descriptor */
#define RX_RING (4u << 20)		/* the window a peer is given */

#define NS_PER_MS UINT64_C(1000000)

/* Where a datagram came from, or a packet goes. */
struct iroh_origin {
	struct iroh_relay *relay;	/* NULL: UDP */
	struct iroh_id id;		/* of the sender, proven to the relay */
	struct sw_addr local, remote;	/* UDP */
};

/* A ring over bytes that are counted from the stream's beginning.  Its memory
 * is used from the front again whenever it is empty. */
struct iroh_ring {
	uint8_t *mem;
	size_t size;
	uint64_t base;			/* the offset that lies at mem[0] */
	uint64_t begin, end;		/* what it holds */
};

struct iroh_stream {
	struct loop_fd pair;		/* our end; fd -1: gone */
	int64_t id;			/* -1: none yet */
	struct iroh_ring tx, rx;
	uint64_t tx_sent;		/* handed to ngtcp2, up to here */
	/* the descriptor's end was read; FIN went */
	bool tx_eof, fin_sent;
	/* FIN came; the descriptor heard of it */
	bool rx_fin, rx_shut;
	bool rx_discard;		/* nobody reads any more */
	bool hung;			/* the other end is closed */
	uint32_t watched;		/* EPOLL bits */
};

/* The path a connection began with is the same pair of made-up addresses for
 * ngtcp2 all its life; this says what it really is. */
enum iroh_via {
	VIA_EVERY,	/* client, before the first answer: all ways at once */
	VIA_UDP,
	VIA_RELAY,
};

/*
 * HANDSHAKE -> WAITING (server) -> OPEN -> CLOSING -> OVER
 *
 * OPEN     the stream has its descriptor
 * CLOSING  our CONNECTION_CLOSE went, and goes again when the peer still sends
 * OVER     nothing more is sent; what came may still be on its way to the
 *          descriptor.  The connection is freed once that is closed too.
 */
enum conn_state { CONN_HANDSHAKE, CONN_WAITING, CONN_OPEN, CONN_CLOSING,
	CONN_OVER };

struct iroh_dial;

struct iroh_conn {
	struct iroh_endpoint *ep;
	struct iroh_conn *prev, *next;
	struct iroh_conn *dirty_next;
	bool dirty, dead;
	bool server;
	/* What ngtcp2's callbacks told; acted upon after it has returned. */
	bool told_completed, told_confirmed, told_stream_done, told_reset;
	enum conn_state state;
	ngtcp2_conn *q;
	struct iroh_tls tls;
	/* entries of the table that lead here */
	size_t ncids;
	struct loop_timer timer;	/* ngtcp2's */
	struct loop_timer limit;	/* ours, by state */
	struct iroh_stream stream;
	struct iroh_dial *dial;		/* who waits for the handshake */
	struct loop_fd cancel;		/* and may give up; fd ours, or -1 */
	enum iroh_via via;
	struct iroh_origin first;	/* for VIA_UDP, VIA_RELAY */
	struct iroh_relay *relay;	/* client: the peer's; may be NULL */
	struct loop_timer relay_lag;	/* then: until a move is tried again */
	bool relay_allowed;		/* its lag is over */
	struct iroh_addr peer;		/* client */
	size_t next_direct;		/* client: to try to move to */
	int64_t upgrade_ms;		/* between two rounds of that */
	/* validated on UDP: the relay is done */
	bool moved;
	/* client: the last Initial, for the relay */
	uint8_t flight[1500];
	size_t flight_len;
	uint8_t goodbye[1280];
	size_t goodbye_len, goodbyes;
};

/* Connection ids to connections: open addressing, grown by doubling. */
struct iroh_cid_slot {
	uint8_t len;			/* 0: free; CID_TOMB: was used */
	uint8_t id[NGTCP2_MAX_CIDLEN];
	struct iroh_conn *conn;
};
struct iroh_cid_table {
	struct iroh_cid_slot *slots;
	size_t size, used;		/* used: tombs too */
	uint64_t seed;
};

struct iroh_held;

/* Datagrams that cannot be for us are answered with a stateless reset, but so
 * many a second at most. */
#define RESETS_PER_S 100

struct iroh_endpoint {
	/* Fixed once the thread runs. */
	struct iroh_identity *identity;
	char *alpn, *relay_ca, *proxy;
	struct through *through;	/* a reference */
	bool accept;
	size_t max_streams;
	uint8_t reset_secret[32], retry_secret[32];
	uint16_t port;

	/* The thread's. */
	struct loop loop;
	struct loop_turn turn;
	struct loop_timer again;	/* something is dirty already */
	struct loop_fd udp_fd, wake;
	struct iroh_udp udp;
	struct loop_fd socks;		/* keeps the UDP association alive */
	bool no_udp;			/* the relay is the only way */
	struct iroh_relay *relays[RELAYS_MAX];
	struct iroh_cid_table cids;
	struct iroh_conn *conns, *dirty, *graves;
	size_t nconns, half_open, accepted;
	struct iroh_held *held;
	size_t nheld;
	/* the second that `resets` were sent in */
	int64_t reset_s;
	unsigned resets;
	struct loop_timer ending;
	bool closing;
	uint8_t *batch;			/* UDP_BATCH_MAX bytes being filled */

	/* Between threads. */
	pthread_mutex_t lock;
	pthread_cond_t done;
	struct iroh_dial *orders;
	bool order_close, order_finish;
	int linger_ms;
	bool released;			/* nobody's but its own thread's */
	bool finished;			/* iroh_finish() has its answer */
	enum { ASSOC_NONE, ASSOC_BUSY, ASSOC_HANDED, ASSOC_UP } assoc;
	int assoc_fd;			/* with ASSOC_HANDED: for the thread */
	struct sw_addr assoc_to;
	int accept_fd;			/* counts `queue` */
	struct iroh_incoming queue[ACCEPT_QUEUE_MAX];
	size_t queued;
	pthread_t thread;
};

struct iroh_dial {
	struct iroh_dial *next;
	struct iroh_addr peer;
	int64_t deadline_ms;
	int cancel_fd;			/* -1: none */
	bool done;			/* guarded by the lock; then: */
	int err, fd;
	char why[IROH_WHY_LEN];
};

uint64_t iroh_now_ns(void);

/* --- iroh_endpoint.c --- */
/* Its descriptors and timers.  SW_OK or SW_ERR_SYS. */
int iroh_endpoint_open_loop(struct iroh_endpoint *ep) SW_MUST_CHECK;
/* Start its thread.  SW_OK or SW_ERR_SYS. */
int iroh_endpoint_start(struct iroh_endpoint *ep) SW_MUST_CHECK;
/* Its thread has ended, or is the caller, or was never started. */
void iroh_endpoint_free(struct iroh_endpoint *ep);
/* The link to this relay, made when there is none; NULL: one line in why[]. */
struct iroh_relay *iroh_endpoint_relay(struct iroh_endpoint *ep,
    const char *url, char why[static IROH_WHY_LEN]);
void iroh_endpoint_dial_done(struct iroh_endpoint *ep, struct iroh_dial *d,
    int err, int fd, const char *why);
/* Queue an accepted stream; false: the queue is full. */
bool iroh_endpoint_offer(struct iroh_endpoint *ep,
    const struct iroh_incoming *in);

/* --- iroh_proxy.c --- */
/*
 * Let datagrams go through the SOCKS5 proxy, if there is one and they do not
 * yet.  On the dialling thread: it blocks.  SW_OK: they do, or need not; else one
 * line in why[] says why there will be none.
 */
int iroh_proxy_udp_begin(struct iroh_endpoint *ep,
    const struct transport_limit *until, char why[static IROH_WHY_LEN])
    SW_MUST_CHECK;
/* On the endpoint's thread: take over what iroh_proxy_udp_begin() has got. */
void iroh_proxy_udp_take(struct iroh_endpoint *ep);
void iroh_proxy_udp_end(struct iroh_endpoint *ep);

/* --- iroh_cid.c --- */
int iroh_cid_add(struct iroh_cid_table *t, const uint8_t *id, size_t len,
    struct iroh_conn *c) SW_MUST_CHECK;
void iroh_cid_remove(struct iroh_cid_table *t, const uint8_t *id, size_t len);
struct iroh_conn *iroh_cid_find(const struct iroh_cid_table *t,
    const uint8_t *id,
    size_t len);
/* Every id of this connection.  Looks at the whole table. */
void iroh_cid_remove_all(struct iroh_cid_table *t, struct iroh_conn *c);
void iroh_cid_wipe(struct iroh_cid_table *t);

/* --- iroh_route.c --- */
void iroh_route_datagram(struct iroh_endpoint *ep,
    const struct iroh_origin *from,
    const uint8_t *p, size_t n);
void iroh_route_wipe(struct iroh_endpoint *ep);

/* --- iroh_conn.c --- */
/* Dial.  NULL: no memory; the dial is told. */
struct iroh_conn *iroh_conn_dial(struct iroh_endpoint *ep, struct iroh_dial *d,
    struct iroh_relay *relay);
/* From a client's first packet.  `odcid` is what our Retry answered, or NULL.
 * NULL: no memory. */
struct iroh_conn *iroh_conn_accept(struct iroh_endpoint *ep,
    const ngtcp2_pkt_hd *hd,
    const ngtcp2_cid *odcid, const struct iroh_origin *from);
/* A datagram of this connection's. */
void iroh_conn_input(struct iroh_conn *c, const struct iroh_origin *from,
    const uint8_t *p, size_t n);
/* Its timers, its stream, its packets: at the end of a turn. */
void iroh_conn_flush(struct iroh_conn *c);
/* iroh_conn_flush() it in this turn. */
void iroh_conn_mark(struct iroh_conn *c);
/* The transport is lost; `why` is for a waiting dial. */
void iroh_conn_fail(struct iroh_conn *c, int err, const char *why);
/* The same, by ngtcp2's code. */
void iroh_conn_fail_lib(struct iroh_conn *c, int liberr);
/* Say goodbye with an application code. */
void iroh_conn_close(struct iroh_conn *c, uint64_t code);
/* not for callers within a callback */
void iroh_conn_free(struct iroh_conn *c);
/* from the list of graves, at last */
void iroh_conn_bury(struct iroh_conn *c);
/* Its relay came up: what waited for it may go. */
void iroh_conn_relay_up(struct iroh_conn *c);

/* --- iroh_path.c --- */
/* May `from` speak for this connection?  The first that answers a client
 * becomes its path. */
bool iroh_path_admit(struct iroh_conn *c, const struct iroh_origin *from);
/* Is that where its peer is now? */
bool iroh_path_is_from(const struct iroh_conn *c,
    const struct iroh_origin *from);
/* The path by which ngtcp2 knows `from`. */
void iroh_path_of(const struct iroh_conn *c, const struct iroh_origin *from,
    ngtcp2_path_storage *ps);
bool iroh_path_is_first(const ngtcp2_path *path);
/* Client on a relay: try the next direct address. */
void iroh_path_upgrade(struct iroh_conn *c);

/* --- iroh_quic.c --- */
/* Make ngtcp2's connection and the TLS session.  SW_OK or SW_ERR_NOMEM. */
int iroh_quic_client(struct iroh_conn *c) SW_MUST_CHECK;
int iroh_quic_server(struct iroh_conn *c, const ngtcp2_pkt_hd *hd,
    const ngtcp2_cid *odcid, const struct iroh_origin *from) SW_MUST_CHECK;

/* --- iroh_send.c --- */
void iroh_send_packets(struct iroh_conn *c);
void iroh_send_to(struct iroh_conn *c, const ngtcp2_path *path,
    const uint8_t *p,
    size_t n, size_t segment);

/* --- iroh_stream.c --- */
/* Make the pair; the other end is returned, blocking, or -1. */
int iroh_stream_open(struct iroh_conn *c);
/* Bytes of the peer's, in order.  SW_OK, or SW_ERR_LIMIT: more than allowed. */
int iroh_stream_received(struct iroh_conn *c, const uint8_t *p, size_t n,
    bool fin)
    SW_MUST_CHECK;
void iroh_stream_acked(struct iroh_conn *c, uint64_t upto);
/* The peer will read no more: writes to the descriptor fail from now on. */
void iroh_stream_unwanted(struct iroh_conn *c);
/* Hand on what came, take what may be sent; at the end of a turn. */
void iroh_stream_flush(struct iroh_conn *c);
/* What to send next: up to two pieces.  Answers how many; *fin: it ends there. */
size_t iroh_stream_next(const struct iroh_conn *c, ngtcp2_vec v[static 2],
    bool *fin);
void iroh_stream_sent(struct iroh_conn *c, size_t n, bool fin);
/* Take what the descriptor has at this moment, and send FIN behind it. */
void iroh_stream_finish(struct iroh_conn *c);
/* All of ours is acknowledged, and nobody waits for more of the peer's. */
bool iroh_stream_delivered(const struct iroh_conn *c);
/* closes the descriptor, frees */
void iroh_stream_end(struct iroh_conn *c);

#endif
