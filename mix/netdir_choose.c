/* Which gateway to enter and which exit to leave by.  No I/O. */
#include <string.h>

#include "mix/netdir.h"
#include "mix/topology_api.h"

typedef bool (*fit_fn)(const struct topology_node *n);

static bool
takes_clients(const struct topology_node *n)
{
	return n->entry && n->ws.port != 0;
}

static bool
takes_tls_clients(const struct topology_node *n)
{
	return n->entry && n->wss_port != 0 && n->host[0] != '\0';
}

static bool
is_exit(const struct topology_node *n)
{
	return n->has_ipr;
}

/* How likely it is to be drawn. */
static uint32_t
weight(const struct topology_node *n, fit_fn fits,
    const struct netdir_avoid *avoid)
{
	if (!fits(n) || n->performance < TOPOLOGY_API_MIN_PERFORMANCE)
		return 0;
	for (size_t i = 0; avoid != NULL && i < avoid->n; i++)
		if (memcmp(n->identity, avoid->id[i], NYM_KEY_LEN) == 0)
			return 0;
	return n->performance;
}

/* NULL if no node fits. */
static const struct topology_node *
draw(const struct topology *t, fit_fn fits,
    const struct netdir_avoid *avoid, struct rng *rng)
{
	uint32_t sum = 0, at, w;

	for (size_t i = 0; i < t->n; i++)
		sum += weight(&t->node[i], fits, avoid);
	if (sum == 0)
		return NULL;
	at = rng_below(rng, sum);
	for (size_t i = 0; i < t->n; i++, at -= w)
		if ((w = weight(&t->node[i], fits, avoid)) > at)
			return &t->node[i];
	return NULL;
}

/* The node named `given`, or one drawn. */
static int
choose(const struct topology *t, const char *given, fit_fn fits,
    const struct netdir_avoid *avoid, struct rng *rng,
    const struct topology_node **out)
{
	uint8_t id[NYM_KEY_LEN];

	*out = NULL;
	if (given == NULL) {
		*out = draw(t, fits, avoid, rng);
		return *out != NULL ? SW_OK : SW_ERR_UNREACH_HOST;
	}
	if (base58_decode(id, sizeof(id), given, strlen(given)) != SW_OK)
		return SW_ERR_FORMAT;
	*out = topology_find(t, id);
	if (*out != NULL && fits(*out))
		return SW_OK;
	*out = NULL;
	return SW_ERR_UNREACH_HOST;
}

int
netdir_choose_entry(const struct topology *t, const char *given, bool tls,
    const struct netdir_avoid *avoid, struct rng *rng,
    const struct topology_node **out)
{
	return choose(t, given, tls ? takes_tls_clients : takes_clients,
	    avoid, rng, out);
}

int
netdir_choose_exit(const struct topology *t, const char *given,
    const struct netdir_avoid *avoid, struct rng *rng, struct recipient *out)
{
	const struct topology_node *n;
	int r;

	memset(out, 0, sizeof(*out));
	if (given != NULL && strchr(given, '@') != NULL) {
		if (recipient_parse(out, given) != SW_OK)
			return SW_ERR_FORMAT;
		return topology_find(t, out->gateway) != NULL ? SW_OK :
		    SW_ERR_UNREACH_HOST;
	}
	if ((r = choose(t, given, is_exit, avoid, rng, &n)) == SW_OK)
		*out = n->ipr;
	return r;
}
