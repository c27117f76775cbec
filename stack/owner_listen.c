#include <errno.h>
#include <string.h>

#include "base/sys.h"
#include "stack/owner_priv.h"

#include "lwip/priv/tcp_priv.h"

#define BACKLOG_MAX 4096

/* The program's end of an accepted connection, and ours.  One byte of filler
 * is sent through it, which then plays the byte kept unread. */
static int
make_pair(int *app, int *far, uint64_t *cookie)
{
	int fd[2] = { -1, -1 };
	socklen_t n = sizeof(*cookie);

	if (sys_socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK,
	    0, fd) != 0)
		return SW_ERR_SYS;
	if (sys_getsockopt(fd[0], SOL_SOCKET, SO_COOKIE, cookie, &n) != 0 ||
	    sys_send(fd[0], "", 1, MSG_DONTWAIT | MSG_NOSIGNAL) != 1) {
		sys_close(fd[0]);
		sys_close(fd[1]);
		return SW_ERR_SYS;
	}
	*app = fd[0];
	*far = fd[1];
	return SW_OK;
}

void
listen_append(struct flow *l, struct flow *f)
{
	struct flow **at = &l->backlog;

	while (*at != NULL)
		at = &(*at)->accept_next;
	*at = f;
	f->listener = l;
	l->backlog_len++;
	flow_touch(l);
}

static err_t
accepted(void *arg, struct tcp_pcb *pcb, err_t e)
{
	struct flow *l = arg, *f;
	int app = -1, far = -1;
	uint64_t cookie = 0;

	if (l == NULL || e != ERR_OK || pcb == NULL ||
	    l->backlog_len >= l->backlog_max)
		return ERR_MEM;			/* lwIP resets it */
	if (make_pair(&app, &far, &cookie) != SW_OK)
		return ERR_MEM;
	f = flow_new(l->owner, cookie, far, false, l->v6);
	if (f == NULL) {
		sys_close(app);
		sys_close(far);
		return ERR_MEM;
	}
	f->app_fd = app;
	f->kept = true;
	f->state = OWNER_CONNECTED;
	f->local = stack_addr(&pcb->local_ip, pcb->local_port);
	f->peer = stack_addr(&pcb->remote_ip, pcb->remote_port);
	conn_adopt(f, pcb);
	listen_append(l, f);
	return ERR_OK;
}

static int
listen_on(struct flow *f, int slot, const struct sw_addr *ip)
{
	struct tcp_pcb *pcb = stack_tcp_new(STACK_NEAR), *l;
	err_t e;

	if (pcb == NULL)
		return ENOBUFS;
	pcb->local_ip = stack_ip(ip);
	pcb->local_port = f->local.port;
	l = tcp_listen_with_backlog_and_err(pcb, 255, &e);
	if (l == NULL) {
		tcp_abort(pcb);
		return e == ERR_USE ? EADDRINUSE : ENOBUFS;
	}
	tcp_arg(l, f);
	tcp_accept(l, accepted);
	f->lpcb[slot] = l;
	return 0;
}

static void
tell_session(const struct flow *f, bool on)
{
	struct link_control c = {
		.op = LINK_LISTEN, .arg = on, .addr = f->local,
	};

	(void)!link_send_control(f->owner->link, &c, NULL, -1);
}

int
listen_start(struct flow *f, uint32_t backlog)
{
	const struct link_config *c = &f->owner->config;
	int err = 0;

	if (f->dgram)
		return EOPNOTSUPP;
	f->backlog_max = backlog == 0 ? 1 : backlog > BACKLOG_MAX ?
	    BACKLOG_MAX : backlog;
	if (f->state == OWNER_LISTENING)
		return 0;
	if (f->state != OWNER_NEW)
		return EINVAL;
	if (f->local.port == 0 && (err = port_take(f, 0)) != 0)
		return err;
	f->state = OWNER_LISTENING;
	if (!addr_is_any(&c->inner4))
		err = listen_on(f, 0, &c->inner4);
	if (err == 0 && f->v6 && !addr_is_any(&c->inner6))
		err = listen_on(f, 1, &c->inner6);
	if (err != 0) {
		listen_stop(f);
		f->state = OWNER_NEW;
		return err;
	}
	tell_session(f, true);
	return 0;
}

static ssize_t
pass_on(const struct flow *l, const struct flow *f)
{
	struct owner_accepted a = {
		.magic = OWNER_MAGIC, .flags = f->v6 ? OWNER_V6 : 0,
		.local = f->local, .peer = f->peer,
	};
	union {
		struct cmsghdr align;
		char room[CMSG_SPACE(sizeof(int))];
	} u;
	struct iovec iov = { &a, sizeof(a) };
	struct msghdr m = {
		.msg_iov = &iov, .msg_iovlen = 1, .msg_control = u.room,
		.msg_controllen = sizeof(u.room),
	};
	struct cmsghdr *c;

	memset(&u, 0, sizeof(u));
	c = CMSG_FIRSTHDR(&m);
	c->cmsg_level = SOL_SOCKET;
	c->cmsg_type = SCM_RIGHTS;
	c->cmsg_len = CMSG_LEN(sizeof(int));
	memcpy(CMSG_DATA(c), &f->app_fd, sizeof(int));
	return sys_sendmsg(l->w.fd, &m, MSG_DONTWAIT | MSG_NOSIGNAL);
}

void
listen_ready(struct flow *l)
{
	struct flow *f;

	if (l->app_gone) {
		flow_free(l);
		return;
	}
	while ((f = l->backlog) != NULL) {
		ssize_t r = pass_on(l, f);

		if (r == -EAGAIN || r == -ENOBUFS || r == -ETOOMANYREFS) {
			flow_watch_out(l, true);
			return;
		}
		l->backlog = f->accept_next;
		l->backlog_len--;
		f->listener = NULL;
		/* The program has its own reference now (or never will). */
		sys_close(f->app_fd);
		f->app_fd = -1;
		flow_touch(f);
	}
	flow_watch_out(l, false);
}

/* `f` ends while it waits to be accepted. */
void
listen_forget_waiting(struct flow *f)
{
	struct flow **at = &f->listener->backlog;

	while (*at != f)
		at = &(*at)->accept_next;
	*at = f->accept_next;
	f->listener->backlog_len--;
	f->listener = NULL;
}

void
listen_stop(struct flow *l)
{
	while (l->backlog != NULL)
		flow_free(l->backlog);
	for (int i = 0; i < 2; i++) {
		if (l->lpcb[i] == NULL)
			continue;
		tcp_arg(l->lpcb[i], NULL);
		(void)tcp_close(l->lpcb[i]);
		l->lpcb[i] = NULL;
	}
	if (!l->owner->link_dead && !l->owner->freed)
		tell_session(l, false);
}
