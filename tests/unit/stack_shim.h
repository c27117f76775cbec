/*
 * stack_shim.h - what the shim does to the owner, for stack_rig.h, which
 * includes it.
 */
#ifndef SW_TESTS_STACK_SHIM_H
#define SW_TESTS_STACK_SHIM_H

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
	int64_t end = clock_now_ms() + patient_ms(10000);

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
	int64_t end = clock_now_ms() + patient_ms(10000);

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
