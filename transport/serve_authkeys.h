/*
 * serve_authkeys.h - who may log in: OpenSSH's authorized_keys, and files of
 * certificate authorities (TrustedUserCAKeys), parsed once into a set that does
 * not change.  Sessions keep the set they logged in with.
 *
 * Options of a line that count here:
 *	restrict  [no-]port-forwarding  permitopen="HOST:PORT"
 *	permitlisten="[HOST:]PORT"  expiry-time="YYYYMMDD[HHMM[SS]][Z]"
 *	from="PATTERNS"  cert-authority  principals="NAMES"
 *	[no-]touch-required  verify-required
 * What concerns shells, agents and displays has no meaning here and is passed
 * over, with a warning where somebody might rely on it (command, environment,
 * tunnel).  An option that nobody knows, or a line that makes no sense, is an
 * error: the whole text is refused.
 */
#ifndef SW_TRANSPORT_SERVE_AUTHKEYS_H
#define SW_TRANSPORT_SERVE_AUTHKEYS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/addr.h"
#include "base/err.h"
#include "transport/serve_key.h"

#define SERVE_AUTHKEYS_MAX ((size_t)4 << 20)	/* bytes of a file */
#define SERVE_PERMITS_MAX 256			/* of one line */

/* permitopen, permitlisten: exactly this host as the client writes it. */
struct serve_permit {
	char *host;			/* "*": any */
	uint16_t port;			/* 0: any */
};

struct serve_permits {
	struct serve_permit *list;
	size_t n;
	bool limited;			/* else everything is permitted */
};

/* One line. */
struct serve_grant {
	unsigned line;
	uint8_t *blob;			/* a plain key */
	size_t len;
	bool is_ca;
	bool is_ca_file;		/* then principals are user names */
	bool is_revoked;		/* it logs nobody in, nor what it signed */
	bool no_forwarding, no_touch, verify;
	int64_t expires_s;		/* since 1970; INT64_MAX: never */
	char *from, *principals;	/* NULL: any */
	struct serve_permits open, listen;
};

struct serve_keys {
	unsigned refs;
	size_t n, room;
	struct serve_grant *grant;
};

/* An empty set with one reference.  NULL without memory. */
struct serve_keys *serve_keys_new(void);
struct serve_keys *serve_keys_ref(struct serve_keys *k);
void serve_keys_unref(struct serve_keys *k);	/* NULL is fine */

enum serve_keys_kind {
	SERVE_KEYS_USERS,		/* authorized_keys */
	SERVE_KEYS_AUTHORITIES,		/* bare keys are authorities */
	SERVE_KEYS_REVOKED,		/* keys that others may not use */
};

/*
 * Add the lines of a text.
 * say() hears of warnings and of the error: a line number and words, which
 * quote option names only.  SW_OK, SW_ERR_FORMAT or SW_ERR_NOMEM; the set is
 * then to be dropped.
 */
typedef void serve_keys_say(void *arg, unsigned line, bool is_error,
    const char *words);
int serve_keys_add(struct serve_keys *k, const char *text, size_t len,
    enum serve_keys_kind kind, serve_keys_say *say, void *arg) SW_MUST_CHECK;

bool serve_permits_has(const struct serve_permits *p, const char *host,
    uint16_t port);

/* ---- the decision ---- */

struct serve_login {
	const struct serve_grant *grant;	/* lives as long as the set */
	bool forwarding;
	bool need_touch, need_verify;
	const char *why;			/* static words, when refused */
	uint64_t serial;			/* of the certificate, if any */
	bool is_cert;
};

/*
 * May `key` log in as `user` from `peer` (NULL: unknown) now?  SW_OK or
 * SW_ERR_DENIED.  Whether the key's owner is there is not asked here.
 */
int serve_login_check(const struct serve_keys *k, const char *user,
    const struct serve_key *key, const struct sw_addr *peer, int64_t now_s,
    struct serve_login *out) SW_MUST_CHECK;

#endif
