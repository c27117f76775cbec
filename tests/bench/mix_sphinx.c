/*
 * Sphinx per second on one core, and what each operation costs in X25519
 * multiplications of libsodium's, which is the unit that does not depend on
 * the machine.  The reference builds a packet with its ack for 26.6 of them.
 *
 *	mix_sphinx [-r PROGRAM] [-n ROUNDS]
 *
 * In each round every operation has a slice of processor time, so load on the
 * machine meets all alike; ratios are taken within a round, and the median is
 * printed.  -r is tests/interop/speed, the Rust crate's side: it has its slice
 * of each round, too.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "mix/ack.h"
#include "mix/comb.h"
#include "mix/prepare.h"
#include "mix/prim.h"
#include "mix/surb.h"

#define ROUNDS_MAX 1000
#define SLICE_MS 5

static struct sphinx_route route;
static uint8_t sk[32] = { 1 }, pk[32];
static uint8_t packet[2413], work[2413], plain[2048];
static struct surb surb;
static struct comb *table[SPHINX_MAX_HOPS];
static struct topology network;
static struct recipient self;
static struct prepared ready[2];

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

/* What a client does for one fragment once there is a header for it, one for
 * its ack, and a key: for `prepared` packets, all that is left. */
static void
fill_data(void)
{
	struct frag_id id = { 1, 1 };
	uint8_t key[16] = { 0 }, *text = work + SPHINX_HEADER_LEN + 16;

	ack_put(text, &ready[1].header, ready[1].first, key, &id, &rng_system);
	nymseal_put(text + ACK_LEN, 1611, &ready[0].seal);
	memcpy(work, ready[0].header.bytes, SPHINX_HEADER_LEN);
	must(sphinx_put_payload(&ready[0].header, work + SPHINX_HEADER_LEN,
	    sizeof(work) - SPHINX_HEADER_LEN, text, 2048));
}

static void
make_data(void)
{
	struct prepare_job job[2] = { { .to = &self, .table = table[0],
	    .seal = true }, { .to = &self } };

	must(prepare_make(ready, job, 2, &network, 15000000, &rng_system));
	fill_data();
}

/* As many as go together: what a thread makes ahead, and SURBs. */
static void
make_headers(void)
{
	struct prepare_job job[SPHINX_BATCH];
	struct prepared p[SPHINX_BATCH];

	for (size_t i = 0; i < SPHINX_BATCH; i++)
		job[i] = (struct prepare_job){ .to = &self };
	must(prepare_make(p, job, SPHINX_BATCH, &network, 15000000,
	    &rng_system));
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

static const struct operation {
	const char *name, *rust;	/* as the crate's side calls it */
	void (*run)(void);
	unsigned each;			/* what one run makes; 0: one */
} operations[] = {
	{ "x25519", "x25519", x25519, 0 },
	{ "header of 4 hops", NULL, make_header, 0 },
	{ "  the same, 8 at once", NULL, make_headers, SPHINX_BATCH },
	{ "packet of 4 hops", "packet", make_packet, 0 },
	{ "data packet with its ack", "data", make_data, 0 },
	{ "  the same, prepared", NULL, fill_data, 0 },
	{ "SURB", "surb", make_surb, 0 },
	{ "reply by a SURB", "reply", use_surb, 0 },
	{ "unwrap one hop", "unwrap", unwrap, 0 },
};

#define OPERATIONS (sizeof(operations) / sizeof(*operations))

static double ours[OPERATIONS][ROUNDS_MAX], theirs[OPERATIONS][ROUNDS_MAX];
static FILE *rust;			/* NULL: not here */

static double
now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &ts);
	return (double)ts.tv_sec * 1e9 + (double)ts.tv_nsec;
}

/* Microseconds of processor time for each run. */
static double
measure(const struct operation *o)
{
	double start = now_ns(), spent;
	long n = 0;

	do {
		for (int i = 0; i < 8; i++)
			o->run();
		n += 8 * (o->each == 0 ? 1 : o->each);
		spent = now_ns() - start;
	} while (spent < SLICE_MS * 1e6);
	return spent / 1000 / (double)n;
}

static void
start_rust(const char *program)
{
	int pair[2];

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) != 0)
		abort();
	if (fork() == 0) {
		dup2(pair[1], 0);
		dup2(pair[1], 1);
		execl(program, program, (char *)NULL);
		_exit(127);
	}
	close(pair[1]);
	rust = fdopen(pair[0], "r+");
}

static double
ask_rust(const char *what)
{
	char line[64];

	fprintf(rust, "%s %d\n", what, SLICE_MS);
	fflush(rust);
	if (fgets(line, sizeof(line), rust) == NULL) {
		fprintf(stderr, "mix_sphinx: the Rust program has ended\n");
		exit(1);
	}
	return strtod(line, NULL);
}

static int
by_value(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

static double
median(const double *v, size_t n)
{
	double sorted[ROUNDS_MAX];

	memcpy(sorted, v, n * sizeof(*v));
	qsort(sorted, n, sizeof(*sorted), by_value);
	return sorted[n / 2];
}

static double
median_ratio(const double *a, const double *b, size_t n)
{
	double q[ROUNDS_MAX];

	for (size_t i = 0; i < n; i++)
		q[i] = a[i] / b[i];
	return median(q, n);
}

static void
report(size_t rounds)
{
	for (size_t i = 0; i < OPERATIONS; i++) {
		double us = median(ours[i], rounds);

		printf("%-26s %8.1f us %9.0f /s %6.2f x25519",
		    operations[i].name, us, 1e6 / us,
		    median_ratio(ours[i], ours[0], rounds));
		if (rust != NULL && operations[i].rust != NULL)
			printf("  Rust %8.1f us, %5.2f times ours",
			    median(theirs[i], rounds),
			    median_ratio(theirs[i], ours[i], rounds));
		printf("\n");
	}
}

static void
set_up(void)
{
	must(prim_init());
	route.n = 4;
	for (size_t i = 0; i < route.n; i++) {
		prim_x25519_base(route.hop[i].key, sk);
		must(comb_new(&table[i], route.hop[i].key));
		route.hop[i].table = table[i];
		memcpy(route.hop[i].addr, "\4\6\375\12\0\0\1", 7);
	}
	memcpy(pk, route.hop[0].key, sizeof(pk));
	network.n = route.n;
	network.node = calloc(route.n, sizeof(*network.node));
	for (size_t i = 0; i < route.n; i++) {
		struct topology_node *n = &network.node[i];

		n->identity[0] = (uint8_t)i;
		memcpy(n->sphinx, route.hop[i].key, sizeof(n->sphinx));
		n->table = table[i];
		n->mix = addr_v4(0x0a000001, 1789);
		if (i == TOPOLOGY_LAYERS)
			continue;
		network.layer[i] = calloc(1, sizeof(size_t));
		network.layer[i][0] = i;
		network.n_layer[i] = 1;
	}
	memcpy(self.encryption, pk, sizeof(pk));
	self.gateway[0] = TOPOLOGY_LAYERS;
	must(sphinx_create_packet(packet, sizeof(packet), &route, SPHINX_V259,
	    &rng_system, plain, sizeof(plain)));
	must(surb_create(&surb, &route, SPHINX_V259, &rng_system));
}

int
main(int argc, char **argv)
{
	size_t rounds = 41;
	int opt;

	while ((opt = getopt(argc, argv, "n:r:")) != -1)
		switch (opt) {
		case 'n': rounds = (size_t)atoi(optarg); break;
		case 'r': start_rust(optarg); break;
		default: return 2;
		}
	if (rounds < 1 || rounds > ROUNDS_MAX)
		return 2;
	set_up();
	for (size_t r = 0; r < rounds; r++)
		for (size_t i = 0; i < OPERATIONS; i++) {
			ours[i][r] = measure(&operations[i]);
			if (rust != NULL && operations[i].rust != NULL)
				theirs[i][r] = ask_rust(operations[i].rust);
		}
	report(rounds);
	return 0;
}
