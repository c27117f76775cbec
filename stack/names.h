/*
 * names.h - the virtual addresses that stand for names.
 *
 * Where the exit resolves (SSH opens channels by name), a program is given an
 * address of 198.18.0.0/15 or fd73:6d6f:6c77:1::/64 that stands for the name it
 * asked for.  Both families share one index.  An entry is kept for the life of
 * the session; only when all are taken does the least recently used one go.
 * Lives in the session only: it uses the heap.
 */
#ifndef SW_STACK_NAMES_H
#define SW_STACK_NAMES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/addr.h"
#include "base/err.h"
#include "stack/dialer.h"

#define NAMES_MAX 131070u	/* 198.18.0.1 .. 198.19.255.254 */

struct names;

/* An empty map of at most `max` names (0: NAMES_MAX).  NULL without memory. */
struct names *names_new(uint32_t max);
void names_free(struct names *m);	/* NULL is fine */

/*
 * names_normalise() - lower case, without the trailing dot.
 *
 * A host name here is 1..253 bytes of letters, digits, '-', '_' in labels of
 * 1..63 bytes joined by single dots; no label begins with '-'.  SW_OK, or
 * SW_ERR_FORMAT with out[0] == 0.
 */
int names_normalise(const char *name, size_t len,
    char out[static DIAL_HOST_MAX + 1]) SW_MUST_CHECK;

/* The addresses for a name, new or known.  v4 and v6 may be NULL; ports are 0.
 * SW_OK, SW_ERR_FORMAT, SW_ERR_NOMEM. */
int names_get(struct names *m, const char *name, struct sw_addr *v4,
    struct sw_addr *v6) SW_MUST_CHECK;

/* Is it in one of the two ranges, given out or not? */
bool names_is_virtual(const struct sw_addr *a);

/* The name behind an address, borrowed until the next names_get(); NULL when
 * it is not virtual or stands for nothing. */
const char *names_find(struct names *m, const struct sw_addr *a);

/*
 * What to dial for a flow to `dst`: its name when it is virtual, numeric text
 * otherwise, and its port.  SW_OK, or SW_ERR_UNREACH_HOST for a virtual address
 * that stands for nothing.
 */
int names_target(struct names *m, const struct sw_addr *dst,
    struct dial_target *out) SW_MUST_CHECK;

/* Names that have addresses now. */
size_t names_count(const struct names *m);

#endif
