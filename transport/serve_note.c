#include "transport/serve_note.h"

#include <stdio.h>

#include "base/log.h"

#define QUOTED_MAX 64			/* bytes of a user name in the log */

static const char *const kind_name[] = { "tcp", "tls", "iroh" };

/* The peer for filters that ban addresses; `-` for what is none. */
static const char *
ban_name(const struct serve_info *who, char buf[static SW_ADDR_TEXT_LEN])
{
	return who->has_addr ? addr_ip_text(&who->addr, buf) : "-";
}

/* A name in quotes, nothing in it that could end them or the line. */
static const char *
quote(const char *text, char out[static 4 * QUOTED_MAX + 3])
{
	char *p = out;
	size_t n = 0;

	*p++ = '"';
	for (; *text != '\0' && n < QUOTED_MAX; text++, n++) {
		unsigned char c = (unsigned char)*text;

		if (c < 0x20 || c > 0x7e || c == '"' || c == '\\')
			p += snprintf(p, 5, "\\x%02x", c);
		else
			*p++ = (char)c;
	}
	*p++ = '"';
	*p = '\0';
	return out;
}

void
serve_note_opened(const struct serve_info *who)
{
	char ip[SW_ADDR_TEXT_LEN];

	log_info("connection opened remote_addr=%s transport=%s",
	    ban_name(who, ip), kind_name[who->kind]);
}

void
serve_note_rejected(const struct serve_info *who, const char *why)
{
	char ip[SW_ADDR_TEXT_LEN];

	log_info("connection rejected remote_addr=%s transport=%s reason=\"%s\"",
	    ban_name(who, ip), kind_name[who->kind], why);
}

void
serve_note_timeout(const struct serve_info *who, const char *why)
{
	char ip[SW_ADDR_TEXT_LEN];

	log_info("auth timeout remote_addr=%s transport=%s reason=\"%s\"",
	    ban_name(who, ip), kind_name[who->kind], why);
}

void
serve_note_closed(const struct serve_info *who, bool logged_in, int64_t seconds,
    const char *why)
{
	char ip[SW_ADDR_TEXT_LEN];

	log_info("connection closed remote_addr=%s transport=%s login=%s "
	    "seconds=%lld reason=\"%s\"", ban_name(who, ip),
	    kind_name[who->kind], logged_in ? "yes" : "no", (long long)seconds,
	    why);
}

void
serve_note_attempt(char attempt[static SERVE_ATTEMPT_MAX],
    const struct serve_key *key, const char *user, const struct serve_login *in,
    bool good)
{
	char print[SERVE_FINGERPRINT_LEN], serial[48] = "";
	char quoted[4 * QUOTED_MAX + 3];

	serve_key_fingerprint(key, print);
	if (in->is_cert)
		snprintf(serial, sizeof(serial), " serial=%llu",
		    (unsigned long long)in->serial);
	snprintf(attempt, SERVE_ATTEMPT_MAX, "result=%s "
	    "key_fingerprint=%s%s%s%s%s user=%s", good ? "accept" : "reject",
	    print, serial, good ? "" : " reason=\"", good ? "" : in->why,
	    good ? "" : "\"", quote(user, quoted));
}

void
serve_note_login(const struct serve_info *who,
    char attempt[static SERVE_ATTEMPT_MAX])
{
	char ip[SW_ADDR_TEXT_LEN];

	if (attempt[0] != '\0')
		log_info("auth attempt remote_addr=%s %s", ban_name(who, ip),
		    attempt);
	attempt[0] = '\0';
}
