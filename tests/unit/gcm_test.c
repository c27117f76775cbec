/* AES-GCM as mbedTLS has it from us: the specification's vectors, GnuTLS's and
 * libsodium's opinion, and every way to cut a message. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <gnutls/crypto.h>
#include <sodium.h>
#include <string.h>

#include <mbedtls/gcm.h>

#define LONG_LEN 16500

#if defined(MBEDTLS_GCM_ALT)
#define SET_PORTABLE(v) gcm_alt_set_portable(v)
#else
#define SET_PORTABLE(v) ((void)(v))
#endif

static uint8_t plain[LONG_LEN], sealed[LONG_LEN + 16], other[LONG_LEN + 16];
static const uint8_t zeros[LONG_LEN];

/* Test cases 1 to 4, 13 to 16, 5 and 6 of the GCM specification (McGrew and
 * Viega, 2005, appendix B); 4 and 16 cut the fourth block short. */
#define TEXT "d9313225f88406e5a55909c5aff5269a86a7a9531534f7da2e4c303d8a318a72" \
	"1c3c0c95956809532fcf0e2449a6b525b16aedf5aa0de657ba637b39"
#define ADD "feedfacedeadbeeffeedfacedeadbeefabaddad2"
static const struct {
	const char *key, *iv, *add, *plain, *sealed, *tag;
} vectors[] = {
	{ "00000000000000000000000000000000", "000000000000000000000000", "",
	    "", "", "58e2fccefa7e3061367f1d57a4e7455a" },
	{ "00000000000000000000000000000000", "000000000000000000000000", "",
	    "00000000000000000000000000000000",
	    "0388dace60b6a392f328c2b971b2fe78",
	    "ab6e47d42cec13bdf53a67b21257bddf" },
	{ "feffe9928665731c6d6a8f9467308308", "cafebabefacedbaddecaf888", "",
	    TEXT "1aafd255",
	    "42831ec2217774244b7221b784d0d49ce3aa212f2c02a4e035c17e2329aca12e"
	    "21d514b25466931c7d8f6a5aac84aa051ba30b396a0aac973d58e091473f5985",
	    "4d5c2af327cd64a62cf35abd2ba6fab4" },
	{ "feffe9928665731c6d6a8f9467308308", "cafebabefacedbaddecaf888", ADD,
	    TEXT,
	    "42831ec2217774244b7221b784d0d49ce3aa212f2c02a4e035c17e2329aca12e"
	    "21d514b25466931c7d8f6a5aac84aa051ba30b396a0aac973d58e091",
	    "5bc94fbc3221a5db94fae95ae7121a47" },
	{ "feffe9928665731c6d6a8f9467308308", "cafebabefacedbad", ADD, TEXT,
	    "61353b4c2806934a777ff51fa22a4755699b2a714fcdc6f83766e5f97b6c7423"
	    "73806900e49f24b22b097544d4896b424989b5e1ebac0f07c23f4598",
	    "3612d2e79e3b0785561be14aaca2fccb" },
	{ "0000000000000000000000000000000000000000000000000000000000000000",
	    "000000000000000000000000", "", "", "",
	    "530f8afbc74536b9a963b4f1c4cb738b" },
	{ "0000000000000000000000000000000000000000000000000000000000000000",
	    "000000000000000000000000", "", "00000000000000000000000000000000",
	    "cea7403d4d606b6e074ec5d3baf39d18",
	    "d0d1c8a799996bf0265b98b5d48ab919" },
	{ "feffe9928665731c6d6a8f9467308308feffe9928665731c6d6a8f9467308308",
	    "cafebabefacedbaddecaf888", ADD, TEXT,
	    "522dc1f099567d07f47f37a32a84427d643a8cdcbfe5c0c97598a2bd2555d1aa"
	    "8cb08e48590dbb3da7b08b1056828838c5f61e6393ba7a0abcc9f662",
	    "76fc6ece0f4e1768cddf8853bb2d551b" },
};
#undef TEXT
#undef ADD

static size_t
unhex(uint8_t *out, const char *text)
{
	size_t n;

	assert_int_equal(sodium_hex2bin(out, LONG_LEN, text, strlen(text), NULL,
	    &n, NULL), 0);
	return n;
}

static void
start(mbedtls_gcm_context *g, const uint8_t *key, size_t key_len)
{
	mbedtls_gcm_init(g);
	assert_int_equal(mbedtls_gcm_setkey(g, MBEDTLS_CIPHER_ID_AES, key,
	    (unsigned)key_len * 8), 0);
}

static void
agrees_with_the_specification(void **state)
{
	uint8_t key[32], iv[64], add[64], want[64], tag[16], got[16];
	mbedtls_gcm_context g;

	SET_PORTABLE(*state != NULL);
	for (size_t i = 0; i < sizeof(vectors) / sizeof(vectors[0]); i++) {
		size_t key_len = unhex(key, vectors[i].key);
		size_t iv_len = unhex(iv, vectors[i].iv);
		size_t add_len = unhex(add, vectors[i].add);
		size_t len = unhex(plain, vectors[i].plain);

		(void)unhex(want, vectors[i].sealed);
		(void)unhex(tag, vectors[i].tag);
		start(&g, key, key_len);
		assert_int_equal(mbedtls_gcm_crypt_and_tag(&g,
		    MBEDTLS_GCM_ENCRYPT, len, iv, iv_len, add, add_len, plain,
		    sealed, 16, got), 0);
		assert_memory_equal(sealed, want, len);
		assert_memory_equal(got, tag, 16);
		assert_int_equal(mbedtls_gcm_auth_decrypt(&g, len, iv, iv_len,
		    add, add_len, tag, 16, sealed, sealed), 0);
		assert_memory_equal(sealed, plain, len);
		mbedtls_gcm_free(&g);
	}
}

/* In place, too; lengths around every boundary, and a whole TLS record. */
static void
agrees_with_gnutls_and_libsodium(void **state)
{
	static const size_t odd[] = { 1000, 16384, 16385, LONG_LEN };
	const gnutls_datum_t small = { plain + 100, 16 };
	const uint8_t *key = plain + 100, *iv = plain + 200, *add = plain + 300;
	gnutls_aead_cipher_hd_t theirs;
	mbedtls_gcm_context g128, g256;

	SET_PORTABLE(*state != NULL);
	randombytes_buf_deterministic(plain, sizeof(plain), zeros);
	start(&g128, key, 16);
	start(&g256, key, 32);
	assert_int_equal(gnutls_aead_cipher_init(&theirs,
	    GNUTLS_CIPHER_AES_128_GCM, &small), 0);
	for (size_t i = 0; i < 300 + 4; i++) {
		size_t len = i < 300 ? i : odd[i - 300], n = sizeof(other);
		size_t add_len = i % 37;

		assert_int_equal(gnutls_aead_cipher_encrypt(theirs, iv, 12, add,
		    add_len, 16, plain, len, other, &n), 0);
		memcpy(sealed, plain, len);
		assert_int_equal(mbedtls_gcm_crypt_and_tag(&g128,
		    MBEDTLS_GCM_ENCRYPT, len, iv, 12, add, add_len, sealed,
		    sealed, 16, sealed + len), 0);
		assert_memory_equal(sealed, other, len + 16);
		if (!crypto_aead_aes256gcm_is_available())
			continue;
		assert_int_equal(crypto_aead_aes256gcm_encrypt(other, NULL,
		    plain, len, add, add_len, NULL, iv, key), 0);
		assert_int_equal(mbedtls_gcm_crypt_and_tag(&g256,
		    MBEDTLS_GCM_ENCRYPT, len, iv, 12, add, add_len, plain,
		    sealed, 16, sealed + len), 0);
		assert_memory_equal(sealed, other, len + 16);
	}
	gnutls_aead_cipher_deinit(theirs);
	mbedtls_gcm_free(&g128);
	mbedtls_gcm_free(&g256);
}

static void
pieces_make_the_same_whole(void **state)
{
	uint8_t whole[16], tag[16];
	mbedtls_gcm_context g;

	SET_PORTABLE(*state != NULL);
	start(&g, plain, 16);
	assert_int_equal(mbedtls_gcm_crypt_and_tag(&g, MBEDTLS_GCM_ENCRYPT, 700,
	    plain, 12, plain, 50, plain, other, 16, whole), 0);
	for (uint32_t seed = 1; seed < 300; seed++) {
		uint32_t r = seed;
		size_t at = 0, n;

		assert_int_equal(mbedtls_gcm_starts(&g, MBEDTLS_GCM_ENCRYPT,
		    plain, 12), 0);
		assert_int_equal(mbedtls_gcm_update_ad(&g, plain, seed % 50),
		    0);
		assert_int_equal(mbedtls_gcm_update_ad(&g, plain + seed % 50,
		    50 - seed % 50), 0);
		for (; at < 700; at += n) {
			size_t most = seed % 3 == 0 ? 400 : 40, got;

			r = r * 1664525 + 1013904223;
			n = (r >> 16) % most;
			n = n > 700 - at ? 700 - at : n;
			assert_int_equal(mbedtls_gcm_update(&g, plain + at, n,
			    sealed + at, n, &got), 0);
			assert_int_equal(got, n);
		}
		assert_int_equal(mbedtls_gcm_finish(&g, NULL, 0, &n, tag, 16),
		    0);
		assert_memory_equal(sealed, other, 700);
		assert_memory_equal(tag, whole, 16);
	}
	mbedtls_gcm_free(&g);
}

static void
every_changed_byte_is_noticed(void **state)
{
	mbedtls_gcm_context g;
	uint8_t tag[16];

	SET_PORTABLE(*state != NULL);
	start(&g, plain, 32);
	assert_int_equal(mbedtls_gcm_crypt_and_tag(&g, MBEDTLS_GCM_ENCRYPT, 300,
	    plain, 12, NULL, 0, plain, sealed, 16, tag), 0);
	for (size_t i = 0; i < 300 + 16; i++) {
		uint8_t *p = i < 300 ? sealed + i : tag + (i - 300);

		*p ^= 0x40;
		memset(other, 1, 300);
		assert_int_equal(mbedtls_gcm_auth_decrypt(&g, 300, plain, 12,
		    NULL, 0, tag, 16, sealed, other),
		    MBEDTLS_ERR_GCM_AUTH_FAILED);
		assert_memory_equal(other, zeros, 300);
		*p ^= 0x40;
	}
	assert_int_equal(mbedtls_gcm_auth_decrypt(&g, 300, plain, 12, NULL, 0,
	    tag, 16, sealed, other), 0);
	mbedtls_gcm_free(&g);
}

/* 32 bits, and no more, count: the block after ff..ff has 00..00. */
static void
the_counter_wraps_within_its_word(void **state)
{
	uint8_t iv[16], tag[16], slow[16];
	mbedtls_gcm_context g;

	/* An IV whose hash ends in ff ff ff fx would have to be searched for;
	 * 2^32 blocks take too long.  So the state itself is moved. */
	(void)state;
	memset(iv, 7, sizeof(iv));
#if defined(MBEDTLS_GCM_ALT)
	for (int portable = 0; portable < 2; portable++) {
		size_t n;

		SET_PORTABLE(portable);
		start(&g, plain, 16);
		assert_int_equal(mbedtls_gcm_starts(&g, MBEDTLS_GCM_ENCRYPT, iv,
		    12), 0);
		memcpy(g.counter + 12, "\xff\xff\xff\xfc", 4);
		assert_int_equal(mbedtls_gcm_update(&g, plain, 256,
		    portable ? other : sealed, 256, &n), 0);
		assert_int_equal(mbedtls_gcm_finish(&g, NULL, 0, &n,
		    portable ? slow : tag, 16), 0);
		mbedtls_gcm_free(&g);
	}
	assert_memory_equal(sealed, other, 256);
	assert_memory_equal(tag, slow, 16);
	SET_PORTABLE(0);
#else
	(void)g;
	(void)tag;
	(void)slow;
	skip();
#endif
}

int
main(void)
{
	static char slow[] = "the slow way";
#define BOTH(name) \
	cmocka_unit_test(name), cmocka_unit_test_prestate(name, slow)
	const struct CMUnitTest tests[] = {
		BOTH(agrees_with_the_specification),
		BOTH(agrees_with_gnutls_and_libsodium),
		BOTH(pieces_make_the_same_whole),
		BOTH(every_changed_byte_is_noticed),
		cmocka_unit_test(the_counter_wraps_within_its_word),
	};

	if (sodium_init() < 0)
		return 1;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
