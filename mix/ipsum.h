/*
 * ipsum.h - Internet checksums of whole IP packets.
 *
 * On the hop between a program's stack and the session nobody computes
 * checksums: it is memory.  Packets that leave the machine need them.
 */
#ifndef SW_MIX_IPSUM_H
#define SW_MIX_IPSUM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * Fill in the checksums of the IPv4 header and of TCP, UDP, ICMP or ICMPv6.
 * Fragments get the header's only.  A packet that is malformed, or of another
 * protocol, is left as it is, apart from the header's.
 */
void ipsum_fill(uint8_t *pkt, size_t len);

/* Are those checksums right?  True for what has none to check. */
bool ipsum_is_right(const uint8_t *pkt, size_t len);

#endif
