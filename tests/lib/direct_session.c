/*
 * direct_session - runs a program under the library with a session whose exit
 * is this machine: every destination is dialled at 127.0.0.1, same port.
 *
 *	direct_session [-s] [-p POLICY] LIBRARY PROGRAM [ARG...]
 *
 * 203.0.113.99 never answers, 203.0.113.98 is unreachable.  UDP is echoed
 * back by the session itself.  -s: without the seat of a thread
 * (stack=session).  For tests of the shim alone: no SSH, no namespaces.
 * The real link, splice and owner are used, so what is tested is the path.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/container.h"
#include "base/log.h"
#include "base/sys.h"
#include "preload/session_proto.h"
#include "stack/local_udp.h"
#include "stack/owner.h"
#include "stack/splice.h"

#define CTL_FD 900
#define HOPS 64

static struct loop loop;
static struct splice *far;
static struct local_udp_set local = { .loop = &loop };
static struct loop_fd ctl;

static struct hop {
	struct link *link;
	struct sw_addr inner;
	struct link_config config;
	uint32_t owner;
} hops[HOPS];

/* ---- a dialer over kernel sockets ------------------------------------------ */

struct dial {
	struct loop_fd w;
	struct loop_timer timer;
	const struct dial_events *ev;
	void *arg;
	int fail;
	bool open, paused, eof, shut, want, reset;
};

static void
dial_end(struct dial *d)
{
	loop_del(&loop, &d->w);
	loop_set_timer(&loop, &d->timer, SW_NEVER);
	if (d->w.fd >= 0)
		close(d->w.fd);
	free(d);
}

static void
dial_arm(struct dial *d)
{
	loop_mod(&loop, &d->w, (d->paused || d->eof ? 0 : EPOLLIN) |
	    (!d->open || d->want ? EPOLLOUT : 0));
}

static int
code(int e)
{
	return e == ECONNREFUSED ? SW_ERR_REFUSED : sw_err_from_errno(e);
}

static void
dial_ready(struct loop_fd *w, uint32_t events)
{
	struct dial *d = CONTAINER_OF(w, struct dial, w);
	static uint8_t buf[65536];
	ssize_t n;

	if (!d->open) {
		int e = 0;
		socklen_t len = sizeof(e);

		if (!(events & (EPOLLOUT | EPOLLERR | EPOLLHUP)))
			return;
		getsockopt(w->fd, SOL_SOCKET, SO_ERROR, &e, &len);
		/* A reset that came at once was a connection all the same. */
		if (e != 0 && e != ECONNRESET) {
			d->ev->failed(d->arg, code(e));
			dial_end(d);
			return;
		}
		d->open = true;
		d->reset = e == ECONNRESET;
		dial_arm(d);
		d->ev->opened(d->arg);
		return;
	}
	if (d->want && (events & EPOLLOUT)) {
		d->want = false;
		dial_arm(d);
		d->ev->writable(d->arg);
		return;
	}
	if (d->reset) {
		d->ev->closed(d->arg, SW_ERR_RESET);
		dial_end(d);
		return;
	}
	if (d->paused || !(events & (EPOLLIN | EPOLLHUP | EPOLLERR)))
		return;
	n = recv(w->fd, buf, sizeof(buf), MSG_PEEK | MSG_DONTWAIT);
	if (n > 0) {
		size_t took = d->ev->data(d->arg, buf, (size_t)n);

		if (took > 0)
			recv(w->fd, buf, took, 0);
		if (took < (size_t)n) {
			d->paused = true;
			dial_arm(d);
		}
	} else if (n == 0 && !d->eof) {
		d->eof = true;
		dial_arm(d);
		d->ev->eof(d->arg);
		if (d->shut) {
			d->ev->closed(d->arg, SW_OK);
			dial_end(d);
		}
	} else if (n < 0 && errno != EAGAIN) {
		d->ev->closed(d->arg, code(errno));
		dial_end(d);
	} else if (n == 0 && (events & EPOLLHUP)) {
		d->ev->closed(d->arg, SW_OK);
		dial_end(d);
	}
}

static void
dial_fail(struct loop_timer *t)
{
	struct dial *d = CONTAINER_OF(t, struct dial, timer);

	d->ev->failed(d->arg, d->fail);
	dial_end(d);
}

static struct dial *
dial_open(struct dialer *me, const struct dial_target *to,
    const struct dial_events *ev, void *arg, int *err)
{
	struct dial *d = calloc(1, sizeof(*d));
	struct sockaddr_in sin = { .sin_family = AF_INET,
		.sin_port = htons(to->port),
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK) };

	(void)me;
	*err = SW_OK;
	d->ev = ev;
	d->arg = arg;
	d->w.fd = -1;
	d->timer.fire = dial_fail;
	if (strcmp(to->host, "203.0.113.99") == 0)
		return d;
	if (strcmp(to->host, "203.0.113.98") == 0) {
		d->fail = SW_ERR_UNREACH_HOST;
		loop_set_timer(&loop, &d->timer, loop.now_ms + 1);
		return d;
	}
	d->w.fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
	d->w.ready = dial_ready;
	if (connect(d->w.fd, (void *)&sin, sizeof(sin)) < 0 &&
	    errno != EINPROGRESS) {
		d->fail = code(errno);
		loop_set_timer(&loop, &d->timer, loop.now_ms + 1);
		return d;
	}
	if (loop_add(&loop, &d->w, EPOLLOUT) != SW_OK)
		abort();
	return d;
}

static size_t
dial_write(struct dial *d, const uint8_t *buf, size_t len)
{
	ssize_t n = send(d->w.fd, buf, len, MSG_NOSIGNAL | MSG_DONTWAIT);

	if (n < (ssize_t)len && (n >= 0 || errno == EAGAIN)) {
		d->want = true;
		dial_arm(d);
	}
	return n < 0 ? 0 : (size_t)n;
}

static void
dial_shutdown(struct dial *d)
{
	d->shut = true;
	shutdown(d->w.fd, SHUT_WR);
}

static void
dial_resume(struct dial *d)
{
	d->paused = false;
	dial_arm(d);
}

static void
dial_abort(struct dial *d)
{
	struct linger l = { 1, 0 };

	if (d->w.fd >= 0)
		setsockopt(d->w.fd, SOL_SOCKET, SO_LINGER, &l, sizeof(l));
	dial_end(d);
}

static const struct dialer_ops dialer_ops = { dial_open, dial_write,
	dial_shutdown, dial_resume, dial_abort };

/* ---- the splice ---------------------------------------------------------------- */

static int
on_output(void *arg, const struct sw_addr *dst, const struct iovec *iov, int n)
{
	(void)arg;
	for (unsigned i = 0; i < HOPS; i++)
		if (hops[i].link != NULL &&
		    (addr_same_ip(dst, &hops[i].inner) ||
		    addr_same_ip(dst, &hops[i].config.inner6))) {
			int r = link_send(hops[i].link, iov, n);

			return r == SW_AGAIN ? r : SW_OK;
		}
	return SW_OK;
}

static int
on_target(void *arg, const struct sw_addr *src, const struct sw_addr *dst,
    struct dial_target *out)
{
	char text[SW_ADDR_TEXT_LEN];

	(void)arg;
	(void)src;
	snprintf(out->host, sizeof(out->host), "%s", addr_ip_text(dst, text));
	out->port = dst->port;
	return SW_OK;
}

static struct dialer *
on_local(void *arg, const struct sw_addr *dst, const struct dialer_ops **ops)
{
	(void)arg;
	(void)dst;
	(void)ops;
	return NULL;
}

static int
on_udp(void *arg, const struct sw_addr *src, const struct sw_addr *dst,
    const uint8_t *data, size_t len)
{
	(void)arg;
	if (dst->port == 9)
		return SW_ERR_REFUSED;
	splice_send_udp(far, dst, src, data, len);
	return SW_OK;
}

static const struct splice_ops splice_ops = {
	.output = on_output, .target = on_target, .local = on_local,
	.udp = on_udp,
};

/* ---- hops ------------------------------------------------------------------------ */

static void
hop_frame(void *arg, struct link_frame *f)
{
	(void)arg;
	splice_input(far, f);
}

static void
hop_control(void *arg, const struct link_control *c, const uint8_t *p, int fd)
{
	(void)arg;
	(void)c;
	(void)p;
	if (fd >= 0)
		close(fd);
}

static void
hop_writable(void *arg)
{
	struct hop *h = arg;

	splice_writable(far, &h->inner);
}

static void
hop_dead(void *arg)
{
	struct hop *h = arg;

	splice_forget(far, &h->inner);
	link_close(h->link);
	h->link = NULL;
}

static const struct link_events hop_events = { hop_frame, hop_control,
	hop_writable, hop_dead };

static struct hop *
hop_new(uint32_t owner, int fd)
{
	for (unsigned i = 0; i < HOPS; i++) {
		struct hop *h = &hops[i];
		struct link_control c = { .op = LINK_CONFIG,
			.len = sizeof(h->config) };

		if (h->link != NULL)
			continue;
		h->owner = owner;
		h->inner = addr_v4(0x0a590001u + i, 0);
		h->config = (struct link_config){ .inner4 = h->inner,
			.dns = addr_v4(0x0a5900feu, 53), .mtu = 9000,
			.port_lo = 32768, .port_hi = 60999,
			.flags = LINK_UP | LINK_UDP };
		h->config.inner6.ip[0] = 0xfd;
		h->config.inner6.ip[15] = (uint8_t)(i + 1);
		h->link = link_open(&loop, fd, &hop_events, h);
		if (h->link == NULL || link_send_control(h->link, &c,
		    &h->config, -1) != SW_OK)
			abort();
		return h;
	}
	return NULL;
}

/* ---- control channel ---------------------------------------------------------------- */

static void
answer(int reply, int error, const void *payload, size_t len, int fd)
{
	struct session_reply r = { SESSION_MAGIC, error, 0, (uint32_t)len };
	struct iovec iov[2] = { { &r, sizeof(r) }, { (void *)(uintptr_t)payload, len } };
	char space[CMSG_SPACE(sizeof(int))] = "";
	struct msghdr m = { .msg_iov = iov, .msg_iovlen = 2 };

	if (fd >= 0) {
		struct cmsghdr *c;

		m.msg_control = space;
		m.msg_controllen = sizeof(space);
		c = CMSG_FIRSTHDR(&m);
		c->cmsg_level = SOL_SOCKET;
		c->cmsg_type = SCM_RIGHTS;
		c->cmsg_len = CMSG_LEN(sizeof(int));
		memcpy(CMSG_DATA(c), &fd, sizeof(fd));
	}
	sendmsg(reply, &m, MSG_NOSIGNAL);
}

static void
on_idle(void *arg, struct owner *o)
{
	(void)arg;
	owner_free(o);
}

static const struct owner_events owner_events = { on_idle };

static void
do_attach(const struct session_msg *m, int *fds, unsigned n)
{
	struct hop *h;
	int pair[2];

	if (m->flags & SESSION_IF_BETTER) {
		answer(fds[0], SW_ERR_UNSUPPORTED, NULL, 0, -1);
		return;
	}
	if (m->flags & SESSION_HOST) {
		if (socketpair(AF_UNIX, SOCK_SEQPACKET, 0, pair) < 0)
			return;
		h = hop_new(m->owner, pair[0]);
		owner_new(&loop, m->owner, dup(fds[n - 1]), pair[1],
		    &owner_events, NULL);
	} else {
		h = hop_new(m->owner, dup(fds[n - 1]));
	}
	answer(fds[0], 0, &h->config, sizeof(h->config), -1);
}

static void
imported(void *arg, struct owner *o)
{
	(void)arg;
	if (o == NULL)
		log_err("import failed");
}

static void
do_handover(const struct session_msg *m, int *fds, unsigned n)
{
	unsigned i = 0;

	while (i < HOPS && (hops[i].link == NULL || hops[i].owner != m->owner))
		i++;
	if (n < 1 || i == HOPS || owner_import_start(&loop, dup(fds[0]),
	    m->owner, &hops[i].config, &owner_events, NULL, imported) == NULL)
		log_err("no import");
}

static void
do_loopback(const struct session_msg *m, int *fds)
{
	int s, e = 0;

	if ((m->arg2 & 0xf) == SOCK_DGRAM) {
		s = local_udp_open(&local, m->arg == AF_INET6);
		answer(fds[0], s < 0 ? -s : 0, NULL, 0, s);
		close(s);
		return;
	}
	s = socket((int)m->arg, (int)m->arg2, (int)m->arg3);
	if (s < 0 || setsockopt(s, SOL_SOCKET, SO_BINDTODEVICE, "lo", 3) < 0)
		e = errno;
	answer(fds[0], e, NULL, 0, e == 0 ? s : -1);
	close(s);
}

static void
do_request(const struct session_msg *m, const uint8_t *payload, int *fds,
    unsigned n)
{
	struct link_control c = { .op = LINK_REQUEST, .len = m->len };

	if (m->owner == OWNER_LOCAL) {
		local_udp_request(&local, payload, m->len,
		    n > 0 ? dup(fds[0]) : -1);
		return;
	}
	for (unsigned i = 0; i < HOPS; i++)
		if (hops[i].link != NULL && hops[i].owner == m->owner)
			if (link_send_control(hops[i].link, &c, payload,
			    n > 0 ? fds[0] : -1) != SW_OK)
				abort();
}

static void
do_resolve(const struct session_msg *m, const char *name, int *fds)
{
	struct sw_addr a = addr_v4(0xcb007101u, 0);	/* 203.0.113.1 */

	if (m->len > 5 && memcmp(name + m->len - 5, ".test", 5) == 0)
		answer(fds[0], SW_OK, &a,
		    m->arg == AF_INET6 ? 0 : sizeof(a), -1);
	else
		answer(fds[0], SW_ERR_NO_NAME, NULL, 0, -1);
}

static void
on_ctl(struct loop_fd *w, uint32_t events)
{
	static uint8_t payload[SESSION_MSG_MAX];
	struct session_msg m;
	struct iovec iov[2] = { { &m, sizeof(m) },
		{ payload, sizeof(payload) } };
	char space[CMSG_SPACE(4 * sizeof(int))];
	struct msghdr h = { .msg_iov = iov, .msg_iovlen = 2,
		.msg_control = space, .msg_controllen = sizeof(space) };
	int fds[4] = { -1, -1, -1, -1 };
	unsigned n = 0;

	(void)events;
	if (recvmsg(w->fd, &h, MSG_CMSG_CLOEXEC | MSG_DONTWAIT) <= 0) {
		loop.stop = true;	/* the whole tree is gone */
		return;
	}
	for (struct cmsghdr *c = CMSG_FIRSTHDR(&h); c != NULL;
	    c = CMSG_NXTHDR(&h, c)) {
		n = (unsigned)((c->cmsg_len - CMSG_LEN(0)) / sizeof(int));
		memcpy(fds, CMSG_DATA(c), n * sizeof(int));
	}
	switch (m.op) {
	case SESSION_ATTACH:
		do_attach(&m, fds, n);
		break;
	case SESSION_HANDOVER:
		do_handover(&m, fds, n);
		break;
	case SESSION_REQUEST:
		do_request(&m, payload, fds, n);
		break;
	case SESSION_LOOPBACK:
		do_loopback(&m, fds);
		break;
	case SESSION_RESOLVE:
		do_resolve(&m, (char *)payload, fds);
		break;
	}
	for (unsigned i = 0; i < n; i++)
		close(fds[i]);
}

static void
end_later(struct loop_timer *t)
{
	(void)t;
	exit(0);
}

static void
run_session(int fd)
{
	struct loop_timer end = { .fire = end_later };
	struct rlimit lim;

	signal(SIGPIPE, SIG_IGN);
	/* As the real one: the caller's limit is for the program. */
	if (getrlimit(RLIMIT_NOFILE, &lim) == 0) {
		lim.rlim_cur = lim.rlim_max;
		(void)setrlimit(RLIMIT_NOFILE, &lim);
	}
	if (getenv("SMOLWRAP_LOG") != NULL)
		log_open(2, LOG_LEVEL_DEBUG, "direct");
	if (loop_init(&loop) != SW_OK)
		exit(1);
	far = splice_new(&loop, &splice_ops, NULL);
	splice_set_dialer(far, NULL, &dialer_ops);
	ctl = (struct loop_fd){ .fd = fd, .ready = on_ctl };
	if (loop_add(&loop, &ctl, EPOLLIN) != SW_OK)
		exit(1);
	if (loop_run(&loop) != SW_OK)
		exit(1);
	/* The programs are gone; what they left is sent within a moment. */
	loop_del(&loop, &ctl);
	loop.stop = false;
	loop_set_timer(&loop, &end, loop.now_ms + 3000);
	if (loop_run(&loop) != SW_OK)
		exit(1);
	exit(0);
}

int
main(int argc, char **argv)
{
	const char *policy = "listen=loopback", *host = "";
	int pair[2], opt;
	char text[200];
	struct stat st;

	while ((opt = getopt(argc, argv, "+sp:")) != -1)
		if (opt == 's')
			host = ",stack=session";
		else if (opt == 'p')
			policy = optarg;
	argv += optind;
	argc -= optind;
	if (argc < 2 || socketpair(AF_UNIX, SOCK_SEQPACKET, 0, pair) < 0) {
		fprintf(stderr, "usage: direct_session [-s] [-p POLICY] "
		    "LIBRARY PROGRAM [ARG...]\n");
		return 125;
	}
	if (fork() == 0) {
		if (fork() != 0)
			_exit(0);
		close(pair[0]);
		setsid();
		run_session(pair[1]);
	}
	wait(NULL);
	close(pair[1]);
	dup2(pair[0], CTL_FD);
	close(pair[0]);
	fstat(CTL_FD, &st);
	snprintf(text, sizeof(text), "%d:%lu", CTL_FD,
	    (unsigned long)st.st_ino);
	setenv("SMOLWRAP_CTL", text, 1);
	snprintf(text, sizeof(text), "%s%s", policy, host);
	setenv("SMOLWRAP_POLICY", text, 1);
	setenv("LD_PRELOAD", argv[0], 1);
	execvp(argv[1], argv + 1);
	perror(argv[1]);
	return 127;
}
