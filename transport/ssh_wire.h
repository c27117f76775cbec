/*
 * ssh_wire.h - what libssh reads and writes, gathered.
 *
 * libssh reads its socket 4 KB at a time with a poll(2) before each piece
 * (260,000 system calls for 512 MiB), and writes each message by itself.  So
 * recv(), poll() and send(), which it calls through the dynamic linker, are
 * defined here: on a socket that is attached they read from what was
 * fetched in one piece, and keep short messages until the turn of the loop
 * ends.  Everything else goes straight to the kernel.
 */
#ifndef SW_TRANSPORT_SSH_WIRE_H
#define SW_TRANSPORT_SSH_WIRE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SSH_WIRE_IN ((size_t)512 * 1024)
#define SSH_WIRE_OUT ((size_t)16 * 1024)

struct ssh_wire {
	struct ssh_wire *next;	/* attached by the same thread */
	int fd;			/* libssh's, non-blocking */
	bool ended;		/* nothing more to read: libssh is to find out */
	bool stuck;		/* the socket had no room for all of `out` */
	size_t at, len;		/* read ahead: in[at..len) */
	size_t held;		/* yet to be sent: out[0..held) */
	size_t patient;		/* of these, nobody waits for */
	uint8_t out[SSH_WIRE_OUT];
	uint8_t in[SSH_WIRE_IN];
};

/* From now on this thread's calls about `fd` concern `w`. */
void ssh_wire_attach(struct ssh_wire *w, int fd);

/* Send what goes, forget the rest; calls about the socket reach the kernel
 * again.  Fine when it is not attached. */
void ssh_wire_detach(struct ssh_wire *w);

/* This thread has one attached. */
bool ssh_wire_is_attached(void);

/* Fetch what is there, once what was fetched before is used up. */
void ssh_wire_fetch(struct ssh_wire *w);

/* Fetched bytes wait for libssh. */
bool ssh_wire_waiting(const struct ssh_wire *w);

/* Send what was kept.  False: the socket has no room for all of it. */
bool ssh_wire_flush(struct ssh_wire *w);

/*
 * Nobody waits for what was kept since w->held was `before`: window grants, the
 * close of a channel.  They may go with the next message that is awaited, which
 * spares the server a wake-up and us a packet.
 */
void ssh_wire_excuse(struct ssh_wire *w, size_t before);

/* Something is kept, and all of it may wait a little. */
bool ssh_wire_may_wait(const struct ssh_wire *w);

#endif
