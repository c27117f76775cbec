/*
 * packet.h - reads IP packets of foreign origin, and builds the few small ones
 * that lwIP does not: resets for connections it never saw, ICMP errors.
 *
 * No state, no allocation.
 */
#ifndef SW_STACK_PACKET_H
#define SW_STACK_PACKET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/addr.h"
#include "base/err.h"

enum {
	PACKET_ICMP = 1, PACKET_TCP = 6, PACKET_UDP = 17, PACKET_ICMP6 = 58,
};

enum packet_tcp_flag {
	PACKET_FIN = 0x01, PACKET_SYN = 0x02, PACKET_RST = 0x04,
	PACKET_ACK = 0x10,
};

struct packet {
	struct sw_addr src, dst;	/* with ports, where there are any */
	const uint8_t *body;		/* after the IP header; borrowed */
	size_t body_len;
	uint8_t proto;			/* 0: not known (later fragment...) */
	bool fragment;			/* any fragment, the first included */
	uint8_t tcp_flags;
	uint32_t seq, ack;		/* TCP */
};

/* Whole length of the packet that `p` begins with, by its own header; 0 when
 * it is no IP packet or longer than `left`. */
size_t packet_len(const uint8_t *p, size_t left);

/*
 * Parse one whole packet of `len` bytes.  IPv6 extension headers are not
 * followed: proto is then 0.  SW_OK, SW_ERR_FORMAT or SW_ERR_TRUNCATED.
 */
int packet_parse(struct packet *out, const uint8_t *p, size_t len)
    SW_MUST_CHECK;

/*
 * Parse the packet quoted by an ICMP error, which may be cut short: only the
 * addresses, proto and ports are set (body_len is what there is of it).
 */
int packet_parse_quoted(struct packet *out, const uint8_t *p, size_t len)
    SW_MUST_CHECK;

#define PACKET_RST_LEN 60	/* an IPv6 reset; IPv4's is 40 */
#define PACKET_ICMP_LEN 136	/* the largest ICMP error we build */

/* The reset that answers TCP segment `in` (RFC 9293 3.10.7.1).  Returns its
 * length, 0 when none is due (in is a reset itself). */
size_t packet_make_rst(uint8_t out[static PACKET_RST_LEN],
    const struct packet *in);

#define PACKET_ACK_LEN 60	/* IPv4's is 40 */

/* What the sender of `syn` answers to a SYN-ACK of sequence number `ack` - 1:
 * an acknowledgement without options that grants `window` (as in the header:
 * already scaled).  Returns its length. */
size_t packet_make_ack(uint8_t out[static PACKET_ACK_LEN],
    const struct packet *syn, uint32_t ack, uint16_t window);

/*
 * The ICMP error that tells the sender of `p` (len bytes, one whole packet) of
 * `code`, an SW_ERR_*.  REFUSED becomes "port unreachable", TIMEOUT "time
 * exceeded" code 1, which icmp_errno() turns back into ETIMEDOUT; what has no
 * ICMP form is "network unreachable".  Returns its length; 0 when `p` must not
 * be answered (ICMP errors, malformed).
 */
size_t packet_make_error(uint8_t out[static PACKET_ICMP_LEN],
    const uint8_t *p, size_t len, int code);

/* The same for a datagram of which only the addresses are at hand. */
size_t packet_make_udp_error(uint8_t out[static PACKET_ICMP_LEN],
    const struct sw_addr *src, const struct sw_addr *dst, int code);

/* What an ICMP error means: an errno value, 0 for messages that are none. */
int packet_icmp_errno(bool v6, uint8_t type, uint8_t code);

#endif
