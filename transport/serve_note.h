/*
 * serve_note.h - what the log says of a client: one line for each fact, the
 * address first, for filters that ban addresses, and the client's own words
 * last and quoted.  Clients and keys are named, never where they go.
 */
#ifndef SW_TRANSPORT_SERVE_NOTE_H
#define SW_TRANSPORT_SERVE_NOTE_H

#include "transport/serve.h"

/* A client has connected; it was not let in, and why. */
void serve_note_opened(const struct serve_info *who);
void serve_note_rejected(const struct serve_info *who, const char *why);
/* It had not logged in when its time was over, or (why) sooner. */
void serve_note_timeout(const struct serve_info *who, const char *why);
void serve_note_closed(const struct serve_info *who, bool logged_in,
    int64_t seconds, const char *why);

/*
 * A log-in that was tried.  One line for each that succeeds, and one for each
 * connection that ends without: a client with many keys offers them all, which
 * is no reason to ban it.  So it is kept in `attempt` until it counts.
 */
#define SERVE_ATTEMPT_MAX 448
void serve_note_attempt(char attempt[static SERVE_ATTEMPT_MAX],
    const struct serve_key *key, const char *user, const struct serve_login *in,
    bool good);
/* The line for what is in it, if anything is; it is empty then. */
void serve_note_login(const struct serve_info *who,
    char attempt[static SERVE_ATTEMPT_MAX]);

#endif
