/*
 * seatbelt.h - the kernel filter under the preload (interposer spec, rule 3).
 *
 * What the library misses must fail, not leak: under this filter the kernel
 * makes no socket but AF_UNIX, AF_ALG and NETLINK_ROUTE ones and no io_uring,
 * whichever entry (64-bit, i386, x32) asks, and unties none from its device.
 * It binds every descendant for
 * ever, and no set-ID program gains privilege.
 */
#ifndef SW_PRELOAD_SEATBELT_H
#define SW_PRELOAD_SEATBELT_H

#include <linux/filter.h>
#include <stddef.h>

#include "base/err.h"

/* Bind the calling process.  SW_OK, or SW_ERR_SYS with errno set. */
int seatbelt_fasten(void) SW_MUST_CHECK;

/* The program of the filter, for tests; *n its length in instructions. */
const struct sock_filter *seatbelt_program(size_t *n);

#endif
