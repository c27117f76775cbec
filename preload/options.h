/*
 * options.h - the command line, as data.
 */
#ifndef SW_PRELOAD_OPTIONS_H
#define SW_PRELOAD_OPTIONS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

#define OPTIONS_PUBLISH_MAX 16
#define OPTIONS_NAME_MAX 64		/* bytes of a session's name */

enum options_command {
	COMMAND_RUN, COMMAND_UP, COMMAND_DOWN, COMMAND_STATUS, COMMAND_CHECK,
	COMMAND_HELP, COMMAND_VERSION,
};

enum options_listen { LISTEN_LOOPBACK, LISTEN_DENY, LISTEN_TUNNEL };
enum options_stack { STACK_THREAD, STACK_SESSION };

/* --publish [BIND:]PORT[:LOCALPORT] */
struct options_publish {
	char bind[64];			/* empty: the server's loopback */
	uint16_t port, local;
};

/* Strings are borrowed from argv or from the configuration. */
struct options {
	enum options_command command;
	char **argv;			/* the program and its arguments */
	const char *via, *identity, *known_hosts, *profile, *name, *dns;
	struct options_publish publish[OPTIONS_PUBLISH_MAX];
	size_t publish_n;
	enum options_listen listen;
	enum options_stack stack;
	bool has_listen, has_stack;	/* given, not the default */
	bool via_is_default;	/* `via` is nobody's wish but the file's */
	bool verbose, no_seatbelt, no_drain, no_loopback, wait, inherit;
};

/* SW_OK, or SW_ERR_CONFIG with one line of English in `why`. */
int options_parse(struct options *o, int argc, char **argv,
    char why[static 256]) SW_MUST_CHECK;

/* One "key value" of the configuration file: sets what the command line left
 * open.  SW_OK, or SW_ERR_CONFIG for an unknown key or a bad value. */
int options_set(struct options *o, const char *key, const char *value,
    char why[static 256]) SW_MUST_CHECK;

/* Is `name` fit to name a session (and so a file)? */
bool options_is_name(const char *name);

int options_parse_publish(struct options_publish *p, const char *text)
    SW_MUST_CHECK;

extern const char options_usage[], options_help[];

#endif
