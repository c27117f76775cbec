/*
 * A session without a tunnel, on one loop: what its control channel answers,
 * and what a link is given.
 */
#include "tests/rig/unit.h"

#include <errno.h>
#include <net/if.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "preload/session_control.h"
#include "preload/session_hop.h"

static struct session s;
static int ctl;			/* the program's end */

/* A tunnel that leads nowhere and knows its hops. */
static bool
attach(struct session_tunnel *t, struct hop *h)
{
	(void)t;
	hop_own_addresses(h);
	return true;
}

static void
detach(struct session_tunnel *t, struct hop *h)
{
	(void)t;
	(void)h;
}

static const struct session_tunnel_ops nowhere_ops = {
	.kind = "nowhere", .attach = attach, .detach = detach,
};
static struct session_tunnel nowhere = { .ops = &nowhere_ops, .s = &s };

static int
setup(void **state)
{
	int pair[2];

	(void)state;
	memset(&s, 0, sizeof(s));
	s.start_fd = s.listen_fd = s.lock_fd = -1;
	s.start.stay = true;
	s.tunnel = &nowhere;
	s.local.loop = &s.loop;
	assert_int_equal(loop_init(&s.loop), SW_OK);
	assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, pair), 0);
	assert_int_equal(control_new(&s, pair[0]), SW_OK);
	ctl = pair[1];
	return 0;
}

static int
teardown(void **state)
{
	(void)state;
	close(ctl);
	local_udp_wipe(&s.local);
	while (s.hops != NULL)
		hop_free(s.hops);
	while (s.controls != NULL)
		control_free(s.controls);
	loop_wipe(&s.loop);
	return 0;
}

static void
turn(void)
{
	for (int i = 0; i < 3; i++)
		assert_int_equal(loop_run_once(&s.loop, 0), SW_OK);
}

static void
tell(const void *bytes, size_t len, const int *fds, size_t n)
{
	union {
		struct cmsghdr align;
		char space[CMSG_SPACE(8 * sizeof(int))];
	} control;
	struct iovec iov = { (void *)(uintptr_t)bytes, len };
	struct msghdr m = { .msg_iov = &iov, .msg_iovlen = 1 };

	if (n > 0) {
		struct cmsghdr *c;

		memset(&control, 0, sizeof(control));
		m.msg_control = control.space;
		m.msg_controllen = CMSG_SPACE(n * sizeof(int));
		c = CMSG_FIRSTHDR(&m);
		c->cmsg_level = SOL_SOCKET;
		c->cmsg_type = SCM_RIGHTS;
		c->cmsg_len = CMSG_LEN(n * sizeof(int));
		memcpy(CMSG_DATA(c), fds, n * sizeof(int));
	}
	assert_int_equal(sendmsg(ctl, &m, 0), (ssize_t)len);
}

struct answer {
	struct session_reply rep;
	uint8_t payload[4096];
	ssize_t len;			/* 0: closed without a word */
	int fd;
};

/* Ask, with `fd` (-1: none) after the reply end; what came back. */
static struct answer
ask(struct session_msg m, const void *payload, int fd)
{
	uint8_t bytes[512];
	int pair[2], fds[2];
	struct answer a = { .fd = -1 };
	union {
		struct cmsghdr align;
		char space[CMSG_SPACE(sizeof(int))];
	} control;
	struct iovec iov[2] = { { &a.rep, sizeof(a.rep) },
		{ a.payload, sizeof(a.payload) } };
	struct msghdr in = { .msg_iov = iov, .msg_iovlen = 2,
		.msg_control = control.space,
		.msg_controllen = sizeof(control.space) };
	struct cmsghdr *c;

	m.magic = SESSION_MAGIC;
	m.flags |= SESSION_HAS_REPLY;
	memcpy(bytes, &m, sizeof(m));
	if (m.len > 0)
		memcpy(bytes + sizeof(m), payload, m.len);
	assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, pair), 0);
	fds[0] = pair[1];
	fds[1] = fd;
	tell(bytes, sizeof(m) + m.len, fds, fd < 0 ? 1 : 2);
	close(pair[1]);
	turn();
	a.len = recvmsg(pair[0], &in, MSG_DONTWAIT);
	c = a.len > 0 ? CMSG_FIRSTHDR(&in) : NULL;
	if (c != NULL)
		memcpy(&a.fd, CMSG_DATA(c), sizeof(int));
	close(pair[0]);
	return a;
}

static void
nonsense_is_dropped_and_the_connection_lives(void **state)
{
	struct session_msg m = { .magic = 1 };
	struct answer a;

	(void)state;
	tell("x", 1, NULL, 0);
	tell(&m, sizeof(m), NULL, 0);
	m.magic = SESSION_MAGIC;
	m.len = 5;				/* and no payload */
	tell(&m, sizeof(m), NULL, 0);
	m.len = 0;
	m.flags = SESSION_HAS_REPLY;		/* and no descriptor */
	tell(&m, sizeof(m), NULL, 0);
	turn();
	a = ask((struct session_msg){ .op = 999 }, NULL, -1);
	assert_int_equal(a.rep.error, SW_ERR_UNSUPPORTED);
}

static void
attach_gives_disjoint_addresses(void **state)
{
	struct link_config c[2];
	int pair[2][2];

	(void)state;
	for (int i = 0; i < 2; i++) {
		struct answer a;
		struct {
			struct link_control head;
			struct link_config config;
		} first;

		assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, pair[i]),
		    0);
		a = ask((struct session_msg){ .op = SESSION_ATTACH,
		    .owner = (uint32_t)i + 7 }, NULL, pair[i][1]);
		close(pair[i][1]);
		assert_int_equal(a.rep.error, SW_OK);
		assert_int_equal(a.rep.len, sizeof(c[i]));
		memcpy(&c[i], a.payload, sizeof(c[i]));
		assert_true(recv(pair[i][0], &first, sizeof(first),
		    MSG_DONTWAIT) > 0);
		assert_int_equal(first.head.zero, 0);
		assert_int_equal(first.head.op, LINK_CONFIG);
		assert_memory_equal(a.payload, (const uint8_t *)&first +
		    sizeof(first.head), sizeof(c[i]));
	}
	assert_false(addr_same_ip(&c[0].inner4, &c[1].inner4));
	assert_false(addr_same_ip(&c[0].inner6, &c[1].inner6));
	assert_true(addr_is_private(&c[0].inner4));
	assert_true(addr_is_private(&c[0].inner6));
	assert_ptr_equal(hop_find_inner(&s, &c[0].inner4),
	    hop_find_owner(&s, 7));
	assert_ptr_equal(hop_find_inner(&s, &c[1].inner6),
	    hop_find_owner(&s, 8));
	assert_int_equal(s.hop_n, 2);
	close(pair[0][0]);
	turn();
	assert_int_equal(s.hop_n, 1);
	assert_null(hop_find_owner(&s, 7));
	close(pair[1][0]);
	turn();
	assert_int_equal(s.hop_n, 0);
}

static void
attach_wants_a_packet_socket(void **state)
{
	struct answer a;
	int pair[2];

	(void)state;
	a = ask((struct session_msg){ .op = SESSION_ATTACH }, NULL, -1);
	assert_int_equal(a.rep.error, SW_ERR_FORMAT);
	assert_int_equal(pipe(pair), 0);
	a = ask((struct session_msg){ .op = SESSION_ATTACH }, NULL, pair[1]);
	assert_int_equal(a.rep.error, SW_ERR_FORMAT);
	close(pair[0]);
	close(pair[1]);
}

static void
a_request_is_forwarded_with_its_reply_end(void **state)
{
	struct owner_msg om = { .magic = OWNER_MAGIC, .op = OWNER_STATE };
	struct {
		struct link_control head;
		uint8_t rest[512];
	} got;
	struct answer a;
	int pair[2];

	(void)state;
	assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, pair), 0);
	(void)ask((struct session_msg){ .op = SESSION_ATTACH, .owner = 5 }, NULL,
	    pair[1]);
	close(pair[1]);
	assert_true(recv(pair[0], &got, sizeof(got), MSG_DONTWAIT) > 0);
	a = ask((struct session_msg){ .op = SESSION_REQUEST, .owner = 5,
	    .len = sizeof(om) }, &om, -1);
	assert_int_equal(a.len, -1);		/* still open: it has moved on */
	assert_int_equal(recv(pair[0], &got, sizeof(got), MSG_DONTWAIT),
	    (ssize_t)(sizeof(got.head) + sizeof(om)));
	assert_int_equal(got.head.op, LINK_REQUEST);
	assert_memory_equal(got.rest, &om, sizeof(om));
	a = ask((struct session_msg){ .op = SESSION_REQUEST, .owner = 6,
	    .len = sizeof(om) }, &om, -1);
	assert_int_equal(a.len, 0);		/* nobody: closed */
	close(pair[0]);
	turn();
}

static void
frames_of_another_address_are_not_honest(void **state)
{
	struct link_config c = { .inner4 = addr_v4(0x64400010u, 0) };
	uint8_t p[80] = { 0x45, 0, 0, 20 };

	(void)state;
	memcpy(p + 12, c.inner4.ip + 12, 4);
	assert_true(hop_is_honest(&c, p, 20));
	assert_false(hop_is_honest(&c, p, 19));
	assert_false(hop_is_honest(&c, p, 21));
	memcpy(p + 20, p, 20);
	assert_true(hop_is_honest(&c, p, 40));
	p[35]++;				/* the second's source */
	assert_false(hop_is_honest(&c, p, 40));
	p[35]--;
	p[3] = 0;				/* a length that goes nowhere */
	assert_false(hop_is_honest(&c, p, 40));
	p[0] = 0x60;
	assert_false(hop_is_honest(&c, p, 40));
}

static void
loopback_sockets_are_confined(void **state)
{
	struct answer a;
	char device[IFNAMSIZ] = "";
	socklen_t len = sizeof(device);

	(void)state;
	a = ask((struct session_msg){ .op = SESSION_LOOPBACK, .arg = AF_INET,
	    .arg2 = SOCK_STREAM }, NULL, -1);
	assert_int_equal(a.rep.error, 0);
	assert_true(a.fd >= 0);
	assert_int_equal(getsockopt(a.fd, SOL_SOCKET, SO_BINDTODEVICE, device,
	    &len), 0);
	assert_string_equal(device, "lo");
	close(a.fd);
}

static void
datagram_sockets_of_the_kernel_are_not_given_away(void **state)
{
	struct answer a;
	int domain = 0;
	socklen_t len = sizeof(domain);

	(void)state;
	for (uint32_t family = AF_INET; family != 0;
	    family = family == AF_INET ? AF_INET6 : 0) {
		a = ask((struct session_msg){ .op = SESSION_LOOPBACK,
		    .arg = family, .arg2 = SOCK_DGRAM }, NULL, -1);
		assert_int_equal(a.rep.error, 0);
		assert_int_equal(getsockopt(a.fd, SOL_SOCKET, SO_DOMAIN,
		    &domain, &len), 0);
		assert_int_equal(domain, AF_UNIX);
		close(a.fd);
	}
}

static void
loopback_refuses_what_is_not(void **state)
{
	static const struct {
		uint32_t family, type, protocol;
		int error;
	} bad[] = {
		{ AF_UNIX, SOCK_STREAM, 0, EAFNOSUPPORT },
		{ AF_PACKET, SOCK_RAW, 0, EAFNOSUPPORT },
		{ AF_INET, SOCK_RAW, IPPROTO_ICMP, ESOCKTNOSUPPORT },
		{ AF_INET, SOCK_DGRAM, IPPROTO_ICMP, EPROTONOSUPPORT },
		{ AF_INET, SOCK_STREAM, 132, EPROTONOSUPPORT },
		{ AF_INET6, SOCK_STREAM, IPPROTO_UDP, EPROTONOSUPPORT },
	};
	struct session_msg m = { .op = SESSION_LOOPBACK };

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		m.arg = bad[i].family;
		m.arg2 = bad[i].type;
		m.arg3 = bad[i].protocol;
		assert_int_equal(ask(m, NULL, -1).rep.error, bad[i].error);
	}
	s.start.no_loopback = true;
	m = (struct session_msg){ .op = SESSION_LOOPBACK, .arg = AF_INET,
	    .arg2 = SOCK_DGRAM };
	assert_int_equal(ask(m, NULL, -1).rep.error, EACCES);
}

static void
stop_is_answered(void **state)
{
	(void)state;
	assert_int_equal(ask((struct session_msg){ .op = SESSION_STOP }, NULL,
	    -1).rep.error, SW_OK);
	assert_true(s.loop.stop);
}

#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		T(nonsense_is_dropped_and_the_connection_lives),
		T(attach_gives_disjoint_addresses),
		T(attach_wants_a_packet_socket),
		T(a_request_is_forwarded_with_its_reply_end),
		T(frames_of_another_address_are_not_honest),
		T(loopback_sockets_are_confined),
		T(datagram_sockets_of_the_kernel_are_not_given_away),
		T(loopback_refuses_what_is_not),
		T(stop_is_answered),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
