/* Channels, ports and names over the ssh tunnel, with a real sshd. */
#include "tests/rig/unit.h"

#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "tests/lib/patience.h"
#include "tests/rig/loopback.h"
#include "tests/rig/tunnel_seen.h"

static void
each_refusal_says_why(void **state)
{
	struct seen s;
	struct flow closed_port, no_name, m[300];

	(void)state;
	seen_begin(&s);
	flow_dial(&s, &closed_port, "127.0.0.1", loopback_free_port());
	flow_dial(&s, &no_name, "a..b", 80);
	seen_until(&s, 20000, closed_port.failed && no_name.failed);
	assert_int_equal(closed_port.err, SW_ERR_REFUSED);
	assert_int_equal(no_name.err, SW_ERR_NO_NAME);

	/* Many at once, mixed: each has its own reason.  (The name is one that
	 * the server's resolver refuses without asking anybody.) */
	for (int i = 0; i < 300; i++)
		flow_dial(&s, &m[i], i % 3 == 0 ? "a..b" : "127.0.0.1",
		    i % 3 == 1 ? s.rig.far_port : 1);
	for (int i = 0; i < 300; i++) {
		seen_until(&s, 20000, m[i].failed || m[i].opened);
		if (i % 3 == 1)
			assert_true(m[i].opened);
		else
			assert_int_equal(m[i].err,
			    i % 3 == 0 ? SW_ERR_NO_NAME : SW_ERR_REFUSED);
	}
	seen_finish(&s);
}

static void
forbidden_forwarding_is_denied(void **state)
{
	struct seen s;
	struct flow m;

	(void)state;
	seen_begin_with(&s, "AllowTcpForwarding no", NULL);
	assert_int_equal(s.state, SSH_TUNNEL_UP);
	flow_dial(&s, &m, "127.0.0.1", s.rig.far_port);
	seen_until(&s, 10000, m.failed);
	assert_int_equal(m.err, SW_ERR_DENIED);
	seen_finish(&s);
}

static void
half_close_goes_both_ways(void **state)
{
	struct seen s;
	struct flow m;

	(void)state;
	seen_begin(&s);
	/* Ours first: the echo server answers after our end of file. */
	flow_dial_far(&s, &m);
	flow_put(&m, "ehello", 6);
	flow_ops->shutdown(m.d);
	seen_until(&s, 10000, m.closed);
	assert_true(m.eof);
	assert_int_equal(m.err, SW_OK);
	assert_memory_equal(m.first, "hello", 5);

	/* Theirs first: we can still write, and the end is clean. */
	flow_dial_far(&s, &m);
	flow_put(&m, "h", 1);
	seen_until(&s, 10000, m.eof);
	assert_true(m.eof);
	assert_false(m.closed);
	flow_put(&m, "more", 4);
	flow_ops->shutdown(m.d);
	seen_until(&s, 10000, m.closed);
	assert_int_equal(m.err, SW_OK);
	seen_finish(&s);
}

static void
a_thousand_channels_at_once(void **state)
{
	struct seen s;
	static struct flow m[1000];
	int64_t start;

	(void)state;
	seen_begin(&s);
	start = clock_now_ms();
	for (int i = 0; i < 1000; i++)
		flow_dial(&s, &m[i], "127.0.0.1", s.rig.far_port);
	for (int i = 0; i < 1000; i++) {
		seen_until(&s, 30000, m[i].opened);
		assert_true(m[i].opened);
		flow_put(&m[i], "ehello", 6);
	}
	for (int i = 0; i < 1000; i++) {
		seen_until(&s, 30000, m[i].got == 5);
		assert_int_equal(m[i].got, 5);
		flow_ops->shutdown(m[i].d);
	}
	for (int i = 0; i < 1000; i++) {
		seen_until(&s, 30000, m[i].closed);
		assert_int_equal(m[i].err, SW_OK);
	}
	print_message("# 1000 channels opened, used, closed in %lld ms\n",
	    (long long)(clock_now_ms() - start));
	seen_finish(&s);
}

static void
dials_may_be_aborted_in_any_state(void **state)
{
	struct seen s;
	struct flow m[60], last;

	(void)state;
	seen_begin(&s);
	for (int i = 0; i < 60; i++) {
		flow_dial(&s, &m[i], i % 3 == 0 ? "a..b" : "127.0.0.1",
		    i % 3 == 1 ? 1 : s.rig.far_port);
		if (i % 2 == 0)
			flow_ops->abort(m[i].d);	/* before the answer */
	}
	for (int i = 1; i < 60; i += 2)
		seen_until(&s, 10000, m[i].opened || m[i].failed);
	for (int i = 0; i < 60; i++) {
		if (i % 2 == 0)
			assert_false(m[i].opened || m[i].failed);
		else if (m[i].opened) {
			flow_ask_source(&m[i], 10u << 20);
			seen_until(&s, 2000, m[i].got > 0);
			flow_ops->abort(m[i].d);	/* in full flow */
		}
	}
	flow_dial_far(&s, &last);
	flow_put(&last, "ehello", 6);
	seen_until(&s, 10000, last.got == 5);
	assert_int_equal(last.got, 5);
	seen_finish(&s);
}

static void
killed_server_is_a_reset_and_comes_back(void **state)
{
	struct seen s;
	struct flow m, waiting, again;
	struct dial_target to = { .host = "127.0.0.1", .port = 1 };
	int64_t start;
	int err;

	(void)state;
	seen_begin(&s);
	flow_dial_far(&s, &m);
	flow_ask_source(&m, 1u << 30);
	seen_until(&s, 10000, m.got > 10u << 20);
	flow_dial(&s, &waiting, "127.0.0.1", s.rig.far_port);
	start = clock_now_ms();
	sshd_stop(&s.rig);
	seen_until(&s, 5000, m.closed);
	assert_true(m.closed);
	assert_false(m.eof);
	assert_int_equal(m.err, SW_ERR_RESET);
	assert_true(clock_now_ms() - start < patient_ms(2000));
	assert_true(waiting.opened || waiting.failed);
	if (waiting.failed)
		assert_int_equal(waiting.err, SW_ERR_DOWN);
	assert_int_equal(s.state, SSH_TUNNEL_DOWN);
	assert_null(flow_ops->open(ssh_tunnel_dialer(s.t), &to,
	    &flow_events, &again, &err));
	assert_int_equal(err, SW_ERR_DOWN);
	sshd_start(&s.rig, NULL);
	seen_until(&s, 20000, s.state == SSH_TUNNEL_UP);
	assert_int_equal(s.ups, 2);
	flow_dial_far(&s, &again);
	flow_put(&again, "ehello", 6);
	seen_until(&s, 10000, again.got == 5);
	assert_int_equal(again.got, 5);
	seen_finish(&s);
}

static void
silent_server_is_noticed_by_keepalive(void **state)
{
	const struct ssh_tunnel_options extra = { .keepalive_s = 1 };
	struct seen s;
	char c[200];
	int64_t start;

	(void)state;
	seen_begin_with(&s, NULL, &extra);
	assert_int_equal(s.state, SSH_TUNNEL_UP);
	seen_turn(&s, 6000);
	assert_int_equal(s.downs, 0);	/* control: answers keep it up */
	snprintf(c, sizeof(c), "for p in $(pgrep -P %d); do "
	    "kill -STOP $p $(pgrep -P $p) 2>/dev/null; done; true",
	    s.rig.sshd);
	sshd_sh(c);
	start = clock_now_ms();
	seen_until(&s, 15000, s.downs > 0);
	assert_int_equal(s.state, SSH_TUNNEL_DOWN);
	assert_true(clock_now_ms() - start < patient_ms(8000));
	seen_finish(&s);
}

static void
published_port_leads_here_and_returns_after_a_loss(void **state)
{
	struct ssh_tunnel_publish p = { .bind = "127.0.0.1",
	    .port = loopback_free_port() };
	struct ssh_tunnel_options extra = { .publish = &p, .npublish = 1 };
	struct seen s;
	struct flow m = { 0 };
	char buf[16];
	int fd, held;

	(void)state;
	seen_begin_with(&s, NULL, &extra);
	if (s.state != SSH_TUNNEL_UP)
		fail_msg("not up: %s", s.why);
	for (int round = 0; round < 2; round++) {
		memset(&m, 0, sizeof(m));
		s.inbound = NULL;
		seen_until(&s, 10000, (fd = loopback_connect(p.port)) >= 0);
		assert_true(fd >= 0);
		assert_int_equal(write(fd, "abc", 3), 3);
		seen_until(&s, 5000, s.inbound != NULL);
		assert_non_null(s.inbound);
		assert_int_equal(s.inbound_port, p.port);
		m.d = s.inbound;
		seen_turn(&s, 100);	/* data waits for the adoption */
		ssh_tunnel_adopt(m.d, &flow_events, &m);
		seen_until(&s, 5000, m.got == 3);
		assert_memory_equal(m.first, "abc", 3);
		flow_put(&m, "defg", 4);
		flow_ops->shutdown(m.d);
		seen_turn(&s, 200);
		assert_int_equal(recv(fd, buf, sizeof(buf), MSG_WAITALL), 4);
		close(fd);
		seen_until(&s, 5000, m.closed);
		assert_int_equal(m.err, SW_OK);
		if (round == 1)
			break;
		sshd_stop(&s.rig);
		seen_until(&s, 5000, s.downs == 1);
		/* Somebody holds the port while we come back. */
		held = loopback_listen(&p.port);
		sshd_start(&s.rig, NULL);
		seen_until(&s, 20000, s.ups == 2);
		seen_turn(&s, 1000);
		close(held);
	}
	seen_finish(&s);
}

struct looked { bool done; struct lookup what; };

static void
on_looked(void *arg, const struct lookup *what)
{
	struct looked *k = arg;

	assert_false(k->done);
	k->done = true;
	k->what = *what;
}

static void
names_are_looked_up_on_the_server(void **state)
{
	struct seen s;
	struct looked k[100] = { 0 }, none = { 0 }, bad = { 0 };

	(void)state;
	seen_begin(&s);
	assert_int_equal(ssh_tunnel_lookup(s.t, "nobody.invalid", on_looked,
	    &none), SW_OK);
	for (int i = 0; i < 100; i++)
		assert_int_equal(ssh_tunnel_lookup(s.t, "localhost", on_looked,
		    &k[i]), SW_OK);
	assert_int_equal(ssh_tunnel_lookup(s.t, "a;reboot", on_looked, &bad),
	    SW_ERR_FORMAT);
	assert_int_equal(ssh_tunnel_lookup(s.t, "-n", on_looked, &bad),
	    SW_ERR_FORMAT);
	for (int i = 0; i < 100; i++) {
		seen_until(&s, 20000, k[i].done);
		assert_int_equal(k[i].what.err, SW_OK);
		assert_true(k[i].what.v4 || k[i].what.v6);
	}
	seen_until(&s, 20000, none.done);
	assert_int_equal(none.what.err, SW_ERR_NO_NAME);
	assert_false(bad.done);
	seen_finish(&s);
}

static void
account_without_commands_leaves_names_open(void **state)
{
	struct seen s;
	struct looked k = { 0 };
	struct flow m;

	(void)state;
	seen_begin_with(&s, "ForceCommand /bin/false", NULL);
	assert_int_equal(ssh_tunnel_lookup(s.t, "localhost", on_looked, &k),
	    SW_OK);
	seen_until(&s, 10000, k.done);
	assert_int_equal(k.what.err, SW_ERR_UNSUPPORTED);
	flow_dial_far(&s, &m);
	seen_finish(&s);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_refusal_says_why),
		cmocka_unit_test(forbidden_forwarding_is_denied),
		cmocka_unit_test(half_close_goes_both_ways),
		cmocka_unit_test(a_thousand_channels_at_once),
		cmocka_unit_test(dials_may_be_aborted_in_any_state),
		cmocka_unit_test(killed_server_is_a_reset_and_comes_back),
		cmocka_unit_test(silent_server_is_noticed_by_keepalive),
		cmocka_unit_test(
		    published_port_leads_here_and_returns_after_a_loss),
		cmocka_unit_test(names_are_looked_up_on_the_server),
		cmocka_unit_test(account_without_commands_leaves_names_open),
	};

	if (access("/usr/sbin/sshd", X_OK) != 0) {
		print_message("1..0 # SKIP no sshd here\n");
		return 0;
	}
	return cmocka_run_group_tests(tests, NULL, NULL);
}
