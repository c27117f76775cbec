#include "transport/serve_http.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

static const struct { int status; const char *words; } words[] = {
	{ 200, "OK" }, { 301, "Moved Permanently" }, { 304, "Not Modified" },
	{ 400, "Bad Request" }, { 403, "Forbidden" }, { 404, "Not Found" },
	{ 405, "Not Allowed" }, { 414, "Request-URI Too Large" },
	{ 502, "Bad Gateway" }, { 505, "HTTP Version Not Supported" },
};

static const char *
words_of(int status)
{
	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
		if (words[i].status == status)
			return words[i].words;
	return "Internal Server Error";
}

/* ---- requests ---- */

static int
hex(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c = (char)tolower((unsigned char)c);
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* A target's path, decoded; false: it has no place here. */
static bool
get_path(const char *p, size_t len, char out[static SERVE_HTTP_PATH_MAX])
{
	size_t n = 0;

	if (len == 0 || *p != '/')
		return false;
	for (size_t i = 0; i < len && p[i] != '?' && p[i] != '#'; i++) {
		char c = p[i];

		if (c == '%') {
			if (len - i < 3 || hex(p[i + 1]) < 0 || hex(p[i + 2]) < 0)
				return false;
			c = (char)(hex(p[i + 1]) * 16 + hex(p[i + 2]));
			i += 2;
		}
		if (c == '\0' || n >= SERVE_HTTP_PATH_MAX - 1)
			return false;
		out[n++] = c;
	}
	out[n] = '\0';
	return strstr(out, "/..") == NULL;	/* nothing above the root */
}

static time_t
get_date(const char *text, size_t len)
{
	char copy[40];
	struct tm tm = { 0 };

	if (len >= sizeof(copy))
		return 0;
	memcpy(copy, text, len);
	copy[len] = '\0';
	if (strptime(copy, "%a, %d %b %Y %H:%M:%S GMT", &tm) == NULL)
		return 0;
	return timegm(&tm);
}

static bool
is_field(const char *line, size_t len, const char *name, const char **value,
    size_t *value_len)
{
	size_t n = strlen(name);

	if (len <= n || strncasecmp(line, name, n) != 0 || line[n] != ':')
		return false;
	*value = line + n + 1;
	*value_len = len - n - 1;
	while (*value_len > 0 && (**value == ' ' || **value == '\t')) {
		(*value)++;
		(*value_len)--;
	}
	return true;
}

static void
take_field(struct serve_http_request *r, const char *line, size_t len)
{
	const char *value;
	size_t n;

	if (is_field(line, len, "Connection", &value, &n)) {
		if (n == 5 && strncasecmp(value, "close", 5) == 0)
			r->keep = false;
		else if (n == 10 && strncasecmp(value, "keep-alive", 10) == 0)
			r->keep = true;
	} else if (is_field(line, len, "If-Modified-Since", &value, &n)) {
		r->since = get_date(value, n);
	} else if (is_field(line, len, "Content-Length", &value, &n)) {
		if (n != 1 || *value != '0')
			r->keep = false;	/* its body is not read */
	} else if (is_field(line, len, "Transfer-Encoding", &value, &n)) {
		r->keep = false;
	}
}

static void
refuse(struct serve_http_request *r, int status)
{
	if (r->status == 0)
		r->status = status;
	r->keep = false;
}

static void
take_request_line(struct serve_http_request *r, const char *p, size_t len)
{
	const char *sp = memchr(p, ' ', len), *end = p + len, *last;

	if (sp == NULL || sp == p) {
		refuse(r, 400);
		return;
	}
	for (last = end; last > sp + 1 && last[-1] != ' ';)
		last--;
	if (last == sp + 1 || end - last != 8 || memcmp(last, "HTTP/", 5) != 0) {
		refuse(r, 400);
		return;
	}
	if (last[5] != '1') {
		refuse(r, last[5] > '1' && last[5] <= '9' ? 505 : 400);
		return;
	}
	r->keep = last[7] != '0';
	if (!get_path(sp + 1, (size_t)(last - 1 - (sp + 1)), r->path)) {
		refuse(r, 400);
		return;
	}
	if (strstr(r->path, "/.") != NULL)	/* nor hidden in it */
		r->status = 404;
	r->head = sp - p == 4 && memcmp(p, "HEAD", 4) == 0;
	if (!r->head && (sp - p != 3 || memcmp(p, "GET", 3) != 0))
		r->status = 405;
}

int
serve_http_parse(struct serve_http_request *r, const char *p, size_t len,
    size_t *used)
{
	const char *at = p, *end = p + len, *nl;
	bool first = true;

	memset(r, 0, sizeof(*r));
	*used = len;
	for (size_t i = 0; i < len && p[i] != ' ' && p[i] != '\r'; i++)
		if ((p[i] < 'A' || p[i] > 'Z') && p[i] != '_' && p[i] != '-') {
			refuse(r, 400);	/* no method has that */
			return SW_OK;
		}
	while ((nl = memchr(at, '\n', (size_t)(end - at))) != NULL) {
		size_t n = (size_t)(nl - at);

		if (n > 0 && at[n - 1] == '\r')
			n--;
		if (n == 0 && !first) {
			*used = (size_t)(nl + 1 - p);
			return SW_OK;
		}
		if (first)
			take_request_line(r, at, n);
		else
			take_field(r, at, n);
		if (r->status == 400 || r->status == 505)
			return SW_OK;
		first = false;
		at = nl + 1;
	}
	if (len < SERVE_HTTP_HEAD_MAX)
		return SW_AGAIN;
	refuse(r, first ? 414 : 400);
	if (!first)
		r->note = "Request Header Or Cookie Too Large";
	return SW_OK;
}

/* ---- answers ---- */

static size_t
put_date(char out[static 40], time_t t)
{
	struct tm tm;

	(void)gmtime_r(&t, &tm);
	return strftime(out, 40, "%a, %d %b %Y %H:%M:%S GMT", &tm);
}

size_t
serve_http_file_head(char out[static SERVE_HTTP_ANSWER_MAX], int status,
    const struct serve_http_file *f, bool keep, time_t now)
{
	char date[40], changed[40], length[48] = "", type[80] = "";

	put_date(date, now);
	put_date(changed, f->changed);
	if (status == 200) {
		snprintf(type, sizeof(type), "Content-Type: %s\r\n", f->type);
		snprintf(length, sizeof(length), "Content-Length: %llu\r\n",
		    (unsigned long long)f->size);
	}
	return (size_t)snprintf(out, SERVE_HTTP_ANSWER_MAX,
	    "HTTP/1.1 %d %s\r\nServer: nginx\r\nDate: %s\r\n%s%s"
	    "Last-Modified: %s\r\nConnection: %s\r\nETag: \"%llx-%llx\"\r\n%s\r\n",
	    status, words_of(status), date, type, length, changed,
	    keep ? "keep-alive" : "close", (unsigned long long)f->changed,
	    (unsigned long long)f->size,
	    status == 200 ? "Accept-Ranges: bytes\r\n" : "");
}

size_t
serve_http_error(char out[static SERVE_HTTP_ANSWER_MAX], int status,
    const char *note, const char *to, bool head, bool keep, time_t now)
{
	char page[700], date[40], where[SERVE_HTTP_PATH_MAX + 20] = "";
	size_t n;

	put_date(date, now);
	n = (size_t)snprintf(page, sizeof(page),
	    "<html>\r\n<head><title>%d %s</title></head>\r\n<body>\r\n"
	    "<center><h1>%d %s</h1></center>\r\n%s%s%s"
	    "<hr><center>nginx</center>\r\n</body>\r\n</html>\r\n",
	    status, note != NULL ? note : words_of(status), status,
	    words_of(status), note != NULL ? "<center>" : "",
	    note != NULL ? note : "", note != NULL ? "</center>\r\n" : "");
	if (to != NULL)
		snprintf(where, sizeof(where), "Location: %.1000s\r\n", to);
	return (size_t)snprintf(out, SERVE_HTTP_ANSWER_MAX,
	    "HTTP/1.1 %d %s\r\nServer: nginx\r\nDate: %s\r\n"
	    "Content-Type: text/html\r\nContent-Length: %zu\r\n%s"
	    "Connection: %s\r\n\r\n%s", status, words_of(status), date, n, where,
	    keep ? "keep-alive" : "close", head ? "" : page);
}

const char *
serve_http_type(const char *path)
{
	static const struct { const char *end, *type; } types[] = {
		{ ".html", "text/html" }, { ".htm", "text/html" },
		{ ".css", "text/css" }, { ".js", "application/javascript" },
		{ ".txt", "text/plain" }, { ".xml", "text/xml" },
		{ ".json", "application/json" }, { ".svg", "image/svg+xml" },
		{ ".png", "image/png" }, { ".jpg", "image/jpeg" },
		{ ".jpeg", "image/jpeg" }, { ".gif", "image/gif" },
		{ ".webp", "image/webp" }, { ".ico", "image/x-icon" },
		{ ".pdf", "application/pdf" }, { ".woff2", "font/woff2" },
	};
	size_t n = strlen(path);

	for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++) {
		size_t m = strlen(types[i].end);

		if (n > m && strcasecmp(path + n - m, types[i].end) == 0)
			return types[i].type;
	}
	return "application/octet-stream";
}
