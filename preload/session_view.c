#include "preload/session_view.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/if.h>
#include <linux/if_tun.h>
#include <linux/netlink.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "preload/netdev.h"
#include "preload/session.h"
#include "preload/shim_ifaddrs.h"

struct view {
	int fd;				/* to its process */
};

#define ORDERS 0			/* that process's end of it */

/* --- the process ----------------------------------------------------------- */

/* The same index as getifaddrs() tells, unless the kernel has put devices of its
 * own there. */
static int
open_device(int *index)
{
	struct ifreq r = { .ifr_name = SHIM_IF_NAME };
	int tun = open("/dev/net/tun", O_RDWR | O_CLOEXEC), any = 0;

	r.ifr_flags = IFF_TUN | IFF_NO_PI;
	*index = SHIM_IF_INDEX;
	if (tun < 0 || ioctl(tun, TUNSETIFINDEX, index) != 0)
		return -1;
	if (ioctl(tun, TUNSETIFF, &r) != 0 && (errno != EBUSY ||
	    ioctl(tun, TUNSETIFINDEX, &any) != 0 ||
	    ioctl(tun, TUNSETIFF, &r) != 0))
		return -1;
	if (ioctl(tun, SIOCGIFINDEX, &r) == 0)
		*index = r.ifr_ifindex;
	return tun;
}

static int
give_address(int nl, int index, const struct sw_addr *a)
{
	if (addr_is_any(a))
		return SW_OK;
	if (netdev_address(nl, index, a, true) != SW_OK)
		return SW_ERR_SYS;
	return netdev_route(nl, index, addr_is_v4(a) ? AF_INET : AF_INET6,
	    true);
}

/* Moves there and furnishes it.  0, or an errno. */
static int
enter(const struct link_config *c)
{
	int index, nl;

	if (unshare(CLONE_NEWNET) != 0 &&
	    unshare(CLONE_NEWUSER | CLONE_NEWNET) != 0)
		return errno;
	/* The device stays, and has a carrier, while its descriptor is open. */
	if (open_device(&index) < 0 || (nl = socket(AF_NETLINK, SOCK_RAW |
	    SOCK_CLOEXEC, NETLINK_ROUTE)) < 0)
		return errno;
	if (netdev_up(nl, NETDEV_LOOPBACK, 0, 0) != SW_OK ||
	    netdev_up(nl, index, c->mtu, 0) != SW_OK ||
	    give_address(nl, index, &c->inner4) != SW_OK)
		return errno;
	(void)give_address(nl, index, &c->inner6);	/* if it knows IPv6 */
	close(nl);
	return 0;
}

/* The reply end that came with an order; -1 at the end. */
static int
take_order(uint32_t *type)
{
	union {
		struct cmsghdr align;
		char space[CMSG_SPACE(sizeof(int))];
	} control;
	struct iovec iov = { .iov_base = type, .iov_len = sizeof(*type) };
	struct msghdr m = { .msg_iov = &iov, .msg_iovlen = 1,
		.msg_control = &control, .msg_controllen = sizeof(control) };
	struct cmsghdr *c;
	ssize_t n;
	int fd;

	do
		n = recvmsg(ORDERS, &m, MSG_CMSG_CLOEXEC);
	while (n < 0 && errno == EINTR);
	if (n != (ssize_t)sizeof(*type) || (c = CMSG_FIRSTHDR(&m)) == NULL)
		return -1;
	memcpy(&fd, CMSG_DATA(c), sizeof(fd));
	return fd;
}

static _Noreturn void
serve(const struct link_config *c)
{
	int failed, reply, fd;
	uint32_t type;

	failed = enter(c);
	while ((reply = take_order(&type)) >= 0) {
		fd = failed != 0 ? -1 : socket(AF_NETLINK,
		    (int)type | SOCK_CLOEXEC, NETLINK_ROUTE);
		session_reply(reply, failed != 0 ? failed : fd < 0 ? errno : 0,
		    0, NULL, 0, fd);
		if (fd >= 0)
			close(fd);
		close(reply);
	}
	_exit(0);
}

/* --- the session ----------------------------------------------------------- */

struct view *
view_new(const struct link_config *c)
{
	struct view *v = malloc(sizeof(*v));
	int ends[2];
	pid_t pid;

	if (v == NULL || socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0,
	    ends) != 0) {
		free(v);
		return NULL;
	}
	if ((pid = fork()) == 0) {
		/* Nobody's child, with nothing of ours but its orders. */
		if (fork() != 0)
			_exit(0);
		if (dup2(ends[1], ORDERS) < 0)
			_exit(1);
		(void)syscall(SYS_close_range, ORDERS + 1, ~0u, 0);
		(void)prctl(PR_SET_NAME, "smolwrap-view");
		serve(c);
	}
	close(ends[1]);
	if (pid < 0 || (waitpid(pid, NULL, 0) != pid && errno != ECHILD)) {
		close(ends[0]);
		free(v);
		return NULL;
	}
	v->fd = ends[0];
	return v;
}

void
view_free(struct view *v)
{
	if (v == NULL)
		return;
	close(v->fd);
	free(v);
}

void
view_ask(const struct view *v, uint32_t type, int reply_fd)
{
	union {
		struct cmsghdr align;
		char space[CMSG_SPACE(sizeof(int))];
	} control = { .space = { 0 } };
	struct iovec iov = { .iov_base = &type, .iov_len = sizeof(type) };
	struct msghdr m = { .msg_iov = &iov, .msg_iovlen = 1,
		.msg_control = &control, .msg_controllen = sizeof(control) };
	struct cmsghdr *c = CMSG_FIRSTHDR(&m);

	c->cmsg_level = SOL_SOCKET;
	c->cmsg_type = SCM_RIGHTS;
	c->cmsg_len = CMSG_LEN(sizeof(reply_fd));
	memcpy(CMSG_DATA(c), &reply_fd, sizeof(reply_fd));
	if (sendmsg(v->fd, &m, MSG_DONTWAIT | MSG_NOSIGNAL) < 0)
		session_reply(reply_fd, errno, 0, NULL, 0, -1);
}
