#include "transport/serve_hostkey.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/wipe.h"
#include "transport/serve_cipher.h"
#include "transport/serve_wire.h"

#define BEGIN "-----BEGIN OPENSSH PRIVATE KEY-----"
#define END "-----END OPENSSH PRIVATE KEY-----"
#define MAGIC "openssh-key-v1"		/* its NUL belongs to it */
#define FILE_MAX_LEN 16384
#define TEXT_WIDTH 70

static void
copy_bytes(struct wbuf *w, const void *p, size_t n)
{
	if (wire_put_bytes(w, p, n) != SW_OK)
		abort();		/* every size here is fixed */
}

static void
put_string(struct wbuf *w, const void *p, size_t n)
{
	if (serve_put_string(w, p, n) != SW_OK)
		abort();
}

/* ---- reading ---- */

static int
get_private(struct rbuf *r, struct serve_hostkey *k)
{
	uint8_t check[8];
	struct serve_bytes type, pk, sk, comment;

	if (wire_get_bytes(r, check, 8) != SW_OK ||
	    memcmp(check, check + 4, 4) != 0 ||
	    serve_get_string(r, &type) != SW_OK)
		return SW_ERR_FORMAT;
	if (!serve_is_text(type, serve_key_name(SERVE_KEY_ED25519)))
		return SW_ERR_UNSUPPORTED;
	if (serve_get_string(r, &pk) != SW_OK || pk.len != 32 ||
	    serve_get_string(r, &sk) != SW_OK || sk.len != 64 ||
	    serve_get_string(r, &comment) != SW_OK ||
	    memcmp(sk.p + 32, pk.p, 32) != 0)
		return SW_ERR_FORMAT;
	memcpy(k->pk, pk.p, 32);
	memcpy(k->sk, sk.p, 64);
	return SW_OK;
}

static int
parse_blob(struct serve_hostkey *k, const uint8_t *blob, size_t len)
{
	struct rbuf r = { blob, len };
	struct serve_bytes cipher, kdf, options, pub, inner;
	const uint8_t *magic;
	uint32_t n;

	if (wire_get_ref(&r, sizeof(MAGIC), &magic) != SW_OK ||
	    memcmp(magic, MAGIC, sizeof(MAGIC)) != 0 ||
	    serve_get_string(&r, &cipher) != SW_OK ||
	    serve_get_string(&r, &kdf) != SW_OK ||
	    serve_get_string(&r, &options) != SW_OK ||
	    wire_get_u32be(&r, &n) != SW_OK || n != 1 ||
	    serve_get_string(&r, &pub) != SW_OK ||
	    serve_get_string(&r, &inner) != SW_OK)
		return SW_ERR_FORMAT;
	if (!serve_is_text(cipher, "none"))
		return SW_ERR_UNSUPPORTED;
	r = (struct rbuf){ inner.p, inner.len };
	return get_private(&r, k);
}

int
serve_hostkey_parse(struct serve_hostkey *k, const char *text, size_t len)
{
	const char *begin = memmem(text, len, BEGIN, sizeof(BEGIN) - 1), *end;
	uint8_t blob[FILE_MAX_LEN];
	char packed[FILE_MAX_LEN];
	size_t n = 0;
	int r = SW_ERR_FORMAT;

	memset(k, 0, sizeof(*k));
	if (begin == NULL || len > FILE_MAX_LEN)
		return SW_ERR_FORMAT;
	begin += sizeof(BEGIN) - 1;
	end = memmem(begin, (size_t)(text + len - begin), END, sizeof(END) - 1);
	if (end == NULL)
		return SW_ERR_FORMAT;
	for (; begin < end; begin++)
		if (*begin != '\n' && *begin != '\r' && *begin != ' ')
			packed[n++] = *begin;
	n = serve_key_decode64(packed, n, blob, sizeof(blob));
	if (n > 0)
		r = parse_blob(k, blob, n);
	sw_wipe(blob, sizeof(blob));
	sw_wipe(packed, sizeof(packed));
	return r;
}

/* ---- writing ---- */

static size_t
public_blob(const struct serve_hostkey *k, uint8_t out[static 64])
{
	struct wbuf w = { out, 64 };
	const char *name = serve_key_name(SERVE_KEY_ED25519);

	put_string(&w, name, strlen(name));
	put_string(&w, k->pk, 32);
	return 64 - w.left;
}

size_t
serve_hostkey_write(const struct serve_hostkey *k, char *out, size_t cap)
{
	static const char name[] = "ssh-ed25519", comment[] = "smolserve";
	uint8_t blob[320], inner[192], pub[64];
	struct wbuf in = { inner, sizeof(inner) }, w = { blob, sizeof(blob) };
	char text[512];
	uint32_t check;
	size_t n, at = 0;

	serve_random(&check, sizeof(check));
	copy_bytes(&in, &check, 4);
	copy_bytes(&in, &check, 4);
	put_string(&in, name, sizeof(name) - 1);
	put_string(&in, k->pk, 32);
	put_string(&in, k->sk, 64);
	put_string(&in, comment, sizeof(comment) - 1);
	for (uint8_t i = 1; (sizeof(inner) - in.left) % 8 != 0; i++)
		copy_bytes(&in, &i, 1);
	copy_bytes(&w, MAGIC, sizeof(MAGIC));
	put_string(&w, "none", 4);
	put_string(&w, "none", 4);
	put_string(&w, "", 0);
	copy_bytes(&w, "\0\0\0\1", 4);
	n = public_blob(k, pub);
	put_string(&w, pub, n);
	put_string(&w, inner, sizeof(inner) - in.left);
	serve_key_encode64(blob, sizeof(blob) - w.left, text, sizeof(text));
	n = strlen(text);
	if (cap < n + n / TEXT_WIDTH + sizeof(BEGIN) + sizeof(END) + 4)
		abort();
	at += (size_t)snprintf(out, cap, "%s\n", BEGIN);
	for (size_t i = 0; i < n; i += TEXT_WIDTH)
		at += (size_t)snprintf(out + at, cap - at, "%.*s\n", TEXT_WIDTH,
		    text + i);
	at += (size_t)snprintf(out + at, cap - at, "%s\n", END);
	sw_wipe(blob, sizeof(blob));
	sw_wipe(inner, sizeof(inner));
	sw_wipe(text, sizeof(text));
	return at;
}

void
serve_hostkey_fingerprint(const struct serve_hostkey *k,
    char out[static SERVE_FINGERPRINT_LEN])
{
	uint8_t pub[64];
	size_t n = public_blob(k, pub);
	struct serve_key key;

	if (serve_key_parse(&key, pub, n) != SW_OK)
		abort();
	serve_key_fingerprint(&key, out);
}

void
serve_hostkey_line(const struct serve_hostkey *k,
    char out[static SERVE_HOSTKEY_LINE])
{
	uint8_t pub[64];
	size_t n = public_blob(k, pub);
	char text[80];

	serve_key_encode64(pub, n, text, sizeof(text));
	snprintf(out, SERVE_HOSTKEY_LINE, "ssh-ed25519 %s", text);
}

void
serve_hostkey_wipe(struct serve_hostkey *k)
{
	sw_wipe(k, sizeof(*k));
}

/* ---- files ---- */

static int
say(char why[static 256], const char *what, const char *path)
{
	snprintf(why, 256, "could not %s host key file \"%.150s\": %s", what,
	    path, strerror(errno));
	return SW_ERR_SYS;
}

static int
read_key(struct serve_hostkey *k, int fd, const char *path,
    char why[static 256])
{
	char text[FILE_MAX_LEN + 1];
	struct stat st;
	ssize_t n = read(fd, text, sizeof(text));
	int r;

	if (n < 0 || fstat(fd, &st) != 0)
		return say(why, "read", path);
	if ((st.st_mode & 077) != 0) {
		snprintf(why, 256, "host key file \"%.150s\" is open to others; "
		    "run: chmod 600 on it", path);
		r = SW_ERR_FORMAT;
	} else if ((r = serve_hostkey_parse(k, text, (size_t)n)) != SW_OK) {
		snprintf(why, 256, "host key file \"%.120s\" has no Ed25519 key "
		    "in OpenSSH's format without a passphrase; make one with: "
		    "ssh-keygen -t ed25519 -N ''", path);
	}
	sw_wipe(text, sizeof(text));
	return r;
}

static int
make_key(struct serve_hostkey *k, const char *path, char why[static 256])
{
	char part[4096], text[1024];
	size_t n, done = 0;
	int fd;

	if ((size_t)snprintf(part, sizeof(part), "%s.new", path) >= sizeof(part)) {
		errno = ENAMETOOLONG;
		return say(why, "write", path);
	}
	(void)unlink(part);
	fd = open(part, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (fd < 0)
		return say(why, "write", path);
	serve_sign_keypair(k->pk, k->sk);
	n = serve_hostkey_write(k, text, sizeof(text));
	while (done < n) {
		ssize_t w = write(fd, text + done, n - done);

		if (w <= 0)
			break;
		done += (size_t)w;
	}
	sw_wipe(text, sizeof(text));
	if (done < n || fsync(fd) != 0 || close(fd) != 0 ||
	    rename(part, path) != 0) {
		(void)say(why, "write", path);
		(void)unlink(part);
		return SW_ERR_SYS;
	}
	return SW_OK;
}

int
serve_hostkey_load(struct serve_hostkey *k, const char *path, bool create,
    bool *made, char why[static 256])
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY), r;

	*made = false;
	if (fd < 0 && errno == ENOENT && create) {
		*made = true;
		return make_key(k, path, why);
	}
	if (fd < 0)
		return say(why, "open", path);
	r = read_key(k, fd, path, why);
	close(fd);
	return r;
}
