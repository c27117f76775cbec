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
#include <linux/futex.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>

#include "base/clock.h"
#include "stack/owner.h"

#define WAITING_MAX 8		/* messages, before the owner is started */
#define ASK_TIMEOUT_MS 10000
#define UNKNOWN_TRIES 50

#if defined(__x86_64__)
#define PAGE 4096
#else
#define PAGE 65536		/* the largest in use */
#endif

static union {
	struct image image;
	char page[PAGE];
} home __attribute__((aligned(PAGE)));

/* The same descriptors in ordinary memory, for the forked child to close. */
static struct image_fd inherited[IMAGE_FDS];

/* The process whose lwIP has used this memory; a forked child inherits it. */
static int32_t stack_pid;

/* ---- memory ------------------------------------------------------------- */

static void watch_forks(void);

static int32_t
own_pid(void)
{
	return (int32_t)sys_call3(SYS_getpid, 0, 0, 0);
}

/* A vfork child runs in its parent's memory; the kernel's note of where to
 * clear a thread's id is set in every process and thread that libc made, and
 * not in one made by vfork. */
static bool
is_vfork_child(void)
{
	uint32_t *tid = NULL;

	return sys_call6(SYS_prctl, PR_GET_TID_ADDRESS, (long)&tid, 0, 0, 0,
	    0) == 0 && tid == NULL;
}

struct image *
image_peek(void)
{
	struct image *im = &home.image;

	return im->pid != 0 && im->pid == own_pid() ? im : NULL;
}

struct image *
image_get(void)
{
	struct image *im = &home.image;
	int32_t pid = own_pid(), none = 0;

	if (im->pid == pid)
		return im;
	if (im->pid != 0 || is_vfork_child())
		return NULL;
	if (__atomic_compare_exchange_n(&im->pid, &none, pid, false,
	    __ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE)) {
		madvise(&home, sizeof(home), MADV_WIPEONFORK);
		watch_forks();
	}
	return im;
}

bool
shim_memory_is_ours(void)
{
	return image_get() != NULL;
}

void
shim_futex_wait(uint32_t *word, uint32_t value, int timeout_ms)
{
	struct timespec ts = { .tv_sec = timeout_ms / 1000,
		.tv_nsec = timeout_ms % 1000 * 1000000L };

	sys_call6(SYS_futex, (long)word, FUTEX_WAIT_PRIVATE, value,
	    timeout_ms < 0 ? 0 : (long)&ts, 0, 0);
}

void
shim_futex_wake(uint32_t *word)
{
	sys_call6(SYS_futex, (long)word, FUTEX_WAKE_PRIVATE, INT32_MAX, 0, 0,
	    0);
}

void
shim_lock(struct shim_guard *g, uint32_t *word)
{
	uint64_t all = ~(uint64_t)0;
	uint32_t seen = 0;

	sys_call6(SYS_rt_sigprocmask, SIG_BLOCK, (long)&all, (long)&g->mask,
	    sizeof(all), 0, 0);
	/* 0 free, 1 held, 2 held and waited for */
	if (__atomic_compare_exchange_n(word, &seen, 1, false,
	    __ATOMIC_ACQUIRE, __ATOMIC_RELAXED))
		return;
	while (__atomic_exchange_n(word, 2, __ATOMIC_ACQUIRE) != 0)
		shim_futex_wait(word, 2, -1);
}

void
shim_unlock(const struct shim_guard *g, uint32_t *word)
{
	if (__atomic_exchange_n(word, 0, __ATOMIC_RELEASE) == 2)
		shim_futex_wake(word);
	sys_call6(SYS_rt_sigprocmask, SIG_SETMASK, (long)&g->mask, 0,
	    sizeof(g->mask), 0, 0);
}

/* ---- descriptors of our own --------------------------------------------- */

bool
image_fd_valid(const struct image *im, enum image_fd_name n)
{
	const struct image_fd *f = &im->fds[n];

	return f->cookie != 0 && shim_cookie(f->fd) == f->cookie;
}

void
image_fd_set(struct image *im, enum image_fd_name n, int fd)
{
	im->fds[n] = (struct image_fd){ fd, shim_cookie(fd) };
	inherited[n] = im->fds[n];
}

void
image_fd_close(struct image *im, enum image_fd_name n)
{
	if (image_fd_valid(im, n))
		sys_close(im->fds[n].fd);
	im->fds[n] = inherited[n] = (struct image_fd){ 0 };
}

int
shim_kept_ctl(void)
{
	struct image *im = image_get();

	return im != NULL && image_fd_valid(im, IMAGE_CTL) ?
	    im->fds[IMAGE_CTL].fd : -1;
}

void
shim_keep_ctl(int fd, uint64_t cookie)
{
	struct image *im = image_get();

	(void)cookie;
	if (im != NULL)
		image_fd_set(im, IMAGE_CTL, fd);
}

unsigned
shim_owned_fds(int out[static SHIM_OWNED_MAX])
{
	const struct shim_config *c = shim_config();
	const struct image *im = image_peek();
	unsigned n = 0;

	for (unsigned i = 0; im != NULL && i < IMAGE_FDS; i++)
		if (image_fd_valid(im, i))
			out[n++] = im->fds[i].fd;
	if (c->wrapped && shim_is_ctl(c->ctl_fd))
		out[n++] = c->ctl_fd;
	for (unsigned i = 1; i < n; i++)
		for (unsigned k = i; k > 0 && out[k] < out[k - 1]; k--) {
			int swap = out[k];

			out[k] = out[k - 1];
			out[k - 1] = swap;
		}
	return n;
}

bool
shim_owns_fd(int fd)
{
	const struct shim_config *c = shim_config();
	const struct image *im = &home.image;

	/* Every close() asks: compare numbers before calling the kernel. */
	if (c->wrapped && fd == c->ctl_fd && shim_is_ctl(fd))
		return true;
	for (unsigned i = 0; i < IMAGE_FDS; i++)
		if (im->fds[i].cookie != 0 && im->fds[i].fd == fd)
			return image_peek() != NULL && image_fd_valid(im, i);
	return false;
}

int
shim_move_fd(int fd)
{
	struct image *im = image_get();
	struct shim_guard g;
	int r = 0;

	if (im == NULL)
		return -EBUSY;
	shim_lock(&g, &im->lock);
	for (unsigned i = 0; i < IMAGE_FDS; i++) {
		int up;

		if (im->fds[i].fd != fd || !image_fd_valid(im, i))
			continue;
		/* Above, so that a loop over all numbers ends. */
		up = sys_fcntl(fd, F_DUPFD_CLOEXEC, fd + 1);
		if (up < 0)
			r = up;
		else
			image_fd_set(im, i, up);
	}
	if (fd == shim_config()->ctl_fd && r == 0) {
		int up = sys_fcntl(fd, F_DUPFD_CLOEXEC, fd + 1);

		if (up < 0)
			r = up;
		else
			image_fd_set(im, IMAGE_CTL, up);
	}
	shim_unlock(&g, &im->lock);
	return r;
}

bool
shim_room_begin(struct shim_room *old)
{
	struct shim_room more;

	if (sys_call6(SYS_prlimit64, 0, RLIMIT_NOFILE, 0, (long)old, 0, 0) <
	    0 || old->soft >= old->hard)
		return false;
	more = (struct shim_room){ old->hard, old->hard };
	return sys_call6(SYS_prlimit64, 0, RLIMIT_NOFILE, (long)&more, 0, 0,
	    0) == 0;
}

void
shim_room_end(const struct shim_room *old)
{
	sys_call6(SYS_prlimit64, 0, RLIMIT_NOFILE, (long)old, 0, 0, 0);
}

/* ---- the owner's beginning ----------------------------------------------- */

static uint32_t
random_id(void)
{
	uint32_t v = 0;

	while (v == 0)
		if (sys_call3(SYS_getrandom, (long)&v, sizeof(v), 0) !=
		    sizeof(v))
			v = (uint32_t)clock_now_ms() ^
			    (uint32_t)own_pid() << 16;
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
attach(uint32_t id, bool host, int fd, struct link_config *config)
{
	struct session_msg m = { .op = SESSION_ATTACH, .owner = id,
		.arg = (uint32_t)own_pid(),
		.flags = host ? SESSION_HOST : 0 };
	struct session_reply rep;
	int r;

	memset(config, 0, sizeof(*config));
	r = shim_session_request(&m, NULL, 0, &fd, 1, &rep, config,
	    sizeof(*config), NULL, ASK_TIMEOUT_MS);
	if (r == -EMFILE || r == -ENFILE)
		return r;
	if (r < 0 || rep.error != 0)
		return -ENETUNREACH;
	return 0;
}

int
image_host_owner(struct image *im)
{
	int r;

	if (!image_fd_valid(im, IMAGE_SERVER))
		return -ENETUNREACH;
	r = attach(im->id, true, im->fds[IMAGE_SERVER].fd, &im->config);
	if (r < 0)
		return r;
	image_fd_close(im, IMAGE_SERVER);
	im->has_config = true;
	im->stage = IMAGE_HOSTED;
	return 0;
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
	r = attach(im->id, false, link[1], &im->config);
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
	stack_pid = own_pid();
	image_fd_close(im, IMAGE_SERVER);
	im->stage = IMAGE_THREAD;
	return 0;
}

int
image_start_owner(struct image *im)
{
	/* One thread for an image: lwIP's state cannot serve two. */
	bool host = shim_config()->host || stack_pid == own_pid() ||
	    __tsan_init != NULL || __msan_init != NULL;
	int r;

	if (im->stage != IMAGE_WAITING)
		return im->stage == IMAGE_NONE ? -ENETUNREACH : 0;
	if (!image_fd_valid(im, IMAGE_SERVER))
		return -ENETUNREACH;
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
	r = attach(t->owner, true, chan[1], &config);
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
	if (im->stage == IMAGE_WAITING && im->waiting >= WAITING_MAX)
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
shim_owner_config(struct link_config *out)
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
	if (r == 0)
		*out = im->config;
	shim_unlock(&g, &im->lock);
	return r;
}

/* ---- messages -------------------------------------------------------------- */

/* reply_end: borrowed, -1 for a message without answer. */
static int
send_message(struct shim_tag t, struct owner_msg *m, const void *payload,
    size_t len, int reply_end)
{
	struct image *im = image_get();
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
	if (im != NULL && im->id == t.owner &&
	    image_fd_valid(im, IMAGE_CHANNEL)) {
		struct iovec iov[2] = { { m, sizeof(*m) },
			{ (void *)(uintptr_t)payload, len } };
		ssize_t n;

		if (im->stage == IMAGE_WAITING &&
		    __atomic_add_fetch(&im->waiting, 1, __ATOMIC_RELAXED) >=
		    WAITING_MAX)
			(void)shim_owner_start(t);
		n = shim_send_fds(im->fds[IMAGE_CHANNEL].fd, iov, 2,
		    &reply_end, nfds);
		if (n >= 0)
			return 0;
	}
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
	    NULL, ASK_TIMEOUT_MS + (m->op == OWNER_DRAIN ? (int)m->arg : 0));
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

/* ---- fork -------------------------------------------------------------------- */

/* Sockets whose owner has not begun would be nobody's in the child: let the
 * session run them from here on. */
static void
before_fork(void)
{
	struct image *im = image_peek();
	struct shim_guard g;

	if (im == NULL || im->stage != IMAGE_WAITING || im->newborn == 0)
		return;
	shim_lock(&g, &im->lock);
	if (im->stage == IMAGE_WAITING && image_host_owner(im) == 0) {
		/* The parent's later sockets get a stack of their own. */
		image_fd_close(im, IMAGE_CHANNEL);
		im->stage = IMAGE_NONE;
		im->id = 0;
	}
	shim_unlock(&g, &im->lock);
}

static void
in_child(void)
{
	for (unsigned i = 0; i < IMAGE_FDS; i++) {
		if (inherited[i].cookie != 0 &&
		    shim_cookie(inherited[i].fd) == inherited[i].cookie)
			sys_close(inherited[i].fd);
		inherited[i] = (struct image_fd){ 0 };
	}
	memset(&home, 0, sizeof(home.image));
}

static void
watch_forks(void)
{
	/* In ordinary memory: a child inherits it with the handlers. */
	static bool watched;

	if (watched)
		return;
	watched = true;
	pthread_atfork(before_fork, NULL, in_child);
}
