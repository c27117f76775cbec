#include "mix/replay.h"

#include <assert.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#define FIRST_BITS 12
#define TABLES_MAX 24

struct table {
	uint32_t *slot;			/* 0: free */
	size_t n;
};

struct replay {
	struct table table[TABLES_MAX];	/* of 2^(FIRST_BITS + i) slots */
	size_t tables;
	size_t limit, bytes, n;
};

static size_t
slots_of(size_t i)
{
	return (size_t)1 << (FIRST_BITS + i);
}

static int
add_table(struct replay *r)
{
	size_t bytes = slots_of(r->tables) * sizeof(uint32_t);
	uint32_t *slot;

	if (r->tables == TABLES_MAX || bytes > r->limit - r->bytes ||
	    (slot = calloc(1, bytes)) == NULL)
		return SW_ERR_LIMIT;
	r->table[r->tables++].slot = slot;
	r->bytes += bytes;
	return SW_OK;
}

struct replay *
replay_new(size_t limit)
{
	struct replay *r = calloc(1, sizeof(*r));

	if (r == NULL)
		return NULL;
	r->limit = limit;
	if (add_table(r) != SW_OK) {
		free(r);
		return NULL;
	}
	return r;
}

void
replay_free(struct replay *r)
{
	if (r == NULL)
		return;
	for (size_t i = 0; i < r->tables; i++)
		free(r->table[i].slot);
	free(r);
}

size_t
replay_count(const struct replay *r)
{
	return r->n;
}

size_t
replay_bytes(const struct replay *r)
{
	return r->bytes;
}

/* The print's slot in table i, or the free one where it belongs. */
static uint32_t *
find(struct replay *r, size_t i, uint64_t place, uint32_t print)
{
	size_t mask = slots_of(i) - 1, at = (size_t)place & mask;
	uint32_t *slot = r->table[i].slot;

	while (slot[at] != 0 && slot[at] != print)
		at = (at + 1) & mask;
	return &slot[at];
}

/* Three quarters, so that searches stay short. */
static bool
is_full(const struct replay *r, size_t i)
{
	return r->table[i].n >= slots_of(i) / 4 * 3;
}

int
replay_add(struct replay *r, const uint8_t tag[static SPHINX_TAG_LEN])
{
	uint64_t place;
	uint32_t print, *at = NULL;
	size_t last;

	memcpy(&place, tag, sizeof(place));
	memcpy(&print, tag + sizeof(place), sizeof(print));
	if (print == 0)
		print = 1;
	for (size_t i = 0; i < r->tables; i++) {
		at = find(r, i, place, print);
		if (*at != 0)
			return SW_ERR_REPLAY;
	}
	assert(at != NULL);		/* there is always a table */
	last = r->tables - 1;
	if (is_full(r, last)) {
		if (add_table(r) != SW_OK)
			return SW_ERR_LIMIT;
		at = find(r, ++last, place, print);
	}
	*at = print;
	r->table[last].n++;
	r->n++;
	return SW_OK;
}
