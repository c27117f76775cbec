#include "mix/smolnode_keys.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/wipe.h"

#define HEAD "smolnode keys 1"

static int
say(const char *what, const char *path, const char *why)
{
	fprintf(stderr, "smolnode: %s key file \"%s\": %s\n", what, path, why);
	return SW_ERR_CONFIG;
}

static void
put_hex(char **at, const char *name, const void *key, size_t n)
{
	const uint8_t *p = key;

	*at += sprintf(*at, "%s ", name);
	for (size_t i = 0; i < n; i++)
		*at += sprintf(*at, "%02x", p[i]);
	*at += sprintf(*at, "\n");
}

static int
write_file(const char *path, const char *text, size_t n)
{
	char tmp[4096];
	int fd, r = SW_ERR_SYS;

	if (snprintf(tmp, sizeof(tmp), "%s.new", path) >= (int)sizeof(tmp))
		return say("could not write", path, "its name is too long");
	unlink(tmp);			/* of a crash, perhaps */
	fd = open(tmp, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (fd >= 0 && write(fd, text, n) == (ssize_t)n && fsync(fd) == 0)
		r = SW_OK;
	if (fd >= 0 && close(fd) != 0)
		r = SW_ERR_SYS;
	if (r == SW_OK && rename(tmp, path) != 0)
		r = SW_ERR_SYS;
	if (r != SW_OK) {
		say("could not write", path, strerror(errno));
		unlink(tmp);
	}
	return r;
}

size_t
smolnode_keys_format(const struct smolnode_keys *k,
    char text[static SMOLNODE_KEYS_TEXT])
{
	char *at = text, name[32];

	at += sprintf(at, "%s\n", HEAD);
	put_hex(&at, "identity", k->identity, sizeof(k->identity));
	put_hex(&at, "noise", k->noise, sizeof(k->noise));
	put_hex(&at, "router", &k->router, sizeof(k->router));
	for (size_t i = 0; i < k->n_sphinx; i++) {
		snprintf(name, sizeof(name), "sphinx %u",
		    k->sphinx[i].rotation_id);
		put_hex(&at, name, k->sphinx[i].key, sizeof(k->sphinx[i].key));
	}
	return (size_t)(at - text);
}

int
smolnode_keys_save(const struct smolnode_keys *k, const char *path)
{
	char text[SMOLNODE_KEYS_TEXT];
	int r = write_file(path, text, smolnode_keys_format(k, text));

	sw_wipe(text, sizeof(text));
	return r;
}

static int
digit(char c)
{
	return c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ?
	    c - 'a' + 10 : -1;
}

/* Exactly n bytes and the end of the line; *at moves behind it. */
static int
get_hex(const char **at, void *key, size_t n)
{
	uint8_t *out = key;

	for (size_t i = 0; i < n; i++, *at += 2) {
		int hi = digit((*at)[0]), lo = hi < 0 ? -1 : digit((*at)[1]);

		if (lo < 0)
			return SW_ERR_FORMAT;
		out[i] = (uint8_t)(hi << 4 | lo);
	}
	return *(*at)++ == '\n' ? SW_OK : SW_ERR_FORMAT;
}

static bool
skip(const char **at, const char *word)
{
	size_t n = strlen(word);

	if (strncmp(*at, word, n) != 0)
		return false;
	*at += n;
	return true;
}

static int
read_text(struct smolnode_keys *k, const char *at)
{
	unsigned long id;
	char *end;

	if (!skip(&at, HEAD "\n") || !skip(&at, "identity ") ||
	    get_hex(&at, k->identity, sizeof(k->identity)) != SW_OK ||
	    !skip(&at, "noise ") ||
	    get_hex(&at, k->noise, sizeof(k->noise)) != SW_OK ||
	    !skip(&at, "router ") ||
	    get_hex(&at, &k->router, sizeof(k->router)) != SW_OK)
		return SW_ERR_FORMAT;
	while (skip(&at, "sphinx ")) {
		id = strtoul(at, &end, 10);
		if (k->n_sphinx == SMOLNODE_SPHINX_KEYS || *at < '0' ||
		    *at > '9' || *end != ' ' || id > UINT32_MAX)
			return SW_ERR_FORMAT;
		at = end + 1;
		k->sphinx[k->n_sphinx].rotation_id = (uint32_t)id;
		if (get_hex(&at, k->sphinx[k->n_sphinx].key,
		    X25519_KEY_LEN) != SW_OK)
			return SW_ERR_FORMAT;
		k->n_sphinx++;
	}
	return *at == '\0' ? SW_OK : SW_ERR_FORMAT;
}

int
smolnode_keys_parse(struct smolnode_keys *k, const char *text, size_t n)
{
	int r = SW_ERR_FORMAT;

	memset(k, 0, sizeof(*k));
	if (strlen(text) == n)
		r = read_text(k, text);
	if (r != SW_OK)
		sw_wipe(k, sizeof(*k));
	return r;
}

static int
read_fd(struct smolnode_keys *k, int fd, const char *path)
{
	char text[SMOLNODE_KEYS_TEXT];
	struct stat st;
	ssize_t n;
	int r;

	if (fstat(fd, &st) != 0)
		return say("could not read", path, strerror(errno));
	if (!S_ISREG(st.st_mode) || (st.st_mode & 077) != 0 ||
	    st.st_uid != geteuid())
		return say("refused", path,
		    "it has to be yours, and nobody else's to read (chmod 600)");
	n = read(fd, text, sizeof(text) - 1);
	if (n < 0)
		return say("could not read", path, strerror(errno));
	text[n] = '\0';
	r = smolnode_keys_parse(k, text, (size_t)n);
	sw_wipe(text, sizeof(text));
	return r == SW_OK ? SW_OK : say("cannot read", path,
	    "it is no key file of smolnode, or it is damaged");
}

int
smolnode_keys_open(struct smolnode_keys *k, const char *path, struct rng *rng)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW), r;

	memset(k, 0, sizeof(*k));
	if (fd >= 0) {
		r = read_fd(k, fd, path);
		close(fd);
		return r;
	}
	if (errno != ENOENT)
		return say("could not open", path, strerror(errno));
	rng_fill(rng, k->identity, sizeof(k->identity));
	rng_fill(rng, k->noise, sizeof(k->noise));
	rng_fill(rng, &k->router, sizeof(k->router));
	return smolnode_keys_save(k, path);
}

const uint8_t *
smolnode_keys_find(const struct smolnode_keys *k, uint32_t rotation_id)
{
	for (size_t i = 0; i < k->n_sphinx; i++)
		if (k->sphinx[i].rotation_id == rotation_id)
			return k->sphinx[i].key;
	return NULL;
}

void
smolnode_keys_add(struct smolnode_keys *k, uint32_t rotation_id,
    struct rng *rng)
{
	if (k->n_sphinx == SMOLNODE_SPHINX_KEYS) {
		memmove(&k->sphinx[0], &k->sphinx[1],
		    sizeof(k->sphinx) - sizeof(k->sphinx[0]));
		k->n_sphinx--;
	}
	k->sphinx[k->n_sphinx].rotation_id = rotation_id;
	rng_fill(rng, k->sphinx[k->n_sphinx].key, X25519_KEY_LEN);
	k->n_sphinx++;
}
