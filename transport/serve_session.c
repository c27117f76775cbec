/*
 * A session: one descriptor, one SSH engine, and the log's three lines about
 * them.
 *
 *   STARTING --log-in--> IN --anything--> flushing --> gone
 *        `--login_s over--> gone
 *
 * Input is read into one buffer that all sessions share; only a part of a
 * packet is kept with its session.  Output is sent at the end of the turn in
 * which it came up.  While a client does not take its output, it is not read.
 *
 * The log names clients and keys, never where they go.
 */
#include "transport/serve_private.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/container.h"
#include "base/log.h"

#define MISSES_MAX 3
#define FLUSH_MS 5000			/* for a good-bye to be sent */
#define QUOTED_MAX 64			/* bytes of a user name in the log */

static const char *const kind_name[] = { "tcp", "tls", "iroh" };

/* ---- what is logged; remote_addr first, the client's own words last ---- */

/* The peer for filters that ban addresses; `-` for what is none. */
static const char *
ban_name(const struct serve_info *who, char buf[static SW_ADDR_TEXT_LEN])
{
	return who->has_addr ? addr_ip_text(&who->addr, buf) : "-";
}

/* A name in quotes, nothing in it that could end them or the line. */
static const char *
quote(const char *text, char out[static 4 * QUOTED_MAX + 3])
{
	char *p = out;
	size_t n = 0;

	*p++ = '"';
	for (; *text != '\0' && n < QUOTED_MAX; text++, n++) {
		unsigned char c = (unsigned char)*text;

		if (c < 0x20 || c > 0x7e || c == '"' || c == '\\')
			p += snprintf(p, 5, "\\x%02x", c);
		else
			*p++ = (char)c;
	}
	*p++ = '"';
	*p = '\0';
	return out;
}

/*
 * One line for each log-in, and one for each connection that ends without: a
 * client with many keys offers them all, which is no reason to ban it.
 */
static void
note_login(struct serve_session *s, const struct serve_key *key,
    const char *user, const struct serve_login *in, bool good)
{
	char print[SERVE_FINGERPRINT_LEN], serial[48] = "";
	char quoted[4 * QUOTED_MAX + 3];

	serve_key_fingerprint(key, print);
	if (in->is_cert)
		snprintf(serial, sizeof(serial), " serial=%llu",
		    (unsigned long long)in->serial);
	snprintf(s->attempt, sizeof(s->attempt), "result=%s "
	    "key_fingerprint=%s%s%s%s%s user=%s", good ? "accept" : "reject",
	    print, serial, good ? "" : " reason=\"", good ? "" : in->why,
	    good ? "" : "\"", quote(user, quoted));
}

static void
log_login(struct serve_session *s)
{
	char ip[SW_ADDR_TEXT_LEN];

	if (s->attempt[0] != '\0')
		log_info("auth attempt remote_addr=%s %s",
		    ban_name(&s->who, ip), s->attempt);
	s->attempt[0] = '\0';
}

/* ---- the end ---- */

static void
session_free(struct serve_session *s)
{
	struct serve_server *v = s->v;
	char ip[SW_ADDR_TEXT_LEN];

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
	log_login(s);
	log_info("connection closed remote_addr=%s transport=%s login=%s "
	    "seconds=%lld reason=\"%s\"", ban_name(&s->who, ip),
	    kind_name[s->who.kind], s->counted_in ? "yes" : "no",
	    (long long)(v->l.now_ms - s->since_ms) / 1000,
	    serve_ssh_why(s->ssh)[0] != '\0' ? serve_ssh_why(s->ssh) :
	    "connection lost");
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
	}
	return SW_OK;
}

static void
flush(struct serve_session *s)
{
	int r = send_output(s);

	if (r < 0 || (r == SW_OK && serve_ssh_is_over(s->ssh))) {
		session_free(s);
		return;
	}
	if (serve_ssh_is_over(s->ssh) && !s->hung_up) {
		/* Its last words wait for room. */
		s->hung_up = true;
		loop_set_timer(&s->v->l, &s->grace, s->v->l.now_ms + FLUSH_MS);
	}
	watch(s, r == SW_AGAIN);
}

static void
on_turn(struct loop_turn *t)
{
	struct serve_server *v = CONTAINER_OF(t, struct serve_server, turn);
	struct serve_session *s;

	while ((s = LIST_FIRST(&v->dirty)) != NULL) {
		LIST_DROP(&v->dirty, s, dirty);
		s->is_dirty = false;
		flush(s);
	}
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
		session_free(s);
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
		session_free(s);
		return;
	}
	feed(s, s->part_len + (size_t)n);
}

/* ---- time ---- */

static void
on_grace(struct loop_timer *t)
{
	struct serve_session *s = CONTAINER_OF(t, struct serve_session, grace);
	char ip[SW_ADDR_TEXT_LEN];

	if (!s->hung_up)
		log_info("auth timeout remote_addr=%s transport=%s",
		    ban_name(&s->who, ip), kind_name[s->who.kind]);
	session_free(s);
}

static void
on_alive(struct loop_timer *t)
{
	struct serve_session *s = CONTAINER_OF(t, struct serve_session, alive);
	uint64_t heard = serve_ssh_input(s->ssh);

	loop_set_timer(&s->v->l, t, s->v->l.now_ms +
	    (int64_t)s->v->limits.keepalive_s * 1000);
	if (heard != s->heard) {
		s->heard = heard;
		s->misses = 0;
		return;
	}
	if (s->misses++ >= MISSES_MAX) {
		serve_ssh_bye(s->ssh, SERVE_BYE_APPLICATION, "no answer");
		session_free(s);
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
		note_login(s, key, user, &in, r == SW_OK);
	if (proved)
		log_login(s);
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

static const struct {
	int err;
	enum serve_reason why;
	const char *words;
} reasons[] = {
	/* The words are libc's: clients know them. */
	{ SW_ERR_REFUSED, SERVE_CONNECT_FAILED, "Connection refused" },
	{ SW_ERR_UNREACH_HOST, SERVE_CONNECT_FAILED, "No route to host" },
	{ SW_ERR_UNREACH_NET, SERVE_CONNECT_FAILED, "Network is unreachable" },
	{ SW_ERR_TIMEOUT, SERVE_CONNECT_FAILED, "Connection timed out" },
	{ SW_ERR_RESET, SERVE_CONNECT_FAILED, "Connection reset by peer" },
	{ SW_ERR_NO_NAME, SERVE_CONNECT_FAILED, "Name or service not known" },
	{ SW_ERR_DENIED, SERVE_PROHIBITED, "administratively prohibited" },
	{ SW_ERR_LIMIT, SERVE_SHORTAGE, "too many open files or look-ups" },
	{ SW_ERR_NOMEM, SERVE_SHORTAGE, "out of memory" },
};

enum serve_reason
serve_reason_of(int err, const char **words)
{
	for (size_t i = 0; i < sizeof(reasons) / sizeof(reasons[0]); i++)
		if (reasons[i].err == err) {
			*words = reasons[i].words;
			return reasons[i].why;
		}
	*words = "could not connect";
	return SERVE_CONNECT_FAILED;
}

/* ---- the beginning ---- */

bool
serve_is_crowded(struct serve_server *v, const struct serve_info *who)
{
	const struct serve_limits *m = &v->limits;
	const struct serve_session *s;
	const char *what = NULL;
	char ip[SW_ADDR_TEXT_LEN];
	unsigned n = 0;

	if (v->draining)
		return true;
	LIST_EACH(s, &v->sessions, link)
		n += who->has_addr ? s->who.has_addr &&
		    addr_same_ip(&s->who.addr, &who->addr) :
		    strcmp(s->who.peer, who->peer) == 0;
	if (m->connections != 0 && v->nsessions >= m->connections)
		what = "too many connections";
	else if (m->per_ip != 0 && n >= m->per_ip)
		what = "too many of this address";
	if (what == NULL)
		return false;
	log_info("connection rejected remote_addr=%s transport=%s reason=\"%s\"",
	    ban_name(who, ip), kind_name[who->kind], what);
	return true;
}

/* Of those who have not logged in the one that has had longest makes room: who
 * means it is done in a moment, and a flood only pushes itself out. */
static void
make_room(struct serve_server *v)
{
	struct serve_session *s;
	char ip[SW_ADDR_TEXT_LEN];

	if (v->limits.startups == 0 || v->nstarting < v->limits.startups)
		return;
	LIST_EACH(s, &v->sessions, link)
		if (!s->counted_in)
			break;
	if (s == NULL)
		return;
	log_info("auth timeout remote_addr=%s transport=%s reason=\"others "
	    "wait\"", ban_name(&s->who, ip), kind_name[s->who.kind]);
	session_free(s);
}

void
serve_session_start(struct serve_server *v, int fd,
    const struct serve_info *who, const uint8_t *first, size_t len)
{
	struct serve_session *s = NULL;
	char ip[SW_ADDR_TEXT_LEN];

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
	log_info("connection opened remote_addr=%s transport=%s",
	    ban_name(who, ip), kind_name[who->kind]);
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

void
serve_sessions_bye(struct serve_server *v)
{
	struct serve_session *s;

	LIST_EACH(s, &v->sessions, link) {
		serve_ssh_bye(s->ssh, SERVE_BYE_APPLICATION,
		    "the server is going down");
		serve_session_touch(s);
	}
}

void
serve_sessions_free(struct serve_server *v)
{
	struct serve_session *s, *next;

	for (s = LIST_FIRST(&v->sessions); s != NULL; s = next) {
		next = LIST_NEXT(s, link);
		session_free(s);
	}
	serve_relays_cut(v);
}

/* Channels that lead to connections, until the client has closed them too: it
 * does so when it has passed on all that we sent, and a good-bye before that
 * would cost the rest. */
static bool
has_connections(const struct serve_session *s)
{
	return serve_ssh_channels(s->ssh) > s->nservices;
}

bool
serve_sessions_are_idle(const struct serve_server *v)
{
	const struct serve_session *s;
	size_t len;

	LIST_EACH(s, &v->sessions, link) {
		(void)serve_ssh_output(s->ssh, &len);
		if (len > 0 || has_connections(s))
			return false;
	}
	return LIST_IS_EMPTY(&v->lingering);
}

int
serve_server_init(struct serve_server *v)
{
	LIST_INIT(&v->sessions);
	LIST_INIT(&v->dirty);
	LIST_INIT(&v->lingering);
	v->scratch = malloc(SERVE_SCRATCH);
	v->far = malloc(SERVE_FAR);
	if (v->scratch == NULL || v->far == NULL)
		return SW_ERR_NOMEM;
	if (loop_init(&v->l) != SW_OK)
		return SW_ERR_SYS;
	v->turn.run = on_turn;
	loop_add_turn(&v->l, &v->turn);
	v->dialing = (struct serve_dialing){ .l = &v->l, .policy = &v->policy };
	v->ssh.host_pk = v->hostkey.pk;
	v->ssh.host_sk = v->hostkey.sk;
	v->ssh.budget = &v->budget;
	return SW_OK;
}

void
serve_server_wipe(struct serve_server *v)
{
	serve_sessions_free(v);
	serve_resolver_free(v->dialing.resolver);
	serve_keys_unref(v->keys);
	serve_policy_wipe(&v->policy);
	serve_hostkey_wipe(&v->hostkey);
	if (v->l.epfd > 0)
		loop_wipe(&v->l);
	free(v->scratch);
	free(v->far);
}
