#include "mix/mixtunnel_priv.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/container.h"
#include "base/log.h"
#include "base/wipe.h"

#define PAUSE_MS 1000			/* before the second try; doubles */
#define PAUSE_MAX_MS 30000
#define LINK_MS 10000			/* for TCP and the upgrade */
#define UNSENT_MAX (256u << 10)		/* bytes for the socket, then AGAIN */

/* It ends with the turn; why. */
static void
fail_link(struct mixtunnel *t, int err)
{
	t->broken = true;
	t->err = err;
}

bool
mixtunnel_link_is_full(const struct mixtunnel *t)
{
	return t->s.out_len - t->s.out_at > UNSENT_MAX;
}

void
mixtunnel_flush_link(struct mixtunnel *t)
{
	const uint8_t *p;
	size_t n;

	if (t->ws == NULL)
		return;
	p = ws_out(t->ws, &n);
	if (n > 0 && stream_put(&t->s, p, n) == SW_OK)
		ws_sent(t->ws, n);
}

void
mixtunnel_drop_link(struct mixtunnel *t, int err)
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

	if (binary && mixtunnel_link_is_full(t))
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

void
mixtunnel_open_link(struct mixtunnel *t)
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

int
mixtunnel_know_entry(struct mixtunnel *t, const struct topology *now)
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
