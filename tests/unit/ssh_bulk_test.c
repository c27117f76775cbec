/* Many bytes through the ssh tunnel, with a real sshd on loopback. */
#include "tests/rig/unit.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "tests/rig/delay_relay.h"
#include "tests/rig/far_server.h"
#include "tests/rig/tunnel_seen.h"

static void
get_down(struct seen *s, uint64_t n)
{
	struct flow m;

	flow_dial_far(s, &m);
	flow_ask_source(&m, n);
	seen_until(s, 60000, m.eof);
	assert_int_equal(m.got, n);
	assert_false(m.wrong);
	flow_ops->abort(m.d);
}

static void
put_up(struct seen *s, uint64_t n)
{
	static uint8_t buf[65536 * 4];
	struct flow m;
	uint64_t at = 0, told;

	flow_dial_far(s, &m);
	flow_put(&m, "k", 1);
	for (size_t i = 0; i < sizeof(buf); i++)
		buf[i] = far_byte(i % 65536);
	while (at < n && !m.closed) {
		size_t off = at % 65536, k = sizeof(buf) - off;

		if (k > n - at)
			k = (size_t)(n - at);
		m.writable = false;
		at += k = flow_ops->write(m.d, buf + off, k);
		if (k == 0)
			seen_until(s, 10000, m.writable || m.closed);
		else
			assert_int_equal(loop_run_once(&s->l, 0), SW_OK);
	}
	flow_ops->shutdown(m.d);
	seen_until(s, 20000, m.closed);
	assert_int_equal(m.err, SW_OK);
	memcpy(&told, m.first, 8);
	assert_int_equal(told, n);
}

/* Both ways at once on one channel, new keys now and then. */
static void
echo_of_a_lot_is_exact(void **state)
{
	const uint64_t n = 48u << 20;
	struct seen s;
	struct flow m;
	static uint8_t buf[65536 * 2];
	uint64_t at = 0;

	(void)state;
	seen_begin_with(&s, "RekeyLimit 8M", NULL);
	flow_dial_far(&s, &m);
	flow_put(&m, "e", 1);
	for (size_t i = 0; i < sizeof(buf); i++)
		buf[i] = far_byte(i % 65536);
	while (at < n && !m.closed) {
		size_t off = at % 65536, k = sizeof(buf) - off;

		m.writable = false;
		at += k = flow_ops->write(m.d, buf + off, k < n - at ? k :
		    (size_t)(n - at));
		if (k == 0)
			seen_until(&s, 10000, m.writable || m.closed);
		else
			assert_int_equal(loop_run_once(&s.l, 0), SW_OK);
	}
	flow_ops->shutdown(m.d);
	seen_until(&s, 20000, m.closed);
	assert_int_equal(m.err, SW_OK);
	assert_int_equal(m.got, n);
	assert_false(m.wrong);
	seen_finish(&s);
}

static void
bulk_arrives_whole_both_ways(void **state)
{
	struct seen s;

	(void)state;
	seen_begin(&s);
	get_down(&s, 128u << 20);
	put_up(&s, (128u << 20) + 77);
	seen_finish(&s);
}

static void
new_keys_under_load_cost_no_byte(void **state)
{
	struct seen s;

	(void)state;
	seen_begin_with(&s, "RekeyLimit 4M", NULL);
	assert_int_equal(s.state, SSH_TUNNEL_UP);
	get_down(&s, (64u << 20) + 1);
	put_up(&s, (64u << 20) + 77);
	assert_int_equal(s.ups, 1);
	seen_finish(&s);
}

/* Sanitizers keep what is freed, so memory is measured without them only. */
static size_t
resident_kb(void)
{
#if defined(__SANITIZE_THREAD__) || defined(__SANITIZE_ADDRESS__)
	return 0;
#else
	unsigned long pages = 0;
	FILE *f = fopen("/proc/self/statm", "r");

	if (fscanf(f, "%*s %lu", &pages) != 1)
		pages = 0;
	fclose(f);
	return pages * 4;
#endif
}

static void
slow_reader_holds_the_server_back(void **state)
{
	struct seen s;
	struct flow m;
	size_t before;
	const uint64_t n = 256u << 20;

	(void)state;
	seen_begin(&s);
	flow_dial_far(&s, &m);
	m.take = 32u << 20;		/* windows have grown by then */
	before = resident_kb();
	flow_ask_source(&m, n);
	seen_until(&s, 20000, m.refuse);
	seen_turn(&s, 1000);
	assert_int_equal(m.got, m.take);
	assert_true(resident_kb() - before < 64 * 1024);
	/* In sips of 1 MiB it must stay bounded, and lose nothing. */
	while (m.take < 96u << 20) {
		m.take += 1u << 20;
		m.refuse = false;
		flow_ops->resume(m.d);
		seen_until(&s, 5000, m.refuse);
	}
	assert_true(resident_kb() - before < 96 * 1024);
	m.take = 0;
	m.refuse = false;
	flow_ops->resume(m.d);
	seen_until(&s, 60000, m.eof);
	assert_int_equal(m.got, n);
	assert_false(m.wrong);
	seen_finish(&s);
}

static void
reader_that_never_reads_stops_the_writer(void **state)
{
	struct seen s;
	struct flow m, other;
	static uint8_t buf[65536];
	uint64_t sent = 0;
	size_t before;

	(void)state;
	seen_begin(&s);
	flow_dial_far(&s, &m);
	flow_put(&m, "q", 1);
	before = resident_kb();
	for (int i = 0; i < 4000; i++) {
		sent += flow_ops->write(m.d, buf, sizeof(buf));
		assert_int_equal(loop_run_once(&s.l, 0), SW_OK);
	}
	assert_true(sent < 64u << 20);
	assert_true(resident_kb() - before < 32 * 1024);
	/* Others are not held up. */
	flow_dial_far(&s, &other);
	flow_put(&other, "ehello", 6);
	flow_ops->shutdown(other.d);
	seen_until(&s, 5000, other.closed);
	assert_int_equal(other.got, 5);
	seen_finish(&s);
}

/*
 * How fast this machine is does not matter, only how much is on its way at
 * once: with OpenSSH's fixed window it would be 2 MiB, however long the path.
 * A quarter of a second each way: 16 MB/s of the machine fill twice that.
 */
static void
long_fat_path_is_filled(void **state)
{
	const uint64_t n = 96u << 20;
	struct ssh_tunnel_options o;
	const char *ids[2];
	struct seen s;
	struct flow m;
	uint16_t port = 0;
	char c[300];
	_Atomic size_t *peak;
	pid_t relay;

	(void)state;
	memset(&s, 0, sizeof(s));
	sshd_rig_open(&s.rig, NULL);
	assert_int_equal(loop_init(&s.l), SW_OK);
	peak = mmap(NULL, sizeof(*peak), PROT_READ | PROT_WRITE,
	    MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	assert_ptr_not_equal(peak, MAP_FAILED);
	relay = delay_relay_start(s.rig.port, 250, &port, peak);
	snprintf(c, sizeof(c), "sed -i s/:%u/:%u/ %s", s.rig.port, port,
	    s.rig.known);
	sshd_sh(c);
	o = seen_options(&s, ids);
	o.port = port;
	s.t = ssh_tunnel_new(&s.l, &o, &seen_events, &s);
	seen_until(&s, 30000, s.state != SSH_TUNNEL_CONNECTING);
	if (s.state != SSH_TUNNEL_UP)
		fail_msg("not up: %s", s.why);
	flow_dial_far(&s, &m);
	flow_ask_source(&m, n);
	seen_until(&s, 60000, m.eof);
	assert_int_equal(m.got, n);
	assert_false(m.wrong);
	print_message("# %zu KiB on their way\n", (size_t)*peak >> 10);
	assert_true(*peak > 4u << 20);
	munmap(peak, sizeof(*peak));
	kill(relay, SIGKILL);
	waitpid(relay, NULL, 0);
	seen_finish(&s);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(bulk_arrives_whole_both_ways),
		cmocka_unit_test(echo_of_a_lot_is_exact),
		cmocka_unit_test(new_keys_under_load_cost_no_byte),
		cmocka_unit_test(slow_reader_holds_the_server_back),
		cmocka_unit_test(reader_that_never_reads_stops_the_writer),
		cmocka_unit_test(long_fat_path_is_filled),
	};

	if (access("/usr/sbin/sshd", X_OK) != 0) {
		print_message("1..0 # SKIP no sshd here\n");
		return 0;
	}
	return cmocka_run_group_tests(tests, NULL, NULL);
}
