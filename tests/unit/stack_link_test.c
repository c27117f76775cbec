#include "tests/rig/unit.h"

#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "stack/arena.h"
#include "stack/link.h"

static struct loop loop;

struct end {
	struct link *link;
	unsigned frames, controls, writables, deaths;
	size_t bytes;
	int fd;
	uint8_t last[200];
	size_t last_len;
	bool close_on_frame;
	struct link_frame *kept;
};

static void
got_frame(void *arg, struct link_frame *f)
{
	struct end *e = arg;

	e->frames++;
	e->bytes += f->len;
	e->last_len = f->len < sizeof(e->last) ? f->len : sizeof(e->last);
	memcpy(e->last, f->data, e->last_len);
	if (e->kept == NULL) {
		e->kept = f;
		link_frame_ref(f);
	}
	if (e->close_on_frame) {
		link_close(e->link);
		e->link = NULL;
	}
}

static void
got_control(void *arg, const struct link_control *c, const uint8_t *payload,
    int fd)
{
	struct end *e = arg;

	e->controls++;
	e->fd = fd;
	e->last_len = c->len;
	memcpy(e->last, payload, c->len);
}

static void
writable(void *arg)
{
	((struct end *)arg)->writables++;
}

static void
dead(void *arg)
{
	((struct end *)arg)->deaths++;
}

static const struct link_events events = {
	got_frame, got_control, writable, dead,
};

static struct end a, b;

static void
begin(void)
{
	memset(&a, 0, sizeof(a));
	memset(&b, 0, sizeof(b));
	a.fd = b.fd = -1;
	assert_int_equal(loop_init(&loop), SW_OK);
}

static int
up(void **state)
{
	int fd[2];

	(void)state;
	begin();
	assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, fd), 0);
	a.link = link_open(&loop, fd[0], &events, &a);
	b.link = link_open(&loop, fd[1], &events, &b);
	assert_non_null(a.link);
	assert_non_null(b.link);
	return 0;
}

static int
up_near(void **state)
{
	(void)state;
	begin();
	a.link = link_open_near(&loop, NULL, &events, &a);
	assert_non_null(a.link);
	b.link = link_open_near(&loop, a.link, &events, &b);
	assert_non_null(b.link);
	return 0;
}

static int
down(void **state)
{
	(void)state;
	link_close(a.link);
	link_close(b.link);
	link_frame_unref(a.kept);
	link_frame_unref(b.kept);
	loop_wipe(&loop);
	assert_int_equal(arena_used(), 0);
	return 0;
}

static void
turn(int n)
{
	while (n-- > 0)
		assert_int_equal(loop_run_once(&loop, 0), SW_OK);
}

static int
send_bytes(struct end *e, size_t n, uint8_t fill)
{
	static uint8_t buf[65536];
	struct iovec iov[2] = { { buf, n / 2 }, { buf + n / 2, n - n / 2 } };

	memset(buf, fill, n);
	buf[0] = 0x45;
	return link_send(e->link, iov, 2);
}

static void
packets_of_a_turn_travel_together(void **state)
{
	(void)state;
	for (int i = 0; i < 10; i++)
		assert_int_equal(send_bytes(&a, 100, 'x'), SW_OK);
	turn(3);
	assert_int_equal(b.frames, 1);
	assert_int_equal(b.bytes, 1000);
}

static int
send_late(size_t n)
{
	static uint8_t buf[65536] = { 0x45 };
	struct iovec iov = { buf, n };

	return link_send_late(a.link, &iov, 1);
}

static void
what_nobody_waits_for_leaves_with_the_next(void **state)
{
	(void)state;
	assert_int_equal(send_late(100), SW_OK);
	turn(2);
	assert_int_equal(b.bytes, 0);
	assert_int_equal(send_bytes(&a, 50, 'x'), SW_OK);
	turn(2);
	assert_int_equal(b.frames, 1);
	assert_int_equal(b.bytes, 150);
}

static void
what_nobody_waits_for_leaves_alone_in_the_end(void **state)
{
	(void)state;
	assert_int_equal(send_late(100), SW_OK);
	turn(2);
	assert_int_equal(b.bytes, 0);
	while (b.frames == 0)		/* the timer is all there is to wait for */
		assert_int_equal(loop_run_once(&loop, -1), SW_OK);
	assert_int_equal(b.bytes, 100);
	assert_int_equal(send_late(100), SW_OK);
	link_close(a.link);
	a.link = NULL;
	turn(2);
	assert_int_equal(b.bytes, 200);
}

static void
a_large_packet_keeps_its_place(void **state)
{
	(void)state;
	assert_int_equal(send_bytes(&a, 100, '1'), SW_OK);
	assert_int_equal(send_bytes(&a, 60000, '2'), SW_OK);
	assert_int_equal(send_bytes(&a, 200, '3'), SW_OK);
	turn(3);
	assert_int_equal(b.frames, 3);
	assert_int_equal(b.bytes, 60300);
	assert_int_equal(b.last[1], '3');
	assert_int_equal(send_bytes(&a, 65536, '4'), SW_ERR_TOO_LONG);
}

static void
a_kept_frame_is_not_written_over(void **state)
{
	(void)state;
	assert_int_equal(send_bytes(&a, 100, '1'), SW_OK);
	turn(3);
	assert_int_equal(send_bytes(&a, 100, '2'), SW_OK);
	turn(3);
	assert_int_equal(b.frames, 2);
	assert_int_equal(b.kept->data[1], '1');
}

static void
a_full_link_says_so_and_tells_once(void **state)
{
	size_t sent = 0;
	int r;

	(void)state;
	while ((r = send_bytes(&a, 60000, 'x')) == SW_OK)
		sent += 60000;
	assert_int_equal(r, SW_AGAIN);
	assert_int_equal(send_bytes(&a, 60000, 'x'), SW_AGAIN);
	assert_true(sent > 0 && sent < 8 * 1024 * 1024);
	/* Small packets still find a place, for a while. */
	assert_int_equal(send_bytes(&a, 100, 'y'), SW_OK);
	turn(10);
	assert_int_equal(b.bytes, sent + 100);
	assert_int_equal(a.writables, 1);
}

static void
the_backlog_is_bounded(void **state)
{
	size_t sent = 0;

	(void)state;
	while (send_bytes(&a, 1000, 'x') == SW_OK)
		sent += 1000;
	assert_true(sent > LINK_BACKLOG_MAX && sent < 16 * 1024 * 1024);
	turn(40);
	assert_int_equal(b.bytes, sent);
	assert_int_equal(a.writables, 1);
}

static void
control_carries_a_descriptor_in_order(void **state)
{
	struct link_control c = { .op = LINK_REQUEST, .len = 5 };
	int p[2];
	char x;

	(void)state;
	assert_int_equal(pipe(p), 0);
	assert_int_equal(send_bytes(&a, 100, 'x'), SW_OK);
	assert_int_equal(link_send_control(a.link, &c, "hello", p[1]), SW_OK);
	close(p[1]);
	turn(3);
	assert_int_equal(b.frames, 1);
	assert_int_equal(b.controls, 1);
	assert_memory_equal(b.last, "hello", 5);
	assert_int_equal(write(b.fd, "z", 1), 1);
	assert_int_equal(read(p[0], &x, 1), 1);
	close(b.fd);
	close(p[0]);
}

static void
control_waits_behind_a_full_socket(void **state)
{
	struct link_control c = { .op = LINK_TUNNEL };

	(void)state;
	while (send_bytes(&a, 60000, 'x') == SW_OK)
		;
	assert_int_equal(link_send_control(a.link, &c, NULL, -1), SW_OK);
	assert_int_equal(b.controls, 0);
	turn(10);
	assert_int_equal(b.controls, 1);
}

static void
the_peers_end_is_told_once(void **state)
{
	(void)state;
	assert_int_equal(send_bytes(&b, 100, 'x'), SW_OK);
	link_close(b.link);		/* what it had still goes */
	b.link = NULL;
	turn(5);
	assert_int_equal(a.frames, 1);
	assert_int_equal(a.deaths, 1);
	assert_int_equal(send_bytes(&a, 100, 'x'), SW_ERR_CLOSED);
}

static void
a_callback_may_close_its_link(void **state)
{
	(void)state;
	b.close_on_frame = true;
	assert_int_equal(send_bytes(&a, 20000, 'x'), SW_OK);
	assert_int_equal(send_bytes(&a, 20000, 'x'), SW_OK);
	turn(5);
	assert_int_equal(b.frames, 1);
	assert_int_equal(b.deaths, 0);
	assert_int_equal(a.deaths, 1);
}

static void
a_detached_link_keeps_what_is_unread(void **state)
{
	int fd;

	(void)state;
	assert_int_equal(send_bytes(&a, 100, '1'), SW_OK);
	link_flush(a.link);
	fd = link_detach(b.link);
	b.link = link_open(&loop, fd, &events, &b);
	turn(3);
	assert_int_equal(b.frames, 1);
}

static void
the_first_end_may_send_before_there_is_a_second(void **state)
{
	struct link_control c = { .op = LINK_TUNNEL };
	struct end early = { .fd = -1 }, late = { .fd = -1 };

	(void)state;
	early.link = link_open_near(&loop, NULL, &events, &early);
	assert_non_null(early.link);
	assert_int_equal(link_send_control(early.link, &c, NULL, -1), SW_OK);
	assert_int_equal(send_bytes(&early, 100, '1'), SW_OK);
	turn(3);
	late.link = link_open_near(&loop, early.link, &events, &late);
	assert_non_null(late.link);
	turn(3);
	assert_int_equal(late.controls, 1);
	assert_int_equal(late.frames, 1);
	link_close(early.link);
	turn(2);
	assert_int_equal(late.deaths, 1);
	link_close(late.link);
	link_frame_unref(late.kept);
}

static void
a_paused_end_makes_the_other_wait(void **state)
{
	size_t sent = 0;

	(void)state;
	link_pause(b.link, true);
	for (int i = 0; i < 1000 && send_bytes(&a, 60000, 'x') == SW_OK; i++)
		sent += 60000;
	assert_true(sent < 8 * 1024 * 1024);
	turn(5);
	assert_int_equal(b.bytes, 0);
	assert_int_equal(a.writables, 0);
	link_pause(b.link, false);
	turn(10);
	assert_int_equal(b.bytes, sent);
	assert_int_equal(a.writables, 1);
}

static void
what_was_sent_to_a_paused_end_is_read_after_the_other_has_gone(void **state)
{
	(void)state;
	link_pause(b.link, true);
	assert_int_equal(send_bytes(&a, 100, '1'), SW_OK);
	turn(2);
	link_close(a.link);
	a.link = NULL;
	turn(3);
	assert_int_equal(b.bytes, 100);
	assert_int_equal(b.deaths, 1);
}

static void
the_arena_reuses_and_bounds(void **state)
{
	void *p[100], *q;

	(void)state;
	assert_null(arena_get(ARENA_BLOCK_MAX + 1));
	assert_null(arena_get_zeroed((size_t)1 << 40, (size_t)1 << 40));
	for (size_t n = 1; n <= ARENA_BLOCK_MAX; n = n * 3 / 2 + 1) {
		q = arena_get(n);
		assert_non_null(q);
		assert_int_equal((uintptr_t)q % 16, 0);
		memset(q, 0xff, n);
		arena_put(q);
		assert_ptr_equal(arena_get(n), q);
		arena_put(q);
	}
	for (int i = 0; i < 100; i++)
		assert_non_null(p[i] = arena_get(65000));
	for (int i = 0; i < 100; i++)
		arena_put(p[i]);
	arena_put(NULL);
}

#define FAR(name) cmocka_unit_test_setup_teardown(name, up, down)
#define NEAR(name) { #name ", near", name, up_near, down, NULL }
#define BOTH(name) FAR(name), NEAR(name)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		BOTH(packets_of_a_turn_travel_together),
		BOTH(what_nobody_waits_for_leaves_with_the_next),
		BOTH(what_nobody_waits_for_leaves_alone_in_the_end),
		BOTH(a_large_packet_keeps_its_place),
		BOTH(a_kept_frame_is_not_written_over),
		BOTH(a_full_link_says_so_and_tells_once),
		BOTH(the_backlog_is_bounded),
		BOTH(control_carries_a_descriptor_in_order),
		BOTH(control_waits_behind_a_full_socket),
		BOTH(the_peers_end_is_told_once),
		BOTH(a_callback_may_close_its_link),
		BOTH(a_paused_end_makes_the_other_wait),
		BOTH(what_was_sent_to_a_paused_end_is_read_after_the_other_has_gone),
		FAR(a_detached_link_keeps_what_is_unread),
		NEAR(the_first_end_may_send_before_there_is_a_second),
		FAR(the_arena_reuses_and_bounds),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
