/* A gateway and its clients over real sockets on loopback: what is stored for
 * those who are away, what bounds it, and whose a session is. */
#include "tests/rig/unit.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "mix/gwclient.h"
#include "mix/node_private.h"
#include "mix/nympkt.h"
#include "mix/prim.h"
#include "tests/lib/patience.h"

#define WAIT_MS patient_ms(60000)
#define LEN 1643			/* of what a regular packet brings */

struct world {
	struct loop loop;
	struct node *node;
	uint8_t gateway[32];
	char accounts[64];
	uint64_t unix_now;		/* each proof needs a later one */
};

struct client {
	struct stream s;		/* first */
	struct world *world;
	struct ws *ws;
	struct gwclient gw;
	bool ready, closed;
	int failed;
	uint32_t first, next;		/* numbers of what was pushed */
	unsigned pushed;
	bool in_order;
};

static int
client_send(void *arg, bool binary, const void *data, size_t n)
{
	struct client *c = arg;
	const uint8_t *p;
	int r;

	if ((r = ws_send(c->ws, binary, data, n)) != SW_OK)
		return r;
	p = ws_out(c->ws, &n);
	if ((r = stream_put(&c->s, p, n)) == SW_OK)
		ws_sent(c->ws, n);
	return r;
}

static void
client_ready(void *arg)
{
	((struct client *)arg)->ready = true;
}

/* Payloads begin with their number. */
static void
client_pushed(void *arg, uint8_t *data, size_t n)
{
	struct client *c = arg;
	uint32_t number;

	assert_true(n >= sizeof(number));
	memcpy(&number, data, sizeof(number));
	if (c->pushed++ == 0)
		c->first = number;
	else if (number != c->next)
		c->in_order = false;
	c->next = number + 1;
}

static void
client_failed(void *arg, int err)
{
	((struct client *)arg)->failed = err;
}

static const struct gwclient_events gw_events = {
	client_send, client_ready, client_pushed, client_failed,
};

static void
client_open(void *arg)
{
	struct client *c = arg;

	gwclient_start(&c->gw, c->world->loop.now_ms);
}

static void
client_message(void *arg, bool binary, uint8_t *data, size_t n)
{
	struct client *c = arg;

	gwclient_take(&c->gw, binary, data, n, c->world->loop.now_ms);
}

static const struct ws_events ws_events = { client_open, client_message };

static int
client_data(struct stream *s, struct rbuf *in)
{
	return ws_feed(((struct client *)s)->ws, in);
}

static void
client_closed(struct stream *s, int err)
{
	(void)err;
	((struct client *)s)->closed = true;
}

static const struct stream_ops stream_ops = {
	client_data, NULL, client_closed,
};

static struct world *
new_world(const char *accounts)
{
	struct world *w = calloc(1, sizeof(*w));
	struct node_config cfg = {
		.identity = { 2 }, .sphinx = { 3 }, .rotation_id = 1,
		.gateway = true, .mix_addr = addr_v4(0x7f000001, 0),
		.ws_addr = addr_v4(0x7f000001, 0), .rng = &rng_system,
		.replay_bytes = 1 << 20,
	};

	assert_int_equal(loop_init(&w->loop), SW_OK);
	if (accounts != NULL)
		cfg.accounts = strcpy(w->accounts, accounts);
	assert_int_equal(node_new(&w->node, &w->loop, &cfg), SW_OK);
	prim_ed25519_public(w->gateway, cfg.identity);
	w->unix_now = (uint64_t)time(NULL);
	return w;
}

static void
free_world(struct world *w)
{
	node_free(w->node);
	loop_wipe(&w->loop);
	free(w);
}

static struct node_stats
stats(const struct world *w)
{
	struct node_stats st;

	node_stats(w->node, &st);
	return st;
}

/* A connection of client `who`; with a key it proves itself by that. */
static struct client *
connect_client(struct world *w, uint8_t who, const uint8_t *key)
{
	struct client *c = calloc(1, sizeof(*c));
	const uint8_t seed[32] = { who };
	const uint8_t *p;
	size_t n;

	c->world = w;
	c->in_order = true;
	c->ws = ws_new("gw.example:9000", &ws_events, c, &rng_system);
	gwclient_init(&c->gw, seed, w->gateway, key, w->unix_now++,
	    &gw_events, c, &rng_system);
	assert_int_equal(stream_open(&c->s, &w->loop,
	    stream_connect_fd(node_ws_addr(w->node)), true, &stream_ops),
	    SW_OK);
	p = ws_out(c->ws, &n);
	assert_int_equal(stream_put(&c->s, p, n), SW_OK);
	ws_sent(c->ws, n);
	return c;
}

static void
free_client(struct client *c)
{
	stream_close(&c->s);
	ws_free(c->ws);
	gwclient_wipe(&c->gw);
	free(c);
}

static void
turn(struct world *w, int64_t end)
{
	assert_true(clock_now_ms() < end);
	assert_int_equal(loop_run_once(&w->loop, 20), SW_OK);
}

#define RUN_UNTIL(w, what) do { \
	int64_t end_ = clock_now_ms() + WAIT_MS; \
	while (!(what)) \
		turn(w, end_); \
} while (0)

/* A client that was there once; its key. */
static void
register_client(struct world *w, uint8_t who, uint8_t key[static 32])
{
	struct client *c = connect_client(w, who, NULL);

	RUN_UNTIL(w, c->ready);
	memcpy(key, c->gw.key, 32);
	free_client(c);
	RUN_UNTIL(w, stats(w).clients == 0);
}

static void
public_of(uint8_t id[static 32], uint8_t who)
{
	prim_ed25519_public(id, (const uint8_t[32]){ who });
}

static void
deliver(struct world *w, uint8_t who, uint32_t number, size_t len)
{
	static uint8_t payload[NYMPKT_MAX_PLAIN_LEN];
	uint8_t id[32];

	public_of(id, who);
	memcpy(payload, &number, sizeof(number));
	node_deliver(w->node, id, payload, len);
}

static void
what_comes_for_an_absent_client_waits_for_it(void **state)
{
	struct world *w = new_world(NULL);
	struct client *c;
	uint8_t key[32];

	(void)state;
	register_client(w, 1, key);
	for (uint32_t i = 0; i < 3; i++)
		deliver(w, 1, i, LEN);
	deliver(w, 2, 0, LEN);		/* nobody */
	assert_int_equal(stats(w).stored, 3);
	assert_int_equal(stats(w).inbox_full, 1);
	c = connect_client(w, 1, key);
	RUN_UNTIL(w, c->ready);
	assert_int_equal(c->pushed, 3);	/* before the welcome */
	assert_int_equal(stats(w).stored, 0);
	deliver(w, 1, 3, LEN);
	RUN_UNTIL(w, c->pushed == 4);
	assert_true(c->in_order);
	free_client(c);
	free_world(w);
}

static void
an_inbox_keeps_the_newest(void **state)
{
	struct world *w = new_world(NULL);
	struct client *c;
	uint8_t key[32];

	(void)state;
	register_client(w, 1, key);
	for (uint32_t i = 0; i < NODE_INBOX_EACH + 5; i++)
		deliver(w, 1, i, LEN);
	assert_int_equal(stats(w).stored, NODE_INBOX_EACH);
	assert_int_equal(stats(w).inbox_full, 5);
	c = connect_client(w, 1, key);
	RUN_UNTIL(w, c->ready && c->pushed == NODE_INBOX_EACH);
	assert_int_equal(c->first, 5);
	assert_true(c->in_order);
	free_client(c);
	free_world(w);
}

/* More than a connection takes at once: it comes as the client reads. */
static void
a_large_inbox_comes_as_it_is_read(void **state)
{
	struct world *w = new_world(NULL);
	struct client *c;
	uint8_t key[32];

	(void)state;
	register_client(w, 1, key);
	for (uint32_t i = 0; i < NODE_INBOX_EACH; i++)
		deliver(w, 1, i, NYMPKT_MAX_PLAIN_LEN);
	c = connect_client(w, 1, key);
	RUN_UNTIL(w, c->ready && c->pushed == NODE_INBOX_EACH);
	assert_true(c->in_order);
	assert_int_equal(stats(w).stored, 0);
	assert_int_equal(stats(w).inbox_full, 0);
	free_client(c);
	free_world(w);
}

static void
all_inboxes_together_are_bounded(void **state)
{
	struct world *w = new_world(NULL);
	uint32_t fits = NODE_INBOX_BYTES / NYMPKT_MAX_PLAIN_LEN, sent = 0;
	uint8_t id[32];

	(void)state;
	for (uint8_t who = 1; who < 5; who++) {
		public_of(id, who);
		assert_non_null(node_new_account(w->node, id));
		for (uint32_t i = 0; i < NODE_INBOX_EACH; i++, sent++)
			deliver(w, who, i, NYMPKT_MAX_PLAIN_LEN);
	}
	assert_int_equal(stats(w).stored, fits);
	assert_int_equal(stats(w).inbox_full, sent - fits);
	/* A day later they are gone, and there is room again. */
	w->loop.now_ms += NODE_INBOX_MS + 1;
	node_sweep_inbox(w->node);
	assert_int_equal(stats(w).stored, 0);
	assert_int_equal(stats(w).inbox_full, sent);
	deliver(w, 4, 0, NYMPKT_MAX_PLAIN_LEN);
	assert_int_equal(stats(w).stored, 1);
	free_world(w);
}

/* Who does not read has lost what does not fit, and nobody else anything. */
static void
a_client_that_does_not_read_loses_its_own(void **state)
{
	struct world *w = new_world(NULL);
	struct client *slow, *other;
	uint32_t n = 0;

	(void)state;
	slow = connect_client(w, 1, NULL);
	other = connect_client(w, 2, NULL);
	RUN_UNTIL(w, slow->ready && other->ready);
	loop_mod(&w->loop, &slow->s.w, 0);	/* it stops reading */
	while (stats(w).push_full == 0) {
		assert_true(n < 10000);
		deliver(w, 1, n++, NYMPKT_MAX_PLAIN_LEN);
	}
	assert_true((uint64_t)n * NYMPKT_MAX_PLAIN_LEN > WS_OUT_MAX);
	deliver(w, 2, 0, LEN);
	RUN_UNTIL(w, other->pushed == 1);
	loop_mod(&w->loop, &slow->s.w, EPOLLIN);
	RUN_UNTIL(w, slow->pushed == n - 1);
	assert_true(slow->in_order);
	free_client(slow);
	free_client(other);
	free_world(w);
}

static void
the_second_connection_takes_over(void **state)
{
	struct world *w = new_world(NULL);
	struct client *a, *b, *c;
	uint8_t key[32];

	(void)state;
	a = connect_client(w, 1, NULL);
	RUN_UNTIL(w, a->ready);
	memcpy(key, a->gw.key, sizeof(key));
	deliver(w, 1, 0, LEN);
	RUN_UNTIL(w, a->pushed == 1);
	b = connect_client(w, 1, key);
	RUN_UNTIL(w, b->ready);
	deliver(w, 1, 1, LEN);
	RUN_UNTIL(w, a->closed && b->pushed == 1);
	assert_int_equal(a->pushed, 1);
	assert_int_equal(stats(w).clients, 1);
	deliver(w, 1, 2, LEN);		/* the end of `a` was not b's */
	RUN_UNTIL(w, b->pushed == 2);
	/* Who registers anew takes over, too: the old key is worth nothing. */
	c = connect_client(w, 1, NULL);
	RUN_UNTIL(w, c->ready && b->closed);
	assert_memory_not_equal(c->gw.key, key, sizeof(key));
	deliver(w, 1, 3, LEN);
	RUN_UNTIL(w, c->pushed == 1);
	free_client(a);
	a = connect_client(w, 1, key);
	RUN_UNTIL(w, a->closed);
	assert_int_equal(a->failed, SW_ERR_AUTH);
	deliver(w, 1, 4, LEN);
	RUN_UNTIL(w, c->pushed == 2);
	assert_false(c->closed);
	free_client(a);
	free_client(b);
	free_client(c);
	free_world(w);
}

/* Beyond the bound, who has been away longest is forgotten. */
static void
accounts_are_bounded(void **state)
{
	struct world *w = new_world(NULL);
	uint8_t id[32] = { 0 }, key[32];
	struct client *c;

	(void)state;
	register_client(w, 1, key);
	c = connect_client(w, 2, NULL);
	RUN_UNTIL(w, c->ready);
	deliver(w, 1, 0, LEN);
	w->loop.now_ms++;
	for (uint32_t i = 0; i < NODE_ACCOUNTS_MAX - 1; i++) {
		memcpy(id, &i, sizeof(i));
		assert_non_null(node_new_account(w->node, id));
	}
	assert_int_equal(HASH_COUNT(w->node->accounts), NODE_ACCOUNTS_MAX);
	public_of(id, 1);
	assert_null(node_find_account(w->node, id));
	public_of(id, 2);		/* who is here, stays */
	assert_non_null(node_find_account(w->node, id));
	assert_int_equal(stats(w).stored, 0);
	assert_int_equal(stats(w).inbox_full, 1);
	free_client(c);
	free_world(w);
}

static void
write_accounts(const char *path, const char *text, mode_t mode)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);

	assert_int_equal(write(fd, text, strlen(text)), strlen(text));
	assert_int_equal(fchmod(fd, mode), 0);
	close(fd);
}

static void
clients_outlive_a_restart_by_their_file(void **state)
{
	static const char *const bad[] = {
		"", "smolnode clients 2\n", "smolnode clients 1\n0 0 0 0 0\n",
	};
	struct node_config cfg = { .gateway = true, .rng = &rng_system,
	    .mix_addr = addr_v4(0x7f000001, 0), .replay_bytes = 1 << 20,
	    .ws_addr = addr_v4(0x7f000001, 0) };
	char dir[] = "/tmp/mix_node_test.XXXXXX", path[64];
	struct world *w;
	struct client *c;
	struct node *node;
	struct stat st;
	uint8_t key[32];

	(void)state;
	assert_non_null(mkdtemp(dir));
	snprintf(path, sizeof(path), "%s/clients", dir);
	w = new_world(path);
	register_client(w, 1, key);
	free_world(w);
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0600);
	w = new_world(path);
	c = connect_client(w, 1, key);
	RUN_UNTIL(w, c->ready);
	assert_memory_equal(c->gw.key, key, sizeof(key));
	free_client(c);
	cfg.accounts = path;
	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
		write_accounts(path, bad[i], 0600);
		assert_int_equal(node_new(&node, &w->loop, &cfg),
		    SW_ERR_FORMAT);
		assert_null(node);
	}
	write_accounts(path, "smolnode clients 1\n", 0644);
	assert_int_equal(node_new(&node, &w->loop, &cfg), SW_ERR_DENIED);
	free_world(w);
	unlink(path);
	rmdir(dir);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_comes_for_an_absent_client_waits_for_it),
		cmocka_unit_test(an_inbox_keeps_the_newest),
		cmocka_unit_test(a_large_inbox_comes_as_it_is_read),
		cmocka_unit_test(all_inboxes_together_are_bounded),
		cmocka_unit_test(a_client_that_does_not_read_loses_its_own),
		cmocka_unit_test(the_second_connection_takes_over),
		cmocka_unit_test(accounts_are_bounded),
		cmocka_unit_test(clients_outlive_a_restart_by_their_file),
	};

	return prim_init() == SW_OK ?
	    cmocka_run_group_tests(tests, NULL, NULL) : 1;
}
