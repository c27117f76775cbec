#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/wipe.h"
#include "mix/identity.h"
#include "mix/prim.h"

static const char first_line[] = "smolwrap mix identity 1";

void
identity_make(struct identity *id, struct rng *rng)
{
	memset(id, 0, sizeof(*id));
	rng_fill(rng, &id->keys, sizeof(id->keys));
}

const struct mixtunnel_registration *
identity_find(const struct identity *id,
    const uint8_t gateway[static NYM_KEY_LEN])
{
	for (size_t i = 0; i < id->n; i++)
		if (memcmp(id->known[i].gateway, gateway, NYM_KEY_LEN) == 0)
			return &id->known[i];
	return NULL;
}

/* The newest comes last. */
void
identity_remember(struct identity *id, const struct mixtunnel_registration *r)
{
	const struct mixtunnel_registration *old = identity_find(id,
	    r->gateway);
	size_t at = old != NULL ? (size_t)(old - id->known) : 0;

	if (old != NULL || id->n == IDENTITY_GATEWAYS) {
		id->n--;
		memmove(&id->known[at], &id->known[at + 1],
		    (id->n - at) * sizeof(*id->known));
	}
	id->known[id->n++] = *r;
}

static size_t
put_secret(char *out, size_t room, const char *name, const uint8_t *p,
    size_t n)
{
	char text[PRIM_BASE64_LEN(32)];
	int len;

	prim_base64_encode(text, p, n);
	len = snprintf(out, room, "%s %s\n", name, text);
	sw_wipe(text, sizeof(text));
	return (size_t)len;
}

size_t
identity_format(const struct identity *id, char out[static IDENTITY_TEXT_MAX])
{
	size_t at = (size_t)snprintf(out, IDENTITY_TEXT_MAX, "%s\n",
	    first_line);
	char gateway[BASE58_TEXT_LEN(NYM_KEY_LEN)],
	    key[PRIM_BASE64_LEN(GWLINK_KEY_LEN)];

	at += put_secret(out + at, IDENTITY_TEXT_MAX - at, "identity",
	    id->keys.identity, sizeof(id->keys.identity));
	at += put_secret(out + at, IDENTITY_TEXT_MAX - at, "encryption",
	    id->keys.encryption, sizeof(id->keys.encryption));
	at += put_secret(out + at, IDENTITY_TEXT_MAX - at, "ack",
	    id->keys.ack, sizeof(id->keys.ack));
	for (size_t i = 0; i < id->n; i++) {
		base58_encode(gateway, id->known[i].gateway, NYM_KEY_LEN);
		prim_base64_encode(key, id->known[i].key, GWLINK_KEY_LEN);
		at += (size_t)snprintf(out + at, IDENTITY_TEXT_MAX - at,
		    "gateway %s %s %llu\n", gateway, key,
		    (unsigned long long)id->known[i].last_auth);
	}
	sw_wipe(key, sizeof(key));
	return at;
}

/* The next line, without its end, as a string in the caller's text. */
static char *
next_line(char **at)
{
	char *line = *at, *end = strchr(line, '\n');

	if (end == NULL)
		return NULL;
	*end = '\0';
	*at = end + 1;
	return line;
}

static bool
get_secret(char **at, const char *name, uint8_t *out, size_t n)
{
	char *line = next_line(at);
	size_t len = strlen(name);

	return line != NULL && strncmp(line, name, len) == 0 &&
	    line[len] == ' ' && prim_base64_decode(out, n, line + len + 1,
	    strlen(line + len + 1)) == SW_OK;
}

static bool
get_gateway(char *line, struct mixtunnel_registration *r)
{
	char *id, *key, *number, *end, *rest = line;

	if (strcmp(strsep(&rest, " "), "gateway") != 0 ||
	    (id = strsep(&rest, " ")) == NULL ||
	    (key = strsep(&rest, " ")) == NULL ||
	    (number = rest) == NULL || *number < '0' || *number > '9')
		return false;
	r->last_auth = strtoull(number, &end, 10);
	return *end == '\0' && base58_decode(r->gateway, NYM_KEY_LEN, id,
	    strlen(id)) == SW_OK && prim_base64_decode(r->key,
	    GWLINK_KEY_LEN, key, strlen(key)) == SW_OK;
}

static bool
parse(struct identity *id, char *text)
{
	char *line = next_line(&text);

	if (line == NULL || strcmp(line, first_line) != 0 ||
	    !get_secret(&text, "identity", id->keys.identity,
	    sizeof(id->keys.identity)) ||
	    !get_secret(&text, "encryption", id->keys.encryption,
	    sizeof(id->keys.encryption)) ||
	    !get_secret(&text, "ack", id->keys.ack, sizeof(id->keys.ack)))
		return false;
	while ((line = next_line(&text)) != NULL) {
		if (id->n == IDENTITY_GATEWAYS ||
		    !get_gateway(line, &id->known[id->n]))
			return false;
		id->n++;
	}
	return *text == '\0';
}

int
identity_parse(struct identity *id, const char *text, size_t n)
{
	char copy[IDENTITY_TEXT_MAX];
	bool ok;

	memset(id, 0, sizeof(*id));
	if (n >= sizeof(copy) || memchr(text, '\0', n) != NULL)
		return SW_ERR_FORMAT;
	memcpy(copy, text, n);
	copy[n] = '\0';
	ok = parse(id, copy);
	sw_wipe(copy, sizeof(copy));
	if (ok)
		return SW_OK;
	sw_wipe(id, sizeof(*id));
	return SW_ERR_FORMAT;
}
