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

#include <stddef.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#define MARK_NS 198018715

static const struct helper {
	const char *asker;	/* what such a program's name begins with */
	const char *socket;	/* or how its path ends */
	int error;
	const char *line;	/* for who sits in front of it */
} helpers[] = {
	{ .asker = "ssh", .error = -ENOENT, .line = "smolwrap: the ssh that "
	    "shares its connection runs outside the tunnel, so this one makes "
	    "its own\n" },
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
	char name[16] = "";		/* a thread's, with its end */

	if (sys_call3(SYS_prctl, PR_GET_NAME, (long)name, 0) < 0)
		return NULL;
	for (size_t i = 0; i < sizeof(helpers) / sizeof(helpers[0]); i++) {
		const struct helper *h = &helpers[i];

		if (h->asker != NULL ?
		    strncmp(name, h->asker, strlen(h->asker)) == 0 :
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

int
shim_judge_peer(int fd, const char *path)
{
	const struct helper *h = find(path);
	char termios[64];		/* of the kernel: 36 bytes */
	struct stat st = { 0 };

	if (h == NULL || !find_file(path, &st) || !S_ISSOCK(st.st_mode) ||
	    st.st_mtim.tv_nsec == MARK_NS)
		return 0;
	(void)sys_shutdown(fd, SHUT_RDWR);
	if (shim_note_first(REASON_OUTSIDE) &&
	    sys_ioctl(STDERR_FILENO, TCGETS, termios) == 0)
		(void)sys_write(STDERR_FILENO, h->line, strlen(h->line));
	return h->error;
}
