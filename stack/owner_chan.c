#include <errno.h>
#include <string.h>

#include "base/container.h"
#include "base/log.h"
#include "base/sys.h"
#include "stack/owner_priv.h"

#include "lwip/priv/tcp_priv.h"

#define MESSAGES_PER_TURN 64
#define MESSAGES_AT_ONCE 4

void
chan_reply(int reply_fd, int error, const struct sw_addr *addr,
    const void *payload, size_t len)
{
	struct owner_reply r = {
		.magic = OWNER_MAGIC, .error = error, .len = (uint32_t)len,
	};
	struct iovec iov[2] = { { &r, sizeof(r) }, { NULL, len } };
	struct msghdr m = { .msg_iov = iov, .msg_iovlen = 2 };

	if (reply_fd < 0)
		return;
	if (addr != NULL)
		r.addr = *addr;
	if (len > 0)
		memcpy(&iov[1].iov_base, &payload, sizeof(payload));
	/* The pair is fresh and empty: this cannot block. */
	(void)sys_sendmsg(reply_fd, &m, MSG_DONTWAIT | MSG_NOSIGNAL);
	sys_close(reply_fd);
}

/* Without a descriptor for its far end, or memory, a socket fails when it is to
 * connect. */
static void
lose(struct owner *o, uint64_t cookie)
{
	tomb_add(o, &(struct tomb){ .cookie = cookie, .error = ENFILE,
	    .state = OWNER_FAILED });
	if (!o->short_told)
		log_warn("no descriptor left for a socket; raise the limit of "
		    "open files (ulimit -Hn)");
	o->short_told = true;
}

static void
do_open(struct owner *o, const struct owner_msg *m, int fd)
{
	if (fd >= 0 && (flow_find(o, m->cookie) != NULL ||
	    flow_new(o, m->cookie, fd, (m->flags & OWNER_DGRAM) != 0,
	    (m->flags & OWNER_V6) != 0) == NULL)) {
		sys_close(fd);
		fd = -1;
	}
	if (fd < 0 && flow_find(o, m->cookie) == NULL)
		lose(o, m->cookie);
}

static int
do_connect(struct flow *f, const struct owner_msg *m)
{
	if (f->dgram)
		return udp_connect(f, &m->addr);
	if (f->state == OWNER_NEW)
		conn_start(f, &m->addr, m->arg);
	return 0;
}

static int
do_bind(struct flow *f, const struct owner_msg *m)
{
	struct owner *o = f->owner;
	int err;

	if (f->state != OWNER_NEW || f->bound)
		return EINVAL;
	if (!addr_is_any(&m->addr) &&
	    !addr_same_ip(&m->addr, &o->config.inner4) &&
	    !addr_same_ip(&m->addr, &o->config.inner6))
		return EADDRNOTAVAIL;
	f->reuse = (m->flags & OWNER_REUSE) != 0;
	if ((err = port_take(f, m->addr.port)) != 0)
		return err;
	memcpy(f->local.ip, m->addr.ip, sizeof(f->local.ip));
	f->bound = true;
	return 0;
}

static void
reply_state(struct owner *o, struct flow *f, const struct owner_msg *m, int fd)
{
	struct owner_state s = { .state = OWNER_ENDED };
	const struct tomb *t = tomb_find(o, m->cookie);
	bool take = (m->flags & OWNER_TAKE_ERROR) != 0;

	if (f != NULL) {
		s.state = f->state;
		s.error = f->error;
		s.local = f->local;
		s.peer = f->peer;
		s.unsent = f->tx_held;
		s.tx_bytes = f->tx_bytes;
		s.rx_bytes = f->rx_bytes;
		if (f->pcb != NULL) {
			s.mss = f->pcb->mss;
			s.rtt_ms = (uint32_t)(f->pcb->sa >> 3) *
			    TCP_SLOW_INTERVAL;
			s.rto_ms = (uint32_t)f->pcb->rto * TCP_SLOW_INTERVAL;
			s.cwnd = f->pcb->cwnd;
			s.rexmits = f->pcb->nrtx;
		}
		if (take)
			f->error = 0;
	} else if (t != NULL) {
		s.state = t->state;
		s.error = t->error;
		s.local = t->local;
		s.peer = t->peer;
	}
	if (take)		/* wherever it is kept: told once */
		tomb_clear_error(o, m->cookie);
	chan_reply(fd, 0, NULL, &s, sizeof(s));
}

static void
do_drain(struct flow *f, const struct owner_msg *m, int fd)
{
	int err;

	if (f == NULL || f->pcb == NULL) {
		chan_reply(fd, 0, NULL, NULL, 0);
		return;
	}
	/* What was written before this message may still be in the far end. */
	f->in_ready = true;
	flow_touch(f);
	if ((err = flow_add_drain(f, fd, m->arg)) != 0)
		chan_reply(fd, err, NULL, NULL, 0);
}

/* Requests about one flow; fd is the reply end or -1. */
static void
about_flow(struct owner *o, const struct owner_msg *m, const uint8_t *payload,
    int fd)
{
	struct flow *f = flow_find(o, m->cookie);
	int err = EBADF;

	if (m->op == OWNER_STATE) {
		reply_state(o, f, m, fd);
		return;
	}
	if (m->op == OWNER_DRAIN) {
		do_drain(f, m, fd);
		return;
	}
	if (f == NULL) {
		chan_reply(fd, err, NULL, NULL, 0);
		return;
	}
	switch (m->op) {
	case OWNER_CONNECT:
		err = do_connect(f, m);
		break;
	case OWNER_BIND:
		err = do_bind(f, m);
		break;
	case OWNER_LISTEN:
		err = listen_start(f, m->arg);
		break;
	case OWNER_SETOPT:
		flow_option_set(f, m->arg, m->arg2, payload, m->len);
		err = 0;
		break;
	case OWNER_GETOPT:
		flow_option_reply(f, m->arg, m->arg2, fd);
		return;
	default:
		err = EINVAL;
		break;
	}
	chan_reply(fd, err, &f->local, NULL, 0);
}

void
chan_handle(struct owner *o, const uint8_t *msg, size_t len, int fd)
{
	struct owner_msg m;

	if (len < sizeof(m) || len > OWNER_MSG_MAX)
		goto bad;
	memcpy(&m, msg, sizeof(m));
	if (m.magic != OWNER_MAGIC || m.len != len - sizeof(m))
		goto bad;
	if (m.op == OWNER_OPEN) {
		do_open(o, &m, fd);
		return;
	}
	if ((m.flags & OWNER_HAS_REPLY) == 0 && fd >= 0) {
		sys_close(fd);
		fd = -1;
	}
	about_flow(o, &m, msg + sizeof(m), fd);
	return;
bad:
	log_debug("owner %u: bad message dropped", o->id);
	if (fd >= 0)
		sys_close(fd);
}

/* A message's place, for one call to fill several. */
struct place {
	struct iovec iov;
	_Alignas(struct cmsghdr) char control[CMSG_SPACE(sizeof(int))];
	uint8_t buf[OWNER_MSG_MAX];
};

static int
fd_of(struct msghdr *m)
{
	struct cmsghdr *c = CMSG_FIRSTHDR(m);
	int fd = -1;

	if (c != NULL && c->cmsg_level == SOL_SOCKET &&
	    c->cmsg_type == SCM_RIGHTS && c->cmsg_len >= CMSG_LEN(sizeof(int)))
		memcpy(&fd, CMSG_DATA(c), sizeof(int));
	return fd;
}

static void
close_chan(struct owner *o)
{
	loop_del(o->loop, &o->chan);
	sys_close(o->chan.fd);
	o->chan.fd = -1;
}

/* Messages of the channel, `max` at most, by one system call: a socket's birth
 * and what follows it mostly wait together.  False when no more wait. */
static bool
receive_some(struct owner *o, int max)
{
	struct place p[MESSAGES_AT_ONCE];
	struct mmsghdr m[MESSAGES_AT_ONCE];
	long n;

	if (max > MESSAGES_AT_ONCE)
		max = MESSAGES_AT_ONCE;
	for (int i = 0; i < max; i++) {
		p[i].iov = (struct iovec){ p[i].buf, sizeof(p[i].buf) };
		m[i].msg_hdr = (struct msghdr){
			.msg_iov = &p[i].iov, .msg_iovlen = 1,
			.msg_control = p[i].control,
			.msg_controllen = CMSG_LEN(sizeof(int)),
		};
	}
	n = sys_call6(SYS_recvmmsg, o->chan.fd, (long)m, max,
	    MSG_DONTWAIT | MSG_CMSG_CLOEXEC, 0, 0);
	if (n < 0 && n != -EAGAIN && n != -EINTR)
		close_chan(o);			/* every sender is gone */
	for (int i = 0; i < n && o->chan.fd >= 0; i++) {
		if (m[i].msg_len == 0)
			close_chan(o);
		else
			chan_handle(o, p[i].buf, m[i].msg_len,
			    fd_of(&m[i].msg_hdr));
	}
	return n == max || n == -EINTR;
}

void
chan_read(struct owner *o, int limit)
{
	for (int i = 0; i < limit && o->chan.fd >= 0; i += MESSAGES_AT_ONCE)
		if (!receive_some(o, limit - i))
			break;
}

void
chan_ready(struct loop_fd *w, uint32_t events)
{
	(void)events;
	chan_read(CONTAINER_OF(w, struct owner, chan), MESSAGES_PER_TURN);
}
