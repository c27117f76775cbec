#include "transport/serve_http.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

static const struct { int status; const char *words; } words[] = {
	{ 200, "OK" }, { 206, "Partial Content" }, { 301, "Moved Permanently" },
	{ 304, "Not Modified" }, { 400, "Bad Request" }, { 403, "Forbidden" },
	{ 404, "Not Found" }, { 405, "Not Allowed" },
	{ 412, "Precondition Failed" }, { 413, "Request Entity Too Large" },
	{ 414, "Request-URI Too Large" },
	{ 416, "Requested Range Not Satisfiable" }, { 501, "Not Implemented" },
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

static const char *
date_text(char out[static 40], time_t t)
{
	struct tm tm;

	(void)gmtime_r(&t, &tm);
	(void)strftime(out, 40, "%a, %d %b %Y %H:%M:%S GMT", &tm);
	return out;
}

/* Add a line, or lines, to an answer of n bytes. */
static void __attribute__((format(printf, 3, 4)))
put(char out[static SERVE_HTTP_ANSWER_MAX], size_t *n, const char *fmt, ...)
{
	va_list ap;
	int more;

	va_start(ap, fmt);
	more = vsnprintf(out + *n, SERVE_HTTP_ANSWER_MAX - *n, fmt, ap);
	va_end(ap);
	if (more > 0)
		*n += (size_t)more < SERVE_HTTP_ANSWER_MAX - *n ? (size_t)more :
		    SERVE_HTTP_ANSWER_MAX - 1 - *n;
}

static void
put_status(char out[static SERVE_HTTP_ANSWER_MAX], size_t *n, int status,
    time_t now)
{
	char date[40];

	put(out, n, "HTTP/1.1 %d %s\r\nServer: nginx\r\nDate: %s\r\n", status,
	    words_of(status), date_text(date, now));
}

size_t
serve_http_part_head(char out[static SERVE_HTTP_ANSWER_MAX],
    const struct serve_http_file *f, const struct serve_http_parts *parts,
    size_t i)
{
	size_t n = 0;

	put(out, &n, "\r\n--%020llu", (unsigned long long)parts->boundary);
	if (i == parts->n)
		put(out, &n, "--\r\n");
	else
		put(out, &n, "\r\nContent-Type: %s\r\n"
		    "Content-Range: bytes %llu-%llu/%llu\r\n\r\n", f->type,
		    (unsigned long long)parts->at[i].from,
		    (unsigned long long)parts->at[i].to - 1,
		    (unsigned long long)f->size);
	return n;
}

/* Of the body: all of the file, a part, or several with what stands between. */
static uint64_t
body_length(const struct serve_http_file *f,
    const struct serve_http_parts *parts)
{
	char out[SERVE_HTTP_ANSWER_MAX];
	uint64_t sum = parts->n == 0 ? f->size : 0;

	for (size_t i = 0; i < parts->n; i++)
		sum += parts->at[i].to - parts->at[i].from;
	for (size_t i = 0; parts->n > 1 && i <= parts->n; i++)
		sum += serve_http_part_head(out, f, parts, i);
	return sum;
}

size_t
serve_http_file_head(char out[static SERVE_HTTP_ANSWER_MAX], int status,
    const struct serve_http_file *f, const struct serve_http_parts *parts,
    bool keep, time_t now)
{
	char date[40];
	size_t n = 0;

	put_status(out, &n, status, now);
	if (parts->n > 1)
		put(out, &n, "Content-Type: multipart/byteranges; "
		    "boundary=%020llu\r\n", (unsigned long long)parts->boundary);
	else if (status != 304)
		put(out, &n, "Content-Type: %s\r\n", f->type);
	if (status != 304)
		put(out, &n, "Content-Length: %llu\r\n",
		    (unsigned long long)body_length(f, parts));
	put(out, &n, "Last-Modified: %s\r\nConnection: %s\r\n"
	    "ETag: \"%llx-%llx\"\r\n", date_text(date, f->changed),
	    keep ? "keep-alive" : "close", (unsigned long long)f->changed,
	    (unsigned long long)f->size);
	if (status == 200)
		put(out, &n, "Accept-Ranges: bytes\r\n");
	if (parts->n == 1)
		put(out, &n, "Content-Range: bytes %llu-%llu/%llu\r\n",
		    (unsigned long long)parts->at[0].from,
		    (unsigned long long)parts->at[0].to - 1,
		    (unsigned long long)f->size);
	put(out, &n, "\r\n");
	return n;
}

size_t
serve_http_error(char out[static SERVE_HTTP_ANSWER_MAX],
    const struct serve_http_error *e, time_t now)
{
	char page[700];
	size_t n = 0, len;

	len = (size_t)snprintf(page, sizeof(page),
	    "<html>\r\n<head><title>%d %s</title></head>\r\n<body>\r\n"
	    "<center><h1>%d %s</h1></center>\r\n%s%s%s"
	    "<hr><center>nginx</center>\r\n</body>\r\n</html>\r\n",
	    e->status, e->note != NULL ? e->note : words_of(e->status),
	    e->status, words_of(e->status), e->note != NULL ? "<center>" : "",
	    e->note != NULL ? e->note : "",
	    e->note != NULL ? "</center>\r\n" : "");
	if (!e->bare) {
		put_status(out, &n, e->status, now);
		put(out, &n, "Content-Type: text/html\r\nContent-Length: %zu\r\n",
		    len);
		if (e->to != NULL)
			put(out, &n, "Location: %.*s\r\n",
			    SERVE_HTTP_LINE_MAX, e->to);
		put(out, &n, "Connection: %s\r\n",
		    e->keep ? "keep-alive" : "close");
		if (e->status == 416)
			put(out, &n, "Content-Range: bytes */%llu\r\n",
			    (unsigned long long)e->size);
		put(out, &n, "\r\n");
	}
	if (!e->no_page)
		put(out, &n, "%s", page);
	return n;
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
