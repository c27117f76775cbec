/* Flows that this process begins, over packets to a splice in the same one. */
#include "tests/rig/unit.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "stack/origin.h"
#include "stack/splice.h"

/* ---- the far side: a splice, its dialer, and what datagrams came ---- */

static struct far {
	struct loop l;
	struct splice *s;
	struct origin *o;
	/* its dialer */
	struct dial_target to;
	const struct dial_events *ev;
	void *arg;
	int refuse;			/* an SW_ERR_*, SW_OK: open */
	size_t got;
	bool shut, aborted;
	/* datagrams */
	struct sw_addr udp_src, udp_dst;
	size_t udp_len;
	int udp_refuse;
} far;

static struct dial *
far_open(struct dialer *d, const struct dial_target *to,
    const struct dial_events *ev, void *arg, int *err)
{
	*err = far.refuse;
	if (far.refuse != SW_OK)
		return NULL;
	far.to = *to;
	far.ev = ev;
	far.arg = arg;
	return (struct dial *)(void *)d;
}

static size_t
far_write(struct dial *d, const uint8_t *buf, size_t len)
{
	(void)d;
	(void)buf;
	far.got += len;
	return len;
}

static void
far_shutdown(struct dial *d)
{
	(void)d;
	far.shut = true;
}

static void
far_resume(struct dial *d)
{
	(void)d;
}

static void
far_abort(struct dial *d)
{
	(void)d;
	far.aborted = true;
}

static const struct dialer_ops far_dialer = { far_open, far_write,
    far_shutdown, far_resume, far_abort };

/* Packets travel between turns: lwIP is not to be entered from within. */
static struct pending {
	bool to_far;
	size_t len;
	uint8_t p[1420];
} pending[4096];
static size_t pending_n;

static int
travel(bool to_far, const struct iovec *iov, int n)
{
	struct pending *k = &pending[pending_n];

	if (pending_n == 4096)
		return SW_OK;
	k->to_far = to_far;
	k->len = 0;
	for (int i = 0; i < n; i++) {
		assert_true(iov[i].iov_len <= sizeof(k->p) - k->len);
		memcpy(k->p + k->len, iov[i].iov_base, iov[i].iov_len);
		k->len += iov[i].iov_len;
	}
	pending_n++;
	return SW_OK;
}

static void
arrive(void)
{
	static struct pending now[4096];
	size_t n = pending_n;

	memcpy(now, pending, n * sizeof(*now));
	pending_n = 0;
	for (size_t i = 0; i < n; i++) {
		struct link_frame *f;

		if (!now[i].to_far) {
			origin_input(far.o, now[i].p, now[i].len);
			continue;
		}
		f = link_frame_new(now[i].p, now[i].len);
		assert_non_null(f);
		splice_input(far.s, f);
		link_frame_unref(f);
	}
}

static int
far_output(void *arg, const struct sw_addr *dst, const struct iovec *iov, int n)
{
	(void)arg;
	(void)dst;
	return travel(false, iov, n);
}

static int
far_target(void *arg, const struct sw_addr *src, const struct sw_addr *dst,
    struct dial_target *out)
{
	char text[SW_ADDR_TEXT_LEN];

	(void)arg;
	(void)src;
	snprintf(out->host, sizeof(out->host), "%s", addr_ip_text(dst, text));
	out->port = dst->port;
	return SW_OK;
}

static int
far_udp(void *arg, const struct sw_addr *src, const struct sw_addr *dst,
    const uint8_t *data, size_t len)
{
	(void)arg;
	if (far.udp_refuse != SW_OK)
		return far.udp_refuse;
	far.udp_src = *src;
	far.udp_dst = *dst;
	far.udp_len = len;
	splice_send_udp(far.s, dst, src, data, len);
	return SW_OK;
}

static const struct splice_ops far_ops = {
	.output = far_output, .target = far_target, .udp = far_udp,
};

static int
to_far(void *arg, const struct iovec *iov, int n)
{
	(void)arg;
	return travel(true, iov, n);
}

static struct link_config
path(uint32_t ip4, bool up)
{
	struct link_config c = { .inner4 = addr_v4(ip4, 0), .mtu = 1420,
		.port_lo = 20000, .port_hi = 20031,
		.flags = up ? LINK_UP : 0 };

	c.inner6.ip[0] = 0xfc;
	c.inner6.ip[15] = (uint8_t)ip4;
	return c;
}

static int
begin(void **state)
{
	struct link_config c = path(0x0a000005, true);

	(void)state;
	memset(&far, 0, sizeof(far));
	pending_n = 0;
	assert_int_equal(loop_init(&far.l), SW_OK);
	far.s = splice_new(&far.l, &far_ops, NULL);
	far.o = origin_new(&far.l, to_far, NULL);
	assert_non_null(far.s);
	assert_non_null(far.o);
	splice_set_path(far.s, 1420);
	splice_set_dialer(far.s, (struct dialer *)(void *)&far, &far_dialer);
	origin_set_path(far.o, &c);
	return 0;
}

static int
finish(void **state)
{
	(void)state;
	origin_free(far.o);
	splice_free(far.s);
	loop_wipe(&far.l);
	return 0;
}

static void
turns(int n)
{
	while (n-- > 0) {
		arrive();
		assert_int_equal(loop_run_once(&far.l, 0), SW_OK);
	}
}

/* ---- the near side ---- */

struct side {
	struct dial *d;
	unsigned opened, failed, eof, writable, closed;
	int err;
	size_t got, take;		/* take: at most so many at a time */
	bool abort_on_data;
};

static void
on_opened(void *arg)
{
	((struct side *)arg)->opened++;
}

static void
on_failed(void *arg, int err)
{
	((struct side *)arg)->failed++;
	((struct side *)arg)->err = err;
}

static size_t
on_data(void *arg, const uint8_t *buf, size_t len)
{
	struct side *n = arg;

	(void)buf;
	if (n->abort_on_data) {
		origin_dialer_ops.abort(n->d);
		n->d = NULL;
		return len;
	}
	if (n->take > 0 && len > n->take)
		len = n->take;
	n->got += len;
	return len;
}

static void
on_eof(void *arg)
{
	((struct side *)arg)->eof++;
}

static void
on_writable(void *arg)
{
	((struct side *)arg)->writable++;
}

static void
on_closed(void *arg, int err)
{
	((struct side *)arg)->closed++;
	((struct side *)arg)->err = err;
}

static const struct dial_events near_events = {
	.opened = on_opened, .failed = on_failed, .data = on_data,
	.eof = on_eof, .writable = on_writable, .closed = on_closed,
};

static void
dial(struct side *n, const char *host, uint16_t port)
{
	struct dial_target to = { .port = port };
	int err;

	memset(n, 0, sizeof(*n));
	snprintf(to.host, sizeof(to.host), "%s", host);
	n->d = origin_dialer_ops.open(origin_dialer(far.o), &to, &near_events,
	    n, &err);
	if (n->d == NULL)
		n->err = err;
	assert_int_equal(n->opened + n->failed, 0);
	turns(4);
}

static void
open_one(struct side *n, const char *host)
{
	dial(n, host, 443);
	far.ev->opened(far.arg);
	turns(6);
	assert_int_equal(n->opened, 1);
}

/* ---- tests ---- */

static void
a_stream_opens_carries_and_ends(void **state)
{
	static uint8_t bulk[300000];
	struct side n;
	size_t sent = 0;

	(void)state;
	open_one(&n, "203.0.113.7");
	assert_string_equal(far.to.host, "203.0.113.7");
	for (int i = 0; i < 1000 && sent < sizeof(bulk); i++) {
		sent += origin_dialer_ops.write(n.d, bulk + sent,
		    sizeof(bulk) - sent);
		turns(2);
	}
	origin_dialer_ops.shutdown(n.d);
	turns(50);
	assert_int_equal(far.got, sizeof(bulk));
	assert_true(far.shut);
	assert_int_equal(far.ev->data(far.arg, bulk, 100000), 100000);
	turns(50);
	assert_int_equal(n.got, 100000);
	far.ev->eof(far.arg);
	far.ev->closed(far.arg, SW_OK);
	turns(20);
	assert_int_equal(n.eof, 1);
	assert_int_equal(n.closed, 1);
	assert_int_equal(n.err, SW_OK);
}

static void
ipv6_and_back_pressure(void **state)
{
	static const uint8_t bulk[5000];
	struct side n;

	(void)state;
	open_one(&n, "2001:db8::7");
	assert_string_equal(far.to.host, "2001:db8::7");
	n.take = 1000;
	assert_int_equal(far.ev->data(far.arg, bulk, sizeof(bulk)),
	    sizeof(bulk));
	turns(20);
	assert_int_equal(n.got, 1000);		/* then it keeps quiet */
	n.take = 0;
	origin_dialer_ops.resume(n.d);
	turns(5);
	assert_int_equal(n.got, sizeof(bulk));
	origin_dialer_ops.abort(n.d);
	turns(5);
	assert_true(far.aborted);
	assert_int_equal(n.closed, 0);
}

static void
refusals_and_resets_are_told_apart(void **state)
{
	struct side n;

	(void)state;
	far.refuse = SW_ERR_REFUSED;
	dial(&n, "203.0.113.7", 443);
	turns(4);
	assert_int_equal(n.failed, 1);
	assert_int_equal(n.err, SW_ERR_REFUSED);
	far.refuse = SW_ERR_UNREACH_HOST;
	dial(&n, "203.0.113.7", 443);
	turns(4);
	assert_int_equal(n.err, SW_ERR_UNREACH_HOST);
	far.refuse = SW_OK;
	open_one(&n, "203.0.113.7");
	far.ev->closed(far.arg, SW_ERR_RESET);
	turns(5);
	assert_int_equal(n.closed, 1);
	assert_int_equal(n.err, SW_ERR_RESET);
	dial(&n, "a-name.example", 443);
	assert_null(n.d);
	assert_int_equal(n.err, SW_ERR_NO_NAME);
}

static void
a_stream_may_end_in_its_own_callback(void **state)
{
	struct side n;

	(void)state;
	open_one(&n, "203.0.113.7");
	n.abort_on_data = true;
	assert_int_equal(far.ev->data(far.arg, (const uint8_t *)"x", 1), 1);
	turns(5);
	assert_null(n.d);
	assert_int_equal(n.closed, 0);
	assert_true(far.aborted);
}

static void
other_addresses_end_what_was_open(void **state)
{
	struct link_config c = path(0x0a000005, false);
	struct side n, m;

	(void)state;
	open_one(&n, "203.0.113.7");
	origin_set_path(far.o, &c);		/* down: it waits */
	turns(3);
	assert_int_equal(n.closed, 0);
	dial(&m, "203.0.113.7", 443);
	assert_null(m.d);
	assert_int_equal(m.err, SW_ERR_DOWN);
	c = path(0x0a000005, true);		/* back, the same */
	origin_set_path(far.o, &c);
	assert_int_equal(far.ev->data(far.arg, (const uint8_t *)"x", 1), 1);
	turns(5);
	assert_int_equal(n.got, 1);
	c = path(0x0a000006, true);		/* back, another */
	origin_set_path(far.o, &c);
	turns(3);
	assert_int_equal(n.closed, 1);
	assert_int_equal(n.err, SW_ERR_RESET);
}

struct heard {
	unsigned packets, refused, closed;
	int err;
	size_t len;
	struct sw_addr from;
};

static void
on_packet(void *arg, const struct datagram_peer *from, const uint8_t *data,
    size_t len)
{
	struct heard *h = arg;

	(void)data;
	h->packets++;
	h->from = from->addr;
	h->len = len;
}

static void
on_refused(void *arg, const struct datagram_peer *to, int err)
{
	(void)to;
	((struct heard *)arg)->refused++;
	((struct heard *)arg)->err = err;
}

static void
on_port_closed(void *arg, int err)
{
	((struct heard *)arg)->closed++;
	((struct heard *)arg)->err = err;
}

static const struct datagram_events port_events = { on_packet, on_refused,
    on_port_closed };

static void
datagrams_go_and_come_in_pieces_too(void **state)
{
	static const uint8_t bulk[5000];
	struct link_config c = path(0x0a000009, true);
	struct datagram_peer to = { .addr = addr_v4(0xcb007107, 53) };
	struct heard h = { .packets = 0 };
	struct datagram_port *p;
	int err;

	(void)state;
	p = origin_datagram_ops.open(origin_datagrams(far.o), &port_events, &h,
	    &err);
	assert_non_null(p);
	assert_int_equal(origin_datagram_ops.send(p, &to, bulk, 100), SW_OK);
	turns(2);
	assert_int_equal(far.udp_len, 100);
	assert_true(far.udp_src.port >= 20000 && far.udp_src.port <= 20031);
	assert_int_equal(h.packets, 1);
	assert_true(addr_same_ip(&h.from, &to.addr));
	assert_int_equal(origin_datagram_ops.send(p, &to, bulk, 5000), SW_OK);
	turns(2);
	assert_int_equal(h.len, 5000);
	far.udp_refuse = SW_ERR_REFUSED;
	assert_int_equal(origin_datagram_ops.send(p, &to, bulk, 1), SW_OK);
	turns(2);
	assert_int_equal(h.refused, 1);
	assert_int_equal(h.err, SW_ERR_REFUSED);
	origin_set_path(far.o, &c);
	assert_int_equal(h.closed, 1);
}

static void
ports_are_few_and_come_back(void **state)
{
	struct datagram_port *p[33];
	struct heard h = { .packets = 0 };
	int err = SW_OK, n = 0;

	(void)state;
	while (n < 33 && (p[n] = origin_datagram_ops.open(
	    origin_datagrams(far.o), &port_events, &h, &err)) != NULL)
		n++;
	assert_int_equal(n, 32);
	assert_int_equal(err, SW_ERR_LIMIT);
	origin_datagram_ops.close(p[5]);
	p[5] = origin_datagram_ops.open(origin_datagrams(far.o), &port_events,
	    &h, &err);
	assert_non_null(p[5]);
}

int
main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, begin, finish)
	const struct CMUnitTest tests[] = {
		T(a_stream_opens_carries_and_ends),
		T(ipv6_and_back_pressure),
		T(refusals_and_resets_are_told_apart),
		T(a_stream_may_end_in_its_own_callback),
		T(other_addresses_end_what_was_open),
		T(datagrams_go_and_come_in_pieces_too),
		T(ports_are_few_and_come_back),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
