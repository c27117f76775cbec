/*
 * serve_pump.h - a connection handed over, whole, to a real web server: dial it,
 * then move bytes both ways until both directions have ended.
 */
#ifndef SW_TRANSPORT_SERVE_PUMP_H
#define SW_TRANSPORT_SERVE_PUMP_H

#include <stddef.h>
#include <stdint.h>

#include "base/addr.h"
#include "base/loop.h"

#define SERVE_PUMP_DIAL_MS 60000
#define SERVE_PUMP_IDLE_MS 75000

struct serve_pump;

struct serve_pump_events {
	/* It is over; the handle is gone.  fd: the server did not answer, and
	 * this is the client's connection again; or -1, it is closed. */
	void (*over)(void *arg, int fd);
};

/*
 * `fd`, non-blocking, is taken; the `len` bytes already read from it go first
 * (at most SERVE_PUMP_FIRST, of which the rest is dropped).  NULL: no memory or
 * descriptors; fd stays the caller's.  over() comes once, from the loop.
 */
#define SERVE_PUMP_FIRST 64
struct serve_pump *serve_pump_new(struct loop *l, int fd, const uint8_t *first,
    size_t len, const struct sw_addr *to, const struct serve_pump_events *ev,
    void *arg);

/* Cut both; no event follows.  NULL is fine. */
void serve_pump_free(struct serve_pump *p);

/* "http://ADDRESS[:PORT][/]" */
int serve_pump_parse(struct sw_addr *out, const char *url) SW_MUST_CHECK;

#endif
