#include "preload/inherit.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/addr.h"

#define SCAN_MAX 65536		/* without /proc, look no further */

/* A TCP connection within this machine can lead nowhere else; anything that
 * could still be connected or sent from elsewhere can. */
static bool
is_confined(int fd)
{
	struct sockaddr_storage ss;
	struct sw_addr local, peer;
	socklen_t len = sizeof(ss);
	int type = 0, listens = 0;
	socklen_t n = sizeof(int);

	if (getsockname(fd, (struct sockaddr *)&ss, &len) != 0 ||
	    addr_from_sockaddr(&local, (struct sockaddr *)&ss, len) != SW_OK ||
	    !addr_is_loopback(&local) ||
	    getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &n) != 0 ||
	    type != SOCK_STREAM)
		return false;
	n = sizeof(int);
	if (getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &listens, &n) == 0 &&
	    listens)
		return true;
	len = sizeof(ss);
	return getpeername(fd, (struct sockaddr *)&ss, &len) == 0 &&
	    addr_from_sockaddr(&peer, (struct sockaddr *)&ss, len) == SW_OK &&
	    addr_is_loopback(&peer);
}

static bool
is_way_out(int fd)
{
	int domain = 0;
	socklen_t len = sizeof(domain);

	if (getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &domain, &len) != 0)
		return false;		/* no socket at all */
	if (domain == AF_UNIX || domain == AF_NETLINK || domain == AF_ALG)
		return false;
	if (domain == AF_INET || domain == AF_INET6)
		return !is_confined(fd);
	return true;
}

int
inherit_find_inet(void)
{
	DIR *d = opendir("/proc/self/fd");
	struct dirent *e;
	int found = -1;

	if (d == NULL) {
		struct rlimit lim;
		int max = SCAN_MAX;

		if (getrlimit(RLIMIT_NOFILE, &lim) == 0 && lim.rlim_cur < SCAN_MAX)
			max = (int)lim.rlim_cur;
		for (int fd = 0; fd < max; fd++)
			if (is_way_out(fd))
				return fd;
		return -1;
	}
	while ((e = readdir(d)) != NULL) {
		char *end;
		long fd = strtol(e->d_name, &end, 10);

		if (end == e->d_name || *end != '\0' || fd == dirfd(d))
			continue;
		if (is_way_out((int)fd) && (found < 0 || fd < found))
			found = (int)fd;
	}
	closedir(d);
	return found;
}
