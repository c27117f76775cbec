/*
 * shim_owner.c - the image's owner: its channel, and who reads it.
 *
 * An owner id is chosen with the first socket of an image.  Messages wait in
 * the channel until something needs an answer from the network; only then is
 * the session asked to attach a link and the thread started.  So a program
 * that makes sockets for their ioctls, or talks to this machine only, starts
 * nothing.
 *
 * Sockets that carry another owner's id (inherited, passed, or made before a
 * fork) are spoken about through the session, which knows all owners.
 */
#include "preload/shim_image.h"

#include <fcntl.h>
#include <string.h>

#include "base/clock.h"
#include "stack/owner.h"

/* The process whose lwIP has used this memory; a forked child inherits it. */
static int32_t stack_pid;

static uint32_t
random_id(void)
{
	uint32_t v = 0;

	while (v == 0 || v == OWNER_LOCAL)
		if (sys_call3(SYS_getrandom, (long)&v, sizeof(v), 0) !=
		    sizeof(v))
			v = (uint32_t)clock_now_ms() ^
			    (uint32_t)image_own_pid() << 16;
	return v;
}

static int
make_channel(int fds[2])
{
	int r;

	fds[0] = fds[1] = -1;
	r = sys_socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, fds);
	if (r < 0)
		return r;
	for (unsigned i = 0; i < 2; i++)
		if ((fds[i] = shim_lift_fd(fds[i])) < 0) {
			sys_close(fds[1 - i]);
			return -EMFILE;
		}
	sys_fcntl(fds[1], F_SETFL, O_RDWR | O_NONBLOCK);
	return 0;
}

static int
attach(uint32_t id, uint16_t flags, int fd, struct link_config *config)
{
	struct session_msg m = { .op = SESSION_ATTACH, .owner = id,
		.arg = (uint32_t)image_own_pid(), .flags = flags };
	struct session_reply rep;
	int r;

	memset(config, 0, sizeof(*config));
	r = shim_session_request(&m, NULL, 0, &fd, 1, &rep, config,
	    sizeof(*config), NULL, IMAGE_ASK_MS);
	if (r == -EMFILE || r == -ENFILE)
		return r;
	if (r >= 0 && rep.error == SW_ERR_UNSUPPORTED)
		return -EOPNOTSUPP;
	if (r < 0 || rep.error != 0)
		return -ENETUNREACH;
	return 0;
}

/* flags: SESSION_IF_BETTER or 0.  -EOPNOTSUPP: it is not. */
static int
host_owner(struct image *im, uint16_t flags)
{
	int r;

	if (!image_fd_valid(im, IMAGE_SERVER))
		return -ENETUNREACH;
	r = attach(im->id, SESSION_HOST | flags, im->fds[IMAGE_SERVER].fd,
	    &im->config);
	if (r < 0)
		return r;
	image_fd_close(im, IMAGE_SERVER);
	im->has_config = true;
	im->stage = IMAGE_HOSTED;
	return 0;
}

int
image_host_owner(struct image *im)
{
	return host_owner(im, 0);
}

/* Sanitizers' interceptors want threads that libc knows. */
extern void __tsan_init(void) __attribute__((weak));
extern void __msan_init(void) __attribute__((weak));

static int
run_thread(struct image *im)
{
	int link[2] = { -1, -1 }, ctl = shim_ctl(), r;

	if (ctl < 0)
		return -ENETUNREACH;
	if ((r = sys_socketpair(AF_UNIX,
	    SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, link)) < 0)
		return r;
	r = attach(im->id, 0, link[1], &im->config);
	sys_close(link[1]);
	if (r < 0) {
		sys_close(link[0]);
		return r;
	}
	im->has_config = true;
	r = shim_thread_start(im, im->fds[IMAGE_SERVER].fd, link[0], ctl);
	sys_close(link[0]);
	if (r < 0)
		return r;
	stack_pid = image_own_pid();
	image_fd_close(im, IMAGE_SERVER);
	im->stage = IMAGE_THREAD;
	return 0;
}

int
image_start_owner(struct image *im)
{
	/* One thread for an image: lwIP's state cannot serve two. */
	enum shim_stack where = shim_config()->stack;
	bool host = where == SHIM_STACK_SESSION ||
	    stack_pid == image_own_pid() || __tsan_init != NULL ||
	    __msan_init != NULL;
	int r;

	if (im->stage != IMAGE_WAITING)
		return im->stage == IMAGE_NONE ? -ENETUNREACH : 0;
	if (!image_fd_valid(im, IMAGE_SERVER))
		return -ENETUNREACH;
	if (!host && where == SHIM_STACK_AUTO &&
	    (r = host_owner(im, SESSION_IF_BETTER)) != -EOPNOTSUPP)
		return r;
	if (!host && stack_pid != 0)
		stack_forget();
	/* Hosting takes two descriptors less. */
	if (!host && (r = run_thread(im)) != -EPERM && r != -EMFILE)
		return r;
	return image_host_owner(im);
}

/* The channel for a new socket, made if there is none.  Lock held. */
static int
ready_channel(struct image *im)
{
	int fds[2], r;

	if (im->stage != IMAGE_NONE && image_fd_valid(im, IMAGE_CHANNEL))
		return 0;
	/* Lost to a program that closes what it does not know: begin anew. */
	image_fd_close(im, IMAGE_CHANNEL);
	image_fd_close(im, IMAGE_SERVER);
	if ((r = make_channel(fds)) < 0)
		return r;
	image_fd_set(im, IMAGE_CHANNEL, fds[0]);
	image_fd_set(im, IMAGE_SERVER, fds[1]);
	im->id = random_id();
	im->waiting = im->newborn = 0;
	im->stage = IMAGE_WAITING;
	return 0;
}

static int
make_pair(int type, struct shim_tag t, int pair[2])
{
	int kind = t.flags & SHIM_DGRAM ? SOCK_SEQPACKET : SOCK_STREAM, r;

	/* The far end is always O_NONBLOCK and CLOEXEC. */
	if ((r = sys_socketpair(AF_UNIX, kind | SOCK_NONBLOCK | SOCK_CLOEXEC,
	    0, pair)) < 0)
		return r;
	if ((r = shim_tag_set(pair[0], t)) < 0) {
		sys_close(pair[0]);
		sys_close(pair[1]);
		return r;
	}
	if (!(type & SOCK_NONBLOCK))
		sys_fcntl(pair[0], F_SETFL, O_RDWR);
	if (!(type & SOCK_CLOEXEC))
		sys_fcntl(pair[0], F_SETFD, 0);
	return 0;
}

static int
send_open(int channel, const int pair[2], struct shim_tag t)
{
	struct owner_msg m = { .magic = OWNER_MAGIC, .op = OWNER_OPEN,
		.owner = t.owner, .cookie = shim_cookie(pair[0]),
		.flags = (uint16_t)((t.flags & SHIM_DGRAM ? OWNER_DGRAM : 0) |
		    (t.flags & SHIM_V6 ? OWNER_V6 : 0)) };
	struct iovec iov = { &m, sizeof(m) };

	return (int)shim_send_fds(channel, &iov, 1, &pair[1], 1);
}

/* Where nothing may be remembered: an owner for this one socket, run by the
 * session from birth. */
static int
open_pair_hosted(int type, struct shim_tag *t, int *app)
{
	struct link_config config;
	int chan[2], pair[2] = { -1, -1 }, r;

	if ((r = make_channel(chan)) < 0)
		return r;
	t->owner = random_id();
	r = attach(t->owner, SESSION_HOST, chan[1], &config);
	sys_close(chan[1]);
	if (r == 0 && (r = make_pair(type, *t, pair)) == 0) {
		if (send_open(chan[0], pair, *t) < 0) {
			sys_close(pair[0]);
			r = -ENETDOWN;
		} else {
			*app = pair[0];
		}
		sys_close(pair[1]);
	}
	sys_close(chan[0]);
	return r;
}

/* The owner has died (its session went away): this socket begins another. */
static int
send_open_anew(struct image *im, const int pair[2], struct shim_tag *t)
{
	int r;

	im->stage = IMAGE_NONE;
	if ((r = ready_channel(im)) < 0)
		return r;
	t->owner = im->id;
	if ((r = shim_tag_set(pair[0], *t)) < 0)
		return r;
	return send_open(im->fds[IMAGE_CHANNEL].fd, pair, *t);
}

int
shim_open_pair(int type, struct shim_tag *t, int *app)
{
	struct image *im = image_get();
	struct shim_guard g;
	int pair[2] = { -1, -1 }, r;

	if (im == NULL)
		return open_pair_hosted(type, t, app);
	shim_lock(&g, &im->lock);
	if ((r = ready_channel(im)) < 0)
		goto out;
	t->owner = im->id;
	if ((r = make_pair(type, *t, pair)) < 0)
		goto out;
	if (im->stage == IMAGE_WAITING && im->waiting >= IMAGE_WAITING_MAX)
		r = image_start_owner(im);
	if (r == 0)
		r = send_open(im->fds[IMAGE_CHANNEL].fd, pair, *t);
	if (r == -EPIPE || r == -ECONNRESET)
		r = send_open_anew(im, pair, t);
	sys_close(pair[1]);
	if (r < 0) {
		sys_close(pair[0]);
		r = r == -ETOOMANYREFS ? -EMFILE : -ENETDOWN;
		goto out;
	}
	__atomic_add_fetch(&im->waiting, 1, __ATOMIC_RELAXED);
	im->newborn++;
	*app = pair[0];
	r = 0;
out:
	shim_unlock(&g, &im->lock);
	return r;
}

bool
shim_owner_is_ours(struct shim_tag t)
{
	const struct image *im = image_peek();

	return im != NULL && im->id == t.owner &&
	    image_fd_valid(im, IMAGE_CHANNEL);
}

/*
 * While nobody reads the channel, take back what was said of a socket: else a
 * program that stays on this machine would start a stack after a few sockets,
 * and its descriptors in flight count against all of the user's processes.
 */
static void
retract(struct image *im, uint64_t cookie)
{
	const int channel = im->fds[IMAGE_CHANNEL].fd;
	uint32_t n = im->waiting;

	for (uint32_t i = 0; i < n; i++) {
		struct owner_msg m;
		uint8_t payload[256];
		struct iovec iov[2] = { { &m, sizeof(m) }, { payload, 0 } };
		ssize_t got;
		int fd = -1;

		got = shim_receive(im->fds[IMAGE_SERVER].fd, &m, sizeof(m),
		    payload, sizeof(payload), &fd, 0);
		if (got < 0)
			break;
		if (m.cookie == cookie) {
			im->waiting--;
		} else {
			iov[1].iov_len = (size_t)got - sizeof(m);
			(void)shim_send_fds(channel, iov, 2, &fd, fd >= 0);
		}
		if (fd >= 0)
			sys_close(fd);
	}
}

void
shim_owner_lost(struct shim_tag t, uint64_t cookie)
{
	struct image *im = image_peek();
	struct shim_guard g;

	if (im == NULL || im->id != t.owner)
		return;
	shim_lock(&g, &im->lock);
	if (im->id == t.owner && im->stage == IMAGE_WAITING) {
		if (im->newborn > 0)
			im->newborn--;
		if (image_fd_valid(im, IMAGE_SERVER) &&
		    image_fd_valid(im, IMAGE_CHANNEL))
			retract(im, cookie);
	}
	shim_unlock(&g, &im->lock);
}

int
shim_owner_start(struct shim_tag t)
{
	struct image *im = image_get();
	struct shim_guard g;
	int r;

	if (im == NULL || im->id != t.owner || im->stage != IMAGE_WAITING)
		return 0;
	shim_lock(&g, &im->lock);
	r = im->id == t.owner ? image_start_owner(im) : 0;
	shim_unlock(&g, &im->lock);
	return r;
}

int
shim_owner_self(struct link_config *out, uint32_t *id)
{
	struct image *im = image_get();
	struct shim_guard g;
	int r = 0;

	memset(out, 0, sizeof(*out));
	if (im == NULL)
		return -ENETUNREACH;
	shim_lock(&g, &im->lock);
	if (!im->has_config && (r = ready_channel(im)) == 0)
		r = image_start_owner(im);
	if (r == 0) {
		*out = im->config;
		*id = im->id;
	}
	shim_unlock(&g, &im->lock);
	return r;
}

int
shim_owner_config(struct link_config *out)
{
	uint32_t id;

	return shim_owner_self(out, &id);
}
