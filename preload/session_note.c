/*
 * What the programs of this session were refused: a line for each reason, once.
 */
#include "preload/session_control.h"

#include "base/log.h"

static const char *const texts[REASONS] = {
	[REASON_FAMILY] = "a program asked for a socket that no tunnel carries "
	    "(raw, packet, or another family)",
	[REASON_DESTINATION] = "a program was refused a destination: "
	    "this machine itself (--no-loopback)",
	[REASON_PROGRAM] = "a program was started that the library cannot enter "
	    "(static, Go, or another machine's): it has no network; "
	    "\"smolwrap --isolate always bash\" starts a shell where it has",
	[REASON_SET_ID] = "a set-user-ID program was started: it runs without "
	    "that privilege",
	[REASON_ENVIRONMENT] = "a program was started with an environment "
	    "without the library, which was put back",
	[REASON_PASSED] = "a program was passed an internet socket that leads "
	    "past the tunnel (--strict refuses them)",
	[REASON_RING] = "a program asked for io_uring and was refused",
	[REASON_OPTION] = "a program set a socket option that is not known",
	[REASON_NETLINK] = "a program asked the kernel for interfaces and routes "
	    "and was told those of this machine, for there are no network "
	    "namespaces or TUN devices here (smolwrap check)",
	[REASON_STRAY] = "a program sent a datagram by a call that the library "
	    "does not see, write() for instance, from a socket that is not "
	    "connected: it was dropped",
	[REASON_DATAGRAM] = "a program was refused datagrams: this tunnel carries "
	    "DNS alone (smolserve and the mixnet carry all)",
	[REASON_PATH] = "a program was refused a local service that would use "
	    "the network for it",
	[REASON_OUTSIDE] = "an ssh, tmux or gpg was kept from the one that runs "
	    "outside the tunnel and would have done its work (ControlPath, "
	    "the tmux server, dirmngr)",
	[REASON_MOUNT] = "a program was refused a network file system, which the "
	    "kernel would reach by this machine's own network; with "
	    "\"--isolate always\" it uses the tunnel",
};

bool
session_note(struct session *s, uint32_t reason)
{
	if (reason == 0 || reason >= REASONS || (s->noted & 1u << reason) != 0)
		return false;
	s->noted |= 1u << reason;
	log_warn("session: %s", texts[reason]);
	return true;
}
