/*
 * shim_ioctl.c - ioctl(2) on our sockets (spec 8.3).
 */
#include "preload/shim_socket.h"

#include <linux/sockios.h>
#include <net/if.h>
#include <stdarg.h>
#include <sys/ioctl.h>

#include "preload/shim_ifaddrs.h"

/* Bytes in the next datagram, its frame not counted. */
static int
datagram_bytes(int fd, struct shim_tag t, int *out)
{
	struct owner_frame frame;
	ssize_t n;

	n = sys_recv(fd, &frame, sizeof(frame),
	    MSG_PEEK | MSG_TRUNC | MSG_DONTWAIT);
	if (n >= (ssize_t)sizeof(frame) && !(t.flags & SHIM_CONNECT))
		n -= (ssize_t)sizeof(frame);
	*out = n > 0 ? (int)n : 0;
	return 0;
}

static int
unsent_bytes(int fd, struct shim_tag t, int *out)
{
	struct owner_state s = { 0 };

	if ((t.flags & SHIM_TUNNEL) && shim_owner_state(fd, t, 0, &s) < 0)
		s.unsent = 0;
	*out = (int)s.unsent;
	return 0;
}

static bool
is_interface_query(unsigned long request)
{
	return request >= SIOCGIFNAME && request <= SIOCGIFTXQLEN;
}

static bool
is_configuration(unsigned long request)
{
	switch (request) {
	case SIOCSIFADDR: case SIOCSIFFLAGS: case SIOCSIFNETMASK:
	case SIOCSIFBRDADDR: case SIOCSIFDSTADDR: case SIOCSIFMTU:
	case SIOCSIFMETRIC: case SIOCSIFHWADDR: case SIOCSIFNAME:
	case SIOCADDRT: case SIOCDELRT: case SIOCSARP: case SIOCDARP:
	case SIOCADDMULTI: case SIOCDELMULTI:
		return true;
	default:
		return false;
	}
}

static long
do_ioctl(int fd, struct shim_tag t, unsigned long request, void *arg)
{
	switch (request) {
	case FIONREAD:		/* SIOCINQ is the same number */
		if (arg == NULL)
			return -EFAULT;
		if (t.flags & SHIM_DGRAM)
			return datagram_bytes(fd, t, arg);
		return sys_ioctl(fd, request, arg);
	case TIOCOUTQ:		/* SIOCOUTQ is the same number */
	case SIOCOUTQNSD:
		return arg == NULL ? -EFAULT : unsent_bytes(fd, t, arg);
	case SIOCATMARK:
		return t.flags & SHIM_DGRAM ? -EINVAL :
		    sys_ioctl(fd, request, arg);
	case SIOCGSTAMP_OLD:
	case SIOCGSTAMPNS_OLD:
		return -ENOENT;
	case SIOCETHTOOL:
	case SIOCGMIIPHY:
	case SIOCGMIIREG:
		return -EOPNOTSUPP;
	default:
		break;
	}
	if (is_configuration(request))
		return -EPERM;
	if (is_interface_query(request))
		return arg == NULL ? -EFAULT :
		    shim_interface_ioctl(request, arg);
	if (request >= 0x8b00 && request <= 0x8bff)	/* wireless */
		return -EOPNOTSUPP;
	/* FIONBIO, FIOASYNC, owners and the like are the pair's own. */
	return sys_ioctl(fd, request, arg);
}

SW_EXPORT int
ioctl(int fd, unsigned long request, ...)
{
	struct shim_tag t;
	va_list ap;
	void *arg;

	/* Every request takes at most one argument of a pointer's size. */
	va_start(ap, request);
	arg = va_arg(ap, void *);
	va_end(ap);
	/* Only requests on sockets are ours to judge (0x54: TIOC*, FIO*). */
	if ((request & 0xff00) != 0x8900 && (request & 0xff00) != 0x8b00 &&
	    request != FIONREAD && request != TIOCOUTQ)
		return (int)shim_ret(sys_ioctl(fd, request, arg));
	if (shim_tag_get(fd, &t))
		return (int)shim_ret(do_ioctl(fd, t, request, arg));
	/* Any socket may be asked for the interfaces, of whatever family. */
	if (is_interface_query(request) && arg != NULL &&
	    shim_config()->wrapped && shim_cookie(fd) != 0)
		return (int)shim_ret(shim_interface_ioctl(request, arg));
	return (int)shim_ret(sys_ioctl(fd, request, arg));
}

SW_EXPORT int __ioctl(int fd, unsigned long request, ...);

SW_EXPORT int
__ioctl(int fd, unsigned long request, ...)
{
	va_list ap;
	void *arg;

	va_start(ap, request);
	arg = va_arg(ap, void *);
	va_end(ap);
	return ioctl(fd, request, arg);
}
