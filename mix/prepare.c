#include "mix/prepare.h"

#include <assert.h>
#include <string.h>

#include "base/wipe.h"

static uint64_t
delays_of(const struct sphinx_route *route)
{
	uint64_t sum = 0;

	for (size_t i = 0; i + 1 < route->n; i++)
		sum += route->hop[i].delay_ns;
	return sum;
}

/* Keys for as many jobs from the first on as are for the same recipient; how
 * many those were. */
static int
agree(struct prepared *out, const struct prepare_job *job, size_t n,
    struct rng *rng, size_t *done)
{
	struct nymseal_pair pair[SPHINX_BATCH];
	size_t same = 1;
	int r;

	while (same < n && job[same].seal && job[same].to == job->to)
		same++;
	r = nymseal_agree(pair, same, job->to->encryption, job->table, rng);
	for (size_t i = 0; i < same; i++)
		out[i].seal = pair[i];
	sw_wipe(pair, same * sizeof(*pair));
	*done = same;
	return r;
}

int
prepare_make(struct prepared *out, const struct prepare_job *job, size_t n,
    const struct topology *t, uint64_t hop_ns, struct rng *rng)
{
	struct sphinx_header header[SPHINX_BATCH];
	struct sphinx_route route[SPHINX_BATCH];
	size_t done = 1;
	int r = SW_OK;

	assert(n <= SPHINX_BATCH);
	if (n == 0)
		return SW_OK;
	memset(out, 0, n * sizeof(*out));
	for (size_t i = 0; i < n; i++) {
		if (job[i].node != NULL)
			memcpy(out[i].node, job[i].node, sizeof(out[i].node));
		else if ((r = topology_draw(t, rng, out[i].node)) != SW_OK)
			return r;
		if ((r = topology_route_by(t, job[i].to, out[i].node, hop_ns,
		    rng, &route[i])) != SW_OK)
			return r;
	}
	r = sphinx_create_headers(header, route, n, SPHINX_V259, rng);
	for (size_t i = 0; i < n && r == SW_OK; i++) {
		out[i].header = header[i];
		memcpy(out[i].first, route[i].hop[0].addr, SPHINX_ADDR_LEN);
		out[i].delay_ns = delays_of(&route[i]);
	}
	for (size_t i = 0; i < n && r == SW_OK; i += done) {
		done = 1;
		if (job[i].seal)
			r = agree(&out[i], &job[i], n - i, rng, &done);
	}
	if (r != SW_OK)
		sw_wipe(out, n * sizeof(*out));
	sw_wipe(header, n * sizeof(*header));
	return r;
}
