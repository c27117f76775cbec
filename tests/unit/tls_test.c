/* The TLS transport against our own TLS server, on loopback. */
#include "tests/rig/unit.h"

#include <signal.h>


#include "tests/lib/patience.h"
#include "tests/unit/tls_rig.h"

static struct tls_rig rig;
static char ca[128];
static char why[TRANSPORT_WHY_LEN];

static int
dial(const struct transport_options *o, const char *host, int *fd)
{
	struct transport *t;
	int r = transport_new(&t, o, why);

	*fd = -1;
	if (r == SW_OK)
		r = transport_connect(t, host, rig.port, clock_now_ms() + patient_ms(10000),
		    fd, why);
	transport_unref(t);
	return r;
}

static bool
echoes(int fd, const char *text)
{
	char got[64] = "";
	size_t n = 0, len = strlen(text);

	if (write(fd, text, len) != (ssize_t)len)
		return false;
	while (n < len) {
		ssize_t r = read(fd, got + n, sizeof(got) - 1 - n);

		if (r <= 0)
			return false;
		n += (size_t)r;
	}
	return strcmp(got, text) == 0;
}

static const struct transport_options *
with_ca(void)
{
	static struct transport_options o = { .kind = TRANSPORT_TLS };

	o.tls.ca = ca;
	o.tls.name = "one.test";
	return &o;
}

static void
bytes_and_ends_go_both_ways(void **state)
{
	enum { TOTAL = 3000000 };
	uint8_t *out = malloc(TOTAL), *in = malloc(TOTAL);
	size_t sent = 0, got = 0;
	int fd;

	(void)state;
	for (size_t i = 0; i < TOTAL; i++)
		out[i] = (uint8_t)(i * 7 + i / 251);
	assert_int_equal(dial(with_ca(), "127.0.0.1", &fd), SW_OK);
	assert_int_equal(fcntl(fd, F_GETFL) & O_NONBLOCK, 0);
	assert_int_equal(fcntl(fd, F_GETFD), FD_CLOEXEC);
	while (got < TOTAL) {
		ssize_t n = sent == TOTAL ? 0 : send(fd, out + sent,
		    TOTAL - sent, MSG_DONTWAIT);

		if (n > 0 && (sent += (size_t)n) == TOTAL)
			assert_int_equal(shutdown(fd, SHUT_WR), 0);
		n = recv(fd, in + got, TOTAL - got,
		    sent < TOTAL ? MSG_DONTWAIT : 0);
		if (n > 0)
			got += (size_t)n;
		else if (sent == TOTAL)
			break;
	}
	assert_int_equal(got, TOTAL);
	assert_memory_equal(in, out, TOTAL);
	assert_int_equal(read(fd, in, 1), 0);	/* the echo's own end */
	assert_string_equal(rig_last(&rig, NULL).version, "TLSv1.3");
	assert_string_equal(rig_last(&rig, NULL).alpn, "http/1.1");
	assert_string_equal(rig_last(&rig, NULL).name, "one.test");
	close(fd);
	free(out);
	free(in);
}

static void
stranger_is_refused_and_its_key_can_be_pinned(void **state)
{
	struct transport_options o = { .kind = TRANSPORT_TLS };
	char pin[64];
	int fd;

	(void)state;
	o.tls.name = "one.test";
	assert_int_equal(dial(&o, "127.0.0.1", &fd), SW_ERR_AUTH);
	assert_int_equal(fd, -1);
	assert_non_null(strstr(why, "--tls-ca"));
	assert_non_null(strstr(why, "--tls-pin sha256:"));
	snprintf(pin, sizeof(pin), "%s", strstr(why, "sha256:"));

	o.tls.pin = pin;
	o.tls.name = NULL;			/* the pin decides alone */
	assert_int_equal(dial(&o, "127.0.0.1", &fd), SW_OK);
	assert_true(echoes(fd, "pinned"));
	close(fd);

	pin[10] = pin[10] == 'A' ? 'B' : 'A';
	o.tls.insecure = true;			/* a pin stays a pin */
	assert_int_equal(dial(&o, "127.0.0.1", &fd), SW_ERR_AUTH);
	assert_non_null(strstr(why, "PINNED"));

	o.tls.pin = NULL;
	assert_int_equal(dial(&o, "127.0.0.1", &fd), SW_OK);
	assert_true(echoes(fd, "insecure"));
	close(fd);
}

static void
wrong_name_is_refused(void **state)
{
	struct transport_options o = *with_ca();
	int fd;

	(void)state;
	o.tls.name = "three.test";
	assert_int_equal(dial(&o, "127.0.0.1", &fd), SW_ERR_AUTH);
	assert_non_null(strstr(why, "--tls-server-name"));
	/* One star is one label. */
	o.tls.name = "a.b.two.test";
	assert_int_equal(dial(&o, "127.0.0.1", &fd), SW_ERR_AUTH);
	/* And pin and authority are both asked, when both are given. */
	o.tls.name = "one.test";
	o.tls.pin = "sha256:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=";
	assert_int_equal(dial(&o, "127.0.0.1", &fd), SW_ERR_AUTH);
}

static void
address_is_looked_for_in_the_certificate_and_not_sent(void **state)
{
	struct transport_options o = *with_ca();
	int fd;

	(void)state;
	o.tls.name = NULL;
	assert_int_equal(dial(&o, "127.0.0.1", &fd), SW_OK);
	assert_true(echoes(fd, "x"));
	assert_string_equal(rig_last(&rig, NULL).name, "");
	close(fd);
	o.tls.name = "127.0.0.2";
	assert_int_equal(dial(&o, "127.0.0.1", &fd), SW_ERR_AUTH);
}

static void
name_chooses_the_certificate(void **state)
{
	struct transport_options o = *with_ca();
	int fd;

	(void)state;
	o.tls.name = "Any.Two.test";
	assert_int_equal(dial(&o, "127.0.0.1", &fd), SW_OK);
	assert_true(echoes(fd, "x"));
	assert_string_equal(rig_last(&rig, NULL).name, "any.two.test");
	close(fd);
}

static void
other_protocol_is_refused_and_none_is_taken(void **state)
{
	struct transport_options o = *with_ca();
	int fd;

	(void)state;
	o.tls.alpn = "h2";
	assert_int_not_equal(dial(&o, "127.0.0.1", &fd), SW_OK);
	assert_non_null(strstr(why, "TLS"));
	o.tls.alpn = "";
	assert_int_equal(dial(&o, "127.0.0.1", &fd), SW_OK);
	assert_true(echoes(fd, "x"));
	assert_string_equal(rig_last(&rig, NULL).alpn, "");
	close(fd);
}

static int
plain(void)
{
	struct sockaddr_in sin = { .sin_family = AF_INET,
	    .sin_port = htons(rig.port),
	    .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	assert_int_equal(connect(fd, (struct sockaddr *)&sin, sizeof(sin)), 0);
	return fd;
}

static void
what_is_not_tls_is_given_back(void **state)
{
	char got[16] = "";
	int fd = plain();

	(void)state;
	assert_int_equal(write(fd, "GET / HTTP/1.0\r\n", 16), 16);
	shutdown(fd, SHUT_WR);
	assert_int_equal(read(fd, got, 6), 6);
	assert_string_equal(got, "plain\n");
	close(fd);
}

static void
silence_ends_and_holds_nobody_up(void **state)
{
	char got;
	int silent, fd;

	(void)state;
	rig_patience(&rig, 300);
	silent = plain();
	assert_int_equal(write(silent, "\x16", 1), 1);
	assert_int_equal(dial(with_ca(), "127.0.0.1", &fd), SW_OK);
	assert_true(echoes(fd, "meanwhile"));
	close(fd);
	assert_int_equal(read(silent, &got, 1), 0);
	rig_patience(&rig, 10000);
	close(silent);
}

static int
reloaded(void)
{
	int err;

	rig_wish(&rig, 'r');
	(void)rig_last(&rig, &err);
	return err;
}

static void
reload_shows_the_new_certificate_or_keeps_the_old(void **state)
{
	struct transport_options o = *with_ca();
	int before, fd;

	(void)state;
	assert_int_equal(dial(&o, "127.0.0.1", &before), SW_OK);
	rig_run(rig.dir, "cp one.pem keep.pem; cp one.key keep.key; "
	    "cp old.pem one.pem; cp old.key one.key");
	assert_int_equal(reloaded(), SW_OK);
	o.tls.name = "old.test";
	assert_int_equal(dial(&o, "127.0.0.1", &fd), SW_ERR_AUTH);
	assert_non_null(strstr(why, "expired"));
	assert_true(echoes(before, "still there"));
	close(before);

	rig_run(rig.dir, "cp keep.pem one.pem");	/* not that key's */
	assert_int_equal(reloaded(), SW_ERR_CONFIG);
	assert_int_equal(dial(&o, "127.0.0.1", &fd), SW_ERR_AUTH);
	assert_non_null(strstr(why, "expired"));
	rig_run(rig.dir, "cp keep.key one.key");
	assert_int_equal(reloaded(), SW_OK);
	o.tls.name = "one.test";
	assert_int_equal(dial(&o, "127.0.0.1", &fd), SW_OK);
	close(fd);
}

static void
pin_has_three_spellings(void **state)
{
	static const char *const good[] = {
		"sha256:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=",
		"sha256//AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=",
		("SHA256:00000000000000000000000000000000"
		    "00000000000000000000000000000000"),
	};
	static const char *const bad[] = {
		"", "sha256:", "sha256:AAAA", "md5:00",
		("sha256:0000000000000000000000000000000000000000"
		    "00000000000000000000000g"),
	};
	struct transport_options o = { .kind = TRANSPORT_TLS };
	struct transport *t;

	(void)state;
	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
		o.tls.pin = good[i];
		assert_int_equal(transport_new(&t, &o, why), SW_OK);
		transport_unref(t);
	}
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		o.tls.pin = bad[i];
		assert_int_equal(transport_new(&t, &o, why), SW_ERR_CONFIG);
		assert_non_null(strstr(why, "SPKI"));
	}
	o.tls.pin = NULL;
	o.tls.ca = "/nowhere";
	assert_int_equal(transport_new(&t, &o, why), SW_ERR_CONFIG);
	assert_non_null(strstr(why, "/nowhere"));
}

static void
cancelling_ends_a_connect_that_waits(void **state)
{
	struct transport_options o = *with_ca();
	struct transport *t;
	int fd;

	(void)state;
	assert_int_equal(transport_new(&t, &o, why), SW_OK);
	transport_cancel(t);
	assert_int_equal(transport_connect(t, "127.0.0.1", rig.port,
	    clock_now_ms() + patient_ms(10000), &fd, why), SW_ERR_CLOSED);
	transport_unref(t);
}

/* OpenSSL's page about a connection says whether it was resumed. */
static void
ticket_is_used_by_the_next_connection(void **state)
{
	static char page[65536];
	struct transport *t;
	char line[256];
	uint16_t port = 0;
	int fd = -1, r = SW_ERR_DOWN;

	(void)state;
	close(rig_listen(&port));
	snprintf(line, sizeof(line), "timeout 60 openssl s_server -accept "
	    "127.0.0.1:%u -cert one.pem -key one.key -www >s_server.log 2>&1 & "
	    "echo $! >pid", port);
	rig_run(rig.dir, line);
	assert_int_equal(transport_new(&t, with_ca(), why), SW_OK);
	for (int i = 0; i < 3; i++) {
		size_t n = 0;
		ssize_t got;

		for (int k = 0; k < 100 && (r = transport_connect(t,
		    "127.0.0.1", port, clock_now_ms() + patient_ms(10000), &fd, why)) ==
		    SW_ERR_REFUSED; k++)
			usleep(50000);		/* it is starting */
		if (r != SW_OK)
			fail_msg("%s", why);
		assert_int_equal(write(fd, "GET / HTTP/1.0\r\n\r\n", 18), 18);
		while ((got = read(fd, page + n, sizeof(page) - 1 - n)) > 0)
			n += (size_t)got;
		page[n] = '\0';
		assert_non_null(strstr(page, i == 0 ? "New, TLSv1.3" :
		    "Reused, TLSv1.3"));
		close(fd);
	}
	transport_unref(t);
	rig_run(rig.dir, "kill $(cat pid)");
}

static int
set_up(void **state)
{
	(void)state;
	signal(SIGPIPE, SIG_IGN);
	rig_certificates(rig.dir);
	snprintf(ca, sizeof(ca), "%s/ca.pem", rig.dir);
	rig_serve(&rig);
	return 0;
}

static int
tear_down(void **state)
{
	(void)state;
	rig_end(&rig);
	return 0;
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(bytes_and_ends_go_both_ways),
		cmocka_unit_test(stranger_is_refused_and_its_key_can_be_pinned),
		cmocka_unit_test(wrong_name_is_refused),
		cmocka_unit_test(
		    address_is_looked_for_in_the_certificate_and_not_sent),
		cmocka_unit_test(name_chooses_the_certificate),
		cmocka_unit_test(other_protocol_is_refused_and_none_is_taken),
		cmocka_unit_test(what_is_not_tls_is_given_back),
		cmocka_unit_test(silence_ends_and_holds_nobody_up),
		cmocka_unit_test(
		    reload_shows_the_new_certificate_or_keeps_the_old),
		cmocka_unit_test(pin_has_three_spellings),
		cmocka_unit_test(ticket_is_used_by_the_next_connection),
		cmocka_unit_test(cancelling_ends_a_connect_that_waits),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
