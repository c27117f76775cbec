#include "mix/health.h"

#include <stdlib.h>

struct record {
	unsigned run;			/* lost since one came through */
	uint64_t since;			/* h->good when the run began */
	int64_t good_ms;		/* when the last that came was sent */
	int64_t until_ms;		/* shunned until then */
};

struct health {
	const struct topology *t;
	uint64_t good;			/* packets that came through */
	unsigned run;			/* lost since one came through */
	struct record node[];
};

struct health *
health_new(const struct topology *t)
{
	struct health *h = calloc(1, sizeof(*h) + t->n * sizeof(h->node[0]));

	if (h != NULL)
		h->t = t;
	return h;
}

void
health_free(struct health *h)
{
	free(h);
}

void
health_good(struct health *h, const struct health_path *p, int64_t sent_ms)
{
	h->good++;
	h->run = 0;
	for (size_t i = 0; i < HEALTH_HOPS; i++) {
		struct record *r = &h->node[p->node[i]];

		if (sent_ms > r->good_ms)
			r->good_ms = sent_ms;
		r->run = 0;
		r->until_ms = 0;
	}
}

static size_t
count_shunned(const struct health *h, size_t layer, int64_t now_ms)
{
	size_t sum = 0;

	for (size_t i = 0; i < h->t->n_layer[layer]; i++)
		sum += h->node[h->t->layer[layer][i]].until_ms > now_ms;
	return sum;
}

bool
health_shuns(const struct health *h,
    const uint16_t node[static TOPOLOGY_LAYERS], int64_t now_ms)
{
	for (size_t l = 0; l < TOPOLOGY_LAYERS; l++)
		if (h->node[node[l]].until_ms > now_ms)
			return true;
	return false;
}

size_t
health_count(const struct health *h, int64_t now_ms)
{
	size_t sum = 0;

	for (size_t l = 0; l < TOPOLOGY_LAYERS; l++)
		sum += count_shunned(h, l, now_ms);
	return sum;
}

/* Nothing at all comes through: those who are left are no better. */
static void
forgive(struct health *h)
{
	h->run = 0;
	for (size_t i = 0; i < h->t->n; i++) {
		h->node[i].until_ms = 0;
		h->node[i].run = 0;
	}
}

void
health_bad(struct health *h, const struct health_path *p, int64_t sent_ms,
    int64_t now_ms)
{
	if (++h->run == 2 * HEALTH_RUN)
		forgive(h);
	for (size_t i = 0; i < HEALTH_HOPS; i++) {
		struct record *r = &h->node[p->node[i]];
		size_t l = i % TOPOLOGY_LAYERS;

		/* One sent later came through: that trouble is over. */
		if (sent_ms <= r->good_ms || r->until_ms > now_ms)
			continue;
		if (r->run++ == 0)
			r->since = h->good;
		if (r->run < HEALTH_RUN || h->good - r->since < HEALTH_OTHERS ||
		    2 * (count_shunned(h, l, now_ms) + 1) > h->t->n_layer[l])
			continue;
		/* Afterwards half a run is enough. */
		r->until_ms = now_ms + HEALTH_SHUN_MS;
		r->run = HEALTH_RUN / 2;
	}
}

void
health_draw(struct health *h, struct rng *rng, int64_t now_ms,
    uint16_t node[static TOPOLOGY_LAYERS])
{
	for (size_t l = 0; l < TOPOLOGY_LAYERS; l++) {
		size_t n = h->t->n_layer[l], i = 0;
		size_t skip = rng_below(rng, (uint32_t)(n -
		    count_shunned(h, l, now_ms)));

		while (h->node[h->t->layer[l][i]].until_ms > now_ms ||
		    skip-- > 0)
			i++;
		node[l] = (uint16_t)h->t->layer[l][i];
	}
}
