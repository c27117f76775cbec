/*
 * orders.h - from options to what a session is told.
 */
#ifndef SW_PRELOAD_ORDERS_H
#define SW_PRELOAD_ORDERS_H

#include <stdbool.h>

#include "preload/options.h"
#include "preload/start_proto.h"

/*
 * Fill *s from o: tunnels taken apart, file names absolute and checked.  Name,
 * pid and stay are left to the caller.  A password in --proxy is wiped from
 * where `o` borrowed it, which is argv.  False when something is wrong with
 * them; it has been said.
 */
bool orders_fill(struct start *s, const struct options *o) SW_MUST_CHECK;

#endif
