#include "preload/session_ports.h"

#define GRANULES ((65536u - PORTS_FIRST) / PORTS_GRANULE)

static bool
is_free(const struct ports *p, uint32_t granule)
{
	uint32_t port = PORTS_FIRST + granule * PORTS_GRANULE;

	for (uint32_t i = 0; i < PORTS_GRANULE; i++)
		if (p->user[port + i] != NULL)
			return false;
	return true;
}

/* Free granules from `first` on, at most `want`. */
static uint32_t
run_at(const struct ports *p, uint32_t first, uint32_t want)
{
	uint32_t n = 0;

	while (n < want && first + n < GRANULES && is_free(p, first + n))
		n++;
	return n;
}

/* A sixteenth of what is left. */
static uint32_t
fair_share(const struct ports *p)
{
	uint32_t left = GRANULES - p->given / PORTS_GRANULE;
	uint32_t want = left / 16;

	if (want > PORTS_BLOCK_MAX / PORTS_GRANULE)
		want = PORTS_BLOCK_MAX / PORTS_GRANULE;
	return want > 0 ? want : 1;
}

int
ports_give(struct ports *p, void *user, uint16_t *lo, uint16_t *hi)
{
	uint32_t want = fair_share(p), best = 0, best_n = 0;

	for (uint32_t i = 0; i < GRANULES && best_n < want;) {
		uint32_t g = (p->at + i) % GRANULES;
		uint32_t n = run_at(p, g, want);

		if (n > best_n) {
			best = g;
			best_n = n;
		}
		i += n + 1;
	}
	if (best_n == 0)
		return SW_ERR_LIMIT;
	p->at = (best + best_n) % GRANULES;
	*lo = (uint16_t)(PORTS_FIRST + best * PORTS_GRANULE);
	*hi = (uint16_t)(*lo + best_n * PORTS_GRANULE - 1);
	for (uint32_t port = *lo; port <= *hi; port++)
		p->user[port] = user;
	p->given += best_n * PORTS_GRANULE;
	return SW_OK;
}

void
ports_take_back(struct ports *p, void *user, uint16_t lo, uint16_t hi)
{
	for (uint32_t port = 0; port < 65536; port++)
		if (p->user[port] == user)
			p->user[port] = NULL;
	p->given -= (uint32_t)(hi - lo) + 1;
}

bool
ports_claim(struct ports *p, void *user, uint16_t port)
{
	if (port == 0)
		return false;
	if (p->user[port] == NULL)
		p->user[port] = user;
	return p->user[port] == user;
}
