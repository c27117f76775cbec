#include "transport/iroh_id.h"

#include <stdbool.h>
#include <string.h>

#include "base/wire.h"

static const char rfc4648[] = "abcdefghijklmnopqrstuvwxyz234567";
static const char zbase32[] = "ybndrfg8ejkmcpqxot1uwisza345h769";

static size_t
encode(const char *alphabet, char *out, const uint8_t *in, size_t n)
{
	uint32_t acc = 0;
	size_t len = 0;
	unsigned bits = 0;

	for (size_t i = 0; i < n; i++) {
		acc = acc << 8 | in[i];
		for (bits += 8; bits >= 5; bits -= 5)
			out[len++] = alphabet[acc >> (bits - 5) & 31];
	}
	if (bits > 0)
		out[len++] = alphabet[acc << (5 - bits) & 31];
	out[len] = '\0';
	return len;
}

/* The value of a letter in either case, or -1. */
static int
letter(const char *alphabet, char c)
{
	const char *at;

	if (c >= 'A' && c <= 'Z')
		c = (char)(c + ('a' - 'A'));
	at = c == '\0' ? NULL : strchr(alphabet, c);
	return at == NULL ? -1 : (int)(at - alphabet);
}

static int
decode(const char *alphabet, uint8_t *out, size_t cap, size_t *n,
    const char *text, size_t len)
{
	uint32_t acc = 0;
	size_t got = 0;
	unsigned bits = 0;

	*n = 0;
	for (size_t i = 0; i < len; i++) {
		int v = letter(alphabet, text[i]);

		if (v < 0)
			return SW_ERR_FORMAT;
		acc = acc << 5 | (uint32_t)v;
		bits += 5;
		if (bits < 8)
			continue;
		if (got == cap)
			return SW_ERR_TOO_LONG;
		bits -= 8;
		out[got++] = (uint8_t)(acc >> bits);
	}
	/* At most four bits may be over, and they carry nothing. */
	if (bits >= 5 || (acc & ((1u << bits) - 1)) != 0)
		return SW_ERR_FORMAT;
	*n = got;
	return SW_OK;
}

size_t
base32_encode(char *out, const uint8_t *in, size_t n)
{
	return encode(rfc4648, out, in, n);
}

int
base32_decode(uint8_t *out, size_t cap, size_t *n, const char *text, size_t len)
{
	return decode(rfc4648, out, cap, n, text, len);
}

const char *
iroh_id_text(const struct iroh_id *id, char buf[static IROH_ID_TEXT_LEN])
{
	static const char digits[] = "0123456789abcdef";

	for (size_t i = 0; i < IROH_ID_LEN; i++) {
		buf[2 * i] = digits[id->key[i] >> 4];
		buf[2 * i + 1] = digits[id->key[i] & 15];
	}
	buf[IROH_ID_TEXT_LEN - 1] = '\0';
	return buf;
}

const char *
iroh_id_z32(const struct iroh_id *id, char buf[static IROH_ID_Z32_LEN])
{
	encode(zbase32, buf, id->key, IROH_ID_LEN);
	return buf;
}

static int
parse_hex(struct iroh_id *out, const char *text)
{
	static const char digits[] = "0123456789abcdef";

	for (size_t i = 0; i < IROH_ID_LEN; i++) {
		int hi = letter(digits, text[2 * i]);
		int lo = letter(digits, text[2 * i + 1]);

		if (hi < 0 || lo < 0)
			return SW_ERR_FORMAT;
		out->key[i] = (uint8_t)(hi << 4 | lo);
	}
	return SW_OK;
}

int
iroh_id_parse(struct iroh_id *out, const char *text, size_t n)
{
	int r = SW_ERR_FORMAT;
	size_t got;

	if (n == IROH_ID_TEXT_LEN - 1)
		r = parse_hex(out, text);
	else if (n == IROH_ID_Z32_LEN - 1) {
		r = decode(rfc4648, out->key, IROH_ID_LEN, &got, text, n);
		if (r != SW_OK)
			r = decode(zbase32, out->key, IROH_ID_LEN, &got, text,
			    n);
	}
	if (r != SW_OK) {
		memset(out, 0, sizeof(*out));
		return SW_ERR_FORMAT;
	}
	return SW_OK;
}
