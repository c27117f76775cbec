/*
 * socks_parse.h - what clients of a proxy say, and what they are told: SOCKS5
 * (RFC 1928, 1929), SOCKS4 and 4a, HTTP CONNECT (RFC 9110 9.3.6), all on one
 * port.  An engine without descriptors: bytes in, words out.
 */
#ifndef SW_TRANSPORT_SOCKS_PARSE_H
#define SW_TRANSPORT_SOCKS_PARSE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/addr.h"
#include "base/err.h"
#include "stack/dialer.h"

#define SOCKS_REQUEST_MAX 8192	/* bytes before a request is complete */
#define SOCKS_SAY_MAX 256	/* bytes of one answer */

enum socks_kind { SOCKS_UNKNOWN, SOCKS_5, SOCKS_4, SOCKS_HTTP };

enum socks_step {
	SOCKS_MORE,		/* more bytes are needed */
	SOCKS_SAY,		/* send `say`, then feed the rest */
	SOCKS_CONNECT,		/* `to` is wanted; answer by socks_answer() */
	SOCKS_UDP,		/* UDP ASSOCIATE; likewise */
	SOCKS_REFUSE,		/* send `say`, then close */
};

struct socks_parser {
	/* Set these before the first byte.  check: is this the right name and
	 * password?  NULL: nobody is asked for one. */
	bool (*check)(void *arg, const char *user, const char *password);
	void *arg;

	enum socks_kind kind;
	enum { SOCKS_FIRST, SOCKS_LOGIN, SOCKS_ASK } state;
	struct dial_target to;		/* after CONNECT */
	uint8_t say[SOCKS_SAY_MAX];
	size_t say_len;
};

/*
 * The bytes that came so far and were not used yet.  *used of them are done
 * with after this step.  With more than SOCKS_REQUEST_MAX and no complete
 * message the answer is REFUSE.
 */
enum socks_step socks_parse(struct socks_parser *p, const uint8_t *buf,
    size_t len, size_t *used);

/*
 * The answer to a request: `err` is SW_OK or why not, `bound` the address that
 * UDP may be sent to (NULL otherwise: unspecified, which tells nothing).  Fills
 * p->say.
 */
void socks_answer(struct socks_parser *p, int err, const struct sw_addr *bound);

/*
 * One datagram of UDP ASSOCIATE: header and payload.  *to is where it goes,
 * *at where its payload begins.  SW_OK, SW_ERR_FORMAT, or SW_ERR_UNSUPPORTED
 * for fragments, which are to be dropped.
 */
int socks_udp_parse(const uint8_t *buf, size_t len, struct dial_target *to,
    size_t *at) SW_MUST_CHECK;

#define SOCKS_UDP_HEADER_MAX (4 + 1 + 255 + 2)

/* The header in front of a datagram from `name` (or `addr` when NULL); its
 * length. */
size_t socks_udp_header(uint8_t out[static SOCKS_UDP_HEADER_MAX],
    const char *name, const struct sw_addr *addr);

#endif
