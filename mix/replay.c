#include "mix/replay.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#define FIRST_SLOTS 4096

struct replay {
	uint64_t *slot;			/* 0: free */
	size_t slots;			/* a power of two, at most half full */
	size_t n, limit;
};

struct replay *
replay_new(size_t limit)
{
	struct replay *r = calloc(1, sizeof(*r));

	if (r == NULL)
		return NULL;
	r->limit = limit;
	r->slots = FIRST_SLOTS;
	if ((r->slot = calloc(r->slots, sizeof(*r->slot))) == NULL) {
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
	free(r->slot);
	free(r);
}

static uint64_t *
find(uint64_t *slot, size_t slots, uint64_t name)
{
	size_t i = (size_t)name & (slots - 1);

	while (slot[i] != 0 && slot[i] != name)
		i = (i + 1) & (slots - 1);
	return &slot[i];
}

static int
grow(struct replay *r)
{
	uint64_t *bigger = calloc(2 * r->slots, sizeof(*bigger));

	if (bigger == NULL)
		return SW_ERR_LIMIT;
	for (size_t i = 0; i < r->slots; i++)
		if (r->slot[i] != 0)
			*find(bigger, 2 * r->slots, r->slot[i]) = r->slot[i];
	free(r->slot);
	r->slot = bigger;
	r->slots *= 2;
	return SW_OK;
}

int
replay_add(struct replay *r, const uint8_t tag[static SPHINX_TAG_LEN])
{
	uint64_t name, *at;

	memcpy(&name, tag, sizeof(name));
	if (name == 0)
		name = 1;
	at = find(r->slot, r->slots, name);
	if (*at != 0)
		return SW_ERR_REPLAY;
	if (r->n == r->limit)
		return SW_ERR_LIMIT;
	if (2 * (r->n + 1) > r->slots) {
		if (grow(r) != SW_OK)
			return SW_ERR_LIMIT;
		at = find(r->slot, r->slots, name);
	}
	*at = name;
	r->n++;
	return SW_OK;
}
