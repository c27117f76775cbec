/*
 * shim_ifaddrs.h - the interfaces a wrapped program sees: lo, and one that
 * leads into the tunnel.  The host's real addresses would end up in payloads
 * (FTP, SIP, ICE, torrents).
 */
#ifndef SW_PRELOAD_SHIM_IFADDRS_H
#define SW_PRELOAD_SHIM_IFADDRS_H

#define SHIM_IF_NAME "tun0"
#define SHIM_IF_INDEX 2

/* One of the SIOCGIF* requests, answered from the virtual view; -ENOTTY when
 * it is not one of them. */
int shim_interface_ioctl(unsigned long request, void *arg);

#endif
