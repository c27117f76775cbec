/*
 * link_priv.h - what the link's files share.
 */
#ifndef SW_STACK_LINK_PRIV_H
#define SW_STACK_LINK_PRIV_H

#include "stack/link.h"

#define DIRECT_MIN ((size_t)16 * 1024)	/* from here on packets are not copied */

/* Frames in their order. */
struct link_queue {
	struct link_frame *first, **end;
	size_t bytes;
};

struct link {
	struct loop *loop;
	struct loop_fd w;
	struct loop_turn turn;
	struct loop_timer pause;	/* no memory to receive into */
	struct loop_timer late;		/* what may wait has waited enough */
	const struct link_events *ev;
	void *arg;
	struct link_frame *open;	/* the frame being filled */
	struct link_queue out;		/* waits for room in the socket */
	struct link *peer;		/* near: the other end, once there is one */
	struct link_queue in;		/* near: what the other end has sent */
	struct loop_timer soon;		/* near: `in` waits to be looked at */
	size_t frame_max, backlog_max;	/* bytes */
	bool urgent;			/* not all of `open` may wait */
	bool want_out;			/* EPOLLOUT is armed */
	bool paused, starved;		/* EPOLLIN is not: asked; no memory */
	bool near;			/* no descriptor: in memory */
	bool parted;			/* near: the other end is closed */
	bool refused;			/* owed a `writable` */
	bool dead, closed;
	bool busy;			/* in a callback: free later */
};

/* link.c: tell epoll what we wait for. */
void link_watch(struct link *k);
/* A frame has arrived; borrowed, its descriptor is the callee's to close. */
void link_take(struct link *k, struct link_frame *f);
void link_die(struct link *k);

/* link_send.c */
void link_drop_unsent(struct link *k);
/* Send what waits.  True when all of it went. */
bool link_drain(struct link *k);
/* The socket has room again. */
void link_room(struct link *k);
void link_enqueue(struct link_queue *q, struct link_frame *f);
/* The first, which is the caller's then; NULL: none. */
struct link_frame *link_dequeue(struct link_queue *q);
void link_empty(struct link_queue *q);

/* link_near.c */
/* `k`, new, becomes an end in memory, of `peer` if that is not NULL. */
void link_near_join(struct link *k, struct link *peer);
/* Send `f`, which is taken. */
void link_near_put(struct link *k, struct link_frame *f);
/* Bytes sent that the other end has not looked at. */
size_t link_near_waiting(const struct link *k);
/* Has the other end no room for another large packet? */
bool link_near_is_full(const struct link *k);
/* Look at what has come in the next turn. */
void link_near_wake(struct link *k);
/* At the end of a turn: if all was looked at, the other end may send again. */
void link_near_tell_room(struct link *k);
/* The other end learns that this one is closed. */
void link_near_part(struct link *k);

#endif
