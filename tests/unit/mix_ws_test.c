/* Websocket frames as RFC 6455 has them, good and bad, whole and in pieces. */
#include "tests/rig/unit.h"

#include <stdlib.h>
#include <string.h>

#include "mix/prim.h"
#include "mix/ws.h"

#define FIN 0x80
#define MASK 0x80
#define TEXT 1
#define BINARY 2
#define CLOSE 8
#define PING 9
#define PONG 10

static struct ws *server;
static uint8_t last[WS_MESSAGE_MAX];
static size_t last_len, count;
static bool last_binary;

static void
opened(void *arg)
{
	(void)arg;
}

static void
message(void *arg, bool binary, uint8_t *data, size_t n)
{
	(void)arg;
	memcpy(last, data, n);
	last_len = n;
	last_binary = binary;
	count++;
}

static const struct ws_events events = { opened, message };

static int
feed(const void *p, size_t n)
{
	struct rbuf in = { p, n };
	int r = ws_feed(server, &in);

	assert_true(r != SW_OK || in.left == 0);
	return r;
}

static int
begin(void **state)
{
	static const char hello[] = "GET / HTTP/1.1\r\nHost: x\r\nUpgrade: "
	    "websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Key: "
	    "dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n";
	size_t n;

	(void)state;
	count = last_len = 0;
	server = ws_new(NULL, &events, NULL, &rng_system);
	assert_int_equal(feed(hello, sizeof(hello) - 1), SW_OK);
	/* The RFC's own example. */
	assert_non_null(strstr((const char *)ws_out(server, &n),
	    "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="));
	ws_sent(server, n);
	return 0;
}

static int
end(void **state)
{
	(void)state;
	ws_free(server);
	return 0;
}

/* A client's frame with a short payload, under a mask. */
static size_t
frame(uint8_t *out, uint8_t first, const char *text)
{
	static const uint8_t mask[4] = { 0x37, 0xfa, 0x21, 0x3d };
	size_t n = strlen(text);

	out[0] = first;
	out[1] = (uint8_t)(MASK | n);
	memcpy(out + 2, mask, 4);
	for (size_t i = 0; i < n; i++)
		out[6 + i] = (uint8_t)text[i] ^ mask[i % 4];
	return 6 + n;
}

static int
give(uint8_t first, const char *text)
{
	uint8_t f[256];

	return feed(f, frame(f, first, text));
}

static void
assert_said(const uint8_t *want, size_t len)
{
	size_t n;
	const uint8_t *out = ws_out(server, &n);

	assert_int_equal(n, len);
	if (len > 0)
		assert_memory_equal(out, want, len);
	ws_sent(server, n);
}

static void
messages_come_whole_in_fragments_and_byte_by_byte(void **state)
{
	uint8_t f[256];
	size_t n;

	(void)state;
	assert_int_equal(give(FIN | TEXT, "Hello"), SW_OK);
	assert_true(!last_binary && last_len == 5);
	assert_memory_equal(last, "Hello", 5);
	assert_int_equal(give(BINARY, "Hel"), SW_OK);
	assert_int_equal(give(FIN | PING, "are you there"), SW_OK);
	assert_int_equal(give(0, ""), SW_OK);
	assert_int_equal(count, 1);
	assert_int_equal(give(FIN, "lo!"), SW_OK);
	assert_int_equal(count, 2);
	assert_true(last_binary && last_len == 6);
	assert_memory_equal(last, "Hello!", 6);
	assert_said((const uint8_t *)"\x8a\rare you there", 15);
	n = frame(f, FIN | TEXT, "slowly");
	for (size_t i = 0; i < n; i++)
		assert_int_equal(feed(f + i, 1), SW_OK);
	assert_int_equal(count, 3);
	assert_memory_equal(last, "slowly", 6);
	assert_int_equal(give(FIN | BINARY, ""), SW_OK);
	assert_true(count == 4 && last_len == 0);
	assert_int_equal(give(FIN | PONG, "unasked"), SW_OK);
	assert_said(NULL, 0);
}

static void
what_breaks_the_rules_ends_it(void **state)
{
	static const struct {
		uint8_t first;
		const char *text;
	} bad[] = {
		{ FIN | 0x40 | TEXT, "reserved bit" },
		{ FIN | 3, "unknown opcode" },
		{ FIN | 11, "unknown control opcode" },
		{ FIN, "continues nothing" },
		{ PING, "a control frame in fragments" },
	};
	static const uint8_t unmasked[] = { FIN | TEXT, 2, 'n', 'o' };
	static const uint8_t huge[] = { FIN | BINARY, MASK | 127, 0, 0, 0, 0,
	    0, 2, 0, 1, 1, 2, 3, 4, 0 };
	static const uint8_t ping[] = { FIN | PING, MASK | 126, 0, 126, 1, 2,
	    3, 4, 0 };

	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
		assert_int_equal(give(bad[i].first, bad[i].text),
		    SW_ERR_FORMAT);
		end(state);
		begin(state);
	}
	assert_int_equal(feed(unmasked, sizeof(unmasked)), SW_ERR_FORMAT);
	end(state);
	begin(state);
	assert_int_equal(feed(huge, sizeof(huge)), SW_ERR_FORMAT);
	end(state);
	begin(state);
	assert_int_equal(feed(ping, sizeof(ping)), SW_ERR_FORMAT);
	end(state);
	begin(state);
	assert_int_equal(give(TEXT, "one"), SW_OK);
	assert_int_equal(give(FIN | TEXT, "another inside it"),
	    SW_ERR_FORMAT);
	assert_int_equal(count, 0);
}

/* Fragments may be many, but not together more than a message may be. */
static void
the_sum_of_fragments_is_bounded(void **state)
{
	char text[101];
	size_t sum = 0;

	(void)state;
	memset(text, 'x', 100);
	text[100] = '\0';
	assert_int_equal(give(TEXT, text), SW_OK);
	for (sum = 100; sum + 100 <= WS_MESSAGE_MAX; sum += 100)
		assert_int_equal(give(0, text), SW_OK);
	assert_int_equal(give(0, text), SW_ERR_FORMAT);
	assert_int_equal(count, 0);
}

static void
a_close_is_answered_and_the_last_word(void **state)
{
	uint8_t f[64];
	size_t n = frame(f, FIN | CLOSE, "\x03\xe8" "bye");

	(void)state;
	n += frame(f + n, FIN | TEXT, "too late");
	assert_int_equal(feed(f, n), SW_ERR_CLOSED);
	assert_int_equal(count, 0);
	assert_said((const uint8_t *)"\x88\x05\x03\xe8" "bye", 7);
	assert_int_equal(ws_send(server, true, "x", 1), SW_ERR_CLOSED);
}

static void
what_waits_is_bounded_and_goes_out_as_it_came(void **state)
{
	static uint8_t data[60000];
	size_t n, sent = 0;
	const uint8_t *out;
	int r;

	(void)state;
	memset(data, 7, sizeof(data));
	while ((r = ws_send(server, true, data, sizeof(data))) == SW_OK)
		sent++;
	assert_int_equal(r, SW_AGAIN);
	assert_true(sent >= WS_OUT_MAX / sizeof(data));
	out = ws_out(server, &n);
	assert_int_equal(n, sent * (4 + sizeof(data)));
	assert_memory_equal(out, "\x82\x7e\xea\x60", 4);
	assert_memory_equal(out + 4, data, sizeof(data));
	ws_sent(server, n);
	assert_int_equal(ws_send(server, true, data, 1), SW_OK);
}

int
main(void)
{
#define EACH(f) cmocka_unit_test_setup_teardown(f, begin, end)
	const struct CMUnitTest tests[] = {
		EACH(messages_come_whole_in_fragments_and_byte_by_byte),
		EACH(what_breaks_the_rules_ends_it),
		EACH(the_sum_of_fragments_is_bounded),
		EACH(a_close_is_answered_and_the_last_word),
		EACH(what_waits_is_bounded_and_goes_out_as_it_came),
	};

	return prim_init() == SW_OK ?
	    cmocka_run_group_tests(tests, NULL, NULL) : 1;
}
