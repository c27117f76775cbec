#include "transport/ssh_text.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

/* Decimal digits at *p; moves past them.  No digit, or too many: false. */
static bool
take_number(const char **p, uint32_t *out)
{
	uint64_t v = 0;
	const char *s = *p;

	*out = 0;
	if (*s < '0' || *s > '9')
		return false;
	for (; *s >= '0' && *s <= '9'; s++) {
		v = v * 10 + (uint64_t)(*s - '0');
		if (v > UINT32_MAX)
			return false;
	}
	*p = s;
	*out = (uint32_t)v;
	return true;
}

static bool
take_word(const char **p, const char *word)
{
	size_t n = strlen(word);

	if (strncmp(*p, word, n) != 0)
		return false;
	*p += n;
	return true;
}

void
ssh_text_clean(char *words)
{
	for (unsigned char *p = (unsigned char *)words; *p != '\0'; p++) {
		/* C1 as UTF-8 has it; some terminals obey that as well. */
		if (*p == 0xc2 && p[1] >= 0x80 && p[1] <= 0x9f)
			*p = p[1] = '?';
		else if (*p < ' ' || *p == 0x7f)
			*p = '?';
	}
}

int
ssh_text_parse_failure(const char *line, uint32_t *channel, uint32_t *reason,
    const char **words)
{
	static const char lead[] = "hannel opening failure: channel ";
	const char *p = strstr(line, lead);

	*channel = *reason = 0;
	*words = "";
	if (p == NULL)
		return SW_ERR_FORMAT;
	p += sizeof(lead) - 1;
	if (!take_number(&p, channel) || !take_word(&p, " error (") ||
	    !take_number(&p, reason) || !take_word(&p, ")"))
		goto bad;
	*words = *p == ' ' ? p + 1 : p;
	return SW_OK;
bad:
	*channel = *reason = 0;
	return SW_ERR_FORMAT;
}

/*
 * The texts are the server's strerror() and gai_strerror(): glibc's, musl's
 * and the BSDs' wordings.  A phrase decides wherever it stands.
 */
static const struct {
	const char *phrase;
	int code;
} phrases[] = {
	{ "refused", SW_ERR_REFUSED },
	{ "no route to host", SW_ERR_UNREACH_HOST },
	{ "host is unreachable", SW_ERR_UNREACH_HOST },
	{ "host is down", SW_ERR_UNREACH_HOST },
	{ "network is unreachable", SW_ERR_UNREACH_NET },
	{ "network unreachable", SW_ERR_UNREACH_NET },
	{ "network is down", SW_ERR_UNREACH_NET },
	{ "timed out", SW_ERR_TIMEOUT },
	{ "timeout", SW_ERR_TIMEOUT },
	{ "reset by peer", SW_ERR_RESET },
	{ "unknown host", SW_ERR_NO_NAME },
	{ "not known", SW_ERR_NO_NAME },
	{ "not provided", SW_ERR_NO_NAME },
	{ "name does not resolve", SW_ERR_NO_NAME },
	{ "no address associated", SW_ERR_NO_NAME },
	{ "name resolution", SW_ERR_NO_NAME },
	{ "permission denied", SW_ERR_DENIED },
	{ "not permitted", SW_ERR_DENIED },
	{ "prohibited", SW_ERR_DENIED },
	{ "address family not supported", SW_ERR_UNREACH_NET },
	{ "cannot assign requested address", SW_ERR_UNREACH_NET },
	{ "too many open files", SW_ERR_LIMIT },
	{ "invalid argument", SW_ERR_UNREACH_HOST },
};

int
ssh_text_dial_error(uint32_t reason, const char *words)
{
	if (reason == 1)
		return SW_ERR_DENIED;
	if (reason == 3)		/* unknown channel type */
		return SW_ERR_DENIED;
	if (reason == 4)		/* resource shortage */
		return SW_ERR_LIMIT;
	for (size_t i = 0; i < sizeof(phrases) / sizeof(phrases[0]); i++)
		if (strcasestr(words, phrases[i].phrase) != NULL)
			return phrases[i].code;
	return SW_ERR_REFUSED;
}

/* An address token: up to a blank, a zone ("%eth0") ignored. */
static const char *
take_address(const char *p, struct sw_addr *out)
{
	char text[64];
	size_t n = strcspn(p, " \t%");
	const char *end = p + strcspn(p, " \t");

	memset(out, 0, sizeof(*out));
	if (n == 0 || n >= sizeof(text))
		return NULL;
	memcpy(text, p, n);
	text[n] = '\0';
	return addr_parse_ip(out, text) == SW_OK ? end : NULL;
}

static bool
parse_answer(const char *p, struct ssh_text_line *out)
{
	struct sw_addr a;

	if (!take_number(&p, &out->id) || (*p != ' ' && *p != '\0'))
		return false;
	/* Each address leads two or three words that cannot be addresses. */
	while (*p != '\0') {
		p += strspn(p, " \t");
		out->unknown = out->unknown || strcmp(p, "?") == 0;
		if (take_address(p, &a) != NULL) {
			bool *seen = addr_is_v4(&a) ? &out->v4 : &out->v6;
			struct sw_addr *first = addr_is_v4(&a) ? &out->first4 :
			    &out->first6;

			if (!*seen) {
				out->sole = !out->v4 && !out->v6;
				*first = a;
			} else if (!addr_same_ip(first, &a)) {
				out->sole = false;
			}
			*seen = true;
			out->v6_first = out->v6_first || !out->v4;
		}
		p += strcspn(p, " \t");
	}
	return true;
}

void
ssh_text_parse_line(const char *line, struct ssh_text_line *out)
{
	const char *p = line;

	memset(out, 0, sizeof(*out));
	if (take_word(&p, "smolwrap-names 1 ")) {
		out->kind = SSH_TEXT_HELLO;
		out->token = p;
	} else if (take_word(&p, "n ")) {
		p += strspn(p, " \t");
		if (take_address(p, &out->server) != NULL)
			out->kind = SSH_TEXT_NAMESERVER;
	} else if (strcmp(p, "-") == 0) {
		out->kind = SSH_TEXT_USELESS;
	} else if (strcmp(p, ".") == 0) {
		out->kind = SSH_TEXT_READY;
	} else if (parse_answer(p, out)) {
		out->kind = SSH_TEXT_ANSWER;
	} else {
		memset(out, 0, sizeof(*out));
	}
}
