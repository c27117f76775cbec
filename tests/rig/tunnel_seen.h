/*
 * tunnel_seen.h - one ssh tunnel to an sshd of its own, and what it says; and
 * streams through it.
 */
#ifndef SW_TESTS_TUNNEL_SEEN_H
#define SW_TESTS_TUNNEL_SEEN_H

#include "base/clock.h"
#include "base/loop.h"
#include "tests/lib/patience.h"
#include "tests/rig/sshd.h"
#include "transport/ssh_tunnel.h"

struct seen {
	struct sshd_rig rig;
	struct loop l;
	struct ssh_tunnel *t;
	enum ssh_tunnel_state state;
	int err;
	unsigned ups, downs;
	char why[SSH_TUNNEL_WHY_LEN];
	struct dial *inbound;
	uint16_t inbound_port;
};

/* Turn the loop until the condition holds, at most `ms`. */
#define seen_until(s, ms, cond) do {						\
	int64_t end_ = clock_now_ms() + patient_ms(ms);		\
	while (!(cond) && clock_now_ms() < end_)			\
		assert_int_equal(loop_run_once(&(s)->l, 50), SW_OK);	\
} while (0)

/* Turn the loop for `ms`, whatever happens. */
void seen_turn(struct seen *s, int64_t ms);

/* An sshd with these lines more, and a tunnel to it that is up or has failed.
 * Of `extra` some options are taken; both may be NULL. */
void seen_begin_with(struct seen *s, const char *sshd_lines,
    const struct ssh_tunnel_options *extra);

/* The same without either, and up. */
void seen_begin(struct seen *s);
void seen_finish(struct seen *s);

/* A tunnel to the sshd that is there, in place of the one before, until it is up
 * or has failed. */
void seen_try(struct seen *s);

/* How the tunnel is opened; `ids` gets the user's key and NULL. */
struct ssh_tunnel_options seen_options(const struct seen *s, const char **ids);
extern const struct ssh_tunnel_events seen_events;

struct flow {
	struct dial *d;
	bool opened, failed, eof, closed, writable;
	bool wrong;			/* a byte was no far_byte() */
	bool refuse;			/* takes nothing more */
	int err;			/* of failed, closed */
	uint64_t got, take;		/* take: pause after so many, 0 never */
	uint8_t first[16];
};

extern const struct dial_events flow_events;
extern const struct dialer_ops *const flow_ops;

/* A stream to any place, under way; to the far server, open. */
void flow_dial(struct seen *s, struct flow *m, const char *host,
    uint16_t port);
void flow_dial_far(struct seen *s, struct flow *m);

/* Write all of it at once; it has to fit. */
void flow_put(struct flow *m, const void *buf, size_t n);

/* Have the far server send n bytes. */
void flow_ask_source(struct flow *m, uint64_t n);

#endif
