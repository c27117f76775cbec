/* A transport's connections on a loop: what comes of them, and of those that
 * nobody waits for. */
#include "tests/rig/unit.h"

#include <arpa/inet.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "tests/lib/patience.h"
#include "transport/dialing.h"

#define WAIT_MS patient_ms(10000)

struct rig {
	struct loop l;
	struct transport *t;
	int listener;
	uint16_t port;
	unsigned done;
	int err, fd;
	char why[TRANSPORT_WHY_LEN];
};

static int
setup(void **state)
{
	static struct rig r;
	struct transport_options o = { .kind = TRANSPORT_TCP };
	struct sockaddr_in sin = { .sin_family = AF_INET,
	    .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t len = sizeof(sin);

	memset(&r, 0, sizeof(r));
	*state = &r;
	r.fd = -1;
	r.listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (loop_init(&r.l) != SW_OK ||
	    transport_new(&r.t, &o, r.why) != SW_OK ||
	    bind(r.listener, (struct sockaddr *)&sin, sizeof(sin)) != 0 ||
	    listen(r.listener, 8) != 0 ||
	    getsockname(r.listener, (struct sockaddr *)&sin, &len) != 0)
		return -1;
	r.port = ntohs(sin.sin_port);
	return 0;
}

static int
teardown(void **state)
{
	struct rig *r = *state;

	transport_cancel(r->t);
	transport_unref(r->t);
	loop_wipe(&r->l);
	if (r->fd >= 0)
		close(r->fd);
	close(r->listener);
	return 0;
}

static void
done(void *arg, int err, int fd, const char *why)
{
	struct rig *r = arg;

	r->done++;
	r->err = err;
	r->fd = fd;
	strcpy(r->why, why);
}

static struct dialing *
start(struct rig *r)
{
	return dialing_start(&r->l, r->t, "127.0.0.1", r->port,
	    clock_now_ms() + WAIT_MS, done, r);
}

static void
wait_done(struct rig *r)
{
	int64_t until = clock_now_ms() + WAIT_MS;

	while (r->done == 0) {
		assert_int_equal(loop_run_once(&r->l, 100), SW_OK);
		assert_true(clock_now_ms() < until);
	}
}

static void
a_connection_comes_on_the_loop(void **state)
{
	struct rig *r = *state;
	char c = 0;
	int far;

	assert_non_null(start(r));
	assert_int_equal(r->done, 0);	/* never from within */
	wait_done(r);
	assert_int_equal(r->err, SW_OK);
	assert_string_equal(r->why, "");
	far = accept(r->listener, NULL, NULL);
	assert_int_equal(write(far, "x", 1), 1);
	assert_int_equal(read(r->fd, &c, 1), 1);
	assert_int_equal(c, 'x');
	close(far);
	assert_int_equal(r->done, 1);
}

static void
a_refusal_comes_with_its_reason(void **state)
{
	struct rig *r = *state;

	shutdown(r->listener, SHUT_RD);
	assert_non_null(start(r));
	wait_done(r);
	assert_int_equal(r->err, SW_ERR_REFUSED);
	assert_int_equal(r->fd, -1);
	assert_non_null(strstr(r->why, "127.0.0.1"));
}

static void
what_is_cancelled_is_closed_and_not_told(void **state)
{
	struct rig *r = *state;
	char c;
	int far;

	dialing_cancel(start(r));
	dialing_cancel(NULL);
	far = accept(r->listener, NULL, NULL);
	/* Its end is closed when the thread is done with it. */
	assert_int_equal(read(far, &c, 1), 0);
	close(far);
	assert_int_equal(loop_run_once(&r->l, 0), SW_OK);
	assert_int_equal(r->done, 0);
}

static void
a_name_that_is_too_long_is_nobody(void **state)
{
	struct rig *r = *state;
	char name[TRANSPORT_NAME_LEN + 1];

	memset(name, 'a', sizeof(name) - 1);
	name[sizeof(name) - 1] = '\0';
	assert_null(dialing_start(&r->l, r->t, name, 1, 0, done, r));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(a_connection_comes_on_the_loop,
		    setup, teardown),
		cmocka_unit_test_setup_teardown(a_refusal_comes_with_its_reason,
		    setup, teardown),
		cmocka_unit_test_setup_teardown(
		    what_is_cancelled_is_closed_and_not_told, setup, teardown),
		cmocka_unit_test_setup_teardown(
		    a_name_that_is_too_long_is_nobody, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
