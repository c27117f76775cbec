/*
 * shim_tag.c - identity carried by the descriptor itself (see shim.h).
 */
#include "preload/shim.h"

bool
shim_tag_get(int fd, struct shim_tag *t)
{
	uint64_t v = 0;
	socklen_t len = sizeof(v);

	*t = (struct shim_tag){ 0 };
	if (sys_getsockopt(fd, SOL_SOCKET, SO_MAX_PACING_RATE, &v, &len) < 0 ||
	    len != sizeof(v) || v >> 48 != SHIM_TAG_MAGIC)
		return false;
	t->flags = (uint16_t)(v >> 32);
	t->owner = (uint32_t)v;
	/* A stream on loopback is the kernel's; its tag colours its name. */
	return !(t->flags & SHIM_WILDCARD) || shim_is_local(*t);
}

int
shim_tag_set(int fd, struct shim_tag t)
{
	uint64_t v = (uint64_t)SHIM_TAG_MAGIC << 48 |
	    (uint64_t)t.flags << 32 | t.owner;

	return sys_setsockopt(fd, SOL_SOCKET, SO_MAX_PACING_RATE, &v,
	    sizeof(v));
}

void
shim_tag_clear(int fd)
{
	uint64_t none = ~(uint64_t)0;	/* the kernel's "no limit" */

	sys_setsockopt(fd, SOL_SOCKET, SO_MAX_PACING_RATE, &none,
	    sizeof(none));
}

uint64_t
shim_cookie(int fd)
{
	uint64_t v = 0;
	socklen_t len = sizeof(v);

	if (sys_getsockopt(fd, SOL_SOCKET, SO_COOKIE, &v, &len) < 0)
		return 0;
	return v;
}
