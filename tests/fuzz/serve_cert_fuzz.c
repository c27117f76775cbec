/*
 * Keys and certificates.  byte 0, bit 0: the rest is a key blob as it comes.
 * Else it is what stands between a certificate's serial number and its
 * authority's key, and we sign it: so everything behind the signature check is
 * reached too.
 */
#include "tests/fuzz/fuzz.h"

#include <stdlib.h>
#include <string.h>

#include "transport/serve_cert.h"
#include "transport/serve_cipher.h"

#define ROOM 16384

static void
put(struct wbuf *w, const void *p, size_t n)
{
	if (serve_put_string(w, p, n) != SW_OK)
		abort();
}

static size_t
make_cert(uint8_t out[static ROOM], const uint8_t *middle, size_t len)
{
	static uint8_t pk[32], sk[64];
	static const char type[] = "ssh-ed25519-cert-v01@openssh.com";
	uint8_t ca[64], sig[64], sig_blob[100];
	struct wbuf w = { out, ROOM }, c = { ca, sizeof(ca) },
	    s = { sig_blob, sizeof(sig_blob) };

	if (sk[0] == 0 && sk[1] == 0)
		serve_sign_keypair(pk, sk);
	put(&w, type, sizeof(type) - 1);
	put(&w, "nonce", 5);
	put(&w, pk, 32);
	if (wire_put_u64be(&w, 7) != SW_OK ||
	    wire_put_bytes(&w, middle, len) != SW_OK)
		return 0;
	put(&c, "ssh-ed25519", 11);
	put(&c, pk, 32);
	put(&w, ca, sizeof(ca) - c.left);
	serve_sign(sig, out, ROOM - w.left, sk);
	put(&s, "ssh-ed25519", 11);
	put(&s, sig, 64);
	put(&w, sig_blob, sizeof(sig_blob) - s.left);
	return ROOM - w.left;
}

static void
check(const uint8_t *blob, size_t len, bool is_signed)
{
	const struct sw_addr peer = addr_v4(0x0a000001, 0);
	struct serve_cert_rights rights;
	char print[SERVE_FINGERPRINT_LEN];
	uint8_t plain[SERVE_KEY_MAX + 64];
	struct serve_key key, again;
	struct serve_cert cert;
	const char *why;
	size_t n;

	if (serve_key_parse(&key, blob, len) != SW_OK)
		return;
	serve_key_fingerprint(&key, print);
	n = serve_key_plain(&key, plain, sizeof(plain));
	if (serve_key_parse(&again, plain, n) != SW_OK || again.is_cert ||
	    again.type != key.type)
		abort();
	if (!key.is_cert || serve_cert_parse(&cert, &key) != SW_OK)
		return;
	(void)serve_cert_names(&cert, "user", 4);
	if (serve_cert_check(&cert, 1000, &peer, &rights, &why) == SW_OK &&
	    !is_signed)
		abort();		/* a signature was made up */
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	uint8_t cert[ROOM];
	size_t n;

	if (len < 1 || len > 8000 || !serve_cipher_begin())
		return 0;
	if ((data[0] & 1) != 0) {
		check(data + 1, len - 1, false);
	} else if ((n = make_cert(cert, data + 1, len - 1)) > 0) {
		check(cert, n, true);
	}
	return 0;
}
