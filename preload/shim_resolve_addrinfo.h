/*
 * shim_resolve_addrinfo.h - getaddrinfo(3) without its environment.
 */
#ifndef SW_PRELOAD_SHIM_RESOLVE_ADDRINFO_H
#define SW_PRELOAD_SHIM_RESOLVE_ADDRINFO_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "preload/shim_resolve.h"

struct addrinfo;
struct in_addr;

/* getaddrinfo(3); `has_v6`: does the tunnel carry IPv6? */
int addrinfo_get(const struct names_source *src, bool has_v6,
    const char *node, const char *service, const struct addrinfo *hints,
    struct addrinfo **res);

/* freeaddrinfo(3); any tail of a list may be freed by itself. */
void addrinfo_free(struct addrinfo *ai);

/* inet_aton(3) on the whole text. */
bool addrinfo_aton(const char *text, struct in_addr *out);

/* Convert by the named function of libidn2.  SW_OK, SW_ERR_FORMAT, or
 * SW_ERR_UNSUPPORTED where the library is not installed. */
int addrinfo_idn(const char *function, const char *in, char *out,
    size_t room);

#endif
