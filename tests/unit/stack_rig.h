/*
 * stack_rig.h - a program's descriptors, an owner, a link, a splice and a
 * pretended exit, in one process on one loop.
 *
 *   stack_exit.h    the exit: what each port does
 *   stack_shim.h    what the shim does: open, connect, ask, read, write
 */
#ifndef SW_TESTS_STACK_RIG_H
#define SW_TESTS_STACK_RIG_H

#ifdef RIG_PLAIN		/* fuzz targets: a broken rule aborts */
#include <stdlib.h>
#define assert_true(x) ((x) ? (void)0 : abort())
#define assert_false(x) assert_true(!(x))
#define assert_int_equal(a, b) assert_true((a) == (b))
#define assert_non_null(x) assert_true((x) != NULL)
#define assert_in_range(x, lo, hi) assert_true((x) >= (lo) && (x) <= (hi))
#define fail_msg(...) abort()
#else
#include "tests/rig/unit.h"
#endif

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/container.h"
#include "base/log.h"
#include "stack/arena.h"
#include "stack/link.h"
#include "stack/owner.h"
#include "stack/owner_proto.h"
#include "stack/splice.h"

struct dial;

struct rig {
	struct loop loop;
	struct splice *splice;
	struct link *link;		/* the session's end */
	struct owner *owner;
	int chan;			/* the shim's end */
	struct dial *dials;
	uint64_t source_bytes;
	bool open_tap;
	int udp_answer;			/* what the exit says to datagrams */
	bool lends;			/* the exit's bytes are mostly lent */
	size_t blocks;			/* that are lent now */
	size_t strays;			/* of which the owner told */
	size_t udp_count, frames;	/* that came over the link */
	bool idle;
	/* Somebody in the middle of the link. */
	void (*meddle_in)(struct link_frame *f);
	int (*meddle_out)(const struct iovec *iov, int n);
	bool foreign;			/* the owner is no owner of ours */
	/* An address of all hosts, and which service answers there. */
	struct sw_addr address;
	uint16_t address_port;
	bool address_alone;
	struct sw_addr listening;
	struct link_config config;
};

static struct rig rig;

/* Not every test uses every helper. */
#define RIG static __attribute__((unused))

RIG uint64_t
rig_sum(uint64_t sum, const uint8_t *p, size_t n)
{
	for (size_t i = 0; i < n; i++)
		sum = (sum ^ p[i]) * 1099511628211u;
	return sum;
}

RIG uint8_t
rig_byte(uint64_t at)
{
	return (uint8_t)(at * 7 + at / 251);
}

RIG void
rig_turns(int ms)
{
	int64_t end = clock_now_ms() + ms;

	do
		assert_int_equal(loop_run_once(&rig.loop, 1), SW_OK);
	while (clock_now_ms() < end);
}

/* Turn the loop until `cond`, for five seconds at most. */
#define rig_until(cond) do {						\
	int64_t end_ = clock_now_ms() + patient_ms(5000);		\
									\
	while (!(cond)) {						\
		assert_int_equal(loop_run_once(&rig.loop, 5), SW_OK);	\
		if (clock_now_ms() > end_)				\
			fail_msg("never: %s", #cond);			\
	}								\
} while (0)

#include "tests/lib/patience.h"
#include "tests/unit/stack_exit.h"

RIG int
rig_output(void *arg, const struct sw_addr *dst, const struct iovec *iov,
    int n)
{
	int r;

	(void)arg;
	(void)dst;
	if (rig.link == NULL)
		return SW_OK;
	if (rig.meddle_out != NULL)
		return rig.meddle_out(iov, n);
	r = link_send(rig.link, iov, n);
	return r == SW_AGAIN ? SW_AGAIN : SW_OK;
}

RIG int
rig_target(void *arg, const struct sw_addr *src, const struct sw_addr *dst,
    struct dial_target *out)
{
	(void)arg;
	(void)src;
	addr_ip_text(dst, out->host);
	out->port = dst->port;
	out->address = rig.address;
	out->alone = rig.address_alone;
	return SW_OK;
}

/* Datagrams are answered with themselves, in upper case. */
RIG int
rig_udp(void *arg, const struct sw_addr *src, const struct sw_addr *dst,
    const uint8_t *data, size_t len)
{
	uint8_t *up;

	(void)arg;
	rig.udp_count++;
	if (rig.udp_answer != SW_OK)
		return rig.udp_answer;
	up = malloc(len + 1);
	for (size_t i = 0; i < len; i++)
		up[i] = (uint8_t)(data[i] >= 'a' && data[i] <= 'z' ?
		    data[i] - 32 : data[i]);
	splice_send_udp(rig.splice, dst, src, up, len);
	free(up);
	return SW_OK;
}

RIG bool
rig_foreign(void *arg, const struct sw_addr *inner)
{
	(void)arg;
	(void)inner;
	return rig.foreign;
}

static const struct splice_ops rig_splice_ops = {
	.output = rig_output, .target = rig_target, .udp = rig_udp,
	.foreign = rig_foreign,
};

RIG void
rig_frame(void *arg, struct link_frame *f)
{
	(void)arg;
	rig.frames++;
	if (rig.meddle_in != NULL)
		rig.meddle_in(f);
	else
		splice_input(rig.splice, f);
}

RIG void
rig_control(void *arg, const struct link_control *c, const uint8_t *payload,
    int fd)
{
	(void)arg;
	(void)payload;
	if (c->op == LINK_LISTEN && c->arg == 1)
		rig.listening = c->addr;
	if (c->op == LINK_STRAY)
		rig.strays++;
	if (fd >= 0)
		close(fd);
}

RIG void
rig_writable(void *arg)
{
	(void)arg;
	splice_writable(rig.splice, NULL);
}

RIG void
rig_dead(void *arg)
{
	(void)arg;
	link_close(rig.link);
	rig.link = NULL;
}

static const struct link_events rig_link_events = {
	rig_frame, rig_control, rig_writable, rig_dead,
};

RIG void
rig_idle(void *arg, struct owner *o)
{
	(void)arg;
	(void)o;
	rig.idle = true;
}

static const struct owner_events rig_owner_events = { rig_idle };

RIG void
rig_pair(int type, int fd[2])
{
	assert_int_equal(socketpair(AF_UNIX, type | SOCK_CLOEXEC |
	    SOCK_NONBLOCK, 0, fd), 0);
}

RIG void
rig_send_config(void)
{
	struct link_control c = {
		.op = LINK_CONFIG, .len = sizeof(rig.config),
	};

	assert_int_equal(link_send_control(rig.link, &c, &rig.config, -1),
	    SW_OK);
}

RIG void
rig_up_mtu(uint16_t mtu)
{
	int link[2], chan[2];

	memset(&rig, 0, sizeof(rig));
	rig.config = (struct link_config){
		.inner4 = addr_v4(0x0a000001, 0), .mtu = mtu,
		.port_lo = 20000, .port_hi = 29999,
		.flags = LINK_UP | LINK_UDP | LINK_INBOUND | LINK_SPLICED,
	};
	assert_int_equal(addr_parse_ip(&rig.config.inner6, "fd00::1"), SW_OK);
	rig.udp_answer = SW_OK;
	assert_int_equal(loop_init(&rig.loop), SW_OK);
	rig_pair(SOCK_SEQPACKET, link);
	rig_pair(SOCK_SEQPACKET, chan);
	rig.splice = splice_new(&rig.loop, &rig_splice_ops, &rig);
	assert_non_null(rig.splice);
	splice_set_dialer(rig.splice, NULL, &rig_dialer);
	rig.link = link_open(&rig.loop, link[0], &rig_link_events, &rig);
	assert_non_null(rig.link);
	rig.chan = chan[0];
	rig.owner = owner_new(&rig.loop, 1, chan[1], link[1],
	    &rig_owner_events, NULL);
	assert_non_null(rig.owner);
	rig_send_config();
}

RIG int
rig_down(void **state)
{
	(void)state;
	owner_free(rig.owner);
	splice_free(rig.splice);
	link_close(rig.link);
	if (rig.chan >= 0)
		close(rig.chan);
	loop_wipe(&rig.loop);
	assert_int_equal(rig.blocks, 0);
	while (rig.dials != NULL) {
		struct dial *d = rig.dials;

		rig.dials = d->next;
		free(d->kept);
		free(d);
	}
	assert_int_equal(arena_used(), 0);
	arena_wipe();
	return 0;
}

RIG int
rig_up(void **state)
{
	(void)state;
	rig_up_mtu(65535);
	return 0;
}

/* A row of a test's table. */
#define RIG_TEST(name) cmocka_unit_test_setup_teardown(name, rig_up, rig_down)

#include "tests/unit/stack_shim.h"

#endif
