#include "stack/dns_name.h"

#define JUMPS_MAX 32

static bool
is_plain(uint8_t c)
{
	return c > ' ' && c < 127 && c != '.' && c != '\\';
}

/* Append one label to text of *at bytes. */
static int
put_label(const uint8_t *label, size_t n, char text[static DNS_NAME_TEXT_MAX],
    size_t *at)
{
	size_t i = *at;

	/* Worst case: a dot and four characters for each byte, and the NUL. */
	if (n * 4 + 2 > DNS_NAME_TEXT_MAX - i)
		return SW_ERR_TOO_LONG;
	if (i > 0)
		text[i++] = '.';
	for (size_t k = 0; k < n; k++) {
		if (is_plain(label[k])) {
			text[i++] = (char)label[k];
			continue;
		}
		text[i++] = '\\';
		text[i++] = (char)('0' + label[k] / 100);
		text[i++] = (char)('0' + label[k] / 10 % 10);
		text[i++] = (char)('0' + label[k] % 10);
	}
	text[i] = '\0';
	*at = i;
	return SW_OK;
}

int
dns_get_name(struct rbuf *r, const struct rbuf *whole,
    char text[static DNS_NAME_TEXT_MAX])
{
	struct rbuf at = *r;
	size_t used = 0, wire = 0;
	int jumps = 0;
	bool jumped = false;
	int e;

	text[0] = '\0';
	for (;;) {
		const uint8_t *label, *here = at.p;
		uint8_t n, low;

		if ((e = wire_get_u8(&at, &n)) != SW_OK)
			return e;
		if ((n & 0xc0) == 0xc0) {
			size_t to;

			if ((e = wire_get_u8(&at, &low)) != SW_OK)
				return e;
			to = (size_t)(n & 0x3f) << 8 | low;
			if (!jumped)
				*r = at;
			jumped = true;
			if (whole == NULL || ++jumps > JUMPS_MAX ||
			    to >= (size_t)(here - whole->p))
				return SW_ERR_FORMAT;
			at.p = whole->p + to;
			at.left = whole->left - to;
			continue;
		}
		if (n > 63)
			return SW_ERR_FORMAT;
		if ((wire += (size_t)n + 1) > DNS_NAME_WIRE_MAX)
			return SW_ERR_TOO_LONG;
		if (n == 0)
			break;
		if ((e = wire_get_ref(&at, n, &label)) != SW_OK ||
		    (e = put_label(label, n, text, &used)) != SW_OK)
			return e;
	}
	if (!jumped)
		*r = at;
	return SW_OK;
}

/* The value of "\DDD" or of a plain character; moves past it.  -1: bad. */
static int
get_text_byte(const char **p)
{
	const char *s = *p;
	int v = 0;

	if (*s != '\\') {
		*p = s + 1;
		return (uint8_t)*s;
	}
	for (int k = 1; k <= 3; k++) {
		if (s[k] < '0' || s[k] > '9')
			return -1;
		v = v * 10 + (s[k] - '0');
	}
	*p = s + 4;
	return v > 255 ? -1 : v;
}

int
dns_put_name(struct wbuf *w, const char *text)
{
	size_t wire = 1;
	int e;

	while (*text != '\0') {
		uint8_t label[63];
		size_t n = 0;

		while (*text != '\0' && *text != '.') {
			int v = get_text_byte(&text);

			if (v < 0 || n == sizeof(label))
				return SW_ERR_FORMAT;
			label[n++] = (uint8_t)v;
		}
		if (n == 0 || (wire += n + 1) > DNS_NAME_WIRE_MAX)
			return SW_ERR_FORMAT;
		if (*text == '.')
			text++;
		if ((e = wire_put_u8(w, (uint8_t)n)) != SW_OK ||
		    (e = wire_put_bytes(w, label, n)) != SW_OK)
			return e;
	}
	return wire_put_u8(w, 0);
}
