/*
 * link_priv.h - what the link's two files share.
 */
#ifndef SW_STACK_LINK_PRIV_H
#define SW_STACK_LINK_PRIV_H

#include "stack/link.h"

#define DIRECT_MIN ((size_t)16 * 1024)	/* from here on packets are not copied */

/* A frame or control message that has not left yet. */
struct link_item {
	struct link_item *next;
	int fd;				/* -1: none; ours */
	size_t len;
	uint8_t data[];
};

struct link {
	struct loop *loop;
	struct loop_fd w;
	struct loop_turn turn;
	struct loop_timer pause;	/* no memory to receive into */
	struct loop_timer late;		/* what may wait has waited enough */
	const struct link_events *ev;
	void *arg;
	struct link_item *open;		/* the frame being filled */
	struct link_item *queue, **queue_end;
	size_t queued;			/* bytes in queue */
	size_t frame_max, backlog_max;	/* bytes */
	bool urgent;			/* not all of `open` may wait */
	bool want_out;			/* EPOLLOUT is armed */
	bool paused, starved;		/* EPOLLIN is not: asked; no memory */
	bool refused;			/* owed a `writable` */
	bool dead, closed;
	bool busy;			/* in a callback: free later */
};

/* link.c: tell epoll what we wait for. */
void link_watch(struct link *k);

/* link_send.c */
void link_drop_unsent(struct link *k);
/* Send what waits.  True when all of it went. */
bool link_drain(struct link *k);
/* The socket has room again. */
void link_room(struct link *k);

#endif
