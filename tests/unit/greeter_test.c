/* Handshakes at a listener: who is done gets through, whatever others do not
 * do. */
#include "tests/rig/unit.h"

#include "mix/greeter.h"
#include "tests/lib/patience.h"
#include "tests/unit/tls_rig.h"
#include "transport/dialing.h"

#define MAX 4
#define WAIT_MS patient_ms(20000)

struct hall {
	char dir[64];
	struct loop l;
	struct tls_server *server;
	struct greeter g;
	struct transport *t;
	int listener;
	uint16_t port;
	unsigned ready, failed, dialed;
	int near, far;			/* the last that came, and its peer */
};

static void
on_ready(void *arg, int fd)
{
	struct hall *h = arg;

	h->ready++;
	if (h->near >= 0)
		close(h->near);
	h->near = fd;
}

static void
on_failed(void *arg)
{
	((struct hall *)arg)->failed++;
}

static void
on_dialed(void *arg, int err, int fd, const char *why)
{
	struct hall *h = arg;

	if (err != SW_OK)
		fail_msg("%s", why);
	h->dialed++;
	h->far = fd;
}

static int
setup(void **state)
{
	static struct hall h;
	char cert[128], key[128], ca[128], why[TLS_WHY_LEN];
	const struct tls_server_cert pair = { cert, key };
	const struct tls_server_options o = { .certs = &pair, .ncerts = 1 };
	struct transport_options c = { .kind = TRANSPORT_TLS,
	    .tls = { .ca = ca, .name = "one.test" } };

	memset(&h, 0, sizeof(h));
	*state = &h;
	rig_certificates(h.dir);
	snprintf(cert, sizeof(cert), "%s/one.pem", h.dir);
	snprintf(key, sizeof(key), "%s/one.key", h.dir);
	snprintf(ca, sizeof(ca), "%s/ca.pem", h.dir);
	h.near = h.far = -1;
	h.listener = rig_listen(&h.port);
	if (loop_init(&h.l) != SW_OK ||
	    tls_server_new(&h.server, &o, why) != SW_OK ||
	    transport_new(&h.t, &c, why) != SW_OK)
		return -1;
	h.g = (struct greeter){
		.loop = &h.l, .tls = h.server, .max = MAX, .ready = on_ready,
		.failed = on_failed, .arg = &h,
	};
	return 0;
}

static int
teardown(void **state)
{
	struct hall *h = *state;
	int64_t until = clock_now_ms() + WAIT_MS;
	char line[128];

	greeter_close(&h->g);
	if (h->near >= 0)
		close(h->near);
	if (h->far >= 0)
		close(h->far);
	while (tls_server_count(h->server) > 0 && clock_now_ms() < until)
		if (loop_run_once(&h->l, 20) != SW_OK)
			return -1;
	transport_unref(h->t);
	tls_server_free(h->server);
	loop_wipe(&h->l);
	close(h->listener);
	snprintf(line, sizeof(line), "rm -rf %s", h->dir);
	return system(line);
}

/* Somebody connects, and is taken. */
static int
silent(struct hall *h)
{
	struct sockaddr_in sin = { .sin_family = AF_INET,
	    .sin_port = htons(h->port),
	    .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	assert_int_equal(connect(fd, (struct sockaddr *)&sin, sizeof(sin)), 0);
	greeter_take(&h->g, accept4(h->listener, NULL, NULL,
	    SOCK_CLOEXEC | SOCK_NONBLOCK));
	return fd;
}

static void
run_until(struct hall *h, const unsigned *n, unsigned want)
{
	int64_t until = clock_now_ms() + WAIT_MS;

	while (*n < want) {
		assert_int_equal(loop_run_once(&h->l, 20), SW_OK);
		assert_true(clock_now_ms() < until);
	}
}

/* A client's whole handshake; then both sides are there. */
static void
greet(struct hall *h)
{
	unsigned ready = h->ready;
	char c = 0;

	assert_non_null(dialing_start(&h->l, h->t, "127.0.0.1", h->port,
	    clock_now_ms() + WAIT_MS, on_dialed, h));
	greeter_take(&h->g, accept4(h->listener, NULL, NULL,
	    SOCK_CLOEXEC | SOCK_NONBLOCK));
	run_until(h, &h->ready, ready + 1);
	run_until(h, &h->dialed, 1);
	assert_int_equal(fcntl(h->near, F_GETFL) & O_NONBLOCK, O_NONBLOCK);
	assert_int_equal(write(h->far, "x", 1), 1);
	while (read(h->near, &c, 1) != 1)
		assert_int_equal(loop_run_once(&h->l, 20), SW_OK);
	assert_int_equal(c, 'x');
}

static void
a_client_gets_through(void **state)
{
	struct hall *h = *state;

	greet(h);
	assert_int_equal(h->g.n, 0);
	assert_int_equal(h->failed, 0);
}

static void
what_is_not_tls_is_closed(void **state)
{
	struct hall *h = *state;
	int fd = silent(h);
	char c;

	assert_int_equal(write(fd, "GET / HTTP/1.1\r\n\r\n", 18), 18);
	run_until(h, &h->failed, 1);
	assert_true(read(fd, &c, 1) <= 0);
	close(fd);
	assert_int_equal(h->ready, 0);
	assert_int_equal(h->g.n, 0);
}

/* Connections that say nothing hold places, but not against those who come
 * after them. */
static void
the_oldest_makes_room(void **state)
{
	struct hall *h = *state;
	int fd[2 * MAX];
	char c;

	for (size_t i = 0; i < 2 * MAX; i++) {
		fd[i] = silent(h);
		assert_int_equal(h->g.n, i < MAX ? i + 1 : MAX);
	}
	greet(h);
	assert_int_equal(h->g.n, MAX - 1);
	for (size_t i = 0; i < 2 * MAX; i++) {
		ssize_t n = recv(fd[i], &c, 1, MSG_DONTWAIT);

		assert_true(i <= MAX ? n == 0 : n < 0);	/* closed; held */
		close(fd[i]);
	}
}

static void
who_is_still_there_at_the_end_is_closed(void **state)
{
	struct hall *h = *state;
	int fd = silent(h);
	char c;

	greeter_close(&h->g);
	assert_int_equal(h->g.n, 0);
	assert_int_equal(read(fd, &c, 1), 0);
	close(fd);
	assert_int_equal(h->ready + h->failed, 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(a_client_gets_through, setup,
		    teardown),
		cmocka_unit_test_setup_teardown(what_is_not_tls_is_closed,
		    setup, teardown),
		cmocka_unit_test_setup_teardown(the_oldest_makes_room, setup,
		    teardown),
		cmocka_unit_test_setup_teardown(
		    who_is_still_there_at_the_end_is_closed, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
