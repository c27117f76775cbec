/*
 * shim_table.c - see shim_table.h.
 *
 * Open addressing with short probes; when a window is full the oldest entry,
 * the one with the lowest cookie, is pushed out.
 */
#include "preload/shim_table.h"

#include <string.h>

#include "preload/shim_image.h"

#define SLOTS 1024
#define PROBES 8

static struct table_entry table[SLOTS];

static struct table_entry *
find(uint64_t cookie)
{
	for (unsigned i = 0; i < PROBES && cookie != 0; i++) {
		struct table_entry *e = &table[(cookie + i) % SLOTS];

		if (e->cookie == cookie)
			return e;
	}
	return NULL;
}

static struct table_entry *
claim(uint64_t cookie)
{
	struct table_entry *best = NULL;

	for (unsigned i = 0; i < PROBES; i++) {
		struct table_entry *e = &table[(cookie + i) % SLOTS];

		if (best == NULL || e->cookie < best->cookie)
			best = e;
	}
	memset(best, 0, sizeof(*best));
	for (unsigned i = 0; i < TABLE_EPOLLS; i++)
		best->epolls[i].epfd = -1;
	best->cookie = cookie;
	return best;
}

/* Lock the table; NULL where it is not ours to touch. */
static struct image *
enter(struct shim_guard *g)
{
	struct image *im = image_get();

	if (im != NULL)
		shim_lock(g, &im->table_lock);
	return im;
}

static void
leave(struct image *im, const struct shim_guard *g)
{
	shim_unlock(g, &im->table_lock);
}

void
table_begin(uint64_t cookie)
{
	struct shim_guard g;
	struct image *im;

	if (cookie == 0 || (im = enter(&g)) == NULL)
		return;
	claim(cookie);
	leave(im, &g);
}

bool
table_has(uint64_t cookie)
{
	return find(cookie) != NULL;
}

bool
table_copy(uint64_t cookie, struct table_entry *out)
{
	struct table_entry *e;
	struct shim_guard g;
	struct image *im = enter(&g);
	bool found = false;

	if (im == NULL)
		return false;
	if ((e = find(cookie)) != NULL) {
		*out = *e;
		found = true;
	}
	leave(im, &g);
	return found;
}

void
table_move(uint64_t from, uint64_t to)
{
	struct table_entry *e, copy;
	struct shim_guard g;
	struct image *im = enter(&g);

	if (im == NULL)
		return;
	if ((e = find(from)) != NULL) {
		copy = *e;
		memset(e, 0, sizeof(*e));
		copy.cookie = to;
		*claim(to) = copy;
	}
	leave(im, &g);
}

bool
table_put_option(uint64_t cookie, uint16_t rule, int32_t value)
{
	struct table_entry *e;
	struct shim_guard g;
	struct image *im = enter(&g);
	bool kept = false;

	if (im == NULL)
		return false;
	if ((e = find(cookie)) != NULL)
		for (unsigned i = 0; i < TABLE_OPTIONS; i++) {
			if (e->options[i].rule != 0 &&
			    e->options[i].rule != rule)
				continue;
			e->options[i].rule = rule;
			e->options[i].value = value;
			kept = true;
			break;
		}
	leave(im, &g);
	return kept;
}

bool
table_get_option(uint64_t cookie, uint16_t rule, int32_t *value)
{
	struct table_entry e;

	if (!table_copy(cookie, &e))
		return false;
	for (unsigned i = 0; i < TABLE_OPTIONS; i++)
		if (e.options[i].rule == rule) {
			*value = e.options[i].value;
			return true;
		}
	return false;
}

void
table_put_asked(uint64_t cookie, const struct sw_addr *a)
{
	struct table_entry *e;
	struct shim_guard g;
	struct image *im = enter(&g);

	if (im == NULL)
		return;
	if ((e = find(cookie)) != NULL)
		e->asked = *a;
	leave(im, &g);
}

bool
table_get_asked(uint64_t cookie, struct sw_addr *a)
{
	struct table_entry e;

	if (!table_copy(cookie, &e) || e.asked.port == 0)
		return false;
	*a = e.asked;
	return true;
}

void
table_put_epoll(uint64_t cookie, int op, int epfd, int fd,
    const struct epoll_event *ev)
{
	struct table_entry *e;
	struct shim_guard g;
	struct image *im = enter(&g);
	int at = -1;

	if (im == NULL)
		return;
	if ((e = find(cookie)) == NULL) {
		leave(im, &g);
		return;
	}
	for (int i = 0; i < TABLE_EPOLLS; i++) {
		if (e->epolls[i].epfd == epfd && e->epolls[i].fd == fd) {
			at = i;
			break;
		}
		if (e->epolls[i].epfd < 0 && at < 0)
			at = i;
	}
	if (at >= 0) {
		e->epolls[at].epfd = op == EPOLL_CTL_DEL ? -1 : epfd;
		e->epolls[at].fd = fd;
		if (ev != NULL)
			e->epolls[at].ev = *ev;
	}
	leave(im, &g);
}
