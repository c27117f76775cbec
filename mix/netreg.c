#include "mix/netreg.h"

#include <stdlib.h>
#include <string.h>

struct entry {
	struct announce a;
	uint32_t id;
	int layer;			/* from 0; -1: no mix */
	int64_t seen_s;
};

struct netreg {
	int64_t silent_s;
	struct entry node[NETREG_NODES_MAX];
	size_t n;
	uint32_t last_id;
	uint8_t (*admitted)[NYM_KEY_LEN];	/* NULL: all are */
	size_t n_admitted;
};

struct netreg *
netreg_new(int64_t silent_s)
{
	struct netreg *r = calloc(1, sizeof(*r));

	if (r != NULL)
		r->silent_s = silent_s;
	return r;
}

void
netreg_free(struct netreg *r)
{
	if (r == NULL)
		return;
	free(r->admitted);
	free(r);
}

int
netreg_admit(struct netreg *r, const uint8_t identity[static NYM_KEY_LEN])
{
	void *more = realloc(r->admitted, (r->n_admitted + 1) *
	    sizeof(*r->admitted));

	if (more == NULL)
		return SW_ERR_NOMEM;
	r->admitted = more;
	memcpy(r->admitted[r->n_admitted++], identity, NYM_KEY_LEN);
	return SW_OK;
}

static bool
may(const struct netreg *r, const uint8_t identity[static NYM_KEY_LEN])
{
	for (size_t i = 0; i < r->n_admitted; i++)
		if (memcmp(r->admitted[i], identity, NYM_KEY_LEN) == 0)
			return true;
	return r->admitted == NULL;
}

static struct entry *
find(struct netreg *r, const uint8_t identity[static NYM_KEY_LEN])
{
	for (size_t i = 0; i < r->n; i++)
		if (memcmp(r->node[i].a.identity, identity, NYM_KEY_LEN) == 0)
			return &r->node[i];
	return NULL;
}

static bool
is_there(const struct netreg *r, const struct entry *e, int64_t unix_s)
{
	return unix_s - e->seen_s <= r->silent_s;
}

static int
least_layer(const struct netreg *r, int64_t unix_s)
{
	size_t n[TOPOLOGY_LAYERS] = { 0 };
	int best = 0;

	for (size_t i = 0; i < r->n; i++)
		if (r->node[i].layer >= 0 && is_there(r, &r->node[i], unix_s))
			n[r->node[i].layer]++;
	for (int l = 1; l < TOPOLOGY_LAYERS; l++)
		if (n[l] < n[best])
			best = l;
	return best;
}

/* A place: a new one, or that of somebody who has gone. */
static struct entry *
place(struct netreg *r, int64_t unix_s)
{
	if (r->n < NETREG_NODES_MAX)
		return &r->node[r->n++];
	for (size_t i = 0; i < r->n; i++)
		if (!is_there(r, &r->node[i], unix_s))
			return &r->node[i];
	return NULL;
}

int
netreg_take(struct netreg *r, const char *text, size_t n, int64_t unix_s)
{
	struct announce a;
	struct entry *e;
	int err, layer;

	if ((err = announce_read(&a, text, n)) != SW_OK)
		return err;
	if (!may(r, a.identity))
		return SW_ERR_DENIED;
	e = find(r, a.identity);
	if (a.unix_s > unix_s + NETREG_SKEW_S ||
	    a.unix_s < unix_s - NETREG_SKEW_S ||
	    (e != NULL && a.unix_s <= e->a.unix_s))
		return SW_ERR_REPLAY;
	layer = !a.mixnode ? -1 : e != NULL && e->layer >= 0 &&
	    is_there(r, e, unix_s) ? e->layer : least_layer(r, unix_s);
	if (e == NULL) {
		if ((e = place(r, unix_s)) == NULL)
			return SW_ERR_LIMIT;
		e->id = ++r->last_id;
	}
	e->a = a;
	e->layer = layer;
	e->seen_s = unix_s;
	return SW_OK;
}

static const uint8_t *
key_of(const struct announce *a, uint32_t rotation_id)
{
	for (size_t i = 0; i < a->n_sphinx; i++)
		if (a->sphinx[i].rotation_id == rotation_id)
			return a->sphinx[i].key;
	return NULL;
}

static void
put_node(struct topology *t, const struct entry *e, const uint8_t *key)
{
	struct topology_node *d = &t->node[t->n];
	const struct announce *a = &e->a;

	d->id = e->id;
	d->mix = a->mix;
	memcpy(d->identity, a->identity, sizeof(d->identity));
	memcpy(d->sphinx, key, sizeof(d->sphinx));
	d->mixnode = a->mixnode;
	d->entry = a->entry;
	d->exit = a->exit;
	d->performance = 100;
	d->has_ipr = a->has_ipr;
	d->ipr = a->ipr;
	if (a->entry) {
		d->ws = a->mix;
		d->ws.port = a->ws_port;
		d->wss_port = a->wss_port;
	}
	memcpy(d->host, a->host, sizeof(d->host));
	d->has_noise = a->has_noise;
	memcpy(d->noise, a->noise, sizeof(d->noise));
	if (e->layer >= 0)
		t->layer[e->layer][t->n_layer[e->layer]++] = t->n;
	t->n++;
}

int
netreg_topology(const struct netreg *r, uint32_t rotation_id, uint64_t epoch,
    int64_t unix_s, struct topology **out)
{
	struct topology *t = calloc(1, sizeof(*t));
	size_t room = r->n + 1;
	const uint8_t *key;
	bool good = t != NULL;

	*out = NULL;
	if (good) {
		t->rotation_id = rotation_id;
		t->epoch_id = epoch;
		t->node = calloc(room, sizeof(*t->node));
		good = t->node != NULL;
	}
	for (int l = 0; good && l < TOPOLOGY_LAYERS; l++) {
		t->layer[l] = calloc(room, sizeof(*t->layer[l]));
		good = t->layer[l] != NULL;
	}
	if (!good) {
		topology_free(t);
		return SW_ERR_NOMEM;
	}
	for (size_t i = 0; i < r->n; i++)
		if (is_there(r, &r->node[i], unix_s) &&
		    (key = key_of(&r->node[i].a, rotation_id)) != NULL)
			put_node(t, &r->node[i], key);
	*out = t;
	return SW_OK;
}
