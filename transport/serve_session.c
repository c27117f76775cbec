/*
 * A session: one descriptor and one SSH engine.
 *
 *   STARTING --log-in--> IN --anything--> flushing --> gone
 *        `--login_s over--> gone
 *
 * Input is read into one buffer that all sessions share; only a part of a
 * packet is kept with its session.  Output is sent at the end of the turn in
 * which it came up.  While a client does not take its output, it is not read.
 */
#include "transport/serve_private.h"

#include <errno.h>
#include <linux/sockios.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/container.h"
#include "transport/serve_note.h"

#define MISSES_MAX 3
#define FLUSH_MS 5000			/* for a good-bye to be sent */
#define QUESTIONS_MAX 1024		/* bytes of questions that nobody answers */

/* ---- the end ---- */

void
serve_session_free(struct serve_session *s)
{
	struct serve_server *v = s->v;
	const char *why = serve_ssh_why(s->ssh);

	loop_set_timer(&v->l, &s->grace, SW_NEVER);
	loop_set_timer(&v->l, &s->alive, SW_NEVER);
	loop_del(&v->l, &s->w);
	if (s->is_dirty)
		LIST_DROP(&v->dirty, s, dirty);
	s->is_dirty = true;		/* not again */
	serve_relays_free(s);
	serve_remote_free(s);
	serve_ports_free(s);
	serve_names_free(s);
	LIST_DROP(&v->sessions, s, link);
	v->nsessions--;
	if (!s->counted_in)
		v->nstarting--;
	serve_note_login(&s->who, s->attempt);
	serve_note_closed(&s->who, s->counted_in,
	    (v->l.now_ms - s->since_ms) / 1000,
	    *why != '\0' ? why : "connection lost");
	serve_ssh_free(s->ssh);
	serve_keys_unref(s->keys);
	close(s->w.fd);
	free(s->part);
	free(s);
}

/* ---- moving bytes ---- */

void
serve_session_touch(struct serve_session *s)
{
	if (s->is_dirty)
		return;
	s->is_dirty = true;
	LIST_APPEND(&s->v->dirty, s, dirty);
}

static void
watch(struct serve_session *s, bool blocked)
{
	uint32_t events = blocked ? EPOLLOUT : 0u;

	if (!s->hung_up && !serve_ssh_is_full(s->ssh))
		events |= EPOLLIN;
	if (events == s->events)
		return;
	s->events = events;
	loop_mod(&s->v->l, &s->w, events);
}

/* Send what there is.  SW_OK: all; SW_AGAIN; SW_ERR_RESET. */
static int
send_output(struct serve_session *s)
{
	const uint8_t *p;
	size_t len;
	ssize_t n;

	while (p = serve_ssh_output(s->ssh, &len), len > 0) {
		n = send(s->w.fd, p, len, MSG_NOSIGNAL);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return errno == EAGAIN ? SW_AGAIN : SW_ERR_RESET;
		serve_ssh_sent(s->ssh, (size_t)n);
		s->sent += (uint64_t)n;
	}
	return SW_OK;
}

void
serve_session_flush(struct serve_session *s)
{
	int r = send_output(s);

	if (r < 0 || (r == SW_OK && serve_ssh_is_over(s->ssh))) {
		serve_session_free(s);
		return;
	}
	if (serve_ssh_is_over(s->ssh) && !s->hung_up) {
		/* Its last words wait for room. */
		s->hung_up = true;
		loop_set_timer(&s->v->l, &s->grace, s->v->l.now_ms + FLUSH_MS);
	}
	watch(s, r == SW_AGAIN);
}

/* Keep the rest for later.  false: no memory. */
static bool
keep(struct serve_session *s, const uint8_t *p, size_t len)
{
	uint8_t *q = NULL;

	if (len > 0 && (q = malloc(len)) == NULL)
		return false;
	if (len > 0)
		memcpy(q, p, len);
	free(s->part);
	s->part = q;
	s->part_len = len;
	return true;
}

/* `len` bytes in v->scratch, the kept part in front. */
static void
feed(struct serve_session *s, size_t len)
{
	uint8_t *p = s->v->scratch;
	size_t used;
	int r = serve_ssh_feed(s->ssh, p, len, &used);

	serve_session_touch(s);
	if (r == SW_OK && !keep(s, p + used, len - used))
		serve_ssh_bye(s->ssh, SERVE_BYE_APPLICATION, "out of memory");
}

static void
on_ready(struct loop_fd *w, uint32_t events)
{
	struct serve_session *s = CONTAINER_OF(w, struct serve_session, w);
	uint8_t *p = s->v->scratch;
	ssize_t n;

	if ((events & (EPOLLHUP | EPOLLERR)) != 0 &&
	    (s->events & EPOLLIN) == 0) {
		serve_session_free(s);
		return;
	}
	if ((events & EPOLLOUT) != 0)
		serve_session_touch(s);
	if ((events & (EPOLLIN | EPOLLHUP | EPOLLERR)) == 0 ||
	    (s->events & EPOLLIN) == 0)
		return;
	if (s->part_len > 0)
		memcpy(p, s->part, s->part_len);
	n = recv(s->w.fd, p + s->part_len, SERVE_SCRATCH - s->part_len, 0);
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n <= 0) {
		serve_session_free(s);
		return;
	}
	feed(s, s->part_len + (size_t)n);
}

/* ---- time ---- */

static void
on_grace(struct loop_timer *t)
{
	struct serve_session *s = CONTAINER_OF(t, struct serve_session, grace);

	if (!s->hung_up)
		serve_note_timeout(&s->who, "too slow");
	serve_session_free(s);
}

/* More than our questions has left the socket since we last looked: a client
 * at the end of a slow path has those before it that wait there, and is not
 * silent. */
static bool
takes_output(struct serve_session *s)
{
	uint64_t before = s->passed;
	int waiting = 0;

	if (ioctl(s->w.fd, SIOCOUTQ, &waiting) != 0 || waiting < 0 ||
	    (uint64_t)waiting > s->sent)
		return false;
	s->passed = s->sent - (uint64_t)waiting;
	return s->passed > before + QUESTIONS_MAX;
}

static void
on_alive(struct loop_timer *t)
{
	struct serve_session *s = CONTAINER_OF(t, struct serve_session, alive);
	uint64_t heard = serve_ssh_input(s->ssh);
	bool takes = takes_output(s);

	loop_set_timer(&s->v->l, t, s->v->l.now_ms +
	    (int64_t)s->v->limits.keepalive_s * 1000);
	if (heard != s->heard || takes) {
		s->heard = heard;
		s->misses = 0;
		return;
	}
	if (s->misses++ >= MISSES_MAX) {
		serve_ssh_bye(s->ssh, SERVE_BYE_APPLICATION, "no answer");
		serve_session_free(s);
		return;
	}
	serve_ssh_ping(s->ssh);
	serve_session_touch(s);
}

/* ---- the engine's questions ---- */

static bool
on_login(void *arg, const char *user, const struct serve_key *key, bool proved,
    struct serve_touch touch)
{
	struct serve_session *s = arg;
	struct serve_login in;
	int r = serve_login_check(s->v->keys, user, key,
	    s->who.has_addr ? &s->who.addr : NULL, (int64_t)time(NULL), &in);

	if (r == SW_OK && proved && ((in.need_touch && !touch.present) ||
	    (in.need_verify && !touch.verified))) {
		r = SW_ERR_DENIED;
		in.why = "the security key was not touched or unlocked";
	}
	if (r != SW_OK || proved)
		serve_note_attempt(s->attempt, key, user, &in, r == SW_OK);
	if (proved)
		serve_note_login(&s->who, s->attempt);
	if (r != SW_OK || !proved)
		return r == SW_OK;
	s->keys = serve_keys_ref(s->v->keys);
	s->grant = in.grant;
	s->may_forward = in.forwarding;
	s->counted_in = true;
	s->v->nstarting--;
	loop_set_timer(&s->v->l, &s->grace, SW_NEVER);
	if (s->v->limits.keepalive_s > 0)
		loop_set_timer(&s->v->l, &s->alive, s->v->l.now_ms +
		    (int64_t)s->v->limits.keepalive_s * 1000);
	return true;
}

static void
on_open(void *arg, struct serve_chan *c, const struct serve_open *what)
{
	struct serve_session *s = arg;

	if (s->v->draining) {
		serve_chan_refuse(c, SERVE_SHORTAGE, "the server is going down");
	} else if (!s->may_forward) {
		serve_chan_refuse(c, SERVE_PROHIBITED,
		    "this key may not forward");
	} else if (what->kind == SERVE_OPEN_UDP) {
		serve_ports_open(s, c);
	} else if (what->kind == SERVE_OPEN_NAMES) {
		if (s->v->dialing.outbound != NULL)
			serve_chan_refuse(c, SERVE_PROHIBITED,
			    "names are looked up elsewhere");
		else
			serve_names_open(s, c);
	} else if (what->to.port == 0 || !serve_permits_has(&s->grant->open,
	    what->to.host, what->to.port)) {
		serve_chan_refuse(c, SERVE_PROHIBITED,
		    "administratively prohibited");
	} else {
		serve_relay_dial(s, c, &what->to);
	}
}

static int
on_listen(void *arg, const char *bind, uint16_t port, uint16_t *bound)
{
	return serve_remote_listen(arg, bind, port, bound);
}

static int
on_unlisten(void *arg, const char *bind, uint16_t port)
{
	return serve_remote_unlisten(arg, bind, port);
}

static void
chan_opened(void *arg)
{
	struct serve_end *e = arg;

	e->ops->opened(e);
}

static void
chan_data(void *arg, const uint8_t *p, size_t len)
{
	struct serve_end *e = arg;

	e->ops->data(e, p, len);
}

static void
chan_eof(void *arg)
{
	struct serve_end *e = arg;

	e->ops->eof(e);
}

static void
chan_writable(void *arg)
{
	struct serve_end *e = arg;

	e->ops->writable(e);
}

static void
chan_closed(void *arg, bool clean)
{
	struct serve_end *e = arg;

	e->ops->closed(e, clean);
}

static const struct serve_ssh_events events = {
	.login = on_login,
	.open = on_open,
	.listen = on_listen,
	.unlisten = on_unlisten,
	.opened = chan_opened,
	.data = chan_data,
	.eof = chan_eof,
	.writable = chan_writable,
	.closed = chan_closed,
};

/* ---- the beginning ---- */

/* Of those who have not logged in the one that has had longest makes room: who
 * means it is done in a moment, and a flood only pushes itself out. */
static void
make_room(struct serve_server *v)
{
	struct serve_session *s;

	if (v->limits.startups == 0 || v->nstarting < v->limits.startups)
		return;
	LIST_EACH(s, &v->sessions, link)
		if (!s->counted_in)
			break;
	if (s == NULL)
		return;
	serve_note_timeout(&s->who, "others wait");
	serve_session_free(s);
}

void
serve_session_start(struct serve_server *v, int fd,
    const struct serve_info *who, const uint8_t *first, size_t len)
{
	struct serve_session *s = NULL;

	make_room(v);
	if (len > SERVE_SCRATCH || serve_is_crowded(v, who) ||
	    (s = calloc(1, sizeof(*s))) == NULL)
		goto bad;
	s->v = v;
	s->who = *who;
	s->w = (struct loop_fd){ .fd = fd, .ready = on_ready };
	s->grace.fire = on_grace;
	s->alive.fire = on_alive;
	s->grace.at_ms = s->alive.at_ms = SW_NEVER;
	s->since_ms = v->l.now_ms;
	s->events = EPOLLIN;
	if ((s->ssh = serve_ssh_new(&v->ssh, &events, s)) == NULL ||
	    loop_add(&v->l, &s->w, EPOLLIN) != SW_OK)
		goto bad;
	LIST_APPEND(&v->sessions, s, link);
	v->nsessions++;
	v->nstarting++;
	loop_set_timer(&v->l, &s->grace, v->l.now_ms +
	    (int64_t)v->limits.login_s * 1000);
	serve_note_opened(who);
	serve_session_touch(s);
	if (len > 0) {
		memcpy(v->scratch, first, len);
		feed(s, len);
	}
	return;
bad:
	if (s != NULL)
		serve_ssh_free(s->ssh);
	free(s);
	close(fd);
}
