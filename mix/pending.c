/* Two rings, queued and sent, and a hash of everything by fragment name. */
#include "mix/pending.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/wipe.h"

#define BUCKETS 4096

struct ring {
	struct pending_item *head;	/* circular; NULL when empty */
	size_t n;
};

struct pending {
	struct pending_item *item;
	uint8_t *bytes;
	size_t cap, room, n_free;
	struct pending_item *free_list;	/* by chain */
	struct ring queued, sent;
	struct pending_item *bucket[BUCKETS];
};

struct pending *
pending_new(size_t n, size_t room)
{
	struct pending *p = calloc(1, sizeof(*p));

	if (p == NULL)
		return NULL;
	p->cap = p->n_free = n;
	p->room = room;
	p->item = calloc(n, sizeof(*p->item));
	p->bytes = calloc(n, room);
	if (p->item == NULL || p->bytes == NULL) {
		pending_free(p);
		return NULL;
	}
	for (size_t i = n; i-- > 0;) {
		p->item[i].frag = p->bytes + i * room;
		p->item[i].chain = p->free_list;
		p->free_list = &p->item[i];
	}
	return p;
}

void
pending_free(struct pending *p)
{
	if (p == NULL)
		return;
	sw_wipe_free(p->bytes, p->cap * p->room);
	free(p->item);
	free(p);
}

size_t
pending_count_free(const struct pending *p)
{
	return p->n_free;
}

size_t
pending_count_queued(const struct pending *p)
{
	return p->queued.n;
}

static struct pending_item **
bucket_of(struct pending *p, const struct frag_id *id)
{
	return &p->bucket[(id->set * 31 + id->pos) % BUCKETS];
}

static void
ring_add(struct ring *r, struct pending_item *it, bool front)
{
	if (r->head == NULL) {
		it->next = it->prev = it;
		r->head = it;
	} else {
		it->next = r->head;
		it->prev = r->head->prev;
		it->prev->next = it;
		it->next->prev = it;
		if (front)
			r->head = it;
	}
	r->n++;
}

static void
ring_del(struct ring *r, struct pending_item *it)
{
	if (it->next == it) {
		r->head = NULL;
	} else {
		it->prev->next = it->next;
		it->next->prev = it->prev;
		if (r->head == it)
			r->head = it->next;
	}
	it->next = it->prev = NULL;
	r->n--;
}

struct pending_item *
pending_take(struct pending *p)
{
	struct pending_item *it = p->free_list;

	if (it == NULL)
		return NULL;
	p->free_list = it->chain;
	p->n_free--;
	it->tries = 0;
	it->sent = false;
	it->next = it->prev = NULL;
	return it;
}

void
pending_queue(struct pending *p, struct pending_item *it, bool front)
{
	struct pending_item **b = bucket_of(p, &it->id);

	it->chain = *b;
	*b = it;
	ring_add(&p->queued, it, front);
}

struct pending_item *
pending_head(const struct pending *p)
{
	return p->queued.head;
}

void
pending_sent(struct pending *p, struct pending_item *it, int64_t due_ms)
{
	assert(!it->sent);
	ring_del(&p->queued, it);
	it->sent = true;
	it->due_ms = due_ms;
	it->tries++;
	ring_add(&p->sent, it, false);
}

void
pending_drop(struct pending *p, struct pending_item *it)
{
	struct pending_item **at = bucket_of(p, &it->id);

	while (*at != NULL && *at != it)
		at = &(*at)->chain;
	if (*at == it) {
		*at = it->chain;
		ring_del(it->sent ? &p->sent : &p->queued, it);
	}
	sw_wipe(it->frag, p->room);
	it->chain = p->free_list;
	p->free_list = it;
	p->n_free++;
}

struct pending_item *
pending_find(struct pending *p, const struct frag_id *id)
{
	struct pending_item *it = *bucket_of(p, id);

	while (it != NULL && (it->id.set != id->set || it->id.pos != id->pos))
		it = it->chain;
	return it;
}

int64_t
pending_expire(struct pending *p, int64_t now_ms)
{
	struct pending_item *it = p->sent.head, *next;
	int64_t first = INT64_MAX;

	for (size_t n = p->sent.n; n > 0; n--, it = next) {
		next = it->next;
		if (it->due_ms > now_ms) {
			if (it->due_ms < first)
				first = it->due_ms;
			continue;
		}
		ring_del(&p->sent, it);
		it->sent = false;
		ring_add(&p->queued, it, true);
	}
	return first;
}
