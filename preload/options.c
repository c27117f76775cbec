#include "preload/options.h"

#include <getopt.h>
#include <stdio.h>
#include <string.h>

const char options_usage[] =
    "usage: smolwrap [options] [--via TUNNEL] [--] PROGRAM [ARGUMENT ...]\n"
    "       smolwrap up|down|status [-s NAME] [options]\n"
    "       smolwrap check [PROGRAM]\n";

const char options_help[] =
    "Runs PROGRAM with its TCP and UDP sockets and its name look-ups moved into\n"
    "a tunnel.  Nothing leaves by this host's own network.\n"
    "\n"
    "  --via ssh://[USER@]HOST[:PORT]  the tunnel: any OpenSSH server\n"
    "  -i, --identity FILE     private key to log in with\n"
    "  --known-hosts FILE      host keys to trust\n"
    "  -p, --profile NAME      section of ~/.config/smolwrap/config\n"
    "  -s, --session NAME      use the session that `smolwrap up -s NAME` keeps\n"
    "  --publish [BIND:]PORT[:LOCALPORT]\n"
    "                          the program's LOCALPORT is served on the server's PORT\n"
    "  --listen loopback|deny|tunnel   who may reach sockets that listen\n"
    "  --stack thread|session  where the program's network stack runs\n"
    "  --dns HOST              resolver, seen from the server, for raw queries\n"
    "  --no-loopback           no way to services of this machine either\n"
    "  --inherit               accept internet sockets inherited from the caller\n"
    "  --no-drain              do not wait for unsent data after the program's end\n"
    "  --no-seatbelt           debugging only: what is not caught may leak\n"
    "  --wait                  keep trying until the tunnel is up\n"
    "  -v, --verbose           log to standard error (see SMOLWRAP_LOG)\n"
    "  --help, --version\n"
    "\n"
    "Exit status: the program's own; 125 when smolwrap itself failed, 126 when\n"
    "PROGRAM could not be run, 127 when it was not found.\n";

enum {
	OPT_VIA = 256, OPT_KNOWN_HOSTS, OPT_PUBLISH, OPT_LISTEN, OPT_STACK,
	OPT_DNS, OPT_NO_SEATBELT, OPT_NO_DRAIN, OPT_NO_LOOPBACK, OPT_INHERIT,
	OPT_WAIT, OPT_HELP, OPT_VERSION,
};

static const struct option longs[] = {
	{ "via", required_argument, NULL, OPT_VIA },
	{ "identity", required_argument, NULL, 'i' },
	{ "known-hosts", required_argument, NULL, OPT_KNOWN_HOSTS },
	{ "profile", required_argument, NULL, 'p' },
	{ "session", required_argument, NULL, 's' },
	{ "publish", required_argument, NULL, OPT_PUBLISH },
	{ "listen", required_argument, NULL, OPT_LISTEN },
	{ "stack", required_argument, NULL, OPT_STACK },
	{ "dns", required_argument, NULL, OPT_DNS },
	{ "no-seatbelt", no_argument, NULL, OPT_NO_SEATBELT },
	{ "no-drain", no_argument, NULL, OPT_NO_DRAIN },
	{ "no-loopback", no_argument, NULL, OPT_NO_LOOPBACK },
	{ "inherit", no_argument, NULL, OPT_INHERIT },
	{ "wait", no_argument, NULL, OPT_WAIT },
	{ "verbose", no_argument, NULL, 'v' },
	{ "help", no_argument, NULL, OPT_HELP },
	{ "version", no_argument, NULL, OPT_VERSION },
	{ NULL, 0, NULL, 0 },
};

static int
set_once(const char **slot, const char *value, const char *what,
    char why[static 256])
{
	if (*slot != NULL) {
		snprintf(why, 256, "%s is given twice", what);
		return SW_ERR_CONFIG;
	}
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
	else
		return false;
	return true;
}

static bool
parse_stack(const char *s, enum options_stack *out)
{
	if (strcmp(s, "thread") == 0)
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
take(struct options *o, int opt, const char *arg, char why[static 256])
{
	switch (opt) {
	case OPT_VIA:
		if (o->via != NULL) {
			snprintf(why, 256, "only one --via is supported: this "
			    "build cannot reach one tunnel through another");
			return SW_ERR_CONFIG;
		}
		o->via = arg;
		return SW_OK;
	case 'i':
		return set_once(&o->identity, arg, "--identity", why);
	case OPT_KNOWN_HOSTS:
		return set_once(&o->known_hosts, arg, "--known-hosts", why);
	case 'p':
		return set_once(&o->profile, arg, "--profile", why);
	case OPT_DNS:
		return set_once(&o->dns, arg, "--dns", why);
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
		o->has_listen = true;
		if (!parse_listen(arg, &o->listen))
			return bad_value(why, "--listen", arg,
			    "loopback, deny or tunnel");
		return SW_OK;
	case OPT_STACK:
		o->has_stack = true;
		if (!parse_stack(arg, &o->stack))
			return bad_value(why, "--stack", arg,
			    "thread or session");
		return SW_OK;
	case OPT_NO_SEATBELT: o->no_seatbelt = true; return SW_OK;
	case OPT_NO_DRAIN: o->no_drain = true; return SW_OK;
	case OPT_NO_LOOPBACK: o->no_loopback = true; return SW_OK;
	case OPT_INHERIT: o->inherit = true; return SW_OK;
	case OPT_WAIT: o->wait = true; return SW_OK;
	case 'v': o->verbose = true; return SW_OK;
	case OPT_HELP: o->command = COMMAND_HELP; return SW_OK;
	case OPT_VERSION: o->command = COMMAND_VERSION; return SW_OK;
	}
	return SW_ERR_CONFIG;
}

/* Options up to the first word that is none. */
static int
take_all(struct options *o, int argc, char **argv, char why[static 256])
{
	int opt;

	opterr = 0;
	while ((opt = getopt_long(argc, argv, "+:i:p:s:v", longs, NULL)) != -1) {
		int r;

		if (opt == '?' || opt == ':') {
			const char *word = argv[optind - 1];

			if (opt == '?' && optopt > 0 && optopt < 256 &&
			    strncmp(word, "--", 2) != 0)
				snprintf(why, 256, "unknown option \"-%c\"",
				    optopt);
			else
				snprintf(why, 256, opt == ':' ?
				    "option \"%.100s\" needs a value" :
				    "unknown option \"%.100s\"", word);
			return SW_ERR_CONFIG;
		}
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
			snprintf(why, 256, "%s takes no \"%.100s\"", argv[0],
			    argv[optind + (named == COMMAND_CHECK)]);
			return SW_ERR_CONFIG;
		}
	}
	o->argv = argv + optind;
	if (o->command == COMMAND_RUN && *o->argv == NULL) {
		snprintf(why, 256, "no program is given");
		return SW_ERR_CONFIG;
	}
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

int
options_set(struct options *o, const char *key, const char *value,
    char why[static 256])
{
	static const struct {
		const char *key;
		size_t at;
	} texts[] = {
		{ "via", offsetof(struct options, via) },
		{ "identity", offsetof(struct options, identity) },
		{ "known-hosts", offsetof(struct options, known_hosts) },
		{ "dns", offsetof(struct options, dns) },
	};

	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
		if (strcmp(key, texts[i].key) == 0) {
			const char **slot = (const char **)
			    (void *)((char *)o + texts[i].at);

			if (*slot == NULL) {
				*slot = value;
				if (slot == &o->via)
					o->via_is_default = o->profile == NULL;
			}
			return SW_OK;
		}
	if (strcmp(key, "listen") == 0) {
		enum options_listen l;

		if (!parse_listen(value, &l))
			return bad_value(why, "listen", value,
			    "loopback, deny or tunnel");
		if (!o->has_listen)
			o->listen = l;
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
