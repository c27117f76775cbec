/* What clients of a proxy say and are told, byte for byte. */
#include "tests/rig/unit.h"

#include <string.h>

#include "transport/socks_parse.h"

static struct socks_parser p;
static size_t used;

static bool
check(void *arg, const char *user, const char *password)
{
	(void)arg;
	return strcmp(user, "me") == 0 && strcmp(password, "pw") == 0;
}

static int
begin(void **state)
{
	(void)state;
	memset(&p, 0, sizeof(p));
	return 0;
}

#define FEED(text) socks_parse(&p, (const uint8_t *)(text), sizeof(text) - 1, \
	&used)
#define SAID(text) do { \
	assert_int_equal(p.say_len, sizeof(text) - 1); \
	assert_memory_equal(p.say, text, sizeof(text) - 1); \
} while (0)

/* However the bytes are cut, nothing happens before the last one. */
#define FEED_SLOWLY(text, wanted) do { \
	for (size_t i = 0; i < sizeof(text) - 1; i++) { \
		assert_int_equal(socks_parse(&p, (const uint8_t *)(text), i, \
		    &used), SOCKS_MORE); \
		assert_int_equal(used, 0); \
	} \
	assert_int_equal(FEED(text), wanted); \
	assert_int_equal(used, sizeof(text) - 1); \
} while (0)

static void
socks5_by_name(void **state)
{
	(void)state;
	FEED_SLOWLY("\5\2\0\1", SOCKS_SAY);
	SAID("\5\0");
	FEED_SLOWLY("\5\1\0\3\13example.org\1\273", SOCKS_CONNECT);
	assert_string_equal(p.to.host, "example.org");
	assert_int_equal(p.to.port, 443);
	socks_answer(&p, SW_OK, NULL);
	SAID("\5\0\0\1\0\0\0\0\0\0");
	socks_answer(&p, SW_ERR_REFUSED, NULL);
	SAID("\5\5\0\1\0\0\0\0\0\0");
	socks_answer(&p, SW_ERR_NO_NAME, NULL);
	assert_int_equal(p.say[1], 4);
}

static void
socks5_by_address(void **state)
{
	struct sw_addr bound = addr_v4(0x7f000001, 4242);

	(void)state;
	FEED("\5\1\0");
	assert_int_equal(FEED("\5\1\0\1\12\0\0\1\0\26rest"), SOCKS_CONNECT);
	assert_string_equal(p.to.host, "10.0.0.1");
	assert_int_equal(used, 10);
	assert_int_equal(FEED("\5\1\0\4\375\0\0\0\0\0\0\0\0\0\0\0\0\0\0\2\0\26"),
	    SOCKS_CONNECT);
	assert_string_equal(p.to.host, "fd00::2");
	assert_int_equal(FEED("\5\3\0\1\0\0\0\0\0\0"), SOCKS_UDP);
	socks_answer(&p, SW_OK, &bound);
	SAID("\5\0\0\1\177\0\0\1\20\222");
}

static void
socks5_refusals(void **state)
{
	(void)state;
	assert_int_equal(FEED("\5\1\1"), SOCKS_REFUSE);
	SAID("\5\377");
	begin(state);
	FEED("\5\1\0");
	assert_int_equal(FEED("\5\2\0\1\12\0\0\1\0\26"), SOCKS_REFUSE);
	assert_int_equal(p.say[1], 7);		/* BIND */
	assert_int_equal(FEED("\5\360\0\3\1a\0\0"), SOCKS_REFUSE);
	assert_int_equal(p.say[1], 7);		/* Tor's RESOLVE */
	assert_int_equal(FEED("\5\1\0\2\12\0\0\1\0\26"), SOCKS_REFUSE);
	assert_int_equal(p.say[1], 8);		/* no such type of address */
	assert_int_equal(FEED("\5\1\0\1\12\0\0\1\0\0"), SOCKS_REFUSE);
	assert_int_equal(FEED("\5\1\0\3\0\0\26"), SOCKS_REFUSE);
	/* A name is never a path or a second line. */
	assert_int_equal(FEED("\5\1\0\3\3a\nb\0\26"), SOCKS_REFUSE);
	assert_int_equal(FEED("\5\1\0\3\2/x\0\26"), SOCKS_REFUSE);
}

static void
socks5_with_a_password(void **state)
{
	(void)state;
	p.check = check;
	assert_int_equal(FEED("\5\1\0"), SOCKS_REFUSE);
	begin(state);
	p.check = check;
	assert_int_equal(FEED("\5\2\0\2"), SOCKS_SAY);
	SAID("\5\2");
	assert_int_equal(FEED("\1\2me\2pw"), SOCKS_SAY);
	SAID("\1\0");
	assert_int_equal(FEED("\5\1\0\1\12\0\0\1\0\26"), SOCKS_CONNECT);
	begin(state);
	p.check = check;
	FEED("\5\1\2");
	assert_int_equal(FEED("\1\2me\2px"), SOCKS_REFUSE);
	SAID("\1\1");
	/* Who insists on a password where none is asked may give any. */
	begin(state);
	assert_int_equal(FEED("\5\1\2"), SOCKS_SAY);
	assert_int_equal(FEED("\1\1x\1y"), SOCKS_SAY);
}

static void
socks4_and_4a(void **state)
{
	(void)state;
	FEED_SLOWLY("\4\1\0\26\12\0\0\1me\0", SOCKS_CONNECT);
	assert_string_equal(p.to.host, "10.0.0.1");
	assert_int_equal(p.to.port, 22);
	socks_answer(&p, SW_OK, NULL);
	SAID("\0\132\0\0\0\0\0\0");
	begin(state);
	FEED_SLOWLY("\4\1\0\120\0\0\0\1\0example.org\0", SOCKS_CONNECT);
	assert_string_equal(p.to.host, "example.org");
	socks_answer(&p, SW_ERR_TIMEOUT, NULL);
	SAID("\0\133\0\0\0\0\0\0");
	begin(state);
	assert_int_equal(FEED("\4\2\0\26\12\0\0\1\0"), SOCKS_REFUSE);
	begin(state);
	p.check = check;
	assert_int_equal(FEED("\4\1\0\26\12\0\0\1me\0"), SOCKS_REFUSE);
}

static void
http_connect(void **state)
{
	(void)state;
	FEED_SLOWLY("CONNECT example.org:443 HTTP/1.1\r\nHost: x\r\n\r\n",
	    SOCKS_CONNECT);
	assert_string_equal(p.to.host, "example.org");
	assert_int_equal(p.to.port, 443);
	socks_answer(&p, SW_OK, NULL);
	SAID("HTTP/1.1 200 Connection established\r\n\r\n");
	begin(state);
	assert_int_equal(FEED("CONNECT [fd00::1]:22 HTTP/1.0\r\n\r\nrest"),
	    SOCKS_CONNECT);
	assert_string_equal(p.to.host, "fd00::1");
	begin(state);
	assert_int_equal(FEED("GET http://x/ HTTP/1.1\r\n\r\n"), SOCKS_REFUSE);
	assert_memory_equal(p.say, "HTTP/1.1 405", 12);
}

static void
http_refusals(void **state)
{
	static const char *const bad[] = { "CONNECT x HTTP/1.1\r\n\r\n",
		"CONNECT x:0 HTTP/1.1\r\n\r\n", "CONNECT x:99999 HTTP/1.1\r\n\r\n",
		"CONNECT :1 HTTP/1.1\r\n\r\n", "CONNECT [:1 HTTP/1.1\r\n\r\n",
		"CONNECT x:1\r\n\r\n", "CONNECT x/y:1 HTTP/1.1\r\n\r\n",
		"CONNECT \r\n\r\n", "CONNECT []:1 HTTP/1.1\r\n\r\n" };

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		begin(state);
		assert_int_equal(socks_parse(&p, (const uint8_t *)bad[i],
		    strlen(bad[i]), &used), SOCKS_REFUSE);
		assert_memory_equal(p.say, "HTTP/1.1 400", 12);
	}
}

static void
http_with_a_password(void **state)
{
	(void)state;
	p.check = check;
	assert_int_equal(FEED("CONNECT x:1 HTTP/1.1\r\n\r\n"), SOCKS_REFUSE);
	assert_memory_equal(p.say, "HTTP/1.1 407", 12);
	begin(state);
	p.check = check;
	assert_int_equal(FEED("CONNECT x:1 HTTP/1.1\r\nHost: x\r\n"
	    "proxy-AUTHORIZATION: Basic bWU6cHc=\r\n\r\n"), SOCKS_CONNECT);
	begin(state);
	p.check = check;
	assert_int_equal(FEED("CONNECT x:1 HTTP/1.1\r\n"
	    "Proxy-Authorization: Basic bWU6cHg=\r\n\r\n"), SOCKS_REFUSE);
	begin(state);
	p.check = check;
	assert_int_equal(FEED("CONNECT x:1 HTTP/1.1\r\n"
	    "Proxy-Authorization: Basic !!!\r\n\r\n"), SOCKS_REFUSE);
}

static void
endless_requests_end(void **state)
{
	static uint8_t many[SOCKS_REQUEST_MAX];

	(void)state;
	memset(many, 'A', sizeof(many));
	assert_int_equal(socks_parse(&p, many, sizeof(many), &used),
	    SOCKS_REFUSE);
	begin(state);
	assert_int_equal(FEED("\26\3\1"), SOCKS_REFUSE);	/* TLS */
	assert_int_equal(p.say_len, 0);
}

static void
datagrams_carry_addresses(void **state)
{
	static const uint8_t by_name[] = "\0\0\0\3\4host\0\65data";
	uint8_t out[SOCKS_UDP_HEADER_MAX];
	struct sw_addr a = addr_v4(0x0a000001, 53);
	struct dial_target to;
	size_t at;

	(void)state;
	assert_int_equal(socks_udp_parse(by_name, sizeof(by_name) - 1, &to,
	    &at), SW_OK);
	assert_string_equal(to.host, "host");
	assert_int_equal(to.port, 53);
	assert_int_equal(at, 11);
	assert_int_equal(socks_udp_header(out, "host", &a), 11);
	assert_memory_equal(out, by_name, 11);
	assert_int_equal(socks_udp_header(out, NULL, &a), 10);
	assert_memory_equal(out, "\0\0\0\1\12\0\0\1\0\65", 10);
	for (size_t n = 0; n < 11; n++)
		assert_int_equal(socks_udp_parse(by_name, n, &to, &at),
		    SW_ERR_FORMAT);
	assert_int_equal(socks_udp_parse((const uint8_t *)"\0\0\1\1aaaa\0\1",
	    10, &to, &at), SW_ERR_UNSUPPORTED);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(socks5_by_name, begin),
		cmocka_unit_test_setup(socks5_by_address, begin),
		cmocka_unit_test_setup(socks5_refusals, begin),
		cmocka_unit_test_setup(socks5_with_a_password, begin),
		cmocka_unit_test_setup(socks4_and_4a, begin),
		cmocka_unit_test_setup(http_connect, begin),
		cmocka_unit_test_setup(http_refusals, begin),
		cmocka_unit_test_setup(http_with_a_password, begin),
		cmocka_unit_test_setup(endless_requests_end, begin),
		cmocka_unit_test_setup(datagrams_carry_addresses, begin),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
