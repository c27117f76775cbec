/*
 * names_private.h - what the files of the names service share.
 *
 *   names_service.c   life, the three questions and who may answer them
 *   names_local.c     names that stay here
 *   names_known.c     what the exit knows of names, remembered
 *   names_real.c      ... asked by DNS, where it knows addresses
 *   names_upstream.c  DNS messages that travel, and their cache
 *   names_answer.c    telling the caller
 *   names_exit_ssh.c  the ssh tunnel as an exit
 *
 * Every question takes the same way:
 *
 *   classify -> local answer
 *            -> does the exit know the name?  (cached, coalesced: one lookup
 *               for all who ask meanwhile) -> addresses
 *            -> upstream: DNS at the exit (cached by its TTLs)
 *
 * A `waiter` is one caller's question while it waits for either.
 */
#ifndef SW_TRANSPORT_NAMES_PRIVATE_H
#define SW_TRANSPORT_NAMES_PRIVATE_H

#include "stack/dns.h"
#include "transport/dns_upstream.h"
#include "transport/list.h"
#include "transport/names_service.h"

#define NAMES_LOCAL_TTL_S 60
#define NAMES_TTL_MAX_S 300
#define NAMES_BUCKETS 256
#define NAMES_ADDRS_MAX 16		/* of one name */

enum kind { RESOLVE, REVERSE, QUERY };

struct waiter {
	LIST_LINK(waiter) link;	/* in its name's list, or in upstream */
	struct names_service *s;
	enum kind kind;
	union {
		names_resolve_fn *resolve;
		names_reverse_fn *reverse;
		names_query_fn *query;
	} done;
	void *arg;
	int family;			/* RESOLVE */
	struct dns_ask *ask;		/* upstream only */
	struct dial_target server;	/* upstream only */
	bool by_default;		/* upstream only: another may do, too */
	unsigned tries;
	size_t udp_max, len;		/* QUERY */
	uint8_t msg[];			/* the query; a REVERSE has one, too */
};
LIST_OF(waiters, waiter);

/* What is known of a name.  While `asking`, waiters collect. */
struct known {
	LIST_LINK(known) chain;
	LIST_LINK(known) age;
	struct names_service *s;
	struct waiters waiters;
	bool asking;
	bool has_v4, has_v6, v6_first;
	int err;			/* SW_OK: it exists */
	int64_t until_ms;
	struct sw_addr first4, first6;	/* as in struct lookup */
	bool sole;
	struct sw_addr *addrs;		/* real ones */
	size_t n;
	char name[DIAL_HOST_MAX + 1];
};

struct real;				/* names_real.c's */
struct cached;				/* names_upstream.c's */

struct names_service {
	struct loop *l;
	struct names_service_options o;
	struct hosts *hosts;
	struct dns_upstream *up;
	struct dialer *listen;		/* DNS over TCP of programs */
	struct dial_target dns;		/* --dns; host "" without */
	struct dial_target server[NAMES_SERVERS_MAX];
	size_t server_n, server_at;	/* the one that answered last */
	char hostname[DIAL_HOST_MAX + 1];
	LIST_OF(known_chain, known) bucket[NAMES_BUCKETS];
	LIST_OF(known_list, known) by_age;	/* oldest first */
	size_t nknown;
	LIST_OF(real_list, real) reals;
	struct waiters upstream;
	LIST_OF(cached_list, cached) cache;	/* oldest first */
	size_t ncached;
};

/* Do names get their real addresses? */
static inline bool
names_is_real(const struct names_service *s)
{
	return s->o.exit == NULL;
}

/* names_service.c */
void waiter_free(struct waiter *w);

/* names_answer.c: each finishes the waiter and frees it. */
void answer_message(struct waiter *w, const struct dns_query *q,
    const struct dns_answer *a);
/* err, or addresses of any family, of which those that fit are taken. */
void answer_addrs(struct waiter *w, int err, uint32_t ttl_s,
    const struct sw_addr *addrs, size_t n);
void answer_failure(struct waiter *w);		/* SERVFAIL, to a QUERY */
void answer_raw(struct waiter *w, uint8_t *msg, size_t len);
void answer_reverse(struct waiter *w, int err, const uint8_t *msg, size_t len);

/* names_local.c */
/* True when the answer was found here; *err and the addresses say it. */
bool local_answer(const struct names_service *s, const char *name,
    struct sw_addr out[static NAMES_ADDRS_MAX], size_t *n, int *err);
bool local_is_refused(const struct names_service *s, const char *name);
/* The name (or NULL) of an address that is not for upstream; false: it is. */
bool local_reverse(const struct names_service *s, const struct sw_addr *a,
    const char **name);
bool name_ends_in(const char *name, const char *zone);

/* names_known.c */
/* A strict, lower-case name that is not local: answer now or later. */
void known_find_out(struct waiter *w, const char *name);
void known_cancel(struct names_service *s, const void *arg);
void known_free_all(struct names_service *s);

/* names_real.c: the same contract as names_exit's. */
int real_lookup(struct names_service *s, const char *name,
    void (*done)(void *, const struct lookup *), void *arg);
void real_forget(struct names_service *s, const void *arg);

/* names_upstream.c */
/* Send a QUERY on to `to`, NULL for the default; or answer from the cache. */
void upstream_forward(struct waiter *w, const struct dns_query *q,
    const struct sw_addr *to);
/* Send a REVERSE's message to the default. */
void upstream_ask(struct waiter *w);
/* Who is asked by default; false: nobody. */
bool upstream_default(const struct names_service *s, struct dial_target *out);
/* That one gave no answer: is another the default now? */
bool upstream_next_default(struct names_service *s,
    const struct dial_target *failed);
void upstream_cancel(struct names_service *s, const void *arg);
void upstream_free_all(struct names_service *s);

#endif
