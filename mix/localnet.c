#include "mix/localnet.h"

#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/container.h"
#include "base/wipe.h"
#include "mix/prim.h"

#define EXIT_PEERS 256

struct localnet {
	struct localnet_config cfg;
	struct node_config node_cfg[LOCALNET_NODES];
	struct node *node[LOCALNET_NODES];
	struct topology *topology;
	struct mixclient *mix;		/* the exit's */
	struct iprexit *exit;
	struct loop_turn turn;
	struct loop_timer timer;
};

static int
exit_transmit(void *arg, const struct sw_addr *first, uint8_t rotation,
    const uint8_t *pkt, size_t len)
{
	struct localnet *n = arg;

	node_forward(n->node[LOCALNET_EXIT], first, rotation, pkt, len);
	return SW_OK;
}

static void
exit_message(void *arg, const struct nymmsg *m)
{
	struct localnet *n = arg;

	iprexit_take(n->exit, m, n->cfg.loop->now_ms);
}

static const struct mixclient_events exit_events = {
	exit_transmit, exit_message,
};

static void
exit_deliver(void *arg, uint8_t *data, size_t len)
{
	struct localnet *n = arg;

	mixclient_deliver(n->mix, data, len, n->cfg.loop->now_ms);
}

static void
exit_fire(struct loop_timer *t)
{
	(void)t;			/* the turn's end does the work */
}

static void
exit_turn(struct loop_turn *h)
{
	struct localnet *n = CONTAINER_OF(h, struct localnet, turn);
	int64_t now = n->cfg.loop->now_ms, at, next;

	iprexit_tick(n->exit, now);
	mixclient_tick(n->mix, now);
	at = mixclient_deadline(n->mix);
	if ((next = iprexit_deadline(n->exit)) < at)
		at = next;
	if (at != n->timer.at_ms)
		loop_set_timer(n->cfg.loop, &n->timer, at);
}

static int
start_node(struct localnet *n, size_t i)
{
	int r = node_new(&n->node[i], n->cfg.loop, &n->node_cfg[i]);

	if (r != SW_OK)
		return r;
	n->node_cfg[i].mix_addr = *node_mix_addr(n->node[i]);
	n->node_cfg[i].ws_addr = *node_ws_addr(n->node[i]);
	if (i == LOCALNET_EXIT && n->mix != NULL)
		node_embed(n->node[i], mixclient_address(n->mix)->identity,
		    exit_deliver, n);
	return SW_OK;
}

int
localnet_restart(struct localnet *n, size_t i)
{
	node_free(n->node[i]);
	n->node[i] = NULL;
	return start_node(n, i);
}

static int
start_nodes(struct localnet *n)
{
	int r = SW_OK;

	for (size_t i = 0; i < LOCALNET_NODES && r == SW_OK; i++) {
		struct node_config *c = &n->node_cfg[i];

		rng_fill(n->cfg.rng, c->identity, sizeof(c->identity));
		rng_fill(n->cfg.rng, c->sphinx, sizeof(c->sphinx));
		c->mix = i < TOPOLOGY_LAYERS;
		c->gateway = !c->mix;
		c->mix_addr = c->ws_addr = n->cfg.addr;
		c->rng = n->cfg.rng;
		r = start_node(n, i);
	}
	return r;
}

static int
make_topology(struct localnet *n)
{
	struct topology *t = calloc(1, sizeof(*t));
	int r;

	n->topology = t;
	if (t == NULL || (t->node = calloc(LOCALNET_NODES,
	    sizeof(*t->node))) == NULL)
		return SW_ERR_NOMEM;
	for (size_t i = 0; i < LOCALNET_NODES; i++) {
		const struct node_config *c = &n->node_cfg[i];
		struct topology_node *d = &t->node[t->n++];

		d->id = (uint32_t)i + 1;
		d->mix = c->mix_addr;
		prim_ed25519_public(d->identity, c->identity);
		prim_x25519_base(d->sphinx, c->sphinx);
		d->performance = 100;
		d->mixnode = c->mix;
		d->entry = d->exit = c->gateway;
		if (c->gateway)
			d->ws = c->ws_addr;
		if ((r = topology_prepare(t, i)) != SW_OK)
			return r;
		if (!c->mix)
			continue;
		if ((t->layer[i] = calloc(1, sizeof(size_t))) == NULL)
			return SW_ERR_NOMEM;
		t->layer[i][0] = i;
		t->n_layer[i] = 1;
	}
	return SW_OK;
}

static int
start_exit(struct localnet *n)
{
	struct mixclient_config mix = {
		.profile = mix_profile_find("raw"), .events = &exit_events,
		.arg = n, .rng = n->cfg.rng, .peers = EXIT_PEERS,
	};
	struct iprexit_config exit = {
		.policy = n->cfg.policy, .events = n->cfg.events,
		.arg = n->cfg.arg, .rng = n->cfg.rng,
	};

	rng_fill(n->cfg.rng, &mix.keys, sizeof(mix.keys));
	memcpy(mix.gateway, n->topology->node[LOCALNET_EXIT].identity,
	    sizeof(mix.gateway));
	n->mix = mixclient_new(&mix);
	sw_wipe(&mix, sizeof(mix));
	if (n->mix == NULL)
		return SW_ERR_NOMEM;
	n->topology->node[LOCALNET_EXIT].has_ipr = true;
	n->topology->node[LOCALNET_EXIT].ipr_version = IPRMSG_V10;
	n->topology->node[LOCALNET_EXIT].ipr = *mixclient_address(n->mix);
	mixclient_set_topology(n->mix, n->topology);
	exit.mix = n->mix;
	if ((n->exit = iprexit_new(&exit)) == NULL)
		return SW_ERR_NOMEM;
	node_embed(n->node[LOCALNET_EXIT],
	    mixclient_address(n->mix)->identity, exit_deliver, n);
	n->timer.fire = exit_fire;
	n->turn.run = exit_turn;
	loop_add_turn(n->cfg.loop, &n->turn);
	return SW_OK;
}

int
localnet_new(struct localnet **out, const struct localnet_config *cfg)
{
	struct localnet *n = calloc(1, sizeof(*n));
	int r = SW_ERR_NOMEM;

	*out = NULL;
	if (n == NULL)
		return r;
	n->cfg = *cfg;
	n->cfg.addr.port = 0;
	if (addr_is_any(&n->cfg.addr))
		n->cfg.addr = addr_v4(0x7f000001, 0);
	if ((r = start_nodes(n)) != SW_OK ||
	    (r = make_topology(n)) != SW_OK ||
	    (r = start_exit(n)) != SW_OK) {
		localnet_free(n);
		return r;
	}
	*out = n;
	return SW_OK;
}

void
localnet_free(struct localnet *n)
{
	if (n == NULL)
		return;
	if (n->turn.run != NULL) {
		loop_del_turn(n->cfg.loop, &n->turn);
		loop_set_timer(n->cfg.loop, &n->timer, SW_NEVER);
	}
	for (size_t i = 0; i < LOCALNET_NODES; i++)
		node_free(n->node[i]);
	iprexit_free(n->exit);
	mixclient_free(n->mix);
	topology_free(n->topology);
	sw_wipe_free(n, sizeof(*n));
}

const struct topology *
localnet_topology(const struct localnet *n)
{
	return n->topology;
}

const struct recipient *
localnet_exit(const struct localnet *n)
{
	return mixclient_address(n->mix);
}

struct node *
localnet_node(const struct localnet *n, size_t i)
{
	return n->node[i];
}

int
localnet_send(struct localnet *n, const struct sw_addr *to,
    const uint8_t *pkt, size_t len)
{
	return iprexit_send(n->exit, to, pkt, len);
}
