/* Two open-addressing tables of at most half load: the young one takes new
 * names; when it holds n, it becomes the old one and the old one is emptied. */
#include "mix/seen.h"

#include <stdlib.h>
#include <string.h>

struct seen {
	uint64_t *young, *old;		/* 0 marks a free slot */
	size_t slots;			/* a power of two */
	size_t limit, count;		/* of young */
	bool zero;			/* the name 0 was added */
};

struct seen *
seen_new(size_t n)
{
	struct seen *s = calloc(1, sizeof(*s));

	if (s == NULL)
		return NULL;
	s->limit = n;
	for (s->slots = 16; s->slots < 2 * n; s->slots *= 2)
		;
	s->young = calloc(s->slots, sizeof(*s->young));
	s->old = calloc(s->slots, sizeof(*s->old));
	if (s->young == NULL || s->old == NULL) {
		seen_free(s);
		return NULL;
	}
	return s;
}

void
seen_free(struct seen *s)
{
	if (s == NULL)
		return;
	free(s->young);
	free(s->old);
	free(s);
}

/* Multiplication by an odd constant spreads names that are not hashes. */
static size_t
slot_of(const struct seen *s, const uint64_t *table, uint64_t name)
{
	size_t i = (size_t)((name * 0x9e3779b97f4a7c15u) >> 20) &
	    (s->slots - 1);

	while (table[i] != 0 && table[i] != name)
		i = (i + 1) & (s->slots - 1);
	return i;
}

bool
seen_has(const struct seen *s, uint64_t name)
{
	if (name == 0)
		return s->zero;
	return s->young[slot_of(s, s->young, name)] == name ||
	    s->old[slot_of(s, s->old, name)] == name;
}

bool
seen_add(struct seen *s, uint64_t name)
{
	uint64_t *t;

	if (seen_has(s, name))
		return true;
	if (name == 0) {
		s->zero = true;
		return false;
	}
	if (s->count == s->limit) {
		t = s->old;
		s->old = s->young;
		s->young = t;
		memset(t, 0, s->slots * sizeof(*t));
		s->count = 0;
	}
	s->young[slot_of(s, s->young, name)] = name;
	s->count++;
	return false;
}
