/*
 * shim_socket.h - what the files that implement socket calls share.
 */
#ifndef SW_PRELOAD_SHIM_SOCKET_H
#define SW_PRELOAD_SHIM_SOCKET_H

#include <fcntl.h>

#include "preload/shim_owner.h"
#include "preload/shim_table.h"

/* ---- shim_judge.c: where may this go? ----------------------------------- */

enum shim_where { WHERE_TUNNEL = 0, WHERE_LOOPBACK = 1 };

/* A sockaddr as the kernel would take it for a socket with tag `t`; AF_UNSPEC
 * is -EAFNOSUPPORT.  `naming` for bind, whose refusals differ. */
int shim_parse_address(struct shim_tag t, const struct sockaddr *sa,
    socklen_t len, bool naming, struct sw_addr *out);

/*
 * Class of a destination: enum shim_where, or -errno when it is refused.  May
 * rewrite `a`: any becomes loopback, a local resolver becomes the session's
 * (then *alias is set).
 */
int shim_judge(struct shim_tag t, struct sw_addr *a, bool *alias);

/* May a socket of the kernel's with this tag move to the tunnel for that
 * destination?  0 or -errno. */
int shim_may_leave(struct shim_tag t, const struct sockaddr *sa,
    socklen_t len);

/* For descriptors that are not ours: may the kernel have this address?  Only
 * loopback, and no resolver there.  0 or -errno. */
int shim_judge_native(const struct sockaddr *sa, socklen_t len);

/* The error for a descriptor that is refused something: this one, if it is a
 * socket at all. */
int shim_refused(int fd, int error);

/* AF_UNIX path rules; 0 or -errno.  And, after the kernel's success: is FD,
 * connected to that address, to be used (0 or -errno; then it is shut down)?
 * The address has been bound by this program.  shim_unix.c */
int shim_judge_unix(const struct sockaddr *sa, socklen_t len);
int shim_connected_unix(int fd, const struct sockaddr *sa, socklen_t len);
void shim_bound_unix(const struct sockaddr *sa, socklen_t len);

/* May this program be served by who listens at `path`, to which FD is connected?
 * 0 or -errno; then FD is shut down.  And: others that are wrapped may be served
 * by this one.  shim_peer.c */
int shim_judge_peer(int fd, const char *path);
void shim_mark_unix(const char *path);

/* A NETLINK_ROUTE socket, or -errno.  shim_netlink.c */
long shim_netlink_socket(int type);

/* ---- shim_move.c: another socket under the same number ------------------- */

/* N, a stream, becomes a real loopback socket; or, with `open`, one that is
 * bound to the wildcard address and that port. */
int shim_to_loopback(int fd, struct shim_tag t, const struct sw_addr *open);

/* N or U, a datagram socket, becomes one of the session's on loopback.  *t is
 * its new tag; nothing happens to one that is there already. */
int shim_to_local(int fd, struct shim_tag *t);

/* A socket on loopback whose tag says SHIM_WILDCARD becomes N, bound to the
 * same port if it was bound.  *t is its new tag. */
int shim_to_tunnel(int fd, struct shim_tag *t);

/* A fresh pair instead of one whose connection or attempt is over.  mark:
 * SHIM_ABORTED, or 0. */
int shim_renew(int fd, struct shim_tag *t, uint16_t mark);

/* Is ECONNRESET due on a newborn stream?  Clears it. */
bool shim_take_aborted(int fd, struct shim_tag t);

/* Is fd a stream on loopback that asked for the wildcard address? */
bool shim_is_wildcard(int fd, struct shim_tag *t);

/* ---- others ----------------------------------------------------------------- */

/* Copy `a` out as getsockname does for a socket with tag `t`. */
int shim_put_name(struct shim_tag t, const struct sw_addr *a,
    struct sockaddr *sa, socklen_t *len);

/* connect(2) for a socket of ours. shim_connect.c */
int shim_connect(int fd, struct shim_tag t, const struct sockaddr *sa,
    socklen_t len, int flags);

/* recvmsg(MSG_ERRQUEUE): 0 and what the error was of, or -EAGAIN.
 * shim_errqueue.c */
ssize_t shim_recv_error(int fd, struct shim_tag t, struct msghdr *m);

/* The pending error of a datagram socket with a peer, as a negative errno, or
 * 0; it is told once. */
int shim_datagram_error(int fd, struct shim_tag t);

/* Judge a datagram's destination, and make of the socket what reaches it.
 * enum shim_where, or -errno.  *t is its tag then. */
int shim_go_where(int fd, struct shim_tag *t, struct sw_addr *to, bool *alias);

/* Remember the peer a program asked for when another takes its place. */
int shim_note_asked(int fd, struct shim_tag t, const struct sw_addr *asked);
void shim_asked_name(int fd, struct shim_tag t, struct sw_addr *peer);

/* send and receive on a datagram socket of ours. shim_datagram.c */
ssize_t shim_send_datagram(int fd, struct shim_tag t, const struct msghdr *m,
    int flags);
ssize_t shim_recv_datagram(int fd, struct shim_tag t, struct msghdr *m,
    int flags);

/* libc's recvmsg as -errno: it is the cancellation point. shim_data.c */
ssize_t shim_native_recvmsg(int fd, struct msghdr *m, int flags);

/* ---- shim_whole.c: streams of ours, by several calls ------------------------ */

/* MSG_WAITALL, and MSG_TRUNC with or without it: a count, or -errno.  An error
 * that comes after the first byte is the next call's. */
ssize_t shim_recv_whole(int fd, const struct msghdr *m, int flags);
ssize_t shim_recv_nothing(int fd, const struct msghdr *m, int flags);

/* Would a call with these flags wait for all that it asks for? */
bool shim_waits_for_all(int fd, int flags);

/* Is there more to receive, or will there be until then (SW_NEVER: no limit)?
 * False at the end, after an error, which stays, and after a signal. */
bool shim_more_comes(int fd, int64_t until);

/* SO_RCVTIMEO or SO_SNDTIMEO; 0: none. */
int64_t shim_timeout_ms(int fd, int option);

/* Send SIGPIPE to this thread unless MSG_NOSIGNAL; returns -EPIPE. */
int shim_broken_pipe(int flags);

/* The attempt was seen to succeed: the end, small while connecting, gets its
 * full room (once). */
void shim_make_room(int fd, struct shim_tag *t);

/* The connection's own reason after a native error; `r` if there is none. */
int shim_true_error(int fd, struct shim_tag t, int r);

/* Tell the owner of a kept option again (rule index + 1).  shim_option.c */
void shim_replay_option(int fd, struct shim_tag t, uint16_t rule,
    int32_t value, bool native);

/* Tell the owner what was set before it had work with the socket (while the
 * tag does not say SHIM_TUNNEL yet). */
void shim_tell_options(int fd, struct shim_tag t);

static inline bool
shim_nonblocking(int fd)
{
	return sys_fcntl(fd, F_GETFL, 0) & O_NONBLOCK;
}

static inline bool
shim_is_stream(struct shim_tag t)
{
	return !(t.flags & SHIM_DGRAM);
}

#endif
