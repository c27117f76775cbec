/*
 * delay_relay.h - a relay that delays: two threads for each direction.
 */
#ifndef SW_TESTS_DELAY_RELAY_H
#define SW_TESTS_DELAY_RELAY_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/*
 * Forward connections to `port` of 127.0.0.1, each way `ms` later.
 *
 * at    in/out: the relay's own port; 0: any.
 * peak  memory shared with it: the most bytes that were on their way in one
 *       direction.
 *
 * A process, which dies with its parent; the caller kills it before.
 */
pid_t delay_relay_start(uint16_t port, int ms, uint16_t *at,
    _Atomic size_t *peak);

#endif
