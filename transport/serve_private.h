/*
 * serve_private.h - a session and what hangs on it: serve_session.c,
 * serve_relay.c, serve_remote.c, serve_ports.c, serve_names.c.
 */
#ifndef SW_TRANSPORT_SERVE_PRIVATE_H
#define SW_TRANSPORT_SERVE_PRIVATE_H

#include "transport/serve.h"
#include "transport/serve_note.h"

struct serve_listener;
struct serve_ports;
struct serve_names;
LIST_OF(serve_listeners, serve_listener);
LIST_OF(serve_ports_list, serve_ports);
LIST_OF(serve_names_list, serve_names);

struct serve_session {
	LIST_LINK(serve_session) link, dirty;
	struct serve_server *v;
	struct serve_ssh *ssh;
	struct serve_info who;
	struct loop_fd w;
	uint32_t events;
	struct loop_timer grace, alive;
	uint8_t *part;			/* input that is no whole packet yet */
	size_t part_len;
	int64_t since_ms;
	uint64_t heard;			/* packets, when last looked at */
	uint64_t sent, passed;		/* bytes; those that had left then */
	unsigned misses;
	bool is_dirty, hung_up, counted_in;
	char attempt[SERVE_ATTEMPT_MAX]; /* to log in, not in the log yet */
	struct serve_keys *keys;	/* that let it in */
	const struct serve_grant *grant;
	bool may_forward;
	struct serve_relays relays;
	struct serve_listeners listeners;
	size_t nlisteners;
	struct serve_ports_list ports;
	struct serve_names_list names;
	size_t nservices;		/* of these two, together */
};

/* Something was put into the session's output: send it in this turn. */
void serve_session_touch(struct serve_session *s);
/* Send it now; the session is gone when it was over. */
void serve_session_flush(struct serve_session *s);
/* It ends now, with all that hangs on it, and the log says so. */
void serve_session_free(struct serve_session *s);

/*
 * What a channel leads to.  The engine's events for channels come to whatever
 * serve_chan_set_arg() named: a struct that begins with this table.
 */
struct serve_end {
	const struct serve_end_ops *ops;
};
struct serve_end_ops {
	void (*opened)(struct serve_end *);
	void (*data)(struct serve_end *, const uint8_t *p, size_t len);
	void (*eof)(struct serve_end *);
	void (*writable)(struct serve_end *);
	void (*closed)(struct serve_end *, bool clean);
};

/* ---- serve_relay.c: a channel and a TCP connection ---- */

/* Dial for a channel that asks; answers it. */
void serve_relay_dial(struct serve_session *s, struct serve_chan *c,
    const struct dial_target *to);
/* A connection came to a port the client listens on: offer it. */
void serve_relay_offer(struct serve_session *s, int fd, const char *bind,
    uint16_t port, const struct sw_addr *from);
void serve_relays_free(struct serve_session *s);
void serve_relays_cut(struct serve_server *v);	/* those that linger */

/* ---- serve_remote.c: tcpip-forward ---- */

/*
 * The client asks for a port at `bind` ("", "*", "localhost", an address), 0 for
 * any: *bound is which.  SW_ERR_DENIED, _FORMAT (such an address), _LIMIT, _IN_USE,
 * _NOMEM.  And it gives one back: SW_ERR_NO_NAME when it had none such.
 */
int serve_remote_listen(struct serve_session *s, const char *bind, uint16_t port,
    uint16_t *bound) SW_MUST_CHECK;
int serve_remote_unlisten(struct serve_session *s, const char *bind,
    uint16_t port) SW_MUST_CHECK;
void serve_remote_free(struct serve_session *s);

/* ---- serve_ports.c: datagrams ---- */

/* A channel that asks to be a UDP port: accepted or refused.  And the end of all
 * of a session's. */
void serve_ports_open(struct serve_session *s, struct serve_chan *c);
void serve_ports_free(struct serve_session *s);

/* ---- serve_names.c: look-ups ---- */

/* The same for a channel that asks for names. */
void serve_names_open(struct serve_session *s, struct serve_chan *c);
void serve_names_free(struct serve_session *s);

#endif
