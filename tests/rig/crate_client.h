/*
 * crate_client.h - the client for whom the vectors' program makes packets.
 */
#ifndef SW_TESTS_CRATE_CLIENT_H
#define SW_TESTS_CRATE_CLIENT_H

#include "mix/nymaddr.h"

/* Its address.  The secrets are of one byte throughout: identity 0x61,
 * encryption 0x62, the gateway's identity 0x44. */
struct recipient crate_client(void);

#endif
