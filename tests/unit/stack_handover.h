/*
 * stack_handover.h - hands the rig's owner over to a new one.
 */
#ifndef SW_TESTS_STACK_HANDOVER_H
#define SW_TESTS_STACK_HANDOVER_H

#include <pthread.h>

#include "tests/unit/stack_rig.h"

/* lwIP is one per process, so the two halves of a handover cannot run at the
 * same time here: this thread keeps the messages in between. */
struct kept_message {
	size_t len, nfds;
	int fds[2];
	uint8_t data[65536];
	struct kept_message *next;
};

struct keeper {
	int in, out;
	struct kept_message *first;
	size_t count, bytes;
};

static void *
keep(void *arg)
{
	struct keeper *k = arg;
	struct kept_message **at = &k->first;

	for (;;) {
		struct kept_message *m = calloc(1, sizeof(*m));
		char room[CMSG_SPACE(2 * sizeof(int))] = { 0 };
		struct iovec iov = { m->data, sizeof(m->data) };
		struct msghdr h = {
			.msg_iov = &iov, .msg_iovlen = 1, .msg_control = room,
			.msg_controllen = sizeof(room),
		};
		ssize_t n = recvmsg(k->in, &h, MSG_CMSG_CLOEXEC);
		struct cmsghdr *c;

		if (n <= 0) {
			free(m);
			break;
		}
		m->len = (size_t)n;
		c = CMSG_FIRSTHDR(&h);
		if (c != NULL) {
			m->nfds = (c->cmsg_len - CMSG_LEN(0)) / sizeof(int);
			memcpy(m->fds, CMSG_DATA(c), m->nfds * sizeof(int));
		}
		k->count++;
		k->bytes += m->len;
		*at = m;
		at = &m->next;
	}
	return NULL;
}

static void *
give(void *arg)
{
	struct keeper *k = arg;

	while (k->first != NULL) {
		struct kept_message *m = k->first;
		char room[CMSG_SPACE(2 * sizeof(int))] = { 0 };
		struct iovec iov = { m->data, m->len };
		struct msghdr h = { .msg_iov = &iov, .msg_iovlen = 1 };

		if (m->nfds > 0) {
			struct cmsghdr *c;

			h.msg_control = room;
			h.msg_controllen = CMSG_SPACE(m->nfds * sizeof(int));
			c = CMSG_FIRSTHDR(&h);
			c->cmsg_level = SOL_SOCKET;
			c->cmsg_type = SCM_RIGHTS;
			c->cmsg_len = CMSG_LEN(m->nfds * sizeof(int));
			memcpy(CMSG_DATA(c), m->fds, m->nfds * sizeof(int));
		}
		(void)!sendmsg(k->out, &h, MSG_NOSIGNAL);
		for (size_t i = 0; i < m->nfds; i++)
			close(m->fds[i]);
		k->first = m->next;
		free(m);
	}
	close(k->out);
	return NULL;
}

static bool rig_told;

static void
handed_over(void *arg, struct owner *o)
{
	(void)arg;
	rig.owner = o;
	rig_told = true;
}

/* As the session would, which knows what it has granted. */
static void
hand_over_to(uint32_t id, const struct link_config *granted)
{
	struct keeper k = { .in = -1 };
	pthread_t t;
	int fd[2];

	rig_told = false;
	assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, fd), 0);
	k.in = fd[1];
	assert_int_equal(pthread_create(&t, NULL, keep, &k), 0);
	assert_int_equal(owner_export(rig.owner, fd[0]), SW_OK);
	rig.owner = NULL;
	close(fd[0]);
	pthread_join(t, NULL);
	close(fd[1]);
	assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, fd), 0);
	k.out = fd[0];
	assert_int_equal(pthread_create(&t, NULL, give, &k), 0);
	assert_non_null(owner_import_start(&rig.loop, fd[1], id, granted,
	    &rig_owner_events, NULL, handed_over));
	rig_until(rig_told);
	pthread_join(t, NULL);
}

static __attribute__((unused)) void
hand_over(void)
{
	hand_over_to(1, &rig.config);
	assert_non_null(rig.owner);
}

#endif
