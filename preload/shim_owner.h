/*
 * shim_owner.h - speaking to the stack owner of a socket; for the files of the
 * sockets half.  Everything answers 0 or -errno and is safe wherever shim.h
 * says the library must be.
 */
#ifndef SW_PRELOAD_SHIM_OWNER_H
#define SW_PRELOAD_SHIM_OWNER_H

#include "preload/shim.h"
#include "stack/link.h"

#define SHIM_LEVEL 0x5377	/* OWNER_SETOPT level of the shim's own notes */
#define SHIM_NOTE_PEER 1	/* struct sw_addr the program asked for */

/* shim_session.c */
int shim_lift_fd(int fd);
ssize_t shim_send_fds(int sock, const struct iovec *iov, unsigned iovlen,
    const int *fds, unsigned nfds);
ssize_t shim_receive(int sock, void *head, size_t head_len, void *buf,
    size_t cap, int *fd_out, int timeout_ms);

/* Is fd the control channel that the environment names? */
bool shim_is_ctl(int fd);

/* A control channel that was opened again, kept in the image; -1 for none. */
int shim_kept_ctl(void);
void shim_keep_ctl(int fd, uint64_t cookie);

/* A pair for a new socket: `*app` for the program (lowest number), its far end
 * sent to the owner with OPEN.  type: SOCK_STREAM or SOCK_DGRAM with its flag
 * bits.  The tag's owner is filled in. */
int shim_open_pair(int type, struct shim_tag *t, int *app);

/* Start the owner of the socket if it waits to be started.  -ENETUNREACH when
 * the session does not take it. */
int shim_owner_start(struct shim_tag t);

/* A newborn socket of that owner has become another (loopback). */
void shim_owner_lost(struct shim_tag t, uint64_t cookie);

/*
 * connect(2) needs no descriptor of the program's; we do, for a moment.  When
 * its table is full the soft limit is raised to the hard one and put back.
 * False when that gains nothing.
 */
struct shim_room {
	uint64_t soft, hard;
};
bool shim_room_begin(struct shim_room *old);
void shim_room_end(const struct shim_room *old);

/* Is the owner of that socket this image's own, reachable by its channel? */
bool shim_owner_is_ours(struct shim_tag t);

/* What the session said at ATTACH, and to whom; starts an owner if none was. */
int shim_owner_self(struct link_config *out, uint32_t *id);
int shim_owner_config(struct link_config *out);

/* Send `m` about the socket with cookie `cookie`; no answer. */
int shim_owner_tell(struct shim_tag t, struct owner_msg m,
    const void *payload, size_t len);

/* The same without payload, by the channel only.  -EXDEV: nothing was sent, for
 * the owner is another image's, or the channel is lost. */
int shim_owner_tell_own(struct shim_tag t, struct owner_msg m);

/* Send `m` and wait for the answer; its error becomes the result. */
int shim_owner_ask(struct shim_tag t, struct owner_msg m, const void *payload,
    size_t len, struct owner_reply *rep, void *buf, size_t cap);

/* OWNER_STATE of `fd`; flags may be OWNER_TAKE_ERROR. */
int shim_owner_state(int fd, struct shim_tag t, uint16_t flags,
    struct owner_state *out);

/* Signals off around a short critical section on the image. */
struct shim_guard {
	uint64_t mask;
};
void shim_lock(struct shim_guard *g, uint32_t *word);
void shim_unlock(const struct shim_guard *g, uint32_t *word);

#endif
