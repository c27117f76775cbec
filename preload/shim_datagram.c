/*
 * shim_datagram.c - UDP through a SEQPACKET pair (spec 9).
 *
 * While the socket has no peer, every datagram carries a frame with the other
 * side's address; one more iovec on each call, no copy.  With a peer there is
 * none, so read and write work; only a sendto() elsewhere is framed then.
 */
#include "preload/shim_socket.h"

#include <netinet/in.h>
#include <string.h>
#include <sys/mman.h>

#include "preload/shim_control.h"

#define IOV_LIMIT 1024		/* the kernel's */
#define SMALL_IOV 9
#define MAX_PAYLOAD4 65507
#define MAX_PAYLOAD6 65527

/* ---- one more iovec --------------------------------------------------------------- */

struct framed {
	struct iovec *iov;
	size_t n, mapped;
	struct iovec small[SMALL_IOV];
};

static int
framed_init(struct framed *f, struct owner_frame *frame,
    const struct iovec *iov, size_t n)
{
	f->iov = f->small;
	f->mapped = 0;
	f->n = n + 1;
	if (n >= IOV_LIMIT)
		return -EMSGSIZE;
	if (iov == NULL && n > 0)
		return -EFAULT;
	if (f->n > SMALL_IOV) {
		long p;

		/* Not on the stack, which may be small, nor from the heap. */
		f->mapped = f->n * sizeof(*f->iov);
		p = sys_call6(SYS_mmap, 0, (long)f->mapped,
		    PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1,
		    0);
		if (p < 0 && p > -4096)
			return -ENOBUFS;
		f->iov = (struct iovec *)p;
	}
	f->iov[0] = (struct iovec){ frame, sizeof(*frame) };
	if (n > 0)
		memcpy(f->iov + 1, iov, n * sizeof(*iov));
	return 0;
}

static void
framed_wipe(struct framed *f)
{
	if (f->mapped > 0)
		sys_call3(SYS_munmap, (long)f->iov, (long)f->mapped, 0);
}

/* ---- send ----------------------------------------------------------------------------- */

static int
byte_value(const struct cmsghdr *c, uint8_t *out)
{
	int v;

	if (c->cmsg_len >= CMSG_LEN(sizeof(v)))
		memcpy(&v, CMSG_DATA(c), sizeof(v));
	else if (c->cmsg_len >= CMSG_LEN(1))
		v = *CMSG_DATA(c);
	else
		return -EINVAL;
	/* IPv6 takes whole numbers only, -1 for the default. */
	if (c->cmsg_level == IPPROTO_IPV6) {
		if (c->cmsg_len != CMSG_LEN(sizeof(v)))
			return -EINVAL;
		v = v == -1 ? 0 : v;
	}
	if (v < 0 || v > 255)
		return -EINVAL;
	*out = (uint8_t)v;
	return 0;
}

static int
read_control(const struct msghdr *m, struct owner_frame *frame)
{
	struct msghdr copy = *m;
	int r = 0;

	if (m->msg_control == NULL || m->msg_controllen == 0)
		return 0;
	for (struct cmsghdr *c = CMSG_FIRSTHDR(&copy); c != NULL && r == 0;
	    c = CMSG_NXTHDR(&copy, c)) {
		bool v4 = c->cmsg_level == IPPROTO_IP;
		bool v6 = c->cmsg_level == IPPROTO_IPV6;

		if ((v4 && c->cmsg_type == IP_TOS) ||
		    (v6 && c->cmsg_type == IPV6_TCLASS))
			r = byte_value(c, &frame->tos);
		else if ((v4 && c->cmsg_type == IP_TTL) ||
		    (v6 && c->cmsg_type == IPV6_HOPLIMIT))
			r = byte_value(c, &frame->hop_limit);
		else if ((v4 && c->cmsg_type == IP_PKTINFO) ||
		    (v6 && c->cmsg_type == IPV6_PKTINFO))
			continue;	/* there is one source only */
		else
			r = -EINVAL;
	}
	return r;
}

/* sendto() is laxer about families than connect(). */
static int
parse_destination(struct shim_tag t, const struct msghdr *m,
    struct sw_addr *out)
{
	const struct sockaddr *sa = m->msg_name;
	struct sockaddr_in in;
	int r;

	if (m->msg_namelen >= sizeof(in) && (sa->sa_family == AF_INET ||
	    (sa->sa_family == AF_UNSPEC && !(t.flags & SHIM_V6)))) {
		memcpy(&in, sa, sizeof(in));
		in.sin_family = AF_INET;
		r = addr_from_sockaddr(out, (struct sockaddr *)&in,
		    sizeof(in)) == SW_OK ? 0 : -EINVAL;
	} else {
		r = shim_parse_address(t, sa, m->msg_namelen, false, out);
	}
	return r == 0 && out->port == 0 ? -EINVAL : r;
}

/* What the kernel will judge is taken for nothing. */
static size_t
payload_length(const struct msghdr *m)
{
	size_t n = 0;

	if (m->msg_iov == NULL || m->msg_iovlen > IOV_LIMIT)
		return 0;
	for (size_t i = 0; i < m->msg_iovlen; i++)
		n += m->msg_iov[i].iov_len;
	return n;
}

static bool
is_empty_next(int fd)
{
	char c;

	return sys_recv(fd, &c, 1, MSG_PEEK | MSG_DONTWAIT) == 0;
}

/* Has the far end gone, and with it the way to the network? */
static bool
is_orphan(int fd)
{
	struct pollfd p = { .fd = fd };

	return sys_poll(&p, 1, 0) > 0 && (p.revents & POLLHUP) &&
	    sys_recv(fd, NULL, 0, MSG_PEEK | MSG_DONTWAIT) <= 0;
}

int
shim_datagram_error(int fd, struct shim_tag t)
{
	struct owner_state s;

	if (shim_owner_state(fd, t, OWNER_TAKE_ERROR, &s) < 0 || s.error == 0)
		return 0;
	/* Then the record that was to wake a reader is for nobody. */
	if (is_empty_next(fd))
		sys_recv(fd, NULL, 0, MSG_DONTWAIT);
	return -s.error;
}

/* What the kernel's loopback would have told at once. */
static int
refused_before(int fd, struct shim_tag t)
{
	return shim_is_local(t) && is_empty_next(fd) ?
	    shim_datagram_error(fd, t) : 0;
}

static ssize_t
send_native(int fd, const struct msghdr *m, int flags)
{
	int saved = errno;
	ssize_t r = shim_libc()->sendmsg(fd, m,
	    (flags & MSG_DONTWAIT) | MSG_NOSIGNAL);

	if (r < 0) {
		r = -errno;
		errno = saved;
	}
	if (r == -ECONNRESET || r == -ENOTCONN ||
	    (r == -EPIPE && is_orphan(fd)))
		return -ENETUNREACH;
	return r == -EPIPE ? shim_broken_pipe(flags) : r;
}

/* The tag as it must be once the owner carries datagrams for this socket. */
static int
enter_tunnel(int fd, struct shim_tag *t, const struct sw_addr *asked)
{
	struct sw_addr before;

	if (shim_owner_start(*t) < 0)
		return -ENETUNREACH;
	if (asked != NULL && !(table_get_asked(shim_cookie(fd), &before) &&
	    memcmp(&before, asked, sizeof(before)) == 0) &&
	    shim_note_asked(fd, *t, asked) < 0)
		return -ENETUNREACH;
	if ((t->flags & SHIM_TUNNEL) &&
	    (asked == NULL || (t->flags & SHIM_ALIAS)))
		return 0;
	shim_tell_options(fd, *t);
	t->flags |= SHIM_TUNNEL | (asked != NULL ? SHIM_ALIAS : 0);
	return shim_tag_set(fd, *t);
}

static ssize_t
send_framed(int fd, struct owner_frame *frame, const struct msghdr *m,
    int flags)
{
	struct msghdr out = { 0 };
	struct framed f;
	ssize_t r;

	if ((r = framed_init(&f, frame, m->msg_iov, m->msg_iovlen)) == 0) {
		out.msg_iov = f.iov;
		out.msg_iovlen = f.n;
		r = send_native(fd, &out, flags);
		if (r >= 0)
			r -= (ssize_t)sizeof(*frame);
	}
	framed_wipe(&f);
	return r;
}

ssize_t
shim_send_datagram(int fd, struct shim_tag t, const struct msghdr *m,
    int flags)
{
	struct owner_frame frame = { .magic = OWNER_FRAME_MAGIC,
		.kind = OWNER_FRAME_DATA };
	struct msghdr plain = { .msg_iov = m->msg_iov,
		.msg_iovlen = m->msg_iovlen };
	size_t max = t.flags & SHIM_V6 ? MAX_PAYLOAD6 : MAX_PAYLOAD4;
	struct sw_addr asked;
	bool alias;
	int r;

	if (flags & MSG_OOB)
		return -EOPNOTSUPP;
	if (payload_length(m) > max)
		return -EMSGSIZE;
	if ((r = read_control(m, &frame)) < 0)
		return r;
	if (m->msg_name == NULL || m->msg_namelen == 0) {
		if (!(t.flags & SHIM_CONNECT))
			return -EDESTADDRREQ;
		r = refused_before(fd, t);
		return r < 0 ? r : send_native(fd, &plain, flags);
	}
	if ((r = parse_destination(t, m, &frame.addr)) < 0)
		return r;
	asked = frame.addr;
	if ((r = shim_go_where(fd, &t, &frame.addr, &alias)) < 0)
		return r;
	if (r == WHERE_TUNNEL &&
	    (r = enter_tunnel(fd, &t, alias ? &asked : NULL)) < 0)
		return r;
	return send_framed(fd, &frame, m, flags);
}

/* ---- receive ------------------------------------------------------------------------------ */

#define RECV_FLAGS (MSG_DONTWAIT | MSG_PEEK | MSG_TRUNC)

static ssize_t
recv_native(int fd, struct msghdr *m, int flags)
{
	int saved = errno;
	ssize_t r = shim_libc()->recvmsg(fd, m, flags);

	if (r < 0) {
		r = -errno;
		errno = saved;
	}
	return r == -ECONNRESET ? -ENETUNREACH : r;
}

static void
put_source(int fd, struct shim_tag t, const struct sw_addr *from,
    struct msghdr *m)
{
	struct sw_addr a = *from;
	struct link_config net;
	socklen_t len = m->msg_namelen;

	if (m->msg_name == NULL)
		return;
	if ((t.flags & SHIM_ALIAS) && shim_owner_config(&net) == 0 &&
	    addr_same_ip(&a, &net.dns))
		shim_asked_name(fd, t, &a);
	shim_put_name(t, &a, m->msg_name, &len);
	m->msg_namelen = len;
}

static ssize_t
recv_connected(int fd, struct shim_tag t, struct msghdr *m, int flags)
{
	struct msghdr plain = { .msg_iov = m->msg_iov,
		.msg_iovlen = m->msg_iovlen };
	struct owner_state s;
	struct sw_addr peer = { 0 };
	ssize_t r = recv_native(fd, &plain, flags);

	if (r == -EAGAIN && shim_is_local(t)) {
		if ((r = shim_datagram_error(fd, t)) < 0)
			return r;
		plain.msg_iovlen = m->msg_iovlen;
		r = recv_native(fd, &plain, flags | MSG_DONTWAIT);
	}
	if (r < 0)
		return r;
	/* An empty record is a datagram, or the owner's way to wake us for an
	 * ICMP error, or there is no owner. */
	if (r == 0 && is_orphan(fd))
		return -ENETDOWN;
	if (r == 0 && shim_owner_state(fd, t, OWNER_TAKE_ERROR, &s) == 0 &&
	    s.error != 0)
		return -s.error;
	m->msg_flags = plain.msg_flags & ~MSG_EOR;
	if (m->msg_name != NULL || (t.flags & SHIM_INFO)) {
		if (!table_get_asked(shim_cookie(fd), &peer) &&
		    shim_owner_state(fd, t, 0, &s) == 0)
			peer = s.peer;
		t.flags &= (uint16_t)~SHIM_ALIAS;
		put_source(fd, t, &peer, m);
		control_put(fd, t, &peer, 0, 0, m, m->msg_controllen);
	} else {
		m->msg_controllen = 0;
	}
	return r;
}

static ssize_t
recv_framed(int fd, struct shim_tag t, struct msghdr *m, int flags)
{
	struct owner_frame frame;
	struct msghdr in = { 0 };
	struct framed f;
	ssize_t r;

	if ((r = framed_init(&f, &frame, m->msg_iov, m->msg_iovlen)) < 0)
		goto out;
	for (;;) {
		in.msg_iov = f.iov;
		in.msg_iovlen = f.n;
		frame.magic = 0;
		r = recv_native(fd, &in, flags);
		if (r < 0)
			goto out;
		if (r == 0 && frame.magic == 0) {
			if (is_orphan(fd))
				r = -ENETDOWN;
			goto out;	/* or shut down by the program */
		}
		if (r >= (ssize_t)sizeof(frame) &&
		    frame.magic == OWNER_FRAME_MAGIC &&
		    frame.kind == OWNER_FRAME_DATA)
			break;
		/* Not from the owner, or the error of a datagram before.  A
		 * peeked one must go before the next can be seen. */
		if (flags & MSG_PEEK)
			sys_recv(fd, &frame, sizeof(frame), MSG_DONTWAIT);
		if (frame.magic == OWNER_FRAME_MAGIC &&
		    frame.kind == OWNER_FRAME_ERROR && frame.error != 0) {
			r = -frame.error;
			goto out;
		}
	}
	r -= (ssize_t)sizeof(frame);
	m->msg_flags = in.msg_flags & ~MSG_EOR;
	control_put(fd, t, &frame.addr, frame.tos, frame.hop_limit, m,
	    m->msg_controllen);
	put_source(fd, t, &frame.addr, m);
out:
	framed_wipe(&f);
	return r;
}

ssize_t
shim_recv_datagram(int fd, struct shim_tag t, struct msghdr *m, int flags)
{
	if (flags & MSG_ERRQUEUE)
		return shim_recv_error(fd, t, m);
	if (flags & MSG_OOB)
		return -EOPNOTSUPP;
	if (t.flags & SHIM_CONNECT)
		return recv_connected(fd, t, m, flags & RECV_FLAGS);
	return recv_framed(fd, t, m, flags & RECV_FLAGS);
}
