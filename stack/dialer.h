/*
 * dialer.h - opens byte streams to destinations at the exit.
 *
 * The splice accepts a TCP flow that arrives as IP packets and asks a dialer
 * for the other half: an SSH channel, or a kernel socket.  Everything happens
 * on the loop's thread.  Implementations: transport/ssh_tunnel.c, tests.
 *
 * Life of a dial:  open() -> exactly one of opened / failed
 *                  opened -> data*, eof?, writable*  -> closed, once
 * After failed, closed, or the caller's abort() the dial is gone and no
 * callback follows.
 */
#ifndef SW_STACK_DIALER_H
#define SW_STACK_DIALER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/addr.h"
#include "base/err.h"

#define DIAL_HOST_MAX 255	/* bytes of a host name, without the NUL */

struct dial_target {
	/* A name, a numeric address, or (with a '/', where the dialer can) the
	 * path of a socket at the exit. */
	char host[DIAL_HOST_MAX + 1];
	uint16_t port;
	/* AF_INET, AF_INET6: which of the host's addresses are meant, if it has
	 * such and the exit lets itself be told.  0: any. */
	int family;
	/* Unless all zero: an address of the host that the splice is to have
	 * dialled first, and the host only if that may not be dialled, cannot
	 * be reached, or fails and is not the only one (`alone`).  No dialer
	 * looks at these. */
	struct sw_addr address;
	bool alone;
};

struct dialer;		/* an implementation's own */
struct dial;

/* Memory that received bytes lie in.  Who wants to keep them takes a reference
 * instead of a copy.  The loop's thread alone. */
struct dial_block {
	uint32_t refs;
	void (*release)(struct dial_block *b);	/* the last one was given back */
};

static inline void
dial_block_unref(struct dial_block *b)
{
	if (b != NULL && --b->refs == 0)
		b->release(b);
}

struct dial_events {
	/* The far side answered: bytes may flow. */
	void (*opened)(void *arg);
	/* It did not: an SW_ERR_* that says why (REFUSED, UNREACH_HOST,
	 * UNREACH_NET, TIMEOUT, NO_NAME, DENIED, DOWN, LIMIT). */
	void (*failed)(void *arg, int err);
	/* Bytes from the far side.  Returns how many were taken; the rest stays
	 * with the dialer, which keeps quiet until resume(). */
	size_t (*data)(void *arg, const uint8_t *buf, size_t len);
	/* The far side will send no more (half-close).  All data came before. */
	void (*eof)(void *arg);
	/* write() has room again, after it took less than it was given. */
	void (*writable)(void *arg);
	/* The stream is gone both ways: SW_OK after a clean end, else why. */
	void (*closed)(void *arg, int err);
	/* As data(), for bytes that lie in `b`.  NULL: the user has no use for
	 * that, and data() is called for all; many dialers call no other. */
	size_t (*data_kept)(void *arg, struct dial_block *b, const uint8_t *buf,
	    size_t len);
};

struct dialer_ops {
	/* Start.  NULL when out of memory or the dialer is down (err says
	 * which); no callback comes from within open(). */
	struct dial *(*open)(struct dialer *, const struct dial_target *,
	    const struct dial_events *, void *arg, int *err);
	/* Take up to `len` bytes; the count taken, 0 when there is no room. */
	size_t (*write)(struct dial *, const uint8_t *buf, size_t len);
	/* No more bytes will be written (half-close); what was taken goes. */
	void (*shutdown)(struct dial *);
	/* Deliver data again, after data() took less than it was given. */
	void (*resume)(struct dial *);
	/* End it now, pending or open; no callback follows. */
	void (*abort)(struct dial *);
};

#endif
