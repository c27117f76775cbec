/* The loop: order within a turn, removal from within callbacks, timers. */
#include "tests/rig/unit.h"

#include <string.h>
#include <unistd.h>


#include "base/clock.h"
#include "base/container.h"
#include "base/loop.h"

struct probe {
	struct loop_fd w;
	struct loop *l;
	struct probe *victim;
	int calls;
	int ends[2];
};

static void
on_ready(struct loop_fd *w, uint32_t events)
{
	struct probe *p = CONTAINER_OF(w, struct probe, w);

	(void)events;
	p->calls++;
	if (p->victim != NULL)
		loop_del(p->l, &p->victim->w);
}

static void
probe_start(struct probe *p, struct loop *l)
{
	assert_int_equal(pipe(p->ends), 0);
	p->l = l;
	p->w.fd = p->ends[0];
	p->w.ready = on_ready;
	assert_int_equal(loop_add(l, &p->w, EPOLLIN), SW_OK);
	assert_int_equal(write(p->ends[1], "x", 1), 1);
}

static void
probe_end(struct probe *p)
{
	loop_del(p->l, &p->w);
	close(p->ends[0]);
	close(p->ends[1]);
}

static void
watcher_removed_in_the_same_turn_is_not_called(void **state)
{
	struct probe a = { .calls = 0 }, b = { .calls = 0 };
	struct loop l;

	(void)state;
	assert_int_equal(loop_init(&l), SW_OK);
	probe_start(&a, &l);
	probe_start(&b, &l);
	a.victim = &b;
	b.victim = &a;
	assert_int_equal(loop_run_once(&l, 0), SW_OK);
	assert_int_equal(a.calls + b.calls, 1);
	probe_end(&a);
	probe_end(&b);
	loop_wipe(&l);
}

struct note {
	struct loop_timer t;
	struct loop *l;
	int *next, at;
	int64_t again_ms;
};

static void
on_fire(struct loop_timer *t)
{
	struct note *n = CONTAINER_OF(t, struct note, t);

	n->at = (*n->next)++;
	if (n->again_ms > 0)
		loop_set_timer(n->l, t, n->again_ms);
	n->again_ms = 0;
}

static void
timers_fire_in_time_order_and_may_rearm(void **state)
{
	int next = 1;
	struct loop l;
	struct note a = { .t.fire = on_fire, .next = &next, .l = &l };
	struct note b = { .t.fire = on_fire, .next = &next, .l = &l };
	struct note c = { .t.fire = on_fire, .next = &next, .l = &l };

	(void)state;
	assert_int_equal(loop_init(&l), SW_OK);
	loop_set_timer(&l, &a.t, l.now_ms - 1);
	loop_set_timer(&l, &b.t, l.now_ms - 3);
	loop_set_timer(&l, &c.t, l.now_ms - 2);
	loop_set_timer(&l, &c.t, SW_NEVER);
	assert_int_equal(loop_run_once(&l, 0), SW_OK);
	assert_int_equal(b.at, 1);
	assert_int_equal(a.at, 2);
	assert_int_equal(c.at, 0);
	loop_wipe(&l);
}

static int turns;

static void
on_turn(struct loop_turn *h)
{
	(void)h;
	turns++;
}

static void
turn_hooks_run_once_a_turn(void **state)
{
	struct loop_turn h = { .run = on_turn };
	struct loop l;

	(void)state;
	assert_int_equal(loop_init(&l), SW_OK);
	loop_add_turn(&l, &h);
	assert_int_equal(loop_run_once(&l, 0), SW_OK);
	assert_int_equal(loop_run_once(&l, 0), SW_OK);
	assert_int_equal(turns, 2);
	loop_wipe(&l);
}

static char order[8];

static void
on_early(struct loop_turn *h)
{
	(void)h;
	strcat(order, "e");
}

static void
on_late(struct loop_turn *h)
{
	(void)h;
	strcat(order, "l");
}

static void
late_hooks_run_after_those_added_later(void **state)
{
	struct loop_turn a = { .run = on_early }, b = { .run = on_early };
	struct loop_turn c = { .run = on_late, .late = true };
	struct loop l;

	(void)state;
	assert_int_equal(loop_init(&l), SW_OK);
	loop_add_turn(&l, &a);
	loop_add_turn(&l, &c);
	loop_add_turn(&l, &b);
	assert_int_equal(loop_run_once(&l, 0), SW_OK);
	assert_string_equal(order, "eel");
	loop_del_turn(&l, &c);
	assert_int_equal(loop_run_once(&l, 0), SW_OK);
	assert_string_equal(order, "eelee");
	loop_wipe(&l);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(watcher_removed_in_the_same_turn_is_not_called),
		cmocka_unit_test(timers_fire_in_time_order_and_may_rearm),
		cmocka_unit_test(turn_hooks_run_once_a_turn),
		cmocka_unit_test(late_hooks_run_after_those_added_later),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
