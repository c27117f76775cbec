/*
 * stack_rig.h - a program's descriptors, an owner, a link, a splice and a
 * pretended exit, in one process on one loop.
 *
 * The exit's services, by port:
 *   7 echo     9 sink     19 sends rig.source_bytes, then ends
 *   1 refused  2 host unreachable  3 network unreachable  4 times out
 *   5 denied   6 never answers     8 echoes, and resets after 1000 bytes
 *   10 takes nothing until rig.open_tap
 *   11 opens and ends at once    12 opens and is reset at once
 */
#ifndef SW_TESTS_STACK_RIG_H
#define SW_TESTS_STACK_RIG_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#ifdef RIG_PLAIN		/* fuzz targets: a broken rule aborts */
#include <stdlib.h>
#define assert_true(x) ((x) ? (void)0 : abort())
#define assert_false(x) assert_true(!(x))
#define assert_int_equal(a, b) assert_true((a) == (b))
#define assert_non_null(x) assert_true((x) != NULL)
#define assert_in_range(x, lo, hi) assert_true((x) >= (lo) && (x) <= (hi))
#define fail_msg(...) abort()
#else
#include <cmocka.h>
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

struct dial {
	const struct dial_events *ev;
	void *arg;
	struct loop_timer timer;
	uint16_t port;
	uint8_t *kept;			/* echo: not yet taken back */
	size_t kept_len, kept_at;
	uint64_t got, sent;
	uint64_t sum;			/* of what came, order matters */
	bool open, shut, eof_sent, gone, aborted, resumed;
	struct dial *next;
};

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
	int64_t end_ = clock_now_ms() + 5000;				\
									\
	while (!(cond)) {						\
		assert_int_equal(loop_run_once(&rig.loop, 5), SW_OK);	\
		if (clock_now_ms() > end_)				\
			fail_msg("never: %s", #cond);			\
	}								\
} while (0)

/* ---- the exit ---- */

RIG void
dial_end(struct dial *d, int err)
{
	if (d->gone)
		return;
	d->gone = true;
	loop_set_timer(&rig.loop, &d->timer, SW_NEVER);
	d->ev->closed(d->arg, err);
}

RIG void
dial_offer(struct dial *d, const uint8_t *p, size_t n)
{
	size_t took = d->kept_len > d->kept_at ? 0 :
	    d->ev->data(d->arg, p, n);

	if (took == n)
		return;
	if (d->kept_at == d->kept_len)
		d->kept_at = d->kept_len = 0;
	d->kept = realloc(d->kept, d->kept_len + n - took);
	memcpy(d->kept + d->kept_len, p + took, n - took);
	d->kept_len += n - took;
}

/* A block is spoilt before it is freed, so that bytes sent too late are wrong. */
RIG void
rig_block_free(struct dial_block *b)
{
	memset(b + 1, 0xee, 65536);
	free(b);
	rig.blocks--;
}

RIG size_t
dial_lend(struct dial *d, const uint8_t *p, size_t n)
{
	struct dial_block *b = malloc(sizeof(*b) + 65536);
	uint8_t *at = (uint8_t *)(b + 1);
	size_t took;

	*b = (struct dial_block){ .refs = 1, .release = rig_block_free };
	rig.blocks++;
	memcpy(at, p, n);
	took = d->ev->data_kept(d->arg, b, at, n);
	dial_block_unref(b);
	return took;
}

RIG void
dial_source(struct dial *d)
{
	uint8_t buf[32768];

	while (!d->gone && d->sent < rig.source_bytes) {
		size_t n = sizeof(buf), took;

		if (n > rig.source_bytes - d->sent)
			n = (size_t)(rig.source_bytes - d->sent);
		for (size_t i = 0; i < n; i++)
			buf[i] = rig_byte(d->sent + i);
		if (rig.lends && d->sent / 32768 % 3 != 0)
			took = dial_lend(d, buf, n);
		else
			took = d->ev->data(d->arg, buf, n);
		d->sent += took;
		if (took < n)
			return;
	}
	if (!d->eof_sent && d->sent == rig.source_bytes) {
		d->eof_sent = true;
		d->ev->eof(d->arg);
		if (d->shut)
			dial_end(d, SW_OK);
	}
}

RIG void
dial_answer(struct loop_timer *t)
{
	struct dial *d = CONTAINER_OF(t, struct dial, timer);
	static const int errors[] = {
		0, SW_ERR_REFUSED, SW_ERR_UNREACH_HOST, SW_ERR_UNREACH_NET,
		SW_ERR_TIMEOUT, SW_ERR_DENIED,
	};

	if (d->port >= 1 && d->port <= 5) {
		d->gone = true;
		d->ev->failed(d->arg, errors[d->port]);
		return;
	}
	if (d->port == 6)
		return;
	d->open = true;
	d->ev->opened(d->arg);
	if (d->port == 19)
		dial_source(d);
	if (d->port == 11)
		d->ev->eof(d->arg);
	if (d->port == 11 || d->port == 12)
		dial_end(d, d->port == 11 ? SW_OK : SW_ERR_RESET);
}

RIG struct dial *
rig_open(struct dialer *er, const struct dial_target *t,
    const struct dial_events *ev, void *arg, int *err)
{
	struct dial *d = calloc(1, sizeof(*d));
	char text[SW_ADDR_TEXT_LEN];

	(void)er;
	(void)err;
	d->ev = ev;
	d->arg = arg;
	d->port = strcmp(t->host, addr_ip_text(&rig.address, text)) == 0 ?
	    rig.address_port : t->port;
	d->timer.fire = dial_answer;
	d->next = rig.dials;
	rig.dials = d;
	loop_set_timer(&rig.loop, &d->timer, rig.loop.now_ms);
	return d;
}

RIG size_t
rig_write(struct dial *d, const uint8_t *buf, size_t len)
{
	assert_true(d->open && !d->gone && !d->shut);
	if (d->port == 10 && !rig.open_tap)
		return 0;
	d->got += len;
	d->sum = rig_sum(d->sum, buf, len);
	if (d->port == 7 || d->port == 8)
		dial_offer(d, buf, len);
	if (d->port == 8 && d->got >= 1000)
		dial_end(d, SW_ERR_RESET);
	return len;
}

RIG void
dial_finish(struct dial *d)
{
	if (d->shut && !d->eof_sent && d->kept_at == d->kept_len &&
	    d->port != 19) {
		d->eof_sent = true;
		d->ev->eof(d->arg);
	}
	if (d->shut && d->eof_sent)
		dial_end(d, SW_OK);
}

RIG void
rig_shutdown(struct dial *d)
{
	assert_true(d->open && !d->gone && !d->shut);
	d->shut = true;
	dial_finish(d);
}

RIG void
rig_resume(struct dial *d)
{
	assert_true(d->open && !d->gone);
	d->resumed = true;
	if (d->port == 19) {
		dial_source(d);
		return;
	}
	if (d->kept_at < d->kept_len)
		d->kept_at += d->ev->data(d->arg, d->kept + d->kept_at,
		    d->kept_len - d->kept_at);
	dial_finish(d);
}

RIG void
rig_abort(struct dial *d)
{
	assert_false(d->gone);
	loop_set_timer(&rig.loop, &d->timer, SW_NEVER);
	d->gone = d->aborted = true;
}

static const struct dialer_ops rig_dialer = {
	rig_open, rig_write, rig_shutdown, rig_resume, rig_abort,
};

/* ---- the session ---- */

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

/* ---- the shim ---- */

RIG uint64_t
rig_cookie(int fd)
{
	uint64_t c = 0;
	socklen_t n = sizeof(c);

	assert_int_equal(getsockopt(fd, SOL_SOCKET, SO_COOKIE, &c, &n), 0);
	return c;
}

RIG void
rig_tell(struct owner_msg *m, const void *payload, int fd)
{
	union {
		struct cmsghdr align;
		char room[CMSG_SPACE(sizeof(int))];
	} u;
	struct iovec iov[2] = {
		{ m, sizeof(*m) }, { (void *)(uintptr_t)payload, m->len },
	};
	struct msghdr h = { .msg_iov = iov, .msg_iovlen = 2 };

	m->magic = OWNER_MAGIC;
	if (fd >= 0) {
		struct cmsghdr *c;

		memset(&u, 0, sizeof(u));
		h.msg_control = u.room;
		h.msg_controllen = sizeof(u.room);
		c = CMSG_FIRSTHDR(&h);
		c->cmsg_level = SOL_SOCKET;
		c->cmsg_type = SCM_RIGHTS;
		c->cmsg_len = CMSG_LEN(sizeof(int));
		memcpy(CMSG_DATA(c), &fd, sizeof(int));
	}
	while (sendmsg(rig.chan, &h, MSG_NOSIGNAL) < 0) {
		assert_int_equal(errno, EAGAIN);
		assert_int_equal(loop_run_once(&rig.loop, 5), SW_OK);
	}
}

/* Ask, turn the loop, give the answer's error; payload to `out`. */
RIG int
rig_ask(struct owner_msg *m, const void *payload, void *out, size_t out_len,
    struct sw_addr *addr)
{
	struct {
		struct owner_reply r;
		uint8_t payload[1024];
	} a;
	int fd[2];
	ssize_t n;

	rig_pair(SOCK_SEQPACKET, fd);
	m->flags |= OWNER_HAS_REPLY;
	rig_tell(m, payload, fd[1]);
	close(fd[1]);
	rig_until((n = recv(fd[0], &a, sizeof(a), MSG_DONTWAIT)) >= 0);
	assert_true((size_t)n >= sizeof(a.r));
	assert_int_equal(a.r.len, (size_t)n - sizeof(a.r));
	if (out != NULL) {
		assert_true(a.r.len <= out_len);
		memcpy(out, a.payload, a.r.len);
	}
	if (addr != NULL)
		*addr = a.r.addr;
	close(fd[0]);
	return a.r.error;
}

RIG int
rig_socket(bool dgram)
{
	struct owner_msg m = {
		.op = OWNER_OPEN, .flags = dgram ? OWNER_DGRAM : 0,
	};
	int fd[2];

	rig_pair(dgram ? SOCK_SEQPACKET : SOCK_STREAM, fd);
	m.cookie = rig_cookie(fd[0]);
	rig_tell(&m, NULL, fd[1]);
	close(fd[1]);
	return fd[0];
}

RIG struct sw_addr
rig_dst(uint16_t port)
{
	return addr_v4(0xcb007101, port);	/* 203.0.113.1 */
}

RIG void
rig_connect_addr(int fd, struct sw_addr to, bool fill)
{
	static const uint8_t filler[65536];
	struct owner_msg m = {
		.op = OWNER_CONNECT, .cookie = rig_cookie(fd), .addr = to,
	};
	ssize_t n;

	while (fill && (n = send(fd, filler, sizeof(filler),
	    MSG_DONTWAIT | MSG_NOSIGNAL)) > 0)
		m.arg += (uint32_t)n;
	rig_tell(&m, NULL, -1);
}

RIG int
rig_poll(int fd)
{
	struct pollfd p = {
		.fd = fd, .events = POLLIN | POLLOUT | POLLRDHUP,
	};

	(void)poll(&p, 1, 0);
	return p.revents;
}

RIG struct owner_state
rig_state(int fd, bool take)
{
	struct owner_msg m = {
		.op = OWNER_STATE, .cookie = rig_cookie(fd),
		.flags = take ? OWNER_TAKE_ERROR : 0,
	};
	struct owner_state s;

	assert_int_equal(rig_ask(&m, NULL, &s, sizeof(s), NULL), 0);
	return s;
}

/* A connected stream. */
RIG int
rig_connect(uint16_t port)
{
	int fd = rig_socket(false);

	rig_connect_addr(fd, rig_dst(port), true);
	rig_until((rig_poll(fd) & POLLOUT) != 0);
	/* Where the server speaks first, its bytes may be there already. */
	if (port != 19)
		assert_int_equal(rig_poll(fd), POLLOUT);
	return fd;
}

/* Write all, turning the loop whenever the pair is full. */
RIG void
rig_write_all(int fd, uint64_t from, size_t n)
{
	uint8_t buf[16384];
	int64_t end = clock_now_ms() + 10000;

	while (n > 0) {
		size_t some = n < sizeof(buf) ? n : sizeof(buf);
		ssize_t r;

		for (size_t i = 0; i < some; i++)
			buf[i] = rig_byte(from + i);
		r = send(fd, buf, some, MSG_DONTWAIT | MSG_NOSIGNAL);
		if (r < 0) {
			assert_int_equal(errno, EAGAIN);
			assert_int_equal(loop_run_once(&rig.loop, 5), SW_OK);
			assert_true(clock_now_ms() < end);
			continue;
		}
		from += (uint64_t)r;
		n -= (size_t)r;
	}
}

/* Read n bytes, which must be rig_byte()s from `from` on. */
RIG void
rig_read_all(int fd, uint64_t from, size_t n)
{
	uint8_t buf[16384];
	int64_t end = clock_now_ms() + 10000;

	while (n > 0) {
		ssize_t r = recv(fd, buf, n < sizeof(buf) ? n : sizeof(buf),
		    MSG_DONTWAIT);

		if (r < 0) {
			assert_int_equal(errno, EAGAIN);
			assert_int_equal(loop_run_once(&rig.loop, 5), SW_OK);
			assert_true(clock_now_ms() < end);
			continue;
		}
		assert_true(r > 0);
		for (ssize_t i = 0; i < r; i++)
			if (buf[i] != rig_byte(from + (uint64_t)i))
				fail_msg("wrong byte at %llu", (unsigned
				    long long)(from + (uint64_t)i));
		from += (uint64_t)r;
		n -= (size_t)r;
	}
}

#endif
