#include "preload/inherit.h"

#include <dirent.h>
#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/addr.h"

#define SCAN_MAX 65536		/* without /proc, look no further */
#define SCAN_FEW 512		/* numbers worth asking one by one */

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
is_way_out(int fd, int domain)
{
	if (domain == AF_UNIX || domain == AF_NETLINK || domain == AF_ALG)
		return false;
	if (domain == AF_INET || domain == AF_INET6)
		return !is_confined(fd);
	return true;
}

/* The lowest way out below `max`, or -1.  Stops when `n` open descriptors have
 * been met; `n` then says how many were not. */
static int
scan(int max, off_t *n)
{
	for (int fd = 0; fd < max && *n > 0; fd++) {
		int domain;
		socklen_t len = sizeof(domain);

		if (getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &domain, &len) != 0) {
			*n -= errno != EBADF;
			continue;
		}
		--*n;
		if (is_way_out(fd, domain))
			return fd;
	}
	return -1;
}

/* By the list of descriptors: for those with high numbers. */
static int
scan_list(DIR *d)
{
	struct dirent *e;
	int found = -1;

	while ((e = readdir(d)) != NULL) {
		int domain;
		socklen_t len = sizeof(domain);
		char *end;
		long fd = strtol(e->d_name, &end, 10);

		if (end == e->d_name || *end != '\0' ||
		    getsockopt((int)fd, SOL_SOCKET, SO_DOMAIN, &domain,
			&len) != 0)
			continue;
		if (is_way_out((int)fd, domain) && (found < 0 || fd < found))
			found = (int)fd;
	}
	return found;
}

int
inherit_find_inet(void)
{
	struct rlimit lim;
	struct stat st;
	int max = SCAN_MAX, found;
	off_t n;
	DIR *d;

	/* Since Linux 6.2 the folder's size is the number of descriptors;
	 * asking each of the lowest numbers is much cheaper than a list. */
	if (stat("/proc/self/fd", &st) == 0 && st.st_size > 0) {
		n = st.st_size;
		if ((found = scan(SCAN_FEW, &n)) >= 0 || n == 0)
			return found;
	}
	if ((d = opendir("/proc/self/fd")) != NULL) {
		found = scan_list(d);
		closedir(d);
		return found;
	}
	if (getrlimit(RLIMIT_NOFILE, &lim) == 0 && lim.rlim_cur < SCAN_MAX)
		max = (int)lim.rlim_cur;
	n = max;
	return scan(max, &n);
}
