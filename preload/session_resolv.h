/*
 * session_resolv.h - the name servers of this machine's resolv.conf.
 *
 * A program with a resolver of its own asks them because the file says so, not
 * because anybody chose them; so what is sent to them is ours to answer, as
 * with loopback and private resolvers.
 */
#ifndef SW_PRELOAD_SESSION_RESOLV_H
#define SW_PRELOAD_SESSION_RESOLV_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <time.h>

#include "base/addr.h"

#define RESOLV_SERVERS_MAX 8
#define RESOLV_FILE "/etc/resolv.conf"

struct resolv {
	struct sw_addr servers[RESOLV_SERVERS_MAX];	/* port 0 */
	size_t n;
	struct timespec mtime;		/* of the file that was read */
	uint64_t ino;
	int64_t looked_ms;		/* the file was looked at then */
};

/* Is `a` one of them?  Looks at the file again at most once a second. */
bool resolv_has(struct resolv *r, const struct sw_addr *a, int64_t now_ms);

/* Take the servers from the text of such a file. */
void resolv_parse(struct resolv *r, const char *text);

#endif
