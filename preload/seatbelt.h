/*
 * seatbelt.h - the kernel filter under the preload (interposer spec, rule 3).
 *
 * What the library misses must fail, not leak: under this filter the kernel
 * makes no socket but AF_UNIX, AF_ALG and NETLINK_ROUTE ones and no io_uring,
 * whichever entry (64-bit, i386, x32) asks, unties none from its device, and
 * starts no helper that looks for a key.  It binds every descendant for ever,
 * and no set-ID program gains privilege.
 */
#ifndef SW_PRELOAD_SEATBELT_H
#define SW_PRELOAD_SEATBELT_H

#include <linux/filter.h>
#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"

#define SEATBELT_LEN 59		/* instructions of the filter */

/*
 * Bind the calling process.  isolated: it is in a network namespace whose only
 * way out is the tunnel, so internet sockets may be made; other families, of
 * which some know no namespaces, may not, except by the socketcall() of 32-bit
 * programs; and it joins no other network.  SW_OK, or SW_ERR_SYS with errno set.
 */
int seatbelt_fasten(bool isolated) SW_MUST_CHECK;

/* The filter's program. */
void seatbelt_program(struct sock_filter out[static SEATBELT_LEN],
    bool isolated);

#endif
