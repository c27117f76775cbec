/*
 * identity.h - a client's identity on disk, for those who ask for one.
 *
 * By default a session is a new client that nobody can tie to an earlier one.
 * A stored identity is the same client each time: it starts a round trip or
 * two sooner, finds what was stored for it at its gateway, and lets the
 * gateway count its sessions.
 *
 * The file is ours alone (mode 0600) and is refused otherwise.  Text, one fact
 * a line; it is replaced as a whole.
 */
#ifndef SW_MIX_IDENTITY_H
#define SW_MIX_IDENTITY_H

#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "mix/mixclient.h"
#include "mix/mixtunnel.h"

#define IDENTITY_GATEWAYS 8	/* registrations kept; the oldest one goes */
#define IDENTITY_WHY_LEN 256
#define IDENTITY_TEXT_MAX 2048

/* Holds secrets: wipe when done. */
struct identity {
	struct mixclient_keys keys;
	size_t n;
	struct mixtunnel_registration known[IDENTITY_GATEWAYS];
};

void identity_make(struct identity *id, struct rng *rng);

/*
 * identity_load() - read a file that identity_store() wrote.
 *
 * SW_OK; SW_ERR_NO_NAME when there is none; SW_ERR_DENIED (others may read it,
 * or it is not ours), SW_ERR_FORMAT, SW_ERR_SYS: then why[] holds one line.
 * *id is wiped unless SW_OK.
 */
int identity_load(struct identity *id, const char *path,
    char why[static IDENTITY_WHY_LEN]) SW_MUST_CHECK;
/* SW_OK or SW_ERR_SYS, with why[]; the old file is whole then. */
int identity_store(const struct identity *id, const char *path,
    char why[static IDENTITY_WHY_LEN]) SW_MUST_CHECK;

/* The registration with this gateway; NULL if there is none. */
const struct mixtunnel_registration *identity_find(const struct identity *id,
    const uint8_t gateway[static NYM_KEY_LEN]);
void identity_remember(struct identity *id,
    const struct mixtunnel_registration *r);

/* The text, without the file.  n < IDENTITY_TEXT_MAX; SW_OK or
 * SW_ERR_FORMAT. */
int identity_parse(struct identity *id, const char *text, size_t n)
    SW_MUST_CHECK;
/* Its length; with a NUL. */
size_t identity_format(const struct identity *id,
    char out[static IDENTITY_TEXT_MAX]);

#endif
