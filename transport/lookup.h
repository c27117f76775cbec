/*
 * lookup.h - what the exit knows of a name.
 */
#ifndef SW_TRANSPORT_LOOKUP_H
#define SW_TRANSPORT_LOOKUP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/addr.h"

/*
 * err: SW_OK; SW_ERR_NO_NAME; SW_ERR_TIMEOUT (its resolver gave no answer);
 * SW_ERR_DOWN; SW_ERR_UNSUPPORTED: nobody knows before a stream is opened.
 */
struct lookup {
	int err;
	bool v4, v6;			/* it has addresses of that family */
	bool v6_first;			/* the exit would dial one first */
	/* Of each family the first in the exit's order; 0: none was told. */
	struct sw_addr first4, first6;
	bool sole;			/* one of them is all there is */
	/* The addresses themselves, where the exit tells; borrowed. */
	const struct sw_addr *addrs;
	size_t n;
	uint32_t ttl_s;			/* 0: not told */
};

#endif
