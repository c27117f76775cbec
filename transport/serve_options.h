/*
 * serve_options.h - what smolserve(8) is told: command line and configuration
 * file, which have the same words ("name value", one a line, `#` comments).
 */
#ifndef SW_TRANSPORT_SERVE_OPTIONS_H
#define SW_TRANSPORT_SERVE_OPTIONS_H

#include <stdbool.h>
#include <stddef.h>

#include "transport/serve.h"
#include "transport/serve_keyfile.h"

#define SERVE_FILES_MAX 16
#define SERVE_LISTEN_MAX 16

struct serve_listen {
	enum serve_kind kind;
	char *host;			/* NULL: every address */
	uint16_t port;
};

/* Texts are the struct's own. */
struct serve_options {
	struct serve_listen listen[SERVE_LISTEN_MAX];
	struct serve_keys_file keys[SERVE_FILES_MAX];
	size_t nlisten, nkeys;
	char *host_key, *state, *user;
	char *tls_cert, *tls_key, *web, *outbound;
	char *iroh_key, *iroh_relay;
	struct serve_policy policy;
	struct serve_limits limits;
	enum serve_remote remote;
	unsigned channels, tries, drain_s, memory_mb;
	bool no_udp, no_sandbox, syslog, verbose, help, version;
};

/*
 * Parse.  SW_OK, or SW_ERR_CONFIG with one line in why[].  Wipe in any case.
 * The command line overrides the file, and adds to what may be repeated.
 */
int serve_options_parse(struct serve_options *o, int argc, char **argv,
    char why[static 256]) SW_MUST_CHECK;
void serve_options_wipe(struct serve_options *o);

/* "[tls:|tcp:|iroh:][ADDRESS:]PORT", "iroh".  SW_OK or SW_ERR_FORMAT; host is the
 * caller's. */
int serve_listen_parse(struct serve_listen *out, const char *text) SW_MUST_CHECK;

extern const char serve_usage[];

#endif
