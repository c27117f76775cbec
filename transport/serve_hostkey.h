/*
 * serve_hostkey.h - the server's identity: an Ed25519 key in OpenSSH's own
 * private key format (PROTOCOL.key), without a passphrase.
 */
#ifndef SW_TRANSPORT_SERVE_HOSTKEY_H
#define SW_TRANSPORT_SERVE_HOSTKEY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "transport/serve_key.h"

struct serve_hostkey {			/* holds a secret */
	uint8_t pk[32], sk[64];
};

/*
 * Read `path`; when there is no such file and `create`, make a key and write it
 * (mode 0600, whole or not at all).  SW_OK; else one line in why[] and
 * SW_ERR_SYS or SW_ERR_FORMAT.  *made: it is new.
 */
int serve_hostkey_load(struct serve_hostkey *k, const char *path, bool create,
    bool *made, char why[static 256]) SW_MUST_CHECK;
void serve_hostkey_wipe(struct serve_hostkey *k);

void serve_hostkey_fingerprint(const struct serve_hostkey *k,
    char out[static SERVE_FINGERPRINT_LEN]);
/* "ssh-ed25519 AAAA...", as known_hosts has it. */
#define SERVE_HOSTKEY_LINE 96
void serve_hostkey_line(const struct serve_hostkey *k,
    char out[static SERVE_HOSTKEY_LINE]);

/* The text of a private key file; pure, for tests and fuzzing.  SW_OK,
 * SW_ERR_FORMAT; SW_ERR_UNSUPPORTED: encrypted, or no Ed25519 key. */
int serve_hostkey_parse(struct serve_hostkey *k, const char *text, size_t len)
    SW_MUST_CHECK;
/* The same, written: its length.  512 bytes are enough.  Secret. */
size_t serve_hostkey_write(const struct serve_hostkey *k, char *out, size_t cap);

#endif
