/*
 * owner_priv.h - what the files of the owner share.
 *
 *   owner.c          life, link, turn of the loop
 *   owner_chan.c     messages of the shim
 *   owner_flow.c     table of flows, tombstones of ended ones
 *   owner_port.c     local ports
 *   owner_conn.c     a TCP connection's life: connect, established, ended
 *   owner_pump.c     the program's bytes; the work of a turn
 *   owner_deliver.c  the peer's bytes
 *   owner_listen.c   listening and accepting
 *   owner_udp.c      datagram flows
 *   owner_option.c   socket options
 *   owner_export.c, owner_import.c, owner_rebuild.c, owner_resume.c   handover
 */
#ifndef SW_STACK_OWNER_PRIV_H
#define SW_STACK_OWNER_PRIV_H

#include "stack/owner.h"
#include "stack/owner_proto.h"
#include "stack/stack.h"

#define FLOW_TX_MAX TCP_SND_BUF	/* bytes taken and not yet acknowledged */
#define FLOW_HASH 1024			/* buckets */
#define TOMBS 512			/* ended flows remembered, per owner */
#define UDP_BURST 64			/* datagrams before others get a turn */
#define OPTION_MAX 64			/* bytes of an option's value */

/* Bytes on their way to the peer: read from the far end, given to lwIP without
 * a copy, freed when acknowledged. */
struct chunk {
	struct chunk *next;
	uint32_t room, len;		/* capacity; bytes read into it */
	uint32_t given;			/* of these, handed to lwIP */
	uint32_t acked;
	uint8_t data[];
};

struct option {
	struct option *next;
	uint32_t level, name, len;
	uint8_t value[OPTION_MAX];
};

/* An OWNER_DRAIN that waits for its answer. */
struct drain {
	struct drain *next;
	struct flow *flow;
	struct loop_timer timer;
	int reply_fd;
};

struct flow {
	struct flow *hash_next;		/* by cookie */
	struct flow *prev, *next;	/* all of the owner */
	struct flow *dirty_next;	/* work for the end of the turn */
	struct owner *owner;
	uint64_t cookie;
	struct loop_fd w;		/* the far end; fd -1 once closed */
	struct sw_addr local, peer;
	struct option *options;
	struct drain *drains;
	uint64_t tx_bytes, rx_bytes;
	int error;			/* pending errno */
	uint8_t tos, ttl;		/* 0: default */
	uint8_t state;			/* enum owner_flow_state */
	bool dgram, v6, reuse, bound;
	bool dirty;
	bool want_out;			/* EPOLLOUT is armed */

	/* Streams. */
	struct tcp_pcb *pcb;		/* NULL: not begun, or over */
	struct chunk *tx, *tx_last;
	uint32_t tx_held;		/* bytes in tx, acknowledged ones excluded */
	uint32_t discard;		/* filler yet to be thrown away */
	bool kept;			/* first byte unread was forwarded */
	bool in_ready;			/* the far end may have bytes for us */
	bool in_bulk;			/* it had many, the last time */
	bool app_done;			/* no more bytes will come from it */
	bool app_gone;			/* its last reference was closed */
	bool fin_sent;
	struct pbuf *rx, *rx_last;	/* received, not yet delivered */
	uint32_t rx_held, rx_off;	/* bytes in rx; of rx, already taken */
	bool rx_fin, rx_fin_done;	/* peer's FIN came; was passed on */
	bool rx_discard;		/* the program shut its reading side */
	bool linger_zero;		/* SO_LINGER {1,0} */
	bool linger_reset;		/* it closed with our bytes unread */
	bool dying;			/* no pcb: deliver rx, then fail */
	uint32_t user_timeout_ms;
	int64_t unacked_since_ms;

	/* Listeners and what they have accepted. */
	struct tcp_pcb *lpcb[2];	/* IPv4, IPv6 */
	struct flow *accept_next;	/* waits for room in the listener's end */
	struct flow *backlog;		/* of a listener: such flows */
	struct flow *listener;		/* of such a flow */
	int app_fd;			/* of such a flow: the program's end */
	uint32_t backlog_max, backlog_len;
};

struct tomb {
	uint64_t cookie;
	struct sw_addr local, peer;
	int error;
	uint8_t state;
	uint8_t spare[3];		/* no byte unset: it is handed over */
};
_Static_assert(sizeof(struct tomb) == sizeof(uint64_t) + 2 *
    sizeof(struct sw_addr) + sizeof(int) + 4, "a tombstone has holes");

struct owner {
	struct owner *next;		/* all in this process */
	struct loop *loop;
	const struct owner_events *ev;
	void *arg;
	uint32_t id;
	struct link *link;
	struct loop_fd chan;		/* fd -1: none or gone */
	struct loop_turn turn;
	struct link_config config;
	bool configured;
	bool link_dead;
	bool freed;			/* being freed: the link is left alone */
	bool idle_told, stray_told;
	bool short_told;		/* a socket was lost for want of room */
	bool greeted;			/* lwIP has just taken a SYN-ACK */
	struct flow *by_cookie[FLOW_HASH];
	struct flow *flows;
	size_t count;
	struct flow *dirty;
	uint16_t next_port;
	bool has_census;
	uint8_t fresh[65536 / 8];	/* bit set: nobody has that port */
	struct tomb tombs[TOMBS];
	uint32_t tomb_at;
};

/* The owner whose frame lwIP is looking at. */
extern struct owner *owner_input;

/* owner.c */
bool owner_carries(const struct owner *o, const struct sw_addr *to);
struct sw_addr owner_inner(const struct owner *o, const struct sw_addr *to);
struct owner *owner_alloc(struct loop *l, uint32_t id,
    const struct owner_events *ev, void *arg);
int owner_use_link(struct owner *o, int link_fd);
int owner_use_chan(struct owner *o, int chan_fd);
void owner_configure(struct owner *o, const struct link_config *c);

/* owner_chan.c */
void chan_ready(struct loop_fd *w, uint32_t events);
/* Handle what waits in the channel, `limit` messages at most. */
void chan_read(struct owner *o, int limit);
/* One message; fd (or -1) is taken. */
void chan_handle(struct owner *o, const uint8_t *msg, size_t len, int fd);
/* Answer on `reply_fd` and close it; -1: nobody asked. */
void chan_reply(int reply_fd, int error, const struct sw_addr *addr,
    const void *payload, size_t len);

/* owner_flow.c */
struct flow *flow_new(struct owner *o, uint64_t cookie, int far_fd,
    bool dgram, bool v6);
struct flow *flow_find(const struct owner *o, uint64_t cookie);
/* Mark for work at the end of the turn. */
void flow_touch(struct flow *f);
/* Close the far end (a tombstone remembers the flow's state and error). */
void flow_close_far(struct flow *f);
/* Forget the flow; far end and pcb must have ended, or end now (reset). */
void flow_free(struct flow *f);
void flow_watch_out(struct flow *f, bool on);
void tomb_add(struct owner *o, const struct tomb *t);
const struct tomb *tomb_find(const struct owner *o, uint64_t cookie);
void tomb_clear_error(struct owner *o, uint64_t cookie);
void flow_answer_drains(struct flow *f, int error);
int flow_add_drain(struct flow *f, int reply_fd, uint32_t timeout_ms);

/* owner_port.c */
/* Choose (port 0) or check f->local.port.  An errno value, 0 when done. */
int port_take(struct flow *f, uint16_t port);

/* owner_conn.c */
void conn_start(struct flow *f, const struct sw_addr *to, uint32_t filler);
/* The attempt or the connection has failed with errno `err`; pcb is gone. */
void conn_fail(struct flow *f, int err);
void conn_abort(struct flow *f, int err);	/* ... and send a reset */
/* Its address is not ours any more: a reset for the program, no packet. */
void conn_lose(struct flow *f);
void conn_adopt(struct flow *f, struct tcp_pcb *pcb);
/* Have lwIP call us once a second, if there is something to time. */
void conn_watch_time(struct flow *f);
void conn_icmp(struct owner *o, const struct packet *quoted, int err);
/* Free the flow if nothing is left to do for it. */
void conn_settle(struct flow *f);

/* owner_pump.c */
void pump_ready(struct loop_fd *w, uint32_t events);
void pump_turn(struct flow *f);
err_t pump_acked(void *arg, struct tcp_pcb *pcb, u16_t len);
void pump_drop_tx(struct flow *f);
/* Room for `want` bytes at the end of tx; NULL: no memory. */
struct chunk *pump_chunk(struct flow *f, size_t want);
void pump_give(struct flow *f);
/* Throw away the unread filler but for its last byte. */
void pump_discard_filler(struct flow *f);

/* owner_deliver.c */
err_t pump_received(void *arg, struct tcp_pcb *pcb, struct pbuf *p, err_t e);
void pump_queue_rx(struct flow *f, struct pbuf *p);
void pump_drop_rx(struct flow *f);
/* Write what the program's end takes; then pass on the peer's FIN. */
void pump_deliver(struct flow *f);

/* owner_listen.c */
int listen_start(struct flow *f, uint32_t backlog);
void listen_ready(struct flow *f);
void listen_stop(struct flow *f);
/* `f` waits to be accepted from `l`. */
void listen_append(struct flow *l, struct flow *f);
void listen_forget_waiting(struct flow *f);

/* owner_udp.c */
void udp_ready(struct loop_fd *w, uint32_t events);
int udp_connect(struct flow *f, const struct sw_addr *to);
void udp_input_packet(const struct packet *head, const struct pbuf *p);
void udp_icmp(struct owner *o, const struct packet *quoted, int err);

/* owner_option.c */
void flow_option_set(struct flow *f, uint32_t level, uint32_t name,
    const void *value, size_t len);
/* Put the stored options to work on f->pcb. */
void flow_option_apply_all(struct flow *f);
/* Answer OWNER_GETOPT. */
void flow_option_reply(struct flow *f, uint32_t level, uint32_t name,
    int reply_fd);
bool flow_option_is_on(const struct flow *f, uint32_t level, uint32_t name);
void flow_option_free_all(struct flow *f);

#endif
