#include <stdlib.h>
#include <string.h>

#include "transport/iroh_private.h"

#define TOMB 255
#define SIZE_MIN_SLOTS 64

/* Peers choose some of the ids, so the hash is seeded. */
static size_t
hash(const struct iroh_cid_table *t, const uint8_t *id, size_t len)
{
	uint64_t h = t->seed ^ len;

	for (size_t i = 0; i < len; i++) {
		h = (h ^ id[i]) * UINT64_C(0x9fb21c651e98df25);
		h ^= h >> 29;
	}
	return (size_t)h & (t->size - 1);
}

static struct iroh_cid_slot *
find(const struct iroh_cid_table *t, const uint8_t *id, size_t len)
{
	if (t->size == 0 || len == 0 || len > NGTCP2_MAX_CIDLEN)
		return NULL;
	for (size_t i = hash(t, id, len);; i = (i + 1) & (t->size - 1)) {
		struct iroh_cid_slot *s = &t->slots[i];

		if (s->len == 0)
			return NULL;
		if (s->len == len && memcmp(s->id, id, len) == 0)
			return s;
	}
}

static void
put(struct iroh_cid_table *t, const uint8_t *id, size_t len,
    struct iroh_conn *c)
{
	size_t i = hash(t, id, len);

	while (t->slots[i].len != 0)
		i = (i + 1) & (t->size - 1);
	t->slots[i].len = (uint8_t)len;
	memcpy(t->slots[i].id, id, len);
	t->slots[i].conn = c;
	t->used++;
}

/* Twice the live entries at least, without the tombs. */
static int
rebuild(struct iroh_cid_table *t)
{
	struct iroh_cid_table bigger = { .size = SIZE_MIN_SLOTS,
	    .seed = t->seed };
	size_t live = 0;

	for (size_t i = 0; i < t->size; i++)
		live += t->slots[i].len != 0 && t->slots[i].len != TOMB;
	while (bigger.size < live * 4)
		bigger.size *= 2;
	if (bigger.seed == 0)
		iroh_random(&bigger.seed, sizeof(bigger.seed));
	bigger.slots = calloc(bigger.size, sizeof(*bigger.slots));
	if (bigger.slots == NULL)
		return SW_ERR_NOMEM;
	for (size_t i = 0; i < t->size; i++)
		if (t->slots[i].len != 0 && t->slots[i].len != TOMB)
			put(&bigger, t->slots[i].id, t->slots[i].len,
			    t->slots[i].conn);
	free(t->slots);
	*t = bigger;
	return SW_OK;
}

int
iroh_cid_add(struct iroh_cid_table *t, const uint8_t *id, size_t len,
    struct iroh_conn *c)
{
	struct iroh_cid_slot *s = find(t, id, len);

	if (len == 0 || len > NGTCP2_MAX_CIDLEN)
		return SW_ERR_FORMAT;
	if (s != NULL)
		return s->conn == c ? SW_OK : SW_ERR_IN_USE;
	if ((t->used + 1) * 2 > t->size && rebuild(t) != SW_OK)
		return SW_ERR_NOMEM;
	put(t, id, len, c);
	c->ncids++;
	return SW_OK;
}

static void
bury(struct iroh_cid_slot *s)
{
	s->conn->ncids--;
	s->len = TOMB;
	s->conn = NULL;
}

void
iroh_cid_remove(struct iroh_cid_table *t, const uint8_t *id, size_t len)
{
	struct iroh_cid_slot *s = find(t, id, len);

	if (s != NULL)
		bury(s);
}

void
iroh_cid_remove_all(struct iroh_cid_table *t, struct iroh_conn *c)
{
	for (size_t i = 0; i < t->size && c->ncids > 0; i++)
		if (t->slots[i].conn == c)
			bury(&t->slots[i]);
}

struct iroh_conn *
iroh_cid_find(const struct iroh_cid_table *t, const uint8_t *id, size_t len)
{
	const struct iroh_cid_slot *s = find(t, id, len);

	return s == NULL ? NULL : s->conn;
}

void
iroh_cid_wipe(struct iroh_cid_table *t)
{
	free(t->slots);
	memset(t, 0, sizeof(*t));
}
