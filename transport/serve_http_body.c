#include "transport/serve_http.h"

#include <ctype.h>

/* The next byte of a chunked body (RFC 9112 section 7.1). */
static int
take_byte(struct serve_http_body *b, char c)
{
	switch (b->at) {
	case SERVE_HTTP_SIZE:
		if (isxdigit((unsigned char)c)) {
			if (b->left >> 40 != 0)
				return SW_ERR_FORMAT;
			b->left = b->left * 16 + (unsigned)(isdigit((unsigned char)c)
			    ? c - '0' : (c | 0x20) - 'a' + 10);
			b->digits = true;
			return SW_OK;
		}
		if (!b->digits)
			return SW_ERR_FORMAT;
		b->at = SERVE_HTTP_EXTENSION;
		/* fall through */
	case SERVE_HTTP_EXTENSION:
		if (c != '\n')
			return SW_OK;
		b->digits = false;
		b->at = b->left > 0 ? SERVE_HTTP_DATA : SERVE_HTTP_TRAILER;
		return SW_OK;
	case SERVE_HTTP_DATA:
		if (--b->left == 0)
			b->at = SERVE_HTTP_DATA_END;
		return SW_OK;
	case SERVE_HTTP_DATA_END:
		if (c == '\n')
			b->at = SERVE_HTTP_SIZE;
		return c == '\n' || c == '\r' ? SW_OK : SW_ERR_FORMAT;
	case SERVE_HTTP_TRAILER:	/* at the beginning of a line */
		if (c == '\n')
			b->kind = SERVE_HTTP_NO_BODY;
		else if (c != '\r')
			b->at = SERVE_HTTP_LINE;
		return SW_OK;
	case SERVE_HTTP_LINE:
		if (c == '\n')
			b->at = SERVE_HTTP_TRAILER;
		return SW_OK;
	}
	return SW_ERR_FORMAT;
}

int
serve_http_body_skip(struct serve_http_body *b, const char *p, size_t len,
    size_t *used)
{
	size_t n = 0;
	int r = SW_OK;

	if (b->kind == SERVE_HTTP_COUNTED) {
		n = b->left < len ? (size_t)b->left : len;
		b->left -= n;
		if (b->left == 0)
			b->kind = SERVE_HTTP_NO_BODY;
	}
	while (b->kind == SERVE_HTTP_CHUNKED && n < len && r == SW_OK)
		r = take_byte(b, p[n++]);
	*used = n;
	return r;
}
