#include "mix/localnet.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/wipe.h"
#include "mix/prim.h"
#include "mix/router.h"

struct localnet {
	struct localnet_config cfg;
	struct node_config node_cfg[LOCALNET_NODES];
	struct node *node[LOCALNET_NODES];
	struct topology *topology;
	struct router *router;
};

static int
start_node(struct localnet *n, size_t i)
{
	int r = node_new(&n->node[i], n->cfg.loop, &n->node_cfg[i]);

	if (r != SW_OK)
		return r;
	n->node_cfg[i].mix_addr = *node_mix_addr(n->node[i]);
	n->node_cfg[i].ws_addr = *node_ws_addr(n->node[i]);
	n->node_cfg[i].wss_addr = *node_wss_addr(n->node[i]);
	if (i == LOCALNET_EXIT && n->router != NULL)
		router_attach(n->router, n->node[i]);
	return SW_OK;
}

int
localnet_restart(struct localnet *n, size_t i)
{
	if (i == LOCALNET_EXIT)
		router_attach(n->router, NULL);
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
		c->mix_addr = c->ws_addr = c->wss_addr = n->cfg.addr;
		c->tls = n->cfg.tls;
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
		if (c->gateway && c->tls != NULL) {
			d->wss_port = c->wss_addr.port;
			snprintf(d->host, sizeof(d->host), "%s", n->cfg.host);
		}
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
	struct topology_node *d = &n->topology->node[LOCALNET_EXIT];
	struct router_config cfg = {
		.loop = n->cfg.loop, .rng = n->cfg.rng,
		.policy = n->cfg.policy, .events = n->cfg.events,
		.arg = n->cfg.arg, .ahead = n->cfg.ahead,
	};

	rng_fill(n->cfg.rng, &cfg.keys, sizeof(cfg.keys));
	memcpy(cfg.gateway, d->identity, sizeof(cfg.gateway));
	n->router = router_new(&cfg);
	sw_wipe(&cfg, sizeof(cfg));
	if (n->router == NULL)
		return SW_ERR_NOMEM;
	d->has_ipr = true;
	d->ipr_version = IPRMSG_V10;
	d->ipr = *router_address(n->router);
	router_set_topology(n->router, n->topology);
	router_attach(n->router, n->node[LOCALNET_EXIT]);
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
	for (size_t i = 0; i < LOCALNET_NODES; i++)
		node_free(n->node[i]);
	router_free(n->router);
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
	return router_address(n->router);
}

struct node *
localnet_node(const struct localnet *n, size_t i)
{
	return n->node[i];
}

const struct iprexit_stats *
localnet_routed(const struct localnet *n)
{
	return router_stats(n->router);
}

int
localnet_send(struct localnet *n, const struct sw_addr *to,
    const uint8_t *pkt, size_t len)
{
	return router_send(n->router, to, pkt, len);
}
