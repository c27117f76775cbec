/*
 * stream.h - a buffered, non-blocking byte stream on the loop: the only place
 * in mix/ besides the programs' own files that touches descriptors.
 *
 * Embed a struct stream.  What is put is written when the descriptor is
 * writable, many messages at a time.
 */
#ifndef SW_MIX_STREAM_H
#define SW_MIX_STREAM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/addr.h"
#include "base/err.h"
#include "base/loop.h"
#include "base/wire.h"

#define STREAM_OUT_MAX (8u << 20)	/* bytes that may wait */
#define STREAM_IN_MAX (256u << 10)

struct stream;

struct stream_ops {
	/* Bytes arrived: consume from `in` what can be; the rest comes again
	 * with more.  Not SW_OK: the stream is closed with that code. */
	int (*data)(struct stream *s, struct rbuf *in);
	/* Connected, or room again after SW_AGAIN.  May be NULL. */
	void (*writable)(struct stream *s);
	/* Closed by the peer, by an error (SW_ERR_*), or by data()'s answer.
	 * The descriptor is gone; the owner may free the struct. */
	void (*closed)(struct stream *s, int err);
};

struct stream {
	struct loop_fd w;
	struct loop *loop;
	const struct stream_ops *ops;
	uint8_t *in, *out;
	size_t in_len, in_cap, out_at, out_len, out_cap;
	bool connecting, wants_room;
};

/* Take a connected or connecting descriptor; closed with the stream. */
int stream_open(struct stream *s, struct loop *l, int fd, bool connecting,
    const struct stream_ops *ops) SW_MUST_CHECK;

/* Close now; no callback follows.  Fine if it is closed. */
void stream_close(struct stream *s);
bool stream_is_open(const struct stream *s);

/* Queue bytes, all or none.  SW_OK, SW_AGAIN or SW_ERR_CLOSED. */
int stream_put(struct stream *s, const void *p, size_t n) SW_MUST_CHECK;
/* Call writable() once there is room, as after SW_AGAIN. */
void stream_ask_room(struct stream *s);

/* A non-blocking TCP socket that connects to, or listens at, an address.
 * listen: port 0 lets the kernel choose; *a is then filled in. */
int stream_connect_fd(const struct sw_addr *a) SW_MUST_CHECK;
/* The same, from this address of ours where the families agree. */
int stream_connect_from_fd(const struct sw_addr *a,
    const struct sw_addr *from) SW_MUST_CHECK;
int stream_listen_fd(struct sw_addr *a) SW_MUST_CHECK;
/* Accept one; -1 when there is none. */
int stream_accept_fd(int fd);
/* A peer that has vanished is noticed within minutes. */
void stream_keep_alive(int fd);

#endif
