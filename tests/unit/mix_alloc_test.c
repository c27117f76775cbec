/* Once everything flows, no packet costs an allocation: not in the client, not
 * in the gateways, mixes and exit on its way.  All of them run here, on real
 * sockets, and malloc() is this file's. */
#include "tests/rig/unit.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "mix/localnet.h"
#include "mix/mixtunnel.h"
#include "mix/prim.h"
#include "tests/lib/patience.h"
#include "tests/rig/nowhere.h"

#define PACKETS 300			/* there and back in each round */
#define ROUNDS 20
#define WINDOW 40			/* unanswered */
#define LEN 1400
#define LIMIT_MS patient_ms(60000)		/* without anything that arrives */

/* Volatile, since compilers know that malloc() changes no such thing. */
static volatile bool counting;
static volatile unsigned long allocations;

/* The allocator's own names, for those who want to stand before it.  Under
 * sanitizers, which do the same, nothing is counted. */
#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__) && \
    defined(__GLIBC__)
#define CAN_COUNT 1
extern void *__libc_malloc(size_t n);
extern void *__libc_calloc(size_t n, size_t size);
extern void *__libc_realloc(void *p, size_t n);
#define FOR_ALL __attribute__((visibility("default")))	/* libraries, too */
FOR_ALL void *malloc(size_t n);
FOR_ALL void *calloc(size_t n, size_t size);
FOR_ALL void *realloc(void *p, size_t n);

void *
malloc(size_t n)
{
	allocations += counting;
	return __libc_malloc(n);
}

void *
calloc(size_t n, size_t size)
{
	allocations += counting;
	return __libc_calloc(n, size);
}

void *
realloc(void *p, size_t n)
{
	allocations += counting;
	return __libc_realloc(p, n);
}
#else
#define CAN_COUNT 0
#endif

static struct loop loop;
static struct localnet *net;
static struct mixtunnel *tunnel;
static struct sw_addr inner;
static bool is_up;
static unsigned got;
static int64_t progress_ms;

/* The world sends each packet back. */
static void
world_packet(void *arg, const uint8_t *pkt, size_t len)
{
	struct sw_addr to = addr_v4(0, 0);
	uint8_t back[LEN];

	(void)arg;
	memcpy(back, pkt, len);
	memcpy(back + 12, pkt + 16, 4);
	memcpy(back + 16, pkt + 12, 4);
	memcpy(to.ip + 12, pkt + 12, 4);
	(void)!localnet_send(net, &to, back, len);
}

static const struct iprexit_events world_events = {
	world_packet, nowhere_gone, nowhere_writable,
};

static void
up(void *arg, const struct sw_addr *ip4, const struct sw_addr *ip6,
    uint16_t mtu)
{
	(void)arg;
	(void)ip6;
	(void)mtu;
	inner = *ip4;
	is_up = true;
	progress_ms = clock_now_ms();
}

static void
packet(void *arg, const uint8_t *pkt, size_t len)
{
	(void)arg;
	(void)pkt;
	(void)len;
	got++;
	progress_ms = clock_now_ms();
}

static void
writable(void *arg)
{
	(void)arg;
}

static void
down(void *arg, int err)
{
	(void)arg;
	(void)err;
}

static const struct mixtunnel_events tunnel_events = {
	up, packet, writable, down, NULL, NULL,
};

static void
turn(void)
{
	assert_int_equal(loop_run_once(&loop, 20), SW_OK);
	assert_true(clock_now_ms() - progress_ms < LIMIT_MS);
}

static void
send_and_receive(unsigned n)
{
	unsigned sent = 0, before = got;
	uint8_t pkt[LEN] = { 0x45, 0, LEN >> 8, LEN & 0xff, [9] = 17,
	    [16] = 1, 1, 1, 1 };

	memcpy(pkt + 12, inner.ip + 12, 4);
	while (got - before < n) {
		while (sent < n && sent - (got - before) < WINDOW &&
		    mixtunnel_send(tunnel, pkt, LEN) == SW_OK)
			sent++;
		turn();
	}
}

static void
check_profile(const char *profile)
{
	struct localnet_config net_cfg = {
		.loop = &loop, .rng = &rng_system, .events = &world_events,
		.ahead = true,
	};
	struct mixtunnel_config cfg = {
		.loop = &loop, .profile = mix_profile_find(profile),
		.events = &tunnel_events, .rng = &rng_system, .ahead = true,
	};
	unsigned long least = ULONG_MAX;
	int rounds = 0;

	is_up = false;
	progress_ms = clock_now_ms();
	assert_int_equal(loop_init(&loop), SW_OK);
	assert_int_equal(localnet_new(&net, &net_cfg), SW_OK);
	cfg.topology = localnet_topology(net);
	cfg.exit = *localnet_exit(net);
	memcpy(cfg.entry, cfg.topology->node[LOCALNET_ENTRY].identity, 32);
	assert_int_equal(mixtunnel_new(&tunnel, &cfg), SW_OK);
	mixtunnel_start(tunnel);
	while (!is_up)
		turn();
	/* Buffers grow to the most that the traffic needs at once; then they
	 * stay, and a round comes without any. */
	while (rounds++ < ROUNDS && least > 0) {
		allocations = 0;
		counting = true;
		send_and_receive(PACKETS);
		counting = false;
		if (allocations < least)
			least = allocations;
	}
	print_message("# %s: %lu allocations for %d packets there and back, "
	    "in round %d\n", profile, least, PACKETS, rounds - 1);
	mixtunnel_free(tunnel);
	localnet_free(net);
	loop_wipe(&loop);
	assert_int_equal(least, 0);
}

static void
packets_at_once_need_no_allocation(void **state)
{
	(void)state;
	check_profile("raw");
}

/* A network in one process under a sanitizer is slower than its slots, and its
 * allocations are not counted. */
#if CAN_COUNT
static void
packets_in_slots_need_no_allocation(void **state)
{
	(void)state;
	check_profile("fast");
}
#endif

/* Else the above could not fail. */
static void
allocations_are_seen(void **state)
{
	void *volatile p;

	(void)state;
	allocations = 0;
	counting = true;
	p = malloc(10);
	free(p);
	counting = false;
	assert_int_equal(allocations, CAN_COUNT);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(allocations_are_seen),
		cmocka_unit_test(packets_at_once_need_no_allocation),
#if CAN_COUNT
		cmocka_unit_test(packets_in_slots_need_no_allocation),
#endif
	};

	return prim_init() == SW_OK ?
	    cmocka_run_group_tests(tests, NULL, NULL) : 1;
}
