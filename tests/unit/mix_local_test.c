/* The mix tunnel through a whole network on loopback, real sockets included.
 * The world beyond the exit answers each packet with its addresses
 * exchanged. */
#include "tests/rig/unit.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "mix/localnet.h"
#include "mix/mixtunnel.h"
#include "mix/prim.h"
#include "mix/stream.h"
#include "tests/lib/patience.h"
#include "tests/rig/nowhere.h"

struct world {
	struct loop loop;
	struct localnet *net;
	struct mixtunnel *tunnel;
	struct sw_addr ip4;
	bool up;
	unsigned ups, downs, got, writable;
	uint64_t got_bytes;
	struct mixtunnel_registration registration;
	unsigned registrations, dials;
};

static void
world_packet(void *arg, const uint8_t *pkt, size_t len)
{
	struct world *w = arg;
	struct sw_addr to = addr_v4(0, 0);
	uint8_t back[2000];

	memcpy(back, pkt, len);
	memcpy(back + 12, pkt + 16, 4);
	memcpy(back + 16, pkt + 12, 4);
	memcpy(to.ip + 12, pkt + 12, 4);
	(void)!localnet_send(w->net, &to, back, len);
}

static const struct iprexit_events world_events = {
	world_packet, nowhere_gone, nowhere_writable,
};

static void
up(void *arg, const struct sw_addr *ip4, const struct sw_addr *ip6,
    uint16_t mtu)
{
	struct world *w = arg;

	(void)ip6;
	w->ip4 = *ip4;
	w->up = true;
	w->ups++;
	assert_int_equal(mtu, 1420);
}

static void
packet(void *arg, const uint8_t *pkt, size_t len)
{
	struct world *w = arg;

	(void)pkt;
	w->got++;
	w->got_bytes += len;
}

static void
writable(void *arg)
{
	((struct world *)arg)->writable++;
}

static void
down(void *arg, int err)
{
	struct world *w = arg;

	(void)err;
	w->downs++;
}

static void
registered(void *arg, const struct mixtunnel_registration *r)
{
	struct world *w = arg;

	w->registrations++;
	w->registration = *r;
}

static const struct mixtunnel_events tunnel_events = {
	up, packet, writable, down, registered, NULL,
};

static struct world *
new_world(const char *profile)
{
	struct world *w = calloc(1, sizeof(*w));
	struct localnet_config net = {
		.loop = &w->loop, .rng = &rng_system,
		.events = &world_events, .arg = w,
	};
	struct mixtunnel_config tunnel = {
		.loop = &w->loop, .profile = mix_profile_find(profile),
		.events = &tunnel_events, .arg = w, .rng = &rng_system,
	};

	assert_int_equal(loop_init(&w->loop), SW_OK);
	assert_int_equal(localnet_new(&w->net, &net), SW_OK);
	tunnel.topology = localnet_topology(w->net);
	tunnel.exit = *localnet_exit(w->net);
	memcpy(tunnel.entry, tunnel.topology->node[LOCALNET_ENTRY].identity,
	    32);
	assert_int_equal(mixtunnel_new(&w->tunnel, &tunnel), SW_OK);
	mixtunnel_start(w->tunnel);
	return w;
}

static void
free_world(struct world *w)
{
	mixtunnel_free(w->tunnel);
	localnet_free(w->net);
	loop_wipe(&w->loop);
	free(w);
}

/* Run until `*n` reaches `want`; how long it took, or -1 after 30 s. */
static int64_t
run_until(struct world *w, const unsigned *n, unsigned want)
{
	int64_t start = clock_now_ms();

	while (*n < want) {
		assert_int_equal(loop_run_once(&w->loop, 20), SW_OK);
		if (clock_now_ms() - start > patient_ms(120000))
			return -1;
	}
	return clock_now_ms() - start;
}

static void
make_packet(const struct world *w, uint8_t *p, size_t len, uint8_t salt)
{
	memset(p, salt, len);
	p[0] = 0x45;
	p[2] = (uint8_t)(len >> 8);
	p[3] = (uint8_t)len;
	p[9] = 17;
	memcpy(p + 12, w->ip4.ip + 12, 4);
	memset(p + 16, 1, 4);
}

/* Send `n` packets, at most WINDOW of them unanswered, as a TCP would. */
#define WINDOW 64

static void
send_all(struct world *w, unsigned n, size_t len)
{
	int64_t start = clock_now_ms();
	unsigned sent = 0, before = w->got;
	uint8_t pkt[1420];
	int r;

	make_packet(w, pkt, len, 7);
	while (sent < n) {
		r = SW_AGAIN;
		if (sent < w->got - before + WINDOW)	/* got: older ones too */
			r = mixtunnel_send(w->tunnel, pkt, len);
		sent += r == SW_OK;
		if (r != SW_OK)
			assert_int_equal(loop_run_once(&w->loop, 20), SW_OK);
		assert_true(clock_now_ms() - start < patient_ms(30000));
	}
}

static void
packets_cross_the_network_and_come_back(void **state)
{
	struct world *w = new_world("raw");
	struct mixtunnel_stats s;
	int64_t took;

	(void)state;
	assert_true(run_until(w, &w->ups, 1) >= 0);
	took = clock_now_ms();
	send_all(w, 60, 1400);
	assert_true(run_until(w, &w->got, 60) >= 0);
	took = clock_now_ms() - took;
	mixtunnel_stats(w->tunnel, &s);
	print_message("# 60 packets of 1400 bytes there and back: %lld ms, "
	    "%llu sent, %llu again, %llu SURBs\n", (long long)took,
	    (unsigned long long)s.mix.sent, (unsigned long long)s.mix.resent,
	    (unsigned long long)s.mix.surbs_made);
	assert_int_equal(w->downs, 0);
	free_world(w);
}

static void
the_default_profile_paces_and_delays(void **state)
{
	struct world *w = new_world("default");
	struct mixtunnel_stats s;
	int64_t took;

	(void)state;
	assert_true(run_until(w, &w->ups, 1) >= 0);
	took = clock_now_ms();
	send_all(w, 10, 1000);
	assert_true(run_until(w, &w->got, 10) >= 0);
	took = clock_now_ms() - took;
	print_message("# 10 packets there and back: %lld ms\n",
	    (long long)took);
	assert_true(took > 100);
	mixtunnel_stats(w->tunnel, &s);
	assert_true(s.mix.acked > 0);
	free_world(w);
}

static void
a_gateway_that_restarts_is_found_again(void **state)
{
	struct world *w = new_world("raw");

	(void)state;
	assert_true(run_until(w, &w->ups, 1) >= 0);
	send_all(w, 20, 500);
	assert_true(run_until(w, &w->got, 20) >= 0);
	assert_int_equal(localnet_restart(w->net, LOCALNET_ENTRY), SW_OK);
	assert_true(run_until(w, &w->downs, 1) >= 0);
	/* It has forgotten us: a refused proof, then a new registration. */
	send_all(w, 20, 500);
	assert_true(run_until(w, &w->got, 40) >= 0);
	/* And told, though the exit has nothing new to say. */
	assert_int_equal(w->ups, 2);
	free_world(w);
}

static void
a_mix_that_restarts_costs_only_what_was_in_it(void **state)
{
	struct world *w = new_world("raw");

	(void)state;
	assert_true(run_until(w, &w->ups, 1) >= 0);
	send_all(w, 20, 500);
	assert_int_equal(localnet_restart(w->net, 1), SW_OK);
	send_all(w, 40, 500);
	/* The way out repeats what was lost; answers may be lost. */
	assert_true(run_until(w, &w->got, 40) >= 0);
	free_world(w);
}

static struct topology *
copy_topology(const struct topology *t)
{
	struct topology *copy;
	char *text;

	assert_int_equal(topology_write(t, &text), SW_OK);
	assert_int_equal(topology_parse(&copy, text, strlen(text)), SW_OK);
	free(text);
	return copy;
}

/* Each node gets a key for the next rotation; the network as it is then. */
static struct topology *
rotate_all(struct world *w, const struct topology *now)
{
	struct topology *t = copy_topology(now), *next;
	uint8_t sk[32];

	t->rotation_id++;
	for (size_t i = 0; i < t->n; i++) {
		rng_fill(&rng_system, sk, sizeof(sk));
		prim_x25519_base(t->node[i].sphinx, sk);
		assert_int_equal(node_rotate(localnet_node(w->net,
		    t->node[i].id - 1), sk, t->rotation_id), SW_OK);
	}
	next = copy_topology(t);	/* with tables for the new keys */
	topology_free(t);
	return next;
}

static void
retire_all(struct world *w)
{
	for (size_t i = 0; i < LOCALNET_NODES; i++)
		node_retire(localnet_node(w->net, i));
}

static unsigned
count_wrong_rotation(const struct world *w)
{
	struct node_stats st;
	unsigned n = 0;

	for (size_t i = 0; i < LOCALNET_NODES; i++) {
		node_stats(localnet_node(w->net, i), &st);
		n += (unsigned)st.mix.wrong_rotation;
	}
	return n;
}

/* While packets are under way the keys and with them the labels change; the
 * last keys are taken until they are retired, and then no more. */
static void
keys_are_rotated_under_a_transfer(void **state)
{
	struct world *w = new_world("raw");
	struct mixtunnel_config late = {
		.loop = &w->loop, .profile = mix_profile_find("raw"),
		.events = &tunnel_events, .arg = w, .rng = &rng_system,
		.exit = *localnet_exit(w->net),
	};
	struct topology *odd, *even;
	struct mixtunnel *old;
	unsigned wrong = 0;

	(void)state;
	/* Rotation 0, in which nodes are started, has no label. */
	odd = rotate_all(w, localnet_topology(w->net));
	mixtunnel_set_topology(w->tunnel, odd);
	assert_true(run_until(w, &w->ups, 1) >= 0);
	send_all(w, 40, 500);		/* most of them are still out there */
	even = rotate_all(w, odd);
	send_all(w, 20, 500);		/* the client does not know yet */
	mixtunnel_set_topology(w->tunnel, even);
	send_all(w, 80, 500);
	assert_true(run_until(w, &w->got, 140) >= 0);
	assert_int_equal(count_wrong_rotation(w), 0);
	retire_all(w);
	send_all(w, 40, 500);
	assert_true(run_until(w, &w->got, 160) >= 0);
	assert_int_equal(w->downs, 0);

	/* Somebody who still has the old keys gets nowhere. */
	late.topology = odd;
	memcpy(late.entry, late.topology->node[LOCALNET_ENTRY].identity, 32);
	assert_int_equal(mixtunnel_new(&old, &late), SW_OK);
	mixtunnel_start(old);
	for (int64_t end = clock_now_ms() + patient_ms(30000); wrong == 0;) {
		assert_true(clock_now_ms() < end);
		assert_int_equal(loop_run_once(&w->loop, 20), SW_OK);
		wrong = count_wrong_rotation(w);
	}
	assert_int_equal(w->ups, 1);
	mixtunnel_free(old);
	mixtunnel_free(w->tunnel);
	w->tunnel = NULL;
	topology_free(odd);
	topology_free(even);
	free_world(w);
}

/* A tunnel of the test's own in place of the world's. */
static void
replace_tunnel(struct world *w, struct mixtunnel_config *cfg,
    const struct mixtunnel_events *events)
{
	mixtunnel_free(w->tunnel);
	w->ups = 0;
	cfg->loop = &w->loop;
	cfg->profile = mix_profile_find("raw");
	cfg->events = events;
	cfg->arg = w;
	cfg->rng = &rng_system;
	cfg->topology = localnet_topology(w->net);
	cfg->exit = *localnet_exit(w->net);
	memcpy(cfg->entry, cfg->topology->node[LOCALNET_ENTRY].identity, 32);
	assert_int_equal(mixtunnel_new(&w->tunnel, cfg), SW_OK);
	mixtunnel_start(w->tunnel);
	assert_true(run_until(w, &w->ups, 1) >= 0);
}

static void
a_registration_is_good_for_the_next_session(void **state)
{
	struct world *w = new_world("raw");
	struct mixtunnel_config cfg = { .loop = NULL };
	struct mixtunnel_registration first;
	struct mixclient_keys keys;

	(void)state;
	rng_fill(&rng_system, &keys, sizeof(keys));
	cfg.keys = &keys;
	w->registrations = 0;
	replace_tunnel(w, &cfg, &tunnel_events);
	assert_int_equal(w->registrations, 1);
	first = w->registration;
	assert_memory_equal(first.gateway, cfg.entry, 32);
	/* It proves who it is: a new registration would bring a new key. */
	cfg.registration = &first;
	replace_tunnel(w, &cfg, &tunnel_events);
	assert_int_equal(w->registrations, 2);
	assert_memory_equal(w->registration.key, first.key, 32);
	assert_true(w->registration.last_auth > first.last_auth);
	/* A gateway that forgot us: told, and registered with anew. */
	first.key[0] ^= 1;
	first.last_auth = w->registration.last_auth;
	replace_tunnel(w, &cfg, &tunnel_events);
	assert_memory_not_equal(w->registration.key, first.key, 32);
	free_world(w);
}

static void
dial(void *arg, const struct mixtunnel_endpoint *to)
{
	struct world *w = arg;

	assert_false(to->tls);
	assert_int_equal(to->port, to->addr.port);
	if (w->dials++ == 0) {
		mixtunnel_dialed(w->tunnel, -1, SW_ERR_REFUSED);
		return;
	}
	mixtunnel_dialed(w->tunnel, stream_connect_fd(&to->addr), SW_OK);
	mixtunnel_dialed(w->tunnel, -1, SW_ERR_REFUSED);	/* too late */
}

static void
somebody_else_may_dial(void **state)
{
	static const struct mixtunnel_events events = {
		up, packet, writable, down, NULL, dial,
	};
	struct world *w = new_world("raw");
	struct mixtunnel_config cfg = { .loop = NULL };

	(void)state;
	replace_tunnel(w, &cfg, &events);
	assert_int_equal(w->dials, 2);
	assert_int_equal(w->downs, 1);
	send_all(w, 10, 500);
	assert_true(run_until(w, &w->got, 10) >= 0);
	free_world(w);
}

static void
tls_is_not_done_without_a_dialer(void **state)
{
	struct world *w = new_world("raw");
	struct mixtunnel_config cfg = {
		.loop = &w->loop, .profile = mix_profile_find("raw"),
		.events = &tunnel_events, .arg = w, .rng = &rng_system,
		.topology = localnet_topology(w->net), .tls = true,
	};
	struct mixtunnel *t;

	(void)state;
	memcpy(cfg.entry, cfg.topology->node[LOCALNET_ENTRY].identity, 32);
	assert_int_equal(mixtunnel_new(&t, &cfg), SW_ERR_UNREACH_HOST);
	free_world(w);
}

static void
an_entry_that_takes_no_clients_is_refused(void **state)
{
	struct world *w = new_world("raw");
	struct mixtunnel_config cfg = {
		.loop = &w->loop, .profile = mix_profile_find("raw"),
		.events = &tunnel_events, .arg = w, .rng = &rng_system,
		.topology = localnet_topology(w->net),
	};
	struct mixtunnel *t;

	(void)state;
	assert_int_equal(mixtunnel_new(&t, &cfg), SW_ERR_UNREACH_HOST);
	memcpy(cfg.entry, cfg.topology->node[0].identity, 32);
	assert_int_equal(mixtunnel_new(&t, &cfg), SW_ERR_UNREACH_HOST);
	assert_null(t);
	free_world(w);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(packets_cross_the_network_and_come_back),
		cmocka_unit_test(the_default_profile_paces_and_delays),
		cmocka_unit_test(a_gateway_that_restarts_is_found_again),
		cmocka_unit_test(a_mix_that_restarts_costs_only_what_was_in_it),
		cmocka_unit_test(keys_are_rotated_under_a_transfer),
		cmocka_unit_test(a_registration_is_good_for_the_next_session),
		cmocka_unit_test(somebody_else_may_dial),
		cmocka_unit_test(tls_is_not_done_without_a_dialer),
		cmocka_unit_test(an_entry_that_takes_no_clients_is_refused),
	};

	return cmocka_run_group_tests(tests, unit_prim_init, NULL);
}
