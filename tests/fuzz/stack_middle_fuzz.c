/*
 * Somebody in the middle of the link, who drops, repeats, changes and invents
 * packets while a stream and datagrams pass both ways.  Anything may happen
 * to the flows, nothing to us.  Each packet that passes eats two bytes of the
 * input: what to do, and where.
 */
#define RIG_PLAIN
#include "tests/unit/stack_rig.h"

#include <time.h>

#include "base/clock.h"
#include "tests/fuzz/fuzz.h"

static const uint8_t *script;
static size_t left;

static int64_t fake_ms;		/* 0: the real clock */

/* In place of base/clock.c, so that time-outs pass in no time. */
int64_t
clock_now_ms(void)
{
	struct timespec ts;

	if (fake_ms != 0)
		return fake_ms;
	(void)clock_gettime(CLOCK_MONOTONIC, &ts);
	return (int64_t)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

static uint8_t
next(void)
{
	if (left == 0)
		return 0;
	left--;
	return *script++;
}

/* One packet through the middle; how many times it goes on (0: lost). */
static int
meddle(uint8_t *p, size_t n)
{
	uint8_t what = next(), where = next();

	switch (what & 7) {
	case 1:
		return 0;
	case 2:
		return 2;
	case 3:
		p[where % n] = next();
		return 1;
	case 4:				/* within the headers */
		p[where % (n < 60 ? n : 60)] ^= (uint8_t)(1u << (what >> 5));
		return 1;
	case 5:				/* a packet of the input's own */
		for (size_t i = 20; i < n && i < 80 && left > 0; i++)
			p[i] = next();
		return 1;
	default:
		return 1;
	}
}

static void
meddle_in(struct link_frame *f)
{
	int times = meddle(f->data, f->len);

	while (times-- > 0) {
		struct link_frame *copy = link_frame_new(f->data, f->len);

		splice_input(rig.splice, copy);
		link_frame_unref(copy);
	}
}

static int
meddle_out(const struct iovec *iov, int n)
{
	static uint8_t flat[65536];
	struct iovec one = { flat, 0 };
	int times;

	for (int i = 0; i < n; i++) {
		memcpy(flat + one.iov_len, iov[i].iov_base, iov[i].iov_len);
		one.iov_len += iov[i].iov_len;
	}
	for (times = meddle(flat, one.iov_len); times > 0; times--)
		if (flat[0] != 0)	/* not into a control message */
			(void)!link_send(rig.link, &one, 1);
	return SW_OK;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	static const uint8_t text[700];
	char buf[2048];
	struct owner_msg m = { .op = OWNER_CONNECT, .addr = rig_dst(53) };
	int fd, other, udp;

	script = data;
	left = len;
	fake_ms = 1000000;
	rig_up_mtu(next() & 1 ? 65535 : 1280);
	rig.meddle_in = meddle_in;
	rig.meddle_out = meddle_out;
	rig.source_bytes = 30000;
	fd = rig_socket(false);
	other = rig_socket(false);
	udp = rig_socket(true);
	rig_connect_addr(fd, rig_dst(7), false);
	rig_connect_addr(other, rig_dst(19), false);
	m.cookie = rig_cookie(udp);
	rig_tell(&m, NULL, -1);
	for (int i = 0; i < 40; i++) {
		(void)!send(fd, text, sizeof(text), MSG_DONTWAIT | MSG_NOSIGNAL);
		(void)!send(udp, text, (size_t)i * 15, MSG_DONTWAIT | MSG_NOSIGNAL);
		(void)!recv(fd, buf, sizeof(buf), MSG_DONTWAIT);
		(void)!recv(other, buf, sizeof(buf), MSG_DONTWAIT);
		(void)!recv(udp, buf, sizeof(buf), MSG_DONTWAIT);
		if (i == 25)
			shutdown(fd, SHUT_WR);
		(void)!loop_run_once(&rig.loop, 0);
		fake_ms += i % 8 == 7 ? 100 * next() : 1;
	}
	close(fd);
	close(other);
	close(udp);
	(void)!loop_run_once(&rig.loop, 0);
	(void)rig_down(NULL);
	fake_ms = 0;
	return 0;
}
