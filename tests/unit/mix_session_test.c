/* A client's and a gateway's session, over websockets whose bytes arrive in
 * pieces of any size. */
#include "tests/rig/unit.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "mix/gwclient.h"
#include "mix/gwserver.h"
#include "mix/nympkt.h"
#include "mix/ws.h"

struct pair {
	struct rng_seeded rng;
	struct ws *cws, *sws;
	struct gwclient client;
	struct gwserver server;
	struct gwserver_account account;
	bool has_account, ready;
	int failed, ended;
	int64_t unix_now, now_ms;
	uint8_t seed_g[32], seed_c[32], id_g[32];
	uint8_t forwarded[3000], pushed[3000];
	size_t forwarded_len, pushed_len;
	unsigned joined;
	struct sw_addr first;
	uint8_t rotation;
};

static int
client_send(void *arg, bool binary, const void *data, size_t n)
{
	return ws_send(((struct pair *)arg)->cws, binary, data, n);
}

static void
client_ready(void *arg)
{
	((struct pair *)arg)->ready = true;
}

static void
client_pushed(void *arg, uint8_t *data, size_t n)
{
	struct pair *p = arg;

	memcpy(p->pushed, data, n);
	p->pushed_len = n;
}

static void
client_failed(void *arg, int err)
{
	((struct pair *)arg)->failed = err;
}

static const struct gwclient_events client_events = {
	client_send, client_ready, client_pushed, client_failed,
};

static int
server_send(void *arg, bool binary, const void *data, size_t n)
{
	return ws_send(((struct pair *)arg)->sws, binary, data, n);
}

static struct gwserver_account *
server_account(void *arg, const uint8_t identity[32], bool create)
{
	struct pair *p = arg;

	if (create) {
		p->has_account = true;
		memcpy(p->account.identity, identity, 32);
	}
	return p->has_account &&
	    memcmp(p->account.identity, identity, 32) == 0 ? &p->account :
	    NULL;
}

static void
server_forget(void *arg, struct gwserver_account *a)
{
	struct pair *p = arg;

	assert_ptr_equal(a, &p->account);
	p->has_account = false;
}

static void
server_joined(void *arg, struct gwserver_account *a)
{
	struct pair *p = arg;

	assert_ptr_equal(a, &p->account);
	p->joined++;
	/* Something was stored: it goes out before the answer. */
	assert_int_equal(gwserver_push(&p->server, (const uint8_t *)"stored",
	    6), SW_OK);
}

static void
server_forward(void *arg, const struct sw_addr *first, uint8_t rotation,
    const uint8_t *pkt, size_t len)
{
	struct pair *p = arg;

	memcpy(p->forwarded, pkt, len);
	p->forwarded_len = len;
	p->first = *first;
	p->rotation = rotation;
}

static int64_t
server_unix_now(void *arg)
{
	return ((struct pair *)arg)->unix_now;
}

static const struct gwserver_host server_host = {
	server_send, server_account, server_joined, server_forget,
	server_forward, server_unix_now,
};

static void
client_open(void *arg)
{
	struct pair *p = arg;

	gwclient_start(&p->client, p->now_ms);
}

static void
client_message(void *arg, bool binary, uint8_t *data, size_t n)
{
	struct pair *p = arg;

	gwclient_take(&p->client, binary, data, n, p->now_ms);
}

static void
server_open(void *arg)
{
	(void)arg;
}

static void
server_message(void *arg, bool binary, uint8_t *data, size_t n)
{
	struct pair *p = arg;
	int r = gwserver_take(&p->server, binary, data, n, p->now_ms);

	if (r != SW_OK)
		p->ended = r;
}

static const struct ws_events client_ws = { client_open, client_message };
static const struct ws_events server_ws = { server_open, server_message };

/* Move bytes one way, in random pieces; true if there were any. */
static bool
pump(struct pair *p, struct ws *from, struct ws *to)
{
	static uint8_t buf[1 << 17];
	static size_t have[2];
	size_t *left = &have[to == p->sws], n, take;
	uint8_t *own = buf + (to == p->sws ? 0 : sizeof(buf) / 2);
	const uint8_t *out = ws_out(from, &n);
	struct rbuf in;

	if (n == 0) {
		*left = 0;
		return false;
	}
	take = 1 + rng_below(&p->rng.rng, (uint32_t)n);
	memcpy(own + *left, out, take);
	ws_sent(from, take);
	in = (struct rbuf){ own, *left + take };
	assert_int_equal(ws_feed(to, &in), SW_OK);
	memmove(own, in.p, in.left);
	*left = in.left;
	return true;
}

static void
run(struct pair *p)
{
	bool moved = true;

	while (moved) {
		moved = pump(p, p->cws, p->sws);
		moved |= pump(p, p->sws, p->cws);
	}
}

static void
connect_again(struct pair *p, const uint8_t *key)
{
	ws_free(p->cws);
	ws_free(p->sws);
	p->cws = ws_new("gw.example:9000", &client_ws, p, &p->rng.rng);
	p->sws = ws_new(NULL, &server_ws, p, &p->rng.rng);
	p->ready = false;
	p->failed = p->ended = 0;
	gwclient_init(&p->client, p->seed_c, p->id_g, key,
	    (uint64_t)p->unix_now, &client_events, p, &p->rng.rng);
	gwserver_init(&p->server, p->seed_g, &server_host, p, &p->rng.rng,
	    p->now_ms);
}

static struct pair *
new_pair(uint8_t seed)
{
	struct pair *p = calloc(1, sizeof(*p));

	rng_seeded_init(&p->rng, (const uint8_t[32]){ seed });
	memset(p->seed_g, 2, 32);
	memset(p->seed_c, 1, 32);
	prim_ed25519_public(p->id_g, p->seed_g);
	p->unix_now = 1750000000;
	connect_again(p, NULL);
	return p;
}

static void
free_pair(struct pair *p)
{
	ws_free(p->cws);
	ws_free(p->sws);
	free(p);
}

static void
a_new_client_registers_and_sends(void **state)
{
	struct sw_addr first = addr_v4(0x0a000001, 1789);
	uint8_t pkt[2413];
	struct pair *p = new_pair(1);

	(void)state;
	run(p);
	assert_true(p->ready);
	assert_int_equal(p->failed, 0);
	assert_int_equal(p->joined, 1);
	assert_int_equal(p->pushed_len, 6);
	assert_memory_equal(p->client.key, p->account.key, 32);
	assert_true(p->client.available == GWSERVER_CLAIM_BYTES);

	for (int i = 0; i < 30; i++) {
		rng_fill(&p->rng.rng, pkt, sizeof(pkt));
		assert_int_equal(gwclient_forward(&p->client, &first,
		    NYMPKT_ROTATION_EVEN, pkt, sizeof(pkt)), SW_OK);
		run(p);
		assert_int_equal(p->forwarded_len, sizeof(pkt));
		assert_memory_equal(p->forwarded, pkt, sizeof(pkt));
		assert_memory_equal(&p->first, &first, sizeof(first));
		assert_int_equal(p->rotation, NYMPKT_ROTATION_EVEN);
	}
	assert_true(p->account.available == GWSERVER_CLAIM_BYTES - 30 * 2413);
	assert_true(p->client.available == p->account.available);
	assert_int_equal(gwserver_push(&p->server, pkt, 1643), SW_OK);
	run(p);
	assert_memory_equal(p->pushed, pkt, 1643);
	free_pair(p);
}

static void
a_known_client_proves_itself_with_its_key(void **state)
{
	struct pair *p = new_pair(2);
	uint8_t key[32];

	(void)state;
	run(p);
	memcpy(key, p->client.key, 32);
	p->unix_now++;
	connect_again(p, key);
	run(p);
	assert_true(p->ready);
	assert_int_equal(p->joined, 2);
	assert_memory_equal(p->account.key, key, 32);

	/* The same second again is a replay. */
	connect_again(p, key);
	run(p);
	assert_int_equal(p->failed, SW_ERR_AUTH);
	assert_int_equal(p->ended, SW_ERR_REPLAY);

	/* A clock that is off, then a key that is wrong, then no account. */
	p->unix_now += 10;
	connect_again(p, key);
	p->client.unix_now += 1000;
	run(p);
	assert_int_equal(p->ended, SW_ERR_AUTH);
	key[3] ^= 1;
	p->unix_now++;
	connect_again(p, key);
	run(p);
	assert_int_equal(p->failed, SW_ERR_AUTH);
	p->has_account = false;
	p->unix_now++;
	connect_again(p, key);
	run(p);
	assert_int_equal(p->failed, SW_ERR_AUTH);
	free_pair(p);
}

static int
mute_send(void *arg, bool binary, const void *data, size_t n)
{
	(void)arg;
	(void)binary;
	(void)data;
	(void)n;
	return SW_OK;
}

/* For a gateway that is played by the test. */
static const struct gwclient_events mute_events = {
	mute_send, client_ready, client_pushed, client_failed,
};

/* A message of the gateway, as it would come. */
static void
tell(struct pair *p, const struct gwmsg *m)
{
	char json[GWMSG_TEXT_MAX];
	size_t n;

	assert_int_equal(gwmsg_write(m, json, sizeof(json), &n), SW_OK);
	gwclient_take(&p->client, false, (uint8_t *)json, n, p->now_ms);
}

/* Gateways that want to be paid refuse claims.  In upgrade mode they need
 * none, and report hardly more than what would cause one. */
static void
in_upgrade_mode_nothing_is_claimed(void **state)
{
	struct gwmsg sent = { .type = GWMSG_SENT, .available = 40000001,
	    .unmetered = true };
	struct sw_addr first = addr_v4(0x0a000001, 1789);
	uint8_t pkt[2413] = { 0 };
	struct pair *p = new_pair(9);

	(void)state;
	gwclient_init(&p->client, p->seed_c, p->id_g, p->account.key,
	    (uint64_t)p->unix_now, &mute_events, p, &p->rng.rng);
	gwclient_start(&p->client, p->now_ms);
	tell(p, &(struct gwmsg){ .type = GWMSG_SUPPORTED,
	    .version = GWMSG_VERSION });
	tell(p, &(struct gwmsg){ .type = GWMSG_AUTHENTICATED,
	    .version = GWMSG_VERSION, .status = true, .available = 40000001,
	    .unmetered = true });
	assert_true(p->ready);
	for (int i = 0; i < 3; i++) {
		assert_int_equal(gwclient_forward(&p->client, &first,
		    NYMPKT_ROTATION_EVEN, pkt, sizeof(pkt)), SW_OK);
		assert_false(p->client.claiming);
		tell(p, &sent);
	}
	sent.unmetered = false;		/* it is over */
	sent.available = 30000000;
	tell(p, &sent);
	assert_true(p->client.available == 30000000);
	assert_int_equal(gwclient_forward(&p->client, &first,
	    NYMPKT_ROTATION_EVEN, pkt, sizeof(pkt)), SW_OK);
	assert_true(p->client.claiming);
	free_pair(p);
}

/* Send `wish` as an encrypted request; the answer's text. */
static void
wish(struct pair *p, const char *text, char *answer, size_t cap)
{
	struct gwmsg m = { .type = GWMSG_ENCRYPTED };
	char json[GWMSG_TEXT_MAX];
	size_t n;

	m.data_len = strlen(text);
	memcpy(m.data, text, m.data_len);
	rng_fill(&p->rng.rng, m.nonce, sizeof(m.nonce));
	gcm_siv_seal(p->client.key, m.nonce, NULL, 0, m.data, m.data_len,
	    m.data + m.data_len);
	m.data_len += GCM_SIV_TAG_LEN;
	assert_int_equal(gwmsg_write(&m, json, sizeof(json), &n), SW_OK);
	p->ended = gwserver_take(&p->server, false, (uint8_t *)json, n,
	    p->now_ms);
	/* The answer waits in the websocket: a frame with a short or a long
	 * length. */
	const uint8_t *out = ws_out(p->sws, &n);
	size_t head = out[1] < 126 ? 2 : 4;

	assert_true(n > head);
	assert_int_equal(gwmsg_read(&m, (const char *)out + head, n - head),
	    SW_OK);
	ws_sent(p->sws, n);
	assert_int_equal(m.type, GWMSG_ENCRYPTED_ANSWER);
	m.data_len -= GCM_SIV_TAG_LEN;
	assert_int_equal(gcm_siv_open(p->client.key, m.nonce, NULL, 0, m.data,
	    m.data_len, m.data + m.data_len), SW_OK);
	assert_true(m.data_len < cap);
	memcpy(answer, m.data, m.data_len);
	answer[m.data_len] = '\0';
}

static void
a_client_is_remembered_or_forgotten_as_it_wishes(void **state)
{
	struct pair *p = new_pair(3);
	char answer[100];

	(void)state;
	run(p);
	wish(p, "{\"RememberMe\":{\"session_type\":\"Native\"}}", answer,
	    sizeof(answer));
	assert_string_equal(answer, "{\"RememberMeAck\":{}}");
	assert_int_equal(p->ended, SW_OK);
	wish(p, "{\"ForgetMe\":{\"client\":false,\"stats\":true}}", answer,
	    sizeof(answer));
	assert_string_equal(answer, "{\"ForgetMeAck\":{}}");
	assert_int_equal(p->ended, SW_OK);
	assert_true(p->has_account);
	wish(p, "{\"ForgetMe\":{\"client\":true,\"stats\":false}}", answer,
	    sizeof(answer));
	assert_string_equal(answer, "{\"ForgetMeAck\":{}}");
	assert_int_equal(p->ended, SW_ERR_CLOSED);
	assert_false(p->has_account);
	free_pair(p);
}

static void
bandwidth_ends_at_midnight_and_is_claimed_again(void **state)
{
	struct sw_addr first = addr_v4(0x0a000001, 1789);
	uint8_t pkt[386] = { 0 };
	struct pair *p = new_pair(4);

	(void)state;
	run(p);
	p->unix_now += 86400;
	assert_int_equal(gwclient_forward(&p->client, &first, 0, pkt, 386),
	    SW_OK);
	run(p);
	assert_int_equal(p->forwarded_len, 0);
	assert_true(p->client.available == GWSERVER_CLAIM_BYTES);
	assert_int_equal(gwclient_forward(&p->client, &first, 0, pkt, 386),
	    SW_OK);
	run(p);
	assert_int_equal(p->forwarded_len, 386);
	assert_int_equal(p->failed, 0);
	free_pair(p);
}

static void
another_gateway_is_not_believed(void **state)
{
	struct pair *p = new_pair(5);

	(void)state;
	p->seed_g[0] ^= 1;
	run(p);
	assert_false(p->ready);
	assert_int_equal(p->failed, SW_ERR_AUTH);
	free_pair(p);
}

static int
into_the_void(void *arg, bool binary, const void *data, size_t n)
{
	(void)arg;
	(void)binary;
	(void)data;
	(void)n;
	return SW_OK;
}

static void
silence_ends_a_session(void **state)
{
	static const struct gwclient_events silent = {
		into_the_void, client_ready, client_pushed, client_failed,
	};
	struct pair *p = new_pair(6);

	(void)state;
	gwclient_init(&p->client, p->seed_c, p->id_g, NULL, 1, &silent, p,
	    &p->rng.rng);
	gwclient_start(&p->client, 0);
	gwclient_tick(&p->client, GWCLIENT_STEP_MS - 1);
	assert_int_equal(p->failed, 0);
	gwclient_tick(&p->client, gwclient_deadline(&p->client));
	assert_int_equal(p->failed, SW_ERR_TIMEOUT);
	assert_int_equal(gwserver_deadline(&p->server), GWSERVER_FIRST_MS);
	free_pair(p);
}

static void
nonsense_instead_of_a_greeting_ends_it(void **state)
{
	struct pair *p = new_pair(7);
	uint8_t text[] = "{\"type\":\"claimFreeTestnetBandwidth\"}";

	(void)state;
	ws_free(p->cws);
	p->cws = ws_new("x", &client_ws, p, &p->rng.rng);
	p->now_ms = 0;
	assert_int_equal(gwserver_take(&p->server, false, text,
	    sizeof(text) - 1, 0), SW_ERR_FORMAT);
	assert_int_equal(gwserver_take(&p->server, true, text,
	    sizeof(text) - 1, 0), SW_ERR_FORMAT);
	free_pair(p);
}

static void
an_upgrade_that_lies_is_refused(void **state)
{
	static const char *const bad[] = {
		"HTTP/1.1 200 OK\r\n\r\n",
		"HTTP/1.1 101 x\r\n\r\n",
		"HTTP/1.1 101 x\r\nSec-WebSocket-Accept: no\r\n\r\n",
	};
	struct pair *p = new_pair(8);
	struct rbuf in;

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
		in = (struct rbuf){ (const uint8_t *)bad[i], strlen(bad[i]) };
		assert_int_not_equal(ws_feed(p->cws, &in), SW_OK);
	}
	in = (struct rbuf){ (const uint8_t *)"POST / HTTP/1.1\r\n\r\n", 19 };
	assert_int_equal(ws_feed(p->sws, &in), SW_ERR_REFUSED);
	free_pair(p);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_new_client_registers_and_sends),
		cmocka_unit_test(a_known_client_proves_itself_with_its_key),
		cmocka_unit_test(in_upgrade_mode_nothing_is_claimed),
		cmocka_unit_test(
		    a_client_is_remembered_or_forgotten_as_it_wishes),
		cmocka_unit_test(
		    bandwidth_ends_at_midnight_and_is_claimed_again),
		cmocka_unit_test(another_gateway_is_not_believed),
		cmocka_unit_test(silence_ends_a_session),
		cmocka_unit_test(nonsense_instead_of_a_greeting_ends_it),
		cmocka_unit_test(an_upgrade_that_lies_is_refused),
	};

	return cmocka_run_group_tests(tests, unit_prim_init, NULL);
}
