#include "mix/node_private.h"

#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/container.h"
#include "base/wipe.h"

#define QUEUE_PACKETS 16384
#define SWEEP_MS 3600000

void
node_arm(struct node *n)
{
	int64_t at = mixnode_deadline(n->mix);

	if (at != n->timer.at_ms)
		loop_set_timer(n->loop, &n->timer, at);
}

/* Nym's rule: the address has to be a known node's, at whatever port. */
static bool
allowed(void *arg, const struct sw_addr *next)
{
	const struct node *n = arg;

	if (n->view == NULL)
		return true;
	for (size_t i = 0; i < n->view->n; i++)
		if (addr_same_ip(&n->view->node[i].mix, next))
			return true;
	return false;
}

static const struct mixnode_events mix_events = {
	node_emit, node_deliver, allowed,
};

static void
tick(struct loop_timer *t)
{
	struct node *n = CONTAINER_OF(t, struct node, timer);

	mixnode_tick(n->mix, n->loop->now_ms);
	node_arm(n);
}

static void
sweep(struct loop_timer *t)
{
	struct node *n = CONTAINER_OF(t, struct node, hourly);

	node_sweep_inbox(n);
	loop_set_timer(n->loop, t, n->loop->now_ms + SWEEP_MS);
}

static void
handshake_failed(void *arg)
{
	((struct node *)arg)->handshakes_bad++;
}

static int
start_listener(struct node *n, struct loop_fd *w, struct sw_addr *a,
    void (*ready)(struct loop_fd *, uint32_t))
{
	if ((w->fd = stream_listen_fd(a)) < 0)
		return SW_ERR_SYS;
	w->ready = ready;
	return loop_add(n->loop, w, EPOLLIN);
}

static struct mixnode *
new_mixnode(struct node *n)
{
	struct mixnode_config mix = {
		.rotation_id = n->cfg.rotation_id,
		.mix = n->cfg.mix,
		.gateway = n->cfg.gateway,
		.queue = QUEUE_PACKETS,
		.replay_limit = n->cfg.replay_bytes,
		.events = &mix_events,
		.arg = n,
	};
	struct mixnode *m;

	memcpy(mix.sk, n->cfg.sphinx, sizeof(mix.sk));
	m = mixnode_new(&mix);
	sw_wipe(&mix, sizeof(mix));
	return m;
}

int
node_new(struct node **out, struct loop *l, const struct node_config *cfg)
{
	struct node *n = calloc(1, sizeof(*n));
	int r = SW_ERR_NOMEM;

	*out = NULL;
	if (n == NULL)
		return r;
	n->cfg = *cfg;
	if (n->cfg.replay_bytes == 0)
		n->cfg.replay_bytes = NODE_REPLAY_BYTES;
	n->loop = l;
	n->greeter = (struct greeter){
		.loop = l, .tls = cfg->tls, .max = NODE_FRESH_MAX,
		.ready = node_add_client, .failed = handshake_failed, .arg = n,
	};
	n->timer.fire = tick;
	n->hourly.fire = sweep;
	n->mix_listener.fd = n->ws_listener.fd = n->wss_listener.fd = -1;
	if ((n->mix = new_mixnode(n)) == NULL ||
	    (r = start_listener(n, &n->mix_listener, &n->cfg.mix_addr,
	    node_accept_links)) != SW_OK ||
	    (cfg->gateway && (r = start_listener(n, &n->ws_listener,
	    &n->cfg.ws_addr, node_accept_clients)) != SW_OK) ||
	    (cfg->gateway && cfg->tls != NULL &&
	    (r = start_listener(n, &n->wss_listener, &n->cfg.wss_addr,
	    node_accept_tls_clients)) != SW_OK)) {
		node_free(n);
		return r;
	}
	if (cfg->accounts != NULL && (r = node_load_accounts(n)) != SW_OK) {
		node_free(n);
		return r;
	}
	loop_set_timer(l, &n->hourly, l->now_ms + SWEEP_MS);
	*out = n;
	return SW_OK;
}

static void
stop_listener(struct node *n, struct loop_fd *w)
{
	if (w->fd < 0)
		return;
	loop_del(n->loop, w);
	close(w->fd);
	w->fd = -1;
}

void
node_free(struct node *n)
{
	if (n == NULL)
		return;
	stop_listener(n, &n->mix_listener);
	stop_listener(n, &n->ws_listener);
	stop_listener(n, &n->wss_listener);
	loop_set_timer(n->loop, &n->timer, SW_NEVER);
	loop_set_timer(n->loop, &n->hourly, SW_NEVER);
	greeter_close(&n->greeter);
	node_close_clients(n);
	node_close_links(n);
	mixnode_free(n->mix);
	sw_wipe_free(n, sizeof(*n));
}

const struct sw_addr *
node_mix_addr(const struct node *n)
{
	return &n->cfg.mix_addr;
}

const struct sw_addr *
node_ws_addr(const struct node *n)
{
	return &n->cfg.ws_addr;
}

const struct sw_addr *
node_wss_addr(const struct node *n)
{
	return &n->cfg.wss_addr;
}

void
node_set_view(struct node *n, const struct topology *t)
{
	n->view = t;
}

int
node_rotate(struct node *n, const uint8_t sk[static 32], uint32_t rotation_id)
{
	return mixnode_rotate(n->mix, sk, rotation_id);
}

void
node_retire(struct node *n)
{
	mixnode_retire(n->mix);
}

void
node_embed(struct node *n, const uint8_t identity[static 32],
    void (*deliver)(void *arg, uint8_t *data, size_t n), void *arg)
{
	memcpy(n->embedded, identity, sizeof(n->embedded));
	n->deliver_embedded = deliver;
	n->embedded_arg = arg;
}

void
node_forward(struct node *n, const struct sw_addr *first, uint8_t rotation,
    const uint8_t *pkt, size_t len)
{
	mixnode_forward(n->mix, first, rotation, pkt, len);
}

void
node_stats(const struct node *n, struct node_stats *out)
{
	*out = (struct node_stats){
		.mix = *mixnode_stats(n->mix),
		.clients = n->clients,
		.peers = HASH_COUNT(n->peers),
		.stored = n->stored,
		.frames_bad = n->frames_bad,
		.link_full = n->link_full,
		.handshakes_bad = n->handshakes_bad,
		.inbox_full = n->inbox_full,
		.push_full = n->push_full,
	};
}
