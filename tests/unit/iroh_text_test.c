/* Ids, tickets, addresses and keys of iroh, against iroh's own texts. */
#include "tests/rig/unit.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/unit/vec.h"
#include "transport/iroh_addr.h"
#include "transport/iroh_crypto.h"

/* The texts of one key (seed of 32 bytes 0x11), made with iroh 1.0.2. */
#define HEX "d04ab232742bb4ab3a1368bd4615e4e6d0224ab71a016baf8520a332c9778737"
#define B32 "2bflemtufo2kwoqtnc6umfpe43icesvxdiawxl4fecrtfslxq43q"
#define Z32 "4bfmrcuwfq4ksqoupn6wcfxrh5enr1izdeyszmhfrntuf1mzoh5o"

static void
an_id_is_read_in_each_of_its_forms(void **state)
{
	static const char *const forms[] = { HEX, B32, Z32,
	    "D04AB232742BB4AB3A1368BD4615E4E6D0224AB71A016BAF8520A332C9778737",
	    "2BFLEMTUFO2KWOQTNC6UMFPE43ICESVXDIAWXL4FECRTFSLXQ43Q" };
	char hex[IROH_ID_TEXT_LEN], z32[IROH_ID_Z32_LEN];
	struct iroh_id id;

	(void)state;
	for (size_t i = 0; i < sizeof(forms) / sizeof(*forms); i++) {
		assert_int_equal(iroh_id_parse(&id, forms[i], strlen(forms[i])),
		    SW_OK);
		assert_string_equal(iroh_id_text(&id, hex), HEX);
		assert_string_equal(iroh_id_z32(&id, z32), Z32);
	}
}

static void
what_is_no_id_is_refused_and_leaves_zeros(void **state)
{
	static const char *const bad[] = { "", "d04ab2",
	    "d04ab232742bb4ab3a1368bd4615e4e6d0224ab71a016baf8520a332c977873g",
	    "2bflemtufo2kwoqtnc6umfpe43icesvxdiawxl4fecrtfslxq430",
	    /* bits left over that are not zero */
	    "2bflemtufo2kwoqtnc6umfpe43icesvxdiawxl4fecrtfslxq43r",
	    "4bfmrcuwfq4ksqoupn6wcfxrh5enr1izdeyszmhfrntuf1mzoh5b" };
	static const struct iroh_id none;
	struct iroh_id id;

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
		memset(&id, 1, sizeof(id));
		assert_int_equal(iroh_id_parse(&id, bad[i], strlen(bad[i])),
		    SW_ERR_FORMAT);
		assert_memory_equal(&id, &none, sizeof(id));
	}
}

static void
keys_and_tickets_agree_with_iroh(void **state)
{
	char text[IROH_TICKET_LEN], hex[IROH_ID_TEXT_LEN];
	uint8_t seed[IROH_SEED_LEN];
	size_t count = 0;
	struct vec v;

	(void)state;
	vec_open(&v, "iroh.txt");
	while (vec_next(&v)) {
		const char *ticket = vec_text(&v, "ticket");
		const char *relay = vec_text(&v, "relay");
		const char *direct = vec_text(&v, "direct");
		struct iroh_addr a, b = { .ndirect = 0 };
		struct iroh_identity *key;

		vec_bytes(&v, "seed", seed, sizeof(seed));
		assert_non_null(key = iroh_identity_new(seed));
		b.id = *iroh_identity_id(key);
		iroh_identity_free(key);
		assert_string_equal(iroh_id_text(&b.id, hex),
		    vec_text(&v, "id"));
		if (relay[0] != '-')
			assert_int_equal(iroh_addr_set_relay(&b, relay), SW_OK);
		while (direct[0] != '-' && *direct != '\0') {
			char one[80];
			size_t n = strcspn(direct, " ");

			snprintf(one, sizeof(one), "%.*s", (int)n, direct);
			assert_int_equal(iroh_addr_add_direct(&b, one), SW_OK);
			direct += n + (direct[n] == ' ');
		}
		assert_string_equal(iroh_addr_ticket(&b, text), ticket);

		assert_int_equal(iroh_addr_parse(&a, ticket, strlen(ticket)),
		    SW_OK);
		assert_memory_equal(&a.id, &b.id, sizeof(a.id));
		assert_string_equal(a.relay, b.relay);
		assert_int_equal(a.ndirect, b.ndirect);
		assert_string_equal(iroh_addr_ticket(&a, text), ticket);
		count++;
	}
	vec_close(&v);
	assert_int_equal(count, 5);
}

static void
a_ticket_with_a_byte_gone_or_added_is_refused(void **state)
{
	static const char ticket[] = "endpointadievmrsoqv3jkz2cnul2rqv4ttnaiskw4"
	    "nac25pquqkgmwjo6dtoaibab7qaaab2era";
	char longer[sizeof(ticket) + 8];
	struct iroh_addr a;

	(void)state;
	assert_int_equal(iroh_addr_parse(&a, ticket, sizeof(ticket) - 1),
	    SW_OK);
	for (size_t n = 0; n < sizeof(ticket) - 1; n++)
		assert_int_not_equal(iroh_addr_parse(&a, ticket, n), SW_OK);
	snprintf(longer, sizeof(longer), "%saaaaaaaa", ticket);
	assert_int_equal(iroh_addr_parse(&a, longer, strlen(longer)),
	    SW_ERR_FORMAT);
}

static void
addresses_and_relays_are_checked(void **state)
{
	static const char *const bad_ip[] = { "", "1.2.3.4", "1.2.3.4:",
	    "1.2.3.4:0", "1.2.3.4:65536", "::1:5", "[::1]", "host:5",
	    "1.2.3.4:5x", "[1.2.3.4:5", "1.2.3.4: 5" };
	static const char *const bad_url[] = { "", "relay.test", "ftp://x/",
	    "https://", "https:///x", "https://a b/", "https://u@h/",
	    "http://:1" };
	struct iroh_addr a = { .ndirect = 0 };

	(void)state;
	for (size_t i = 0; i < sizeof(bad_ip) / sizeof(*bad_ip); i++)
		assert_int_equal(iroh_addr_add_direct(&a, bad_ip[i]),
		    SW_ERR_FORMAT);
	for (size_t i = 0; i < sizeof(bad_url) / sizeof(*bad_url); i++)
		assert_int_equal(iroh_addr_set_relay(&a, bad_url[i]),
		    SW_ERR_FORMAT);
	assert_int_equal(iroh_addr_set_relay(&a, "https://r.test:99/deep/er"),
	    SW_OK);
	assert_string_equal(a.relay, "https://r.test:99/");
	for (int i = 0; i < IROH_DIRECT_MAX; i++)
		assert_int_equal(iroh_addr_add_direct(&a, "[::1]:5"), SW_OK);
	assert_int_equal(iroh_addr_add_direct(&a, "[::1]:5"), SW_ERR_LIMIT);
}

static void
a_key_file_is_made_once_private_and_kept(void **state)
{
	uint8_t one[IROH_SEED_LEN], two[IROH_SEED_LEN];
	static const uint8_t zeros[IROH_SEED_LEN];
	char dir[] = "/tmp/iroh-key.XXXXXX", file[64], why[256];
	struct stat st;

	(void)state;
	assert_non_null(mkdtemp(dir));
	snprintf(file, sizeof(file), "%s/key", dir);
	assert_int_equal(iroh_key_load(one, file, why), SW_OK);
	assert_int_equal(stat(file, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0600);
	assert_int_equal(iroh_key_load(two, file, why), SW_OK);
	assert_memory_equal(one, two, sizeof(one));
	assert_memory_not_equal(one, zeros, sizeof(one));

	assert_int_equal(chmod(file, 0640), 0);
	assert_int_equal(iroh_key_load(two, file, why), SW_ERR_CONFIG);
	assert_memory_equal(two, zeros, sizeof(two));
	assert_non_null(strstr(why, "chmod 600"));
	assert_int_equal(chmod(file, 0600), 0);
	assert_int_equal(truncate(file, 20), 0);
	assert_int_equal(iroh_key_load(two, file, why), SW_ERR_CONFIG);
	unlink(file);
	rmdir(dir);
}

/* Derived key and signature as iroh's relay accepts them. */
static void
a_relay_s_challenge_is_answered(void **state)
{
	uint8_t seed[IROH_SEED_LEN], challenge[IROH_CHALLENGE_LEN];
	uint8_t want[IROH_SIGNATURE_LEN], got[IROH_SIGNATURE_LEN];
	struct iroh_identity *key;

	(void)state;
	memset(seed, 0x11, sizeof(seed));
	for (size_t i = 0; i < sizeof(challenge); i++)
		challenge[i] = (uint8_t)i;
	vec_hex("0193d0ae1abdfd24542bee09f15e1aafc476a1380f438f720e57da217986970"
	    "96e36107d8803146aff9446b5ea68f3c4b21f7db731eec299168852db3f6c7f0c",
	    want, sizeof(want));
	assert_non_null(key = iroh_identity_new(seed));
	assert_int_equal(iroh_identity_answer(key, challenge, got), SW_OK);
	assert_memory_equal(got, want, sizeof(got));
	iroh_identity_free(key);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_id_is_read_in_each_of_its_forms),
		cmocka_unit_test(what_is_no_id_is_refused_and_leaves_zeros),
		cmocka_unit_test(keys_and_tickets_agree_with_iroh),
		cmocka_unit_test(a_ticket_with_a_byte_gone_or_added_is_refused),
		cmocka_unit_test(addresses_and_relays_are_checked),
		cmocka_unit_test(a_key_file_is_made_once_private_and_kept),
		cmocka_unit_test(a_relay_s_challenge_is_answered),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
