/*
 * shim_move.c - puts another socket under a number the program holds.
 *
 * Needed in three cases only: a destination on this machine's loopback (a real
 * socket takes the place of a stream's pair, a pair of the session's that of a
 * datagram socket's), a loopback socket that had asked for
 * the wildcard and now wants out, and a second attempt after a failed connect
 * (the old pair is dead).  What the program has done to the old socket is
 * done again to the new one: descriptor and status flags, timeouts, options,
 * epoll registrations, the latter two from the table.
 */
#include "preload/shim_socket.h"

#include <netinet/in.h>
#include <string.h>
#include <sys/epoll.h>

#define LOOPBACK_TIMEOUT_MS 10000

static void
copy_native_option(int from, int to, int name)
{
	uint8_t v[32];
	socklen_t len = sizeof(v);

	if (sys_getsockopt(from, SOL_SOCKET, name, v, &len) == 0)
		sys_setsockopt(to, SOL_SOCKET, name, v, len);
}

static void
copy_status(int from, int to)
{
	int flags = sys_fcntl(from, F_GETFL, 0), owner;

	if (flags >= 0)
		sys_fcntl(to, F_SETFL, flags);
	if (flags >= 0 && (flags & O_ASYNC) &&
	    (owner = sys_fcntl(from, F_GETOWN, 0)) != 0)
		sys_fcntl(to, F_SETOWN, owner);
	copy_native_option(from, to, SO_SNDTIMEO);
	copy_native_option(from, to, SO_RCVTIMEO);
}

/* dup3 `with` over `fd`; closes `with` in any case. */
static int
take_number(int fd, int with, const struct table_entry *e)
{
	int flags = sys_fcntl(fd, F_GETFD, 0), r;

	r = (int)sys_call3(SYS_dup3, with, fd,
	    flags >= 0 && (flags & FD_CLOEXEC) ? O_CLOEXEC : 0);
	sys_close(with);
	if (r < 0)
		return r;
	for (unsigned i = 0; e != NULL && i < TABLE_EPOLLS; i++) {
		struct epoll_event ev;

		if (e->epolls[i].epfd < 0 || e->epolls[i].fd != fd)
			continue;
		ev = e->epolls[i].ev;
		sys_call6(SYS_epoll_ctl, e->epolls[i].epfd, EPOLL_CTL_ADD, fd,
		    (long)&ev, 0, 0);
	}
	return 0;
}

static void
replay_options(int fd, struct shim_tag t, const struct table_entry *e)
{
	for (unsigned i = 0; i < TABLE_OPTIONS; i++)
		if (e->options[i].rule != 0)
			shim_replay_option(fd, t, e->options[i].rule,
			    e->options[i].value, true);
}

static int
ask_loopback(struct shim_tag t, const struct sw_addr *open, int *fd)
{
	bool v6 = t.flags & SHIM_V6;
	struct session_msg m = { .op = SESSION_LOOPBACK,
		.arg = v6 ? AF_INET6 : AF_INET,
		.arg2 = (t.flags & SHIM_DGRAM ? SOCK_DGRAM : SOCK_STREAM) |
		    SOCK_CLOEXEC };
	struct session_reply rep;
	int r;

	if (open != NULL) {
		m.flags = SESSION_OPEN |
		    (t.flags & SHIM_V6ONLY ? SESSION_V6ONLY : 0);
		m.addr = *open;
	}
	r = shim_session_request(&m, NULL, 0, NULL, 0, &rep, NULL, 0, fd,
	    LOOPBACK_TIMEOUT_MS);
	if (r < 0)
		return r == -ETIMEDOUT ? -ENETDOWN : r;
	if (rep.error != 0 || *fd < 0) {
		if (*fd >= 0)
			sys_close(*fd);
		/* An errno, or a code of ours for a refusal by policy. */
		return rep.error > 0 ? -rep.error : rep.error < 0 ?
		    -sw_errno_from(rep.error) : -ENETDOWN;
	}
	return 0;
}

int
shim_to_loopback(int fd, struct shim_tag t, const struct sw_addr *open)
{
	uint64_t old = shim_cookie(fd);
	struct table_entry e;
	bool known = table_copy(old, &e);
	int real, r;

	if ((r = ask_loopback(t, open, &real)) < 0)
		return r;
	if ((t.flags & SHIM_V6ONLY) && open == NULL) {
		int one = 1;

		sys_setsockopt(real, IPPROTO_IPV6, IPV6_V6ONLY, &one,
		    sizeof(one));
	}
	copy_status(fd, real);
	if (known)
		replay_options(real, t, &e);
	r = take_number(fd, real, known ? &e : NULL);
	if (r == 0) {
		table_move(old, shim_cookie(fd));
		shim_owner_lost(t, old);
	}
	return r;
}

static void
tell_v6only(int fd, struct shim_tag t)
{
	struct owner_msg m = { .op = OWNER_SETOPT, .cookie = shim_cookie(fd),
		.arg = IPPROTO_IPV6, .arg2 = IPV6_V6ONLY };
	int one = 1;

	if (t.flags & SHIM_V6ONLY)
		(void)shim_owner_tell(t, m, &one, sizeof(one));
}

int
shim_to_local(int fd, struct shim_tag *t)
{
	uint64_t old = shim_cookie(fd);
	struct shim_tag was = *t;
	struct table_entry e;
	bool known = table_copy(old, &e);
	int app, r;

	if (shim_is_local(*t))
		return 0;
	if ((r = ask_loopback(*t, NULL, &app)) < 0)
		return r;
	t->owner = OWNER_LOCAL;
	t->flags &= SHIM_DGRAM | SHIM_V6 | SHIM_V6ONLY | SHIM_BROADCAST |
	    SHIM_INFO;
	t->flags |= SHIM_WILDCARD;	/* it may still go elsewhere */
	shim_tag_set(app, *t);
	copy_status(fd, app);
	if ((r = take_number(fd, app, known ? &e : NULL)) < 0)
		return r;
	table_move(old, shim_cookie(fd));
	shim_owner_lost(was, old);
	shim_tell_options(fd, *t);
	tell_v6only(fd, *t);
	t->flags |= SHIM_TUNNEL;
	return shim_tag_set(fd, *t);
}

/* A fresh pair under fd's number; bytes the old one held are gone. */
static int
fresh_pair(int fd, struct shim_tag *t)
{
	uint64_t old = shim_cookie(fd), new;
	struct table_entry e;
	bool known = table_copy(old, &e);
	int app, r;

	if ((r = shim_open_pair(SOCK_CLOEXEC, t, &app)) < 0)
		return r;
	new = shim_cookie(app);
	copy_status(fd, app);
	table_move(old, new);
	/* The table has moved with it; the owner hears when it has work. */
	return take_number(fd, app, known ? &e : NULL);
}

int
shim_renew(int fd, struct shim_tag *t, uint16_t mark)
{
	t->flags &= SHIM_DGRAM | SHIM_V6 | SHIM_V6ONLY | SHIM_BROADCAST |
	    SHIM_LINGER | SHIM_RSTONCLOSE | SHIM_INFO;
	t->flags |= mark;
	return fresh_pair(fd, t);
}

bool
shim_take_aborted(int fd, struct shim_tag t)
{
	if (!(t.flags & SHIM_ABORTED))
		return false;
	t.flags &= (uint16_t)~SHIM_ABORTED;
	shim_tag_set(fd, t);
	return true;
}

bool
shim_is_wildcard(int fd, struct shim_tag *t)
{
	return !shim_tag_get(fd, t) && (t->flags & SHIM_WILDCARD);
}

int
shim_to_tunnel(int fd, struct shim_tag *t)
{
	struct sockaddr_in6 sa;		/* holds both families */
	socklen_t len = sizeof(sa);
	struct owner_msg m = { .op = OWNER_BIND };
	struct owner_reply rep;
	struct owner_state s;
	bool bound;
	int r;

	if (shim_is_local(*t)) {
		if ((r = shim_owner_state(fd, *t, 0, &s)) < 0)
			return r;
		m.addr = s.local;
	} else if (sys_call3(SYS_getsockname, fd, (long)&sa, (long)&len) < 0 ||
	    addr_from_sockaddr(&m.addr, (struct sockaddr *)&sa, len) != SW_OK) {
		return -EINVAL;
	}
	memset(m.addr.ip, 0, sizeof(m.addr.ip));
	if (!(t->flags & SHIM_V6))
		m.addr.ip[10] = m.addr.ip[11] = 0xff;
	bound = t->flags & SHIM_BOUND;
	if ((r = shim_renew(fd, t, 0)) < 0 || !bound)
		return r;
	m.cookie = shim_cookie(fd);
	shim_tell_options(fd, *t);
	if ((r = shim_owner_ask(*t, m, NULL, 0, &rep, NULL, 0)) < 0)
		return r;
	t->flags |= SHIM_TUNNEL | SHIM_BOUND;
	return shim_tag_set(fd, *t);
}
