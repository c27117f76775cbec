#include "mix/mixclient_priv.h"

#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/wipe.h"
#include "mix/nymseal.h"

/* SURBs of an anonymous peer. */
#define SURB_RESERVE 10			/* only to ask for more */
#define SURB_TARGET 60
#define SURB_REQUEST_MAX 50
#define SURB_ANSWER_MAX 500
#define SURB_BATCH 30			/* per message that answers */
#define SURB_ASK_AGAIN_MS 3000
#define SURB_GIVE_UP 5

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
		job[i] = mixclient_job_self(c);
	for (; n > 0 && r == SW_OK; n -= some) {
		some = n < SPHINX_BATCH ? n : SPHINX_BATCH;
		r = mixclient_prepare(c, p, job, some);
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
	    REPLY_SURB_LEN(MIXCLIENT_HOPS) + n;
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
	if ((r = nymmsg_put_repliable(&w, kind, k->tag, (uint16_t)surbs, MIXCLIENT_HOPS,
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
	uint8_t *plain = mixclient_plaintext(c), rotation;
	struct prepare_job job = mixclient_job_self(c);
	struct prepared ack;
	struct frag_plan plan;
	struct reply_surb s;
	struct frag_id id;
	int r;

	if ((r = frag_plan_init(&plan, n, c->room, c->cfg.rng)) != SW_OK)
		return r;
	for (size_t i = 0; i < plan.count && r == SW_OK; i++) {
		frag_cut(&plan, i, c->msg, plain + NYMSEAL_OVERHEAD, &id);
		if ((r = mixclient_prepare(c, &ack, &job, 1)) != SW_OK ||
		    (r = surbstore_take(c->surbs, peer, &s, &rotation)) !=
		    SW_OK)
			break;
		mixclient_put_ack(c, &ack, &id);
		nymseal_put_reply(plain + ACK_LEN, c->room, s.key);
		if ((r = surb_use(&s.surb, c->pkt, NYMPKT_LEN(c->plain_len),
		    plain, c->plain_len)) == SW_OK)
			r = mixclient_transmit(c, s.surb.first, rotation);
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

void
mixclient_answer_request(struct mixclient *c, const struct nymmsg *m)
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
