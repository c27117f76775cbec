/* nymaddr.h - how nodes and clients are named on the mixnet's wire. */
#ifndef SW_MIX_NYMADDR_H
#define SW_MIX_NYMADDR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/addr.h"
#include "base/err.h"
#include "base/wire.h"
#include "mix/base58.h"

#define NYMADDR_NODE_MAX_LEN 19
#define NYM_KEY_LEN 32
#define RECIPIENT_LEN 96
#define RECIPIENT_TEXT_LEN (3 * BASE58_TEXT_LEN(NYM_KEY_LEN) + 2)

/* A client: whom a message is for.  All public. */
struct recipient {
	uint8_t identity[NYM_KEY_LEN];	/* Ed25519; the Sphinx destination */
	uint8_t encryption[NYM_KEY_LEN];	/* X25519 */
	uint8_t gateway[NYM_KEY_LEN];	/* Ed25519 identity of its gateway */
};

/* A node's address without padding: 7 bytes (IPv4) or 19 (IPv6). */
int nymaddr_put_node(struct wbuf *w, const struct sw_addr *a) SW_MUST_CHECK;
/* SW_ERR_TRUNCATED or SW_ERR_FORMAT (family); *a is zeroed then. */
int nymaddr_get_node(struct rbuf *r, struct sw_addr *a) SW_MUST_CHECK;

/* The same with zeros up to `n` >= NYMADDR_NODE_MAX_LEN bytes; a reader
 * ignores what follows the address. */
void nymaddr_put_padded(uint8_t *out, size_t n, const struct sw_addr *a);
int nymaddr_get_padded(const uint8_t *in, size_t n, struct sw_addr *a)
    SW_MUST_CHECK;

void recipient_put(uint8_t out[static RECIPIENT_LEN],
    const struct recipient *r);
/* SW_ERR_FORMAT, and *r zeroed, if an identity is no Ed25519 point. */
int recipient_get(struct recipient *r, const uint8_t in[static RECIPIENT_LEN])
    SW_MUST_CHECK;

/* identity.encryption@gateway in base58; NUL-terminated. */
void recipient_format(char out[static RECIPIENT_TEXT_LEN],
    const struct recipient *r);
int recipient_parse(struct recipient *r, const char *text) SW_MUST_CHECK;

#endif
