#include "mix/mixnode.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/wipe.h"
#include "mix/ack.h"
#include "mix/nymaddr.h"
#include "mix/replay.h"

#define FRAME_VERSION 8			/* what we write; both are read */

struct key {
	uint8_t sk[X25519_KEY_LEN];
	uint8_t label;
	struct replay *seen;		/* NULL: no such key */
};

struct waiting {
	int64_t due_ms;
	struct sw_addr next;
	struct nympkt_frame frame;
	uint8_t *pkt;			/* malloced: its packet */
	size_t len;
};

struct mixnode {
	struct mixnode_config cfg;
	struct key primary, secondary;
	struct waiting *heap;		/* a binary heap by due_ms */
	size_t n;
	struct mixnode_stats stats;
};

static int
set_key(struct mixnode *m, struct key *k,
    const uint8_t sk[static X25519_KEY_LEN], uint32_t rotation_id)
{
	if ((k->seen = replay_new(m->cfg.replay_limit)) == NULL)
		return SW_ERR_NOMEM;
	memcpy(k->sk, sk, sizeof(k->sk));
	k->label = nympkt_rotation_of(rotation_id);
	return SW_OK;
}

static void
drop_key(struct key *k)
{
	replay_free(k->seen);
	sw_wipe(k, sizeof(*k));
}

struct mixnode *
mixnode_new(const struct mixnode_config *cfg)
{
	struct mixnode *m = calloc(1, sizeof(*m));

	if (m == NULL)
		return NULL;
	m->cfg = *cfg;
	m->heap = calloc(cfg->queue, sizeof(*m->heap));
	if (m->heap == NULL ||
	    set_key(m, &m->primary, cfg->sk, cfg->rotation_id) != SW_OK) {
		mixnode_free(m);
		return NULL;
	}
	sw_wipe(m->cfg.sk, sizeof(m->cfg.sk));
	return m;
}

void
mixnode_free(struct mixnode *m)
{
	if (m == NULL)
		return;
	for (size_t i = 0; m->heap != NULL && i < m->n; i++)
		free(m->heap[i].pkt);
	free(m->heap);
	drop_key(&m->primary);
	drop_key(&m->secondary);
	sw_wipe_free(m, sizeof(*m));
}

int
mixnode_rotate(struct mixnode *m, const uint8_t sk[static X25519_KEY_LEN],
    uint32_t rotation_id)
{
	struct key k = { .label = 0 };
	int r;

	if ((r = set_key(m, &k, sk, rotation_id)) != SW_OK)
		return r;
	drop_key(&m->secondary);
	m->secondary = m->primary;
	m->primary = k;
	sw_wipe(&k, sizeof(k));
	return SW_OK;
}

void
mixnode_retire(struct mixnode *m)
{
	drop_key(&m->secondary);
}

const struct mixnode_stats *
mixnode_stats(const struct mixnode *m)
{
	return &m->stats;
}

static void
swap(struct waiting *a, struct waiting *b)
{
	struct waiting t = *a;

	*a = *b;
	*b = t;
}

static int
heap_put(struct mixnode *m, const struct waiting *w)
{
	size_t i = m->n;

	if (m->n == m->cfg.queue)
		return SW_ERR_LIMIT;
	m->heap[m->n++] = *w;
	for (; i > 0 && m->heap[(i - 1) / 2].due_ms > m->heap[i].due_ms;
	    i = (i - 1) / 2)
		swap(&m->heap[i], &m->heap[(i - 1) / 2]);
	return SW_OK;
}

static struct waiting
heap_take(struct mixnode *m)
{
	struct waiting top = m->heap[0];
	size_t i = 0, child;

	m->heap[0] = m->heap[--m->n];
	while ((child = 2 * i + 1) < m->n) {
		if (child + 1 < m->n &&
		    m->heap[child + 1].due_ms < m->heap[child].due_ms)
			child++;
		if (m->heap[i].due_ms <= m->heap[child].due_ms)
			break;
		swap(&m->heap[i], &m->heap[child]);
		i = child;
	}
	return top;
}

static void
emit(struct mixnode *m, const struct sw_addr *next,
    const struct nympkt_frame *f, const uint8_t *pkt, size_t len)
{
	struct nympkt_frame out = { FRAME_VERSION, f->size, f->rotation };

	if (m->cfg.events->allowed != NULL &&
	    !m->cfg.events->allowed(m->cfg.arg, next)) {
		m->stats.refused++;
		return;
	}
	m->stats.forwarded++;
	m->cfg.events->emit(m->cfg.arg, next, &out, pkt, len);
}

void
mixnode_tick(struct mixnode *m, int64_t now_ms)
{
	while (m->n > 0 && m->heap[0].due_ms <= now_ms) {
		struct waiting w = heap_take(m);

		emit(m, &w.next, &w.frame, w.pkt, w.len);
		free(w.pkt);
	}
}

int64_t
mixnode_deadline(const struct mixnode *m)
{
	return m->n > 0 ? m->heap[0].due_ms : SW_NEVER;
}

void
mixnode_forward(struct mixnode *m, const struct sw_addr *next,
    uint8_t rotation, const uint8_t *pkt, size_t len)
{
	struct nympkt_frame f = { .size = nympkt_size_of(len),
	    .rotation = rotation };

	if (f.size == 0) {
		m->stats.malformed++;
		return;
	}
	emit(m, next, &f, pkt, len);
}

/* Open with the key that the label names; without a label, with each. */
static int
open_packet(struct mixnode *m, const struct nympkt_frame *f,
    const uint8_t *pkt, size_t len, struct sphinx_keys *k, struct key **used)
{
	int r = SW_ERR_MAC;

	*used = &m->primary;
	if (f->rotation == NYMPKT_ROTATION_UNKNOWN ||
	    f->rotation == m->primary.label ||
	    m->primary.label == NYMPKT_ROTATION_UNKNOWN)
		r = sphinx_open(k, pkt, len, m->primary.sk);
	if (r != SW_ERR_MAC || m->secondary.seen == NULL ||
	    (f->rotation != NYMPKT_ROTATION_UNKNOWN &&
	    f->rotation != m->secondary.label))
		return r;
	*used = &m->secondary;
	return sphinx_open(k, pkt, len, m->secondary.sk);
}

static void
take_forward(struct mixnode *m, const struct nympkt_frame *f,
    const struct sphinx_hop_info *info, const uint8_t *pkt, size_t len,
    int64_t now_ms)
{
	struct waiting w = { .frame = *f, .len = len };
	int64_t delay_ms = MIXNODE_MAX_DELAY_MS;

	if (!m->cfg.mix) {
		m->stats.wrong_role++;
		return;
	}
	if (nymaddr_get_padded(info->next, SPHINX_ADDR_LEN, &w.next) !=
	    SW_OK) {
		m->stats.malformed++;
		return;
	}
	if (info->delay_ns / 1000000 < MIXNODE_MAX_DELAY_MS)
		delay_ms = (int64_t)(info->delay_ns / 1000000);
	if (delay_ms == 0) {
		emit(m, &w.next, f, pkt, len);
		return;
	}
	w.due_ms = now_ms + delay_ms;
	if (m->n == m->cfg.queue || (w.pkt = malloc(len)) == NULL) {
		m->stats.full++;
		return;
	}
	memcpy(w.pkt, pkt, len);
	if (heap_put(m, &w) != SW_OK) {
		free(w.pkt);
		m->stats.full++;
	}
}

static void
take_final(struct mixnode *m, const struct nympkt_frame *f,
    const struct sphinx_hop_info *info, uint8_t *pkt)
{
	uint8_t *msg = pkt + (info->msg - pkt);
	size_t n = info->msg_len;
	const uint8_t *ack;
	struct sw_addr first;

	if (!m->cfg.gateway) {
		m->stats.wrong_role++;
		return;
	}
	if (f->size == NYMPKT_ACK) {
		m->stats.delivered++;
		m->cfg.events->deliver(m->cfg.arg, info->dest, msg, n);
		return;
	}
	if (n < ACK_LEN || ack_get(msg, &first, &ack) != SW_OK) {
		m->stats.malformed++;
		return;
	}
	m->stats.delivered++;
	m->cfg.events->deliver(m->cfg.arg, info->dest, msg + ACK_LEN,
	    n - ACK_LEN);
	mixnode_forward(m, &first, f->rotation, ack, NYMPKT_ACK_LEN);
}

void
mixnode_take(struct mixnode *m, const struct nympkt_frame *f, uint8_t *pkt,
    size_t len, int64_t now_ms)
{
	struct sphinx_hop_info info;
	struct sphinx_keys k;
	struct key *used;
	int r;

	m->stats.taken++;
	if (open_packet(m, f, pkt, len, &k, &used) != SW_OK) {
		m->stats.bad_mac++;
		goto out;
	}
	if ((r = replay_add(used->seen, k.tag)) != SW_OK) {
		m->stats.replayed += r == SW_ERR_REPLAY;
		m->stats.full += r == SW_ERR_LIMIT;
		goto out;
	}
	if (sphinx_peel(&k, pkt, len, &info) != SW_OK) {
		m->stats.malformed++;
		goto out;
	}
	if (info.final)
		take_final(m, f, &info, pkt);
	else
		take_forward(m, f, &info, pkt, len, now_ms);
out:
	sw_wipe(&k, sizeof(k));
}
