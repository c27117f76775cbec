/*
 * Sphinx per second on one core, and what each operation costs in X25519
 * multiplications, which is the unit that does not depend on the machine.
 * The reference builds a packet with its ack for 26.6 of them.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "mix/ack.h"
#include "mix/comb.h"
#include "mix/nymseal.h"
#include "mix/prim.h"
#include "mix/surb.h"

#define ROUNDS 9
#define SLICE_NS 60000000

static struct sphinx_route route;
static uint8_t sk[32] = { 1 }, pk[32];
static uint8_t packet[2413], work[2413], plain[2048];
static struct surb surb;
static struct comb *table[SPHINX_MAX_HOPS];

static void
must(int r)
{
	if (r != SW_OK)
		abort();
}

static void
x25519(void)
{
	uint8_t out[32];

	must(prim_x25519(out, sk, pk));
}

static void
make_header(void)
{
	struct sphinx_header h;

	must(sphinx_create_header(&h, &route, SPHINX_V259, &rng_system));
}

static void
make_packet(void)
{
	must(sphinx_create_packet(work, sizeof(work), &route, SPHINX_V259,
	    &rng_system, plain, sizeof(plain)));
}

/* As a client sends one fragment: ack, end-to-end key, packet. */
static void
make_data(void)
{
	struct frag_id id = { 1, 1 };
	uint8_t key[16] = { 0 };

	must(ack_create(plain, &route, key, &id, &rng_system));
	must(nymseal_put(plain + ACK_LEN, 1611, pk, table[0],
	    &rng_system));
	make_packet();
}

static void
make_surb(void)
{
	struct surb s;

	must(surb_create(&s, &route, SPHINX_V259, &rng_system));
}

static void
use_surb(void)
{
	must(surb_use(&surb, work, sizeof(work), plain, sizeof(plain)));
}

static void
unwrap(void)
{
	struct sphinx_hop_info info;
	struct sphinx_keys k;

	memcpy(work, packet, sizeof(work));
	must(sphinx_open(&k, work, sizeof(work), sk));
	must(sphinx_peel(&k, work, sizeof(work), &info));
}

static double
now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &ts);
	return (double)ts.tv_sec * 1e9 + (double)ts.tv_nsec;
}

static int
by_value(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

/* Median microseconds of processor time. */
static double
measure(void (*run)(void))
{
	double us[ROUNDS], start;
	long n;

	for (int i = 0; i < ROUNDS; i++) {
		start = now_ns();
		for (n = 0; now_ns() - start < SLICE_NS; n++)
			run();
		us[i] = (now_ns() - start) / 1000 / (double)n;
	}
	qsort(us, ROUNDS, sizeof(*us), by_value);
	return us[ROUNDS / 2];
}

int
main(void)
{
	static const struct {
		const char *name;
		void (*run)(void);
	} rows[] = {
		{ "x25519", x25519 },
		{ "header of 4 hops", make_header },
		{ "packet of 4 hops", make_packet },
		{ "data packet with its ack", make_data },
		{ "SURB", make_surb },
		{ "reply by a SURB", use_surb },
		{ "unwrap one hop", unwrap },
	};
	double unit = 0, us;

	must(prim_init());
	route.n = 4;
	for (size_t i = 0; i < route.n; i++) {
		prim_x25519_base(route.hop[i].key, sk);
		must(comb_new(&table[i], route.hop[i].key));
		route.hop[i].table = table[i];
		memcpy(route.hop[i].addr, "\4\6\375\12\0\0\1", 7);
	}
	memcpy(pk, route.hop[0].key, sizeof(pk));
	must(sphinx_create_packet(packet, sizeof(packet), &route, SPHINX_V259,
	    &rng_system, plain, sizeof(plain)));
	must(surb_create(&surb, &route, SPHINX_V259, &rng_system));
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		us = measure(rows[i].run);
		if (i == 0)
			unit = us;
		printf("%-26s %8.1f us %9.0f /s %6.1f x25519\n", rows[i].name,
		    us, 1e6 / us, us / unit);
	}
	return 0;
}
