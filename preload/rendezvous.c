#include "preload/rendezvous.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

static int
folder(char *buf, size_t len, bool make)
{
	const char *run = secure_getenv("XDG_RUNTIME_DIR");
	struct stat st;
	int n;

	if (run != NULL && *run == '/' && strlen(run) <= 70 &&
	    stat(run, &st) == 0 && S_ISDIR(st.st_mode) &&
	    st.st_uid == geteuid())
		n = snprintf(buf, len, "%s/smolwrap", run);
	else
		n = snprintf(buf, len, "/tmp/smolwrap-%u", (unsigned)geteuid());
	if (n < 0 || (size_t)n >= len)
		return SW_ERR_TOO_LONG;
	if (make && mkdir(buf, 0700) != 0 && errno != EEXIST)
		return SW_ERR_SYS;
	if (lstat(buf, &st) != 0)
		return SW_ERR_SYS;
	if (!S_ISDIR(st.st_mode) || st.st_uid != geteuid() ||
	    (st.st_mode & 077) != 0)
		return SW_ERR_DENIED;
	return SW_OK;
}

int
rendezvous_path(char path[static RENDEZVOUS_MAX], const char *name, bool make)
{
	char dir[RENDEZVOUS_MAX];
	int r, n;

	path[0] = '\0';
	if ((r = folder(dir, sizeof(dir), make)) == SW_ERR_DENIED)
		memcpy(path, dir, sizeof(dir));
	if (r != SW_OK)
		return r;
	n = snprintf(path, RENDEZVOUS_MAX, "%s/%s", dir, name);
	if (n < 0 || (size_t)n >= RENDEZVOUS_MAX)
		return SW_ERR_TOO_LONG;
	return SW_OK;
}

bool
rendezvous_is_peer_ours(int fd)
{
	struct ucred who;
	socklen_t len = sizeof(who);

	return getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &who, &len) == 0 &&
	    len == sizeof(who) && who.uid == geteuid();
}

static int
address(struct sockaddr_un *un, const char *path)
{
	size_t n = strlen(path);

	memset(un, 0, sizeof(*un));
	un->sun_family = AF_UNIX;
	if (n >= sizeof(un->sun_path))
		return SW_ERR_TOO_LONG;
	memcpy(un->sun_path, path, n + 1);
	return SW_OK;
}

int
rendezvous_connect(const char *path, int *fd)
{
	struct sockaddr_un un;
	int s, r;

	*fd = -1;
	if ((r = address(&un, path)) != SW_OK)
		return r;
	s = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
	if (s < 0)
		return SW_ERR_SYS;
	if (connect(s, (const struct sockaddr *)&un, sizeof(un)) != 0) {
		int e = errno;

		close(s);
		errno = e;
		return e == ENOENT || e == ECONNREFUSED ? SW_ERR_REFUSED :
		    SW_ERR_SYS;
	}
	if (!rendezvous_is_peer_ours(s)) {
		close(s);
		return SW_ERR_DENIED;
	}
	*fd = s;
	return SW_OK;
}

int
rendezvous_listen(const char *name, char path[static RENDEZVOUS_MAX],
    int *fd, int *lock_fd)
{
	char lock[RENDEZVOUS_MAX + 8];
	struct sockaddr_un un;
	struct stat st;
	int s = -1, l = -1, r;

	*fd = *lock_fd = -1;
	if ((r = rendezvous_path(path, name, true)) != SW_OK)
		return r;
	snprintf(lock, sizeof(lock), "%s.lock", path);
	do {
		/* A session that ends removes the file: a lock on a file that
		 * has no name any more holds nothing, so take it anew. */
		if (l >= 0)
			close(l);
		l = open(lock, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
		if (l < 0)
			return SW_ERR_SYS;
		if (flock(l, LOCK_EX | LOCK_NB) != 0) {
			r = errno == EWOULDBLOCK ? SW_ERR_IN_USE : SW_ERR_SYS;
			goto out;
		}
		if (fstat(l, &st) != 0) {
			r = SW_ERR_SYS;
			goto out;
		}
	} while (st.st_nlink == 0);
	/* The lock is ours, so whatever lies there is a dead session's. */
	(void)unlink(path);
	r = SW_ERR_SYS;
	s = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (s < 0 || address(&un, path) != SW_OK ||
	    bind(s, (const struct sockaddr *)&un, sizeof(un)) != 0 ||
	    chmod(path, 0600) != 0 || listen(s, 128) != 0)
		goto out;
	*fd = s;
	*lock_fd = l;
	s = l = -1;
	r = SW_OK;
out:
	if (s >= 0)
		close(s);
	if (l >= 0)
		close(l);
	return r;
}
