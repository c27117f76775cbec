#include "transport/serve_authkeys.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <time.h>

#define LINE_MAX_LEN 16384

struct serve_keys *
serve_keys_new(void)
{
	struct serve_keys *k = calloc(1, sizeof(*k));

	if (k != NULL)
		k->refs = 1;
	return k;
}

struct serve_keys *
serve_keys_ref(struct serve_keys *k)
{
	k->refs++;
	return k;
}

static void
permits_wipe(struct serve_permits *p)
{
	for (size_t i = 0; i < p->n; i++)
		free(p->list[i].host);
	free(p->list);
}

static void
grant_wipe(struct serve_grant *g)
{
	free(g->blob);
	free(g->from);
	free(g->principals);
	permits_wipe(&g->open);
	permits_wipe(&g->listen);
}

void
serve_keys_unref(struct serve_keys *k)
{
	if (k == NULL || --k->refs > 0)
		return;
	for (size_t i = 0; i < k->n; i++)
		grant_wipe(&k->grant[i]);
	free(k->grant);
	free(k);
}

/* ---- one line's options ---- */

struct reader {
	struct serve_grant *g;
	serve_keys_say *say;
	void *arg;
	unsigned line;
	const char *error;		/* static words */
};

/* "20301231", "203012312359", "20301231235959", each with or without Z (UTC) */
static bool
parse_time(const char *text, int64_t *out)
{
	size_t n = strspn(text, "0123456789");
	bool utc = text[n] == 'Z' || text[n] == 'z';
	struct tm tm = { .tm_isdst = -1 };
	int v[6] = { 0 };
	time_t t;

	if ((n != 8 && n != 12 && n != 14) || text[n + (utc ? 1 : 0)] != '\0')
		return false;
	for (size_t i = 0, at = 0; at < n; i++) {
		size_t digits = i == 0 ? 4 : 2;

		for (size_t j = 0; j < digits; j++)
			v[i] = v[i] * 10 + (text[at + j] - '0');
		at += digits;
	}
	tm.tm_year = v[0] - 1900;
	tm.tm_mon = v[1] - 1;
	tm.tm_mday = v[2];
	tm.tm_hour = v[3];
	tm.tm_min = v[4];
	tm.tm_sec = v[5];
	if (v[1] < 1 || v[1] > 12 || v[2] < 1 || v[2] > 31 || v[3] > 23 ||
	    v[4] > 59 || v[5] > 60)
		return false;
	t = utc ? timegm(&tm) : mktime(&tm);
	if (t == (time_t)-1)
		return false;
	*out = t;
	return true;
}

static bool
parse_port(const char *text, uint16_t *port)
{
	unsigned v = 0;

	*port = 0;
	if (strcmp(text, "*") == 0)
		return true;
	if (*text == '\0' || strlen(text) > 5)
		return false;
	for (; *text != '\0'; text++) {
		if (!isdigit((unsigned char)*text))
			return false;
		v = v * 10 + (unsigned)(*text - '0');
	}
	*port = (uint16_t)v;
	return v >= 1 && v <= 65535;
}

/* "host:port", "[v6]:port"; a port alone where `bare` allows it.  May write. */
static const char *
add_permit(struct serve_permits *p, char *text, bool bare)
{
	struct serve_permit one = { 0 };
	char *colon = strrchr(text, ':');
	const char *host = text;
	struct serve_permit *more;

	if (p->n >= SERVE_PERMITS_MAX)
		return "too many permits";
	if (colon == NULL && bare) {
		if (!parse_port(text, &one.port))
			return "bad port";
		host = "*";
	} else {
		if (colon == NULL || !parse_port(colon + 1, &one.port))
			return "expected HOST:PORT";
		*colon = '\0';
		if (*host == '[' && colon[-1] == ']') {
			host++;
			colon[-1] = '\0';
		}
	}
	if (*host == '\0')
		return "expected HOST:PORT";
	if ((one.host = strdup(host)) == NULL ||
	    (more = realloc(p->list, (p->n + 1) * sizeof(one))) == NULL) {
		free(one.host);
		return "out of memory";
	}
	p->list = more;
	p->list[p->n++] = one;
	p->limited = true;
	return NULL;
}

static const char *
set_text(char **to, const char *value)
{
	if (*to != NULL)
		return "an option is given twice";
	if (*value == '\0')
		return "an option is empty";
	*to = strdup(value);
	return *to == NULL ? "out of memory" : NULL;
}

enum option {
	OPT_RESTRICT, OPT_FORWARD, OPT_NO_FORWARD, OPT_CA, OPT_NO_TOUCH,
	OPT_TOUCH, OPT_VERIFY, OPT_IGNORE,
	OPT_VALUES,			/* those below have one */
	OPT_OPEN, OPT_LISTEN, OPT_EXPIRY, OPT_FROM, OPT_PRINCIPALS, OPT_WARN,
};

static const struct {
	const char *name;
	enum option option;
} options[] = {
	{ "restrict", OPT_RESTRICT },
	{ "port-forwarding", OPT_FORWARD },
	{ "no-port-forwarding", OPT_NO_FORWARD },
	{ "cert-authority", OPT_CA },
	{ "no-touch-required", OPT_NO_TOUCH },
	{ "touch-required", OPT_TOUCH },
	{ "verify-required", OPT_VERIFY },
	{ "permitopen", OPT_OPEN },
	{ "permitlisten", OPT_LISTEN },
	{ "expiry-time", OPT_EXPIRY },
	{ "from", OPT_FROM },
	{ "principals", OPT_PRINCIPALS },
	{ "pty", OPT_IGNORE }, { "no-pty", OPT_IGNORE },
	{ "agent-forwarding", OPT_IGNORE }, { "no-agent-forwarding", OPT_IGNORE },
	{ "x11-forwarding", OPT_IGNORE }, { "no-x11-forwarding", OPT_IGNORE },
	{ "user-rc", OPT_IGNORE }, { "no-user-rc", OPT_IGNORE },
	{ "command", OPT_WARN }, { "environment", OPT_WARN },
	{ "tunnel", OPT_WARN },
};

static void
warn_ignored(const struct reader *r, const char *name)
{
	char words[96];

	snprintf(words, sizeof(words), "option \"%s\" has no effect here", name);
	r->say(r->arg, r->line, false, words);
}

/* value may be written to; NULL: there is none. */
static const char *
apply(struct reader *r, enum option option, const char *name, char *value)
{
	struct serve_grant *g = r->g;

	if ((option > OPT_VALUES) != (value != NULL))
		return value == NULL ? "an option lacks its value" :
		    "an option has a value that it cannot have";
	switch (option) {
	case OPT_RESTRICT:
	case OPT_NO_FORWARD:
		g->no_forwarding = true;
		return NULL;
	case OPT_FORWARD:
		g->no_forwarding = false;
		return NULL;
	case OPT_CA:
		g->is_ca = true;
		return NULL;
	case OPT_NO_TOUCH:
	case OPT_TOUCH:
		g->no_touch = option == OPT_NO_TOUCH;
		return NULL;
	case OPT_VERIFY:
		g->verify = true;
		return NULL;
	case OPT_OPEN:
		return add_permit(&g->open, value, false);
	case OPT_LISTEN:
		return add_permit(&g->listen, value, true);
	case OPT_EXPIRY:
		return parse_time(value, &g->expires_s) ? NULL :
		    "expiry-time is not YYYYMMDD[HHMM[SS]][Z]";
	case OPT_FROM:
		return set_text(&g->from, value);
	case OPT_PRINCIPALS:
		return set_text(&g->principals, value);
	case OPT_WARN:
		warn_ignored(r, name);
		return NULL;
	default:
		return NULL;
	}
}

/* A quoted value, unquoted in place; *at moves behind it. */
static char *
unquote(char **at)
{
	char *from = *at + 1, *to = *at, *value = *at;

	if (**at != '"')
		return NULL;
	for (; *from != '"'; from++) {
		if (*from == '\\' && from[1] == '"')
			from++;
		if (*from == '\0')
			return NULL;
		*to++ = *from;
	}
	*at = from + 1;
	*to = '\0';
	return value;
}

/* Options up to a blank; false: r->error says why. */
static bool
parse_options(struct reader *r, char **at)
{
	char *p = *at;

	for (;;) {
		char name[32], *value = NULL;
		size_t n = strcspn(p, "=, \t\""), i;

		if (n == 0 || n >= sizeof(name)) {
			r->error = "bad options, or a key of an unknown type";
			return false;
		}
		memcpy(name, p, n);
		name[n] = '\0';
		p += n;
		if (*p == '=') {
			p++;
			if ((value = unquote(&p)) == NULL) {
				r->error = "an option's value is not quoted";
				return false;
			}
		}
		for (i = 0; i < sizeof(options) / sizeof(options[0]); i++)
			if (strcasecmp(options[i].name, name) == 0)
				break;
		if (i == sizeof(options) / sizeof(options[0])) {
			r->error = "unknown option, or a key of an unknown type";
			return false;
		}
		r->error = apply(r, options[i].option, options[i].name, value);
		if (r->error != NULL)
			return false;
		if (*p != ',')
			break;
		p++;
	}
	if (*p != ' ' && *p != '\t') {
		r->error = "no key after the options";
		return false;
	}
	*at = p + strspn(p, " \t");
	return true;
}

/* ---- one line's key ---- */

static bool
names_key(const char *p, size_t n)
{
	for (int i = 0; i < SERVE_KEY_TYPES; i++) {
		const char *name = serve_key_name((enum serve_key_type)i);

		if (strlen(name) == n && memcmp(name, p, n) == 0)
			return true;
	}
	return false;
}

/* DSA keys, certificates: whoever put them here meant something else. */
static bool
names_other_key(const char *p, size_t n)
{
	static const char dss[] = "ssh-dss", cert[] = "-cert-v01@openssh.com";

	return (n == sizeof(dss) - 1 && memcmp(p, dss, n) == 0) ||
	    (n > sizeof(cert) && memcmp(p + n - (sizeof(cert) - 1), cert,
	    sizeof(cert) - 1) == 0);
}

enum outcome { TAKEN, SKIPPED, BROKEN };

static enum outcome
parse_key(struct reader *r, const char *p)
{
	size_t type_len = strcspn(p, " \t"), text_len;
	const char *text = p + type_len + strspn(p + type_len, " \t");
	uint8_t blob[SERVE_KEY_MAX];
	struct serve_key key;
	size_t len;
	int err;

	if (names_other_key(p, type_len)) {
		r->say(r->arg, r->line, false,
		    "a key of this type cannot log in; line passed over");
		return SKIPPED;
	}
	r->error = "no key of a known type";
	if (!names_key(p, type_len))
		return BROKEN;
	text_len = strcspn(text, " \t");
	len = serve_key_decode64(text, text_len, blob, sizeof(blob));
	err = serve_key_parse(&key, blob, len);
	if (err == SW_ERR_UNSUPPORTED) {
		r->say(r->arg, r->line, false,
		    "RSA key below 2048 bits; line passed over");
		return SKIPPED;
	}
	r->error = "the key is damaged";
	if (err != SW_OK || key.is_cert ||
	    strlen(serve_key_name(key.type)) != type_len ||
	    memcmp(serve_key_name(key.type), p, type_len) != 0)
		return BROKEN;
	r->error = "out of memory";
	if ((r->g->blob = malloc(len)) == NULL)
		return BROKEN;
	memcpy(r->g->blob, blob, len);
	r->g->len = len;
	return TAKEN;
}

static enum outcome
parse_line(struct reader *r, char *p, enum serve_keys_kind kind)
{
	size_t first;

	p += strspn(p, " \t");
	if (*p == '\0' || *p == '#')
		return SKIPPED;
	r->g->line = r->line;
	r->g->expires_s = INT64_MAX;
	first = strcspn(p, " \t");
	if (!names_key(p, first) && !names_other_key(p, first) &&
	    !parse_options(r, &p))
		return BROKEN;
	r->g->is_ca_file = kind == SERVE_KEYS_AUTHORITIES;
	r->g->is_ca = r->g->is_ca || r->g->is_ca_file;
	r->g->is_revoked = kind == SERVE_KEYS_REVOKED;
	if (r->g->principals != NULL && !r->g->is_ca) {
		r->error = "principals= without cert-authority";
		return BROKEN;
	}
	return parse_key(r, p);
}

static bool
make_room(struct serve_keys *k)
{
	size_t room = k->room == 0 ? 8 : k->room * 2;
	struct serve_grant *more;

	if (k->n < k->room)
		return true;
	if ((more = realloc(k->grant, room * sizeof(*more))) == NULL)
		return false;
	k->grant = more;
	k->room = room;
	return true;
}

static int
add_line(struct serve_keys *k, struct reader *r, const char *line, size_t n,
    enum serve_keys_kind kind)
{
	enum outcome what = BROKEN;
	char *copy;

	memset(r->g, 0, sizeof(*r->g));
	r->error = "the line is too long";
	if (n > LINE_MAX_LEN || memchr(line, 0, n) != NULL)
		goto out;
	r->error = "out of memory";
	if (!make_room(k) || (copy = strndup(line, n)) == NULL)
		goto out;
	what = parse_line(r, copy, kind);
	free(copy);
	if (what == TAKEN) {
		k->grant[k->n++] = *r->g;
		return SW_OK;
	}
out:
	grant_wipe(r->g);
	if (what == SKIPPED)
		return SW_OK;
	r->say(r->arg, r->line, true, r->error);
	return SW_ERR_FORMAT;
}

int
serve_keys_add(struct serve_keys *k, const char *text, size_t len,
    enum serve_keys_kind kind, serve_keys_say *say, void *arg)
{
	struct serve_grant g;
	struct reader r = { .g = &g, .say = say, .arg = arg };
	int err = SW_OK;

	for (const char *end = text + len; text < end && err == SW_OK;) {
		const char *nl = memchr(text, '\n', (size_t)(end - text));
		size_t n = (size_t)((nl != NULL ? nl : end) - text);
		size_t bare = n > 0 && text[n - 1] == '\r' ? n - 1 : n;

		r.line++;
		err = add_line(k, &r, text, bare, kind);
		text += n + (nl != NULL);
	}
	return err;
}

bool
serve_permits_has(const struct serve_permits *p, const char *host,
    uint16_t port)
{
	if (!p->limited)
		return true;
	for (size_t i = 0; i < p->n; i++)
		if ((p->list[i].port == 0 || p->list[i].port == port) &&
		    (strcmp(p->list[i].host, "*") == 0 ||
		    strcasecmp(p->list[i].host, host) == 0))
			return true;
	return false;
}
