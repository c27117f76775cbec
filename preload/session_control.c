#include "preload/session_control.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/container.h"
#include "base/log.h"
#include "preload/session_device.h"
#include "preload/session_hop.h"
#include "preload/session_view.h"
#include "stack/owner.h"

#define MSGS_PER_EVENT 32

struct control {
	struct session *s;
	struct loop_fd w;
	struct control *prev, *next;
};

/* An owner whose flows this process runs. */
struct hosted {
	struct session *s;
	struct owner *owner;		/* NULL while it is on its way: */
	struct owner_import *import;
	struct hosted *prev, *next;
};

int
control_parse(struct control_msg *m, const uint8_t *bytes, size_t len)
{
	m->reply_fd = -1;
	if (len < sizeof(m->head))
		return SW_ERR_TRUNCATED;
	memcpy(&m->head, bytes, sizeof(m->head));
	if (m->head.magic != SESSION_MAGIC ||
	    m->head.len != len - sizeof(m->head))
		return SW_ERR_FORMAT;
	m->payload = bytes + sizeof(m->head);
	if ((m->head.flags & SESSION_HAS_REPLY) != 0) {
		if (m->fd_n < 1)
			return SW_ERR_FORMAT;
		m->reply_fd = m->fds[0];
		m->fd_n--;
		memmove(m->fds, m->fds + 1, (size_t)m->fd_n * sizeof(int));
	}
	return SW_OK;
}

/* The descriptor at `i` becomes ours; -1 when there is none. */
static int
take_fd(struct control_msg *m, int i)
{
	int fd = i >= 0 && i < m->fd_n ? m->fds[i] : -1;

	if (fd >= 0)
		m->fds[i] = -1;
	return fd;
}

/* Links and channels are these; another kind might never say that it ended. */
static bool
is_packet_socket(int fd)
{
	int domain = 0, type = 0;
	socklen_t len = sizeof(int);

	if (getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &domain, &len) != 0)
		return false;
	len = sizeof(int);
	return domain == AF_UNIX &&
	    getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &len) == 0 &&
	    type == SOCK_SEQPACKET;
}

static void
answer(struct control_msg *m, int error)
{
	if (m->reply_fd >= 0)
		session_reply(m->reply_fd, error, 0, NULL, 0, -1);
}

/* --- owners that run here ------------------------------------------------ */

static void
free_hosted(struct hosted *h)
{
	if (h->prev != NULL)
		h->prev->next = h->next;
	else
		h->s->hosted = h->next;
	if (h->next != NULL)
		h->next->prev = h->prev;
	owner_import_cancel(h->import);
	owner_free(h->owner);
	free(h);
}

static void
owner_is_idle(void *arg, struct owner *o)
{
	struct hosted *h = arg;

	(void)o;
	free_hosted(h);
	/* Its link ends with it, and the hop with the link. */
}

static const struct owner_events owner_events = { .idle = owner_is_idle };

static struct hosted *
new_hosted(struct session *s)
{
	struct hosted *h = calloc(1, sizeof(*h));

	if (h == NULL)
		return NULL;
	h->s = s;
	h->next = s->hosted;
	if (h->next != NULL)
		h->next->prev = h;
	s->hosted = h;
	return h;
}

void
control_free_hosted(struct session *s)
{
	for (struct hosted *h = s->hosted, *next; h != NULL; h = next) {
		next = h->next;
		free_hosted(h);
	}
}

/* --- the operations ------------------------------------------------------ */

static void
attach_hosted(struct session *s, struct control_msg *m)
{
	struct hosted *h = NULL;
	struct hop *hop;
	int chan = take_fd(m, m->fd_n - 1);

	if ((m->head.flags & SESSION_IF_BETTER) != 0 &&
	    !s->tunnel->ops->ends_packets) {
		if (chan >= 0)
			close(chan);
		answer(m, SW_ERR_UNSUPPORTED);
		return;
	}
	if (chan < 0 || !is_packet_socket(chan)) {
		if (chan >= 0)
			close(chan);
		answer(m, SW_ERR_FORMAT);
		return;
	}
	hop = hop_new(s, m->head.owner, -1);
	if (hop == NULL || (h = new_hosted(s)) == NULL) {
		close(chan);
	} else if ((h->owner = owner_new_near(&s->loop, m->head.owner, chan,
	    hop->link, &owner_events, h)) == NULL) {
		free_hosted(h);
		h = NULL;
	}
	if (h == NULL) {
		if (hop != NULL)
			hop_free(hop);
		answer(m, SW_ERR_NOMEM);
		return;
	}
	session_reply(m->reply_fd, SW_OK, 0, &hop->config, sizeof(hop->config),
	    -1);
}

static void
do_attach(struct session *s, struct control_msg *m)
{
	struct hop *hop;
	int link;

	if (m->reply_fd < 0)
		return;
	if ((m->head.flags & SESSION_HOST) != 0) {
		attach_hosted(s, m);
		return;
	}
	if ((link = take_fd(m, 0)) < 0 || !is_packet_socket(link)) {
		if (link >= 0)
			close(link);
		answer(m, SW_ERR_FORMAT);
		return;
	}
	if ((hop = hop_new(s, m->head.owner, link)) == NULL) {
		answer(m, SW_ERR_LIMIT);
		return;
	}
	session_reply(m->reply_fd, SW_OK, 0, &hop->config, sizeof(hop->config),
	    -1);
}

static void
imported(void *arg, struct owner *o)
{
	struct hosted *h = arg;

	h->import = NULL;
	h->owner = o;
	if (o != NULL)
		return;
	log_warn("session: a handover was incomplete, its flows are reset");
	free_hosted(h);
}

/* What is said to this owner meanwhile waits in its link. */
static void
do_handover(struct session *s, struct control_msg *m)
{
	struct hop *hop = hop_find_owner(s, m->head.owner);
	struct hosted *h;
	int fd = take_fd(m, 0);

	if (fd < 0)
		return;
	if (hop == NULL || hop->hosted || !is_packet_socket(fd) ||
	    (h = new_hosted(s)) == NULL) {
		close(fd);
		return;
	}
	h->import = owner_import_start(&s->loop, fd, m->head.owner,
	    &hop->config, &owner_events, h, imported);
	if (h->import == NULL)
		free_hosted(h);
	else
		hop->hosted = true;
}

static void
do_request(struct session *s, struct control_msg *m)
{
	struct hop *hop;

	if (m->head.owner == OWNER_LOCAL) {
		local_udp_request(&s->local, m->payload, m->head.len,
		    m->reply_fd);
		m->reply_fd = -1;
		return;
	}
	hop = hop_find_owner(s, m->head.owner);
	/* Nobody there: the reply end is closed without a word. */
	if (hop != NULL && m->head.len >= sizeof(struct owner_msg) &&
	    m->head.len <= OWNER_MSG_MAX)
		(void)hop_control(hop, LINK_REQUEST, 0, m->payload, m->head.len,
		    m->reply_fd);
}

static void
resolved(void *arg, int err, uint32_t ttl_s, const struct sw_addr *addrs,
    size_t n)
{
	struct question *q = arg;

	session_reply(q->reply_fd, err, ttl_s, addrs, n * sizeof(*addrs), -1);
	session_ask_done(q);
}

static void
reversed(void *arg, int err, const char *name)
{
	struct question *q = arg;

	session_reply(q->reply_fd, err, 0, name,
	    name == NULL ? 0 : strlen(name), -1);
	session_ask_done(q);
}

static void
dns_answered(void *arg, int err, const uint8_t *msg, size_t len)
{
	struct question *q = arg;

	session_reply(q->reply_fd, err, 0, msg, err == SW_OK ? len : 0, -1);
	session_ask_done(q);
}

static void
do_ask(struct session *s, struct control_msg *m)
{
	struct question *q;

	if (m->reply_fd < 0)
		return;
	if ((q = session_ask(s, m->reply_fd)) == NULL) {
		answer(m, SW_ERR_LIMIT);
		return;
	}
	m->reply_fd = -1;
	switch (m->head.op) {
	case SESSION_RESOLVE:
		names_service_resolve(s->tunnel->names, (const char *)m->payload,
		    m->head.len, (int)m->head.arg, resolved, q);
		break;
	case SESSION_REVERSE:
		names_service_reverse(s->tunnel->names, &m->head.addr, reversed, q);
		break;
	default:
		names_service_query(s->tunnel->names, NULL, m->payload, m->head.len,
		    0, dns_answered, q);
		break;
	}
}

static void
do_loopback(struct session *s, struct control_msg *m)
{
	int fd;

	if (m->reply_fd < 0)
		return;
	fd = (m->head.flags & SESSION_OPEN) != 0 ? wildcard_open(s, &m->head) :
	    s->start.no_loopback ? -EACCES :
	    loopback_open(s, m->head.arg, m->head.arg2, m->head.arg3);
	session_reply(m->reply_fd, fd < 0 ? -fd : 0, 0, NULL, 0, fd);
	if (fd >= 0)
		close(fd);
}

static void
do_device(struct session *s, struct control_msg *m)
{
	struct link_config config;
	int fds[DEVICE_FDS], r;

	for (int i = 0; i < DEVICE_FDS; i++)
		fds[i] = take_fd(m, i);
	if (m->reply_fd < 0 || fds[DEVICE_FDS - 1] < 0) {
		for (int i = 0; i < DEVICE_FDS; i++)
			if (fds[i] >= 0)
				close(fds[i]);
		answer(m, SW_ERR_FORMAT);
		return;
	}
	r = device_new(s, m->from, (int)m->head.arg, fds, &config);
	session_reply(m->reply_fd, r, 0, &config, r == SW_OK ? sizeof(config) :
	    0, -1);
}

static void
do_view(struct session *s, struct control_msg *m)
{
	struct hop *h = hop_find_owner(s, m->head.owner);

	if (m->reply_fd < 0)
		return;
	if (h != NULL && h->view == NULL)
		h->view = view_new(&h->config);
	if (h == NULL || h->view == NULL)
		answer(m, EAGAIN);
	else
		view_ask(h->view, m->head.arg, m->reply_fd);
}

static void
do_status(struct session *s, struct control_msg *m)
{
	char text[4096];
	size_t n = session_status(s, text, sizeof(text));

	if (m->reply_fd >= 0)
		session_reply(m->reply_fd, SW_OK, 0, text, n, -1);
}

static void
do_stop(struct session *s, struct control_msg *m)
{
	answer(m, SW_OK);
	s->loop.stop = true;
}

static void
do_note(struct session *s, struct control_msg *m)
{
	bool first = session_note(s, m->head.arg);

	if (m->reply_fd >= 0)
		session_reply(m->reply_fd, SW_OK, first, NULL, 0, -1);
}

/* Do what is asked.  Descriptors that stay in `m` are the caller's to close. */
static void
handle(struct session *s, struct control_msg *m)
{
	static void (*const doers[])(struct session *, struct control_msg *) = {
		[SESSION_ATTACH] = do_attach,
		[SESSION_HANDOVER] = do_handover,
		[SESSION_REQUEST] = do_request,
		[SESSION_RESOLVE] = do_ask,
		[SESSION_REVERSE] = do_ask,
		[SESSION_DNS] = do_ask,
		[SESSION_LOOPBACK] = do_loopback,
		[SESSION_DEVICE] = do_device,
		[SESSION_STATUS] = do_status,
		[SESSION_STOP] = do_stop,
		[SESSION_NOTE] = do_note,
		[SESSION_VIEW] = do_view,
	};
	size_t op = m->head.op;

	if (op < sizeof(doers) / sizeof(doers[0]) && doers[op] != NULL)
		doers[op](s, m);
	else
		answer(m, SW_ERR_UNSUPPORTED);
}

/* --- the connections ----------------------------------------------------- */

/* One message with its descriptors; its length, 0 at the end, or -errno.
 * -EBADMSG: it was cut, and is to be dropped. */
static ssize_t
receive(int fd, struct control_msg *m, uint8_t *buf, size_t cap)
{
	union {
		struct cmsghdr align;
		char space[CMSG_SPACE(CONTROL_FDS_MAX * sizeof(int))];
	} control;
	struct iovec iov = { .iov_base = buf, .iov_len = cap };
	struct msghdr msg = {
		.msg_iov = &iov, .msg_iovlen = 1,
		.msg_control = control.space,
		.msg_controllen = sizeof(control.space),
	};
	ssize_t n = recvmsg(fd, &msg, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);

	m->fd_n = 0;
	m->reply_fd = -1;
	if (n < 0)
		return -errno;
	for (struct cmsghdr *c = CMSG_FIRSTHDR(&msg); c != NULL;
	    c = CMSG_NXTHDR(&msg, c)) {
		size_t k = (c->cmsg_len - CMSG_LEN(0)) / sizeof(int);

		if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS)
			continue;
		for (size_t i = 0; i < k; i++) {
			int got;

			memcpy(&got, CMSG_DATA(c) + i * sizeof(int), sizeof(int));
			if (m->fd_n < CONTROL_FDS_MAX)
				m->fds[m->fd_n++] = got;
			else
				close(got);
		}
	}
	return (msg.msg_flags & (MSG_TRUNC | MSG_CTRUNC)) != 0 ? -EBADMSG : n;
}

static void
close_rest(struct control_msg *m)
{
	if (m->reply_fd >= 0)
		close(m->reply_fd);
	for (int i = 0; i < m->fd_n; i++)
		if (m->fds[i] >= 0)
			close(m->fds[i]);
}

static void
control_ready(struct loop_fd *w, uint32_t events)
{
	struct control *c = CONTAINER_OF(w, struct control, w);
	struct session *s = c->s;
	static uint8_t buf[SESSION_MSG_MAX];

	(void)events;
	for (int i = 0; i < MSGS_PER_EVENT && !s->loop.stop; i++) {
		struct control_msg m;
		ssize_t n = receive(c->w.fd, &m, buf, sizeof(buf));

		if (n == -EAGAIN)
			return;
		if (n == -EINTR)
			continue;
		/* A zero-length message looks like the end; nobody sends it. */
		if (n == 0 || (n < 0 && n != -EBADMSG)) {
			close_rest(&m);
			control_free(c);
			session_consider_end(s);
			return;
		}
		if (n < 0 || control_parse(&m, buf, (size_t)n) != SW_OK)
			log_debug("session: a malformed message, dropped");
		else {
			m.from = c;
			handle(s, &m);
		}
		close_rest(&m);
	}
}

int
control_new(struct session *s, int fd)
{
	struct control *c = calloc(1, sizeof(*c));

	if (c == NULL) {
		close(fd);
		return SW_ERR_NOMEM;
	}
	c->s = s;
	c->w = (struct loop_fd){ .fd = fd, .ready = control_ready };
	if (loop_add(&s->loop, &c->w, EPOLLIN) != SW_OK) {
		close(fd);
		free(c);
		return SW_ERR_SYS;
	}
	c->next = s->controls;
	if (c->next != NULL)
		c->next->prev = c;
	s->controls = c;
	return SW_OK;
}

void
control_free(struct control *c)
{
	struct session *s = c->s;

	if (c->prev != NULL)
		c->prev->next = c->next;
	else
		s->controls = c->next;
	if (c->next != NULL)
		c->next->prev = c->prev;
	loop_del(&s->loop, &c->w);
	close(c->w.fd);
	device_orphan(s, c);
	free(c);
}

void
control_free_all(struct session *s)
{
	for (struct control *c = s->controls, *next; c != NULL; c = next) {
		next = c->next;
		control_free(c);
	}
}
