/*
 * fakenet.h - a mix network in memory: three mixes and a gateway of the
 * crates' topology, with clients at the gateway.  Packets arrive in random
 * order, and some are lost; both by a seed.  Or they take their time, and the
 * first mix opens only so many a second, one after the other.
 */
#ifndef SW_TESTS_FAKENET_H
#define SW_TESTS_FAKENET_H

#include <stdlib.h>
#include <string.h>

#include "mix/ack.h"
#include "mix/mixclient.h"
#include "mix/nympkt.h"
#include "tests/unit/vec.h"

#define FAKENET_CLIENTS 4

struct fakenet_packet {
	struct fakenet_packet *next;
	uint8_t node;			/* where it arrives, */
	double due_ms;			/* and when, if it takes time */
	size_t len;
	uint8_t bytes[];
};

struct fakenet {
	struct rng_seeded rng;
	struct topology *topology;
	struct mixclient *client[FAKENET_CLIENTS];
	struct fakenet_packet *flying;
	size_t n_flying;
	struct prepared_source *ahead;	/* of clients made from now on */
	unsigned loss_percent;
	double carries;			/* packets a second; 0: all */
	double free_ms;			/* when that mix is through */
	uint64_t delivered, lost;
	int64_t now_ms;
};

static inline void
fakenet_init(struct fakenet *n, uint8_t seed)
{
	FILE *f = fopen("tests/vectors/topology.json", "re");
	static char text[1 << 16];
	size_t len = fread(text, 1, sizeof(text), f);

	fclose(f);
	memset(n, 0, sizeof(*n));
	rng_seeded_init(&n->rng, (const uint8_t[32]){ seed });
	if (topology_parse(&n->topology, text, len) != SW_OK)
		abort();
	n->now_ms = 1000;
}

static inline void
fakenet_put_after(struct fakenet *n, uint64_t delay_ns,
    const struct sw_addr *to, const uint8_t *pkt, size_t len)
{
	struct fakenet_packet *p;

	if (rng_below(&n->rng.rng, 100) < n->loss_percent) {
		n->lost++;
		return;
	}
	p = malloc(sizeof(*p) + len);
	p->node = to->ip[15];
	p->due_ms = (double)n->now_ms + (double)delay_ns / 1e6;
	if (n->carries > 0 && p->node == 1) {
		if (n->free_ms < p->due_ms)
			n->free_ms = p->due_ms;
		p->due_ms = n->free_ms += 1000 / n->carries;
	}
	p->len = len;
	memcpy(p->bytes, pkt, len);
	p->next = n->flying;
	n->flying = p;
	n->n_flying++;
}

static inline void
fakenet_put(struct fakenet *n, const struct sw_addr *to, const uint8_t *pkt,
    size_t len)
{
	fakenet_put_after(n, 0, to, pkt, len);
}

static inline void
fakenet_at_gateway(struct fakenet *n, const struct sphinx_hop_info *info)
{
	uint8_t copy[NYMPKT_MAX_PLAIN_LEN];
	const uint8_t *pkt, *msg = info->msg;
	size_t len = info->msg_len;
	struct sw_addr first;

	if (len > NYMPKT_ACK_PLAIN_LEN) {
		if (ack_get(msg, &first, &pkt) != SW_OK)
			abort();
		fakenet_put(n, &first, pkt, NYMPKT_ACK_LEN);
		msg += ACK_LEN;
		len -= ACK_LEN;
	}
	memcpy(copy, msg, len);
	for (size_t i = 0; i < FAKENET_CLIENTS; i++)
		if (n->client[i] != NULL && memcmp(info->dest,
		    mixclient_address(n->client[i])->identity, 32) == 0) {
			n->delivered++;
			mixclient_deliver(n->client[i], copy, len, n->now_ms);
		}
}

/* The packet at *at does its next hop. */
static inline void
fakenet_hop(struct fakenet *n, struct fakenet_packet **at)
{
	struct fakenet_packet *p = *at;
	struct sphinx_hop_info info;
	struct sphinx_keys k;
	struct sw_addr next;
	uint8_t sk[32];

	*at = p->next;
	n->n_flying--;
	memset(sk, p->node, sizeof(sk));
	if (sphinx_open(&k, p->bytes, p->len, sk) != SW_OK ||
	    sphinx_peel(&k, p->bytes, p->len, &info) != SW_OK)
		abort();
	if (info.final) {
		fakenet_at_gateway(n, &info);
	} else {
		if (nymaddr_get_padded(info.next, 32, &next) != SW_OK)
			abort();
		fakenet_put_after(n, info.delay_ns, &next, p->bytes, p->len);
	}
	free(p);
}

/* One packet, chosen at random, does its next hop. */
static inline bool
fakenet_step(struct fakenet *n)
{
	struct fakenet_packet **at = &n->flying;

	if (n->n_flying == 0)
		return false;
	for (uint32_t i = rng_below(&n->rng.rng, (uint32_t)n->n_flying); i > 0;
	    i--)
		at = &(*at)->next;
	fakenet_hop(n, at);
	return true;
}

/* Let a millisecond pass, with the packets that are due in it. */
static inline void
fakenet_pass_ms(struct fakenet *n)
{
	struct fakenet_packet **at = &n->flying;

	for (size_t i = 0; i < FAKENET_CLIENTS; i++)
		if (n->client[i] != NULL)
			mixclient_tick(n->client[i], n->now_ms);
	n->now_ms++;
	while (*at != NULL)
		if ((*at)->due_ms > (double)n->now_ms) {
			at = &(*at)->next;
		} else {
			fakenet_hop(n, at);
			at = &n->flying;	/* where new ones are put */
		}
}

/* Let time pass and packets fly until nothing moves, at most `ms`. */
static inline void
fakenet_run(struct fakenet *n, int64_t ms)
{
	int64_t end = n->now_ms + ms;

	while (n->now_ms < end) {
		for (size_t i = 0; i < FAKENET_CLIENTS; i++)
			if (n->client[i] != NULL)
				mixclient_tick(n->client[i], n->now_ms);
		while (fakenet_step(n))
			;
		n->now_ms += 5;
	}
}

static inline int
fakenet_transmit(void *arg, const struct sw_addr *first, uint8_t rotation,
    const uint8_t *pkt, size_t len)
{
	if (rotation != NYMPKT_ROTATION_ODD)
		abort();
	fakenet_put(arg, first, pkt, len);
	return SW_OK;
}

static inline struct mixclient *
fakenet_add(struct fakenet *n, size_t i, const char *profile,
    const struct mixclient_events *events, void *arg)
{
	struct mixclient_config cfg = {
		.profile = mix_profile_find(profile),
		.events = events,
		.arg = arg,
		.rng = &n->rng.rng,
		.ahead = n->ahead,
		.peers = 4,
	};
	uint8_t seed[32];

	rng_fill(&n->rng.rng, &cfg.keys, sizeof(cfg.keys));
	memset(seed, 0x44, sizeof(seed));
	prim_ed25519_public(cfg.gateway, seed);
	n->client[i] = mixclient_new(&cfg);
	mixclient_set_topology(n->client[i], n->topology);
	return n->client[i];
}

static inline void
fakenet_wipe(struct fakenet *n)
{
	struct fakenet_packet *p;

	while ((p = n->flying) != NULL) {
		n->flying = p->next;
		free(p);
	}
	for (size_t i = 0; i < FAKENET_CLIENTS; i++)
		mixclient_free(n->client[i]);
	topology_free(n->topology);
}

#endif
