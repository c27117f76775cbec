#include "preload/session_mix.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/container.h"
#include "base/log.h"
#include "base/wipe.h"
#include "mix/prim.h"
#include "preload/session_hop.h"

#define FIRST_MS 45000			/* to be up for the first time */
#define GOODBYE_TURNS 20		/* of 10 ms, for what leaves last */

static struct session_mix *
mix_of(struct session_tunnel *t)
{
	return CONTAINER_OF(t, struct session_mix, t);
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
	if (t->was_up && !t->other_exit) {
		mix_is_up(t);
		return;
	}
	t->other_exit = false;
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

/* One line for the user; `linked`: the entry is not to blame. */
static void
say_why(const struct session_mix *t, int err, bool linked, char *why,
    size_t len)
{
	char ip[SW_ADDR_TEXT_LEN];

	if (linked)
		snprintf(why, len, err == SW_ERR_REFUSED ?
		    "the exit does not let us in; try another with --exit" :
		    "the exit does not answer; try another with --exit");
	else if (t->link.why[0] != '\0' && !mix_link_is_direct(t))
		snprintf(why, len, "could not reach the entry gateway: %s%s",
		    t->link.why, t->link.is_tls && start_text(
		    &t->t.s->start, TEXT_ENTRY_TLS) == NULL ? "; its plain "
		    "websocket is to be had by --entry-tls never" : "");
	else if (err == SW_ERR_AUTH)
		snprintf(why, len, "the entry gateway does not accept us; try "
		    "another with --entry");
	else
		snprintf(why, len, "could not reach the entry gateway %s port "
		    "%u: %s", addr_ip_text(&t->entry.ws, ip),
		    mix_entry_port(t), sw_strerror(err));
}

static void
went_down(void *arg, int err)
{
	struct session_mix *t = arg;
	char why[TRANSPORT_WHY_LEN + 128];
	struct mixtunnel_stats st;

	mix_names_stop(t);
	mix_packets_down(t);
	mixtunnel_stats(t->mix, &st);
	say_why(t, err, st.linked, why, sizeof(why));
	mix_net_ask(t);
	/* An exit that closes asks us to come again; so does the tunnel. */
	if (st.linked ? err != SW_ERR_CLOSED && mix_leave_exit(t) :
	    mix_may_start(t) && mix_leave_entry(t)) {
		/* Not from within: it calls us. */
		loop_set_timer(&t->t.s->loop, &t->reroute, 0);
		if (!t->was_up) {
			session_tunnel_progress(&t->t, why);
			return;
		}
	}
	mix_fail(t, err, why);
}

static void
is_registered(void *arg, const struct mixtunnel_registration *r)
{
	struct session_mix *t = arg;
	char why[IDENTITY_WHY_LEN];

	mix_entry_works(t);
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

/* To the ends that were chosen. */
static void
open_tunnel(struct session_mix *t)
{
	const char *traffic = start_text(&t->t.s->start, TEXT_TRAFFIC);
	struct mixtunnel_config cfg = {
		.loop = &t->t.s->loop, .topology = t->topology,
		.profile = mix_profile_find(traffic == NULL ? "default" :
		    traffic),
		.exit = t->exit,
		.events = &mix_events, .arg = t, .rng = &rng_system,
		.ahead = true,
	};

	cfg.tls = t->link.is_tls;
	memcpy(cfg.entry, t->entry.identity, sizeof(cfg.entry));
	if (t->identity_file != NULL) {
		cfg.keys = &t->identity.keys;
		cfg.registration = identity_find(&t->identity, cfg.entry);
	}
	if (mixtunnel_new(&t->mix, &cfg) != SW_OK) {
		mix_fail(t, SW_ERR_NOMEM,
		    "could not make the tunnel: out of memory");
		return;
	}
	mix_log_route(t);
	if (!mix_may_start(t))
		return;			/* wake() will */
	session_tunnel_progress(&t->t, "connecting through the mixnet");
	mixtunnel_start(t->mix);
}

static void
close_tunnel(struct session_mix *t)
{
	loop_set_timer(&t->t.s->loop, &t->reroute, SW_NEVER);
	mix_names_stop(t);
	mix_packets_down(t);
	mix_link_hang_up(t);
	mixtunnel_free(t->mix);
	t->mix = NULL;
}

static void
ends_have_changed(struct loop_timer *timer)
{
	struct session_mix *t = CONTAINER_OF(timer, struct session_mix,
	    reroute);

	close_tunnel(t);
	open_tunnel(t);
}

void
mix_connect(struct session_mix *t, struct topology *topology)
{
	char why[256];

	mix_disconnect(t, SW_OK, NULL);
	t->topology = topology;
	if (mix_choose_ends(t, false, why))
		open_tunnel(t);
	else
		mix_fail(t, SW_ERR_CONFIG, why);
}

void
mix_change_network(struct session_mix *t, struct topology *topology)
{
	struct topology *old = t->topology;
	char why[256];

	t->topology = topology;
	if (mix_ends_are_in(t, topology)) {
		mixtunnel_set_topology(t->mix, topology);
		topology_free(old);
		/* We may have asked for it in search of another entry. */
		if (t->entry_lost_ms != 0 && mix_may_start(t) &&
		    mix_leave_entry(t))
			loop_set_timer(&t->t.s->loop, &t->reroute, 0);
		return;
	}
	if (!mix_choose_ends(t, true, why)) {
		/* Whoever was asked for may be back the next time; until then
		 * what we knew of them is as good as any. */
		log_warn("mix: the network has changed, and %s", why);
		t->topology = old;
		topology_free(topology);
		return;
	}
	log_info("mix: an end is no longer in the network, another is taken");
	close_tunnel(t);
	topology_free(old);
	mix_fail(t, SW_ERR_CLOSED, "an end was no longer in the network");
	open_tunnel(t);
}

void
mix_disconnect(struct session_mix *t, int err, const char *why)
{
	close_tunnel(t);
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
	loop_set_timer(l, &t->reroute, SW_NEVER);
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
	t->reroute.fire = ends_have_changed;
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
