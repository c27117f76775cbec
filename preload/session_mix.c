#include "preload/session_mix.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/container.h"
#include "base/log.h"
#include "base/wipe.h"
#include "mix/netdir.h"
#include "mix/prim.h"
#include "preload/session_hop.h"

#define FIRST_MS 45000			/* to be up for the first time */
#define GOODBYE_TURNS 20		/* of 10 ms, for what leaves last */

static struct session_mix *
mix_of(struct session_tunnel *t)
{
	return (struct session_mix *)(void *)t;
}

/* --- state --------------------------------------------------------------- */

void
mix_fail(struct session_mix *t, int err, const char *why)
{
	bool give_up = !t->was_up && !t->t.s->start.wait;

	if (t->t.state == STATE_FAILED)
		return;
	session_tunnel_tell(&t->t, give_up ? STATE_FAILED : STATE_DOWN, err,
	    why);
}

void
mix_is_up(struct session_mix *t)
{
	loop_set_timer(&t->t.s->loop, &t->first, SW_NEVER);
	t->was_up = true;
	session_tunnel_tell(&t->t, STATE_UP, SW_OK, NULL);
}

static void
first_is_late(struct loop_timer *timer)
{
	struct session_mix *t = CONTAINER_OF(timer, struct session_mix, first);

	mix_fail(t, SW_ERR_TIMEOUT, t->mix == NULL ?
	    "could not learn the network in time" :
	    "could not reach the exit through the mixnet in time; try another "
	    "with --exit, or another gateway with --entry");
}

/* From when on it has to be up for the first time. */
static void
start_first(struct session_mix *t)
{
	struct session *s = t->t.s;

	if (!t->was_up && !s->start.wait)
		loop_set_timer(&s->loop, &t->first, s->loop.now_ms + FIRST_MS);
}

bool
mix_may_start(const struct session_mix *t)
{
	return t->t.below == NULL || t->t.below->state == STATE_UP;
}

/* The tunnel before it is there, or there again. */
static void
wake(struct session_tunnel *base)
{
	struct session_mix *t = mix_of(base);
	char why[256];
	int r = SW_OK;

	start_first(t);
	if (t->mix != NULL)
		mixtunnel_start(t->mix);
	else if (t->dir == NULL)
		r = mix_net_start(t, why);
	if (r != SW_OK)
		mix_fail(t, r, why);
}

static void
went_up(void *arg, const struct sw_addr *ip4, const struct sw_addr *ip6,
    uint16_t mtu)
{
	struct session_mix *t = arg;

	mix_packets_up(t, ip4, ip6, mtu);
	if (t->was_up)
		mix_is_up(t);
	else
		mix_names_probe(t);
}

static void
got_packet(void *arg, const uint8_t *pkt, size_t len)
{
	mix_packets_input(arg, pkt, len);
}

static void
got_room(void *arg)
{
	mix_packets_drain(arg);
}

static void
went_down(void *arg, int err)
{
	struct session_mix *t = arg;
	char why[TRANSPORT_WHY_LEN + 128], ip[SW_ADDR_TEXT_LEN];
	bool unlinked = t->link.dialing != NULL || t->link.why[0] != '\0';
	struct mixtunnel_stats st;

	mix_names_stop(t);
	mix_packets_down(t);
	mixtunnel_stats(t->mix, &st);
	if (t->link.why[0] != '\0' && !mix_link_is_direct(t))
		snprintf(why, sizeof(why), "could not reach the entry gateway: "
		    "%s%s", t->link.why, t->link.is_tls && start_text(
		    &t->t.s->start, TEXT_ENTRY_TLS) == NULL ? "; its plain "
		    "websocket is to be had by --entry-tls never" : "");
	else if (err == SW_ERR_AUTH)
		snprintf(why, sizeof(why), "the entry gateway does not accept "
		    "us; try another with --entry");
	else if (err == SW_ERR_TIMEOUT && st.mix.sent > 0 && !unlinked)
		snprintf(why, sizeof(why), "the exit does not answer; try "
		    "another with --exit");
	else
		snprintf(why, sizeof(why), "could not reach the entry gateway "
		    "%s port %u: %s", addr_ip_text(&t->entry.ws, ip),
		    mix_entry_port(t), sw_strerror(err));
	mix_fail(t, err, why);
}

static void
is_registered(void *arg, const struct mixtunnel_registration *r)
{
	struct session_mix *t = arg;
	char why[IDENTITY_WHY_LEN];

	if (t->identity_file == NULL)
		return;
	identity_remember(&t->identity, r);
	if (identity_store(&t->identity, t->identity_file, why) != SW_OK)
		session_warn(t->t.s, why);
}

static const struct mixtunnel_events mix_events = {
	.up = went_up, .packet = got_packet, .writable = got_room,
	.down = went_down, .registered = is_registered, .dial = mix_link_dial,
};

/* --- the network --------------------------------------------------------- */

/* Which gateway and which exit; false: said why. */
static bool
choose(struct session_mix *t, char why[static 256])
{
	const struct start *st = &t->t.s->start;
	const char *entry = start_text(st, TEXT_ENTRY);
	const char *exit = start_text(st, TEXT_EXIT);
	const char *choice = start_text(st, TEXT_ENTRY_TLS);
	bool tls = choice != NULL && strcmp(choice, "always") == 0;
	const struct topology_node *node;
	int r;

	if (!topology_is_routable(t->topology)) {
		snprintf(why, 256, "the network has no mix in some layer");
		return false;
	}
	r = netdir_choose_exit(t->topology, exit, &rng_system, &t->exit);
	if (r != SW_OK) {
		snprintf(why, 256, exit == NULL ?
		    "the network names no exit; give one with --exit" :
		    r == SW_ERR_FORMAT ? "--exit is not an exit's address" :
		    "the exit that --exit names is not in the network");
		return false;
	}
	/* One gateway that is both sees who speaks with whom; better than no
	 * way at all only where there is no other. */
	r = netdir_choose_entry(t->topology, entry, tls, t->exit.gateway,
	    &rng_system, &node);
	if (r == SW_ERR_UNREACH_HOST && entry == NULL)
		r = netdir_choose_entry(t->topology, entry, tls, NULL,
		    &rng_system, &node);
	if (r == SW_OK) {
		t->entry = *node;
		t->link.is_tls = mix_link_wants_tls(t, node);
		return true;
	}
	snprintf(why, 256, r == SW_ERR_FORMAT ?
	    "--entry is not a gateway's identity" : entry == NULL ?
	    "the network names no gateway that takes clients%s" :
	    "the gateway that --entry names is not in the network, or takes no "
	    "clients%s", tls ? " over TLS" : "");
	return false;
}

void
mix_connect(struct session_mix *t, struct topology *topology)
{
	const char *traffic = start_text(&t->t.s->start, TEXT_TRAFFIC);
	struct mixtunnel_config cfg = {
		.loop = &t->t.s->loop,
		.profile = mix_profile_find(traffic == NULL ? "default" :
		    traffic),
		.events = &mix_events, .arg = t, .rng = &rng_system,
		.ahead = true,
	};
	char why[256] = "could not make the tunnel: out of memory";

	mix_disconnect(t, SW_OK, NULL);
	t->topology = topology;
	if (!choose(t, why)) {
		mix_fail(t, SW_ERR_CONFIG, why);
		return;
	}
	cfg.topology = t->topology;
	cfg.tls = t->link.is_tls;
	memcpy(cfg.entry, t->entry.identity, sizeof(cfg.entry));
	cfg.exit = t->exit;
	if (t->identity_file != NULL) {
		cfg.keys = &t->identity.keys;
		cfg.registration = identity_find(&t->identity, cfg.entry);
	}
	if (mixtunnel_new(&t->mix, &cfg) != SW_OK) {
		mix_fail(t, SW_ERR_NOMEM, why);
		return;
	}
	mix_log_route(t);
	if (!mix_may_start(t))
		return;			/* wake() will */
	session_tunnel_progress(&t->t, "connecting through the mixnet");
	mixtunnel_start(t->mix);
}

void
mix_change_network(struct session_mix *t, struct topology *topology)
{
	struct topology *old = t->topology;

	t->topology = topology;
	mixtunnel_set_topology(t->mix, topology);
	topology_free(old);
}

void
mix_disconnect(struct session_mix *t, int err, const char *why)
{
	mix_names_stop(t);
	mix_packets_down(t);
	mix_link_hang_up(t);
	mixtunnel_free(t->mix);
	t->mix = NULL;
	topology_free(t->topology);
	t->topology = NULL;
	if (err != SW_OK)
		mix_fail(t, err, why);
}

static size_t
count_unsent(const struct session_tunnel *t)
{
	return mix_packets_unsent((const struct session_mix *)t);
}

/* --- life ---------------------------------------------------------------- */

/* The exit keeps our address for the next client all the sooner, and what was
 * sent last still leaves. */
static void
say_goodbye(struct session_mix *t)
{
	mixtunnel_stop(t->mix);
	for (int i = 0; i < GOODBYE_TURNS; i++)
		if (loop_run_once(&t->t.s->loop, 10) != SW_OK)
			break;
}

static void
mix_free(struct session_tunnel *base)
{
	struct session_mix *t = mix_of(base);
	struct loop *l = &base->s->loop;

	if (t->mix != NULL && base->state == STATE_UP)
		say_goodbye(t);
	mix_net_stop(t);
	loop_set_timer(l, &t->first, SW_NEVER);
	/* The splice may hold streams of the names service. */
	splice_free(t->splice);
	t->splice = NULL;
	mix_names_wipe(t);
	mix_link_hang_up(t);
	mixtunnel_free(t->mix);
	mix_link_wipe(t);
	mix_packets_wipe(t);
	topology_free(t->topology);
	sw_wipe_free(t, sizeof(*t));
}

static const struct session_tunnel_ops ops = {
	.kind = "mix", .free = mix_free, .status = mix_status,
	.count_unsent = count_unsent, .attach = mix_hop_attach,
	.detach = mix_hop_detach, .input = mix_hop_input,
	.writable = mix_hop_writable, .wake = wake,
};

/* What cannot be done over the mixnet. */
static const char *
find_refused(const struct session *s, const struct tunnel_url *url,
    const struct session_tunnel *below)
{
	const char *traffic = start_text(&s->start, TEXT_TRAFFIC);

	for (const struct session_tunnel *b = below; b != NULL; b = b->below)
		if (b->ops == &ops)
			return "a mixnet inside a mixnet is not possible";
	if (url->kind == TUNNEL_MIX_LOCAL && (below != NULL ||
	    start_text(&s->start, TEXT_PROXY) != NULL))
		return "mix:local is on this machine: neither a proxy nor "
		    "another tunnel leads to it";
	if (s->start.publish_n > 0)
		return "cannot publish a port through the mixnet: its exits "
		    "take no connections for their clients";
	if (traffic != NULL && mix_profile_find(traffic) == NULL)
		return "--traffic is one of default, fast and raw";
	return NULL;
}

/* --mix-identity: who we were, or somebody new whom the gateway will know. */
static bool
load_identity(struct session_mix *t, char why[static 256])
{
	int r;

	t->identity_file = start_text(&t->t.s->start, TEXT_MIX_IDENTITY);
	if (t->identity_file == NULL)
		return true;
	r = identity_load(&t->identity, t->identity_file, why);
	if (r == SW_ERR_NO_NAME) {
		identity_make(&t->identity, &rng_system);
		r = SW_OK;
	}
	return r == SW_OK;
}

struct session_tunnel *
session_mix_new(struct session *s, const struct tunnel_url *url,
    struct session_tunnel *below, char why[static 256])
{
	const char *refused = find_refused(s, url, below);
	struct session_mix *t;

	if (refused != NULL) {
		snprintf(why, 256, "%s", refused);
		return NULL;
	}
	snprintf(why, 256, "could not make the tunnel: out of memory");
	if (prim_init() != SW_OK || (t = calloc(1, sizeof(*t))) == NULL)
		return NULL;
	t->t = (struct session_tunnel){ .ops = &ops, .s = s, .below = below };
	t->url = url;
	t->carries_owners = url == &s->start.url[s->start.via_n - 1];
	t->first.fire = first_is_late;
	t->local.out.fd = -1;
	if (mix_packets_init(t) != SW_OK || mix_names_init(t) != SW_OK ||
	    !load_identity(t, why) || mix_link_init(t, below, why) != SW_OK ||
	    mix_net_start(t, why) != SW_OK) {
		mix_free(&t->t);
		return NULL;
	}
	if (mix_may_start(t))
		start_first(t);
	return &t->t;
}
