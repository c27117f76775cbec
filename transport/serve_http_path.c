#include "transport/serve_http.h"

#include <string.h>

static int
hex(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c |= 0x20;
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* Up to the query, %-codes resolved; false: one of them is none. */
static bool
decode(const char *p, size_t len, char out[static SERVE_HTTP_PATH_MAX],
    size_t *n, struct serve_http_text *query)
{
	size_t i;

	*n = 0;
	for (i = 0; i < len && p[i] != '?' && p[i] != '#'; i++) {
		char c = p[i];

		if (c == '%') {
			if (len - i < 3 || hex(p[i + 1]) < 0 ||
			    hex(p[i + 2]) < 0)
				return false;
			c = (char)(hex(p[i + 1]) * 16 + hex(p[i + 2]));
			i += 2;
		}
		if (c == '\0' || *n >= SERVE_HTTP_PATH_MAX - 1)
			return false;
		out[(*n)++] = c;
	}
	out[*n] = '\0';
	*query = (struct serve_http_text){ NULL, 0 };
	if (i < len && p[i] == '?') {
		const char *hash = memchr(p + i, '#', len - i);

		*query = (struct serve_http_text){ p + i,
		    hash != NULL ? (size_t)(hash - p) - i : len - i };
	}
	return true;
}

bool
serve_http_path(const char *p, size_t len,
    char out[static SERVE_HTTP_PATH_MAX], struct serve_http_text *query)
{
	size_t n, to = 1;

	if (len == 0 || *p != '/' || !decode(p, len, out, &n, query))
		return false;
	/* Segment by segment, in place: out[0..to) ends in '/'. */
	for (size_t from = 1; from < n;) {
		const char *end = memchr(out + from, '/', n - from);
		size_t seg = end != NULL ? (size_t)(end - out) - from : n - from;

		if (seg == 2 && memcmp(out + from, "..", 2) == 0) {
			if (to == 1)
				return false;
			for (to--; out[to - 1] != '/';)
				to--;
		} else if (seg > 0 && !(seg == 1 && out[from] == '.')) {
			memmove(out + to, out + from, seg);
			to += seg;
			if (end != NULL)
				out[to++] = '/';
		}
		from += seg + 1;
	}
	out[to] = '\0';
	return true;
}
