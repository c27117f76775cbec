#include "mix/mixtunnel.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/container.h"
#include "base/log.h"
#include "base/wipe.h"
#include "mix/gwclient.h"
#include "mix/ipsum.h"
#include "mix/iprclient.h"
#include "mix/preparer.h"
#include "mix/stream.h"
#include "mix/ws.h"

#define PAUSE_MS 1000			/* before the second try; doubles */
#define PAUSE_MAX_MS 30000
#define LINK_MS 10000			/* for TCP and the upgrade */
#define UNSENT_MAX (256u << 10)		/* bytes for the socket, then AGAIN */

struct mixtunnel {
	struct stream s;
	struct mixtunnel_config cfg;
	struct mixclient_keys keys;
	struct topology_node entry;	/* a copy, without its table */
	struct ws *ws;
	struct gwclient gw;
	struct preparer *preparer;	/* NULL: packets are made as they go */
	struct mixclient *mix;
	struct iprclient *ipr;
	struct loop_timer timer;
	struct loop_turn turn;
	bool linked;			/* the gateway session is ready */
	bool has_key;
	uint8_t gateway_key[GWLINK_KEY_LEN];
	uint64_t last_auth;
	int64_t pause_ms, retry_ms;	/* retry_ms: SW_NEVER while linked */
	bool dialing;			/* dial() has not been answered */
	bool broken;			/* drop the link at the turn's end */
	bool up, started;		/* the exit's word, and ours to it */
	struct sw_addr ip4, ip6;	/* what it gave us */
	uint16_t mtu;
	int err;
	uint64_t links;
};

/* The link. */

/* It ends with the turn; why. */
static void
fail_link(struct mixtunnel *t, int err)
{
	t->broken = true;
	t->err = err;
}

static bool
link_is_full(const struct mixtunnel *t)
{
	return t->s.out_len - t->s.out_at > UNSENT_MAX;
}

static void
flush_link(struct mixtunnel *t)
{
	const uint8_t *p;
	size_t n;

	if (t->ws == NULL)
		return;
	p = ws_out(t->ws, &n);
	if (n > 0 && stream_put(&t->s, p, n) == SW_OK)
		ws_sent(t->ws, n);
}

/* Forget the link; what it carried is sent again by its acks.  Not from
 * within a callback of the websocket. */
static void
drop_link(struct mixtunnel *t, int err)
{
	stream_close(&t->s);
	ws_free(t->ws);
	t->ws = NULL;
	t->linked = false;
	t->dialing = false;
	t->broken = false;
	gwclient_wipe(&t->gw);
	t->gw.deadline_ms = SW_NEVER;
	t->pause_ms = t->pause_ms == 0 ? PAUSE_MS : 2 * t->pause_ms;
	if (t->pause_ms > PAUSE_MAX_MS)
		t->pause_ms = PAUSE_MAX_MS;
	t->retry_ms = t->cfg.loop->now_ms + t->pause_ms;
	log_debug("mixtunnel: the link is gone: %s", sw_strerror(err));
	t->cfg.events->down(t->cfg.arg, err);
}

static int
gw_send(void *arg, bool binary, const void *data, size_t n)
{
	struct mixtunnel *t = arg;

	if (binary && link_is_full(t))
		return SW_AGAIN;
	return t->ws != NULL ? ws_send(t->ws, binary, data, n) : SW_ERR_DOWN;
}

static void
tell_registration(struct mixtunnel *t)
{
	struct mixtunnel_registration r = { .last_auth = t->last_auth };

	if (t->cfg.events->registered == NULL)
		return;
	memcpy(r.gateway, t->cfg.entry, sizeof(r.gateway));
	memcpy(r.key, t->gateway_key, sizeof(r.key));
	t->cfg.events->registered(t->cfg.arg, &r);
	sw_wipe(&r, sizeof(r));
}

static void
gw_ready(void *arg)
{
	struct mixtunnel *t = arg;

	memcpy(t->gateway_key, t->gw.key, sizeof(t->gateway_key));
	t->has_key = true;
	tell_registration(t);
	t->linked = true;
	t->pause_ms = 0;
	t->retry_ms = SW_NEVER;
	if (!t->started) {
		t->started = true;
		iprclient_start(t->ipr, t->cfg.loop->now_ms);
		return;
	}
	iprclient_relinked(t->ipr, t->cfg.loop->now_ms);
	if (t->up)			/* the exit knows us still */
		t->cfg.events->up(t->cfg.arg, &t->ip4, &t->ip6, t->mtu);
}

static void
gw_pushed(void *arg, uint8_t *data, size_t n)
{
	struct mixtunnel *t = arg;

	mixclient_deliver(t->mix, data, n, t->cfg.loop->now_ms);
}

static void
gw_failed(void *arg, int err)
{
	struct mixtunnel *t = arg;

	if (err == SW_ERR_AUTH)
		t->has_key = false;	/* the gateway forgot us: register */
	fail_link(t, err);
}

static const struct gwclient_events gw_events = {
	gw_send, gw_ready, gw_pushed, gw_failed,
};

static void
ws_open(void *arg)
{
	struct mixtunnel *t = arg;

	gwclient_start(&t->gw, t->cfg.loop->now_ms);
}

static void
ws_message(void *arg, bool binary, uint8_t *data, size_t n)
{
	struct mixtunnel *t = arg;

	gwclient_take(&t->gw, binary, data, n, t->cfg.loop->now_ms);
}

static const struct ws_events ws_events = { ws_open, ws_message };

static int
link_data(struct stream *s, struct rbuf *in)
{
	return ws_feed(CONTAINER_OF(s, struct mixtunnel, s)->ws, in);
}

static void
link_closed(struct stream *s, int err)
{
	struct mixtunnel *t = CONTAINER_OF(s, struct mixtunnel, s);

	fail_link(t, err);
}

static const struct stream_ops link_ops = { link_data, NULL, link_closed };

/* Authentications of one identity need times that grow. */
static uint64_t
auth_time(struct mixtunnel *t)
{
	uint64_t now = (uint64_t)time(NULL);

	t->last_auth = now > t->last_auth ? now : t->last_auth + 1;
	return t->last_auth;
}

/* A stream to the gateway is there, or will be. */
static void
use_stream(struct mixtunnel *t, int fd, bool connecting)
{
	char host[TOPOLOGY_HOST_MAX + 16], ip[SW_ADDR_TEXT_LEN];
	const struct sw_addr *a = &t->entry.ws;

	if (fd < 0 || stream_open(&t->s, t->cfg.loop, fd, connecting,
	    &link_ops) != SW_OK) {
		fail_link(t, SW_ERR_UNREACH_NET);
		return;
	}
	if (t->cfg.tls)
		snprintf(host, sizeof(host), "%s:%u", t->entry.host,
		    t->entry.wss_port);
	else
		snprintf(host, sizeof(host), addr_is_v4(a) ? "%s:%u" :
		    "[%s]:%u", addr_ip_text(a, ip), a->port);
	t->ws = ws_new(host, &ws_events, t, t->cfg.rng);
	if (t->ws == NULL) {
		fail_link(t, SW_ERR_NOMEM);
		return;
	}
	gwclient_init(&t->gw, t->keys.identity, t->cfg.entry,
	    t->has_key ? t->gateway_key : NULL, auth_time(t), &gw_events, t,
	    t->cfg.rng);
}

static void
open_link(struct mixtunnel *t)
{
	struct mixtunnel_endpoint to = { .host = t->entry.host,
	    .addr = t->entry.ws, .port = t->entry.ws.port,
	    .tls = t->cfg.tls };

	t->links++;
	t->retry_ms = t->cfg.loop->now_ms + LINK_MS;
	if (t->cfg.events->dial == NULL) {
		use_stream(t, stream_connect_fd(&t->entry.ws), true);
		return;
	}
	if (to.tls)
		to.port = to.addr.port = t->entry.wss_port;
	t->dialing = true;
	t->cfg.events->dial(t->cfg.arg, &to);
}

void
mixtunnel_dialed(struct mixtunnel *t, int fd, int err)
{
	int flags;

	if (!t->dialing) {		/* too late: it was given up */
		if (fd >= 0)
			close(fd);
		return;
	}
	t->dialing = false;
	if (fd < 0) {
		fail_link(t, err);
		return;
	}
	flags = fcntl(fd, F_GETFL);
	if (flags < 0 || fcntl(fd, F_SETFL, flags | O_NONBLOCK) != 0) {
		close(fd);
		fail_link(t, SW_ERR_SYS);
		return;
	}
	use_stream(t, fd, false);
}

/* The mixnet. */

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
		flush_link(t);
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

/* The exit. */

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

/* Time. */

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
		drop_link(t, t->err);
	if (now >= t->retry_ms) {
		if (t->ws != NULL || t->dialing)
			drop_link(t, SW_ERR_TIMEOUT);
		else
			open_link(t);
	}
	if (t->linked) {
		if (!t->started && !link_is_full(t)) {
			t->started = true;
			iprclient_start(t->ipr, now);
		}
		iprclient_tick(t->ipr, now);
		if (!link_is_full(t))
			mixclient_tick(t->mix, now);
	}
	flush_link(t);
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

/* The entry gateway as this topology describes it. */
static int
know_entry(struct mixtunnel *t, const struct topology *now)
{
	const struct topology_node *n = topology_find(now, t->cfg.entry);

	if (n == NULL || (t->cfg.tls ? n->wss_port == 0 ||
	    n->host[0] == '\0' || t->cfg.events->dial == NULL :
	    n->ws.port == 0))
		return SW_ERR_UNREACH_HOST;
	t->entry = *n;
	t->entry.table = NULL;
	return SW_OK;
}

void
mixtunnel_set_topology(struct mixtunnel *t, const struct topology *now)
{
	t->cfg.topology = now;
	if (know_entry(t, now) != SW_OK)
		log_debug("mixtunnel: the entry is no longer announced");
	mixclient_set_topology(t->mix, now);
}

int
mixtunnel_new(struct mixtunnel **out, const struct mixtunnel_config *cfg)
{
	struct mixtunnel *t = calloc(1, sizeof(*t));
	struct mixclient_config mix = {
		.profile = cfg->profile, .events = &mix_events, .arg = t,
		.rng = cfg->rng,
	};
	struct iprclient_config ipr = {
		.exit = cfg->exit, .version = cfg->exit_version,
		.events = &ipr_events, .arg = t, .rng = cfg->rng,
		.unix_now = ipr_unix_now,
	};
	const struct topology_node *exit;
	int r = SW_ERR_NOMEM;

	*out = NULL;
	if (t == NULL)
		return r;
	t->cfg = *cfg;
	t->cfg.keys = NULL;		/* not kept */
	t->cfg.registration = NULL;
	t->s.w.fd = -1;
	t->timer.fire = fire;
	t->turn.run = turn_end;
	t->retry_ms = SW_NEVER;
	t->gw.deadline_ms = SW_NEVER;
	if (cfg->keys != NULL)
		t->keys = *cfg->keys;
	else
		rng_fill(cfg->rng, &t->keys, sizeof(t->keys));
	if (cfg->registration != NULL && memcmp(cfg->registration->gateway,
	    cfg->entry, sizeof(cfg->entry)) == 0) {
		memcpy(t->gateway_key, cfg->registration->key,
		    sizeof(t->gateway_key));
		t->last_auth = cfg->registration->last_auth;
		t->has_key = true;
	}
	if ((r = know_entry(t, cfg->topology)) != SW_OK)
		goto fail;
	r = SW_ERR_NOMEM;
	/* Without it, it is only slower. */
	if (cfg->ahead &&
	    (t->preparer = preparer_new(preparer_threads())) != NULL)
		mix.ahead = preparer_source(t->preparer);
	mix.keys = t->keys;
	memcpy(mix.gateway, cfg->entry, sizeof(mix.gateway));
	t->mix = mixclient_new(&mix);
	sw_wipe(&mix, sizeof(mix));
	if (t->mix == NULL)
		goto fail;
	mixclient_set_topology(t->mix, cfg->topology);
	if ((exit = topology_find(cfg->topology, cfg->exit.gateway)) != NULL)
		ipr.likely = exit->ipr_version;
	ipr.mix = t->mix;
	if ((t->ipr = iprclient_new(&ipr)) == NULL)
		goto fail;
	loop_add_turn(cfg->loop, &t->turn);
	*out = t;
	return SW_OK;
fail:
	mixclient_free(t->mix);
	preparer_free(t->preparer);
	sw_wipe_free(t, sizeof(*t));
	return r;
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
