/* TCP over a network whose packets overtake each other and get lost, in
 * virtual time. */
#include "tests/unit/stack_rig.h"
#include "tests/unit/virtual_time.h"

#include <math.h>

#include "stack/packet.h"

#define PACKET_MAX 1500
#define BASE_MS 5
#define HOP_MS 15			/* mean of each of three mixes */
#define SECONDS 10

struct flying {
	struct flying *next;
	int64_t due_ms;
	size_t len;
	bool up;
	uint8_t bytes[PACKET_MAX];
};

static struct {
	struct flying *flying;
	struct loop_timer timer;
	uint64_t seed;
	int64_t slot_ms[2];
	bool jitter;
	unsigned lose_every;		/* nth data packet downwards; 0: none */
	int lose_once;			/* that one packet; 0: none */
	unsigned data, again;
	uint32_t highest;
} sky;

/* Uniform in (0, 1]. */
static double
draw(void)
{
	sky.seed = sky.seed * UINT64_C(6364136223846793005) +
	    UINT64_C(1442695040888963407);
	return (double)((sky.seed >> 11) + 1) / (double)(UINT64_C(1) << 53);
}

static int64_t
delay_ms(void)
{
	double ms = BASE_MS;

	if (!sky.jitter)
		return BASE_MS + 3 * HOP_MS;
	for (int i = 0; i < 3; i++)
		ms -= log(draw()) * HOP_MS;
	return (int64_t)ms;
}

static void
land(struct loop_timer *t)
{
	struct flying *f;

	while ((f = sky.flying) != NULL && f->due_ms <= rig.loop.now_ms) {
		struct iovec iov = { f->bytes, f->len };

		sky.flying = f->next;
		if (f->up) {
			struct link_frame *in = link_frame_new(f->bytes,
			    f->len);

			splice_input(rig.splice, in);
			link_frame_unref(in);
		} else {
			assert_int_equal(link_send(rig.link, &iov, 1), SW_OK);
		}
		free(f);
	}
	loop_set_timer(&rig.loop, t, sky.flying != NULL ?
	    sky.flying->due_ms : SW_NEVER);
}

/* One packet a millisecond and direction leaves; then the mixes hold it. */
static void
start_flight(bool up, const struct iovec *iov, int n)
{
	struct flying *f = malloc(sizeof(*f)), **at = &sky.flying;

	f->up = up;
	f->len = 0;
	sky.slot_ms[up] = sky.slot_ms[up] < rig.loop.now_ms ?
	    rig.loop.now_ms : sky.slot_ms[up] + 1;
	f->due_ms = sky.slot_ms[up] + delay_ms();
	for (int i = 0; i < n; i++) {
		assert_true(iov[i].iov_len <= sizeof(f->bytes) - f->len);
		memcpy(f->bytes + f->len, iov[i].iov_base, iov[i].iov_len);
		f->len += iov[i].iov_len;
	}
	while (*at != NULL && (*at)->due_ms <= f->due_ms)
		at = &(*at)->next;
	f->next = *at;
	*at = f;
	loop_set_timer(&rig.loop, &sky.timer, sky.flying->due_ms);
}

static void
from_program(struct link_frame *f)
{
	const uint8_t *p = f->data;
	size_t left = f->len, n;

	for (; (n = packet_len(p, left)) > 0; p += n, left -= n) {
		struct iovec iov = { (void *)(uintptr_t)p, n };

		start_flight(true, &iov, 1);
	}
}

/* Is it data, and has it been sent before? */
static int
from_exit(const struct iovec *iov, int n)
{
	const uint8_t *p = iov[0].iov_base;
	uint32_t seq = (uint32_t)p[24] << 24 | (uint32_t)p[25] << 16 |
	    (uint32_t)p[26] << 8 | p[27];
	size_t len = 0;

	for (int i = 0; i < n; i++)
		len += iov[i].iov_len;
	if (len > 200) {
		sky.data++;
		if (sky.data > 1 && (int32_t)(seq - sky.highest) <= 0)
			sky.again++;
		else
			sky.highest = seq;
		if ((sky.lose_every != 0 && sky.data % sky.lose_every == 0) ||
		    (int)sky.data == sky.lose_once)
			return SW_OK;
	}
	start_flight(false, iov, n);
	return SW_OK;
}

static int
into_the_void(const struct iovec *iov, int n)
{
	(void)iov;
	(void)n;
	return SW_OK;
}

/* Bytes that arrive in SECONDS, after a second to get going. */
static uint64_t
download(bool jitter, unsigned lose_every, int lose_once)
{
	static uint8_t buf[65536];
	uint64_t got = 0, first = 0;
	int64_t begin;
	ssize_t n;
	int fd;

	rig_up_mtu(1420);
	rig.config.flags = LINK_UP | LINK_CHECKSUMS;
	rig_send_config();
	splice_set_path(rig.splice, 1420);
	memset(&sky, 0, sizeof(sky));
	sky.seed = 7;
	sky.jitter = jitter;
	sky.lose_every = lose_every;
	sky.lose_once = lose_once;
	sky.timer.fire = land;
	rig.meddle_in = from_program;
	rig.meddle_out = from_exit;
	rig.source_bytes = UINT64_MAX;
	fd = rig_socket(false);
	begin = rig.loop.now_ms;
	rig_connect_addr(fd, rig_dst(19), true);
	while (rig_poll(fd) != POLLOUT && rig.loop.now_ms < begin + 20000)
		assert_int_equal(virtual_turn(&rig.loop), SW_OK);
	assert_int_equal(rig_poll(fd), POLLOUT);
	begin = rig.loop.now_ms;
	while (rig.loop.now_ms < begin + (SECONDS + 1) * 1000) {
		while ((n = recv(fd, buf, sizeof(buf), MSG_DONTWAIT)) > 0)
			for (ssize_t i = 0; i < n; i++, got++)
				assert_int_equal(buf[i], rig_byte(got));
		if (first == 0 && rig.loop.now_ms >= begin + 1000)
			first = got;
		assert_int_equal(virtual_turn(&rig.loop), SW_OK);
	}
	close(fd);
	while (sky.flying != NULL) {
		struct flying *f = sky.flying;

		sky.flying = f->next;
		free(f);
	}
	loop_set_timer(&rig.loop, &sky.timer, SW_NEVER);
	rig.meddle_out = into_the_void;
	rig_down(NULL);
	return got - first;
}

static void
overtaking_costs_little_and_is_no_loss(void **state)
{
	uint64_t calm = download(false, 0, 0), rough;

	(void)state;
	assert_int_equal(sky.again, 0);
	rough = download(true, 0, 0);
	print_message("# calm %.2f MB/s, rough %.2f MB/s, %u of %u sent "
	    "again\n", (double)calm / SECONDS / 1e6,
	    (double)rough / SECONDS / 1e6, sky.again, sky.data);
	assert_true(rough * 10 >= calm * 6);
	assert_true(sky.again * 100 < sky.data);
}

static void
a_loss_is_repaired_before_the_timer_runs_out(void **state)
{
	uint64_t whole = download(true, 0, 0), torn;

	(void)state;
	torn = download(true, 0, 2000);
	print_message("# whole %.2f MB/s, with one loss %.2f MB/s, %u sent "
	    "again\n", (double)whole / SECONDS / 1e6,
	    (double)torn / SECONDS / 1e6, sky.again);
	/* One segment, not the whole window: the timer would send all. */
	assert_in_range(sky.again, 1, 10);
	assert_true(torn * 2 >= whole);
}

static void
many_losses_slow_it_down_but_lose_nothing(void **state)
{
	uint64_t got = download(true, 500, 0);

	(void)state;
	print_message("# one in 500 lost: %.2f MB/s\n",
	    (double)got / SECONDS / 1e6);
	assert_true(got > SECONDS * 150000);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(overtaking_costs_little_and_is_no_loss),
		cmocka_unit_test(a_loss_is_repaired_before_the_timer_runs_out),
		cmocka_unit_test(many_losses_slow_it_down_but_lose_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
