/*
 * serve_resolv.h - the name servers of /etc/resolv.conf.
 */
#ifndef SW_TRANSPORT_SERVE_RESOLV_H
#define SW_TRANSPORT_SERVE_RESOLV_H

#include <stddef.h>

#include "base/addr.h"

#define SERVE_NAMESERVERS_MAX 3		/* as libc */

struct serve_nameservers {
	struct sw_addr at[SERVE_NAMESERVERS_MAX];
	size_t n;
};

/* None when there is no such file. */
void serve_nameservers_read(struct serve_nameservers *out, const char *path);

#endif
