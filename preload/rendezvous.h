/*
 * rendezvous.h - the folder where sessions listen, and how to reach them.
 *
 * $XDG_RUNTIME_DIR/smolwrap, or /tmp/smolwrap-UID where that is not set; mode
 * 0700, ours, no symbolic link: nobody else can put a socket there.
 */
#ifndef SW_PRELOAD_RENDEZVOUS_H
#define SW_PRELOAD_RENDEZVOUS_H

#include <stdbool.h>
#include <sys/un.h>

#include "base/err.h"

#define RENDEZVOUS_MAX (sizeof(((struct sockaddr_un *)0)->sun_path))
#define RENDEZVOUS_DEFAULT "default"

/* The socket's path for session `name`.  With `make` the folder is created.
 * SW_OK; SW_ERR_DENIED when the folder, which `path` is then, is not ours alone;
 * SW_ERR_TOO_LONG; SW_ERR_SYS with errno set (ENOENT: there is no folder). */
int rendezvous_path(char path[static RENDEZVOUS_MAX], const char *name,
    bool make) SW_MUST_CHECK;

/* Connect (SEQPACKET, CLOEXEC) to the session at `path`, and see that it runs
 * as the same user.  SW_OK and *fd; SW_ERR_REFUSED: nobody is there;
 * SW_ERR_DENIED: somebody else is. */
int rendezvous_connect(const char *path, int *fd) SW_MUST_CHECK;

/*
 * Listen as session `name`: *fd is the socket, *lock_fd holds the name until
 * it is closed.  SW_OK; SW_ERR_IN_USE when such a session is up; as above.
 */
int rendezvous_listen(const char *name, char path[static RENDEZVOUS_MAX],
    int *fd, int *lock_fd) SW_MUST_CHECK;

/* Is the process at the other end of `fd` of our own user? */
bool rendezvous_is_peer_ours(int fd);

#endif
