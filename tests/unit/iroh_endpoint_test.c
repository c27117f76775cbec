/* Two endpoints in one process, over loopback UDP. */
#include "tests/rig/unit.h"

#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "tests/lib/patience.h"
#include "transport/iroh.h"

#define WAIT_MS patient_ms(20000)		/* what a loaded machine may take */

struct rig {
	struct iroh_endpoint *server, *client;
	struct iroh_addr at;
};

static int
open_one(struct iroh_endpoint **ep, struct iroh_options o)
{
	char why[IROH_WHY_LEN];

	o.bind = "127.0.0.1";
	return iroh_open(ep, &o, why);
}

static void
address(const struct iroh_endpoint *ep, struct iroh_addr *a)
{
	*a = (struct iroh_addr){ .ndirect = 1 };
	iroh_id(ep, &a->id);
	a->direct[0] = addr_v4(INADDR_LOOPBACK, iroh_port(ep));
}

static int
set_up(void **state)
{
	struct rig *r = calloc(1, sizeof(*r));

	if (open_one(&r->server,
	    (struct iroh_options){ .accept = true }) != SW_OK ||
	    open_one(&r->client,
	    (struct iroh_options){ .accept = false }) != SW_OK)
		return -1;
	address(r->server, &r->at);
	*state = r;
	return 0;
}

static int
tear_down(void **state)
{
	struct rig *r = *state;

	iroh_close(r->client, 0);
	iroh_close(r->server, 0);
	free(r);
	return 0;
}

static int
dial(struct iroh_endpoint *ep, const struct iroh_addr *to, int wait_ms)
{
	char why[IROH_WHY_LEN];
	int fd, r;
	const struct transport_limit until = { clock_now_ms() + wait_ms, -1 };

	r = iroh_dial(ep, to, &until, &fd, why);
	if (r != SW_OK) {
		assert_int_equal(fd, -1);
		assert_string_not_equal(why, "");
		return r;
	}
	return fd;
}

static bool
readable(int fd, int wait_ms)
{
	struct pollfd w = { fd, POLLIN, 0 };

	return poll(&w, 1, wait_ms) == 1;
}

static struct iroh_incoming
take(struct iroh_endpoint *ep)
{
	struct iroh_incoming in;

	assert_true(readable(iroh_accept_fd(ep), WAIT_MS));
	assert_int_equal(iroh_accept(ep, &in), SW_OK);
	return in;
}

/* A stream, both ends of which are ours; the first byte has been read. */
static void
connect_pair(struct rig *r, int *near, int *far)
{
	char b = 0;

	*near = dial(r->client, &r->at, WAIT_MS);
	assert_true(*near >= 0);
	assert_int_equal(write(*near, "!", 1), 1);
	*far = take(r->server).fd;
	assert_int_equal(read(*far, &b, 1), 1);
	assert_int_equal(b, '!');
}

static void
expect_end(int fd)
{
	char b;

	assert_true(readable(fd, WAIT_MS));
	assert_int_equal(read(fd, &b, 1), 0);
}

static void
a_stream_carries_both_ways_and_names_its_peer(void **state)
{
	struct rig *r = *state;
	struct iroh_incoming in;
	struct iroh_id me;
	char buf[8] = "";
	int fd = dial(r->client, &r->at, WAIT_MS);

	assert_true(fd >= 0);
	assert_int_equal(iroh_accept(r->server, &in), SW_AGAIN);
	assert_int_equal(write(fd, "hello", 5), 5);
	in = take(r->server);
	iroh_id(r->client, &me);
	assert_memory_equal(&in.peer, &me, sizeof(me));
	assert_false(in.relayed);
	assert_int_equal(in.from.port, iroh_port(r->client));
	assert_int_equal(read(in.fd, buf, sizeof(buf)), 5);
	assert_memory_equal(buf, "hello", 5);
	assert_int_equal(write(in.fd, "world", 5), 5);
	assert_int_equal(read(fd, buf, sizeof(buf)), 5);
	assert_memory_equal(buf, "world", 5);
	close(fd);
	expect_end(in.fd);
	close(in.fd);
}

static void
each_direction_ends_by_itself(void **state)
{
	struct rig *r = *state;
	int near, far;
	char b;

	connect_pair(r, &near, &far);
	shutdown(near, SHUT_WR);
	expect_end(far);
	assert_int_equal(write(far, "x", 1), 1);
	assert_int_equal(read(near, &b, 1), 1);
	shutdown(far, SHUT_WR);
	expect_end(near);
	close(near);
	close(far);
}

#define BULK (24u << 20)

static uint8_t
byte_at(size_t i)
{
	return (uint8_t)(i * 131 + (i >> 8) * 7 + (i >> 16));
}

static void *
write_bulk(void *arg)
{
	int fd = *(int *)arg;
	static _Thread_local uint8_t buf[70001];

	for (size_t at = 0; at < BULK;) {
		size_t n = BULK - at < sizeof(buf) ? BULK - at : sizeof(buf);
		ssize_t m;

		for (size_t i = 0; i < n; i++)
			buf[i] = byte_at(at + i);
		m = write(fd, buf, n);
		if (m <= 0)
			break;
		at += (size_t)m;
	}
	close(fd);		/* what was written must arrive all the same */
	return NULL;
}

static size_t
read_bulk(int fd)
{
	static uint8_t buf[50021];
	size_t at = 0;
	ssize_t n;

	while (readable(fd, WAIT_MS) && (n = read(fd, buf, sizeof(buf))) > 0)
		for (ssize_t i = 0; i < n; i++, at++)
			if (buf[i] != byte_at(at))
				return at;
	return at;
}

static void
all_bytes_arrive_in_order_though_the_writer_closes(void **state)
{
	struct rig *r = *state;
	int near, far;
	pthread_t t;

	connect_pair(r, &near, &far);
	assert_int_equal(pthread_create(&t, NULL, write_bulk, &near), 0);
	assert_int_equal(read_bulk(far), BULK);
	pthread_join(t, NULL);
	close(far);

	connect_pair(r, &near, &far);
	assert_int_equal(pthread_create(&t, NULL, write_bulk, &far), 0);
	assert_int_equal(read_bulk(near), BULK);
	pthread_join(t, NULL);
	close(near);
}

static void
a_reader_that_sleeps_stops_the_writer(void **state)
{
	struct rig *r = *state;
	static char buf[65536];
	size_t sent = 0;
	int near, far;

	connect_pair(r, &near, &far);
	for (;;) {
		struct pollfd w = { near, POLLOUT, 0 };
		ssize_t n;

		if (poll(&w, 1, 2000) == 0)
			break;
		n = send(near, buf, sizeof(buf), MSG_DONTWAIT);
		if (n > 0)
			sent += (size_t)n;
		assert_true(sent < 16u << 20);
	}
	assert_true(sent > 1u << 20);
	while (sent > 0 && readable(far, WAIT_MS)) {
		ssize_t n = read(far, buf, sizeof(buf));

		assert_true(n > 0);
		sent -= (size_t)n;
	}
	assert_int_equal(sent, 0);
	close(near);
	close(far);
}

static void
another_identity_is_refused(void **state)
{
	struct rig *r = *state;
	struct iroh_addr wrong = r->at;

	iroh_id(r->client, &wrong.id);
	assert_int_equal(dial(r->client, &wrong, WAIT_MS), SW_ERR_CONFIG);
	wrong.id.key[0] ^= 1;
	assert_int_equal(dial(r->client, &wrong, WAIT_MS), SW_ERR_AUTH);
}

static void
another_protocol_is_refused(void **state)
{
	struct rig *r = *state;
	struct iroh_endpoint *ep;

	assert_int_equal(open_one(&ep,
	    (struct iroh_options){ .alpn = "other" }), SW_OK);
	assert_int_equal(dial(ep, &r->at, WAIT_MS), SW_ERR_REFUSED);
	iroh_close(ep, 0);
}

static void
a_dial_keeps_its_deadline_and_needs_a_way(void **state)
{
	struct rig *r = *state;
	struct iroh_addr nowhere = r->at;
	int64_t start = clock_now_ms();

	nowhere.direct[0].port = 9;
	assert_int_equal(dial(r->client, &nowhere, 300), SW_ERR_TIMEOUT);
	assert_true(clock_now_ms() - start < patient_ms(5000));
	nowhere.ndirect = 0;
	assert_int_equal(dial(r->client, &nowhere, 300), SW_ERR_CONFIG);
}

/* The dead address first: whichever answers is the path. */
static void
of_several_addresses_the_one_that_answers_is_used(void **state)
{
	struct rig *r = *state;
	struct iroh_addr two = r->at;
	int fd;

	two.ndirect = 2;
	two.direct[1] = two.direct[0];
	two.direct[0].port = 9;
	assert_true((fd = dial(r->client, &two, WAIT_MS)) >= 0);
	close(fd);
	fd = take(r->server).fd;	/* a FIN alone shows a stream, too */
	expect_end(fd);
	close(fd);
}

static void
closing_an_endpoint_delivers_and_ends_its_streams(void **state)
{
	struct rig *r = *state;
	struct iroh_endpoint *ep;
	struct iroh_incoming in;
	char buf[8];
	int fd;

	assert_int_equal(open_one(&ep, (struct iroh_options){ .port = 0 }),
	    SW_OK);
	assert_true((fd = dial(ep, &r->at, WAIT_MS)) >= 0);
	assert_int_equal(write(fd, "last", 4), 4);
	iroh_close(ep, WAIT_MS / 20);
	in = take(r->server);
	assert_int_equal(read(in.fd, buf, sizeof(buf)), 4);
	expect_end(in.fd);
	expect_end(fd);
	close(in.fd);
	close(fd);
}

static void
a_finished_endpoint_lives_as_long_as_its_stream(void **state)
{
	struct rig *r = *state;
	struct iroh_endpoint *ep;
	struct iroh_incoming in;
	char b;
	int fd;

	assert_int_equal(open_one(&ep, (struct iroh_options){ .port = 0 }),
	    SW_OK);
	assert_true((fd = dial(ep, &r->at, WAIT_MS)) >= 0);
	iroh_finish(ep, 0);
	assert_int_equal(write(fd, "x", 1), 1);
	in = take(r->server);
	assert_int_equal(write(in.fd, "y", 1), 1);
	assert_int_equal(read(fd, &b, 1), 1);
	close(fd);
	assert_int_equal(read(in.fd, &b, 1), 1);
	expect_end(in.fd);
	close(in.fd);
}

/* Killed and started again with the same key, a server knows nothing of the
 * connection, and says so: the client need not wait for silence. */
static void
a_restarted_server_ends_old_streams_before_silence_does(void **state)
{
	char dir[] = "/tmp/iroh-test.XXXXXX", key[64], b;
	struct iroh_endpoint *one, *two;
	struct iroh_options o = { .accept = true, .bind = "127.0.0.1" };
	struct rig *r = *state;
	struct iroh_addr at;
	char why[IROH_WHY_LEN];
	int64_t start;
	int fd;

	assert_non_null(mkdtemp(dir));
	snprintf(key, sizeof(key), "%s/key", dir);
	o.key_file = key;
	assert_int_equal(iroh_open(&one, &o, why), SW_OK);
	address(one, &at);
	assert_true((fd = dial(r->client, &at, WAIT_MS)) >= 0);
	assert_int_equal(write(fd, "x", 1), 1);
	take(one);
	iroh_abandon(one);
	o.port = at.direct[0].port;
	assert_int_equal(iroh_open(&two, &o, why), SW_OK);
	start = clock_now_ms();
	(void)!write(fd, "y", 1);	/* it may know already */
	assert_true(readable(fd, WAIT_MS));
	assert_int_equal(read(fd, &b, 1), 0);
	assert_true(clock_now_ms() - start < patient_ms(10000));
	close(fd);
	iroh_close(two, 0);
	unlink(key);
	rmdir(dir);
}

static void
many_streams_at_once(void **state)
{
	enum { MANY = 100 };
	struct rig *r = *state;
	int near[MANY], far[MANY];
	char b;

	for (int i = 0; i < MANY; i++)
		connect_pair(r, &near[i], &far[i]);
	for (int i = 0; i < MANY; i++) {
		char c = (char)i;

		assert_int_equal(write(far[i], &c, 1), 1);
		assert_int_equal(read(near[i], &b, 1), 1);
		assert_int_equal(b, c);
	}
	for (int i = 0; i < MANY; i++) {
		close(near[i]);
		expect_end(far[i]);
		close(far[i]);
	}
}

static void
no_more_streams_than_allowed(void **state)
{
	struct iroh_endpoint *small;
	struct rig *r = *state;
	struct iroh_addr at;
	int fd;

	assert_int_equal(open_one(&small, (struct iroh_options){ .accept = true,
	    .max_streams = 1 }), SW_OK);
	address(small, &at);
	assert_true((fd = dial(r->client, &at, WAIT_MS)) >= 0);
	assert_int_equal(dial(r->client, &at, WAIT_MS), SW_ERR_REFUSED);
	close(fd);
	iroh_close(small, 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_stream_carries_both_ways_and_names_its_peer),
		cmocka_unit_test(each_direction_ends_by_itself),
		cmocka_unit_test(all_bytes_arrive_in_order_though_the_writer_closes),
		cmocka_unit_test(a_reader_that_sleeps_stops_the_writer),
		cmocka_unit_test(another_identity_is_refused),
		cmocka_unit_test(another_protocol_is_refused),
		cmocka_unit_test(a_dial_keeps_its_deadline_and_needs_a_way),
		cmocka_unit_test(of_several_addresses_the_one_that_answers_is_used),
		cmocka_unit_test(closing_an_endpoint_delivers_and_ends_its_streams),
		cmocka_unit_test(a_finished_endpoint_lives_as_long_as_its_stream),
		cmocka_unit_test(
		    a_restarted_server_ends_old_streams_before_silence_does),
		cmocka_unit_test(many_streams_at_once),
		cmocka_unit_test(no_more_streams_than_allowed),
	};

	signal(SIGPIPE, SIG_IGN);
	return cmocka_run_group_tests(tests, set_up, tear_down);
}
