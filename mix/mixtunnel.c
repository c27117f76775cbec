#include "mix/mixtunnel_priv.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/container.h"
#include "base/log.h"
#include "base/wipe.h"
#include "mix/ipsum.h"

static int
mix_transmit(void *arg, const struct sw_addr *first, uint8_t rotation,
    const uint8_t *pkt, size_t len)
{
	struct mixtunnel *t = arg;
	int r;

	if (!t->linked)
		return SW_AGAIN;
	r = gwclient_forward(&t->gw, first, rotation, pkt, len);
	if (r == SW_OK)
		mixtunnel_flush_link(t);
	return r == SW_OK ? SW_OK : SW_AGAIN;
}

static void
mix_message(void *arg, const struct nymmsg *m)
{
	iprclient_take(((struct mixtunnel *)arg)->ipr, m);
}

static void
mix_idle(void *arg)
{
	iprclient_fill_slot(((struct mixtunnel *)arg)->ipr);
}

static const struct mixclient_events mix_events = {
	.transmit = mix_transmit, .message = mix_message, .idle = mix_idle,
};

static void
ipr_up(void *arg, const uint8_t ip4[static 4], const uint8_t ip6[static 16],
    uint16_t mtu)
{
	struct mixtunnel *t = arg;

	t->ip4 = addr_v4(0, 0);
	t->ip6 = (struct sw_addr){ .port = 0 };
	memcpy(t->ip4.ip + 12, ip4, 4);
	memcpy(t->ip6.ip, ip6, 16);
	t->mtu = mtu;
	t->up = true;
	t->cfg.events->up(t->cfg.arg, &t->ip4, &t->ip6, mtu);
}

static void
ipr_packet(void *arg, const uint8_t *pkt, size_t len)
{
	struct mixtunnel *t = arg;

	t->cfg.events->packet(t->cfg.arg, pkt, len);
}

static void
ipr_writable(void *arg)
{
	struct mixtunnel *t = arg;

	t->cfg.events->writable(t->cfg.arg);
}

static void
ipr_down(void *arg, int err)
{
	struct mixtunnel *t = arg;

	t->up = false;
	t->started = false;		/* ask again after a pause */
	t->cfg.events->down(t->cfg.arg, err);
}

static int64_t
ipr_unix_now(void *arg)
{
	(void)arg;
	return (int64_t)time(NULL);
}

static const struct iprclient_events ipr_events = {
	ipr_up, ipr_packet, ipr_writable, ipr_down,
};

static int64_t
earliest(const struct mixtunnel *t)
{
	int64_t at = t->retry_ms, next;

	if (t->broken)
		return 0;
	if (!t->linked)
		return gwclient_deadline(&t->gw) < at ?
		    gwclient_deadline(&t->gw) : at;
	if ((next = mixclient_deadline(t->mix)) < at)
		at = next;
	if ((next = iprclient_deadline(t->ipr)) < at)
		at = next;
	if ((next = gwclient_deadline(&t->gw)) < at)
		at = next;
	return at;
}

static void
step(struct mixtunnel *t)
{
	int64_t now = t->cfg.loop->now_ms;

	gwclient_tick(&t->gw, now);
	if (t->broken)
		mixtunnel_drop_link(t, t->err);
	if (now >= t->retry_ms) {
		if (t->ws != NULL || t->dialing)
			mixtunnel_drop_link(t, SW_ERR_TIMEOUT);
		else
			mixtunnel_open_link(t);
	}
	if (t->linked) {
		if (!t->started && !mixtunnel_link_is_full(t)) {
			t->started = true;
			iprclient_start(t->ipr, now);
		}
		iprclient_tick(t->ipr, now);
		if (!mixtunnel_link_is_full(t))
			mixclient_tick(t->mix, now);
	}
	mixtunnel_flush_link(t);
}

static void
fire(struct loop_timer *timer)
{
	(void)timer;			/* the turn's end does the work */
}

static void
turn_end(struct loop_turn *h)
{
	struct mixtunnel *t = CONTAINER_OF(h, struct mixtunnel, turn);
	int64_t at;

	step(t);
	at = earliest(t);
	if (at != t->timer.at_ms)
		loop_set_timer(t->cfg.loop, &t->timer, at);
}

void
mixtunnel_set_topology(struct mixtunnel *t, const struct topology *now)
{
	t->cfg.topology = now;
	if (mixtunnel_know_entry(t, now) != SW_OK)
		log_debug("mixtunnel: the entry is no longer announced");
	mixclient_set_topology(t->mix, now);
}

/* Who we are, and how the entry knows us, from the configuration or anew. */
static void
take_identity(struct mixtunnel *t, const struct mixtunnel_config *cfg)
{
	const struct mixtunnel_registration *r = cfg->registration;

	if (cfg->keys != NULL)
		t->keys = *cfg->keys;
	else
		rng_fill(cfg->rng, &t->keys, sizeof(t->keys));
	if (r == NULL || memcmp(r->gateway, cfg->entry, sizeof(cfg->entry)) !=
	    0)
		return;
	memcpy(t->gateway_key, r->key, sizeof(t->gateway_key));
	t->last_auth = r->last_auth;
	t->has_key = true;
}

/* The mixnet's client.  SW_OK or SW_ERR_NOMEM. */
static int
make_mixclient(struct mixtunnel *t)
{
	struct mixclient_config mix = {
		.profile = t->cfg.profile, .events = &mix_events, .arg = t,
		.rng = t->cfg.rng, .keys = t->keys,
	};

	/* Without it, it is only slower. */
	if (t->cfg.ahead &&
	    (t->preparer = preparer_new(preparer_threads())) != NULL)
		mix.ahead = preparer_source(t->preparer);
	memcpy(mix.gateway, t->cfg.entry, sizeof(mix.gateway));
	t->mix = mixclient_new(&mix);
	sw_wipe(&mix, sizeof(mix));
	if (t->mix == NULL)
		return SW_ERR_NOMEM;
	mixclient_set_topology(t->mix, t->cfg.topology);
	return SW_OK;
}

/* The exit's, on top of it.  SW_OK or SW_ERR_NOMEM. */
static int
make_iprclient(struct mixtunnel *t)
{
	const struct topology_node *exit = topology_find(t->cfg.topology,
	    t->cfg.exit.gateway);
	struct iprclient_config ipr = {
		.exit = t->cfg.exit, .version = t->cfg.exit_version,
		.likely = exit != NULL ? exit->ipr_version : 0,
		.mix = t->mix, .events = &ipr_events, .arg = t,
		.rng = t->cfg.rng, .unix_now = ipr_unix_now,
	};

	t->ipr = iprclient_new(&ipr);
	return t->ipr != NULL ? SW_OK : SW_ERR_NOMEM;
}

int
mixtunnel_new(struct mixtunnel **out, const struct mixtunnel_config *cfg)
{
	struct mixtunnel *t = calloc(1, sizeof(*t));
	int r;

	*out = NULL;
	if (t == NULL)
		return SW_ERR_NOMEM;
	t->cfg = *cfg;
	t->cfg.keys = NULL;		/* not kept */
	t->cfg.registration = NULL;
	t->s.w.fd = -1;
	t->timer.fire = fire;
	t->turn.run = turn_end;
	t->retry_ms = SW_NEVER;
	t->gw.deadline_ms = SW_NEVER;
	take_identity(t, cfg);
	if ((r = mixtunnel_know_entry(t, cfg->topology)) != SW_OK ||
	    (r = make_mixclient(t)) != SW_OK ||
	    (r = make_iprclient(t)) != SW_OK) {
		mixclient_free(t->mix);
		preparer_free(t->preparer);
		sw_wipe_free(t, sizeof(*t));
		return r;
	}
	loop_add_turn(cfg->loop, &t->turn);
	*out = t;
	return SW_OK;
}

void
mixtunnel_start(struct mixtunnel *t)
{
	if (t->ws != NULL || t->dialing)
		return;
	t->retry_ms = 0;
	loop_set_timer(t->cfg.loop, &t->timer, 0);
}

void
mixtunnel_free(struct mixtunnel *t)
{
	if (t == NULL)
		return;
	loop_del_turn(t->cfg.loop, &t->turn);
	loop_set_timer(t->cfg.loop, &t->timer, SW_NEVER);
	stream_close(&t->s);
	ws_free(t->ws);
	iprclient_free(t->ipr);
	mixclient_free(t->mix);
	preparer_free(t->preparer);
	sw_wipe_free(t, sizeof(*t));
}

int
mixtunnel_send(struct mixtunnel *t, const uint8_t *pkt, size_t len)
{
	uint8_t copy[IPRMSG_BUNDLE_MAX];

	if (!t->cfg.fill_checksums || len > sizeof(copy))
		return iprclient_send(t->ipr, pkt, len);
	memcpy(copy, pkt, len);
	ipsum_fill(copy, len);
	return iprclient_send(t->ipr, copy, len);
}

void
mixtunnel_stop(struct mixtunnel *t)
{
	iprclient_stop(t->ipr);
}

void
mixtunnel_stats(const struct mixtunnel *t, struct mixtunnel_stats *out)
{
	*out = (struct mixtunnel_stats){
		.mix = *mixclient_stats(t->mix),
		.links = t->links,
		.shunned = mixclient_shunned(t->mix),
		.linked = t->linked,
		.up = t->up && t->linked,
	};
}
