#include "transport/serve_http.h"

#include <ctype.h>
#include <string.h>
#include <strings.h>

static void
refuse(struct serve_http_request *r, int status)
{
	if (r->status == 0 || r->status == 404)
		r->status = status;
	r->path[0] = '\0';
	if (status != 413)
		r->body.kind = SERVE_HTTP_NO_BODY;
	r->keep = false;
}

static bool
is_control(char c)
{
	return (unsigned char)c < 0x20 || c == 0x7f;
}

/* ---- the request line ---- */

/* A host, or what stands in its place: no bytes that would end it. */
static bool
is_host(struct serve_http_text t)
{
	if (t.len == 0 || *t.p == ':')
		return false;
	for (size_t i = 0; i < t.len; i++)
		if (is_control(t.p[i]) || t.p[i] == ' ' || t.p[i] == '/' ||
		    (t.p[i] == '.' && i > 0 && t.p[i - 1] == '.'))
			return false;
	return true;
}

/* "http://host" in front of a target; false: something else than a path. */
static bool
take_origin(struct serve_http_request *r, struct serve_http_text *t)
{
	size_t n = 0, from;

	if (t->len > 0 && *t->p == '/')
		return true;
	while (n < t->len && (isalnum((unsigned char)t->p[n]) ||
	    strchr("+-.", t->p[n]) != NULL))
		n++;
	if (n == 0 || !isalpha((unsigned char)*t->p) || t->len - n < 3 ||
	    memcmp(t->p + n, "://", 3) != 0)
		return false;
	from = n += 3;
	while (n < t->len && t->p[n] != '/' && t->p[n] != '?')
		n++;
	r->host = (struct serve_http_text){ t->p + from, n - from };
	if (n == t->len || t->p[n] == '?')
		*t = (struct serve_http_text){ "/", 1 };
	else
		*t = (struct serve_http_text){ t->p + n, t->len - n };
	return is_host(r->host);
}

/* "HTTP/1.1" and perhaps blanks; the status to answer, or 0. */
static int
take_version(struct serve_http_request *r, struct serve_http_text t)
{
	unsigned minor = 0;
	size_t i;

	while (t.len > 0 && t.p[t.len - 1] == ' ')
		t.len--;
	if (t.len < 8 || memcmp(t.p, "HTTP/", 5) != 0 || t.p[5] < '1' ||
	    t.p[5] > '9' || t.p[6] != '.')
		return 400;
	if (t.p[5] > '1')
		return 505;
	for (i = 7; i < t.len && isdigit((unsigned char)t.p[i]) && minor < 100;
	    i++)
		minor = minor * 10 + (unsigned)(t.p[i] - '0');
	if (i < t.len)
		return 400;
	r->at_least_1_1 = r->keep = minor > 0;
	return 0;
}

/* All in it but the method's letters, which were looked at as they came. */
static void
take_request_line(struct serve_http_request *r, const char *p, size_t len)
{
	static const struct { const char *word; enum serve_http_method m; }
	    methods[] = {
		{ "GET", SERVE_HTTP_GET }, { "HEAD", SERVE_HTTP_HEAD },
		{ "POST", SERVE_HTTP_POST },
	};
	const char *sp = memchr(p, ' ', len);
	struct serve_http_text target, rest;
	size_t n = 0;
	int status;

	if (sp == NULL || sp == p) {
		refuse(r, 400);
		return;
	}
	for (size_t i = 0; i < sizeof(methods) / sizeof(methods[0]); i++)
		if ((size_t)(sp - p) == strlen(methods[i].word) &&
		    memcmp(p, methods[i].word, (size_t)(sp - p)) == 0)
			r->method = methods[i].m;
	rest = (struct serve_http_text){ sp, len - (size_t)(sp - p) };
	while (rest.len > 0 && *rest.p == ' ')
		rest = (struct serve_http_text){ rest.p + 1, rest.len - 1 };
	while (n < rest.len && rest.p[n] != ' ' && !is_control(rest.p[n]))
		n++;
	target = (struct serve_http_text){ rest.p, n };
	if (n < rest.len && is_control(rest.p[n])) {
		refuse(r, 400);
		return;
	}
	while (n < rest.len && rest.p[n] == ' ')
		n++;
	rest = (struct serve_http_text){ rest.p + n, rest.len - n };
	if (!take_origin(r, &target)) {
		refuse(r, 400);
		return;
	}
	r->bare = rest.len == 0;
	if (!r->bare && (status = take_version(r, rest)) != 0)
		refuse(r, status);
	else if ((r->bare && r->method != SERVE_HTTP_GET) ||
	    !serve_http_path(target.p, target.len, r->path, &r->query))
		refuse(r, 400);
	else if (strstr(r->path, "/.") != NULL)
		r->status = 404;	/* nothing hidden */
}

/* ---- fields ---- */

static bool
has_word(struct serve_http_text t, const char *word)
{
	size_t n = strlen(word);

	for (size_t i = 0; i + n <= t.len; i++)
		if (strncasecmp(t.p + i, word, n) == 0)
			return true;
	return false;
}

static bool
is_word(struct serve_http_text t, const char *word)
{
	return t.len == strlen(word) && strncasecmp(t.p, word, t.len) == 0;
}

static void
take_length(struct serve_http_request *r, struct serve_http_text t)
{
	uint64_t n = 0;
	bool good = !r->has_length && t.len > 0 && t.len <= 18;

	for (size_t i = 0; i < t.len && good; i++) {
		good = isdigit((unsigned char)t.p[i]);
		n = n * 10 + (unsigned)(t.p[i] - '0');
	}
	r->has_length = true;
	if (!good) {
		refuse(r, 400);
	} else if (n > 0 && r->body.kind == SERVE_HTTP_NO_BODY) {
		r->body.kind = SERVE_HTTP_COUNTED;
		r->body.left = n;
	}
}

static void
take_coding(struct serve_http_request *r, struct serve_http_text t)
{
	if (r->has_coding || !r->at_least_1_1)
		refuse(r, 400);
	else if (!is_word(t, "chunked"))
		refuse(r, 501);
	else
		r->body = (struct serve_http_body){ .kind = SERVE_HTTP_CHUNKED };
	r->has_coding = true;
}

static void
take_host(struct serve_http_request *r, struct serve_http_text t)
{
	if (r->has_host || !is_host(t))
		refuse(r, 400);
	r->has_host = true;
	if (r->host.p == NULL)		/* the target's own is stronger */
		r->host = t;
}

/* One that counts, by its name. */
static void
take_known(struct serve_http_request *r, struct serve_http_text name,
    struct serve_http_text value)
{
	const struct { const char *name; struct serve_http_text *at; } kept[] = {
		{ "Range", &r->range }, { "If-Range", &r->if_range },
		{ "If-Match", &r->if_match },
		{ "If-None-Match", &r->if_none_match },
		{ "If-Modified-Since", &r->if_modified },
		{ "If-Unmodified-Since", &r->if_unmodified },
	};

	if (is_word(name, "Host")) {
		take_host(r, value);
	} else if (is_word(name, "Connection")) {
		if (has_word(value, "close"))
			r->keep = false;
		else if (has_word(value, "keep-alive"))
			r->keep = true;
	} else if (is_word(name, "Content-Length")) {
		take_length(r, value);
	} else if (is_word(name, "Transfer-Encoding")) {
		take_coding(r, value);
	}
	for (size_t i = 0; i < sizeof(kept) / sizeof(kept[0]); i++)
		if (is_word(name, kept[i].name) && kept[i].at->p == NULL)
			*kept[i].at = value;
}

/* Names of odd letters are passed over, those of impossible ones refused. */
static void
take_field(struct serve_http_request *r, const char *p, size_t len)
{
	struct serve_http_text value = { p + len, 0 };
	bool odd = false;
	size_t n;

	for (n = 0; n < len && p[n] != ':'; n++) {
		if (is_control(p[n]) || p[n] == ' ') {
			refuse(r, 400);
			return;
		}
		odd |= !isalnum((unsigned char)p[n]) && p[n] != '-';
	}
	if (n == 0 || memchr(p, '\0', len) != NULL ||
	    memchr(p, '\r', len) != NULL) {
		refuse(r, 400);
		return;
	}
	if (n < len)
		value = (struct serve_http_text){ p + n + 1, len - n - 1 };
	while (value.len > 0 && *value.p == ' ')
		value = (struct serve_http_text){ value.p + 1, value.len - 1 };
	while (value.len > 0 && value.p[value.len - 1] == ' ')
		value.len--;
	if (!odd)
		take_known(r, (struct serve_http_text){ p, n }, value);
}

/* ---- the head ---- */

/* What a head as a whole must and must not have. */
static void
finish(struct serve_http_request *r)
{
	if (r->at_least_1_1 && !r->has_host)
		refuse(r, 400);
	if (r->has_length && r->has_coding)
		refuse(r, 400);
	if (r->body.kind == SERVE_HTTP_COUNTED &&
	    r->body.left > SERVE_HTTP_BODY_MAX)
		refuse(r, 413);
	if (r->status == 0 && r->method == SERVE_HTTP_OTHER)
		r->status = 405;
}

static bool
is_fatal(const struct serve_http_request *r)
{
	return r->status != 0 && !(r->status == 404 && r->path[0] == '/');
}

void
serve_http_begin(struct serve_http_request *r)
{
	memset(r, 0, offsetof(struct serve_http_request, path));
	r->path[0] = '\0';
	memset((char *)r + offsetof(struct serve_http_request, query), 0,
	    sizeof(*r) - offsetof(struct serve_http_request, query));
}

/* A line, without its end.  true: the head is whole. */
static bool
take_line(struct serve_http_request *r, const char *p, size_t len)
{
	if (len > 0 && p[len - 1] == '\r')
		len--;
	if (!r->has_line && len == 0)
		return false;		/* empty lines in front */
	if (!r->has_line) {
		r->has_line = true;
		take_request_line(r, p, len);
		return r->bare;
	}
	if (len == 0) {
		finish(r);
		return true;
	}
	take_field(r, p, len);
	return false;
}

/* What begins like no method at all is answered before its line ends. */
static bool
begins_badly(const char *p, size_t len)
{
	for (size_t i = 0; i < len && p[i] != ' ' && p[i] != '\r' &&
	    p[i] != '\n'; i++)
		if ((p[i] < 'A' || p[i] > 'Z') && p[i] != '_' && p[i] != '-')
			return true;
	return len > 0 && *p == ' ';
}

int
serve_http_take(struct serve_http_request *r, const char *p, size_t len,
    size_t *used)
{
	const char *nl;

	*used = len;
	for (;;) {
		const char *line = p + r->at;
		size_t left = len - r->at;
		bool whole;

		while (!r->has_line && left > 0 && *line == '\r') {
			line++;
			left--;
			r->at++;
		}
		if (!r->has_line && begins_badly(line, left)) {
			refuse(r, 400);
			return SW_OK;
		}
		nl = memchr(line, '\n', left);
		left = nl != NULL ? (size_t)(nl - line) : left;
		if (left > SERVE_HTTP_LINE_MAX || (nl == NULL &&
		    len >= SERVE_HTTP_HEAD_MAX)) {
			refuse(r, r->has_line ? 400 : 414);
			if (r->has_line)
				r->note = "Request Header Or Cookie Too Large";
			return SW_OK;
		}
		if (nl == NULL)
			return SW_AGAIN;
		whole = take_line(r, line, left);
		r->at += left + 1;
		if (is_fatal(r))
			return SW_OK;
		if (whole) {
			*used = r->at;
			return SW_OK;
		}
	}
}
