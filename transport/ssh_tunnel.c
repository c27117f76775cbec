/*
 * The life of the tunnel: log in, serve, notice the loss, log in again.
 *
 *   CONNECTING --ok--> UP --lost--> DOWN --back-off--> CONNECTING
 *        |--error, second time on, or patient--> DOWN
 *        `--error, first time, or the server's key--> FAILED
 *
 * While UP the session's descriptor is watched through a duplicate of ours:
 * libssh closes its own when it pleases.
 */
#include "transport/ssh_private.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <libssh/server.h>
#include <sys/eventfd.h>
#include <sys/random.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/container.h"
#include "base/log.h"
#include "transport/ssh_text.h"

#define BACKOFF_MAX_S 30
#define SMALL_INPUT 4096		/* bytes in a turn */
#define LINGER_MS 1			/* for messages that may wait */
#define PACKET_EXTRA 24			/* length, padding, MAC: at least */
#define KEPT_MAX ((uint64_t)2 * 1024 * 1024)

static void connect_now(struct ssh_tunnel *t);

static void
enter(struct ssh_tunnel *t, enum ssh_tunnel_state next, int err)
{
	static const char *const name[] = { "connecting", "up", "down", "failed" };

	log_debug("ssh: %s -> %s", name[t->state], name[next]);
	t->state = next;
	t->ev->state(t->arg, next, err, t->why);
}

/* ---- going down ---- */

static void
back_off(struct ssh_tunnel *t, int err)
{
	unsigned n = t->attempt < 5 ? t->attempt : 5;
	int64_t ms = (1 << n) > BACKOFF_MAX_S ? BACKOFF_MAX_S * 1000 :
	    (1 << n) * 1000;
	uint16_t r = 0;

	if (getrandom(&r, sizeof(r), GRND_NONBLOCK) < 0)
		r = 0;
	ms += ms * r / 65535 / 5;
	t->attempt++;
	loop_set_timer(t->l, &t->retry, t->l->now_ms + ms);
	enter(t, SSH_TUNNEL_DOWN, err);
}

/* Take the session out of service; dials hear of it. */
static void
close_live(struct ssh_tunnel *t)
{
	struct ssh_live *v = t->live;

	if (v == NULL)
		return;
	t->live = NULL;
	loop_del(t->l, &t->wire_w);
	ssh_alive_end(t);
	loop_set_timer(t->l, &t->work, SW_NEVER);
	loop_set_timer(t->l, &t->linger, SW_NEVER);
	ssh_lookups_down(t->lookups);
	ssh_dial_end_all(t);
	ssh_live_free(v);
	t->broken = false;
}

static void
lose(struct ssh_tunnel *t)
{
	snprintf(t->why, sizeof(t->why), "the connection to the server was "
	    "lost: %.200s", t->broken_why);
	log_info("ssh: %s", t->why);
	t->attempt = 0;
	close_live(t);
	back_off(t, SW_ERR_DOWN);
}

void
ssh_tunnel_break(struct ssh_tunnel *t, const char *why)
{
	if (t->broken)
		return;
	t->broken = true;
	snprintf(t->broken_why, sizeof(t->broken_why), "%s", why);
	ssh_text_clean(t->broken_why);	/* the server's words, perhaps */
}

/* ---- serving ---- */

bool
ssh_tunnel_is_clogged(struct ssh_tunnel *t)
{
	ssh_session s = t->live->session;

	if (t->live->gathered.stuck && !ssh_wire_flush(&t->live->gathered))
		return true;
	if ((ssh_get_status(s) & SSH_WRITE_PENDING) == 0)
		return false;
	(void)ssh_blocking_flush(s, 0);		/* one try; does not block */
	return (ssh_get_status(s) & SSH_WRITE_PENDING) != 0;
}

void
ssh_tunnel_schedule(struct ssh_tunnel *t)
{
	/* Timers that are due fire in this very turn, after the descriptors. */
	if (t->work.at_ms == SW_NEVER)
		loop_set_timer(t->l, &t->work, t->l->now_ms);
}

/* What libssh keeps because the server does not read, at least: on the wire
 * each packet is longer by PACKET_EXTRA than what is in it. */
static uint64_t
count_kept(const struct ssh_live *v)
{
	uint64_t n = v->raw.out_bytes + v->raw.out_packets * PACKET_EXTRA;

	return n > v->wire.out_bytes ? n - v->wire.out_bytes : 0;
}

static void
check_health(struct ssh_tunnel *t)
{
	ssh_session s = t->live->session;

	/* We write little at a time; the rest answers what it asked. */
	if (count_kept(t->live) > KEPT_MAX)
		ssh_tunnel_break(t, "it asks much and reads no answer");

	if (!ssh_is_connected(s) ||
	    (ssh_get_status(s) & (SSH_CLOSED | SSH_CLOSED_ERROR)) != 0)
		ssh_tunnel_break(t, ssh_get_error(s));
}

/* Deliver, flush, and wait for what is to be waited for. */
void
ssh_tunnel_serve(struct ssh_tunnel *t)
{
	uint32_t want = EPOLLIN;

	ssh_dial_process(t);
	if (t->live == NULL)
		return;
	ssh_lookups_process(t->lookups);
	if (t->live != NULL && !t->broken) {
		if (ssh_tunnel_is_clogged(t))
			want |= EPOLLOUT;
		check_health(t);
	}
	if (t->broken) {
		lose(t);
		return;
	}
	if (ssh_dial_is_behind(t))	/* read while flushing */
		ssh_tunnel_schedule(t);
	if (want != t->wire_events) {
		t->wire_events = want;
		loop_mod(t->l, &t->wire_w, want);
	}
}

static void
send_kept(struct ssh_tunnel *t)
{
	if (ssh_wire_flush(&t->live->gathered) ||
	    (t->wire_events & EPOLLOUT) != 0)
		return;
	t->wire_events |= EPOLLOUT;
	loop_mod(t->l, &t->wire_w, t->wire_events);
}

static void
on_linger(struct loop_timer *timer)
{
	send_kept(CONTAINER_OF(timer, struct ssh_tunnel, linger));
}

/* After the links: programs hear what came before the server hears of it. */
static void
end_of_turn(struct loop_turn *h)
{
	struct ssh_tunnel *t = CONTAINER_OF(h, struct ssh_tunnel, turn);

	if (t->live == NULL)
		return;
	ssh_alive_spoke(t);
	if (ssh_wire_may_wait(&t->live->gathered)) {
		if (t->linger.at_ms == SW_NEVER)
			loop_set_timer(t->l, &t->linger,
			    t->l->now_ms + LINGER_MS);
		return;
	}
	if (t->linger.at_ms != SW_NEVER)
		loop_set_timer(t->l, &t->linger, SW_NEVER);
	send_kept(t);
}

static void
on_work(struct loop_timer *timer)
{
	struct ssh_tunnel *t = CONTAINER_OF(timer, struct ssh_tunnel, work);

	if (t->live != NULL)
		ssh_tunnel_serve(t);
}

static void
on_wire(struct loop_fd *w, uint32_t events)
{
	struct ssh_tunnel *t = CONTAINER_OF(w, struct ssh_tunnel, wire_w);
	struct ssh_live *v = t->live;
	size_t held = v->gathered.held;
	uint64_t before = v->wire.in_bytes;

	(void)events;
	ssh_live_enter(v);
	ssh_wire_fetch(&v->gathered);
	do {
		if (ssh_event_dopoll(v->event, 0) == SSH_ERROR) {
			ssh_tunnel_break(t, ssh_get_error(v->session));
			break;
		}
	} while (ssh_wire_waiting(&v->gathered));
	/* What libssh says by itself: mostly that a window is wide again.  The
	 * server of a large transfer does wait for that. */
	if (v->wire.in_bytes - before < SMALL_INPUT && LIST_IS_EMPTY(&v->arrivals))
		ssh_wire_excuse(&v->gathered, held);
	ssh_alive_heard(t);
	ssh_tunnel_serve(t);
}

/* ---- coming up ---- */

/* A port that the server chose stays the same from now on. */
static void
settle_ports(struct ssh_tunnel *t, const struct ssh_live *v)
{
	for (size_t i = 0; i < t->plan->npublish; i++) {
		struct ssh_tunnel_publish *p = &t->plan->publish[i];

		if (p->port != 0 || v->bound[i] == 0)
			continue;
		p->port = v->bound[i];
		if (t->ev->listens != NULL)
			t->ev->listens(t->arg, i, p->port);
	}
}

static int
adopt_live(struct ssh_tunnel *t, struct ssh_live *v)
{
	const char *cipher = ssh_get_cipher_in(v->session);

	ssh_live_enter(v);
	if ((v->event = ssh_event_new()) == NULL ||
	    ssh_event_add_session(v->event, v->session) != SSH_OK)
		return SW_ERR_NOMEM;
	ssh_wire_attach(&v->gathered, ssh_get_fd(v->session));
	t->wire_w = (struct loop_fd){ .fd = v->fd, .ready = on_wire };
	t->wire_events = EPOLLIN;
	if (loop_add(t->l, &t->wire_w, EPOLLIN) != SW_OK)
		return SW_ERR_SYS;
	t->live = v;
	t->broken = false;
	t->attempt = 0;
	t->sessions++;
	t->up_since_ms = t->l->now_ms;
	settle_ports(t, v);
	ssh_alive_begin(t);
	t->why[0] = '\0';
	snprintf(t->cipher, sizeof(t->cipher), "%s",
	    cipher != NULL ? cipher : "?");
	return SW_OK;
}

static void
on_login(struct loop_fd *w, uint32_t events)
{
	struct ssh_tunnel *t = CONTAINER_OF(w, struct ssh_tunnel, login_w);
	struct ssh_live *live;
	uint64_t count;
	bool fatal, first = t->sessions == 0 && !t->plan->patient;
	int r;

	(void)events;
	if (read(w->fd, &count, sizeof(count)) < 0 || t->login == NULL ||
	    (r = ssh_login_take(t->login, &live, &fatal, t->why)) == SW_AGAIN)
		return;
	ssh_login_free(t->login);
	t->login = NULL;
	if (r == SW_OK && (r = adopt_live(t, live)) != SW_OK) {
		ssh_live_free(live);
		snprintf(t->why, sizeof(t->why), "out of memory");
	}
	if (r != SW_OK) {
		/* The tunnel before this one went: not our failure. */
		if (fatal || (first && !(r == SW_ERR_DOWN &&
		    transport_is_through(t->plan->transport))))
			enter(t, SSH_TUNNEL_FAILED, r);
		else
			back_off(t, r);
		return;
	}
	ssh_lookups_up(t->lookups);
	enter(t, SSH_TUNNEL_UP, SW_OK);
	/* Whatever the login thread left unread or unsent. */
	on_wire(&t->wire_w, EPOLLIN);
}

static void
connect_now(struct ssh_tunnel *t)
{
	enter(t, SSH_TUNNEL_CONNECTING, SW_OK);
	t->login = ssh_login_start(t->plan, t->login_w.fd, t->sessions > 0);
	if (t->login == NULL) {
		snprintf(t->why, sizeof(t->why), "could not start a thread");
		back_off(t, SW_ERR_NOMEM);
	}
}

static void
on_retry(struct loop_timer *timer)
{
	connect_now(CONTAINER_OF(timer, struct ssh_tunnel, retry));
}

void
ssh_tunnel_wake(struct ssh_tunnel *t)
{
	if (t->login != NULL || t->live != NULL ||
	    t->state == SSH_TUNNEL_FAILED)
		return;
	t->attempt = 0;
	loop_set_timer(t->l, &t->retry, t->l->now_ms);
}

void
ssh_tunnel_give_up(struct ssh_tunnel *t, const char *why)
{
	if (t->state == SSH_TUNNEL_FAILED)
		return;
	ssh_login_free(t->login);
	t->login = NULL;
	loop_set_timer(t->l, &t->retry, SW_NEVER);
	close_live(t);
	snprintf(t->why, sizeof(t->why), "%s", why);
	enter(t, SSH_TUNNEL_FAILED, SW_ERR_DOWN);
}

struct ssh_tunnel *
ssh_tunnel_new(struct loop *l, const struct ssh_tunnel_options *o,
    const struct ssh_tunnel_events *ev, void *arg)
{
	struct ssh_tunnel *t = calloc(1, sizeof(*t));

	if (t == NULL)
		return NULL;
	t->l = l;
	t->ev = ev;
	t->arg = arg;
	t->work.fire = on_work;
	t->retry.fire = on_retry;
	ssh_alive_init(t);
	t->turn = (struct loop_turn){ .run = end_of_turn, .late = true };
	loop_add_turn(l, &t->turn);
	t->linger.fire = on_linger;
	t->work.at_ms = t->retry.at_ms =
	    t->linger.at_ms = SW_NEVER;
	t->login_w.fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	t->login_w.ready = on_login;
	if (ssh_dials_init(&t->dials) != SW_OK ||
	    (t->plan = ssh_plan_new(o)) == NULL ||
	    (t->lookups = ssh_lookups_new(t)) == NULL || t->login_w.fd < 0 ||
	    loop_add(l, &t->login_w, EPOLLIN) != SW_OK ||
	    (!o->asleep && (t->login = ssh_login_start(t->plan, t->login_w.fd,
	    false)) == NULL)) {
		ssh_tunnel_free(t);
		return NULL;
	}
	return t;
}

void
ssh_tunnel_free(struct ssh_tunnel *t)
{
	if (t == NULL)
		return;
	ssh_login_free(t->login);
	loop_del(t->l, &t->login_w);
	if (t->login_w.fd >= 0)
		close(t->login_w.fd);
	loop_set_timer(t->l, &t->retry, SW_NEVER);
	ssh_alive_end(t);
	loop_set_timer(t->l, &t->work, SW_NEVER);
	loop_set_timer(t->l, &t->linger, SW_NEVER);
	loop_del_turn(t->l, &t->turn);
	if (t->live != NULL)
		loop_del(t->l, &t->wire_w);
	ssh_lookups_free(t->lookups);
	ssh_dials_wipe(&t->dials);
	ssh_live_free(t->live);
	ssh_plan_free(t->plan);
	free(t);
}

struct dialer *
ssh_tunnel_dialer(struct ssh_tunnel *t)
{
	return (struct dialer *)(void *)t;
}

enum ssh_tunnel_state
ssh_tunnel_state(const struct ssh_tunnel *t)
{
	return t->state;
}

bool
ssh_tunnel_is_smolserve(const struct ssh_tunnel *t)
{
	const char *ident = t->live == NULL ? NULL :
	    ssh_get_serverbanner(t->live->session);

	return ident != NULL && strncmp(ident, SSH_TUNNEL_SMOLSERVE,
	    sizeof(SSH_TUNNEL_SMOLSERVE) - 1) == 0;
}

size_t
ssh_tunnel_status(const struct ssh_tunnel *t, char *buf, size_t cap)
{
	static const char *const name[] = { "connecting", "up", "down", "failed" };
	int n = snprintf(buf, cap,
	    "tunnel ssh\nstate %s\nserver %s\ntransport %s\nsessions %llu\n"
	    "channels %zu\nopening %zu\nopened %llu\nrefused %llu\n",
	    name[t->state], t->plan->host,
	    transport_name(t->plan->transport), (unsigned long long)t->sessions,
	    t->dials.nopen, t->dials.npending,
	    (unsigned long long)t->dials.opened,
	    (unsigned long long)t->dials.failed);
	size_t used = n < 0 ? 0 : (size_t)n < cap ? (size_t)n : cap - 1;

	if (t->live != NULL)
		n = snprintf(buf + used, cap - used,
		    "cipher %s\nconnected %lld\nwire-in %llu\nwire-out %llu\n",
		    t->cipher,
		    (long long)(t->l->now_ms - t->up_since_ms) / 1000,
		    (unsigned long long)t->live->wire.in_bytes,
		    (unsigned long long)t->live->wire.out_bytes);
	else
		n = snprintf(buf + used, cap - used, "reason %s\n", t->why);
	if (n > 0)
		used += (size_t)n < cap - used ? (size_t)n : cap - used - 1;
	return used;
}
