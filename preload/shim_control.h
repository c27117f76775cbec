/*
 * shim_control.h - ancillary data on receive.
 */
#ifndef SW_PRELOAD_SHIM_CONTROL_H
#define SW_PRELOAD_SHIM_CONTROL_H

#include "preload/shim.h"

/* Does this option switch ancillary data on?  Then the tag gets SHIM_INFO. */
bool control_is_switch(int level, int name);

/* Fill m's control buffer (`room` bytes) for a datagram from `from`. */
void control_put(int fd, struct shim_tag t, const struct sw_addr *from,
    uint8_t tos, uint8_t hop_limit, struct msghdr *m, size_t room);

/* One piece of ancillary data, and nothing else, as the kernel would put it
 * where m's control buffer is. */
void control_put_one(struct msghdr *m, int level, int type, const void *data,
    size_t len);

#endif
