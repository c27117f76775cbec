/*
 * shim_errqueue.c - what IP_RECVERR promises of datagram sockets (spec 8.2,
 * 8.4): the error of a datagram that came back, and where it had been sent.
 *
 * The owner writes such an error in its place among the datagrams: a framed
 * record without a peer, an empty one with.  Only the one that is next can be
 * asked for; one that is met before it was is an error of that receive.
 */
#include "preload/shim_socket.h"

#include <linux/errqueue.h>
#include <netinet/in.h>
#include <string.h>

#include "preload/shim_control.h"
#include "preload/shim_option_table.h"

/* What the kernel puts into the control message. */
struct told {
	struct sock_extended_err e;
	struct sockaddr_in6 offender;	/* or a shorter one */
};

static const struct icmp {
	int err;
	uint8_t type4, code4, type6, code6;
} icmps[] = {
	{ ECONNREFUSED, 3, 3, 1, 4 },
	{ EHOSTUNREACH, 3, 1, 1, 3 },
	{ ENETUNREACH, 3, 0, 1, 0 },
	{ EMSGSIZE, 3, 4, 2, 0 },
	{ EACCES, 3, 13, 1, 1 },
	{ 0, 3, 1, 1, 3 },
};

static bool
wants_errors(int fd, struct shim_tag t)
{
	const struct option_rule *r4 = shim_option_find(IPPROTO_IP, IP_RECVERR,
	    true), *r6 = shim_option_find(IPPROTO_IPV6, IPV6_RECVERR, true);
	uint64_t cookie = shim_cookie(fd);
	int32_t v = 0;

	if (table_get_option(cookie, shim_option_number(r4), &v) && v != 0)
		return true;
	return (t.flags & SHIM_V6) &&
	    table_get_option(cookie, shim_option_number(r6), &v) && v != 0;
}

static bool
next_is_error(int fd, struct shim_tag t, struct owner_frame *rec)
{
	ssize_t n = sys_recv(fd, rec, sizeof(*rec), MSG_PEEK | MSG_DONTWAIT);
	struct owner_state s;

	if (!(t.flags & SHIM_CONNECT)) {
		if (n != sizeof(*rec) || rec->magic != OWNER_FRAME_MAGIC ||
		    rec->kind != OWNER_FRAME_ERROR)
			return false;
		sys_recv(fd, rec, sizeof(*rec), MSG_DONTWAIT);
		return true;
	}
	if (n != 0 || shim_owner_state(fd, t, OWNER_TAKE_ERROR, &s) < 0 ||
	    s.error == 0)
		return false;
	sys_recv(fd, NULL, 0, MSG_DONTWAIT);
	rec->error = (uint8_t)s.error;
	rec->addr = s.peer;
	return true;
}

static size_t
tell(const struct owner_frame *rec, struct told *out)
{
	bool v4 = addr_is_v4(&rec->addr);
	const struct icmp *i = icmps;
	struct sw_addr from = rec->addr;
	socklen_t len = sizeof(out->offender);

	while (i->err != 0 && i->err != rec->error)
		i++;
	memset(out, 0, sizeof(*out));
	out->e.ee_errno = rec->error;
	out->e.ee_origin = v4 ? SO_EE_ORIGIN_ICMP : SO_EE_ORIGIN_ICMP6;
	out->e.ee_type = v4 ? i->type4 : i->type6;
	out->e.ee_code = v4 ? i->code4 : i->code6;
	from.port = 0;
	addr_to_sockaddr(&from, v4 ? AF_INET : AF_INET6,
	    (struct sockaddr *)&out->offender, &len);
	return sizeof(out->e) + len;
}

ssize_t
shim_recv_error(int fd, struct shim_tag t, struct msghdr *m)
{
	struct owner_frame rec = { .magic = 0 };
	struct told told;
	socklen_t namelen = m->msg_namelen;
	size_t len;
	bool v4;

	if (!wants_errors(fd, t) || !next_is_error(fd, t, &rec))
		return -EAGAIN;
	v4 = addr_is_v4(&rec.addr);
	len = tell(&rec, &told);
	m->msg_flags = MSG_ERRQUEUE;
	control_put_one(m, v4 ? IPPROTO_IP : IPPROTO_IPV6,
	    v4 ? IP_RECVERR : IPV6_RECVERR, &told, len);
	if (m->msg_name != NULL) {
		shim_put_name(t, &rec.addr, m->msg_name, &namelen);
		m->msg_namelen = namelen;
	}
	return 0;
}
