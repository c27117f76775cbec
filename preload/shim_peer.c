/*
 * shim_peer.c - programs that hand their work to one of their kind that is
 * running already, over an AF_UNIX socket that may lie anywhere: ssh to the one
 * that holds the connection (ControlPath), tmux to its server, gpg to dirmngr.
 * Where that one runs outside the tunnel, so would the work.
 *
 * Who listens cannot be asked: the kernel names the process that called listen,
 * and these fork afterwards.  So the sockets that wrapped ones make carry a mark
 * that no other has: the nanoseconds of the file's time.  It stays through
 * link(2), by which ssh gives its socket the name, and nobody looks at it.
 *
 * The errors are those after which a program does not remove the other's
 * socket: ssh then connects by itself, tmux says that it could not.  gpg starts
 * a dirmngr of its own, which does take the other's place.
 */
#include "preload/shim_socket.h"

#include <fcntl.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#define MARK_NS 198018715
#define NAME_ROOM 20		/* a thread's name, a line feed, the end */

static const struct helper {
	const char *asker;	/* such a program's name, or its start */
	bool whole;		/* all of it */
	const char *socket;	/* or how the path ends */
	const char *peer;	/* the listener's name, where others are asked too */
	int error;
	const char *line;	/* for who sits in front of it */
} helpers[] = {
	{ .asker = "ssh", .whole = true, .peer = "ssh", .error = -ENOENT,
	    .line = "smolwrap: the ssh that shares its connection runs outside "
	    "the tunnel, so this one makes its own\n" },
	{ .asker = "tmux", .error = -EACCES, .line = "smolwrap: the tmux server "
	    "runs outside the tunnel; \"tmux -L NAME\" starts another\n" },
	{ .socket = "/S.dirmngr", .error = -EACCES, .line = "smolwrap: dirmngr "
	    "runs outside the tunnel, so another is started\n" },
};

static bool
ends_with(const char *text, const char *end)
{
	size_t n = strlen(text), len = strlen(end);

	return n >= len && strcmp(text + n - len, end) == 0;
}

/* What this program would want of the socket at `path`, or NULL. */
static const struct helper *
find(const char *path)
{
	char name[NAME_ROOM] = "";

	if (sys_call3(SYS_prctl, PR_GET_NAME, (long)name, 0) < 0)
		return NULL;
	for (size_t i = 0; i < sizeof(helpers) / sizeof(helpers[0]); i++) {
		const struct helper *h = &helpers[i];

		if (h->asker != NULL ? strncmp(name, h->asker,
		    strlen(h->asker) + h->whole) == 0 :
		    ends_with(path, h->socket))
			return h;
	}
	return NULL;
}

static bool
find_file(const char *path, struct stat *st)
{
	return sys_call6(SYS_newfstatat, AT_FDCWD, (long)path, (long)st, 0, 0,
	    0) == 0;
}

void
shim_mark_unix(const char *path)
{
	struct timespec when[2] = { { .tv_nsec = UTIME_OMIT } };
	struct stat st = { 0 };

	if (find(path) == NULL || !find_file(path, &st))
		return;
	when[1].tv_sec = st.st_mtim.tv_sec;
	when[1].tv_nsec = MARK_NS;
	(void)sys_call6(SYS_utimensat, AT_FDCWD, (long)path, (long)when, 0, 0,
	    0);
}

/* The name of a process; empty when it has ended, or there is no /proc. */
static void
name_of(long pid, char name[static NAME_ROOM])
{
	char path[40] = "/proc/", digits[20];
	size_t at = strlen(path), n = 0;
	ssize_t got = 0;
	long fd;

	for (; n == 0 || pid > 0; pid /= 10)
		digits[n++] = (char)('0' + pid % 10);
	while (n > 0)
		path[at++] = digits[--n];
	memcpy(path + at, "/comm", sizeof("/comm"));
	fd = sys_call6(SYS_openat, AT_FDCWD, (long)path, O_RDONLY | O_CLOEXEC,
	    0, 0, 0);
	if (fd >= 0) {
		got = sys_read((int)fd, name, NAME_ROOM - 1);
		sys_close((int)fd);
	}
	name[got > 0 ? got : 0] = '\0';
	name[strcspn(name, "\n")] = '\0';
}

/* As agents call their sockets; a shared connection is called by its ends, which
 * may be anything. */
static bool
names_agent(const char *path)
{
	const char *slash = strrchr(path, '/');
	const char *last = slash != NULL ? slash + 1 : path;

	return strstr(last, "agent") != NULL && strpbrk(last, "@:") == NULL;
}

/* ssh asks agents as well.  One that is known by its name or its path is no
 * shared connection; who has forked since it listened may be either. */
static bool
is_another(int fd, const struct helper *h, const char *path)
{
	const char *agent = getenv("SSH_AUTH_SOCK");
	struct ucred who = { 0 };
	socklen_t len = sizeof(who);
	char name[NAME_ROOM];

	if (h->peer == NULL)
		return false;
	if ((agent != NULL && strcmp(path, agent) == 0) ||
	    names_agent(path))
		return true;
	if (sys_getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &who, &len) < 0)
		return false;
	name_of(who.pid, name);
	return *name != '\0' && strcmp(name, h->peer) != 0;
}

int
shim_judge_peer(int fd, const char *path)
{
	const struct helper *h = find(path);
	char termios[64];		/* of the kernel: 36 bytes */
	struct stat st = { 0 };

	if (h == NULL || !find_file(path, &st) || !S_ISSOCK(st.st_mode) ||
	    st.st_mtim.tv_nsec == MARK_NS || is_another(fd, h, path))
		return 0;
	(void)sys_shutdown(fd, SHUT_RDWR);
	if (shim_note_first(REASON_OUTSIDE) &&
	    sys_ioctl(STDERR_FILENO, TCGETS, termios) == 0)
		(void)sys_write(STDERR_FILENO, h->line, strlen(h->line));
	return h->error;
}
