#include "transport/serve_options.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CONFIG_MAX ((size_t)256 * 1024)

const char serve_usage[] =
    "usage: smolserve [-v] [-c FILE] -k FILE [-l [KIND:][ADDR:]PORT] [option ...]\n"
    "\n"
    "An SSH server that forwards, and nothing else.\n"
    "\n"
    "  -l, --listen [tcp:|tls:|iroh:][ADDR:]PORT, or iroh   where [tcp:22]\n"
    "  -k, --authorized-keys FILE    who may log in\n"
    "      --cert-authority FILE     keys that sign users' certificates\n"
    "      --revoked-keys FILE       keys that are not to be used any more\n"
    "      --state DIR               where the host key is kept and made\n"
    "      --host-key FILE           the host key, if not in the state folder\n"
    "  -c, --config FILE             the same options, a line each, without dashes\n"
    "\n"
    "      --allow RULE, --deny RULE forwarding: NAME, ADDRESS or RANGE [:PORTS]\n"
    "      --allow-private           private and local addresses too\n"
    "      --remote-forward no|loopback|any   whether clients may listen here [no]\n"
    "      --no-udp                  no datagrams\n"
    "      --outbound URL            reach everything through this proxy:\n"
    "                                socks5://... or http://...\n"
    "\n"
    "      --tls-cert FILE, --tls-key FILE   for tls: listeners\n"
    "      --web ROOT|URL            what those see who do not speak SSH: files, or\n"
    "                                a web server at http://ADDRESS:PORT\n"
    "      --iroh-key FILE, --iroh-relay URL   of an iroh listener\n"
    "\n"
    "      --max-connections N [1000] --max-per-ip N [0: any] --max-startups N [256]\n"
    "      --max-channels N [1024]    --max-auth N [10]       --memory MIB [512]\n"
    "      --login-time S [30]        --keepalive S [30]      --drain S [5]\n"
    "\n"
    "      --user NAME               run as this user once the ports are open\n"
    "      --no-sandbox              without the system call filter\n"
    "      --syslog                  log to syslog, not to stderr\n"
    "  -v, --verbose   --help   --version\n"
    "\n"
    "`man smolserve' has more.\n";

/* ---- values ---- */

static int
bad(char why[static 256], const char *what, const char *value)
{
	snprintf(why, 256, "bad value \"%.120s\" for --%s", value, what);
	return SW_ERR_CONFIG;
}

static bool
get_number(const char *text, unsigned most, unsigned *out)
{
	unsigned long v = 0;

	if (*text == '\0' || strlen(text) > 9)
		return false;
	for (; *text != '\0'; text++) {
		if (!isdigit((unsigned char)*text))
			return false;
		v = v * 10 + (unsigned long)(*text - '0');
	}
	*out = (unsigned)v;
	return v <= most;
}

int
serve_listen_parse(struct serve_listen *out, const char *text)
{
	const char *port;
	unsigned v;

	memset(out, 0, sizeof(*out));
	if (strncmp(text, "tcp:", 4) == 0) {
		text += 4;
	} else if (strncmp(text, "tls:", 4) == 0) {
		out->kind = SERVE_TLS;
		text += 4;
	} else if (strcmp(text, "iroh") == 0) {
		out->kind = SERVE_IROH;
		return SW_OK;
	} else if (strncmp(text, "iroh:", 5) == 0) {
		out->kind = SERVE_IROH;
		text += 5;
	}
	port = strrchr(text, ':');
	if (!get_number(port != NULL ? port + 1 : text, 65535, &v))
		return SW_ERR_FORMAT;
	out->port = (uint16_t)v;
	if (port == NULL || port == text || (port - text == 1 && *text == '*'))
		return SW_OK;
	if (*text == '[') {
		if (port[-1] != ']')
			return SW_ERR_FORMAT;
		text++;
		port--;
	}
	out->host = strndup(text, (size_t)(port - text));
	return out->host != NULL ? SW_OK : SW_ERR_FORMAT;
}

static int
add_listen(struct serve_options *o, const char *value, char why[static 256])
{
	if (o->nlisten >= SERVE_LISTEN_MAX ||
	    serve_listen_parse(&o->listen[o->nlisten], value) != SW_OK)
		return bad(why, "listen", value);
	o->nlisten++;
	return SW_OK;
}

static int
add_keys(struct serve_options *o, enum serve_keys_kind kind, const char *name,
    const char *value, char why[static 256])
{
	struct serve_keys_file *f = &o->keys[o->nkeys];

	if (o->nkeys >= SERVE_FILES_MAX || (f->path = strdup(value)) == NULL)
		return bad(why, name, value);
	f->kind = kind;
	o->nkeys++;
	return SW_OK;
}

static int
set_text(char **to, const char *value)
{
	free(*to);
	*to = strdup(value);
	return *to != NULL ? SW_OK : SW_ERR_CONFIG;
}

static int
set_remote(struct serve_options *o, const char *value, char why[static 256])
{
	static const char *const words[] = { "no", "loopback", "any" };

	for (int i = 0; i < 3; i++)
		if (strcmp(value, words[i]) == 0) {
			o->remote = (enum serve_remote)i;
			return SW_OK;
		}
	return bad(why, "remote-forward", value);
}

/* ---- options ---- */

enum id {
	LISTEN, KEYS, AUTHORITY, REVOKED, STATE, HOST_KEY, CONFIG, ALLOW, DENY, PRIVATE,
	REMOTE, NO_UDP, MAX_CONNECTIONS, MAX_PER_IP, MAX_STARTUPS, MAX_CHANNELS,
	MAX_AUTH, MEMORY, LOGIN_TIME, KEEPALIVE, DRAIN, USER, NO_SANDBOX, SYSLOG,
	TLS_CERT, TLS_KEY, WEB, OUTBOUND, IROH_KEY, IROH_RELAY, VERBOSE, HELP, VERSION,
};

static const struct option {
	const char *name;
	enum id id;
	char letter;
	bool takes;
} options[] = {
	{ "listen", LISTEN, 'l', true },
	{ "authorized-keys", KEYS, 'k', true },
	{ "cert-authority", AUTHORITY, 0, true },
	{ "revoked-keys", REVOKED, 0, true },
	{ "state", STATE, 0, true },
	{ "host-key", HOST_KEY, 0, true },
	{ "config", CONFIG, 'c', true },
	{ "allow", ALLOW, 0, true },
	{ "deny", DENY, 0, true },
	{ "allow-private", PRIVATE, 0, false },
	{ "remote-forward", REMOTE, 0, true },
	{ "no-udp", NO_UDP, 0, false },
	{ "max-connections", MAX_CONNECTIONS, 0, true },
	{ "max-per-ip", MAX_PER_IP, 0, true },
	{ "max-startups", MAX_STARTUPS, 0, true },
	{ "max-channels", MAX_CHANNELS, 0, true },
	{ "max-auth", MAX_AUTH, 0, true },
	{ "memory", MEMORY, 0, true },
	{ "login-time", LOGIN_TIME, 0, true },
	{ "keepalive", KEEPALIVE, 0, true },
	{ "drain", DRAIN, 0, true },
	{ "user", USER, 0, true },
	{ "no-sandbox", NO_SANDBOX, 0, false },
	{ "syslog", SYSLOG, 0, false },
	{ "tls-cert", TLS_CERT, 0, true },
	{ "tls-key", TLS_KEY, 0, true },
	{ "web", WEB, 0, true },
	{ "outbound", OUTBOUND, 0, true },
	{ "iroh-key", IROH_KEY, 0, true },
	{ "iroh-relay", IROH_RELAY, 0, true },
	{ "verbose", VERBOSE, 'v', false },
	{ "help", HELP, 'h', false },
	{ "version", VERSION, 0, false },
};
#define NOPTIONS (sizeof(options) / sizeof(options[0]))

/* The plain numbers: where they go and how large they may be. */
static unsigned *
number_of(struct serve_options *o, enum id id, unsigned *most)
{
	*most = 1000000;
	switch (id) {
	case MAX_CONNECTIONS:
		return &o->limits.connections;
	case MAX_PER_IP:
		return &o->limits.per_ip;
	case MAX_STARTUPS:
		return &o->limits.startups;
	case MAX_CHANNELS:
		*most = 65536;
		return &o->channels;
	case MAX_AUTH:
		return &o->tries;
	case MEMORY:
		return &o->memory_mb;
	case LOGIN_TIME:
		return &o->limits.login_s;
	case KEEPALIVE:
		return &o->limits.keepalive_s;
	case DRAIN:
		return &o->drain_s;
	default:
		return NULL;
	}
}

static char **
text_of(struct serve_options *o, enum id id)
{
	switch (id) {
	case STATE:
		return &o->state;
	case HOST_KEY:
		return &o->host_key;
	case USER:
		return &o->user;
	case TLS_CERT:
		return &o->tls_cert;
	case TLS_KEY:
		return &o->tls_key;
	case WEB:
		return &o->web;
	case OUTBOUND:
		return &o->outbound;
	case IROH_KEY:
		return &o->iroh_key;
	case IROH_RELAY:
		return &o->iroh_relay;
	default:
		return NULL;
	}
}

static bool *
flag_of(struct serve_options *o, enum id id)
{
	switch (id) {
	case PRIVATE:
		return &o->policy.private_too;
	case NO_UDP:
		return &o->no_udp;
	case NO_SANDBOX:
		return &o->no_sandbox;
	case SYSLOG:
		return &o->syslog;
	case VERBOSE:
		return &o->verbose;
	case HELP:
		return &o->help;
	case VERSION:
		return &o->version;
	default:
		return NULL;
	}
}

static int
apply(struct serve_options *o, const struct option *opt, const char *value,
    char why[static 256])
{
	unsigned most, *number = number_of(o, opt->id, &most);

	if (value == NULL)
		value = "";		/* a flag has none */
	if (number != NULL)
		return get_number(value, most, number) ? SW_OK :
		    bad(why, opt->name, value);
	if (text_of(o, opt->id) != NULL)
		return set_text(text_of(o, opt->id), value);
	if (flag_of(o, opt->id) != NULL) {
		*flag_of(o, opt->id) = true;
		return SW_OK;
	}
	switch (opt->id) {
	case LISTEN:
		return add_listen(o, value, why);
	case KEYS:
		return add_keys(o, SERVE_KEYS_USERS, opt->name, value, why);
	case AUTHORITY:
		return add_keys(o, SERVE_KEYS_AUTHORITIES, opt->name, value, why);
	case REVOKED:
		return add_keys(o, SERVE_KEYS_REVOKED, opt->name, value, why);
	case REMOTE:
		return set_remote(o, value, why);
	default:
		return serve_policy_add(&o->policy, opt->id == ALLOW, value) ==
		    SW_OK ? SW_OK : bad(why, opt->name, value);
	}
}

static const struct option *
find(const char *name, size_t n)
{
	for (size_t i = 0; i < NOPTIONS; i++)
		if (strlen(options[i].name) == n &&
		    memcmp(options[i].name, name, n) == 0)
			return &options[i];
	return NULL;
}

/* ---- the file ---- */

static int
take_line(struct serve_options *o, char *line, char why[static 256])
{
	const struct option *opt;
	char *value, *end;
	size_t n;

	line += strspn(line, " \t");
	if (*line == '\0' || *line == '#')
		return SW_OK;
	n = strcspn(line, " \t");
	value = line + n + strspn(line + n, " \t");
	for (end = value + strlen(value); end > value &&
	    isspace((unsigned char)end[-1]); end--)
		end[-1] = '\0';
	opt = find(line, n);
	if (opt == NULL || opt->id == CONFIG) {
		snprintf(why, 256, "no option \"%.*s\"", n > 60 ? 60 : (int)n,
		    line);
		return SW_ERR_CONFIG;
	}
	if (opt->takes != (*value != '\0')) {
		snprintf(why, 256, "option \"%s\" takes %s value", opt->name,
		    opt->takes ? "a" : "no");
		return SW_ERR_CONFIG;
	}
	return apply(o, opt, value, why);
}

static int
take_file(struct serve_options *o, const char *path, char why[static 256])
{
	FILE *f = fopen(path, "re");
	char line[4096], inner[256];
	unsigned n = 0;
	int r = SW_OK;

	if (f == NULL) {
		snprintf(why, 256, "could not read configuration file \"%.150s\": "
		    "%s", path, strerror(errno));
		return SW_ERR_CONFIG;
	}
	while (r == SW_OK && fgets(line, sizeof(line), f) != NULL) {
		n++;
		line[strcspn(line, "\r\n")] = '\0';
		if ((r = take_line(o, line, inner)) != SW_OK)
			snprintf(why, 256, "%.100s:%u: %.120s", path, n, inner);
	}
	fclose(f);
	return r;
}

/* ---- the command line ---- */

struct words {
	int argc, at;
	char **argv;
};

/* The next option of the command line and its value.  SW_CLOSED: no more. */
static int
next(struct words *w, const struct option **opt, const char **value,
    char why[static 256])
{
	char *word = w->argv[w->at];
	char *equals = NULL;

	*opt = NULL;
	*value = NULL;
	if (strncmp(word, "--", 2) == 0 && word[2] != '\0') {
		equals = strchr(word, '=');
		*opt = find(word + 2, equals != NULL ?
		    (size_t)(equals - word - 2) : strlen(word + 2));
	} else if (word[0] == '-' && word[1] != '\0' && word[1] != '-' &&
	    word[2] == '\0') {
		for (size_t i = 0; i < NOPTIONS; i++)
			if (options[i].letter == word[1])
				*opt = &options[i];
	}
	if (*opt == NULL) {
		snprintf(why, 256, "no option \"%.100s\"; see smolserve --help",
		    word);
		return SW_ERR_CONFIG;
	}
	w->at++;
	if ((*opt)->takes)
		*value = equals != NULL ? equals + 1 :
		    w->at < w->argc ? w->argv[w->at++] : NULL;
	if ((*opt)->takes ? *value == NULL : equals != NULL) {
		snprintf(why, 256, "option --%s takes %s value", (*opt)->name,
		    (*opt)->takes ? "a" : "no");
		return SW_ERR_CONFIG;
	}
	return SW_OK;
}

/* Once for the file alone, once for the rest. */
static int
take_words(struct serve_options *o, int argc, char **argv, bool files,
    char why[static 256])
{
	struct words w = { argc, 1, argv };
	const struct option *opt;
	const char *value;
	int r = SW_OK;

	while (w.at < argc && r == SW_OK) {
		if ((r = next(&w, &opt, &value, why)) != SW_OK)
			break;
		if ((opt->id == CONFIG) != files)
			continue;
		r = files ? take_file(o, value, why) : apply(o, opt, value, why);
	}
	return r;
}

static int
check(struct serve_options *o, char why[static 256])
{
	const char *wrong = NULL;
	unsigned irohs = 0, users = 0;

	if (o->nlisten == 0)
		o->listen[o->nlisten++] = (struct serve_listen){ .port = 22 };
	for (size_t i = 0; i < o->nlisten; i++) {
		if (o->listen[i].kind == SERVE_TLS && o->tls_cert == NULL)
			wrong = "a tls listener needs --tls-cert and --tls-key";
		irohs += o->listen[i].kind == SERVE_IROH;
	}
	if (irohs > 1)
		wrong = "there can be one iroh listener only";
	if ((o->tls_cert == NULL) != (o->tls_key == NULL))
		wrong = "--tls-cert and --tls-key belong together";
	for (size_t i = 0; i < o->nkeys; i++)
		users += o->keys[i].kind != SERVE_KEYS_REVOKED;
	if (users == 0)
		wrong = "nobody could log in: give --authorized-keys FILE";
	if (o->limits.login_s == 0 || o->tries == 0 || o->channels == 0)
		wrong = "--login-time, --max-auth and --max-channels cannot be 0";
	if (wrong == NULL)
		return SW_OK;
	snprintf(why, 256, "%s", wrong);
	return SW_ERR_CONFIG;
}

int
serve_options_parse(struct serve_options *o, int argc, char **argv,
    char why[static 256])
{
	int r;

	memset(o, 0, sizeof(*o));
	o->limits = (struct serve_limits){
		.connections = 1000, .startups = 256, .login_s = 30,
		.keepalive_s = 30,
	};
	o->channels = 1024;
	o->tries = 10;
	o->drain_s = 5;
	o->memory_mb = 512;
	if ((r = take_words(o, argc, argv, true, why)) != SW_OK ||
	    (r = take_words(o, argc, argv, false, why)) != SW_OK ||
	    o->help || o->version)
		return r;
	return check(o, why);
}

void
serve_options_wipe(struct serve_options *o)
{
	for (size_t i = 0; i < o->nlisten; i++)
		free(o->listen[i].host);
	for (size_t i = 0; i < o->nkeys; i++)
		free(o->keys[i].path);
	free(o->host_key);
	free(o->state);
	free(o->user);
	free(o->tls_cert);
	free(o->tls_key);
	free(o->web);
	free(o->outbound);
	free(o->iroh_key);
	free(o->iroh_relay);
	serve_policy_wipe(&o->policy);
	memset(o, 0, sizeof(*o));
}
