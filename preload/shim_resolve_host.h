/*
 * shim_resolve_host.h - struct hostent, made in a caller's buffer.
 */
#ifndef SW_PRELOAD_SHIM_RESOLVE_HOST_H
#define SW_PRELOAD_SHIM_RESOLVE_HOST_H

#include <stdbool.h>
#include <stddef.h>

#include "preload/shim_resolve.h"

struct hostent;

/* Enough for any struct names. */
#define HOST_BUF (2 * NAMES_ALIAS_ROOM + NAME_LEN_MAX + NAMES_ADDR_MAX * 32)

/* `family` is AF_INET or AF_INET6 and fits every address of `from`.  False
 * when `len` bytes at `buf` are too few; then nothing was said. */
bool host_pack(struct hostent *out, const struct names *from, int family,
    char *buf, size_t len);

/* gethostbyname2(3): numeric forms and names.  SW_OK (n may be 0) or an
 * SW_ERR_*, as names_lookup(). */
int host_lookup(const struct names_source *src, const char *name, int family,
    struct names *out) SW_MUST_CHECK;

#endif
