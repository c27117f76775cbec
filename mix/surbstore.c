#include "mix/surbstore.h"

#include <stdlib.h>
#include <string.h>

#include "base/wipe.h"

/* Keys lie in a ring in the order they were given away; an open-addressing
 * table leads from a digest to a place in the ring. */
struct key_slot {
	uint8_t digest[SURB_DIGEST_LEN];
	uint8_t key[SURB_KEY_LEN];
	bool used;
	uint32_t chain;			/* 1 + index; 0 ends */
};

struct replykeys {
	struct key_slot *slot;
	uint32_t *bucket;		/* 1 + index; 0 for none */
	size_t n, at;
};

struct replykeys *
replykeys_new(size_t n)
{
	struct replykeys *k = calloc(1, sizeof(*k));

	if (k == NULL)
		return NULL;
	k->n = n;
	k->slot = calloc(n, sizeof(*k->slot));
	k->bucket = calloc(n, sizeof(*k->bucket));
	if (k->slot == NULL || k->bucket == NULL) {
		replykeys_free(k);
		return NULL;
	}
	return k;
}

void
replykeys_free(struct replykeys *k)
{
	if (k == NULL)
		return;
	sw_wipe_free(k->slot, k->n * sizeof(*k->slot));
	free(k->bucket);
	free(k);
}

/* A digest is a hash already. */
static uint32_t *
key_bucket(const struct replykeys *k, const uint8_t *digest)
{
	uint32_t h;

	memcpy(&h, digest, sizeof(h));
	return &k->bucket[h % k->n];
}

static void
forget_key(struct replykeys *k, struct key_slot *s)
{
	uint32_t *at = key_bucket(k, s->digest);

	while (*at != 0 && &k->slot[*at - 1] != s)
		at = &k->slot[*at - 1].chain;
	if (*at != 0)
		*at = s->chain;
	sw_wipe(s, sizeof(*s));
}

void
replykeys_add(struct replykeys *k, const uint8_t key[static SURB_KEY_LEN])
{
	struct key_slot *s = &k->slot[k->at];
	uint32_t *b;

	if (s->used)
		forget_key(k, s);
	surb_digest(s->digest, key);
	memcpy(s->key, key, sizeof(s->key));
	s->used = true;
	b = key_bucket(k, s->digest);
	s->chain = *b;
	*b = (uint32_t)k->at + 1;
	k->at = (k->at + 1) % k->n;
}

bool
replykeys_take(struct replykeys *k,
    const uint8_t digest[static SURB_DIGEST_LEN],
    uint8_t key[static SURB_KEY_LEN])
{
	uint32_t i = *key_bucket(k, digest);

	while (i != 0 && memcmp(k->slot[i - 1].digest, digest,
	    SURB_DIGEST_LEN) != 0)
		i = k->slot[i - 1].chain;
	if (i == 0)
		return false;
	memcpy(key, k->slot[i - 1].key, SURB_KEY_LEN);
	forget_key(k, &k->slot[i - 1]);
	return true;
}

struct peer {
	struct surbstore_peer pub;	/* first: peers are cast from it */
	bool used;
	size_t first;			/* oldest SURB */
	uint8_t rotation[SURBSTORE_PER_PEER];
	uint64_t number[SURBSTORE_PER_PEER];	/* in order of arrival */
	uint64_t arrived;
	struct reply_surb *surb;	/* SURBSTORE_PER_PEER */
};

struct surbstore {
	struct peer *peer;
	size_t n;
};

struct surbstore *
surbstore_new(size_t peers)
{
	struct surbstore *s = calloc(1, sizeof(*s));

	if (s == NULL)
		return NULL;
	s->n = peers;
	if ((s->peer = calloc(peers, sizeof(*s->peer))) == NULL) {
		free(s);
		return NULL;
	}
	return s;
}

static void
drop_peer(struct peer *p)
{
	sw_wipe_free(p->surb, SURBSTORE_PER_PEER * sizeof(*p->surb));
	sw_wipe(p, sizeof(*p));
}

void
surbstore_free(struct surbstore *s)
{
	if (s == NULL)
		return;
	for (size_t i = 0; i < s->n; i++)
		if (s->peer[i].used)
			drop_peer(&s->peer[i]);
	free(s->peer);
	free(s);
}

struct surbstore_peer *
surbstore_find(struct surbstore *s, const uint8_t tag[static NYMMSG_TAG_LEN])
{
	for (size_t i = 0; i < s->n; i++)
		if (s->peer[i].used &&
		    memcmp(s->peer[i].pub.tag, tag, NYMMSG_TAG_LEN) == 0)
			return &s->peer[i].pub;
	return NULL;
}

static struct peer *
new_peer(struct surbstore *s, const uint8_t tag[static NYMMSG_TAG_LEN])
{
	struct peer *p = &s->peer[0];

	for (size_t i = 0; i < s->n; i++) {
		if (!s->peer[i].used) {
			p = &s->peer[i];
			break;
		}
		if (s->peer[i].pub.last_ms < p->pub.last_ms)
			p = &s->peer[i];
	}
	if (p->used)
		drop_peer(p);
	p->surb = calloc(SURBSTORE_PER_PEER, sizeof(*p->surb));
	if (p->surb == NULL)
		return NULL;
	p->used = true;
	memcpy(p->pub.tag, tag, NYMMSG_TAG_LEN);
	return p;
}

struct surbstore_peer *
surbstore_add(struct surbstore *s, const struct nymmsg *m, int64_t now_ms)
{
	struct peer *p = (struct peer *)surbstore_find(s, m->tag);
	size_t at;

	if (p == NULL && (p = new_peer(s, m->tag)) == NULL)
		return NULL;
	for (size_t i = 0; i < m->n_surbs; i++) {
		while (p->pub.have == SURBSTORE_PER_PEER || (p->pub.have > 0 &&
		    p->arrived - p->number[p->first] >= SURBSTORE_AGE)) {
			p->first = (p->first + 1) % SURBSTORE_PER_PEER;
			p->pub.have--;
		}
		at = (p->first + p->pub.have) % SURBSTORE_PER_PEER;
		if (nymmsg_get_surb(m, i, &p->surb[at]) != SW_OK)
			continue;
		p->rotation[at] = m->rotation;
		p->number[at] = p->arrived++;
		p->pub.have++;
	}
	if (m->n_surbs > 0) {
		p->pub.asked = p->pub.asked > m->n_surbs ?
		    p->pub.asked - m->n_surbs : 0;
		p->pub.fruitless = 0;
	}
	p->pub.last_ms = now_ms;
	return &p->pub;
}

int
surbstore_take(struct surbstore *s, struct surbstore_peer *pub,
    struct reply_surb *out, uint8_t *rotation)
{
	struct peer *p = (struct peer *)pub;
	size_t at;

	(void)s;
	if (p->pub.have == 0)
		return SW_ERR_LIMIT;
	p->pub.have--;
	at = (p->first + p->pub.have) % SURBSTORE_PER_PEER;
	*out = p->surb[at];
	*rotation = p->rotation[at];
	sw_wipe(&p->surb[at], sizeof(p->surb[at]));
	return SW_OK;
}
