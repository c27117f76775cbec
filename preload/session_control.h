/*
 * session_control.h - control connections, and what is asked over them.
 */
#ifndef SW_PRELOAD_SESSION_CONTROL_H
#define SW_PRELOAD_SESSION_CONTROL_H

#include "preload/session.h"
#include "preload/session_proto.h"

#define CONTROL_FDS_MAX 5

/* One message as it came: for the tests, which have no sockets. */
struct control_msg {
	struct session_msg head;
	const struct control *from;
	const uint8_t *payload;		/* head.len bytes, borrowed */
	int fds[CONTROL_FDS_MAX];	/* whoever takes one puts -1 here */
	int fd_n;
	int reply_fd;			/* -1: none wanted; same rule */
};

/* Serve one more connection; fd is taken, also on failure. */
int control_new(struct session *s, int fd) SW_MUST_CHECK;
void control_free(struct control *c);
void control_free_all(struct session *s);

/*
 * Look at `len` bytes that came with the `fd_n` descriptors already in m->fds.
 * SW_OK, or SW_ERR_FORMAT / SW_ERR_TRUNCATED: drop them.
 */
int control_parse(struct control_msg *m, const uint8_t *bytes, size_t len)
    SW_MUST_CHECK;

/* SESSION_NOTE: session_note.c.  One line for each reason, once; was it? */
bool session_note(struct session *s, uint32_t reason);

/* End every owner that runs in this process. */
void control_free_hosted(struct session *s);

/* SESSION_LOOPBACK: session_loopback.c.  A socket that reaches this machine
 * only, for a program, or -errno. */
int loopback_open(struct session *s, uint32_t family, uint32_t type,
    uint32_t protocol);
/* The same that listens to anybody: a stream, bound to the wildcard. */
int wildcard_open(struct session *s, const struct session_msg *m);

#endif
