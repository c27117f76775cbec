/*
 * smolnode_keys.h - a node's keys in a file of its own: lines of a name and
 * hex, mode 0600, written anew as a whole when a Sphinx key comes or goes.
 */
#ifndef SW_MIX_SMOLNODE_KEYS_H
#define SW_MIX_SMOLNODE_KEYS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "mix/mixclient.h"
#include "mix/rng.h"

#define SMOLNODE_SPHINX_KEYS 3		/* the last, the present, the next */
#define SMOLNODE_KEYS_TEXT 4096		/* no file is as long */

/* All secret. */
struct smolnode_keys {
	uint8_t identity[32];
	uint8_t noise[X25519_KEY_LEN];
	struct mixclient_keys router;	/* of the exit's IP packet router */
	struct {
		uint32_t rotation_id;
		uint8_t key[X25519_KEY_LEN];
	} sphinx[SMOLNODE_SPHINX_KEYS];	/* oldest first */
	size_t n_sphinx;
};

/*
 * Read the file, or make it, with fresh keys and no Sphinx key.
 *
 * SW_OK; SW_ERR_CONFIG: others can read it, or it is none; SW_ERR_SYS.  What
 * to do about it was said on stderr.
 */
int smolnode_keys_open(struct smolnode_keys *k, const char *path,
    struct rng *rng) SW_MUST_CHECK;
int smolnode_keys_save(const struct smolnode_keys *k, const char *path)
    SW_MUST_CHECK;

/* The file's text, NUL-terminated, without the file; n is its length.
 * Parsing: SW_OK, or SW_ERR_FORMAT with *k all zeros. */
size_t smolnode_keys_format(const struct smolnode_keys *k,
    char text[static SMOLNODE_KEYS_TEXT]);
int smolnode_keys_parse(struct smolnode_keys *k, const char *text, size_t n)
    SW_MUST_CHECK;

/* The key of this rotation; NULL: there is none. */
const uint8_t *smolnode_keys_find(const struct smolnode_keys *k,
    uint32_t rotation_id);
/* A fresh one; the oldest goes when there are too many. */
void smolnode_keys_add(struct smolnode_keys *k, uint32_t rotation_id,
    struct rng *rng);

#endif
