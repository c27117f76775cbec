/* The ssh tunnel comes up, or says why not, with a real sshd on loopback. */
#include "tests/rig/unit.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "tests/rig/tunnel_seen.h"

static void
unknown_host_key_is_refused_with_a_command_that_accepts_it(void **state)
{
	struct seen s;
	char *command;

	(void)state;
	memset(&s, 0, sizeof(s));
	sshd_rig_open(&s.rig, NULL);
	assert_int_equal(truncate(s.rig.known, 0), 0);
	assert_int_equal(loop_init(&s.l), SW_OK);
	seen_try(&s);
	assert_int_equal(s.state, SSH_TUNNEL_FAILED);
	assert_int_equal(s.err, SW_ERR_AUTH);
	assert_non_null(strstr(s.why, "SHA256:"));
	command = strstr(s.why, "echo ");
	assert_non_null(command);
	sshd_sh(command);
	seen_try(&s);
	assert_int_equal(s.state, SSH_TUNNEL_UP);
	seen_finish(&s);
}

static void
changed_host_key_stops_for_good(void **state)
{
	struct seen s;

	(void)state;
	seen_begin(&s);
	sshd_stop(&s.rig);
	sshd_new_host_key(&s.rig, false);
	sshd_start(&s.rig, NULL);
	seen_until(&s, 20000, s.state == SSH_TUNNEL_FAILED);
	assert_int_equal(s.state, SSH_TUNNEL_FAILED);
	assert_non_null(strstr(s.why, "CHANGED"));
	assert_int_equal(s.ups, 1);
	seen_finish(&s);
}

static void
revoked_host_key_is_refused(void **state)
{
	struct seen s;
	char c[300];

	(void)state;
	seen_begin(&s);
	snprintf(c, sizeof(c), "cd %s && echo \"@revoked * "
	    "$(cut -d' ' -f1,2 host.pub)\" >>known", s.rig.dir);
	sshd_sh(c);
	sshd_stop(&s.rig);
	sshd_start(&s.rig, NULL);
	seen_until(&s, 20000, s.state == SSH_TUNNEL_FAILED);
	assert_non_null(strstr(s.why, "revoked"));
	seen_finish(&s);
}

static void
refused_login_says_what_the_server_accepts(void **state)
{
	struct seen s;
	char c[300];

	(void)state;
	seen_begin(&s);
	snprintf(c, sizeof(c), "cd %s && : >authorized", s.rig.dir);
	sshd_sh(c);
	seen_try(&s);
	assert_int_equal(s.state, SSH_TUNNEL_FAILED);
	assert_int_equal(s.err, SW_ERR_AUTH);
	assert_non_null(strstr(s.why, "publickey"));
	seen_finish(&s);
}

static void
key_with_a_passphrase_is_named(void **state)
{
	struct seen s;
	char c[300];

	(void)state;
	seen_begin(&s);
	snprintf(c, sizeof(c), "ssh-keygen -q -p -N secret -f %s >/dev/null",
	    s.rig.key);
	sshd_sh(c);
	seen_try(&s);
	assert_int_equal(s.state, SSH_TUNNEL_FAILED);
	assert_non_null(strstr(s.why, "passphrase"));
	seen_finish(&s);
}

static void
certificate_next_to_the_key_logs_in(void **state)
{
	struct seen s;
	char c[600], extra[200];

	(void)state;
	seen_begin(&s);
	sshd_stop(&s.rig);
	snprintf(c, sizeof(c), "cd %s && ssh-keygen -q -t ed25519 -N '' -f ca && "
	    "ssh-keygen -q -s ca -I id -n %s user.pub && : >authorized",
	    s.rig.dir, s.rig.user);
	sshd_sh(c);
	snprintf(extra, sizeof(extra), "TrustedUserCAKeys %s/ca.pub",
	    s.rig.dir);
	sshd_start(&s.rig, extra);
	seen_try(&s);
	if (s.state != SSH_TUNNEL_UP)
		fail_msg("not up: %s", s.why);
	seen_finish(&s);
}

static void
no_server_is_a_refused_connection(void **state)
{
	struct seen s;

	(void)state;
	memset(&s, 0, sizeof(s));
	sshd_rig_open(&s.rig, NULL);
	sshd_stop(&s.rig);
	assert_int_equal(loop_init(&s.l), SW_OK);
	seen_try(&s);
	assert_int_equal(s.state, SSH_TUNNEL_FAILED);
	assert_int_equal(s.err, SW_ERR_REFUSED);
	assert_non_null(strstr(s.why, "Connection refused"));
	seen_finish(&s);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(
		    unknown_host_key_is_refused_with_a_command_that_accepts_it),
		cmocka_unit_test(changed_host_key_stops_for_good),
		cmocka_unit_test(revoked_host_key_is_refused),
		cmocka_unit_test(refused_login_says_what_the_server_accepts),
		cmocka_unit_test(key_with_a_passphrase_is_named),
		cmocka_unit_test(certificate_next_to_the_key_logs_in),
		cmocka_unit_test(no_server_is_a_refused_connection),
	};

	if (access("/usr/sbin/sshd", X_OK) != 0) {
		print_message("1..0 # SKIP no sshd here\n");
		return 0;
	}
	return cmocka_run_group_tests(tests, NULL, NULL);
}
