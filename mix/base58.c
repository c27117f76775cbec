#include "mix/base58.h"

#include <assert.h>
#include <string.h>

static const char alphabet[] =
    "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz";

/* Digits are kept least significant first.  A leading zero byte, which has
 * no digits, is written as one '1'. */
size_t
base58_encode(char *out, const uint8_t *in, size_t n)
{
	uint8_t digit[BASE58_TEXT_LEN(BASE58_MAX_BYTES)];
	size_t zeros = 0, len = 0, at = 0;

	assert(n <= BASE58_MAX_BYTES);
	while (zeros < n && in[zeros] == 0)
		zeros++;
	for (size_t i = zeros; i < n; i++) {
		unsigned carry = in[i];

		for (size_t j = 0; j < len; j++) {
			carry += (unsigned)digit[j] << 8;
			digit[j] = (uint8_t)(carry % 58);
			carry /= 58;
		}
		for (; carry > 0; carry /= 58)
			digit[len++] = (uint8_t)(carry % 58);
	}
	for (size_t i = 0; i < zeros; i++)
		out[at++] = alphabet[0];
	while (len > 0)
		out[at++] = alphabet[digit[--len]];
	out[at] = '\0';
	return at;
}

int
base58_decode(uint8_t *out, size_t n, const char *text, size_t len)
{
	uint8_t byte[BASE58_MAX_BYTES];		/* least significant first */
	size_t zeros = 0, used = 0;

	assert(n <= BASE58_MAX_BYTES);
	memset(out, 0, n);
	while (zeros < len && text[zeros] == alphabet[0])
		zeros++;
	for (size_t i = zeros; i < len; i++) {
		const char *c = text[i] == '\0' ? NULL :
		    strchr(alphabet, text[i]);
		unsigned carry;

		if (c == NULL)
			return SW_ERR_FORMAT;
		carry = (unsigned)(c - alphabet);
		for (size_t j = 0; j < used; j++) {
			carry += byte[j] * 58u;
			byte[j] = (uint8_t)carry;
			carry >>= 8;
		}
		if (carry > 0) {
			if (used == n)
				return SW_ERR_FORMAT;
			byte[used++] = (uint8_t)carry;
		}
	}
	if (zeros + used != n)
		return SW_ERR_FORMAT;
	for (size_t i = 0; i < used; i++)
		out[n - 1 - i] = byte[i];
	return SW_OK;
}
