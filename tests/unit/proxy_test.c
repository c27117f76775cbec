/* The conversation with a proxy, byte by byte (RFC 1928, 1929, 9110). */
#include "tests/rig/unit.h"

#include <string.h>

#include "transport/proxy.h"

static struct proxy_url url;
static struct proxy_talk talk;
static char why[128];

static void
begin(const char *proxy, const char *host, uint16_t port)
{
	assert_int_equal(proxy_url_parse(&url, proxy, why), SW_OK);
	assert_int_equal(proxy_begin(&talk, &url, host, port), SW_OK);
}

static void
says(const void *bytes, size_t len)
{
	size_t n;
	const uint8_t *p = proxy_output(&talk, &n);

	assert_int_equal(n, len);
	assert_memory_equal(p, bytes, len);
	proxy_sent(&talk, n);
}
#define SAYS(text) says(text, sizeof(text) - 1)

/* Fed whole, then one byte at a time: the outcome and what was used. */
static int
hears(const void *bytes, size_t len, size_t *used)
{
	struct proxy_talk before = talk;
	size_t n = 0, sum = 0;
	int whole = proxy_input(&talk, bytes, len, used), r = SW_AGAIN;
	struct proxy_talk after = talk;

	talk = before;
	for (size_t i = 0; i < len && r == SW_AGAIN; i++) {
		r = proxy_input(&talk, (const uint8_t *)bytes + i, 1, &n);
		sum += n;
	}
	assert_int_equal(r, whole);
	assert_int_equal(sum, *used);
	assert_string_equal(talk.why, after.why);
	return whole;
}
#define HEARS(text, used) hears(text, sizeof(text) - 1, used)

static void
socks_sends_the_name_unresolved(void **state)
{
	size_t used;

	(void)state;
	begin("socks5://p:1080", "name.test", 443);
	SAYS("\5\1\0");
	assert_int_equal(HEARS("\5\0", &used), SW_AGAIN);
	SAYS("\5\1\0\3\11name.test\1\273");
	assert_int_equal(HEARS("\5\0\0\1\0\0\0\0\0\0SSH-2.0", &used), SW_OK);
	assert_int_equal(used, 10);		/* the rest is the target's */
}

static void
socks_sends_addresses_as_such(void **state)
{
	size_t used;

	(void)state;
	begin("socks5h://p", "192.0.2.7", 22);
	SAYS("\5\1\0");
	assert_int_equal(HEARS("\5\0", &used), SW_AGAIN);
	SAYS("\5\1\0\1\300\0\2\7\0\26");
	begin("socks5://p", "2001:db8::1", 22);
	SAYS("\5\1\0");
	assert_int_equal(HEARS("\5\0", &used), SW_AGAIN);
	SAYS("\5\1\0\4\x20\x01\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\1\0\26");
	/* A bound address of any kind is read to its end. */
	assert_int_equal(HEARS("\5\0\0\3\4host\0\1x", &used), SW_OK);
	assert_int_equal(used, 11);
	assert_string_equal(talk.bound_host, "host");
	assert_int_equal(talk.bound_port, 1);
}

static void
socks_password_is_given_when_asked_for(void **state)
{
	size_t used, n;

	(void)state;
	begin("socks5://me:a%3ab@p", "h", 1);
	SAYS("\5\2\0\2");
	assert_int_equal(HEARS("\5\2", &used), SW_AGAIN);
	SAYS("\1\2me\3a:b");
	assert_null(memmem(talk.out, sizeof(talk.out), "a:b", 3));
	assert_int_equal(HEARS("\1\0", &used), SW_AGAIN);
	(void)proxy_output(&talk, &n);
	assert_int_equal(n, 4 + 2 + 2);
	assert_int_equal(HEARS("\5\0\0\1\1\2\3\4\0\1", &used), SW_OK);
	proxy_wipe(&talk);
	proxy_url_wipe(&url);
	assert_null(memmem(&url, sizeof(url), "a:b", 3));
}

static void
socks_refusals_have_their_reasons(void **state)
{
	static const struct {
		const char *answer;
		int err;
	} cases[] = {
		{ "\5\1", SW_ERR_DOWN }, { "\5\2", SW_ERR_DENIED },
		{ "\5\3", SW_ERR_UNREACH_NET }, { "\5\4", SW_ERR_UNREACH_HOST },
		{ "\5\5", SW_ERR_REFUSED }, { "\5\6", SW_ERR_TIMEOUT },
		{ "\5\7", SW_ERR_UNSUPPORTED }, { "\5\11", SW_ERR_DOWN },
		{ "\4\5", SW_ERR_FORMAT },
	};
	size_t used;

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		begin("socks5://p", "h", 1);
		SAYS("\5\1\0");
		assert_int_equal(HEARS("\5\0", &used), SW_AGAIN);
		talk.out_at = talk.out_len = 0;
		/* Two bytes are enough: some proxies say no more. */
		assert_int_equal(hears(cases[i].answer, 2, &used),
		    cases[i].err);
		assert_true(talk.why[0] != '\0');
		assert_int_equal(proxy_input(&talk, (const uint8_t *)"x", 1,
		    &used), SW_ERR_CLOSED);
	}
	begin("socks5://p", "h", 1);
	assert_int_equal(HEARS("\5\377", &used), SW_ERR_AUTH);
	begin("socks5://p", "h", 1);		/* asks for what we did not offer */
	assert_int_equal(HEARS("\5\2", &used), SW_ERR_AUTH);
	begin("socks5://p", "h", 1);
	assert_int_equal(HEARS("\5\1", &used), SW_ERR_UNSUPPORTED);
	begin("socks5://p", "h", 1);
	assert_int_equal(HEARS("HT", &used), SW_ERR_FORMAT);
}

static void
http_keeps_what_follows_the_blank_line(void **state)
{
	size_t used;

	(void)state;
	begin("http://p:3128", "name.test", 443);
	SAYS("CONNECT name.test:443 HTTP/1.1\r\nHost: name.test:443\r\n\r\n");
	assert_int_equal(HEARS("HTTP/1.1 200 Connection established\r\n"
	    "Proxy-agent: x\r\n\r\nSSH-2.0-x\r\n", &used), SW_OK);
	assert_int_equal(used, 37 + 16 + 2);
	begin("http://p", "2001:db8::1", 22);
	SAYS("CONNECT [2001:db8::1]:22 HTTP/1.1\r\n"
	    "Host: [2001:db8::1]:22\r\n\r\n");
	assert_int_equal(HEARS("HTTP/1.0 299\n\n", &used), SW_OK);
	begin("http://p", "h", 22);		/* something before the answer */
	assert_int_equal(HEARS("HTTP/1.1 100 Continue\r\n\r\n"
	    "HTTP/1.1 200 OK\r\n\r\nrest", &used), SW_OK);
	assert_int_equal(used, 25 + 19);
}

static void
http_password_goes_in_base64(void **state)
{
	size_t used;

	(void)state;
	begin("http://Aladdin:open%20sesame@p", "h", 1);
	SAYS("CONNECT h:1 HTTP/1.1\r\nHost: h:1\r\nProxy-Authorization: Basic "
	    "QWxhZGRpbjpvcGVuIHNlc2FtZQ==\r\n\r\n");
	assert_int_equal(HEARS("HTTP/1.1 407 x\r\n\r\n", &used), SW_ERR_AUTH);
	assert_non_null(strstr(talk.why, "does not take"));
}

static void
http_refusals_have_their_reasons(void **state)
{
	static const struct {
		const char *answer;
		int err;
	} cases[] = {
		{ "HTTP/1.1 403 Filtered\r\n\r\n", SW_ERR_DENIED },
		{ "HTTP/1.1 407 x\r\n\r\n", SW_ERR_AUTH },
		{ "HTTP/1.1 502 x\r\n\r\n", SW_ERR_UNREACH_HOST },
		{ "HTTP/1.1 504 x\r\n\r\n", SW_ERR_TIMEOUT },
		{ "HTTP/1.1 302 x\r\n\r\n", SW_ERR_DOWN },
		{ "HTTP/1.1 2000\r\n\r\n", SW_ERR_FORMAT },
		{ "HTTP/2 200 OK\r\n\r\n", SW_ERR_FORMAT },
		{ "SSH-2.0-OpenSSH\r\n\r\n", SW_ERR_FORMAT },
		{ "\r\n", SW_ERR_FORMAT },
	};
	size_t used;

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		begin("http://p", "h", 1);
		talk.out_at = talk.out_len = 0;
		assert_int_equal(hears(cases[i].answer,
		    strlen(cases[i].answer), &used), cases[i].err);
	}
}

static void
http_head_has_an_end(void **state)
{
	static char flood[PROXY_HEAD_MAX + 1];
	size_t used;

	(void)state;
	memset(flood, 'x', sizeof(flood));
	begin("http://p", "h", 1);
	assert_int_equal(hears(flood, PROXY_HEAD_MAX, &used), SW_AGAIN);
	begin("http://p", "h", 1);
	assert_int_equal(hears(flood, sizeof(flood), &used), SW_ERR_TOO_LONG);
}

static void
names_that_would_break_the_grammar_are_not_sent(void **state)
{
	char longest[300];

	(void)state;
	assert_int_equal(proxy_url_parse(&url, "http://p", why), SW_OK);
	assert_int_equal(proxy_begin(&talk, &url, "a\r\nb", 1), SW_ERR_CONFIG);
	assert_int_equal(proxy_begin(&talk, &url, "a b", 1), SW_ERR_CONFIG);
	assert_int_equal(proxy_begin(&talk, &url, "", 1), SW_ERR_CONFIG);
	memset(longest, 'a', sizeof(longest));
	longest[256] = '\0';
	assert_int_equal(proxy_begin(&talk, &url, longest, 1), SW_ERR_CONFIG);
	longest[255] = '\0';
	assert_int_equal(proxy_begin(&talk, &url, longest, 1), SW_OK);
}

static void
urls_are_taken_apart(void **state)
{
	static const char *const bad[] = {
		"", "socks5:", "socks4://h", "https://h", "h:1080",
		"socks5://", "socks5://:80", "socks5://h:0", "socks5://h:65536",
		"socks5://h:8x", "socks5://h:", "socks5://h/path",
		"socks5://[::1", "socks5://[h]:1", "socks5://[::1]x",
		"socks5://u:p%zz@h", "socks5://u:p%0@h", "socks5://u%00:p@h",
		"socks5://:p@h", "http://h h", "http://h:1/x",
	};

	(void)state;
	assert_int_equal(proxy_url_parse(&url, "SOCKS5://u@v:p@[::1]:9/", why),
	    SW_OK);
	assert_string_equal(url.host, "::1");
	assert_string_equal(url.user, "u@v");
	assert_string_equal(url.password, "p");
	assert_int_equal(url.port, 9);
	assert_int_equal(proxy_url_parse(&url, "http://h/", why), SW_OK);
	assert_int_equal(url.port, 8080);
	assert_false(url.has_user);
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		memset(&url, 1, sizeof(url));
		if (proxy_url_parse(&url, bad[i], why) != SW_ERR_CONFIG)
			fail_msg("taken: %s", bad[i]);
		assert_string_equal(url.host, "");
	}
	/* The line that says why never shows a password. */
	assert_int_equal(proxy_url_parse(&url, "socks5://u:secret@", why),
	    SW_ERR_CONFIG);
	assert_null(strstr(why, "secret"));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(socks_sends_the_name_unresolved),
		cmocka_unit_test(socks_sends_addresses_as_such),
		cmocka_unit_test(socks_password_is_given_when_asked_for),
		cmocka_unit_test(socks_refusals_have_their_reasons),
		cmocka_unit_test(http_keeps_what_follows_the_blank_line),
		cmocka_unit_test(http_password_goes_in_base64),
		cmocka_unit_test(http_refusals_have_their_reasons),
		cmocka_unit_test(http_head_has_an_end),
		cmocka_unit_test(
		    names_that_would_break_the_grammar_are_not_sent),
		cmocka_unit_test(urls_are_taken_apart),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
