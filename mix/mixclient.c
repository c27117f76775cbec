#include "mix/mixclient_priv.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/wipe.h"
#include "mix/nymseal.h"
#include "mix/prim.h"

#define POOL_DEFAULT 2048
#define FLIGHTS 4096
#define REPLY_KEYS 8192
#define REASM_FRAGMENTS 2048
#define REASM_IDLE_MS INT64_C(1800000)	/* half an hour */
#define REASM_SWEEP_MS 10000
#define MAX_BEHIND_US 1000000		/* no burst after a pause */

static const struct mix_profile profiles[] = {
	{ "default", 15000000, 20000, 0, 200000, NYMPKT_REGULAR },
	{ "fast", 10000000, 4000, 20000, 0, NYMPKT_REGULAR },
	{ "raw", 0, 0, 0, 0, NYMPKT_REGULAR },
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
	c->next_due_ms = SW_NEVER;
	slotrate_init(&c->pace, cfg->profile->send_us,
	    cfg->profile->slow_us != 0 ? cfg->profile->slow_us :
	    cfg->profile->send_us);
	c->pending = pending_new(cfg->pool ? cfg->pool : POOL_DEFAULT,
	    c->room);
	c->flights = flights_new(FLIGHTS);
	c->reasm = reasm_new(c->room, REASM_FRAGMENTS, REASM_IDLE_MS);
	c->keys = replykeys_new(REPLY_KEYS);
	c->pkt = malloc(NYMPKT_LEN(c->plain_len));
	if (comb_new(&c->self_table, c->self.encryption) != SW_OK)
		log_debug("mixclient: no table for ourselves");
	if (cfg->peers > 0)
		c->surbs = surbstore_new(cfg->peers);
	if (c->pending == NULL || c->flights == NULL || c->reasm == NULL ||
	    c->keys == NULL || c->pkt == NULL || (cfg->peers > 0 && c->surbs == NULL)) {
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
	flights_free(c->flights);
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
is_late(void *arg, const struct flight *f)
{
	struct mixclient *c = arg;

	slotrate_lost(&c->pace);
	if (c->health != NULL && f->network == c->network)
		health_bad(c->health, &f->path, f->sent_ms, c->now_ms);
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
		next_slot(c, &c->next_send_us, slotrate_mean_us(&c->pace),
		    now_us);
		next_slot(c, &c->next_cover_us, p->cover_us, now_us);
	}
	flights_expire(c->flights, now_ms, is_late, c);
	slotrate_tick(&c->pace, now_ms);
	if (p->send_us != 0)
		c->stats.slots = 1000000 / slotrate_mean_us(&c->pace);
	if (now_ms >= c->next_due_ms)
		c->next_due_ms = pending_expire(c->pending, now_ms);
	if (now_ms - c->swept_ms >= REASM_SWEEP_MS) {
		c->swept_ms = now_ms;
		reasm_tick(c->reasm, now_ms);
	}
	if (p->send_us == 0)
		while (has_queued(c) && mixclient_send_next(c) != SW_AGAIN)
			;
	while (p->send_us != 0 && c->next_send_us <= now_us) {
		if (!has_queued(c) && c->cfg.events->idle != NULL)
			c->cfg.events->idle(c->cfg.arg);
		if (has_queued(c))
			(void)mixclient_send_next(c);
		else
			(void)mixclient_send_cover(c);
		next_slot(c, &c->next_send_us, slotrate_mean_us(&c->pace),
		    now_us);
	}
	while (p->cover_us != 0 && c->next_cover_us <= now_us) {
		(void)mixclient_send_cover(c);
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
		mixclient_answer_request(c, &m);
		return;
	}
	if (m.tag != NULL && (c->surbs == NULL ||
	    surbstore_add(c->surbs, &m, now_ms) == NULL))
		return;
	if (m.kind != NYMMSG_SURBS)
		c->cfg.events->message(c->cfg.arg, &m);
}

static void
take_ack(struct mixclient *c, const uint8_t in[static NYMPKT_ACK_PLAIN_LEN])
{
	struct pending_item *it;
	struct frag_id id;
	struct flight *f;

	if (ack_open(&id, in, c->cfg.keys.ack) != SW_OK) {
		c->stats.bad++;
		return;
	}
	if (id.pos != 0 || (f = flights_find(c->flights, id.set)) == NULL)
		return;			/* of a reply, or too old */
	f->over = true;
	slotrate_acked(&c->pace, c->now_ms - f->sent_ms - f->asked_ms,
	    c->now_ms);
	if (c->health != NULL && f->network == c->network)
		health_good(c->health, &f->path, f->sent_ms);
	if (f->what.set == 0 ||
	    (it = pending_find(c->pending, &f->what)) == NULL)
		return;
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
