/*
 * shim_option_table.h - every socket option, and what is done with it
 * (spec 8.1, 8.2).  Pure data; shim_setsockopt.c and shim_getsockopt.c
 * carry it out.
 */
#ifndef SW_PRELOAD_SHIM_OPTION_TABLE_H
#define SW_PRELOAD_SHIM_OPTION_TABLE_H

#include <stdbool.h>
#include <stdint.h>

/* A positive value in `set` or `get` is the errno to fail with. */
enum option_treatment {
	OPT_STORE = 0,		/* remember and report */
	OPT_KEEP = -1,		/* and tell the stack */
	OPT_NATIVE = -2,	/* the pair's own does the same */
	OPT_OWN = -3,		/* a function in one of those files */
	OPT_FIXED = -4,		/* get: the default; set: no effect */
	OPT_EMPTY = -5,		/* get: no bytes */
};

enum option_kind {
	OPT_ANY = 0,
	OPT_TCP = 1 << 0,	/* only on streams */
	OPT_UDP = 1 << 1,	/* only on datagrams */
	OPT_INET6 = 1 << 2,	/* only on AF_INET6 sockets */
	OPT_BOOL = 1 << 3,	/* reported as 0 or 1 */
	OPT_BYTE = 1 << 4,	/* one byte is a valid length (IP level) */
	OPT_WIDE = 1 << 5,	/* reported as two ints, the second 0 */
};

struct option_rule {
	int level, name;
	int set, get;
	int kind;
	int32_t initial, min, max;	/* min == max: any value */
};

/* NULL for an option that a socket of that kind does not have. */
const struct option_rule *shim_option_find(int level, int name, bool dgram);
/* By number, from 1; the number is stable within one build. */
uint16_t shim_option_number(const struct option_rule *r);
const struct option_rule *shim_option_at(uint16_t number);

#endif
