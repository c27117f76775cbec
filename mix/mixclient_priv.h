/*
 * mixclient_priv.h - what the files of mixclient share.
 *
 *   mixclient.c          its life; slots and their times; what comes back
 *   mixclient_packet.c   from a fragment or nothing to a packet on its way
 *   mixclient_message.c  from what is to be said to fragments; SURBs, replies
 */
#ifndef SW_MIX_MIXCLIENT_PRIV_H
#define SW_MIX_MIXCLIENT_PRIV_H

#include "mix/comb.h"
#include "mix/flights.h"
#include "mix/frag.h"
#include "mix/health.h"
#include "mix/mixclient.h"
#include "mix/nympkt.h"
#include "mix/pending.h"
#include "mix/prepare.h"
#include "mix/reasm.h"
#include "mix/slotrate.h"
#include "mix/surbstore.h"

#define MIXCLIENT_HOPS (TOPOLOGY_LAYERS + 1)
#define CORRESPONDENTS 8		/* to whom we are anonymous */

struct correspondent {
	bool used;
	struct recipient to;
	struct comb *table;		/* of its encryption key; or NULL */
	uint8_t tag[NYMMSG_TAG_LEN];	/* by which it knows us */
};

struct mixclient {
	struct mixclient_config cfg;
	struct recipient self;
	struct comb *self_table;	/* of our encryption key; or NULL */
	const struct topology *topology;
	struct health *health;		/* of its nodes; NULL: no memory */
	unsigned network;		/* counts topologies */
	int64_t now_ms;			/* the last that we heard */
	size_t plain_len, room;
	struct pending *pending;
	struct flights *flights;
	struct slotrate pace;
	struct reasm *reasm;
	struct replykeys *keys;
	struct surbstore *surbs;
	struct correspondent known[CORRESPONDENTS];
	double next_send_us, next_cover_us;	/* 0: not started */
	int64_t next_due_ms;		/* of an ack */
	int64_t swept_ms;		/* when old fragments were dropped */
	bool blocked;			/* transmit said SW_AGAIN */
	uint8_t *pkt;			/* the packet being made */
	uint8_t *msg;			/* the message being made */
	size_t msg_cap;
	struct mixclient_stats stats;
};

/* ---- mixclient_packet.c -------------------------------------------------- */

/* n packets, at most SPHINX_BATCH: those that are ready, and the others now.
 * The caller wipes *out.  SW_OK or why no route could be made. */
int mixclient_prepare(struct mixclient *c, struct prepared *out,
    struct prepare_job *job, size_t n) SW_MUST_CHECK;

/* To ourselves: acks, SURBs. */
struct prepare_job mixclient_job_self(const struct mixclient *c);

/* The place in c->pkt where sphinx_put_payload() wants c->plain_len bytes, so
 * that nothing is copied. */
uint8_t *mixclient_plaintext(struct mixclient *c);

/* The ack of `id` at the head of that plaintext, by the prepared way home. */
void mixclient_put_ack(struct mixclient *c, const struct prepared *p,
    const struct frag_id *id);

/* c->pkt to the first mix, by its padded address.  As events->transmit(). */
int mixclient_transmit(struct mixclient *c,
    const uint8_t addr[static SPHINX_ADDR_LEN], uint8_t rotation)
    SW_MUST_CHECK;

/* The oldest fragment that waits.  SW_AGAIN: nothing could leave. */
int mixclient_send_next(struct mixclient *c);

/* A packet to ourselves that says nothing.  As mixclient_transmit(). */
int mixclient_send_cover(struct mixclient *c);

/* ---- mixclient_message.c ------------------------------------------------- */

/* Somebody who holds SURBs of ours wants more: only if we wrote to it. */
void mixclient_answer_request(struct mixclient *c, const struct nymmsg *m);

#endif
