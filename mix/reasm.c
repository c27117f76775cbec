/*
 * Fragments lie in a pool of equal slots.  A set is an array of slot numbers
 * by position.  A message is a chain of sets: from a finished set we walk
 * back by the `prev` names and forward by the `next` names; if every set on
 * the way is there and full, the message is complete.
 */
#include "mix/reasm.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/wipe.h"
#include "mix/frag.h"
#include "mix/seen.h"

#define MAX_SETS 256
#define REMEMBER 8192		/* finished sets */
#define NO_SLOT UINT32_MAX

struct set {
	uint32_t id;			/* as in set_id */
	uint32_t prev, next;		/* neighbouring sets; 0 for none */
	uint8_t total;
	uint8_t have;
	int64_t last_ms;
	uint32_t slot[FRAG_SET_MAX];
};

struct slot {
	uint32_t next_free;
	uint32_t len;
};

struct reasm {
	size_t room;
	int64_t idle_ms;
	uint32_t set_id[MAX_SETS];	/* 0: not in use; apart, to search it */
	struct set set[MAX_SETS];
	struct slot *slot;
	uint8_t *bytes;			/* slots * room */
	size_t slots;
	uint32_t free_head;
	struct seen *done;
	uint8_t *msg;			/* the last message handed out */
	size_t msg_cap;
	struct reasm_stats stats;
};

struct reasm *
reasm_new(size_t room, size_t fragments, int64_t idle_ms)
{
	struct reasm *r = calloc(1, sizeof(*r));

	if (r == NULL)
		return NULL;
	r->room = room;
	r->idle_ms = idle_ms;
	r->slots = fragments;
	r->slot = calloc(fragments, sizeof(*r->slot));
	r->bytes = calloc(fragments, room);
	r->done = seen_new(REMEMBER);
	if (r->slot == NULL || r->bytes == NULL || r->done == NULL) {
		reasm_free(r);
		return NULL;
	}
	for (size_t i = 0; i < fragments; i++)
		r->slot[i].next_free = i + 1 < fragments ? (uint32_t)i + 1 :
		    NO_SLOT;
	return r;
}

void
reasm_free(struct reasm *r)
{
	if (r == NULL)
		return;
	sw_wipe_free(r->bytes, r->slots * r->room);
	sw_wipe_free(r->msg, r->msg_cap);
	free(r->slot);
	seen_free(r->done);
	free(r);
}

const struct reasm_stats *
reasm_stats(const struct reasm *r)
{
	return &r->stats;
}

static uint8_t *
slot_bytes(const struct reasm *r, uint32_t slot)
{
	return r->bytes + (size_t)slot * r->room;
}

static void
drop_set(struct reasm *r, struct set *s)
{
	for (unsigned i = 0; i < s->total; i++) {
		uint32_t slot = s->slot[i];

		if (slot == NO_SLOT)
			continue;
		sw_wipe(slot_bytes(r, slot), r->slot[slot].len);
		r->slot[slot].next_free = r->free_head;
		r->free_head = slot;
	}
	s->id = r->set_id[s - r->set] = 0;
}

static struct set *
find_set(struct reasm *r, uint32_t id)
{
	for (size_t i = 0; i < MAX_SETS; i++)
		if (r->set_id[i] == id)
			return &r->set[i];
	return NULL;
}

/* Drop the set that has been silent longest; never the one called `keep`. */
static bool
evict(struct reasm *r, uint32_t keep)
{
	struct set *oldest = NULL;

	for (size_t i = 0; i < MAX_SETS; i++) {
		struct set *s = &r->set[i];

		if (s->id != 0 && s->id != keep &&
		    (oldest == NULL || s->last_ms < oldest->last_ms))
			oldest = s;
	}
	if (oldest == NULL)
		return false;
	drop_set(r, oldest);
	r->stats.evicted++;
	return true;
}

static struct set *
new_set(struct reasm *r, const struct frag_head *h)
{
	struct set *s = find_set(r, 0);

	if (s == NULL && evict(r, 0))
		s = find_set(r, 0);
	if (s == NULL)
		return NULL;
	*s = (struct set){ .id = h->id.set, .total = h->total };
	r->set_id[s - r->set] = s->id;
	memset(s->slot, 0xff, sizeof(s->slot));
	return s;
}

void
reasm_tick(struct reasm *r, int64_t now_ms)
{
	for (size_t i = 0; i < MAX_SETS; i++) {
		struct set *s = &r->set[i];

		if (s->id != 0 && now_ms - s->last_ms > r->idle_ms) {
			drop_set(r, s);
			r->stats.evicted++;
		}
	}
}

/* The padding of a message: the last 01 and what follows it. */
static int
unpad(const uint8_t *p, size_t *n)
{
	size_t i = *n;

	while (i > 0 && p[i - 1] == 0)
		i--;
	if (i == 0 || p[i - 1] != 1)
		return SW_ERR_FORMAT;
	*n = i - 1;
	return SW_OK;
}

/* The first set of the chain that `s` belongs to, if the chain is complete;
 * NULL if not.  *bad: the links contradict each other. */
static struct set *
first_of_chain(struct reasm *r, struct set *s, bool *bad)
{
	struct set *first = s, *to;
	size_t n = 1;

	*bad = false;
	for (; first->prev != 0; first = to) {
		if ((to = find_set(r, first->prev)) == NULL ||
		    to->have < to->total)
			return NULL;
		if (to->next != first->id || ++n > REASM_MAX_CHAIN)
			goto contradiction;
	}
	for (; s->next != 0; s = to) {
		if ((to = find_set(r, s->next)) == NULL ||
		    to->have < to->total)
			return NULL;
		if (to->prev != s->id || ++n > REASM_MAX_CHAIN)
			goto contradiction;
	}
	return first;

contradiction:
	*bad = true;
	return NULL;
}

static int
grow_message(struct reasm *r, size_t need)
{
	uint8_t *p;

	if (need <= r->msg_cap)
		return SW_OK;
	if ((p = malloc(need)) == NULL)
		return SW_ERR_NOMEM;
	sw_wipe_free(r->msg, r->msg_cap);
	r->msg = p;
	r->msg_cap = need;
	return SW_OK;
}

/* Join the chain into r->msg and give its slots back. */
static int
collect(struct reasm *r, struct set *first, size_t *n)
{
	struct set *s, *next;
	size_t need = 0, at = 0;
	int err;

	for (s = first; s != NULL; s = s->next ? find_set(r, s->next) : NULL)
		need += (size_t)s->total * r->room;
	err = grow_message(r, need);
	for (s = first; s != NULL; s = next) {
		for (unsigned i = 0; err == SW_OK && i < s->total; i++) {
			uint32_t slot = s->slot[i];

			memcpy(r->msg + at, slot_bytes(r, slot),
			    r->slot[slot].len);
			at += r->slot[slot].len;
		}
		seen_add(r->done, s->id);
		next = s->next ? find_set(r, s->next) : NULL;
		drop_set(r, s);
	}
	*n = at;
	return err;
}

static int
store(struct reasm *r, struct set *s, const struct frag_head *h,
    const struct rbuf *body)
{
	uint32_t slot;

	if (r->free_head == NO_SLOT && !evict(r, s->id))
		return SW_ERR_NOMEM;
	slot = r->free_head;
	r->free_head = r->slot[slot].next_free;
	memcpy(slot_bytes(r, slot), body->p, body->left);
	r->slot[slot].len = (uint32_t)body->left;
	s->slot[h->id.pos - 1] = slot;
	s->have++;
	if (h->linked && h->id.pos == 1)
		s->prev = h->link;
	else if (h->linked)
		s->next = h->link;
	return SW_OK;
}

/* A message of one fragment goes straight through. */
static int
take_single(struct reasm *r, const struct frag_head *h,
    const struct rbuf *body, size_t *n)
{
	int err;

	if ((err = grow_message(r, r->room)) != SW_OK)
		return err;
	memcpy(r->msg, body->p, body->left);
	*n = body->left;
	seen_add(r->done, h->id.set);
	return SW_OK;
}

static int
add(struct reasm *r, const uint8_t *frag, size_t len, int64_t now_ms,
    size_t *n)
{
	struct rbuf body = { frag, len };
	struct set *s, *first;
	struct frag_head h;
	bool bad;
	int err;

	if (len > r->room || frag_get_head(&body, &h) != SW_OK)
		return SW_ERR_FORMAT;
	if (seen_has(r->done, h.id.set)) {
		r->stats.duplicate++;
		return SW_AGAIN;
	}
	s = find_set(r, h.id.set);
	if (s == NULL && h.total == 1 && !h.linked)
		return take_single(r, &h, &body, n);
	if (s == NULL && (s = new_set(r, &h)) == NULL)
		return SW_ERR_NOMEM;
	s->last_ms = now_ms;
	if (h.total != s->total)
		return SW_ERR_FORMAT;
	if (s->slot[h.id.pos - 1] != NO_SLOT) {
		r->stats.duplicate++;
		return SW_AGAIN;
	}
	if ((err = store(r, s, &h, &body)) != SW_OK)
		return err;
	if (s->have < s->total)
		return SW_AGAIN;
	if ((first = first_of_chain(r, s, &bad)) == NULL) {
		if (!bad)
			return SW_AGAIN;
		drop_set(r, s);
		return SW_ERR_FORMAT;
	}
	return collect(r, first, n);
}

int
reasm_add(struct reasm *r, const uint8_t *frag, size_t len, int64_t now_ms,
    const uint8_t **msg, size_t *n)
{
	int err;

	*msg = NULL;
	*n = 0;
	r->stats.fragments++;
	if ((err = add(r, frag, len, now_ms, n)) == SW_OK &&
	    (err = unpad(r->msg, n)) == SW_OK) {
		*msg = r->msg;
		r->stats.messages++;
		return SW_OK;
	}
	*n = 0;
	if (err == SW_ERR_FORMAT)
		r->stats.bad++;
	return err;
}
