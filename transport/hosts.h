/*
 * hosts.h - the names of /etc/hosts.
 */
#ifndef SW_TRANSPORT_HOSTS_H
#define SW_TRANSPORT_HOSTS_H

#include <stddef.h>

#include "base/addr.h"

struct hosts;

/* Read a file; an empty table when it cannot be read.  NULL without memory. */
struct hosts *hosts_new(const char *path);
void hosts_free(struct hosts *h);	/* NULL is fine */

/* Addresses of a normalised name (names_normalise), at most `max`; the number
 * found. */
size_t hosts_find(const struct hosts *h, const char *name, struct sw_addr *out,
    size_t max);

#endif
