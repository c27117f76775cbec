#include "mix/httpreq.h"

#include <stdint.h>
#include <string.h>
#include <strings.h>

#include "base/wire.h"

/* A line without its end; CR LF or LF.  SW_AGAIN when there is no end. */
static int
get_line(struct rbuf *r, const char **line, size_t *n)
{
	const uint8_t *end = memchr(r->p, '\n', r->left);

	if (end == NULL)
		return SW_AGAIN;
	*line = (const char *)r->p;
	*n = (size_t)(end - r->p);
	r->left -= *n + 1;
	r->p = end + 1;
	if (*n > 0 && (*line)[*n - 1] == '\r')
		--*n;
	return memchr(*line, '\0', *n) == NULL ? SW_OK : SW_ERR_FORMAT;
}

static bool
is_word(const char *p, size_t n, const char *word)
{
	return strlen(word) == n && strncasecmp(p, word, n) == 0;
}

/* Is `word` one of a header's comma-separated values? */
static bool
has_word(const char *p, size_t n, const char *word)
{
	size_t len;

	for (; n > 0; p += len, n -= len) {
		while (n > 0 && (*p == ' ' || *p == '\t' || *p == ',')) {
			p++;
			n--;
		}
		for (len = 0; len < n && p[len] != ','; len++)
			;
		size_t word_len = len;

		while (word_len > 0 && (p[word_len - 1] == ' ' ||
		    p[word_len - 1] == '\t'))
			word_len--;
		if (is_word(p, word_len, word))
			return true;
	}
	return false;
}

/* The path of a target: what comes before the query, single slashes, no
 * control characters; of an absolute target, what comes after the host. */
static int
get_path(struct httpreq *q, const char *p, size_t n)
{
	const char *slash;
	size_t len = 0;

	if (n > 7 && strncasecmp(p, "http://", 7) == 0) {
		slash = memchr(p + 7, '/', n - 7);
		n = slash != NULL ? n - (size_t)(slash - p) : 0;
		p = slash;
	}
	if (n == 0 || p[0] != '/')
		return SW_ERR_FORMAT;
	for (size_t i = 0; i < n && p[i] != '?' && p[i] != '#'; i++) {
		if ((unsigned char)p[i] <= ' ' || (unsigned char)p[i] >= 127)
			return SW_ERR_FORMAT;
		if (p[i] == '/' && len > 0 && q->path[len - 1] == '/')
			continue;
		if (len == sizeof(q->path) - 1)
			return SW_ERR_TOO_LONG;
		q->path[len++] = p[i];
	}
	q->path[len] = '\0';
	return SW_OK;
}

static int
get_request_line(struct httpreq *q, const char *line, size_t n)
{
	static const struct {
		const char *name;
		enum httpreq_method method;
	} methods[] = {
		{ "GET ", HTTPREQ_GET }, { "HEAD ", HTTPREQ_HEAD },
		{ "POST ", HTTPREQ_POST },
	};
	const char *space = memchr(line, ' ', n), *version;
	size_t head = 0, tail;

	if (space == NULL)
		return SW_ERR_FORMAT;
	for (size_t i = 0; i < sizeof(methods) / sizeof(*methods); i++) {
		size_t len = strlen(methods[i].name);

		if (n > len && memcmp(line, methods[i].name, len) == 0) {
			head = len;
			q->method = methods[i].method;
		}
	}
	if (head == 0)
		return SW_ERR_UNSUPPORTED;
	line += head;
	n -= head;
	if ((version = memrchr(line, ' ', n)) == NULL)
		return SW_ERR_FORMAT;
	tail = n - (size_t)(version - line);
	if (tail != 9 || memcmp(version, " HTTP/1.", 8) != 0)
		return SW_ERR_UNSUPPORTED;
	q->close = version[8] == '0';
	return get_path(q, line, n - tail);
}

static int
get_length(const char *p, size_t n, size_t *len)
{
	if (n == 0 || n > 9)
		return SW_ERR_FORMAT;
	for (*len = 0; n > 0; p++, n--) {
		if (*p < '0' || *p > '9')
			return SW_ERR_FORMAT;
		*len = *len * 10 + (size_t)(*p - '0');
	}
	return SW_OK;
}

static int
get_header(struct httpreq *q, const char *line, size_t n, bool *sized)
{
	const char *colon = memchr(line, ':', n), *value;
	size_t name_len, len;

	if (colon == NULL || colon == line)
		return SW_ERR_FORMAT;
	name_len = (size_t)(colon - line);
	if (line[name_len - 1] == ' ' || line[0] == ' ' || line[0] == '\t')
		return SW_ERR_FORMAT;	/* folded, or ambiguous */
	value = colon + 1;
	n -= name_len + 1;
	while (n > 0 && (*value == ' ' || *value == '\t')) {
		value++;
		n--;
	}
	while (n > 0 && (value[n - 1] == ' ' || value[n - 1] == '\t'))
		n--;
	if (is_word(line, name_len, "Transfer-Encoding"))
		return SW_ERR_UNSUPPORTED;
	if (is_word(line, name_len, "Connection"))
		q->close |= has_word(value, n, "close");
	if (!is_word(line, name_len, "Content-Length"))
		return SW_OK;
	if (get_length(value, n, &len) != SW_OK ||
	    (*sized && len != q->body_len))
		return SW_ERR_FORMAT;
	*sized = true;
	q->body_len = len;
	return len > HTTPREQ_BODY_MAX ? SW_ERR_TOO_LONG : SW_OK;
}

static int
get_head(struct httpreq *q, struct rbuf *r)
{
	const char *line;
	bool sized = false;
	size_t n;
	int err;

	if ((err = get_line(r, &line, &n)) != SW_OK ||
	    (err = get_request_line(q, line, n)) != SW_OK)
		return err;
	while ((err = get_line(r, &line, &n)) == SW_OK && n > 0)
		if ((err = get_header(q, line, n, &sized)) != SW_OK)
			return err;
	return err;
}

int
httpreq_read(struct httpreq *q, const void *in, size_t n)
{
	struct rbuf r = { in, n < HTTPREQ_HEAD_MAX ? n : HTTPREQ_HEAD_MAX };
	size_t head;
	int err;

	memset(q, 0, sizeof(*q));
	err = get_head(q, &r);
	head = (size_t)(r.p - (const uint8_t *)in);
	if (err == SW_AGAIN && n >= HTTPREQ_HEAD_MAX)
		err = SW_ERR_TOO_LONG;
	if (err == SW_OK && n - head < q->body_len)
		err = SW_AGAIN;
	if (err != SW_OK) {
		memset(q, 0, sizeof(*q));
		return err;
	}
	q->body = (const char *)r.p;
	q->len = head + q->body_len;
	return SW_OK;
}
