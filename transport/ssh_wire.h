/*
 * ssh_wire.h - read-ahead for libssh, which reads its socket 4 KB at a time with
 * a poll(2) before each piece: 260,000 system calls for 512 MiB.
 *
 * recv() and poll(), which libssh calls through the dynamic linker, are defined
 * here, and answer from a buffer while one is lent.  It is lent only around the
 * loop that drains the session, and drained before it is taken back; so nothing
 * waits in it that epoll does not know of, and everybody else's recv() and
 * poll() go straight to the kernel.
 */
#ifndef SW_TRANSPORT_SSH_WIRE_H
#define SW_TRANSPORT_SSH_WIRE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct ssh_wire {
	int fd;			/* the descriptor that libssh reads; set before */
	size_t at, len;		/* bytes that wait: buf[at..len) */
	uint8_t buf[256 * 1024];
};

/* Lend `w` to the calling thread's recv() and poll(). */
void ssh_wire_begin(struct ssh_wire *w);

/* Bytes wait in it: go on before ssh_wire_end(). */
bool ssh_wire_waiting(const struct ssh_wire *w);

void ssh_wire_end(void);

#endif
