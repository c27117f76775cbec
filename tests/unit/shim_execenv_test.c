#include "tests/rig/unit.h"

#include <stdio.h>
#include <string.h>


#include "preload/shim_execenv.h"

#define S(text) ((char[]){ text })

static const char *const ours[] = { "LD_PRELOAD=/lib/ours.so",
    "SMOLWRAP_CTL=900:17", "SMOLWRAP_POLICY=x", NULL };

/* The variables of `env` in one line, to compare. */
static const char *
joined(char *const *env)
{
	static char text[2000];
	size_t at = 0;

	text[0] = '\0';
	for (; *env != NULL; env++)
		at += (size_t)snprintf(text + at, sizeof(text) - at, "%s;",
		    *env);
	return text;
}

static void
complete_environment_is_not_copied(void **state)
{
	char *const env[] = { S("A=1"), S("SMOLWRAP_POLICY=theirs"),
	    S("LD_PRELOAD=/lib/ours.so:/lib/x.so"), S("SMOLWRAP_CTL=901:3"),
	    NULL };
	struct execenv e;

	(void)state;
	assert_ptr_equal(execenv_make(&e, ours, env), env);
	execenv_wipe(&e);
}

static void
empty_and_null_get_all_of_ours(void **state)
{
	char *const env[] = { NULL };
	struct execenv e;

	(void)state;
	assert_string_equal(joined(execenv_make(&e, ours, env)),
	    "LD_PRELOAD=/lib/ours.so;SMOLWRAP_CTL=900:17;SMOLWRAP_POLICY=x;");
	assert_string_equal(joined(execenv_make(&e, ours, NULL)),
	    "LD_PRELOAD=/lib/ours.so;SMOLWRAP_CTL=900:17;SMOLWRAP_POLICY=x;");
}

static void
their_preload_is_kept_after_ours(void **state)
{
	char *const env[] = { S("LD_PRELOAD=/a.so /lib/ours.so"), S("B=2"),
	    S("SMOLWRAP_CTL=1:1"), S("SMOLWRAP_POLICY="), NULL };
	struct execenv e;

	(void)state;
	assert_string_equal(joined(execenv_make(&e, ours, env)),
	    "LD_PRELOAD=/lib/ours.so:/a.so /lib/ours.so;B=2;"
	    "SMOLWRAP_CTL=1:1;SMOLWRAP_POLICY=;");
}

static void
a_longer_name_is_not_ours(void **state)
{
	char *const env[] = { S("LD_PRELOAD=/lib/ours.so.bak"),
	    S("SMOLWRAP_CTLX=1"), S("SMOLWRAP_CTL=1:1"), S("SMOLWRAP_POLICY=x"),
	    NULL };
	struct execenv e;

	(void)state;
	assert_string_equal(joined(execenv_make(&e, ours, env)),
	    "LD_PRELOAD=/lib/ours.so:/lib/ours.so.bak;SMOLWRAP_CTLX=1;"
	    "SMOLWRAP_CTL=1:1;SMOLWRAP_POLICY=x;");
	assert_string_equal(execenv_get(env, "SMOLWRAP_CTL"), "1:1");
	assert_null(execenv_get(env, "SMOLWRAP"));
}

static void
a_variable_is_left_out_of_a_copy_or_of_what_was_made(void **state)
{
	char *const whole[] = { S("LD_PRELOAD=/lib/ours.so"), S("A=1"),
	    S("SMOLWRAP_CTL=1:1"), S("SMOLWRAP_POLICY=x"), NULL };
	char *const bare[] = { S("LD_PRELOADS=1"), S("A=1"), NULL };
	struct execenv e;

	(void)state;
	assert_string_equal(joined(execenv_drop(&e, "LD_PRELOAD",
	    execenv_make(&e, ours, whole))),
	    "A=1;SMOLWRAP_CTL=1:1;SMOLWRAP_POLICY=x;");
	assert_string_equal(*whole, "LD_PRELOAD=/lib/ours.so");
	assert_string_equal(joined(execenv_drop(&e, "LD_PRELOAD",
	    execenv_make(&e, ours, bare))),
	    "SMOLWRAP_CTL=900:17;SMOLWRAP_POLICY=x;LD_PRELOADS=1;A=1;");
	execenv_wipe(&e);
}

static void
vectors_longer_than_the_stack_arrays_are_mapped(void **state)
{
	static char one[] = "A=1", *many[1000], long_list[3000] = "LD_PRELOAD=";
	struct execenv e;
	char *const *env;
	size_t n;

	(void)state;
	memset(long_list + 11, 'l', sizeof(long_list) - 12);
	for (n = 0; n < 998; n++)
		many[n] = one;
	many[998] = long_list;
	env = execenv_make(&e, ours, many);
	assert_non_null(env);
	for (n = 0; env[n] != NULL; n++)
		;
	assert_int_equal(n, 1001);
	assert_int_equal(strlen(env[0]), strlen(ours[0]) + 1 +
	    strlen(long_list) - 11);
	assert_true(e.vec.mapped > 0 && e.mapped > 0);
	execenv_wipe(&e);
	assert_true(e.vec.mapped == 0 && e.mapped == 0);
}

static bool
list(struct execvec *v, const char **after, const char *first, ...)
{
	va_list ap;
	bool made;

	va_start(ap, first);
	made = execvec_from_list(v, first, &ap);
	*after = va_arg(ap, const char *);
	va_end(ap);
	return made;
}

static void
lists_end_at_null_and_leave_the_rest(void **state)
{
	const char *after;
	struct execvec v;

	(void)state;
	assert_true(list(&v, &after, "a", "b", (char *)NULL, "env"));
	assert_string_equal(v.at[0], "a");
	assert_string_equal(v.at[1], "b");
	assert_null(v.at[2]);
	assert_string_equal(after, "env");
	assert_true(list(&v, &after, NULL, "env"));
	assert_null(v.at[0]);
	assert_string_equal(after, "env");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(complete_environment_is_not_copied),
		cmocka_unit_test(empty_and_null_get_all_of_ours),
		cmocka_unit_test(their_preload_is_kept_after_ours),
		cmocka_unit_test(a_longer_name_is_not_ours),
		cmocka_unit_test(
		    a_variable_is_left_out_of_a_copy_or_of_what_was_made),
		cmocka_unit_test(
		    vectors_longer_than_the_stack_arrays_are_mapped),
		cmocka_unit_test(lists_end_at_null_and_leave_the_rest),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
