#include "transport/serve_http.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

/* A date in any of HTTP's three shapes; -1: none. */
static time_t
date_of(struct serve_http_text t)
{
	static const char *const shapes[] = {
		"%a, %d %b %Y %H:%M:%S GMT", "%a, %d-%b-%y %H:%M:%S GMT",
		"%a %b %e %H:%M:%S %Y",
	};
	char copy[64];

	if (t.len >= sizeof(copy))
		return -1;
	memcpy(copy, t.p, t.len);
	copy[t.len] = '\0';
	for (size_t i = 0; i < sizeof(shapes) / sizeof(shapes[0]); i++) {
		struct tm tm = { 0 };

		if (strptime(copy, shapes[i], &tm) != NULL)
			return timegm(&tm);
	}
	return -1;
}

static size_t
put_etag(char out[static 48], const struct serve_http_file *f)
{
	return (size_t)snprintf(out, 48, "\"%llx-%llx\"",
	    (unsigned long long)f->changed, (unsigned long long)f->size);
}

/* The file's tag is in a list of them; weak: W/ makes no difference. */
static bool
has_etag(struct serve_http_text list, const struct serve_http_file *f, bool weak)
{
	const char *p = list.p, *end = p + list.len;
	char tag[48];
	size_t n = put_etag(tag, f);

	if (list.len == 1 && *p == '*')
		return true;
	while (p < end) {
		if (weak && end - p > 2 && memcmp(p, "W/", 2) == 0)
			p += 2;
		if ((size_t)(end - p) >= n && memcmp(p, tag, n) == 0) {
			for (p += n; p < end && (*p == ' ' || *p == '\t');)
				p++;
			if (p == end || *p == ',')
				return true;
		}
		while (p < end && *p != ',')
			p++;
		while (p < end && (*p == ',' || *p == ' ' || *p == '\t'))
			p++;
	}
	return false;
}

/* ---- ranges ---- */

static void
skip_blanks(struct serve_http_text *t)
{
	while (t->len > 0 && *t->p == ' ') {
		t->p++;
		t->len--;
	}
}

static bool
take(struct serve_http_text *t, char c)
{
	if (t->len == 0 || *t->p != c)
		return false;
	t->p++;
	t->len--;
	return true;
}

static bool
take_number(struct serve_http_text *t, uint64_t *out)
{
	size_t digits = 0;

	*out = 0;
	for (; t->len > 0 && isdigit((unsigned char)*t->p); t->p++, t->len--) {
		if (++digits > 18)
			return false;
		*out = *out * 10 + (unsigned)(*t->p - '0');
	}
	return digits > 0;
}

/* One of "A-B", "A-", "-N", as bytes [from, to). */
static bool
take_range(struct serve_http_text *t, uint64_t size, struct serve_http_part *out)
{
	bool suffix;
	uint64_t last;

	skip_blanks(t);
	out->from = 0;
	out->to = size;
	suffix = take(t, '-');
	if (!suffix) {
		if (!take_number(t, &out->from))
			return false;
		skip_blanks(t);
		if (!take(t, '-'))
			return false;
		skip_blanks(t);
		if (t->len == 0 || *t->p == ',')
			return true;
	}
	if (!take_number(t, &last))
		return false;
	skip_blanks(t);
	if (t->len > 0 && *t->p != ',')
		return false;
	if (suffix)
		out->from = last < size ? size - last : 0;
	else if (last < size)
		out->to = last + 1;
	return true;
}

static int
ranges(struct serve_http_text t, uint64_t size, struct serve_http_parts *out)
{
	uint64_t sum = 0;
	struct serve_http_part one;

	do {
		if (!take_range(&t, size, &one))
			return 416;
		if (one.from >= one.to && one.from == 0)
			return 200;
		if (one.from >= one.to)
			continue;
		if (out->n == SERVE_HTTP_RANGES_MAX)
			return 200;
		out->at[out->n++] = one;
		sum += one.to - one.from;
	} while (take(&t, ','));
	if (out->n == 0)
		return 416;
	return sum > size ? 200 : 206;
}

static bool
if_range_holds(struct serve_http_text t, const struct serve_http_file *f)
{
	char tag[48];

	if (t.p == NULL)
		return true;
	if (t.len >= 2 && t.p[t.len - 1] == '"')
		return t.len == put_etag(tag, f) && memcmp(t.p, tag, t.len) == 0;
	return date_of(t) == f->changed;
}

int
serve_http_match(const struct serve_http_request *r,
    const struct serve_http_file *f, struct serve_http_parts *parts)
{
	struct serve_http_text t = r->range;
	int status = 200;

	parts->n = 0;
	if ((r->if_unmodified.p != NULL &&
	    date_of(r->if_unmodified) < f->changed) ||
	    (r->if_match.p != NULL && !has_etag(r->if_match, f, false)))
		return 412;
	if ((r->if_modified.p != NULL || r->if_none_match.p != NULL) &&
	    (r->if_modified.p == NULL || date_of(r->if_modified) == f->changed) &&
	    (r->if_none_match.p == NULL || has_etag(r->if_none_match, f, true)))
		return 304;
	if (t.p != NULL && t.len >= 7 && strncasecmp(t.p, "bytes=", 6) == 0 &&
	    !r->bare && if_range_holds(r->if_range, f)) {
		t.p += 6;
		t.len -= 6;
		status = ranges(t, f->size, parts);
	}
	if (status != 206)
		parts->n = 0;
	return status;
}
