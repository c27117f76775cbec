#include "mix/httpres.h"

#include <stdbool.h>
#include <stdint.h>
#include <string.h>
#include <strings.h>

#define LENGTH "content-length:"

static int
get_status(struct httpres *a, const char *line, size_t n)
{
	if (n < 12 || memcmp(line, "HTTP/1.", 7) != 0 || line[8] != ' ')
		return SW_ERR_FORMAT;
	for (int i = 9; i < 12; i++) {
		if (line[i] < '0' || line[i] > '9')
			return SW_ERR_FORMAT;
		a->status = a->status * 10 + (line[i] - '0');
	}
	return a->status >= 100 && (n == 12 || line[12] == ' ') ? SW_OK :
	    SW_ERR_FORMAT;
}

static int
get_length(struct httpres *a, const char *p, size_t n)
{
	size_t len = 0;

	while (n > 0 && (*p == ' ' || *p == '\t')) {
		p++;
		n--;
	}
	while (n > 0 && (p[n - 1] == ' ' || p[n - 1] == '\t'))
		n--;
	if (n == 0 || n > 9)
		return SW_ERR_FORMAT;
	for (; n > 0; p++, n--) {
		if (*p < '0' || *p > '9')
			return SW_ERR_FORMAT;
		len = len * 10 + (size_t)(*p - '0');
	}
	a->body_len = len;
	return len <= HTTPRES_BODY_MAX ? SW_OK : SW_ERR_TOO_LONG;
}

int
httpres_read(struct httpres *a, const void *in, size_t n)
{
	const char *begin = in, *p = begin, *end;
	size_t left = n < HTTPRES_HEAD_MAX ? n : HTTPRES_HEAD_MAX, len;
	bool first = true, sized = false;
	int r = SW_OK;

	memset(a, 0, sizeof(*a));
	for (; r == SW_OK; first = false) {
		if ((end = memchr(p, '\n', left)) == NULL) {
			r = n >= HTTPRES_HEAD_MAX ? SW_ERR_TOO_LONG : SW_AGAIN;
			break;
		}
		len = (size_t)(end - p);
		left -= len + 1;
		if (len > 0 && p[len - 1] == '\r')
			len--;
		if (first) {
			r = get_status(a, p, len);
		} else if (len == 0) {
			p = end + 1;
			break;
		} else if (len >= sizeof(LENGTH) - 1 &&
		    strncasecmp(p, LENGTH, sizeof(LENGTH) - 1) == 0) {
			r = sized ? SW_ERR_FORMAT : get_length(a,
			    p + sizeof(LENGTH) - 1, len - sizeof(LENGTH) + 1);
			sized = true;
		}
		p = end + 1;
	}
	if (r == SW_OK && !sized)
		r = SW_ERR_UNSUPPORTED;
	if (r == SW_OK && n - (size_t)(p - begin) < a->body_len)
		r = SW_AGAIN;
	if (r != SW_OK) {
		memset(a, 0, sizeof(*a));
		return r;
	}
	a->body = p;
	a->len = (size_t)(p - begin) + a->body_len;
	return SW_OK;
}
