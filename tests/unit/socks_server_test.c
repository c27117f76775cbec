/* The proxy with its sockets, over a dialer and datagrams of the test's own. */
#include "tests/rig/unit.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "tests/lib/patience.h"
#include "transport/socks_server.h"
#include "tests/unit/far_dialer.h"

static struct loop loop;
static struct loop_turn turn;
static struct socks_server *server;
static uint16_t port;

/* Datagrams that come back, from whom they were sent to. */
struct datagram_port {
	const struct datagram_events *ev;
	void *arg;
};
static struct datagram_port *udp_port;

static struct datagram_port *
udp_open(struct datagrams *d, const struct datagram_events *ev, void *arg,
    int *err)
{
	(void)d;
	*err = SW_OK;
	udp_port = calloc(1, sizeof(*udp_port));
	udp_port->ev = ev;
	udp_port->arg = arg;
	return udp_port;
}

static int
udp_send(struct datagram_port *p, const struct datagram_peer *to,
    const uint8_t *data, size_t len)
{
	p->ev->packet(p->arg, to, data, len);
	return SW_OK;
}

static void
udp_close(struct datagram_port *p)
{
	assert_ptr_equal(p, udp_port);
	free(udp_port);
	udp_port = NULL;
}

static const struct datagram_ops udp_ops = { udp_open, udp_send, udp_close };

/* --- the rig --------------------------------------------------------------- */

static uint16_t
free_port(void)
{
	struct sockaddr_in sa = { .sin_family = AF_INET,
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t len = sizeof(sa);
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	assert_int_equal(bind(fd, (struct sockaddr *)&sa, sizeof(sa)), 0);
	assert_int_equal(getsockname(fd, (struct sockaddr *)&sa, &len), 0);
	close(fd);
	return ntohs(sa.sin_port);
}

static int
begin(void **state)
{
	struct socks_server_options o = { .host = "127.0.0.1", .exit = {
		.dialer = (struct dialer *)&loop, .dialer_ops = &far_ops,
		.datagrams = (struct datagrams *)&loop,
		.datagram_ops = &udp_ops } };
	char why[256];

	(void)state;
	stride = 65536;
	assert_int_equal(loop_init(&loop), SW_OK);
	turn.run = far_turn;
	loop_add_turn(&loop, &turn);
	o.port = port = free_port();
	assert_int_equal(socks_server_open(&server, &loop, &o, why), SW_OK);
	assert_int_equal(socks_server_start(server, why), SW_OK);
	return 0;
}

static int
finish(void **state)
{
	(void)state;
	socks_server_free(server);
	assert_int_equal(open_dials, 0);
	assert_null(udp_port);
	loop_del_turn(&loop, &turn);
	loop_wipe(&loop);
	return 0;
}

static int
client(int type, uint16_t to)
{
	struct sockaddr_in sa = { .sin_family = AF_INET,
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK),
		.sin_port = htons(to) };
	int fd = socket(AF_INET, type, 0);

	assert_int_equal(connect(fd, (struct sockaddr *)&sa, sizeof(sa)), 0);
	return fd;
}

/* Let the server work until `fd` has something, and read it.  -errno; what
 * does not come within 5 s is -ETIMEDOUT. */
static ssize_t
hear(int fd, void *buf, size_t len)
{
	int64_t until = clock_now_ms() + patient_ms(5000);

	while (clock_now_ms() < until) {
		ssize_t n;

		assert_int_equal(loop_run_once(&loop, 1), SW_OK);
		n = recv(fd, buf, len, MSG_DONTWAIT);
		if (n >= 0 || errno != EAGAIN)
			return n >= 0 ? n : -errno;
	}
	return -ETIMEDOUT;
}

static void
hears(int fd, const char *wanted, size_t len)
{
	char buf[512];
	size_t at = 0;

	while (at < len) {
		ssize_t n = hear(fd, buf + at, len - at);

		assert_true(n > 0);
		at += (size_t)n;
	}
	assert_memory_equal(buf, wanted, len);
}
#define HEARS(fd, text) hears(fd, text, sizeof(text) - 1)
#define TELL(fd, text) assert_int_equal(send(fd, text, sizeof(text) - 1, 0), \
	sizeof(text) - 1)

/* --- the tests ------------------------------------------------------------- */

static void
bytes_sent_early_go_first(void **state)
{
	int fd = client(SOCK_STREAM, port);

	(void)state;
	TELL(fd, "\5\1\0\5\1\0\3\4echo\0\7first");
	HEARS(fd, "\5\0\5\0\0\1\0\0\0\0\0\0first");
	TELL(fd, "more");
	HEARS(fd, "more");
	assert_int_equal(shutdown(fd, SHUT_WR), 0);
	assert_int_equal(hear(fd, &(char){ 0 }, 1), 0);
	close(fd);
}

static void
ends_are_told_apart(void **state)
{
	char c;
	int fd = client(SOCK_STREAM, port);

	(void)state;
	TELL(fd, "\4\1\0\7\0\0\0\1\0ends\0");
	HEARS(fd, "\0\132\0\0\0\0\0\0bye");
	assert_int_equal(hear(fd, &c, 1), 0);
	close(fd);
	fd = client(SOCK_STREAM, port);
	TELL(fd, "\4\1\0\7\0\0\0\1\0reset\0");
	HEARS(fd, "\0\132\0\0\0\0\0\0");
	TELL(fd, "x");
	assert_int_equal(hear(fd, &c, 1), -ECONNRESET);
	close(fd);
}

static void
failures_are_answered(void **state)
{
	char c;
	int fd = client(SOCK_STREAM, port);

	(void)state;
	TELL(fd, "\5\1\0\5\1\0\3\6closed\0\7");
	HEARS(fd, "\5\0\5\5\0\1\0\0\0\0\0\0");
	assert_int_equal(hear(fd, &c, 1), 0);
	close(fd);
	fd = client(SOCK_STREAM, port);
	TELL(fd, "\5\1\0\5\1\0\3\4down\0\7");
	HEARS(fd, "\5\0\5\3\0\1\0\0\0\0\0\0");
	assert_int_equal(hear(fd, &c, 1), 0);
	close(fd);
}

/* A dialer that takes a few bytes at a time: nothing is lost, and order is
 * kept, while both directions are full. */
static void
pressure_goes_both_ways(void **state)
{
	static uint8_t out[300000], in[300000];
	size_t sent = 0, got = 0;
	int fd = client(SOCK_STREAM, port);

	(void)state;
	stride = 1777;
	for (size_t i = 0; i < sizeof(out); i++)
		out[i] = (uint8_t)(i * 7 + i / 251);
	TELL(fd, "\4\1\0\7\0\0\0\1\0echo\0");
	HEARS(fd, "\0\132\0\0\0\0\0\0");
	for (int i = 0; got < sizeof(in) && i < 200000; i++) {
		ssize_t n = send(fd, out + sent, sizeof(out) - sent,
		    MSG_DONTWAIT);

		sent += n > 0 ? (size_t)n : 0;
		assert_int_equal(loop_run_once(&loop, 0), SW_OK);
		if (i % 3 == 0) {
			n = recv(fd, in + got, sizeof(in) - got, MSG_DONTWAIT);
			got += n > 0 ? (size_t)n : 0;
		}
	}
	assert_int_equal(got, sizeof(in));
	assert_memory_equal(in, out, sizeof(out));
	close(fd);
}

/* Clients leave at every step; whatever they opened goes with them. */
static void
clients_may_leave_whenever_they_like(void **state)
{
	static const char words[] = "\5\1\0\5\1\0\3\4echo\0\7data";
	const struct linger hard = { 1, 0 };

	(void)state;
	for (size_t n = 0; n < sizeof(words); n++)
		for (int turns = 0; turns < 4; turns++) {
			int fd = client(SOCK_STREAM, port);

			(void)!send(fd, words, n, 0);
			for (int i = 0; i < turns; i++)
				assert_int_equal(loop_run_once(&loop, 0),
				    SW_OK);
			if (n % 2 == 0)
				setsockopt(fd, SOL_SOCKET, SO_LINGER, &hard,
				    sizeof(hard));
			close(fd);
		}
	for (int i = 0; i < 2000 && socks_server_clients(server) > 0; i++)
		assert_int_equal(loop_run_once(&loop, 1), SW_OK);
	assert_int_equal(socks_server_clients(server), 0);
	assert_int_equal(open_dials, 0);
}

static void
datagrams_go_and_come(void **state)
{
	uint8_t answer[10];
	int fd = client(SOCK_STREAM, port), udp, stranger;
	uint16_t at;

	(void)state;
	TELL(fd, "\5\1\0\5\3\0\1\0\0\0\0\0\0");
	HEARS(fd, "\5\0");
	assert_int_equal(hear(fd, answer, 10), 10);
	assert_memory_equal(answer, "\5\0\0\1\177\0\0\1", 8);
	at = (uint16_t)(answer[8] << 8 | answer[9]);
	udp = client(SOCK_DGRAM, at);
	TELL(udp, "\0\0\0\3\4name\0\65hello");
	HEARS(udp, "\0\0\0\3\4name\0\65hello");
	TELL(udp, "\0\0\0\1\12\0\0\1\0\65x");
	HEARS(udp, "\0\0\0\1\12\0\0\1\0\65x");
	/* Fragments, rubbish and strangers are dropped. */
	TELL(udp, "\0\0\1\1\12\0\0\1\0\65x");
	TELL(udp, "rubbish");
	stranger = client(SOCK_DGRAM, at);
	TELL(stranger, "\0\0\0\3\4name\0\65hello");
	TELL(udp, "\0\0\0\3\4last\0\65!");
	HEARS(udp, "\0\0\0\3\4last\0\65!");
	assert_int_equal(recv(stranger, answer, 1, MSG_DONTWAIT), -1);
	close(stranger);
	close(fd);
	for (int i = 0; i < 1000 && udp_port != NULL; i++)
		assert_int_equal(loop_run_once(&loop, 1), SW_OK);
	assert_null(udp_port);
	close(udp);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(bytes_sent_early_go_first, begin,
		    finish),
		cmocka_unit_test_setup_teardown(ends_are_told_apart, begin,
		    finish),
		cmocka_unit_test_setup_teardown(failures_are_answered, begin,
		    finish),
		cmocka_unit_test_setup_teardown(pressure_goes_both_ways, begin,
		    finish),
		cmocka_unit_test_setup_teardown(
		    clients_may_leave_whenever_they_like, begin, finish),
		cmocka_unit_test_setup_teardown(datagrams_go_and_come, begin,
		    finish),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
