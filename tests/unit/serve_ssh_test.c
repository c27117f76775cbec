/* The server's SSH engine, against a client that may break every rule. */
#include "tests/unit/serve_rig.h"

static struct rig r;

static void
each_cipher_carries_a_channel(void **state)
{
	(void)state;
	for (int kind = SERVE_CIPHER_CHACHA; kind <= SERVE_CIPHER_CTR; kind++) {
		if (!serve_cipher_has((enum serve_cipher_kind)kind))
			continue;
		rig_start(&r);
		r.kind = (enum serve_cipher_kind)kind;
		rig_greet(&r);
		rig_send_kexinit(&r, "curve25519-sha256");
		rig_exchange(&r);
		rig_service(&r);
		assert_true(rig_try_login(&r, false));
		assert_int_equal(rig_next(&r), MSG_USERAUTH_SUCCESS);
		assert_true(rig_ask_channel(&r, 9, 1000));
		assert_int_equal(rig_next(&r), MSG_CHANNEL_OPEN_CONFIRMATION);
		assert_string_equal(r.asked.to.host, "host.example");
		assert_int_equal(r.asked.to.port, 80);
		assert_true(rig_say(&r, MSG_CHANNEL_DATA, 0, "hello", 5));
		assert_memory_equal(r.chan[0].last, "hello", 5);
		assert_int_equal(serve_chan_write(r.chan[0].c,
		    (const uint8_t *)"back", 4), 4);
		rig_drain(&r);
		assert_int_equal(rig_next(&r), MSG_CHANNEL_DATA);
		assert_memory_equal(r.msg + 9, "back", 4);
		rig_end(&r);
	}
}

static void
it_does_not_matter_how_bytes_are_cut(void **state)
{
	(void)state;
	for (size_t step = 1; step < 20; step += 6) {
		rig_start(&r);
		r.step = step;
		rig_greet(&r);
		rig_send_kexinit(&r, "curve25519-sha256");
		rig_exchange(&r);
		rig_service(&r);
		assert_true(rig_try_login(&r, false));
		assert_int_equal(rig_next(&r), MSG_USERAUTH_SUCCESS);
		rig_end(&r);
	}
}

static void
each_flipped_byte_is_noticed(void **state)
{
	uint8_t msg[] = { MSG_IGNORE, 0, 0, 0, 1, 'x' }, out[128];
	size_t n;

	(void)state;
	for (int kind = SERVE_CIPHER_CHACHA; kind <= SERVE_CIPHER_CTR; kind++) {
		if (!serve_cipher_has((enum serve_cipher_kind)kind))
			continue;
		for (size_t i = 0;; i++) {
			rig_start(&r);
			r.kind = (enum serve_cipher_kind)kind;
			rig_greet(&r);
			rig_send_kexinit(&r, "curve25519-sha256");
			rig_exchange(&r);
			n = rig_frame(&r, msg, sizeof(msg), out);
			if (i < n) {
				out[i] ^= 0x10;
				/* A length may now wait for more. */
				if (rig_feed(&r, out, n))
					assert_true(i < 4);
				assert_int_equal(r.s->input, 3);
			} else {
				assert_true(rig_feed(&r, out, n));
				assert_int_equal(r.s->input, 4);
			}
			rig_end(&r);
			if (i >= n)
				break;
		}
	}
}

static void
nothing_slips_in_before_strict_keys(void **state)
{
	uint8_t msg[] = { MSG_IGNORE, 0, 0, 0, 0 }, out[64];
	uint8_t init[2048];

	(void)state;
	rig_start(&r);
	rig_greet(&r);
	assert_true(rig_feed(&r, out, rig_frame(&r, msg, sizeof(msg), out)));
	/* KEXINIT is not the first packet now. */
	{
		struct wbuf k = { init, sizeof(init) };

		add_u8(&k, MSG_KEXINIT);
		add_bytes(&k, "0123456789abcdef", 16);
		add_text(&k, "curve25519-sha256,kex-strict-c-v00@openssh.com");
		add_text(&k, "ssh-ed25519");
		for (int i = 0; i < 2; i++)
			add_text(&k, "chacha20-poly1305@openssh.com");
		for (int i = 0; i < 2; i++)
			add_text(&k, "");
		for (int i = 0; i < 2; i++)
			add_text(&k, "none");
		for (int i = 0; i < 2; i++)
			add_text(&k, "");
		add_u8(&k, 0);
		add_u32(&k, 0);
		assert_false(rig_send(&r, &k, init));
	}
	rig_end(&r);

	rig_start(&r);
	rig_greet(&r);
	rig_send_kexinit(&r, "curve25519-sha256,kex-strict-c-v00@openssh.com");
	assert_false(rig_feed(&r, out, rig_frame(&r, msg, sizeof(msg), out)));
	rig_end(&r);
}

static void
a_key_of_low_order_is_refused(void **state)
{
	uint8_t msg[64];
	struct wbuf w = { msg, sizeof(msg) };
	static const uint8_t zero[32];

	(void)state;
	rig_start(&r);
	rig_greet(&r);
	rig_send_kexinit(&r, "curve25519-sha256");
	add_u8(&w, MSG_KEX_ECDH_INIT);
	add_string(&w, zero, 32);
	assert_false(rig_send(&r, &w, msg));
	rig_end(&r);
}

static void
a_wrong_signature_does_not_log_in(void **state)
{
	(void)state;
	rig_keys(&r);
	rig_service(&r);
	for (int i = 0; i < 2; i++) {
		assert_true(rig_try_login(&r, true));
		assert_int_equal(rig_next(&r), MSG_USERAUTH_FAILURE);
	}
	assert_false(rig_try_login(&r, true));	/* the third is too many */
	assert_false(serve_ssh_is_in(r.s));
	assert_int_equal(rig_next(&r), MSG_DISCONNECT);
	rig_end(&r);

	rig_keys(&r);
	rig_service(&r);
	r.allow = false;
	assert_true(rig_try_login(&r, false));
	assert_int_equal(rig_next(&r), MSG_USERAUTH_FAILURE);
	r.allow = true;
	assert_true(rig_try_login(&r, false));
	assert_int_equal(rig_next(&r), MSG_USERAUTH_SUCCESS);
	rig_end(&r);
}

static void
channels_are_for_those_who_logged_in(void **state)
{
	(void)state;
	rig_keys(&r);
	assert_false(rig_ask_channel(&r, 1, 1000));
	assert_int_equal(r.nchan, 0);
	rig_end(&r);
}

static void
refusals_carry_reason_and_words(void **state)
{
	(void)state;
	rig_in(&r);
	r.later = true;
	assert_true(rig_ask_channel(&r, 7, 1000));
	assert_int_equal(rig_next(&r), 0);
	serve_chan_refuse(r.chan[0].c, SERVE_CONNECT_FAILED, "Connection refused");
	rig_drain(&r);
	assert_int_equal(rig_next(&r), MSG_CHANNEL_OPEN_FAILURE);
	assert_memory_equal(r.msg + 1, "\0\0\0\7\0\0\0\2\0\0\0\22Connection refused",
	    12 + 18);
	/* Two may wait for an answer, four may be open. */
	for (uint32_t i = 0; i < 3; i++)
		assert_true(rig_ask_channel(&r, i, 1000));
	assert_int_equal(rig_next(&r), MSG_CHANNEL_OPEN_FAILURE);
	assert_memory_equal(r.msg + 1, "\0\0\0\2\0\0\0\4", 8);
	rig_end(&r);
}

static void
a_window_is_a_promise(void **state)
{
	static uint8_t block[32768];

	(void)state;
	rig_in(&r);
	r.chan[0].hold = true;
	assert_true(rig_ask_channel(&r, 1, 1000));
	assert_int_equal(rig_next(&r), MSG_CHANNEL_OPEN_CONFIRMATION);
	for (int i = 0; i < 4; i++)	/* 128 KiB are granted */
		assert_true(rig_say(&r, MSG_CHANNEL_DATA, 0, block, sizeof(block)));
	assert_int_equal(rig_next(&r), 0);
	assert_false(rig_say(&r, MSG_CHANNEL_DATA, 0, "x", 1));
	rig_end(&r);
}

static void
a_window_grows_while_it_holds_back(void **state)
{
	static uint8_t block[32768];
	uint32_t granted = 0;
	int type;

	(void)state;
	rig_in(&r);
	assert_true(rig_ask_channel(&r, 1, 1000));
	assert_int_equal(rig_next(&r), MSG_CHANNEL_OPEN_CONFIRMATION);
	for (int round = 0; round < 12; round++) {
		r.chan[0].hold = true;	/* used up at once, then taken at once */
		while (r.chan[0].c->window >= sizeof(block))
			assert_true(rig_say(&r, MSG_CHANNEL_DATA, 0, block,
			    sizeof(block)));
		serve_chan_took(r.chan[0].c, r.chan[0].c->unread);
		rig_drain(&r);
		while ((type = rig_next(&r)) != 0)
			assert_int_equal(type, MSG_CHANNEL_WINDOW_ADJUST);
		granted = r.chan[0].c->window;
	}
	assert_int_equal(granted, r.cfg.window_max);
	assert_int_equal(r.budget.used, r.cfg.window_max - 128 * 1024);
	rig_end(&r);			/* gives it all back */
}

static void
we_keep_to_the_clients_window(void **state)
{
	static uint8_t block[100000];
	size_t sent = 0, n;
	uint8_t adjust[9] = { MSG_CHANNEL_WINDOW_ADJUST, 0, 0, 0, 0, 0, 0, 4, 0 };
	struct wbuf w = { adjust + 9, 0 };

	(void)state;
	rig_in(&r);
	assert_true(rig_ask_channel(&r, 1, 5000));
	assert_int_equal(rig_next(&r), MSG_CHANNEL_OPEN_CONFIRMATION);
	assert_int_equal(serve_chan_room(r.chan[0].c), 5000);
	assert_int_equal(serve_chan_write(r.chan[0].c, block, sizeof(block)), 5000);
	rig_drain(&r);
	while (rig_next(&r) == MSG_CHANNEL_DATA)
		sent += r.msg_len - 9;
	assert_int_equal(sent, 5000);
	assert_int_equal(r.chan[0].told_writable, 0);
	assert_true(rig_send(&r, &w, adjust));
	assert_int_equal(r.chan[0].told_writable, 1);
	n = serve_chan_write(r.chan[0].c, block, sizeof(block));
	assert_int_equal(n, 1024);
	rig_end(&r);
}

static void
new_keys_lose_nothing(void **state)
{
	(void)state;
	rig_in(&r);
	assert_true(rig_ask_channel(&r, 1, 100000));
	assert_int_equal(rig_next(&r), MSG_CHANNEL_OPEN_CONFIRMATION);
	r.later = true;
	assert_true(rig_ask_channel(&r, 2, 100000));
	/* Ours is out, theirs not here yet: data wait, other messages too. */
	serve_kex_start(r.s);
	rig_drain(&r);
	rig_take_their_init(&r);
	assert_int_equal(serve_chan_write(r.chan[0].c, (const uint8_t *)"x", 1), 0);
	serve_chan_accept(r.chan[1].c);
	serve_chan_eof(r.chan[0].c);
	rig_drain(&r);
	assert_int_equal(rig_next(&r), 0);
	assert_true(rig_say(&r, MSG_CHANNEL_DATA, 0, "late", 4));
	assert_memory_equal(r.chan[0].last, "late", 4);
	rig_send_kexinit(&r, "curve25519-sha256");
	rig_exchange(&r);
	assert_int_equal(rig_next(&r), MSG_CHANNEL_OPEN_CONFIRMATION);
	assert_int_equal(rig_next(&r), MSG_CHANNEL_EOF);
	assert_true(rig_say(&r, MSG_CHANNEL_DATA, 1, "new", 3));
	assert_memory_equal(r.chan[1].last, "new", 3);
	rig_end(&r);
}

static void
both_ends_close_once(void **state)
{
	(void)state;
	rig_in(&r);
	assert_true(rig_ask_channel(&r, 1, 1000));
	assert_int_equal(rig_next(&r), MSG_CHANNEL_OPEN_CONFIRMATION);
	assert_true(rig_say(&r, MSG_CHANNEL_EOF, 0, NULL, 0));
	assert_int_equal(r.chan[0].told_eof, 1);
	serve_chan_close(r.chan[0].c);
	rig_drain(&r);
	assert_int_equal(rig_next(&r), MSG_CHANNEL_CLOSE);
	assert_int_equal(serve_ssh_channels(r.s), 1);	/* until they agree */
	assert_true(rig_say(&r, MSG_CHANNEL_CLOSE, 0, NULL, 0));
	assert_int_equal(serve_ssh_channels(r.s), 0);
	assert_int_equal(r.chan[0].told_closed, 0);	/* we closed it */
	assert_int_equal(rig_next(&r), 0);
	assert_false(rig_say(&r, MSG_CHANNEL_DATA, 0, "x", 1));
	rig_end(&r);
}

static void
a_port_of_zero_is_answered_with_one(void **state)
{
	uint8_t msg[64];
	struct wbuf w = { msg, sizeof(msg) };

	(void)state;
	rig_in(&r);
	add_u8(&w, MSG_GLOBAL_REQUEST);
	add_text(&w, "tcpip-forward");
	add_u8(&w, 1);
	add_text(&w, "");
	add_u32(&w, 0);
	assert_true(rig_send(&r, &w, msg));
	assert_int_equal(rig_next(&r), MSG_REQUEST_SUCCESS);
	assert_memory_equal(r.msg + 1, "\0\0\22\147", 4);
	rig_end(&r);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_cipher_carries_a_channel),
		cmocka_unit_test(it_does_not_matter_how_bytes_are_cut),
		cmocka_unit_test(each_flipped_byte_is_noticed),
		cmocka_unit_test(nothing_slips_in_before_strict_keys),
		cmocka_unit_test(a_key_of_low_order_is_refused),
		cmocka_unit_test(a_wrong_signature_does_not_log_in),
		cmocka_unit_test(channels_are_for_those_who_logged_in),
		cmocka_unit_test(refusals_carry_reason_and_words),
		cmocka_unit_test(a_window_is_a_promise),
		cmocka_unit_test(a_window_grows_while_it_holds_back),
		cmocka_unit_test(we_keep_to_the_clients_window),
		cmocka_unit_test(new_keys_lose_nothing),
		cmocka_unit_test(both_ends_close_once),
		cmocka_unit_test(a_port_of_zero_is_answered_with_one),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
