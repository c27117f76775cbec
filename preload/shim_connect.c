/*
 * shim_connect.c - connect(2).
 *
 * A stream attempt (spec 5.1): the program's end is filled with bytes until it
 * refuses more, so that it polls as a connecting socket does; the owner reads
 * them away when the peer has answered, or closes its end when it has not.
 * A blocking connect is that, and waiting for POLLOUT.
 *
 *   newborn --connect--> CONNECT --owner: connected--> CONNECT|UP
 *                           |
 *                           +--owner: failed--> CONNECT, error pending
 *                                 --connect reports it--> a fresh pair
 *                                 under the same number, newborn
 * FAILED marks the pair when no fresh one could be had.
 *
 * UP is set when a call of ours has seen the success; until then the owner is
 * asked.
 */
#include "preload/shim_socket.h"

#include <limits.h>
#include <netinet/in.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/time.h>

#include "base/clock.h"

/* Bytes that the program's end may hold, while connecting and afterwards. */
#define ROOM_CONNECTING 8192
#define ROOM_FULL (208 * 1024)
#define RECORD_MAX (65536 + sizeof(struct owner_frame))

/* ---- waiting ----------------------------------------------------------------- */

/*
 * poll(2) never restarts after a signal, connect(2) does when the handler was
 * installed with SA_RESTART.  Which handler ran cannot be known; if all that
 * are installed ask for a restart, so did that one.
 */
static bool
handlers_restart(void)
{
	struct {
		void (*handler)(int);
		unsigned long flags;
		void (*restorer)(void);
		uint64_t mask;
	} act;

	for (int sig = 1; sig < 64; sig++) {
		if (sig == 32 || sig == 33)	/* libc's own */
			continue;
		memset(&act, 0, sizeof(act));
		if (sys_call6(SYS_rt_sigaction, sig, 0, (long)&act,
		    sizeof(act.mask), 0, 0) < 0 ||
		    act.handler == SIG_DFL || act.handler == SIG_IGN)
			continue;
		if (!(act.flags & SA_RESTART))
			return false;
	}
	return true;
}

/* Until the end says something, which is put in *events.  0, -EINTR,
 * -EINPROGRESS (timeout). */
static int
wait_outcome(int fd, short *events)
{
	int64_t limit = shim_timeout_ms(fd, SO_SNDTIMEO);
	int64_t until = limit == 0 ? SW_NEVER : clock_now_ms() + limit;
	struct pollfd p = { .fd = fd, .events = POLLOUT };
	int saved = errno, n;

	for (;;) {
		int64_t left = -1;

		if (until != SW_NEVER && (left = until - clock_now_ms()) < 0)
			left = 0;
		/* libc's: a cancellation point */
		n = poll(&p, 1, left > INT_MAX ? INT_MAX : (int)left);
		if (n > 0 || (n < 0 && errno != EINTR))
			break;
		if (n == 0 && left <= INT_MAX) {
			errno = saved;
			return -EINPROGRESS;
		}
		if (n < 0 && (until != SW_NEVER || !handlers_restart()))
			return -EINTR;
	}
	errno = saved;
	*events = p.revents;
	return 0;
}

/* ---- streams ------------------------------------------------------------------ */

static void
set_room(int fd, int bytes)
{
	(void)sys_setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &bytes, sizeof(bytes));
}

/*
 * Zeros, until nothing more fits.  The queue is made small for it: one of the
 * usual size takes 200 KB, copied twice, half of what a connect would cost.
 * The last byte, which the owner leaves there, is a piece of its own: the end
 * polls writable only while four times the memory of the pieces that wait is
 * within its room.
 */
static uint32_t
fill_with_zeros(int fd)
{
	static char zeros[ROOM_CONNECTING];
	uint32_t total = 0;
	ssize_t r;

	set_room(fd, ROOM_CONNECTING / 2);	/* the kernel doubles it */
	while ((r = sys_send(fd, zeros, sizeof(zeros),
	    MSG_DONTWAIT | MSG_NOSIGNAL)) > 0 || r == -EINTR)
		if (r > 0)
			total += (uint32_t)r;
	set_room(fd, ROOM_FULL);
	if (sys_send(fd, zeros, 1, MSG_DONTWAIT | MSG_NOSIGNAL) == 1)
		total++;
	set_room(fd, ROOM_CONNECTING / 2);
	return total;
}

void
shim_make_room(int fd, struct shim_tag *t)
{
	if (t->flags & SHIM_ROOMY)
		return;
	set_room(fd, ROOM_FULL);
	t->flags |= SHIM_ROOMY;
	(void)shim_tag_set(fd, *t);
}

/* The attempt was seen to succeed. */
static int
note_up(int fd, struct shim_tag t)
{
	if (!(t.flags & SHIM_ROOMY))
		set_room(fd, ROOM_FULL);
	t.flags |= SHIM_UP | SHIM_ROOMY;
	return shim_tag_set(fd, t);
}

int
shim_note_asked(int fd, struct shim_tag t, const struct sw_addr *asked)
{
	struct owner_msg m = { .op = OWNER_SETOPT, .cookie = shim_cookie(fd),
		.arg = SHIM_LEVEL, .arg2 = SHIM_NOTE_PEER };

	table_put_asked(m.cookie, asked);
	return shim_owner_tell(t, m, asked, sizeof(*asked));
}

/* The attempt's result once the end polls, with these events.  0 or the
 * connection's error. */
static int
read_outcome(int fd, struct shim_tag t, short events)
{
	struct owner_state s;
	int r;

	if ((events & POLLOUT) && !(events & (POLLERR | POLLHUP)))
		return note_up(fd, t);
	r = shim_owner_state(fd, t, 0, &s);
	if (r == 0 && s.state == OWNER_CONNECTING)
		return -EALREADY;
	/* It was up; what has ended it since is the next call's. */
	if (r == 0 && s.state != OWNER_FAILED)
		return note_up(fd, t);
	/* A reported failure leaves the socket as new, as in the kernel. */
	if (shim_renew(fd, &t, 0) < 0) {
		t.flags = (uint16_t)((t.flags & ~SHIM_CONNECT) | SHIM_FAILED);
		shim_tag_set(fd, t);
	}
	if (r < 0)		/* no owner to ask: it died with the session */
		return -ENETUNREACH;
	return s.error != 0 ? -s.error : -ECONNABORTED;
}

/* Our own owner has heard of the socket before it hears this; for another's
 * an answer makes sure. */
static int
tell_connect(struct shim_tag t, const struct owner_msg *m)
{
	struct owner_reply rep;
	int r = shim_owner_tell_own(t, *m);

	return r != -EXDEV ? r : shim_owner_ask(t, *m, NULL, 0, &rep, NULL, 0);
}

static int
begin_stream(int fd, struct shim_tag *t, const struct sw_addr *to,
    const struct sw_addr *asked)
{
	struct owner_msg m = { .op = OWNER_CONNECT, .cookie = shim_cookie(fd),
		.addr = *to };
	struct shim_tag before;
	int r;

	if ((r = shim_owner_start(*t)) < 0)
		return r == -EMFILE ? r : -ENETUNREACH;
	if (asked != NULL) {
		t->flags |= SHIM_ALIAS;
		if (shim_note_asked(fd, *t, asked) < 0)
			return -ENETUNREACH;
	}
	before = *t;
	t->flags = (uint16_t)((t->flags & ~(SHIM_ABORTED | SHIM_ROOMY)) |
	    SHIM_CONNECT | SHIM_TUNNEL);
	if ((r = shim_tag_set(fd, *t)) < 0)
		return r;
	m.arg = fill_with_zeros(fd);
	/* Straight before: the owner is woken once for both. */
	shim_tell_options(fd, before);
	if (tell_connect(*t, &m) < 0) {
		t->flags = (uint16_t)((t->flags & ~SHIM_CONNECT) | SHIM_FAILED);
		shim_tag_set(fd, *t);
		return -ENETUNREACH;
	}
	return 0;
}

static int
finish_stream(int fd, struct shim_tag t, int flags)
{
	short events;
	int r;

	if (flags & O_NONBLOCK)
		return -EINPROGRESS;
	if ((r = wait_outcome(fd, &events)) < 0)
		return r;
	return read_outcome(fd, t, events);
}

/* A second call on a socket that has been connecting. */
static int
continue_stream(int fd, struct shim_tag t, int flags)
{
	struct pollfd p = { .fd = fd, .events = POLLOUT };
	struct owner_state s;
	int r;

	if (t.flags & SHIM_UP)
		return -EISCONN;
	if ((r = shim_owner_state(fd, t, 0, &s)) == 0 &&
	    s.state == OWNER_CONNECTING) {
		if (flags & O_NONBLOCK)
			return -EALREADY;
		if ((r = wait_outcome(fd, &p.revents)) < 0)
			return r == -EINPROGRESS ? -EALREADY : r;
	} else if (r == 0 && s.state == OWNER_CONNECTED) {
		return note_up(fd, t);
	} else {
		sys_poll(&p, 1, 0);
	}
	return read_outcome(fd, t, p.revents);
}

static int
loopback_connect(int fd, struct shim_tag t, const struct sw_addr *to)
{
	struct sockaddr_in6 sa;
	socklen_t len = sizeof(sa);
	int r;

	if ((r = shim_to_loopback(fd, t, NULL)) < 0)
		return r;
	addr_to_sockaddr(to, t.flags & SHIM_V6 ? AF_INET6 : AF_INET,
	    (struct sockaddr *)&sa, &len);
	/* libc's: it may wait, and be cancelled. */
	r = shim_libc()->connect(fd, (struct sockaddr *)&sa, len);
	return r < 0 ? -errno : 0;
}

static int
connect_stream(int fd, struct shim_tag t, struct sw_addr *to, int flags)
{
	struct sw_addr asked = *to;
	bool alias;
	int r;

	if (t.flags & SHIM_LISTEN)
		return -EISCONN;
	if (t.flags & SHIM_CONNECT)
		return continue_stream(fd, t, flags);
	if ((t.flags & SHIM_FAILED) && (r = shim_renew(fd, &t, 0)) < 0)
		return r;
	r = shim_judge(t, to, &alias);
	if (r == WHERE_LOOPBACK)
		return loopback_connect(fd, t, to);
	if (r < 0)
		return r;
	if (to->port == 0)
		return -ECONNREFUSED;
	if ((r = begin_stream(fd, &t, to, alias ? &asked : NULL)) < 0)
		return r;
	return finish_stream(fd, t, flags);
}

/* ---- datagrams ------------------------------------------------------------------ */

int
shim_go_where(int fd, struct shim_tag *t, struct sw_addr *to, bool *alias)
{
	int where = shim_judge(*t, to, alias), r = 0;

	if (where == WHERE_LOOPBACK) {
		r = shim_to_local(fd, t);
	} else if (where == WHERE_TUNNEL && shim_is_local(*t)) {
		if (!(t->flags & SHIM_WILDCARD))
			return -ENETUNREACH;
		r = shim_to_tunnel(fd, t);
	}
	return r < 0 ? r : where;
}

static bool
is_framed(int fd)
{
	struct owner_frame f = { 0 };

	return sys_recv(fd, &f, sizeof(f), MSG_PEEK | MSG_DONTWAIT) ==
	    sizeof(f) && f.magic == OWNER_FRAME_MAGIC;
}

/* Records that were queued before the switch would be read with their frames
 * now: the owner gets them back, and sends those of the peer again. */
static void
give_back_framed(int fd)
{
	struct owner_frame *f;
	ssize_t n;
	long p;

	if (!is_framed(fd))
		return;
	/* Not on the stack, which may be small, nor from the heap. */
	p = sys_call6(SYS_mmap, 0, RECORD_MAX, PROT_READ | PROT_WRITE,
	    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (p < 0 && p > -4096)
		return;
	f = (struct owner_frame *)p;
	do {
		n = sys_recv(fd, f, RECORD_MAX, MSG_DONTWAIT);
		if (n < (ssize_t)sizeof(*f) || f->kind != OWNER_FRAME_DATA)
			continue;
		f->kind = OWNER_FRAME_AGAIN;
		(void)sys_send(fd, f, (size_t)n, MSG_DONTWAIT | MSG_NOSIGNAL);
	} while (is_framed(fd));
	sys_call3(SYS_munmap, p, RECORD_MAX, 0);
}

static int
ask_peer(int fd, struct shim_tag t, const struct sw_addr *to)
{
	struct owner_msg m = { .op = OWNER_CONNECT, .cookie = shim_cookie(fd),
		.addr = *to };
	struct owner_reply rep;
	int r = shim_owner_ask(t, m, NULL, 0, &rep, NULL, 0);

	return r == -ENETDOWN ? -ENETUNREACH : r;
}

static int
connect_datagram(int fd, struct shim_tag t, struct sw_addr *to)
{
	struct sw_addr asked = *to;
	bool alias;
	int r;

	if ((r = shim_go_where(fd, &t, to, &alias)) < 0)
		return r;
	if (alias && shim_note_asked(fd, t, &asked) < 0)
		return -ENETUNREACH;
	shim_tell_options(fd, t);
	if ((r = ask_peer(fd, t, to)) < 0)
		return r;
	give_back_framed(fd);
	table_put_asked(shim_cookie(fd), &asked);
	t.flags |= SHIM_CONNECT | SHIM_TUNNEL;
	t.flags = (uint16_t)(alias ? t.flags | SHIM_ALIAS :
	    t.flags & ~SHIM_ALIAS);
	return shim_tag_set(fd, t);
}

static int
disconnect(int fd, struct shim_tag t)
{
	static const struct sw_addr nobody;
	int r;

	if (!(t.flags & (SHIM_CONNECT | SHIM_FAILED)))
		return 0;
	if (shim_is_stream(t))
		return shim_renew(fd, &t, SHIM_ABORTED);
	if ((r = ask_peer(fd, t, &nobody)) < 0)
		return r;
	t.flags &= (uint16_t)~(SHIM_CONNECT | SHIM_ALIAS);
	return shim_tag_set(fd, t);
}

/* ---- the call -------------------------------------------------------------------- */

int
shim_connect(int fd, struct shim_tag t, const struct sockaddr *sa,
    socklen_t len, int flags)
{
	struct sw_addr to;
	int r;

	if (sa != NULL && len >= sizeof(sa->sa_family) &&
	    sa->sa_family == AF_UNSPEC)
		return disconnect(fd, t);
	if ((r = shim_parse_address(t, sa, len, false, &to)) < 0)
		return r;
	if (t.flags & SHIM_DGRAM)
		return connect_datagram(fd, t, &to);
	return connect_stream(fd, t, &to, flags);
}

int
shim_true_error(int fd, struct shim_tag t, int r)
{
	struct owner_state s;

	if (!(t.flags & SHIM_CONNECT) ||
	    shim_owner_state(fd, t, OWNER_TAKE_ERROR, &s) < 0)
		return r;
	return s.error != 0 ? -s.error : r;
}

/* A socket of the kernel's: its way out is loopback, except for one that has
 * asked for the wildcard, which may still become the tunnel's. */
static int
connect_foreign(int fd, const struct sockaddr *sa, socklen_t len)
{
	struct shim_tag t;
	int r = shim_judge_native(sa, len);

	if (r == 0) {
		r = shim_libc()->connect(fd, sa, len);
		return r < 0 || sa->sa_family != AF_UNIX ? r :
		    (int)shim_ret(shim_connected_unix(fd, sa, len));
	}
	if (sa->sa_family == AF_UNIX || !shim_is_wildcard(fd, &t))
		return (int)shim_ret(shim_refused(fd, r));
	if ((r = shim_may_leave(t, sa, len)) == 0 &&
	    (r = shim_to_tunnel(fd, &t)) == 0)
		r = shim_connect(fd, t, sa, len, sys_fcntl(fd, F_GETFL, 0));
	return (int)shim_ret(r);
}

SW_EXPORT int
connect(int fd, const struct sockaddr *sa, socklen_t len)
{
	struct shim_room room;
	struct shim_tag t;
	int flags, r;

	if (!shim_tag_get(fd, &t))
		return connect_foreign(fd, sa, len);
	flags = sys_fcntl(fd, F_GETFL, 0);
	r = shim_connect(fd, t, sa, len, flags);
	if (r == -EMFILE && shim_room_begin(&room)) {
		r = shim_connect(fd, t, sa, len, flags);
		shim_room_end(&room);
	}
	return (int)shim_ret(r);
}

SW_EXPORT int __connect(int fd, const struct sockaddr *sa, socklen_t len);

SW_EXPORT int
__connect(int fd, const struct sockaddr *sa, socklen_t len)
{
	return connect(fd, sa, len);
}
