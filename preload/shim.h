/*
 * shim.h - what the files of the preload library share.
 *
 * The library lives in other people's programs.  Its code may run before any
 * constructor, in a signal handler, in a vfork child, in a thread with a 2 KB
 * stack.  So: no heap, no stdio, no dlsym, no lock that ordinary code holds
 * while it calls out.  Own work goes through base/sys.h, which leaves errno
 * alone; the program's calls that are not ours go to libc's function through
 * shim_libc(), because only those are cancellation points.
 *
 * Errors: inner functions answer 0 or -errno.  A wrapper sets errno once, at
 * its end, by shim_ret(); success leaves errno as it was.
 */
#ifndef SW_PRELOAD_SHIM_H
#define SW_PRELOAD_SHIM_H

#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/types.h>

#include "base/addr.h"
#include "base/err.h"
#include "base/sys.h"
#include "preload/session_proto.h"
#include "stack/owner_proto.h"

/* A name the library interposes.  Every one is in preload/exports.map and in
 * tests/preload/exports.txt. */
#define SW_EXPORT __attribute__((visibility("default")))

/* The result of a wrapper: -errno becomes -1 with errno set. */
static inline long
shim_ret(long r)
{
	if (r >= 0)
		return r;
	errno = (int)-r;
	return -1;
}

/* ---- libc's own functions: shim_libc.c -------------------------------- */

struct mmsghdr;
struct timespec;

/* The originals, found once by walking libc's symbol table (no allocation, no
 * dlsym).  A name that libc lacks, or that resolves to ourselves, aborts. */
struct shim_libc {
	int (*accept)(int, struct sockaddr *, socklen_t *);
	int (*accept4)(int, struct sockaddr *, socklen_t *, int);
	int (*close)(int);
	int (*connect)(int, const struct sockaddr *, socklen_t);
	ssize_t (*recv)(int, void *, size_t, int);
	ssize_t (*recvfrom)(int, void *, size_t, int, struct sockaddr *,
	    socklen_t *);
	int (*recvmmsg)(int, struct mmsghdr *, unsigned, int,
	    struct timespec *);
	ssize_t (*recvmsg)(int, struct msghdr *, int);
	ssize_t (*send)(int, const void *, size_t, int);
	int (*sendmmsg)(int, struct mmsghdr *, unsigned, int);
	ssize_t (*sendmsg)(int, const struct msghdr *, int);
	ssize_t (*sendto)(int, const void *, size_t, int,
	    const struct sockaddr *, socklen_t);
};

const struct shim_libc *shim_libc(void);

/* Default version of `name` in libc, NULL when absent.  Never ourselves.
 * For symbols that only one file needs; keep the pointer. */
void *shim_libc_symbol(const char *name);

/* ---- configuration: shim_config.c ------------------------------------- */

enum shim_listen { SHIM_LISTEN_LOOPBACK, SHIM_LISTEN_DENY, SHIM_LISTEN_TUNNEL,
	SHIM_LISTEN_OPEN };
/* AUTO: in the session, if that is the better place (SESSION_IF_BETTER). */
enum shim_stack { SHIM_STACK_AUTO, SHIM_STACK_THREAD, SHIM_STACK_SESSION };

#define SHIM_ENV_MAX 6

/* From the environment, copied at start (or at first use, if earlier); what
 * the program does to its environment later changes nothing. */
struct shim_config {
	bool wrapped;			/* SMOLWRAP_CTL was there and sane */
	int ctl_fd;			/* as the environment says; see shim_ctl */
	uint64_t ctl_inode;
	char path[108];			/* where to reconnect, or empty */
	enum shim_listen listen;
	enum shim_stack stack;		/* where it runs */
	bool udp;			/* false: DNS only (udp=dns), whatever
					 * the tunnel can do */
	bool ipv6;
	bool loopback;			/* loopback destinations are allowed */
	bool strict;			/* no inet socket may be passed in */
	bool isolated;		/* what is not caught goes to the tunnel too */
	bool single_labels;		/* the exit may know names without a dot */
	/* "NAME=value" to put back into a child's environment; NULL-ended.
	 * LD_PRELOAD holds our own entry only. */
	const char *env[SHIM_ENV_MAX + 1];
};

const struct shim_config *shim_config(void);

/* ---- the control channel: shim_session.c ------------------------------ */

/* The control channel's descriptor, verified against its inode, opened again
 * by path if it is gone.  -ENETDOWN when there is no session. */
int shim_ctl(void);

/*
 * shim_session_request() - one question to the session, and its answer.
 *
 * m        in.  magic, len and the reply flag are filled in here.
 * payload  in, m.len bytes are taken from `len`.
 * fds      in, `nfds` (0..2) descriptors to send after the reply end; borrowed.
 * rep      out.  NULL: send only, wait for nothing.
 * buf      out, at most `cap` bytes of payload; rep->len is what there was.
 * fd_out   out, the descriptor that came back (CLOEXEC), -1 for none.  May be
 *          NULL; a descriptor that comes is then closed.
 * timeout_ms  bound on the wait; -1 none.  EINTR does not end it.
 *
 * Returns 0, or -errno: ENETDOWN (no session, or it died), ETIMEDOUT.  Safe in
 * a signal handler and in a vfork child.
 */
int shim_session_request(const struct session_msg *m, const void *payload,
    size_t len, const int *fds, unsigned nfds, struct session_reply *rep,
    void *buf, size_t cap, int *fd_out, int timeout_ms);

/* Tell whoever reads the log that something was refused, and why; once for
 * each reason.  Safe where shim_session_request() is. shim_note.c */
void shim_note(enum session_reason reason);

/* The same; is it the first time in the whole session? */
bool shim_note_first(enum session_reason reason);

/*
 * Descriptors that a message has brought: internet sockets that lead past the
 * tunnel are noted; where policy says so they are closed, all that came, and
 * the answer is -EACCES.  m: after a successful recvmsg(2).  shim_passed.c
 */
int shim_judge_passed(struct msghdr *m);

/* ---- identity: the tag a descriptor carries, shim_tag.c ---------------- */

/*
 * SO_MAX_PACING_RATE does nothing on AF_UNIX sockets, is the same through
 * dup, fork, exec and SCM_RIGHTS, and can be read by anybody.
 * Upper 16 bits SHIM_TAG_MAGIC, then 16 of flags, then the owner's id.
 */
#define SHIM_TAG_MAGIC 0x5357u

enum shim_flag {
	SHIM_DGRAM = 1 << 0,
	SHIM_V6 = 1 << 1,
	SHIM_V6ONLY = 1 << 2,
	SHIM_TUNNEL = 1 << 3,	/* the owner has heard more than OPEN */
	SHIM_BOUND = 1 << 4,
	SHIM_CONNECT = 1 << 5,	/* stream: an attempt was made; dgram: peer set */
	SHIM_UP = 1 << 6,	/* stream: connect() has reported success */
	SHIM_LISTEN = 1 << 7,
	SHIM_FAILED = 1 << 8,	/* stream: the failure was reported */
	SHIM_ALIAS = 1 << 9,	/* the peer asked for is not the one used */
	SHIM_WILDCARD = 1 << 10,	/* on loopback, but asked for any */
	SHIM_RSTONCLOSE = 1 << 11,	/* SO_LINGER {1,0}; see shim_close.c */
	SHIM_LINGER = 1 << 12,		/* SO_LINGER {1,n} */
	SHIM_BROADCAST = 1 << 13,
	SHIM_INFO = 1 << 14,	/* dgram: some ancillary data is wanted */
	SHIM_ROOMY = 1 << 14,	/* stream: its end was given its full room */
	SHIM_ABORTED = 1 << 15,	/* stream: ECONNRESET is due once */
};

struct shim_tag {
	uint16_t flags;
	uint32_t owner;
};

/* A datagram socket of this machine's loopback: the session's, not a kernel
 * socket.  SHIM_WILDCARD: nothing was asked for that keeps it there. */
static inline bool
shim_is_local(struct shim_tag t)
{
	return (t.flags & SHIM_DGRAM) && t.owner == OWNER_LOCAL;
}

/* Is `fd` a descriptor that this library made?  One getsockopt(2). */
bool shim_tag_get(int fd, struct shim_tag *t);
int shim_tag_set(int fd, struct shim_tag t);
void shim_tag_clear(int fd);
uint64_t shim_cookie(int fd);		/* SO_COOKIE; 0 for none */

/* ---- the image: shim_image.c ------------------------------------------- */

/* Descriptors of the library's own in this process, ascending, at most
 * SHIM_OWNED_MAX of them; returns how many.  What must survive close_range. */
#define SHIM_OWNED_MAX 4
unsigned shim_owned_fds(int out[static SHIM_OWNED_MAX]);
bool shim_owns_fd(int fd);

/* The program wants number `fd`, one of ours: move ours elsewhere.  0/-errno. */
int shim_move_fd(int fd);

/*
 * The image is about to end (exit, exec): stop the stack at a packet boundary
 * and hand live flows to the session.  Returns at once when there is no stack
 * or no live flow; does nothing in a vfork child and after a raw
 * clone(CLONE_VM), whose memory is another's.  After it the process may go on
 * (exec failed): its flows are the session's.
 */
void shim_hand_over(void);

/* For SO_LINGER: wait until what was written to `fd` is acknowledged, at most
 * `ms`.  Called before close(2). */
void shim_linger(int fd, struct shim_tag t);

#endif
