/* An identity on disk: ours alone, whole or not at all. */
#include "tests/rig/unit.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "mix/identity.h"
#include "mix/prim.h"

static char folder[] = "/tmp/identity.XXXXXX", path[64];
static char why[IDENTITY_WHY_LEN];

static struct identity
full_identity(void)
{
	struct mixtunnel_registration r = { .last_auth = 1750000000 };
	struct identity id;

	identity_make(&id, &rng_system);
	for (uint8_t i = 0; i < IDENTITY_GATEWAYS; i++) {
		memset(r.gateway, i + 1, sizeof(r.gateway));
		rng_fill(&rng_system, r.key, sizeof(r.key));
		r.last_auth += i;
		identity_remember(&id, &r);
	}
	return id;
}

static void
it_comes_back_as_it_went_and_is_ours_alone(void **state)
{
	struct identity id = full_identity(), back;
	struct stat st;

	(void)state;
	assert_int_equal(identity_load(&back, path, why), SW_ERR_NO_NAME);
	assert_int_equal(identity_store(&id, path, why), SW_OK);
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0600);
	assert_int_equal(identity_load(&back, path, why), SW_OK);
	assert_memory_equal(&back, &id, sizeof(id));
	/* Again, over the old one. */
	identity_make(&id, &rng_system);
	assert_int_equal(identity_store(&id, path, why), SW_OK);
	assert_int_equal(identity_load(&back, path, why), SW_OK);
	assert_memory_equal(&back, &id, sizeof(id));
}

static void
a_file_that_others_may_read_is_refused(void **state)
{
	static const struct identity none;
	struct identity id = full_identity(), back;

	(void)state;
	assert_int_equal(identity_store(&id, path, why), SW_OK);
	for (int mode = 1; mode <= 040; mode *= 2) {
		assert_int_equal(chmod(path, 0600 | (mode_t)mode), 0);
		memset(&back, 1, sizeof(back));
		why[0] = '\0';
		assert_int_equal(identity_load(&back, path, why),
		    SW_ERR_DENIED);
		assert_non_null(strstr(why, "chmod 600"));
		assert_memory_equal(&back, &none, sizeof(none));
	}
	assert_int_equal(identity_load(&back, folder, why), SW_ERR_DENIED);
}

static void
what_is_cut_or_changed_is_refused_and_nothing_stays(void **state)
{
	static const struct identity none;
	struct identity id = full_identity(), back;
	char text[IDENTITY_TEXT_MAX];
	size_t n = identity_format(&id, text);

	(void)state;
	assert_int_equal(identity_parse(&back, text, n), SW_OK);
	for (size_t i = 0; i < n; i++) {
		int r = identity_parse(&back, text, i);

		/* A whole number of lines after the keys reads. */
		if (i > 0 && text[i - 1] == '\n' && r == SW_OK)
			continue;
		assert_int_equal(r, SW_ERR_FORMAT);
		assert_memory_equal(&back, &none, sizeof(none));
	}
	for (size_t i = 0; i < n; i++) {
		char old = text[i];

		text[i] = '!';
		assert_int_equal(identity_parse(&back, text, n),
		    SW_ERR_FORMAT);
		text[i] = old;
	}
	assert_int_equal(identity_parse(&back, text, sizeof(text)),
	    SW_ERR_FORMAT);
}

static void
the_registration_used_last_is_kept_longest(void **state)
{
	struct identity id = full_identity();
	struct mixtunnel_registration r = id.known[0];
	uint8_t second[NYM_KEY_LEN];

	(void)state;
	memcpy(second, id.known[1].gateway, sizeof(second));
	r.last_auth = 1800000000;
	identity_remember(&id, &r);
	assert_int_equal(id.n, IDENTITY_GATEWAYS);
	assert_int_equal(identity_find(&id, r.gateway)->last_auth,
	    1800000000);
	memset(r.gateway, 99, sizeof(r.gateway));
	identity_remember(&id, &r);
	assert_int_equal(id.n, IDENTITY_GATEWAYS);
	assert_null(identity_find(&id, second));
	memset(r.gateway, 1, sizeof(r.gateway));
	assert_non_null(identity_find(&id, r.gateway));
}

static void
a_path_that_cannot_be_written_is_said(void **state)
{
	struct identity id = full_identity();

	(void)state;
	assert_int_equal(identity_store(&id, "/nonexistent/a", why),
	    SW_ERR_SYS);
	assert_non_null(strstr(why, "/nonexistent/a"));
}

static int
setup(void **state)
{
	(void)state;
	if (mkdtemp(folder) == NULL)
		return -1;
	snprintf(path, sizeof(path), "%s/id", folder);
	return prim_init();
}

static int
teardown(void **state)
{
	(void)state;
	unlink(path);
	return rmdir(folder);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(it_comes_back_as_it_went_and_is_ours_alone),
		cmocka_unit_test(a_file_that_others_may_read_is_refused),
		cmocka_unit_test(
		    what_is_cut_or_changed_is_refused_and_nothing_stays),
		cmocka_unit_test(the_registration_used_last_is_kept_longest),
		cmocka_unit_test(a_path_that_cannot_be_written_is_said),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
