#include "preload/options.h"

#include <getopt.h>
#include <stdio.h>
#include <string.h>

#include "preload/forward_spec.h"
#include "preload/tunnel_url.h"

const struct options_text_fact options_texts[OPTIONS_TEXTS] = {
	[TEXT_IDENTITY] = { "identity", TEXT_FILE, "key file" },
	[TEXT_KNOWN_HOSTS] = { "known-hosts", TEXT_FILE, "known hosts file" },
	[TEXT_DNS] = { "dns", TEXT_PLAIN, "resolver" },
	[TEXT_PROXY] = { "proxy", TEXT_PLAIN, "proxy" },
	[TEXT_TLS_CA] = { "tls-ca", TEXT_FILE, "certificate file" },
	[TEXT_TLS_PIN] = { "tls-pin", TEXT_PLAIN, "pin" },
	[TEXT_TLS_NAME] = { "tls-server-name", TEXT_PLAIN, "server name" },
	[TEXT_IROH_KEY] = { "iroh-key", TEXT_STATE, "endpoint key file" },
	[TEXT_IROH_RELAY] = { "iroh-relay", TEXT_PLAIN, "relay" },
	[TEXT_IROH_ADDRESS] = { "iroh-address", TEXT_PLAIN, "address" },
	[TEXT_IROH_ALPN] = { "iroh-alpn", TEXT_PLAIN, "protocol" },
	[TEXT_DIRECTORY] = { "directory", TEXT_PLAIN, "directory service" },
	[TEXT_ENTRY] = { "entry", TEXT_PLAIN, "entry gateway" },
	[TEXT_ENTRY_TLS] = { "entry-tls", TEXT_PLAIN, "choice" },
	[TEXT_EXIT] = { "exit", TEXT_PLAIN, "exit" },
	[TEXT_TRAFFIC] = { "traffic", TEXT_PLAIN, "traffic profile" },
	[TEXT_MIX_IDENTITY] = { "mix-identity", TEXT_STATE, "identity file" },
	[TEXT_SOCKS] = { "socks", TEXT_PLAIN, "address" },
	[TEXT_SOCKS_AUTH] = { "socks-auth", TEXT_FILE, "password file" },
};

/* Above the letters of short options; the texts come first, by their number. */
enum {
	OPT_TEXT = 256,
	OPT_VIA = OPT_TEXT + OPTIONS_TEXTS, OPT_PUBLISH, OPT_LISTEN, OPT_STACK, OPT_ISOLATE,
	OPT_NO_SEATBELT, OPT_NO_DRAIN, OPT_NO_LOOPBACK, OPT_STRICT, OPT_INHERIT,
	OPT_INSECURE, OPT_WAIT,
};

static const struct option longs_but_texts[] = {
	{ "via", required_argument, NULL, OPT_VIA },
	{ "profile", required_argument, NULL, 'p' },
	{ "session", required_argument, NULL, 's' },
	{ "publish", required_argument, NULL, OPT_PUBLISH },
	{ "listen", required_argument, NULL, OPT_LISTEN },
	{ "stack", required_argument, NULL, OPT_STACK },
	{ "isolate", required_argument, NULL, OPT_ISOLATE },
	{ "no-seatbelt", no_argument, NULL, OPT_NO_SEATBELT },
	{ "no-drain", no_argument, NULL, OPT_NO_DRAIN },
	{ "no-loopback", no_argument, NULL, OPT_NO_LOOPBACK },
	{ "strict", no_argument, NULL, OPT_STRICT },
	{ "inherit", no_argument, NULL, OPT_INHERIT },
	{ "insecure", no_argument, NULL, OPT_INSECURE },
	{ "wait", no_argument, NULL, OPT_WAIT },
	{ "verbose", no_argument, NULL, 'v' },
	{ "help", no_argument, NULL, 'h' },
	{ "version", no_argument, NULL, 'V' },
};
#define LONGS_BUT_TEXTS (sizeof(longs_but_texts) / sizeof(longs_but_texts[0]))

static void
list_longs(struct option longs[static LONGS_BUT_TEXTS + OPTIONS_TEXTS + 1])
{
	memcpy(longs, longs_but_texts, sizeof(longs_but_texts));
	longs += LONGS_BUT_TEXTS;
	for (int i = 0; i < OPTIONS_TEXTS; i++)
		*longs++ = (struct option){ .name = options_texts[i].name,
			.has_arg = required_argument, .val = OPT_TEXT + i };
	memset(longs, 0, sizeof(*longs));
}

static int
given_twice(char why[static 256], const char *what)
{
	snprintf(why, 256, "%s is given twice", what);
	return SW_ERR_CONFIG;
}

static int
set_once(const char **slot, const char *value, const char *what,
    char why[static 256])
{
	if (*slot != NULL)
		return given_twice(why, what);
	*slot = value;
	return SW_OK;
}

static bool
parse_listen(const char *s, enum options_listen *out)
{
	if (strcmp(s, "loopback") == 0)
		*out = LISTEN_LOOPBACK;
	else if (strcmp(s, "deny") == 0)
		*out = LISTEN_DENY;
	else if (strcmp(s, "tunnel") == 0)
		*out = LISTEN_TUNNEL;
	else if (strcmp(s, "open") == 0)
		*out = LISTEN_OPEN;
	else
		return false;
	return true;
}

static bool
parse_isolate(const char *s, enum options_isolate *out)
{
	if (strcmp(s, "auto") == 0)
		*out = ISOLATE_AUTO;
	else if (strcmp(s, "always") == 0)
		*out = ISOLATE_ALWAYS;
	else if (strcmp(s, "never") == 0)
		*out = ISOLATE_NEVER;
	else
		return false;
	return true;
}

static bool
parse_stack(const char *s, enum options_stack *out)
{
	if (strcmp(s, "auto") == 0)
		*out = STACK_AUTO;
	else if (strcmp(s, "thread") == 0)
		*out = STACK_THREAD;
	else if (strcmp(s, "session") == 0)
		*out = STACK_SESSION;
	else
		return false;
	return true;
}

bool
options_is_name(const char *s)
{
	size_t n = strlen(s);

	if (n == 0 || n > OPTIONS_NAME_MAX || *s == '.' || *s == '-')
		return false;
	for (; *s != '\0'; s++)
		if (!(*s >= 'a' && *s <= 'z') && !(*s >= 'A' && *s <= 'Z') &&
		    !(*s >= '0' && *s <= '9') && strchr("._-", *s) == NULL)
			return false;
	return true;
}

/* A port and what follows it; false unless 1 to 65535. */
static bool
get_port(const char **s, uint16_t *out)
{
	unsigned v = 0;
	int digits = 0;

	for (; **s >= '0' && **s <= '9' && digits < 6; (*s)++, digits++)
		v = v * 10 + (unsigned)(**s - '0');
	*out = (uint16_t)v;
	return digits > 0 && v >= 1 && v <= 65535;
}

int
options_parse_publish(struct options_publish *p, const char *text)
{
	const char *s = text, *colon;

	memset(p, 0, sizeof(*p));
	/* PORT or PORT:LOCALPORT */
	if (get_port(&s, &p->port)) {
		p->local = p->port;
		if (*s == '\0')
			return SW_OK;
		if (*s == ':') {
			s++;
			if (get_port(&s, &p->local) && *s == '\0')
				return SW_OK;
		}
	}
	/* BIND:PORT[:LOCALPORT], BIND being a name, an address or [v6] */
	s = text;
	if (*s == '[') {
		colon = strchr(++s, ']');
		if (colon == NULL || colon[1] != ':')
			return SW_ERR_CONFIG;
	} else if ((colon = strchr(s, ':')) == NULL)
		return SW_ERR_CONFIG;
	if (colon == s || (size_t)(colon - s) >= sizeof(p->bind))
		return SW_ERR_CONFIG;
	memcpy(p->bind, s, (size_t)(colon - s));
	p->bind[colon - s] = '\0';
	s = colon + (*colon == ']' ? 2 : 1);
	if (!get_port(&s, &p->port))
		return SW_ERR_CONFIG;
	p->local = p->port;
	if (*s == '\0')
		return SW_OK;
	if (*s++ == ':' && get_port(&s, &p->local) && *s == '\0')
		return SW_OK;
	return SW_ERR_CONFIG;
}

static int
bad_value(char why[static 256], const char *what, const char *value,
    const char *wanted)
{
	snprintf(why, 256, "%s \"%.100s\" is not %s", what, value, wanted);
	return SW_ERR_CONFIG;
}

static int
add_via(struct options *o, const char *via, char why[static 256])
{
	struct tunnel_url url;
	char bad[128];

	if (o->via_n == OPTIONS_VIA_MAX) {
		snprintf(why, 256, "more than %d tunnels, one through the other",
		    OPTIONS_VIA_MAX);
		return SW_ERR_CONFIG;
	}
	/* Not quoted: who put a password there shall not see it again. */
	if (tunnel_url_parse(&url, via, bad) != SW_OK) {
		snprintf(why, 256, "cannot use this tunnel: %s", bad);
		return SW_ERR_CONFIG;
	}
	o->via[o->via_n++] = via;
	return SW_OK;
}

static int
add_forward(struct options *o, const char *text, bool remote,
    char why[static 256])
{
	const char **list = remote ? o->remote : o->local;
	size_t *n = remote ? &o->remote_n : &o->local_n;
	struct forward_spec f;

	if (strlen(text) >= FORWARD_TEXT_MAX ||
	    forward_spec_parse(&f, text, remote) != SW_OK)
		return bad_value(why, remote ? "-R" : "-L", text,
		    remote ? "[BIND:]PORT:HOST:HOSTPORT, [BIND:]PORT:SOCKET, "
		    "or [BIND:]PORT for a proxy" :
		    "[BIND:]PORT:HOST:HOSTPORT (or a socket's path on a side)");
	if (*n == OPTIONS_FORWARD_MAX) {
		snprintf(why, 256, "more than %d of -%c", OPTIONS_FORWARD_MAX,
		    remote ? 'R' : 'L');
		return SW_ERR_CONFIG;
	}
	list[(*n)++] = text;
	return SW_OK;
}

/* What can be said of a text before it is used. */
static int
check_text(enum options_text t, const char *value, char why[static 256])
{
	struct forward_end e;

	if (*value == '\0') {
		snprintf(why, 256, "%s is empty", options_texts[t].name);
		return SW_ERR_CONFIG;
	}
	if (t == TEXT_SOCKS && forward_listen_parse(&e, value) != SW_OK)
		return bad_value(why, "socks", value, "[BIND:]PORT");
	if (t == TEXT_TRAFFIC && strcmp(value, "default") != 0 &&
	    strcmp(value, "fast") != 0 && strcmp(value, "raw") != 0)
		return bad_value(why, "traffic", value, "default, fast or raw");
	if (t == TEXT_ENTRY_TLS && strcmp(value, "auto") != 0 &&
	    strcmp(value, "always") != 0 && strcmp(value, "never") != 0)
		return bad_value(why, "entry-tls", value,
		    "auto, always or never");
	return SW_OK;
}

static int
take_text(struct options *o, enum options_text t, const char *arg,
    char why[static 256])
{
	char what[40];
	int r = check_text(t, arg, why);

	snprintf(what, sizeof(what), "--%s", options_texts[t].name);
	return r == SW_OK ? set_once(&o->texts[t], arg, what, why) : r;
}

static int
take(struct options *o, int opt, const char *arg, char why[static 256])
{
	if (opt >= OPT_TEXT && opt < OPT_TEXT + OPTIONS_TEXTS)
		return take_text(o, (enum options_text)(opt - OPT_TEXT), arg,
		    why);
	switch (opt) {
	case OPT_VIA:
		return add_via(o, arg, why);
	case 'D':
		return take_text(o, TEXT_SOCKS, arg, why);
	case 'i':
		return take_text(o, TEXT_IDENTITY, arg, why);
	case 'L':
	case 'R':
		return add_forward(o, arg, opt == 'R', why);
	case 'p':
		return set_once(&o->profile, arg, "--profile", why);
	case 's':
		if (!options_is_name(arg))
			return bad_value(why, "session name", arg,
			    "letters, digits and \"._-\"");
		return set_once(&o->name, arg, "--session", why);
	case OPT_PUBLISH:
		if (o->publish_n == OPTIONS_PUBLISH_MAX) {
			snprintf(why, 256, "more than %d --publish",
			    OPTIONS_PUBLISH_MAX);
			return SW_ERR_CONFIG;
		}
		if (options_parse_publish(&o->publish[o->publish_n], arg) !=
		    SW_OK)
			return bad_value(why, "--publish", arg,
			    "[BIND:]PORT[:LOCALPORT]");
		o->publish_n++;
		return SW_OK;
	case OPT_LISTEN:
		if (o->has_listen)
			return given_twice(why, "--listen");
		o->has_listen = true;
		if (!parse_listen(arg, &o->listen))
			return bad_value(why, "--listen", arg,
			    "loopback, deny, tunnel or open");
		return SW_OK;
	case OPT_STACK:
		if (o->has_stack)
			return given_twice(why, "--stack");
		o->has_stack = true;
		if (!parse_stack(arg, &o->stack))
			return bad_value(why, "--stack", arg,
			    "thread or session");
		return SW_OK;
	case OPT_ISOLATE:
		if (o->has_isolate)
			return given_twice(why, "--isolate");
		o->has_isolate = true;
		if (!parse_isolate(arg, &o->isolate))
			return bad_value(why, "--isolate", arg,
			    "auto, always or never");
		return SW_OK;
	case OPT_NO_SEATBELT: o->no_seatbelt = true; return SW_OK;
	case OPT_NO_DRAIN: o->no_drain = true; return SW_OK;
	case OPT_NO_LOOPBACK: o->no_loopback = true; return SW_OK;
	case OPT_STRICT: o->strict = true; return SW_OK;
	case OPT_INHERIT: o->inherit = true; return SW_OK;
	case OPT_INSECURE: o->insecure = true; return SW_OK;
	case OPT_WAIT: o->wait = true; return SW_OK;
	case 'v': o->verbose = true; return SW_OK;
	case 'h': o->command = COMMAND_HELP; return SW_OK;
	case 'V': o->command = COMMAND_VERSION; return SW_OK;
	}
	return SW_ERR_CONFIG;
}

/* getopt_long() returned '?' or ':'. */
static int
bad_option(char why[static 256], int opt, const char *word)
{
	static const char see[] = "; \"smolwrap --help\" lists them";
	bool is_long = strncmp(word, "--", 2) == 0;

	if (opt == ':')
		snprintf(why, 256, "option \"%.100s\" needs a value", word);
	else if (is_long && optopt != 0)
		snprintf(why, 256, "option \"%.*s\" takes no value",
		    (int)strcspn(word, "="), word);
	else if (is_long)
		snprintf(why, 256, "unknown option \"%.100s\"%s", word, see);
	else
		snprintf(why, 256, "unknown option \"-%c\"%s", optopt, see);
	return SW_ERR_CONFIG;
}

/* Options up to the first word that is none. */
static int
take_all(struct options *o, int argc, char **argv, char why[static 256])
{
	struct option longs[LONGS_BUT_TEXTS + OPTIONS_TEXTS + 1];
	int opt, r;

	list_longs(longs);
	opterr = 0;
	while ((opt = getopt_long(argc, argv, "+:D:hi:L:p:R:s:vV", longs,
	    NULL)) != -1) {
		if (opt == '?' || opt == ':')
			return bad_option(why, opt, argv[optind - 1]);
		if ((r = take(o, opt, optarg, why)) != SW_OK)
			return r;
	}
	return SW_OK;
}

static bool
is_command(const char *word, enum options_command *out)
{
	static const struct {
		const char *word;
		enum options_command command;
	} all[] = {
		{ "up", COMMAND_UP }, { "down", COMMAND_DOWN },
		{ "status", COMMAND_STATUS }, { "check", COMMAND_CHECK },
	};

	for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++)
		if (strcmp(word, all[i].word) == 0) {
			*out = all[i].command;
			return true;
		}
	return false;
}

/* What a session that is up cannot be told any more. */
static const char *
session_only(const struct options *o)
{
	for (size_t t = 0; t < OPTIONS_TEXTS; t++)
		if (o->texts[t] != NULL && t != TEXT_SOCKS &&
		    t != TEXT_SOCKS_AUTH)
			return options_texts[t].name;
	return o->insecure ? "insecure" : o->wait ? "wait" :
	    o->no_drain ? "no-drain" : NULL;
}

int
options_parse(struct options *o, int argc, char **argv, char why[static 256])
{
	enum options_command early;
	int r;

	memset(o, 0, sizeof(*o));
	optind = 0;		/* glibc: start afresh, for the tests */
	if ((r = take_all(o, argc, argv, why)) != SW_OK)
		return r;
	early = o->command;
	/* After "--" even a word like "up" is a program. */
	if (early == COMMAND_RUN && optind < argc &&
	    strcmp(argv[optind - 1], "--") != 0 &&
	    is_command(argv[optind], &o->command)) {
		enum options_command named = o->command;

		argc -= optind;
		argv += optind;
		optind = 0;
		if ((r = take_all(o, argc, argv, why)) != SW_OK)
			return r;
		if (o->command == named && optind < argc &&
		    (named != COMMAND_CHECK || optind + 1 < argc)) {
			snprintf(why, 256, named == COMMAND_CHECK ?
			    "%s takes one program, and no \"%.100s\"" :
			    "%s takes no \"%.100s\"; -s NAME names a session",
			    argv[0], argv[optind + (named == COMMAND_CHECK)]);
			return SW_ERR_CONFIG;
		}
	}
	o->argv = argv + optind;
	o->session_only = session_only(o);
	if (o->command == COMMAND_RUN && *o->argv == NULL)
		o->command = COMMAND_SERVE;
	o->via_is_closed = o->via_n > 0;
	if (o->publish_n > 0) {
		if (o->has_listen && o->listen != LISTEN_TUNNEL) {
			snprintf(why, 256, "--publish needs --listen tunnel");
			return SW_ERR_CONFIG;
		}
		o->listen = LISTEN_TUNNEL;
		o->has_listen = true;
	}
	return SW_OK;
}

bool
options_has_services(const struct options *o)
{
	return o->texts[TEXT_SOCKS] != NULL || o->local_n > 0 || o->remote_n > 0;
}

int
options_set(struct options *o, const char *key, const char *value,
    char why[static 256])
{
	if (strcmp(key, "via") == 0) {
		if (o->via_is_closed)
			return SW_OK;
		o->via_is_default = o->profile == NULL;
		o->via_from = o->reading;
		return add_via(o, value, why);
	}
	for (int i = 0; i < OPTIONS_TEXTS; i++)
		if (strcmp(key, options_texts[i].name) == 0) {
			if (o->texts[i] == NULL) {
				o->texts[i] = value;
				o->text_from[i] = o->reading;
			}
			return check_text((enum options_text)i, value, why);
		}
	if (strcmp(key, "listen") == 0) {
		enum options_listen l;

		if (!parse_listen(value, &l))
			return bad_value(why, "listen", value,
			    "loopback, deny, tunnel or open");
		if (!o->has_listen)
			o->listen = l;
		return SW_OK;
	}
	if (strcmp(key, "isolate") == 0) {
		enum options_isolate when;

		if (!parse_isolate(value, &when))
			return bad_value(why, "isolate", value,
			    "auto, always or never");
		if (!o->has_isolate)
			o->isolate = when;
		return SW_OK;
	}
	if (strcmp(key, "stack") == 0) {
		enum options_stack s;

		if (!parse_stack(value, &s))
			return bad_value(why, "stack", value,
			    "thread or session");
		if (!o->has_stack)
			o->stack = s;
		return SW_OK;
	}
	snprintf(why, 256, "unknown key \"%.100s\"", key);
	return SW_ERR_CONFIG;
}
