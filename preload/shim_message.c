/*
 * shim_message.c - what is said to the owner of a socket: straight into the
 * channel of this image's own, by way of the session to any other.
 */
#include "preload/shim_image.h"

#include <string.h>
#include <time.h>

#define UNKNOWN_TRIES 50

/* Into our own channel.  -EXDEV: it is another's, or our channel is lost. */
static int
send_own(struct shim_tag t, const struct owner_msg *m, const void *payload,
    size_t len, int reply_end)
{
	struct image *im = image_get();
	struct iovec iov[2] = { { (void *)(uintptr_t)m, sizeof(*m) },
		{ (void *)(uintptr_t)payload, len } };

	if (im == NULL || im->id != t.owner ||
	    !image_fd_valid(im, IMAGE_CHANNEL))
		return -EXDEV;
	if (im->stage == IMAGE_WAITING &&
	    __atomic_add_fetch(&im->waiting, 1, __ATOMIC_RELAXED) >=
	    IMAGE_WAITING_MAX)
		(void)shim_owner_start(t);
	return shim_send_fds(im->fds[IMAGE_CHANNEL].fd, iov, 2, &reply_end,
	    reply_end >= 0) < 0 ? -EXDEV : 0;
}

/* reply_end: borrowed, -1 for a message without answer. */
static int
send_message(struct shim_tag t, struct owner_msg *m, const void *payload,
    size_t len, int reply_end)
{
	unsigned nfds = reply_end >= 0;
	struct session_msg sm = { .op = SESSION_REQUEST, .owner = t.owner,
		.flags = nfds ? SESSION_HAS_REPLY : 0 };
	uint8_t whole[sizeof(*m) + 256];

	m->magic = OWNER_MAGIC;
	m->owner = t.owner;
	m->len = (uint32_t)len;
	if (nfds)
		m->flags |= OWNER_HAS_REPLY;
	if (len > sizeof(whole) - sizeof(*m))
		return -EMSGSIZE;
	if (send_own(t, m, payload, len, reply_end) == 0)
		return 0;
	memcpy(whole, m, sizeof(*m));
	if (len > 0)
		memcpy(whole + sizeof(*m), payload, len);
	return shim_session_request(&sm, whole, sizeof(*m) + len, &reply_end,
	    nfds, NULL, NULL, 0, NULL, 0);
}

int
shim_owner_tell(struct shim_tag t, struct owner_msg m, const void *payload,
    size_t len)
{
	return send_message(t, &m, payload, len, -1);
}

int
shim_owner_tell_own(struct shim_tag t, struct owner_msg m)
{
	m.magic = OWNER_MAGIC;
	m.owner = t.owner;
	m.len = 0;
	return send_own(t, &m, NULL, 0, -1);
}

static int
ask_once(struct shim_tag t, struct owner_msg *m, const void *payload,
    size_t len, struct owner_reply *rep, void *buf, size_t cap)
{
	int pair[2] = { -1, -1 }, r;
	ssize_t n;

	*rep = (struct owner_reply){ 0 };
	if ((r = sys_socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0,
	    pair)) < 0)
		return r;
	r = send_message(t, m, payload, len, pair[1]);
	sys_close(pair[1]);
	n = r < 0 ? r : shim_receive(pair[0], rep, sizeof(*rep), buf, cap,
	    NULL, IMAGE_ASK_MS + (m->op == OWNER_DRAIN ? (int)m->arg : 0));
	sys_close(pair[0]);
	if (n < 0 || rep->magic != OWNER_MAGIC)
		return -ENETDOWN;
	return -rep->error;
}

int
shim_owner_ask(struct shim_tag t, struct owner_msg m, const void *payload,
    size_t len, struct owner_reply *rep, void *buf, size_t cap)
{
	const struct timespec pause = { .tv_nsec = 5000000 };
	int r;

	*rep = (struct owner_reply){ 0 };
	if ((r = shim_owner_start(t)) < 0)
		return r;
	r = ask_once(t, &m, payload, len, rep, buf, cap);
	/* By way of the session a question may overtake the news of the
	 * socket's birth, which waits in its maker's channel. */
	for (unsigned i = 0; i < UNKNOWN_TRIES && r == -EBADF &&
	    !shim_owner_is_ours(t); i++) {
		sys_call3(SYS_nanosleep, (long)&pause, 0, 0);
		r = ask_once(t, &m, payload, len, rep, buf, cap);
	}
	return r;
}

int
shim_owner_state(int fd, struct shim_tag t, uint16_t flags,
    struct owner_state *out)
{
	struct owner_msg m = { .op = OWNER_STATE, .flags = flags,
		.cookie = shim_cookie(fd) };
	struct owner_reply rep;

	memset(out, 0, sizeof(*out));
	return shim_owner_ask(t, m, NULL, 0, &rep, out, sizeof(*out));
}
