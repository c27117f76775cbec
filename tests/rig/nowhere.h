/*
 * nowhere.h - callbacks of the mixnet's engines for who does not want to know.
 *
 * None of them looks at `arg`.
 */
#ifndef SW_TESTS_NOWHERE_H
#define SW_TESTS_NOWHERE_H

#include "mix/mixclient.h"

/* Of struct mixclient_events: packets are lost, messages are not read. */
int nowhere_transmit(void *arg, const struct sw_addr *first, uint8_t rotation,
    const uint8_t *pkt, size_t len);
void nowhere_message(void *arg, const struct nymmsg *m);
extern const struct mixclient_events nowhere_mix;

/* Of struct iprexit_events. */
void nowhere_gone(void *arg, const struct sw_addr *ip4,
    const struct sw_addr *ip6);
void nowhere_writable(void *arg, const struct sw_addr *inner);

#endif
