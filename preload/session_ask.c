/*
 * Questions of wrapped processes that wait for their answers, and the answers.
 */
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "preload/session.h"
#include "preload/session_proto.h"

void
session_reply(int reply_fd, int error, uint32_t arg, const void *payload,
    size_t len, int fd)
{
	struct session_reply rep = {
		.magic = SESSION_MAGIC, .error = error, .arg = arg,
		.len = (uint32_t)len,
	};
	struct iovec iov[2] = {
		{ .iov_base = &rep, .iov_len = sizeof(rep) },
		{ .iov_base = (void *)(uintptr_t)payload, .iov_len = len },
	};
	union {
		struct cmsghdr align;
		char space[CMSG_SPACE(sizeof(int))];
	} control;
	struct msghdr m = { .msg_iov = iov, .msg_iovlen = len > 0 ? 2 : 1 };

	if (fd >= 0) {
		struct cmsghdr *c;

		memset(&control, 0, sizeof(control));
		m.msg_control = control.space;
		m.msg_controllen = sizeof(control.space);
		c = CMSG_FIRSTHDR(&m);
		c->cmsg_level = SOL_SOCKET;
		c->cmsg_type = SCM_RIGHTS;
		c->cmsg_len = CMSG_LEN(sizeof(int));
		memcpy(CMSG_DATA(c), &fd, sizeof(int));
	}
	/* The asker may be gone, which is its own affair. */
	(void)sendmsg(reply_fd, &m, MSG_DONTWAIT | MSG_NOSIGNAL);
}

struct question *
session_ask(struct session *s, int fd)
{
	struct question *q;

	if (s->question_n >= SESSION_QUESTIONS_MAX ||
	    (q = calloc(1, sizeof(*q))) == NULL)
		return NULL;
	q->s = s;
	q->reply_fd = fd;
	q->next = s->questions;
	if (q->next != NULL)
		q->next->prev = q;
	s->questions = q;
	s->question_n++;
	return q;
}

void
session_ask_done(struct question *q)
{
	if (q->prev != NULL)
		q->prev->next = q->next;
	else
		q->s->questions = q->next;
	if (q->next != NULL)
		q->next->prev = q->prev;
	q->s->question_n--;
	if (q->reply_fd >= 0)
		close(q->reply_fd);
	free(q);
}

bool
session_is_our_resolver(struct session *s, const struct sw_addr *dst)
{
	return dst->port == 53 && (addr_is_private(dst) ||
	    addr_is_loopback(dst) || names_is_virtual(dst) ||
	    resolv_has(&s->resolv, dst, s->loop.now_ms));
}

static void
answered(void *arg, int err, const uint8_t *msg, size_t len)
{
	struct question *q = arg;

	if (err == SW_OK)
		splice_send_udp(q->splice, &q->dst, &q->src, msg, len);
	session_ask_done(q);
}

void
session_ask_names(struct session_tunnel *t, struct splice *splice,
    const struct sw_addr *src, const struct sw_addr *dst, const uint8_t *msg,
    size_t len, size_t udp_max)
{
	struct question *q = session_ask(t->s, -1);

	if (q == NULL)
		return;			/* lost: it will be asked again */
	q->splice = splice;
	q->src = *src;
	q->dst = *dst;
	names_service_query(t->names,
	    session_is_our_resolver(t->s, dst) ? NULL : dst, msg, len, udp_max,
	    answered, q);
}
