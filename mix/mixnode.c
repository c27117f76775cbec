#include "mix/mixnode.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/wipe.h"
#include "mix/ack.h"
#include "mix/nymaddr.h"
#include "mix/replay.h"

#define FRAME_VERSION 8			/* what we write; both are read */
#define SPARE_MAX 256			/* buffers of each size */

struct key {
	uint8_t sk[X25519_KEY_LEN];
	uint8_t label;
	struct replay *seen;		/* NULL: no such key */
};

struct waiting {
	int64_t due_ms;
	struct sw_addr next;
	struct nympkt_frame frame;
	uint8_t *pkt;			/* from new_packet() */
	size_t len;
};

/* A buffer that has held a packet, kept for the next of that size. */
union spare {
	union spare *next;
	uint8_t pkt[NYMPKT_ACK_LEN];	/* the smallest */
};

struct mixnode {
	struct mixnode_config cfg;
	struct key primary, secondary;
	struct waiting *heap;		/* a binary heap by due_ms */
	size_t n;
	struct {
		union spare *first;
		size_t n;
	} spare[NYMPKT_SIZES];		/* by size code */
	struct mixnode_stats stats;
};

static void
free_packet(struct mixnode *m, uint8_t *pkt, size_t len)
{
	uint8_t size = nympkt_size_of(len);
	union spare *s = (union spare *)(void *)pkt;

	if (size == 0 || m->spare[size].n == SPARE_MAX) {
		free(pkt);
		return;
	}
	s->next = m->spare[size].first;
	m->spare[size].first = s;
	m->spare[size].n++;
}

/* A copy.  NULL: no memory. */
static uint8_t *
new_packet(struct mixnode *m, const uint8_t *pkt, size_t len)
{
	uint8_t size = nympkt_size_of(len);
	union spare *s = m->spare[size].first;

	if (s != NULL) {
		m->spare[size].first = s->next;
		m->spare[size].n--;
	} else if ((s = malloc(len)) == NULL) {
		return NULL;
	}
	memcpy(s, pkt, len);
	return (uint8_t *)s;
}

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
	union spare *s;

	if (m == NULL)
		return;
	for (size_t i = 0; m->heap != NULL && i < m->n; i++)
		free(m->heap[i].pkt);
	for (size_t i = 0; i < NYMPKT_SIZES; i++)
		while ((s = m->spare[i].first) != NULL) {
			m->spare[i].first = s->next;
			free(s);
		}
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

/* There is room. */
static void
heap_put(struct mixnode *m, const struct waiting *w)
{
	size_t i = m->n;

	m->heap[m->n++] = *w;
	for (; i > 0 && m->heap[(i - 1) / 2].due_ms > m->heap[i].due_ms;
	    i = (i - 1) / 2)
		swap(&m->heap[i], &m->heap[(i - 1) / 2]);
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
		free_packet(m, w.pkt, w.len);
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

/* What is done to a batch. */
struct batch {
	struct sphinx_work work[MIXNODE_BATCH], *list[MIXNODE_BATCH];
	const struct key *used[MIXNODE_BATCH];	/* that opened it; or NULL */
	bool tried[MIXNODE_BATCH];	/* there is a key for its label */
};

/* Open with this key what may be for it and is not open yet: what its label
 * names, or what has none; all, if the key has none. */
static void
open_packets(struct batch *b, const struct mixnode_packet *p, size_t n,
    const struct key *k)
{
	size_t index[MIXNODE_BATCH], count = 0;

	for (size_t i = 0; i < n; i++) {
		uint8_t label = p[i].frame.rotation;

		if (b->work[i].r != SW_ERR_MAC || k->seen == NULL ||
		    (label != NYMPKT_ROTATION_UNKNOWN && label != k->label &&
		    k->label != NYMPKT_ROTATION_UNKNOWN))
			continue;
		b->list[count] = &b->work[i];
		b->tried[i] = true;
		index[count++] = i;
	}
	sphinx_open_many(b->list, count, k->sk);
	for (size_t c = 0; c < count; c++)
		if (b->list[c]->r == SW_OK)
			b->used[index[c]] = k;
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
	if (m->n == m->cfg.queue ||
	    (w.pkt = new_packet(m, pkt, len)) == NULL) {
		m->stats.full++;
		return;
	}
	heap_put(m, &w);
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

/* Those that have not been seen, to be peeled; how many. */
static size_t
drop_replays(struct mixnode *m, struct batch *b, size_t n)
{
	size_t count = 0;
	int r;

	for (size_t i = 0; i < n; i++) {
		if (b->work[i].r != SW_OK) {
			m->stats.bad_mac += b->tried[i];
			m->stats.wrong_rotation += !b->tried[i];
			continue;
		}
		if ((r = replay_add(b->used[i]->seen, b->work[i].keys.tag)) !=
		    SW_OK) {
			m->stats.replayed += r == SW_ERR_REPLAY;
			m->stats.full += r == SW_ERR_LIMIT;
			continue;
		}
		b->list[count++] = &b->work[i];
	}
	return count;
}

void
mixnode_take(struct mixnode *m, const struct mixnode_packet *p, size_t n,
    int64_t now_ms)
{
	struct sphinx_work *w;
	struct batch b;
	size_t count;

	assert(n <= MIXNODE_BATCH);
	m->stats.taken += n;
	for (size_t i = 0; i < n; i++) {
		b.work[i].pkt = p[i].pkt;
		b.work[i].len = p[i].len;
		b.work[i].r = SW_ERR_MAC;
		b.used[i] = NULL;
		b.tried[i] = false;
	}
	open_packets(&b, p, n, &m->primary);
	open_packets(&b, p, n, &m->secondary);
	count = drop_replays(m, &b, n);
	sphinx_peel_many(b.list, count);
	for (size_t c = 0; c < count; c++) {
		const struct nympkt_frame *f;

		w = b.list[c];
		f = &p[w - b.work].frame;
		if (w->r != SW_OK)
			m->stats.malformed++;
		else if (w->info.final)
			take_final(m, f, &w->info, w->pkt);
		else
			take_forward(m, f, &w->info, w->pkt, w->len, now_ms);
	}
	sw_wipe(b.work, n * sizeof(*b.work));
}
