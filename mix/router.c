#include "mix/router.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/container.h"
#include "base/wipe.h"
#include "mix/preparer.h"

#define PEERS 256

struct router {
	struct loop *loop;
	struct node *node;
	struct preparer *preparer;	/* NULL: acks are made as they go */
	struct mixclient *mix;
	struct iprexit *exit;
	struct loop_turn turn;
	struct loop_timer timer;
};

static int
transmit(void *arg, const struct sw_addr *first, uint8_t rotation,
    const uint8_t *pkt, size_t len)
{
	struct router *r = arg;

	if (r->node != NULL)
		node_forward(r->node, first, rotation, pkt, len);
	return SW_OK;
}

static void
message(void *arg, const struct nymmsg *m)
{
	struct router *r = arg;

	iprexit_take(r->exit, m, r->loop->now_ms);
}

static const struct mixclient_events mix_events = {
	.transmit = transmit, .message = message,
};

static void
deliver(void *arg, uint8_t *data, size_t len)
{
	struct router *r = arg;

	mixclient_deliver(r->mix, data, len, r->loop->now_ms);
}

static void
fire(struct loop_timer *t)
{
	(void)t;			/* the turn's end does the work */
}

static void
end_turn(struct loop_turn *h)
{
	struct router *r = CONTAINER_OF(h, struct router, turn);
	int64_t now = r->loop->now_ms, at, next;

	iprexit_tick(r->exit, now);
	mixclient_tick(r->mix, now);
	at = mixclient_deadline(r->mix);
	if ((next = iprexit_deadline(r->exit)) < at)
		at = next;
	if (at != r->timer.at_ms)
		loop_set_timer(r->loop, &r->timer, at);
}

struct router *
router_new(const struct router_config *cfg)
{
	struct router *r = calloc(1, sizeof(*r));
	struct mixclient_config mix = {
		.keys = cfg->keys, .profile = mix_profile_find("raw"),
		.events = &mix_events, .arg = r, .rng = cfg->rng,
		.peers = PEERS,
	};
	struct iprexit_config exit = {
		.policy = cfg->policy, .events = cfg->events,
		.arg = cfg->arg, .rng = cfg->rng,
	};

	if (r != NULL && cfg->ahead &&
	    (r->preparer = preparer_new(preparer_threads())) != NULL)
		mix.ahead = preparer_source(r->preparer);
	memcpy(mix.gateway, cfg->gateway, sizeof(mix.gateway));
	if (r != NULL && (exit.mix = r->mix = mixclient_new(&mix)) != NULL)
		r->exit = iprexit_new(&exit);
	sw_wipe(&mix, sizeof(mix));
	if (r == NULL || r->exit == NULL) {
		router_free(r);
		return NULL;
	}
	r->loop = cfg->loop;
	r->timer.fire = fire;
	r->turn.run = end_turn;
	loop_add_turn(r->loop, &r->turn);
	return r;
}

void
router_free(struct router *r)
{
	if (r == NULL)
		return;
	if (r->loop != NULL) {
		loop_del_turn(r->loop, &r->turn);
		loop_set_timer(r->loop, &r->timer, SW_NEVER);
	}
	iprexit_free(r->exit);
	mixclient_free(r->mix);
	preparer_free(r->preparer);
	free(r);
}

void
router_attach(struct router *r, struct node *n)
{
	r->node = n;
	if (n != NULL)
		node_embed(n, router_address(r)->identity, deliver, r);
}

void
router_set_topology(struct router *r, const struct topology *t)
{
	mixclient_set_topology(r->mix, t);
}

const struct recipient *
router_address(const struct router *r)
{
	return mixclient_address(r->mix);
}

const struct iprexit_stats *
router_stats(const struct router *r)
{
	return iprexit_stats(r->exit);
}

int
router_send(struct router *r, const struct sw_addr *to, const uint8_t *pkt,
    size_t len)
{
	return iprexit_send(r->exit, to, pkt, len);
}
