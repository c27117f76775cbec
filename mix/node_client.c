/*
 * A gateway's clients: their connections, their accounts, and what is stored
 * for those who are away.  Inboxes are in memory only; accounts may have a file
 * (node_accounts.c).
 */
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/container.h"
#include "base/wipe.h"
#include "mix/node_private.h"

#define ACCEPT_BATCH 16
#define INBOX_BATCH (1u << 20)		/* bytes that wait for the socket */
#define LINGER_MS 100			/* for a refused client to read why */

/* Accounts. */

struct account *
node_find_account(const struct node *n, const uint8_t identity[static 32])
{
	struct account *a;

	HASH_FIND(hh, n->accounts, identity, sizeof(a->a.identity), a);
	return a;
}

static void
drop_first(struct node *n, struct account *a)
{
	struct stored *m = a->inbox;

	a->inbox = m->next;
	if (a->inbox == NULL)
		a->inbox_end = &a->inbox;
	a->stored--;
	n->stored--;
	n->stored_bytes -= m->len;
	free(m);
}

/* Nobody gets the oldest any more. */
static void
discard_first(struct node *n, struct account *a)
{
	n->inbox_full++;
	drop_first(n, a);
}

static void
account_free(struct node *n, struct account *a)
{
	while (a->inbox != NULL)
		drop_first(n, a);
	HASH_DEL(n->accounts, a);
	sw_wipe_free(a, sizeof(*a));
}

/* Room for one more: who has been away longest is forgotten. */
static bool
make_room(struct node *n)
{
	struct account *a, *oldest = NULL;

	if (HASH_COUNT(n->accounts) < NODE_ACCOUNTS_MAX)
		return true;
	for (a = n->accounts; a != NULL; a = a->hh.next)
		if (a->session == NULL &&
		    (oldest == NULL || a->seen_ms < oldest->seen_ms))
			oldest = a;
	if (oldest == NULL)
		return false;
	while (oldest->inbox != NULL)
		discard_first(n, oldest);
	account_free(n, oldest);
	return true;
}

struct account *
node_new_account(struct node *n, const uint8_t identity[static 32])
{
	struct account *a;

	if (!make_room(n) || (a = calloc(1, sizeof(*a))) == NULL)
		return NULL;
	memcpy(a->a.identity, identity, sizeof(a->a.identity));
	a->seen_ms = n->loop->now_ms;
	a->inbox_end = &a->inbox;
	HASH_ADD(hh, n->accounts, a.identity, sizeof(a->a.identity), a);
	if (a->hh.tbl == NULL) {	/* no memory */
		free(a);
		return NULL;
	}
	return a;
}

static void
store(struct node *n, struct account *a, const uint8_t *data, size_t len)
{
	struct stored *m;

	if (a->stored == NODE_INBOX_EACH)
		discard_first(n, a);	/* the newest is worth most */
	if (len > NODE_INBOX_BYTES - n->stored_bytes ||
	    (m = malloc(sizeof(*m) + len)) == NULL) {
		n->inbox_full++;
		return;
	}
	m->next = NULL;
	m->at_ms = n->loop->now_ms;
	m->len = len;
	memcpy(m->data, data, len);
	*a->inbox_end = m;
	a->inbox_end = &m->next;
	a->stored++;
	n->stored++;
	n->stored_bytes += len;
}

void
node_sweep_inbox(struct node *n)
{
	int64_t oldest = n->loop->now_ms - NODE_INBOX_MS;
	struct account *a;

	for (a = n->accounts; a != NULL; a = a->hh.next)
		while (a->inbox != NULL && a->inbox->at_ms < oldest)
			discard_first(n, a);
}

/* Payloads of final hops. */
void
node_deliver(void *arg, const uint8_t dest[static 32], uint8_t *data,
    size_t len)
{
	struct node *n = arg;
	struct account *a;

	if (n->deliver_embedded != NULL &&
	    memcmp(dest, n->embedded, sizeof(n->embedded)) == 0) {
		n->deliver_embedded(n->embedded_arg, data, len);
		return;
	}
	if ((a = node_find_account(n, dest)) == NULL)
		n->inbox_full++;	/* nobody we know */
	else if (a->session == NULL)
		store(n, a, data, len);
	else if (gwserver_push(&a->session->gw, data, len) != SW_OK)
		n->push_full++;		/* it reads too slowly */
}

/* Sessions. */

static struct account *
account_of(const struct session *s)
{
	return (struct account *)s->gw.account;
}

static void
session_leave(struct session *s)
{
	struct account *a = account_of(s);

	if (a != NULL && a->session == s) {
		node_accounts_changed(s->node);
		a->session = NULL;
		a->seen_ms = s->node->loop->now_ms;
	}
	s->gw.account = NULL;		/* it may go before we do */
}

static void
session_free(struct session *s)
{
	session_leave(s);
	stream_close(&s->s);
	loop_set_timer(s->node->loop, &s->timer, SW_NEVER);
	ws_free(s->ws);
	s->node->fresh -= s->gw.state != GWSERVER_JOINED;
	gwserver_wipe(&s->gw);
	*s->at = s->next;
	if (s->next != NULL)
		s->next->at = s->at;
	s->node->clients--;
	free(s);
}

/* Move what the websocket wants to say to the socket. */
static int
session_flush(struct session *s)
{
	const uint8_t *p;
	size_t n;
	int r;

	p = ws_out(s->ws, &n);
	if (n == 0)
		return SW_OK;
	if ((r = stream_put(&s->s, p, n)) == SW_OK)
		ws_sent(s->ws, n);
	return r;
}

/* Some of what was stored; the rest as the client reads, so that the answer
 * which follows always has room. */
static void
push_inbox(struct session *s)
{
	struct account *a = account_of(s);

	while (a != NULL && a->inbox != NULL && s->s.out_len - s->s.out_at <
	    INBOX_BATCH && gwserver_push(&s->gw, a->inbox->data,
	    a->inbox->len) == SW_OK)
		drop_first(s->node, a);
	if (a != NULL && a->inbox != NULL)
		stream_ask_room(&s->s);
}

static void
session_arm(struct session *s)
{
	int64_t at = gwserver_deadline(&s->gw);

	if (at != s->timer.at_ms)
		loop_set_timer(s->node->loop, &s->timer, at);
}

/* No more from this client; it gets a moment to read why. */
static void
session_end(struct session *s, int err)
{
	session_leave(s);
	s->ended = err;
	s->gw.deadline_ms = s->node->loop->now_ms + LINGER_MS;
	session_arm(s);
}

static int
host_send(void *arg, bool binary, const void *data, size_t n)
{
	struct session *s = arg;
	int r;

	if ((r = ws_send(s->ws, binary, data, n)) == SW_OK)
		(void)!session_flush(s);
	return r;
}

static struct gwserver_account *
host_account(void *arg, const uint8_t identity[static 32], bool create)
{
	struct node *n = ((struct session *)arg)->node;
	struct account *a = node_find_account(n, identity);

	if (a == NULL && create)
		a = node_new_account(n, identity);
	return a != NULL ? &a->a : NULL;
}

static void
host_joined(void *arg, struct gwserver_account *account)
{
	struct account *a = (struct account *)account;
	struct session *s = arg;

	s->node->fresh--;
	if (a->session != NULL && a->session != s)
		session_end(a->session, SW_ERR_IN_USE);
	a->session = s;
	node_accounts_changed(s->node);
	push_inbox(s);
}

static void
host_forget(void *arg, struct gwserver_account *account)
{
	struct session *s = arg;

	s->node->fresh++;		/* as it will be counted again */
	node_accounts_changed(s->node);
	account_free(s->node, (struct account *)account);
}

static void
host_forward(void *arg, const struct sw_addr *first, uint8_t rotation,
    const uint8_t *pkt, size_t len)
{
	mixnode_forward(((struct session *)arg)->node->mix, first, rotation,
	    pkt, len);
}

static int64_t
host_unix_now(void *arg)
{
	(void)arg;
	return (int64_t)time(NULL);
}

static const struct gwserver_host host = {
	host_send, host_account, host_joined, host_forget, host_forward,
	host_unix_now,
};

static void
session_open(void *arg)
{
	(void)arg;
}

static void
session_message(void *arg, bool binary, uint8_t *data, size_t n)
{
	struct session *s = arg;

	if (s->ended == SW_OK)
		s->ended = gwserver_take(&s->gw, binary, data, n,
		    s->node->loop->now_ms);
}

static const struct ws_events session_ws = { session_open, session_message };

static void
session_late(struct loop_timer *t)
{
	session_free(CONTAINER_OF(t, struct session, timer));
}

static int
session_data(struct stream *st, struct rbuf *in)
{
	struct session *s = CONTAINER_OF(st, struct session, s);
	bool ended = s->ended != SW_OK;
	int r = ws_feed(s->ws, in);

	(void)!session_flush(s);
	node_arm(s->node);
	if (r == SW_OK && s->ended != SW_OK && !ended)
		session_end(s, s->ended);
	session_arm(s);
	return r;
}

static void
session_writable(struct stream *st)
{
	struct session *s = CONTAINER_OF(st, struct session, s);

	(void)!session_flush(s);
	push_inbox(s);
}

static void
session_closed(struct stream *st, int err)
{
	(void)err;
	session_free(CONTAINER_OF(st, struct session, s));
}

static const struct stream_ops session_ops = {
	session_data, session_writable, session_closed,
};

void
node_add_client(void *arg, int fd)
{
	struct node *n = arg;
	struct session *s;

	if (n->clients == NODE_CLIENTS_MAX || n->fresh == NODE_FRESH_MAX ||
	    (s = calloc(1, sizeof(*s))) == NULL) {
		close(fd);
		return;
	}
	s->ws = ws_new(NULL, &session_ws, s, n->cfg.rng);
	if (s->ws == NULL) {
		free(s);
		close(fd);
		return;
	}
	if (stream_open(&s->s, n->loop, fd, false, &session_ops) != SW_OK) {
		ws_free(s->ws);
		free(s);
		return;
	}
	s->node = n;
	s->at = &n->sessions;
	s->next = n->sessions;
	if (s->next != NULL)
		s->next->at = &s->next;
	n->sessions = s;
	n->clients++;
	n->fresh++;
	gwserver_init(&s->gw, n->cfg.identity, &host, s, n->cfg.rng,
	    n->loop->now_ms);
	s->timer.fire = session_late;
	session_arm(s);
}

/* Who waits there; -1: nobody. */
static int
accept_one(const struct loop_fd *listener)
{
	int fd = stream_accept_fd(listener->fd);

	if (fd >= 0)
		stream_keep_alive(fd);
	return fd;
}

void
node_accept_clients(struct loop_fd *w, uint32_t events)
{
	struct node *n = CONTAINER_OF(w, struct node, ws_listener);
	int fd;

	(void)events;
	for (int k = 0; k < ACCEPT_BATCH && (fd = accept_one(w)) >= 0; k++)
		node_add_client(n, fd);
}

void
node_accept_tls_clients(struct loop_fd *w, uint32_t events)
{
	struct node *n = CONTAINER_OF(w, struct node, wss_listener);
	int fd;

	(void)events;
	for (int k = 0; k < ACCEPT_BATCH && (fd = accept_one(w)) >= 0; k++)
		greeter_take(&n->greeter, fd);
}

void
node_close_clients(struct node *n)
{
	struct account *a, *next;

	for (struct session *s = n->sessions, *after; s != NULL; s = after) {
		after = s->next;
		session_free(s);
	}
	node_save_accounts(n);
	for (a = n->accounts; a != NULL; a = next) {
		next = a->hh.next;
		account_free(n, a);
	}
}
