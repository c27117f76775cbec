/*
 * options.h - the command line, as data.
 */
#ifndef SW_PRELOAD_OPTIONS_H
#define SW_PRELOAD_OPTIONS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

#define OPTIONS_VIA_MAX 4		/* tunnels, one through the other */
#define OPTIONS_PUBLISH_MAX 16
#define OPTIONS_FORWARD_MAX 16		/* of -L, and again of -R */
#define OPTIONS_NAME_MAX 64		/* bytes of a session's name */

enum options_command {
	COMMAND_RUN, COMMAND_UP, COMMAND_DOWN, COMMAND_STATUS, COMMAND_CHECK,
	COMMAND_SERVE,			/* --socks, -L, -R without a program */
	COMMAND_HELP, COMMAND_VERSION,
};

enum options_listen { LISTEN_LOOPBACK, LISTEN_DENY, LISTEN_TUNNEL,
	LISTEN_OPEN };
enum options_stack { STACK_AUTO, STACK_THREAD, STACK_SESSION };
enum options_isolate {
	ISOLATE_AUTO,		/* programs that the library cannot catch */
	ISOLATE_ALWAYS, ISOLATE_NEVER,
};

/*
 * The options that are one text each, for the session alone.  They have the
 * same name on the command line, in the configuration file and on the way to
 * the session.
 */
enum options_text {
	TEXT_IDENTITY, TEXT_KNOWN_HOSTS, TEXT_DNS, TEXT_PROXY,
	TEXT_TLS_CA, TEXT_TLS_PIN, TEXT_TLS_NAME,
	TEXT_IROH_KEY, TEXT_IROH_RELAY, TEXT_IROH_ADDRESS, TEXT_IROH_ALPN,
	TEXT_DIRECTORY, TEXT_ENTRY, TEXT_ENTRY_TLS, TEXT_EXIT, TEXT_TRAFFIC,
	TEXT_MIX_IDENTITY,
	TEXT_SOCKS, TEXT_SOCKS_AUTH,
	OPTIONS_TEXTS
};

enum options_text_kind {
	TEXT_PLAIN,
	TEXT_FILE,	/* a file's name, made absolute; it must be readable */
	TEXT_STATE,	/* a file's name, made absolute; made when missing */
};

/* Where something was said; what is nearer to the user comes first. */
enum options_origin { FROM_COMMAND, FROM_SECTION, FROM_FILE };

struct options_text_fact {
	const char *name;		/* without its dashes */
	enum options_text_kind kind;
	const char *what;		/* for an error line */
};
extern const struct options_text_fact options_texts[OPTIONS_TEXTS];

/* --publish [BIND:]PORT[:LOCALPORT] */
struct options_publish {
	char bind[64];			/* empty: the server's loopback */
	uint16_t port, local;
};

/* Strings are borrowed from argv or from the configuration. */
struct options {
	enum options_command command;
	char **argv;			/* the program and its arguments */
	const char *via[OPTIONS_VIA_MAX];	/* the first hop first */
	size_t via_n;
	const char *texts[OPTIONS_TEXTS];	/* NULL: not given */
	enum options_origin via_from, text_from[OPTIONS_TEXTS];
	enum options_origin reading;	/* what options_set() is given now */
	const char *profile, *name;
	struct options_publish publish[OPTIONS_PUBLISH_MAX];
	size_t publish_n;
	/* -L and -R, checked, as they were written. */
	const char *local[OPTIONS_FORWARD_MAX], *remote[OPTIONS_FORWARD_MAX];
	size_t local_n, remote_n;
	enum options_listen listen;
	enum options_stack stack;
	enum options_isolate isolate;
	bool has_listen, has_stack, has_isolate;	/* given */
	bool via_is_closed;	/* nothing may be added to `via` any more */
	bool via_is_default;	/* `via` is nobody's wish but the file's */
	bool verbose, no_seatbelt, no_drain, no_loopback, wait, inherit;
	bool insecure;
	bool strict;		/* refuse internet sockets passed in */
	/* The first option of the command line that only a new session can
	 * heed, without its dashes; NULL for none. */
	const char *session_only;
};

/* SW_OK, or SW_ERR_CONFIG with one line of English in `why`.  COMMAND_SERVE is
 * what there is without a program; the configuration may say what to serve. */
int options_parse(struct options *o, int argc, char **argv,
    char why[static 256]) SW_MUST_CHECK;

/* One "key value" of the configuration file: sets what the command line left
 * open.  SW_OK, or SW_ERR_CONFIG for an unknown key or a bad value. */
int options_set(struct options *o, const char *key, const char *value,
    char why[static 256]) SW_MUST_CHECK;

/* Does it want something served by the session itself: SOCKS, -L, -R? */
bool options_has_services(const struct options *o);

/* Is `name` fit to name a session (and so a file)? */
bool options_is_name(const char *name);

int options_parse_publish(struct options_publish *p, const char *text)
    SW_MUST_CHECK;

extern const char options_usage[], options_help[];

#endif
