#include "mix/mixclient.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/wipe.h"
#include "mix/comb.h"
#include "mix/frag.h"
#include "mix/health.h"
#include "mix/nympkt.h"
#include "mix/nymseal.h"
#include "mix/pending.h"
#include "mix/prim.h"
#include "mix/reasm.h"
#include "mix/surbstore.h"

#define POOL_DEFAULT 2048
#define REPLY_KEYS 8192
#define REASM_FRAGMENTS 2048
#define REASM_IDLE_MS INT64_C(1800000)	/* half an hour */
#define REASM_SWEEP_MS 10000
#define HOPS (TOPOLOGY_LAYERS + 1)
#define ACK_WAIT_MS 1500		/* besides 1.5 times the delays */
#define STALE_MAX 16			/* thrown away in a row, of what is ready */
#define MAX_BEHIND_US 1000000		/* no burst after a pause */
#define CORRESPONDENTS 8		/* to whom we are anonymous */

/* SURBs of an anonymous peer. */
#define SURB_RESERVE 10			/* only to ask for more */
#define SURB_TARGET 60
#define SURB_REQUEST_MAX 50
#define SURB_ANSWER_MAX 500
#define SURB_BATCH 30			/* per message that answers */
#define SURB_ASK_AGAIN_MS 3000
#define SURB_GIVE_UP 5

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
	int64_t fastest_ms;		/* from a packet to its ack */
	size_t plain_len, room;
	struct pending *pending;
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

static const struct mix_profile profiles[] = {
	{ "default", 15000000, 20000, 200000, NYMPKT_REGULAR },
	{ "fast", 10000000, 4000, 0, NYMPKT_REGULAR },
	{ "raw", 0, 0, 0, NYMPKT_REGULAR },
};

const struct mix_profile *
mix_profile_find(const char *name)
{
	for (size_t i = 0; i < sizeof(profiles) / sizeof(*profiles); i++)
		if (strcmp(profiles[i].name, name) == 0)
			return &profiles[i];
	return NULL;
}

struct mixclient *
mixclient_new(const struct mixclient_config *cfg)
{
	struct mixclient *c = calloc(1, sizeof(*c));

	if (c == NULL)
		return NULL;
	c->cfg = *cfg;
	prim_ed25519_public(c->self.identity, cfg->keys.identity);
	prim_x25519_base(c->self.encryption, cfg->keys.encryption);
	memcpy(c->self.gateway, cfg->gateway, sizeof(c->self.gateway));
	c->plain_len = nympkt_plain_len(cfg->profile->size);
	c->room = nymseal_room(c->plain_len);
	c->next_due_ms = c->fastest_ms = SW_NEVER;
	c->pending = pending_new(cfg->pool ? cfg->pool : POOL_DEFAULT,
	    c->room);
	c->reasm = reasm_new(c->room, REASM_FRAGMENTS, REASM_IDLE_MS);
	c->keys = replykeys_new(REPLY_KEYS);
	c->pkt = malloc(NYMPKT_LEN(c->plain_len));
	if (comb_new(&c->self_table, c->self.encryption) != SW_OK)
		log_debug("mixclient: no table for ourselves");
	if (cfg->peers > 0)
		c->surbs = surbstore_new(cfg->peers);
	if (c->pending == NULL || c->reasm == NULL || c->keys == NULL ||
	    c->pkt == NULL || (cfg->peers > 0 && c->surbs == NULL)) {
		mixclient_free(c);
		return NULL;
	}
	return c;
}

void
mixclient_free(struct mixclient *c)
{
	if (c == NULL)
		return;
	pending_free(c->pending);
	reasm_free(c->reasm);
	replykeys_free(c->keys);
	surbstore_free(c->surbs);
	health_free(c->health);
	comb_free(c->self_table);
	for (size_t i = 0; i < CORRESPONDENTS; i++)
		comb_free(c->known[i].table);
	sw_wipe_free(c->msg, c->msg_cap);
	free(c->pkt);
	sw_wipe_free(c, sizeof(*c));
}

void
mixclient_set_topology(struct mixclient *c, const struct topology *t)
{
	c->topology = t;
	c->network++;
	health_free(c->health);
	c->health = t != NULL ? health_new(t) : NULL;
	if (c->cfg.ahead != NULL)
		c->cfg.ahead->use(c->cfg.ahead, t, c->cfg.profile->hop_ns);
}

const struct recipient *
mixclient_address(const struct mixclient *c)
{
	return &c->self;
}

size_t
mixclient_shunned(const struct mixclient *c)
{
	return c->health != NULL ? health_count(c->health, c->now_ms) : 0;
}

const struct mixclient_stats *
mixclient_stats(const struct mixclient *c)
{
	return &c->stats;
}

size_t
mixclient_room(const struct mixclient *c)
{
	return pending_count_free(c->pending);
}

size_t
mixclient_queued(const struct mixclient *c)
{
	return pending_count_queued(c->pending);
}

/* The table of a recipient's encryption key, if it has one. */
static const struct comb *
table_of(const struct mixclient *c, const struct recipient *to)
{
	if (to == &c->self)
		return c->self_table;
	for (size_t i = 0; i < CORRESPONDENTS; i++)
		if (c->known[i].used &&
		    memcmp(&c->known[i].to, to, sizeof(*to)) == 0)
			return c->known[i].table;
	return NULL;
}

/* One that is ready, and does not lead by a node that we avoid. */
static bool
take_ready(struct mixclient *c, const struct prepare_job *job,
    struct prepared *out)
{
	struct prepared_source *ahead = c->cfg.ahead;

	for (int i = 0; ahead != NULL && i < STALE_MAX; i++) {
		if (!ahead->take(ahead, job, out))
			return false;
		if (c->health == NULL ||
		    !health_shuns(c->health, out->node, c->now_ms))
			return true;
		sw_wipe(out, sizeof(*out));
	}
	return false;
}

/* n packets at most SPHINX_BATCH: those that are ready, and the others now.
 * The caller wipes *out. */
static int
prepare(struct mixclient *c, struct prepared *out,
    struct prepare_job *job, size_t n)
{
	uint16_t by[SPHINX_BATCH][TOPOLOGY_LAYERS];
	size_t had = 0;
	int r;

	if (c->topology == NULL || !topology_is_routable(c->topology))
		return SW_ERR_UNREACH_NET;
	while (had < n && take_ready(c, &job[had], &out[had]))
		had++;
	for (size_t i = had; c->health != NULL && i < n; i++) {
		health_draw(c->health, c->cfg.rng, c->now_ms, by[i]);
		job[i].node = by[i];
	}
	r = prepare_make(out + had, job + had, n - had, c->topology,
	    c->cfg.profile->hop_ns, c->cfg.rng);
	for (size_t i = had; i < n; i++)
		job[i].node = NULL;
	return r;
}

/* To ourselves: acks, SURBs. */
static struct prepare_job
job_self(const struct mixclient *c)
{
	return (struct prepare_job){ .to = &c->self };
}

static uint8_t *
plaintext(struct mixclient *c)
{
	/* Where sphinx_put_payload() wants it, so that nothing is copied. */
	return c->pkt + SPHINX_HEADER_LEN + 16;
}

static void
put_ack(struct mixclient *c, const struct prepared *p,
    const struct frag_id *id)
{
	ack_put(plaintext(c), &p->header, p->first, c->cfg.keys.ack, id,
	    c->cfg.rng);
}

static int
transmit(struct mixclient *c, const uint8_t addr[static SPHINX_ADDR_LEN],
    uint8_t rotation)
{
	struct sw_addr first;
	int r;

	if ((r = nymaddr_get_padded(addr, SPHINX_ADDR_LEN, &first)) != SW_OK)
		return r;
	r = c->cfg.events->transmit(c->cfg.arg, &first, rotation, c->pkt,
	    NYMPKT_LEN(c->plain_len));
	c->blocked = r == SW_AGAIN;
	return r;
}

/* Pack what lies behind the ack and the key in the plaintext, and send it.
 * *due_ms, *path: when the ack should be back, and by whom both go. */
static int
send_sealed(struct mixclient *c, const struct recipient *to,
    const struct frag_id *id, int64_t *due_ms, struct health_path *path)
{
	struct prepare_job job[2] = { { .to = to, .table = table_of(c, to),
	    .seal = true }, job_self(c) };
	struct prepared p[2];		/* the packet's and its ack's */
	uint64_t delay;
	int r;

	if ((r = prepare(c, p, job, 2)) != SW_OK)
		goto out;
	memcpy(path->node, p[0].node, sizeof(p[0].node));
	memcpy(path->node + TOPOLOGY_LAYERS, p[1].node, sizeof(p[1].node));
	put_ack(c, &p[1], id);
	nymseal_put(plaintext(c) + ACK_LEN, c->room, &p[0].seal);
	memcpy(c->pkt, p[0].header.bytes, SPHINX_HEADER_LEN);
	if ((r = sphinx_put_payload(&p[0].header, c->pkt + SPHINX_HEADER_LEN,
	    NYMPKT_LEN(c->plain_len) - SPHINX_HEADER_LEN, plaintext(c),
	    c->plain_len)) != SW_OK)
		goto out;
	delay = p[0].delay_ns + p[1].delay_ns;
	*due_ms = c->now_ms + ACK_WAIT_MS + (int64_t)(delay / 2 * 3 / 1000000);
	r = transmit(c, p[0].first,
	    nympkt_rotation_of(c->topology->rotation_id));
out:
	sw_wipe(p, sizeof(p));
	return r;
}

/* The oldest fragment that waits.  SW_AGAIN: nothing could leave. */
static int
send_next(struct mixclient *c)
{
	struct pending_item *it = pending_head(c->pending);
	struct health_path path;
	int64_t due;
	int r;

	memcpy(plaintext(c) + NYMSEAL_OVERHEAD, it->frag, c->room);
	if ((r = send_sealed(c, &it->to, &it->id, &due, &path)) == SW_AGAIN)
		return r;
	if (r != SW_OK) {
		log_debug("mixclient: dropped a fragment: %s", sw_strerror(r));
		pending_drop(c->pending, it);
		return SW_OK;
	}
	if (it->tries > 0)
		c->stats.resent++;
	else
		c->stats.sent++;
	it->path = path;
	it->sent_ms = c->now_ms;
	it->network = c->health != NULL ? c->network : 0;
	pending_sent(c->pending, it, due);
	if (due < c->next_due_ms)
		c->next_due_ms = due;
	return SW_OK;
}

static int
send_cover(struct mixclient *c)
{
	static const struct frag_id none;
	struct health_path path;
	int64_t due;
	int r;

	nymseal_put_cover(plaintext(c) + NYMSEAL_OVERHEAD, c->room);
	if ((r = send_sealed(c, &c->self, &none, &due, &path)) == SW_OK)
		c->stats.cover++;
	return r;
}

/* Advance a Poisson process; late work does not shift it, but a long pause
 * is not made up for. */
static void
next_slot(struct mixclient *c, double *at_us, uint32_t mean_us, double now_us)
{
	if (*at_us == 0 || *at_us < now_us - MAX_BEHIND_US)
		*at_us = now_us;
	*at_us += -log(rng_unit(c->cfg.rng)) * (double)mean_us;
}

static bool
has_queued(const struct mixclient *c)
{
	return pending_count_queued(c->pending) > 0;
}

/* Its ack has not come: somebody on its way lost one of the two. */
static void
is_late(void *arg, const struct pending_item *it)
{
	struct mixclient *c = arg;

	if (it->network == c->network)
		health_bad(c->health, &it->path, it->sent_ms, c->now_ms);
}

void
mixclient_tick(struct mixclient *c, int64_t now_ms)
{
	const struct mix_profile *p = c->cfg.profile;
	double now_us = (double)now_ms * 1000;

	c->now_ms = now_ms;
	if (c->topology == NULL)
		return;
	c->blocked = false;
	if (c->next_send_us == 0) {
		next_slot(c, &c->next_send_us, p->send_us, now_us);
		next_slot(c, &c->next_cover_us, p->cover_us, now_us);
	}
	if (now_ms >= c->next_due_ms)
		c->next_due_ms = pending_expire(c->pending, now_ms, is_late,
		    c);
	if (now_ms - c->swept_ms >= REASM_SWEEP_MS) {
		c->swept_ms = now_ms;
		reasm_tick(c->reasm, now_ms);
	}
	if (p->send_us == 0)
		while (has_queued(c) && send_next(c) != SW_AGAIN)
			;
	while (p->send_us != 0 && c->next_send_us <= now_us) {
		if (has_queued(c))
			(void)send_next(c);
		else
			(void)send_cover(c);
		next_slot(c, &c->next_send_us, p->send_us, now_us);
	}
	while (p->cover_us != 0 && c->next_cover_us <= now_us) {
		(void)send_cover(c);
		next_slot(c, &c->next_cover_us, p->cover_us, now_us);
	}
}

int64_t
mixclient_deadline(const struct mixclient *c)
{
	const struct mix_profile *p = c->cfg.profile;
	int64_t at = c->next_due_ms;

	if (c->topology == NULL)
		return SW_NEVER;
	if (p->send_us != 0 && (int64_t)(c->next_send_us / 1000) + 1 < at)
		at = (int64_t)(c->next_send_us / 1000) + 1;
	if (p->cover_us != 0 && (int64_t)(c->next_cover_us / 1000) + 1 < at)
		at = (int64_t)(c->next_cover_us / 1000) + 1;
	if (p->send_us == 0 && has_queued(c) && !c->blocked)
		at = 0;
	return at;
}

bool
mixclient_is_idle(const struct mixclient *c)
{
	return c->cfg.profile->send_us != 0 && !has_queued(c);
}

static int
grow_message(struct mixclient *c, size_t need)
{
	uint8_t *p;

	if (need <= c->msg_cap)
		return SW_OK;
	if ((p = malloc(need)) == NULL)
		return SW_ERR_NOMEM;
	sw_wipe_free(c->msg, c->msg_cap);
	c->msg = p;
	c->msg_cap = need;
	return SW_OK;
}

/* Cut c->msg and queue all of its fragments, or none. */
static int
queue_message(struct mixclient *c, const struct recipient *to, size_t n)
{
	struct pending_item *it;
	struct frag_plan plan;
	int r;

	if ((r = frag_plan_init(&plan, n, c->room, c->cfg.rng)) != SW_OK)
		return r;
	if (plan.count > pending_count_free(c->pending))
		return SW_AGAIN;
	for (size_t i = 0; i < plan.count; i++) {
		it = pending_take(c->pending);
		it->to = *to;
		frag_cut(&plan, i, c->msg, it->frag, &it->id);
		pending_queue(c->pending, it, false);
	}
	return SW_OK;
}

/* The entry of `to`, made if there is none; the last one is given up when
 * all are taken, since a client has few correspondents. */
static struct correspondent *
know(struct mixclient *c, const struct recipient *to)
{
	struct correspondent *k = NULL;

	for (size_t i = 0; i < CORRESPONDENTS; i++) {
		k = &c->known[i];
		if (!k->used)
			break;
		if (memcmp(&k->to, to, sizeof(k->to)) == 0)
			return k;
	}
	comb_free(k->table);
	k->table = NULL;
	k->used = true;
	k->to = *to;
	/* Without a table (no memory, a strange key) it is only slower. */
	if (comb_new(&k->table, to->encryption) != SW_OK)
		log_debug("mixclient: no table for a recipient");
	rng_fill(c->cfg.rng, k->tag, sizeof(k->tag));
	return k;
}

static int
put_surb(struct mixclient *c, struct wbuf *w, const struct prepared *p)
{
	struct reply_surb s = { .surb.header = p->header };
	int r;

	memcpy(s.surb.first, p->first, sizeof(s.surb.first));
	rng_fill(c->cfg.rng, s.key, sizeof(s.key));
	if ((r = nymmsg_put_surb(w, &s)) == SW_OK) {
		replykeys_add(c->keys, s.key);
		c->stats.surbs_made++;
	}
	sw_wipe(&s, sizeof(s));
	return r;
}

static int
put_surbs(struct mixclient *c, struct wbuf *w, unsigned n)
{
	struct prepare_job job[SPHINX_BATCH];
	struct prepared p[SPHINX_BATCH];
	unsigned some;
	int r = SW_OK;

	for (size_t i = 0; i < SPHINX_BATCH; i++)
		job[i] = job_self(c);
	for (; n > 0 && r == SW_OK; n -= some) {
		some = n < SPHINX_BATCH ? n : SPHINX_BATCH;
		r = prepare(c, p, job, some);
		for (unsigned i = 0; i < some && r == SW_OK; i++)
			r = put_surb(c, w, &p[i]);
		sw_wipe(p, some * sizeof(*p));
	}
	return r;
}

static int
send_repliable(struct mixclient *c, const struct recipient *to,
    enum nymmsg_kind kind, unsigned surbs, const void *data, size_t n)
{
	size_t need = NYMMSG_REPLIABLE_HEAD_LEN + surbs *
	    REPLY_SURB_LEN(HOPS) + n;
	struct correspondent *k = know(c, to);
	struct wbuf w;
	int r;

	if (c->topology == NULL)
		return SW_ERR_UNREACH_NET;
	if (topology_find(c->topology, to->gateway) == NULL)
		return SW_ERR_UNREACH_HOST;
	/* Before the work of making SURBs: would it fit? */
	if (need / (c->room - FRAG_HEAD_LEN) + 1 >
	    pending_count_free(c->pending))
		return SW_AGAIN;
	if ((r = grow_message(c, need)) != SW_OK)
		return r;
	w = (struct wbuf){ c->msg, need };
	if ((r = nymmsg_put_repliable(&w, kind, k->tag, (uint16_t)surbs, HOPS,
	    nympkt_rotation_of(c->topology->rotation_id))) != SW_OK ||
	    (r = put_surbs(c, &w, surbs)) != SW_OK ||
	    (r = wire_put_bytes(&w, data, n)) != SW_OK)
		return r;
	return queue_message(c, to, need - w.left);
}

int
mixclient_send(struct mixclient *c, const struct recipient *to,
    unsigned surbs, const void *data, size_t n)
{
	if (surbs > NYMMSG_MAX_SURBS)
		return SW_ERR_TOO_LONG;
	return send_repliable(c, to, NYMMSG_DATA, surbs, data, n);
}

int
mixclient_give(struct mixclient *c, const struct recipient *to,
    unsigned surbs)
{
	if (surbs > NYMMSG_MAX_SURBS)
		return SW_ERR_TOO_LONG;
	return send_repliable(c, to, NYMMSG_SURBS, surbs, NULL, 0);
}

/* Send c->msg back by SURBs, one for each fragment. */
static int
send_by_surbs(struct mixclient *c, struct surbstore_peer *peer, size_t n)
{
	uint8_t *plain = plaintext(c), rotation;
	struct prepare_job job = job_self(c);
	struct prepared ack;
	struct frag_plan plan;
	struct reply_surb s;
	struct frag_id id;
	int r;

	if ((r = frag_plan_init(&plan, n, c->room, c->cfg.rng)) != SW_OK)
		return r;
	for (size_t i = 0; i < plan.count && r == SW_OK; i++) {
		frag_cut(&plan, i, c->msg, plain + NYMSEAL_OVERHEAD, &id);
		if ((r = prepare(c, &ack, &job, 1)) != SW_OK ||
		    (r = surbstore_take(c->surbs, peer, &s, &rotation)) !=
		    SW_OK)
			break;
		put_ack(c, &ack, &id);
		nymseal_put_reply(plain + ACK_LEN, c->room, s.key);
		if ((r = surb_use(&s.surb, c->pkt, NYMPKT_LEN(c->plain_len),
		    plain, c->plain_len)) == SW_OK)
			r = transmit(c, s.surb.first, rotation);
		c->stats.replies++;
	}
	sw_wipe(&ack, sizeof(ack));
	sw_wipe(&s, sizeof(s));
	return r == SW_AGAIN ? SW_ERR_LIMIT : r;
}

/* Ask for more SURBs while there is still one to ask by. */
static void
ask_for_surbs(struct mixclient *c, struct surbstore_peer *p, int64_t now_ms)
{
	struct wbuf w;

	if (p->have == 0 || p->have + p->asked >= SURB_TARGET) {
		if (p->have == 0 || p->have >= SURB_RESERVE ||
		    now_ms - p->asked_ms < SURB_ASK_AGAIN_MS)
			return;
		if (++p->fruitless > SURB_GIVE_UP)
			return;
		p->asked = 0;
	}
	if (grow_message(c, 256) != SW_OK)
		return;
	w = (struct wbuf){ c->msg, 256 };
	if (nymmsg_put_surb_request(&w, &c->self, SURB_REQUEST_MAX) != SW_OK ||
	    send_by_surbs(c, p, 256 - w.left) != SW_OK)
		return;
	p->asked += SURB_REQUEST_MAX;
	p->asked_ms = now_ms;
	c->stats.surb_requests++;
}

size_t
mixclient_count_surbs(struct mixclient *c,
    const uint8_t tag[static NYMMSG_TAG_LEN])
{
	struct surbstore_peer *p = c->surbs != NULL ?
	    surbstore_find(c->surbs, tag) : NULL;

	return p != NULL && p->have > SURB_RESERVE ? p->have - SURB_RESERVE :
	    0;
}

int
mixclient_reply(struct mixclient *c,
    const uint8_t tag[static NYMMSG_TAG_LEN], bool control, const void *data,
    size_t n, int64_t now_ms)
{
	struct surbstore_peer *p = c->surbs != NULL ?
	    surbstore_find(c->surbs, tag) : NULL;
	size_t need = (n + 2) / (c->room - FRAG_HEAD_LEN) + 1, have;
	struct wbuf w;
	int r;

	if (p == NULL)
		return SW_ERR_LIMIT;
	have = control ? p->have : mixclient_count_surbs(c, tag);
	if (need > have) {
		ask_for_surbs(c, p, now_ms);
		c->stats.replies_dropped++;
		return SW_ERR_LIMIT;
	}
	if ((r = grow_message(c, n + 2)) != SW_OK)
		return r;
	w = (struct wbuf){ c->msg, n + 2 };
	if ((r = nymmsg_put_head(&w, NYMMSG_REPLY)) == SW_OK &&
	    (r = wire_put_bytes(&w, data, n)) == SW_OK)
		r = send_by_surbs(c, p, n + 2);
	ask_for_surbs(c, p, now_ms);
	return r;
}

/* Somebody who holds SURBs of ours wants more: only if we wrote to it. */
static void
answer_request(struct mixclient *c, const struct nymmsg *m)
{
	struct recipient to = m->from;
	uint32_t left = m->amount < SURB_ANSWER_MAX ? m->amount :
	    SURB_ANSWER_MAX;
	bool known = false;

	for (size_t i = 0; i < CORRESPONDENTS; i++)
		known |= c->known[i].used &&
		    memcmp(&c->known[i].to, &to, sizeof(to)) == 0;
	if (!known) {
		c->stats.bad++;
		return;
	}
	c->stats.surb_requests++;
	while (left > 0) {
		unsigned n = left < SURB_BATCH ? left : SURB_BATCH;

		if (send_repliable(c, &to, NYMMSG_SURBS, n, NULL, 0) != SW_OK)
			return;
		left -= n;
	}
}

static void
take_message(struct mixclient *c, const uint8_t *in, size_t n,
    int64_t now_ms)
{
	struct nymmsg m;

	if (nymmsg_get(&m, in, n) != SW_OK) {
		c->stats.bad++;
		return;
	}
	c->stats.received++;
	if (m.kind == NYMMSG_SURB_REQUEST) {
		answer_request(c, &m);
		return;
	}
	if (m.tag != NULL && (c->surbs == NULL ||
	    surbstore_add(c->surbs, &m, now_ms) == NULL))
		return;
	if (m.kind != NYMMSG_SURBS)
		c->cfg.events->message(c->cfg.arg, &m);
}

/* An ack names the fragment, not the try: it is the last one's unless it is
 * too early for that. */
static void
credit_path(struct mixclient *c, const struct pending_item *it)
{
	int64_t ms = c->now_ms - it->sent_ms;

	if (!it->sent || it->network != c->network)
		return;
	if (it->tries == 1 && ms < c->fastest_ms)
		c->fastest_ms = ms;
	if (ms >= c->fastest_ms)
		health_good(c->health, &it->path, it->sent_ms);
}

static void
take_ack(struct mixclient *c, const uint8_t in[static NYMPKT_ACK_PLAIN_LEN])
{
	struct pending_item *it;
	struct frag_id id;

	if (ack_open(&id, in, c->cfg.keys.ack) != SW_OK) {
		c->stats.bad++;
		return;
	}
	if (id.set == 0 || (it = pending_find(c->pending, &id)) == NULL)
		return;
	credit_path(c, it);
	pending_drop(c->pending, it);
	c->stats.acked++;
}

void
mixclient_deliver(struct mixclient *c, uint8_t *in, size_t n, int64_t now_ms)
{
	uint8_t key[SURB_KEY_LEN];
	const uint8_t *msg;
	bool is_reply;
	int r;

	c->now_ms = now_ms;
	if (n == NYMPKT_ACK_PLAIN_LEN) {
		take_ack(c, in);
		return;
	}
	if (n <= NYMSEAL_HEAD_LEN) {
		c->stats.bad++;
		return;
	}
	is_reply = replykeys_take(c->keys, in, key);
	c->stats.reply_packets += is_reply;
	r = nymseal_open(in, n, is_reply ? key : NULL,
	    c->cfg.keys.encryption);
	sw_wipe(key, sizeof(key));
	in += NYMSEAL_HEAD_LEN;
	n -= NYMSEAL_HEAD_LEN;
	if (r == SW_OK && nymseal_is_cover(in, n))
		return;
	if (r == SW_OK)
		r = reasm_add(c->reasm, in, n, now_ms, &msg, &n);
	if (r == SW_OK)
		take_message(c, msg, n, now_ms);
	else if (r != SW_AGAIN)
		c->stats.bad++;
}
