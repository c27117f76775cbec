/*
 * Does a name exist?  Asked on the server, by a small shell loop that runs for
 * as long as the session: one line out, one line back, many at once.
 *
 *   us      ID NAME
 *   server  ID ADDR STREAM NAME ADDR DGRAM ...    nothing after ID: no such name
 *           ID ?                                   no answer
 *
 * smolserve runs no commands; it has a channel that speaks the same lines
 * (transport/serve_names.c).
 *
 *   IDLE -> ASKING (exec requested) -> READY
 *                  \-> USELESS (no exec, no getent, a strange shell): everybody
 *                      is told UNSUPPORTED and finds out by dialling
 *
 * Names are checked against a strict alphabet before they are written, and the
 * loop gives them to getent and perl only.  getent(1) cannot tell "no such
 * name" from "no server answers"; so perl is asked why, and where there is
 * none, what took as long as the resolver waits for a server counts as the
 * latter.
 */
#include "transport/ssh_private.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "base/clock.h"
#include "base/container.h"
#include "base/log.h"
#include "stack/names.h"
#include "transport/ssh_text.h"

#define START_MS 8000		/* for the loop to say hello */
#define ANSWER_MS 15000
#define AGAIN_MS 30000		/* before a failed loop is tried again */
#define ASKED_MAX 64		/* at once */
#define WAITING_MAX 4096
#define LINE_MAX_LEN 8192

/* One line, without a single quote: any login shell hands it on unread. */
static const char script[] =
    "exec /bin/sh -c 'echo smolwrap-names 1 %s; "
    "command -v getent >/dev/null 2>&1 || { echo -; exit; }; "
    "set -f; t=5; while read -r k v x; do "
    "[ \"$k\" = nameserver ] && echo \"n $v\"; "
    "[ \"$k\" = options ] && for o in $v $x; do "
    "case $o in timeout:*) t=${o#timeout:};; esac; done; "
    "done </etc/resolv.conf; echo .; "
    "now() { read -r u x </proc/uptime && echo ${u%%.*}; }; "
    "why() { if command -v perl >/dev/null; then perl -MSocket=:addrinfo "
    "-e \"exit((getaddrinfo(shift))[0]==EAI_AGAIN?9:0)\" \"$1\"; "
    "[ $? = 9 ]; else [ $(($(now) - $2)) -ge $t ]; fi && echo \"?\"; }; "
    "while read -r i n; do "
    "( s=$(now); a=$(getent ahosts \"$n\" | head -n 30); "
    "[ -n \"$a\" ] || a=$(why \"$n\" $s); echo $i $a ) 2>/dev/null & "
    "done'";

enum state { IDLE, ASKING, READY, USELESS };

struct question {
	LIST_LINK(question) link;
	ssh_tunnel_lookup_fn *done;
	void *arg;
	uint32_t id;
	int64_t deadline_ms;
	char name[DIAL_HOST_MAX + 1];
};

struct ssh_lookups {
	struct ssh_tunnel *t;
	struct loop_timer timer;
	enum state state;
	bool greeted;
	struct dial *d;
	int64_t started_ms;
	char token[33];
	char server[64];		/* first name server; "" unknown */
	uint32_t last_id;
	LIST_OF(questions, question) waiting, asked;
	size_t nwaiting, nasked;
	char line[LINE_MAX_LEN];
	size_t line_len;
	bool line_cut;			/* its rest is to be skipped */
};

static void on_timer(struct loop_timer *timer);

struct ssh_lookups *
ssh_lookups_new(struct ssh_tunnel *t)
{
	struct ssh_lookups *k = calloc(1, sizeof(*k));

	if (k == NULL)
		return NULL;
	k->t = t;
	k->timer.fire = on_timer;
	k->timer.at_ms = SW_NEVER;
	k->started_ms = -AGAIN_MS;
	LIST_INIT(&k->waiting);
	LIST_INIT(&k->asked);
	return k;
}

void
ssh_lookups_free(struct ssh_lookups *k)
{
	struct question *q;

	if (k == NULL)
		return;
	loop_set_timer(k->t->l, &k->timer, SW_NEVER);
	while ((q = LIST_FIRST(&k->waiting)) != NULL) {
		LIST_DROP(&k->waiting, q, link);
		free(q);
	}
	while ((q = LIST_FIRST(&k->asked)) != NULL) {
		LIST_DROP(&k->asked, q, link);
		free(q);
	}
	free(k);
}

/* ---- answering ---- */

static void
answer(struct ssh_lookups *k, struct question *q, bool was_asked,
    const struct lookup *what)
{
	if (was_asked) {
		LIST_DROP(&k->asked, q, link);
		k->nasked--;
	} else {
		LIST_DROP(&k->waiting, q, link);
		k->nwaiting--;
	}
	if (q->done != NULL)
		q->done(q->arg, what);
	free(q);
}

static void
answer_all(struct ssh_lookups *k, int err)
{
	const struct lookup what = { .err = err };
	struct question *q;

	/* Questions that come while we answer are for the next round. */
	for (size_t n = k->nasked; n > 0 &&
	    (q = LIST_FIRST(&k->asked)) != NULL; n--)
		answer(k, q, true, &what);
	for (size_t n = k->nwaiting; n > 0 &&
	    (q = LIST_FIRST(&k->waiting)) != NULL; n--)
		answer(k, q, false, &what);
}

/* ---- the loop on the server ---- */

static void
give_up(struct ssh_lookups *k, const char *why)
{
	struct dial *d = k->d;

	log_debug("ssh: names are not looked up on the server: %s", why);
	k->d = NULL;
	k->state = USELESS;
	if (d != NULL)
		ssh_tunnel_dialer_ops.abort(d);
	answer_all(k, SW_ERR_UNSUPPORTED);
}

static void
on_answer(struct ssh_lookups *k, const struct ssh_text_line *l)
{
	struct lookup what = { .v4 = l->v4, .v6 = l->v6,
		.v6_first = l->v6_first, .first4 = l->first4,
		.first6 = l->first6, .sole = l->sole };
	struct question *q;

	LIST_EACH(q, &k->asked, link)
		if (q->id == l->id)
			break;
	if (q == NULL)			/* too late */
		return;
	if (l->unknown)
		what.err = SW_ERR_TIMEOUT;
	else if (!l->v4 && !l->v6)
		what.err = SW_ERR_NO_NAME;
	answer(k, q, true, &what);
}

/* May end the channel: true if it is still the same. */
static bool
on_line(struct ssh_lookups *k, const char *text)
{
	struct ssh_text_line l;

	ssh_text_parse_line(text, &l);
	if (!k->greeted) {
		/* Anything may come first: a login banner of the shell. */
		k->greeted = l.kind == SSH_TEXT_HELLO &&
		    strcmp(l.token, k->token) == 0;
		return true;
	}
	if (l.kind == SSH_TEXT_NAMESERVER && k->server[0] == '\0') {
		char ip[SW_ADDR_TEXT_LEN];

		snprintf(k->server, sizeof(k->server), "%s",
		    addr_ip_text(&l.server, ip));
	} else if (l.kind == SSH_TEXT_READY) {
		k->state = READY;
		ssh_tunnel_schedule(k->t);
	} else if (l.kind == SSH_TEXT_USELESS) {
		give_up(k, "it has no getent");
		return false;
	} else if (l.kind == SSH_TEXT_ANSWER) {
		on_answer(k, &l);
	}
	return true;
}

static size_t
on_data(void *arg, const uint8_t *buf, size_t len)
{
	struct ssh_lookups *k = arg;

	for (size_t i = 0; i < len; i++) {
		if (buf[i] != '\n') {
			if (k->line_len < sizeof(k->line) - 1)
				k->line[k->line_len++] = (char)buf[i];
			else
				k->line_cut = true;
			continue;
		}
		k->line[k->line_len] = '\0';
		k->line_len = 0;
		/* What a cut answer still says is true: an address was there. */
		k->line_cut = false;
		if (!on_line(k, k->line))
			break;
	}
	return len;
}

static void
on_opened(void *arg)
{
	struct ssh_lookups *k = arg;

	ssh_tunnel_schedule(k->t);
}

static void
on_failed(void *arg, int err)
{
	struct ssh_lookups *k = arg;

	(void)err;
	k->d = NULL;
	give_up(k, "the account may not run commands");
}

static void
on_eof(void *arg)
{
	give_up(arg, "the command ended");
}

static void
on_writable(void *arg)
{
	struct ssh_lookups *k = arg;

	ssh_tunnel_schedule(k->t);
}

static void
on_closed(void *arg, int err)
{
	struct ssh_lookups *k = arg;

	(void)err;
	k->d = NULL;
	if (k->t->live != NULL)
		give_up(k, "the command ended");
}

static const struct dial_events events = {
	.opened = on_opened, .failed = on_failed, .data = on_data,
	.eof = on_eof, .writable = on_writable, .closed = on_closed,
};

/* smolserve answers the same questions on a channel of its own. */
static struct dial *
open_service(struct ssh_lookups *k, int *err)
{
	static const struct dial_target to = { .host = "smolwrap-names",
		.port = 1 };

	snprintf(k->token, sizeof(k->token), "smolserve");
	return ssh_tunnel_dialer_ops.open(ssh_tunnel_dialer(k->t), &to, &events,
	    k, err);
}

static struct dial *
run_loop(struct ssh_lookups *k, int *err)
{
	char command[sizeof(script) + sizeof(k->token)];
	uint8_t r[16];

	if (k->t->plan->no_exec || getrandom(r, sizeof(r), 0) != sizeof(r))
		return NULL;
	for (size_t i = 0; i < sizeof(r); i++)
		snprintf(k->token + 2 * i, 3, "%02x", r[i]);
	snprintf(command, sizeof(command), script, k->token);
	return ssh_dial_exec(k->t, command, &events, k, err);
}

static void
start(struct ssh_lookups *k)
{
	int err;

	k->started_ms = k->t->l->now_ms;
	k->state = ASKING;
	k->greeted = false;
	k->line_len = 0;
	k->server[0] = '\0';
	k->d = ssh_tunnel_is_smolserve(k->t) ? open_service(k, &err) :
	    run_loop(k, &err);
	if (k->d == NULL)
		k->state = USELESS;
	loop_set_timer(k->t->l, &k->timer, k->t->l->now_ms + 1000);
}

void
ssh_lookups_up(struct ssh_lookups *k)
{
	start(k);
}

void
ssh_lookups_down(struct ssh_lookups *k)
{
	k->state = IDLE;
	k->d = NULL;			/* ended with all other dials */
	answer_all(k, SW_ERR_DOWN);
}

/* ---- asking ---- */

static bool
ask(struct ssh_lookups *k, struct question *q)
{
	char line[DIAL_HOST_MAX + 16];
	int n = snprintf(line, sizeof(line), "%u %s\n", q->id, q->name);

	/* Lines are far shorter than any window: all or nothing. */
	if (ssh_tunnel_dialer_ops.write(k->d, (const uint8_t *)line,
	    (size_t)n) != (size_t)n)
		return false;
	LIST_DROP(&k->waiting, q, link);
	k->nwaiting--;
	LIST_APPEND(&k->asked, q, link);
	k->nasked++;
	return true;
}

void
ssh_lookups_process(struct ssh_lookups *k)
{
	struct question *q;

	if (k->state == USELESS && k->nwaiting > 0 && !k->t->plan->no_exec &&
	    k->t->l->now_ms - k->started_ms >= AGAIN_MS)
		start(k);
	if (k->state == USELESS)
		answer_all(k, SW_ERR_UNSUPPORTED);
	while (k->state == READY && k->nasked < ASKED_MAX &&
	    (q = LIST_FIRST(&k->waiting)) != NULL)
		if (!ask(k, q))
			break;
}

static void
expire(struct ssh_lookups *k, bool asked)
{
	const struct lookup what = { .err = SW_ERR_TIMEOUT };
	struct question *q;

	/* Both lists are in the order of arrival, hence of deadlines. */
	while ((q = LIST_FIRST(asked ? &k->asked : &k->waiting)) != NULL &&
	    q->deadline_ms <= k->t->l->now_ms)
		answer(k, q, asked, &what);
}

static void
on_timer(struct loop_timer *timer)
{
	struct ssh_lookups *k = CONTAINER_OF(timer, struct ssh_lookups, timer);

	if (k->state == ASKING &&
	    k->t->l->now_ms - k->started_ms >= START_MS)
		give_up(k, "the command says nothing");
	expire(k, true);
	expire(k, false);
	if (k->state == ASKING || k->nasked + k->nwaiting > 0)
		loop_set_timer(k->t->l, &k->timer, k->t->l->now_ms + 1000);
	if (k->t->live != NULL)
		ssh_tunnel_schedule(k->t);
}

int
ssh_tunnel_lookup(struct ssh_tunnel *t, const char *name,
    ssh_tunnel_lookup_fn *done, void *arg)
{
	struct ssh_lookups *k = t->lookups;
	struct question *q;

	if (k->nwaiting >= WAITING_MAX)
		return SW_ERR_LIMIT;
	if ((q = calloc(1, sizeof(*q))) == NULL)
		return SW_ERR_NOMEM;
	if (names_normalise(name, strlen(name), q->name) != SW_OK) {
		free(q);
		return SW_ERR_FORMAT;
	}
	q->done = done;
	q->arg = arg;
	q->id = ++k->last_id;
	q->deadline_ms = t->l->now_ms + ANSWER_MS;
	LIST_APPEND(&k->waiting, q, link);
	k->nwaiting++;
	if (k->timer.at_ms == SW_NEVER)
		loop_set_timer(t->l, &k->timer, t->l->now_ms + 1000);
	if (t->live != NULL)
		ssh_tunnel_schedule(t);
	else				/* DOWN: told by the timer, not here */
		q->deadline_ms = t->l->now_ms;
	return SW_OK;
}

void
ssh_tunnel_forget(struct ssh_tunnel *t, const void *arg)
{
	struct question *q;

	LIST_EACH(q, &t->lookups->waiting, link)
		if (q->arg == arg)
			q->done = NULL;
	LIST_EACH(q, &t->lookups->asked, link)
		if (q->arg == arg)
			q->done = NULL;
}

const char *
ssh_tunnel_nameserver(const struct ssh_tunnel *t)
{
	return t->lookups->server[0] != '\0' ? t->lookups->server : NULL;
}
