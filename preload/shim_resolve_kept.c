#include "preload/shim_resolve_kept.h"

#include <string.h>

#include "base/clock.h"
#include "preload/shim_image.h"

#define KEPT_MS 1000

static bool
is_virtual(const struct sw_addr *a)
{
	static const uint8_t v6[8] = { 0xfd, 0x73, 0x6d, 0x6f, 0x6c, 0x77, 0,
	    1 };

	return addr_is_v4(a) ? a->ip[12] == 198 && (a->ip[13] & 0xfe) == 18 :
	    memcmp(a->ip, v6, sizeof(v6)) == 0;
}

/* The addresses mean something to the session that gave them, and to no other
 * that may have come after it. */
static bool
session_lives(void)
{
	struct pollfd p = { .fd = shim_ctl() };

	return p.fd >= 0 && sys_poll(&p, 1, 0) == 0;
}

static struct image_name *
find(struct image *im, const char *name, int family)
{
	for (unsigned i = 0; i < IMAGE_NAMES; i++) {
		struct image_name *e = &im->names[i];

		if (e->n > 0 && e->family == family &&
		    strcmp(e->name, name) == 0)
			return e;
	}
	return NULL;
}

bool
kept_find(const char *name, int family, struct sw_addr *addr, size_t *n)
{
	const struct image_name *e;
	struct image *im = image_peek();
	struct shim_guard g;
	bool found = false;

	if (im == NULL || !session_lives())
		return false;
	shim_lock(&g, &im->names_lock);
	if ((e = find(im, name, family)) != NULL && e->n <= *n &&
	    clock_now_ms() - e->at_ms < KEPT_MS) {
		memcpy(addr, e->addr, e->n * sizeof(*addr));
		*n = e->n;
		found = true;
	}
	shim_unlock(&g, &im->names_lock);
	return found;
}

void
kept_put(const char *name, int family, const struct sw_addr *addr, size_t n)
{
	struct image *im = image_peek();
	const size_t len = strlen(name);
	struct image_name *e;
	struct shim_guard g;

	if (im == NULL || n == 0 || n > IMAGE_NAME_ADDRS ||
	    len >= sizeof(e->name))
		return;
	for (size_t i = 0; i < n; i++)
		if (!is_virtual(&addr[i]))
			return;
	shim_lock(&g, &im->names_lock);
	if ((e = find(im, name, family)) == NULL)
		e = &im->names[im->names_next++ % IMAGE_NAMES];
	memcpy(e->name, name, len + 1);
	e->family = family;
	memcpy(e->addr, addr, n * sizeof(*addr));
	e->n = (uint32_t)n;
	e->at_ms = clock_now_ms();
	shim_unlock(&g, &im->names_lock);
}
