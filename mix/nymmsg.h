/*
 * nymmsg.h - messages between clients, before they are cut into fragments.
 *
 *	00 bytes                               plain
 *	01 tag(16) content SURBs [bytes]       repliable: anonymous, with SURBs
 *	02 content [bytes | recipient amount]  reply, sent by SURBs
 *
 * We write the second form of the SURB list (seeds) and read both.
 */
#ifndef SW_MIX_NYMMSG_H
#define SW_MIX_NYMMSG_H

#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/wire.h"
#include "mix/nymaddr.h"
#include "mix/surb.h"

#define NYMMSG_TAG_LEN 16
/* Type, tag, content, count, hops and rotation: what precedes the SURBs. */
#define NYMMSG_REPLIABLE_HEAD_LEN (1 + NYMMSG_TAG_LEN + 1 + 4)
#define NYMMSG_MAX_SURBS 500		/* in one message that we accept */

enum nymmsg_kind {
	NYMMSG_PLAIN,
	NYMMSG_DATA,			/* repliable, with data */
	NYMMSG_SURBS,			/* repliable, nothing but SURBs */
	NYMMSG_REPLY,
	NYMMSG_SURB_REQUEST,		/* a reply that asks for more SURBs */
};

/* A message read; everything points into the bytes it was read from. */
struct nymmsg {
	enum nymmsg_kind kind;
	const uint8_t *tag;		/* repliable: NYMMSG_TAG_LEN bytes */
	const uint8_t *surbs;		/* n_surbs of surb_len bytes each */
	size_t n_surbs, surb_len;
	uint8_t rotation;		/* label of those SURBs */
	const uint8_t *data;		/* plain, data, reply */
	size_t data_len;
	struct recipient from;		/* SURB request */
	uint32_t amount;
};

/*
 * Start a repliable message: kind is NYMMSG_DATA or NYMMSG_SURBS.  The caller
 * then writes `n` reply SURBs of `hops` hops (nymmsg_put_surb) and the data.
 */
int nymmsg_put_repliable(struct wbuf *w, enum nymmsg_kind kind,
    const uint8_t tag[static NYMMSG_TAG_LEN], uint16_t n, uint8_t hops,
    uint8_t rotation) SW_MUST_CHECK;
int nymmsg_put_surb(struct wbuf *w, const struct reply_surb *s) SW_MUST_CHECK;

/* Start a plain message (NYMMSG_PLAIN) or a reply (NYMMSG_REPLY); data
 * follows, at least one byte of it in a reply. */
int nymmsg_put_head(struct wbuf *w, enum nymmsg_kind kind) SW_MUST_CHECK;
int nymmsg_put_surb_request(struct wbuf *w, const struct recipient *from,
    uint32_t amount) SW_MUST_CHECK;

/* Read a whole message; *m is zeroed on SW_ERR_FORMAT. */
int nymmsg_get(struct nymmsg *m, const uint8_t *in, size_t n) SW_MUST_CHECK;

/* Read one of m's reply SURBs, i < m->n_surbs. */
int nymmsg_get_surb(const struct nymmsg *m, size_t i, struct reply_surb *s)
    SW_MUST_CHECK;

#endif
