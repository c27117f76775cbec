/*
 * addr.h - one address type for both families, so each algorithm exists once.
 */
#ifndef SW_BASE_ADDR_H
#define SW_BASE_ADDR_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>

#include "base/err.h"

struct sw_addr {
	uint8_t ip[16];		/* network order; IPv4 as ::ffff:a.b.c.d */
	uint32_t scope;		/* interface index of a link-local, else 0 */
	uint16_t port;		/* host order */
	uint16_t spare;		/* 0, so that structs compare by memcmp */
};

#define SW_ADDR_TEXT_LEN 64	/* "[v6%4294967295]:65535" and its NUL fit */

bool addr_is_v4(const struct sw_addr *a);	/* v4-mapped */
bool addr_is_any(const struct sw_addr *a);	/* 0.0.0.0 or :: */
bool addr_is_loopback(const struct sw_addr *a);	/* 127/8, ::1, mapped 127/8 */
/* RFC 1918, 6598, 3927 and 4193 ranges, IPv6 link-local. */
bool addr_is_private(const struct sw_addr *a);
bool addr_is_multicast(const struct sw_addr *a);	/* and class E, broadcast */
bool addr_same_ip(const struct sw_addr *a, const struct sw_addr *b);

struct sw_addr addr_v4(uint32_t ip_host_order, uint16_t port);

/* Kernel form to ours.  SW_OK; SW_ERR_TRUNCATED when `len` is too short for
 * the family; SW_ERR_UNSUPPORTED for families other than INET and INET6. */
int addr_from_sockaddr(struct sw_addr *out, const struct sockaddr *sa,
    socklen_t len) SW_MUST_CHECK;

/*
 * Ours to the kernel's: `family` is AF_INET (only for v4 addresses) or
 * AF_INET6 (v4 becomes mapped).  Copies at most *len bytes to `sa`, as
 * getpeername(2) does, and sets *len to the full length.
 */
void addr_to_sockaddr(const struct sw_addr *a, int family,
    struct sockaddr *sa, socklen_t *len);

/* Numeric text without port ("10.0.0.1", "fd00::1") into `buf`; returns buf. */
const char *addr_ip_text(const struct sw_addr *a, char buf[static SW_ADDR_TEXT_LEN]);

/* Parse numeric text without port.  SW_OK or SW_ERR_FORMAT; port becomes 0. */
int addr_parse_ip(struct sw_addr *out, const char *text) SW_MUST_CHECK;

#endif
