#include "preload/session.h"

#include <errno.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/container.h"
#include "base/log.h"
#include "preload/session_chain.h"
#include "preload/session_control.h"
#include "preload/session_device.h"
#include "preload/session_hop.h"
#include "preload/session_services.h"

/* --- life ---------------------------------------------------------------- */

static bool
has_own_stacks(const struct session *s)
{
	for (const struct hop *h = s->hops; h != NULL; h = h->next)
		if (!h->hosted)
			return true;
	return false;
}

void
session_consider_end(struct session *s)
{
	if (s->start.stay || s->start_fd >= 0 || s->loop.stop)
		return;
	if (s->controls != NULL || s->program_lives || has_own_stacks(s)) {
		loop_set_timer(&s->loop, &s->drain, SW_NEVER);
		s->draining = false;
		return;
	}
	/* Hosted owners go when all is sent; the tunnel's own flows, when it
	 * has taken what they hold. */
	if (s->start.no_drain || (s->hops == NULL && (s->tunnel == NULL ||
	    s->tunnel->ops->count_unsent(s->tunnel) == 0))) {
		s->loop.stop = true;
		return;
	}
	if (!s->draining) {
		log_info("session: the last program is gone, sending the rest");
		s->draining = true;
		s->drain_until = s->loop.now_ms + SESSION_DRAIN_MS;
	} else if (s->loop.now_ms >= s->drain_until) {
		log_warn("session: data was left unsent");
		s->loop.stop = true;
		return;
	}
	loop_set_timer(&s->loop, &s->drain, s->loop.now_ms + 50);
}

static void
drain_tick(struct loop_timer *t)
{
	session_consider_end(CONTAINER_OF(t, struct session, drain));
}

void
session_end_start(struct session *s)
{
	if (s->start_fd < 0)
		return;
	loop_del(&s->loop, &s->start_watch);
	close(s->start_fd);
	s->start_fd = -1;
	session_consider_end(s);
}

/* The launcher is gone before it had its answer: interrupted. */
static void
launcher_gone(struct loop_fd *w, uint32_t events)
{
	struct session *s = CONTAINER_OF(w, struct session, start_watch);

	(void)events;
	s->loop.stop = true;
}

static void
program_gone(struct loop_fd *w, uint32_t events)
{
	struct session *s = CONTAINER_OF(w, struct session, program_watch);

	(void)events;
	loop_del(&s->loop, w);
	close(w->fd);
	s->program_lives = false;
	session_consider_end(s);
}

static void
signalled(struct loop_fd *w, uint32_t events)
{
	struct session *s = CONTAINER_OF(w, struct session, signals);

	(void)events;
	log_info("session: ended by a signal");
	s->loop.stop = true;
}

static void
accept_control(struct loop_fd *w, uint32_t events)
{
	struct session *s = CONTAINER_OF(w, struct session, listener);

	(void)events;
	for (;;) {
		int fd = accept4(w->fd, NULL, NULL, SOCK_CLOEXEC);

		if (fd < 0)
			return;
		if (!rendezvous_is_peer_ours(fd)) {
			close(fd);
			continue;
		}
		if (control_new(s, fd) != SW_OK)
			log_warn("session: a connection could not be served");
	}
}

/* --- birth --------------------------------------------------------------- */

static int
fail(char why[static 256], const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));

static int
fail(char why[static 256], const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(why, 256, fmt, ap);
	va_end(ap);
	return SW_ERR_SYS;
}

static bool
watch(struct session *s, struct loop_fd *w, int fd,
    void (*ready)(struct loop_fd *, uint32_t), uint32_t events)
{
	*w = (struct loop_fd){ .fd = fd, .ready = ready };
	return fd >= 0 && loop_add(&s->loop, w, events) == SW_OK;
}

static bool
watch_signals(struct session *s)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGINT);
	(void)sigprocmask(SIG_BLOCK, &set, NULL);
	return watch(s, &s->signals, signalfd(-1, &set, SFD_CLOEXEC |
	    SFD_NONBLOCK), signalled, EPOLLIN);
}

static int
listen_on(struct session *s, char why[static 256])
{
	char name[OPTIONS_NAME_MAX + 1];
	int r;

	/* An unnamed session can be reached again by programs that lost their
	 * descriptor; no name that a person may give holds a ':'. */
	if (*s->start.name != '\0')
		memcpy(name, s->start.name, sizeof(name));
	else
		snprintf(name, sizeof(name), ":%d", (int)getpid());
	r = rendezvous_listen(name, s->path, &s->listen_fd, &s->lock_fd);
	if (r == SW_ERR_IN_USE)
		return fail(why, "session \"%s\" is already up; \"smolwrap down"
		    "\" ends one, -s NAME names another", name);
	if (r == SW_ERR_DENIED)
		return fail(why, "cannot trust \"%.90s\": it must be this user's "
		    "alone, and its folder's mode 0700", s->path);
	if (r != SW_OK)
		return fail(why, "could not listen in the session folder: %s",
		    r == SW_ERR_SYS ? strerror(errno) : sw_strerror(r));
	if (!watch(s, &s->listener, s->listen_fd, accept_control, EPOLLIN))
		return fail(why, "could not watch the session's socket: %s",
		    strerror(errno));
	return SW_OK;
}

static void
note_stray(void *arg)
{
	(void)session_note(arg, REASON_STRAY);
}

int
session_init(struct session *s, int ctl_fd, char why[static 256])
{
	int r;

	s->listen_fd = s->lock_fd = -1;
	s->drain.fire = drain_tick;
	s->local = (struct local_udp_set){ .loop = &s->loop, .stray = note_stray,
		.arg = s };
	if (loop_init(&s->loop) != SW_OK) {
		close(ctl_fd);
		return fail(why, "could not make an event loop: %s",
		    strerror(errno));
	}
	s->born_ms = s->loop.now_ms;
	if (ctl_fd >= 0 && (r = control_new(s, ctl_fd)) != SW_OK)
		return fail(why, "%s", sw_strerror(r));
	if ((r = listen_on(s, why)) != SW_OK)
		return r;
	if (!watch_signals(s) ||
	    !watch(s, &s->start_watch, s->start_fd, launcher_gone,
		EPOLLRDHUP))
		return fail(why, "could not watch descriptors: %s",
		    strerror(errno));
	if (s->start.pid > 0)
		s->program_lives = watch(s, &s->program_watch,
		    (int)syscall(SYS_pidfd_open, s->start.pid, 0), program_gone,
		    EPOLLIN);
	if ((r = chain_open(s, why)) != SW_OK)
		return r;
	if ((r = services_open(&s->services, s, why)) != SW_OK)
		return r;
	session_tunnel_progress(s->tunnel, "connecting");
	return SW_OK;
}

void
session_wipe(struct session *s)
{
	control_free_hosted(s);
	local_udp_wipe(&s->local);
	device_free_all(s);
	for (struct hop *h = s->hops, *next; h != NULL; h = next) {
		next = h->next;
		hop_free(h);
	}
	services_free(s->services);
	/* Nobody comes any more while the tunnel says goodbye. */
	control_free_all(s);
	if (s->listen_fd >= 0)
		loop_del(&s->loop, &s->listener);
	chain_close(s);
	for (struct question *q = s->questions, *next; q != NULL; q = next) {
		next = q->next;
		session_ask_done(q);
	}
	if (s->listen_fd >= 0) {
		char lock[RENDEZVOUS_MAX + 8];

		/* The lock file goes first and the lock last: whoever opens it
		 * anew meanwhile holds another file, and waits for no one. */
		snprintf(lock, sizeof(lock), "%s.lock", s->path);
		(void)unlink(s->path);
		(void)unlink(lock);
		close(s->listen_fd);
		close(s->lock_fd);
	}
	if (s->signals.fd > 0)
		close(s->signals.fd);
	if (s->program_lives)
		close(s->program_watch.fd);
	if (s->start_fd >= 0)
		close(s->start_fd);
	loop_wipe(&s->loop);
}
