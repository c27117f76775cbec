/*
 * ssh_dial_private.h - what the parts of a dial share.
 *
 *   ssh_dial.c          opening, refusals, everybody's turn
 *   ssh_dial_life.c     one dial as an object; what libssh tells
 *   ssh_dial_read.c     from the server to the user
 *   ssh_dial_write.c    from the user to the server
 *   ssh_dial_inbound.c  connections at published ports
 */
#ifndef SW_TRANSPORT_SSH_DIAL_PRIVATE_H
#define SW_TRANSPORT_SSH_DIAL_PRIVATE_H

#include "transport/ssh_private.h"

#define SSH_DIAL_WINDOW_FIRST ((size_t)1280 * 1024)	/* libssh's own */
#define SSH_DIAL_SCRATCH_LEN ((size_t)512 * 1024)	/* struct ssh_dials */

/* ---- ssh_dial_life.c ---- */

/* In no list yet.  t: NULL for one that arrived and has no tunnel yet; ev: NULL
 * when nobody is to be told.  NULL when out of memory. */
struct dial *ssh_dial_new(struct ssh_tunnel *t, const struct dial_events *ev,
    void *arg);
void ssh_dial_free(struct dial *d);	/* out of every list already */

/* Have it looked at in ssh_dial_process(). */
void ssh_dial_queue(struct dial *d);
void ssh_dial_stop_waiting(struct dial *d);	/* for room to write */

/* Keep `len` bytes (of buf; NULL: to be filled) for the user; false without
 * memory.  Nothing may be held already. */
bool ssh_dial_hold(struct dial *d, const uint8_t *buf, size_t len);
void ssh_dial_let_go(struct dial *d);

/* Send EOF and close, and let libssh forget the channel when the server has
 * closed it as well.  One that never was open has no number at the server, and
 * is only to be forgotten. */
void ssh_dial_end_channel(struct dial *d, bool was_open);

/* Out of the open list, channel and all; frees it. */
void ssh_dial_reap(struct dial *d);

int64_t ssh_dial_now_us(void);		/* monotonic */

/* ---- ssh_dial_read.c ---- */

/* Hand over what there is: data, EOF, the end. */
void ssh_dial_deliver(struct dial *d);

/* Tell the user that it is over (err: SW_OK or why); reaped in process. */
void ssh_dial_end(struct dial *d, int err);

/* Grant the first window of a long path at once. */
void ssh_dial_widen(struct dial *d);

/* ---- ssh_dial_write.c: of struct dialer_ops ---- */

size_t ssh_dial_write(struct dial *d, const uint8_t *buf, size_t len);
void ssh_dial_shutdown(struct dial *d);
void ssh_dial_resume(struct dial *d);
void ssh_dial_abort(struct dial *d);
void ssh_dial_process_writers(struct ssh_tunnel *t);

/* ---- ssh_dial_inbound.c ---- */

void ssh_dial_process_arrivals(struct ssh_tunnel *t);

#endif
