/* -R: a stream that came, and the connection that it gets here; the thread that
 * makes connections (reach.c). */
#include "tests/rig/unit.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "tests/lib/patience.h"
#include "transport/forward.h"
#include "transport/reach.h"

/* A stream that arrived; what was written to it, and what became of it. */
struct dial {
	uint8_t got[65536];
	size_t n;
	bool shut, ended;
	const struct dial_events *ev;
	void *arg;
};

static struct loop loop;
static struct dial stream;
static int listen_fd;
static uint16_t port;

static struct dial *
far_open(struct dialer *d, const struct dial_target *to,
    const struct dial_events *ev, void *arg, int *err)
{
	(void)d;
	(void)to;
	(void)ev;
	(void)arg;
	*err = SW_ERR_DOWN;
	return NULL;
}

static size_t
far_write(struct dial *d, const uint8_t *buf, size_t len)
{
	assert_true(len <= sizeof(d->got) - d->n);
	memcpy(d->got + d->n, buf, len);
	d->n += len;
	return len;
}

static void
far_shutdown(struct dial *d)
{
	d->shut = true;
}

static void
far_resume(struct dial *d)
{
	(void)d;
}

static void
far_abort(struct dial *d)
{
	d->ended = true;
}

static const struct dialer_ops far_ops = {
	far_open, far_write, far_shutdown, far_resume, far_abort,
};

static int
begin(void **state)
{
	struct sockaddr_in sa = { .sin_family = AF_INET,
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t len = sizeof(sa);

	(void)state;
	memset(&stream, 0, sizeof(stream));
	assert_int_equal(loop_init(&loop), SW_OK);
	listen_fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_int_equal(bind(listen_fd, (struct sockaddr *)&sa, sizeof(sa)), 0);
	assert_int_equal(listen(listen_fd, 64), 0);
	assert_int_equal(getsockname(listen_fd, (struct sockaddr *)&sa, &len), 0);
	port = ntohs(sa.sin_port);
	return 0;
}

static int
end(void **state)
{
	(void)state;
	if (listen_fd >= 0)
		close(listen_fd);
	loop_wipe(&loop);
	return 0;
}

static void
stop_listening(void)
{
	close(listen_fd);
	listen_fd = -1;
}

/* ---- reach ---- */

struct answer {
	bool there;
	int err, fd;
};

static void
reached(void *arg, int err, int fd)
{
	struct answer *a = arg;

	assert_false(a->there);
	*a = (struct answer){ true, err, fd };
}

static void
await(const bool *flag)
{
	const int64_t until = clock_now_ms() + patient_ms(20000);

	while (!*flag && clock_now_ms() < until)
		assert_int_equal(loop_run_once(&loop, 20), SW_OK);
	assert_true(*flag);
}

static void
a_host_is_reached_or_not(void **state)
{
	struct answer a = { .fd = -1 };

	(void)state;
	assert_non_null(reach_start(&loop, "127.0.0.1", port, reached, &a));
	assert_false(a.there);
	await(&a.there);
	assert_int_equal(a.err, SW_OK);
	assert_true(a.fd >= 0);
	close(a.fd);

	stop_listening();
	a = (struct answer){ .fd = -1 };
	assert_non_null(reach_start(&loop, "localhost", port, reached, &a));
	await(&a.there);
	assert_int_equal(a.err, SW_ERR_REFUSED);
	assert_int_equal(a.fd, -1);
}

/* At every moment of the thread's life, as far as chance has it. */
static void
who_cancels_hears_no_more(void **state)
{
	struct answer a[64];
	struct reach *r[64];

	(void)state;
	memset(a, 0, sizeof(a));
	for (int i = 0; i < 64; i++) {
		r[i] = reach_start(&loop, "127.0.0.1", port, reached, &a[i]);
		assert_non_null(r[i]);
		if (i % 2 == 0)
			reach_cancel(r[i]);
	}
	for (int i = 1; i < 64; i += 2) {
		if (a[i].there)
			continue;
		if (i % 4 == 1)
			await(&a[i].there);
		else
			reach_cancel(r[i]);
	}
	for (int i = 0; i < 5; i++)
		assert_int_equal(loop_run_once(&loop, 5), SW_OK);
	for (int i = 0; i < 64; i++) {
		if (i % 4 == 1)
			assert_int_equal(a[i].err, SW_OK);
		else if (i % 2 == 0)
			assert_false(a[i].there);
		if (a[i].there)
			close(a[i].fd);
	}
}

/* ---- streams ---- */

static struct forward_remote *
arrive(const char *host, uint16_t to_port)
{
	struct dial_target to = { .port = to_port };
	struct forward_remote *f;
	char why[256];

	snprintf(to.host, sizeof(to.host), "%s", host);
	assert_int_equal(forward_remote_open(&f, &loop, &to, why), SW_OK);
	assert_int_equal(forward_remote_is_proxy(f), *host == '\0');
	assert_int_equal(forward_remote_take(f, &stream, &far_ops, &stream.ev,
	    &stream.arg), SW_OK);
	return f;
}

static int
accepted(void)
{
	int fd;

	for (int i = 0; i < 100; i++)
		assert_int_equal(loop_run_once(&loop, 1), SW_OK);
	fd = accept(listen_fd, NULL, NULL);
	assert_true(fd >= 0);
	return fd;
}

/* All of it is taken; in pieces of `step`. */
static void
say(const void *text, size_t len, size_t step)
{
	const uint8_t *p = text;

	for (size_t n; len > 0; p += n, len -= n) {
		n = len < step ? len : step;
		assert_int_equal(stream.ev->data(stream.arg, p, n), n);
	}
}

static void
hears(int fd, const char *words)
{
	char buf[64] = "";
	size_t at = 0;

	while (at < strlen(words)) {
		ssize_t n = read(fd, buf + at, sizeof(buf) - 1 - at);

		assert_true(n > 0);
		at += (size_t)n;
	}
	assert_string_equal(buf, words);
}

static void
await_words(size_t n)
{
	for (int i = 0; i < 1000 && stream.n < n; i++)
		assert_int_equal(loop_run_once(&loop, 20), SW_OK);
	assert_true(stream.n >= n);
}

static void
a_stream_gets_its_one_target(void **state)
{
	struct forward_remote *f = arrive("127.0.0.1", port);
	int fd;

	(void)state;
	/* Before there is a connection nothing is taken. */
	assert_int_equal(stream.ev->data(stream.arg, (const uint8_t *)"x", 1),
	    0);
	fd = accepted();
	say("hello", 5, 5);
	hears(fd, "hello");
	assert_int_equal(write(fd, "back", 4), 4);
	await_words(4);
	assert_memory_equal(stream.got, "back", 4);
	assert_int_equal(forward_remote_streams(f), 1);
	forward_remote_free(f);
	assert_true(stream.ended);
	close(fd);
}

static void
a_proxy_asks_and_connects(void **state)
{
	for (size_t step = 1; step < 40; step += 19) {
		uint8_t ask[] = { 5, 1, 0, 5, 1, 0, 1, 127, 0, 0, 1, 0, 0 };
		struct forward_remote *f;
		int fd;

		memset(&stream, 0, sizeof(stream));
		f = arrive("", 0);
		ask[11] = (uint8_t)(port >> 8);
		ask[12] = (uint8_t)port;
		say(ask, 3, step);
		assert_memory_equal(stream.got, "\5\0", 2);
		/* What follows at once is the target's. */
		say(ask + 3, 10, step);
		fd = accepted();
		await_words(12);
		assert_memory_equal(stream.got + 2, "\5\0\0\1", 4);
		say("hello", 5, step);
		hears(fd, "hello");
		stream.ev->eof(stream.arg);
		assert_int_equal(read(fd, ask, 1), 0);
		close(fd);
		forward_remote_free(f);
		assert_true(stream.ended);
	}
	(void)state;
}

static void
what_comes_early_goes_first(void **state)
{
	uint8_t ask[] = { 4, 1, 0, 0, 127, 0, 0, 1, 0, 'e', 'a', 'r', 'l', 'y' };
	struct forward_remote *f = arrive("", 0);
	int fd;

	(void)state;
	ask[2] = (uint8_t)(port >> 8);
	ask[3] = (uint8_t)port;
	say(ask, sizeof(ask), sizeof(ask));
	fd = accepted();
	await_words(8);
	hears(fd, "early");
	assert_int_equal(stream.got[1], 0x5a);
	close(fd);
	forward_remote_free(f);
}

static void
a_proxy_refuses_in_words(void **state)
{
	uint8_t ask[] = { 5, 1, 0, 5, 1, 0, 1, 127, 0, 0, 1, 0, 0 };
	struct forward_remote *f = arrive("", 0);

	(void)state;
	stop_listening();
	ask[11] = (uint8_t)(port >> 8);
	ask[12] = (uint8_t)port;
	say(ask, 3, 3);
	say(ask + 3, 10, 10);
	await(&stream.ended);
	assert_int_equal(stream.got[3], 5);	/* connection refused */
	assert_true(stream.shut);
	assert_int_equal(forward_remote_streams(f), 0);
	forward_remote_free(f);
}

static void
who_speaks_no_proxys_language_is_sent_away(void **state)
{
	struct forward_remote *f = arrive("", 0);

	(void)state;
	say("\x16\x03\x01 no", 6, 6);
	assert_true(stream.ended);
	forward_remote_free(f);

	/* And who ends before it asked, or while it waits. */
	memset(&stream, 0, sizeof(stream));
	f = arrive("", 0);
	stream.ev->eof(stream.arg);
	assert_true(stream.ended);
	forward_remote_free(f);

	memset(&stream, 0, sizeof(stream));
	f = arrive("", 0);
	say("CONNECT localhost:9 HTTP/1.1\r\n\r\n", 32, 7);
	stream.ev->closed(stream.arg, SW_ERR_RESET);
	assert_int_equal(forward_remote_streams(f), 0);
	forward_remote_free(f);
}

int
main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, begin, end)
	const struct CMUnitTest tests[] = {
		T(a_host_is_reached_or_not),
		T(who_cancels_hears_no_more),
		T(a_stream_gets_its_one_target),
		T(a_proxy_asks_and_connects),
		T(what_comes_early_goes_first),
		T(a_proxy_refuses_in_words),
		T(who_speaks_no_proxys_language_is_sent_away),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
