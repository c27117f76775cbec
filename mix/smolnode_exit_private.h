/* smolnode_exit_private.h - shared by the parts of the exit: smolnode_exit.c
 * (the splice), smolnode_dial.c (streams), smolnode_udp.c (datagrams),
 * smolnode_dns.c. */
#ifndef SW_MIX_SMOLNODE_EXIT_PRIVATE_H
#define SW_MIX_SMOLNODE_EXIT_PRIVATE_H

#include <stdbool.h>
#include <stdint.h>

#include "mix/smolnode_exit.h"
#include "stack/splice.h"

#define EXIT_UDP_FLOWS 2048
#define EXIT_UDP_EACH 256		/* of one client */
#define EXIT_UDP_PEERS 256		/* of one flow that it may hear */
#define EXIT_TCP_EACH 2048
#define EXIT_OTHER_FDS 5000u		/* descriptors kept for all but streams */
#define EXIT_DNS_PORT 53
#define EXIT_DNS_SERVERS 3

/* Whom a client's port has sent to; the port counts for nothing. */
struct udp_peer {
	struct sw_addr addr;
	int64_t last_ms;
};

/* One UDP port of a client, and the socket that stands for it.  For questions
 * to the exit's own address, which are `dns`, one for each pair of ends. */
struct udp_flow {
	struct loop_fd w;
	struct smolnode_exit *exit;
	struct sw_addr inner, outer;
	int64_t last_ms, asked_ms;	/* asked: without an answer since; 0 */
	struct udp_peer *peer;
	size_t peers, peers_cap;
	bool used, dns;
};

/* The name servers of this machine. */
struct exit_dns {
	struct sw_addr server[EXIT_DNS_SERVERS];
	size_t n, at;			/* at: the one that is asked */
	int64_t read_ms;		/* 0: never */
};

struct smolnode_exit {
	struct loop *loop;
	const struct smolnode_exit_ops *ops;
	void *arg;
	struct splice *splice;
	struct sw_addr opening;		/* whose flow is being dialed */
	struct exit_dns dns;
	/* Streams of each client, by the last 16 bits of its address. */
	uint16_t streams[UINT16_MAX + 1];
	size_t streams_all, streams_max;
	struct udp_flow udp[EXIT_UDP_FLOWS];
};

static inline uint16_t
exit_client_of(const struct sw_addr *inner)
{
	return (uint16_t)(inner->ip[14] << 8 | inner->ip[15]);
}

extern const struct dialer_ops exit_dialer_ops;

/* A datagram of a client's: splice_ops.udp(), arg is the exit.  And the end of
 * all of its ports. */
int exit_take_udp(void *arg, const struct sw_addr *src,
    const struct sw_addr *dst, const uint8_t *data, size_t len) SW_MUST_CHECK;
void exit_close_udp(struct smolnode_exit *x);
/* The client with this address has gone. */
void exit_forget_udp(struct smolnode_exit *x, const struct sw_addr *inner);

/* Where a flow to the exit's own address goes: *dst becomes the name server's.
 * SW_OK also for every other destination; SW_ERR_REFUSED for what the exit
 * does not serve, and without a name server. */
int exit_find_server(struct smolnode_exit *x, struct sw_addr *dst,
    bool *dns) SW_MUST_CHECK;
/* The present one does not answer. */
void exit_next_server(struct smolnode_exit *x);

#endif
