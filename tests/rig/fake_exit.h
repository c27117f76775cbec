/*
 * fake_exit.h - a names service with an exit that remembers what it was asked
 * and answers when it is told to, and with a dialer that goes nowhere; and what
 * those who ask the service hear.
 */
#ifndef SW_TESTS_FAKE_EXIT_H
#define SW_TESTS_FAKE_EXIT_H

#include "stack/dns.h"
#include "transport/names_service.h"
#include "transport/ssh_tunnel.h"

struct fake_exit {
	struct loop l;
	struct names *map;
	struct names_service *s;

	/* The last look-up, and how many there were. */
	unsigned lookups;
	char name[256];
	void (*done)(void *, const struct lookup *);
	void *done_arg;
	const char *nameserver;		/* the exit's own; NULL: none */

	/* The last dial, and how many there were. */
	unsigned opens;
	struct dial_target to;
	const struct dial_events *ev;
	void *ev_arg;
	bool refuse;			/* no more dials */
	bool aborted;
	uint8_t wrote[8192];
	size_t wrote_len, room;		/* what it took, and takes yet */
};

/* One at a time.  Of `extra` all is taken but what the fake stands for. */
void fake_begin_with(struct fake_exit *f,
    const struct names_service_options *extra);
void fake_begin(struct fake_exit *f);
void fake_finish(struct fake_exit *f);

/* A turn of its loop. */
void fake_turn(struct fake_exit *f);

/* The answer to the look-up that waits: this, or only whether it has an IPv4
 * address (SW_OK) or failed. */
void fake_tells(const struct lookup *what);
void fake_says(int err);

/* The answer to one question. */
struct heard {
	unsigned times;			/* of which there should be one */
	int err;
	uint32_t ttl;
	size_t n, len;			/* of a, of msg */
	struct sw_addr a[4];
	char name[256];
	uint8_t msg[4096];
};

/* Ask for addresses; or for records of `type` from `to` (NULL: no server in
 * particular): the query's id. */
void heard_resolve(struct fake_exit *f, const char *name, int family,
    struct heard *h);
uint16_t heard_query(struct fake_exit *f, const char *to, const char *name,
    uint16_t type, struct heard *h);

/* The callbacks behind them; `arg` is a struct heard. */
void heard_resolved(void *arg, int err, uint32_t ttl, const struct sw_addr *a,
    size_t n);
void heard_reversed(void *arg, int err, const char *name);
void heard_queried(void *arg, int err, const uint8_t *msg, size_t len);

/* Of a message: its result, and the number of answers. */
int heard_rcode(const struct heard *h);
int heard_answers(const struct heard *h);

#endif
