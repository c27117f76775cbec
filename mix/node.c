#include "mix/node.h"

#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/wipe.h"
#include "mix/gwserver.h"
#include "mix/nymaddr.h"
#include "mix/stream.h"
#include "mix/ws.h"

#define QUEUE_PACKETS 16384
#define REPLAY_LIMIT (64u << 20)
#define MAX_PEERS 256
#define MAX_ACCOUNTS 8192
#define MAX_CLIENTS 1024
#define INBOX_MAX 4096			/* payloads stored for absent clients */
#define RETRY_MS 1000			/* after a link broke */
#define ACCEPT_BATCH 16
#define LINGER_MS 100			/* for a refused client to read why */

/* A link to another node, for packets to it. */
struct peer {
	struct stream s;		/* first */
	struct node *node;
	struct sw_addr addr;
	int64_t retry_ms;
};

/* A link from another node. */
struct inbound {
	struct stream s;		/* first */
	struct node *node;
	struct inbound *next, **at;
};

/* A client's session. */
struct session {
	struct stream s;		/* first */
	struct node *node;
	struct ws *ws;
	struct gwserver gw;
	struct loop_timer timer;	/* until it has joined, or has to go */
	struct session *next, **at;
	int ended;			/* not SW_OK: close when written */
};

struct stored {
	struct stored *next;
	uint8_t dest[32];
	size_t len;
	uint8_t data[];
};

struct node {
	struct node_config cfg;
	struct loop *loop;
	struct mixnode *mix;
	struct loop_fd mix_listener, ws_listener;
	struct loop_timer timer;
	struct peer *peer[MAX_PEERS];
	size_t peers;
	struct inbound *inbound;
	struct session *sessions;
	size_t clients;
	struct gwserver_account *account;
	size_t accounts, accounts_cap;
	struct stored *inbox, **inbox_end;
	size_t stored;
	uint8_t embedded[32];
	void (*deliver_embedded)(void *, uint8_t *, size_t);
	void *embedded_arg;
	uint64_t frames_bad, link_full;
};

static void
arm(struct node *n)
{
	int64_t at = mixnode_deadline(n->mix);

	if (at != n->timer.at_ms)
		loop_set_timer(n->loop, &n->timer, at);
}

/* Links out. */

static int
peer_data(struct stream *s, struct rbuf *in)
{
	(void)s;
	in->left = 0;			/* nothing is ever said back */
	return SW_OK;
}

static void
peer_closed(struct stream *s, int err)
{
	struct peer *p = (struct peer *)s;

	log_debug("node: a link ended: %s", sw_strerror(err));
	p->retry_ms = p->node->loop->now_ms + RETRY_MS;
}

static const struct stream_ops peer_ops = { peer_data, NULL, peer_closed };

static struct peer *
find_peer(struct node *n, const struct sw_addr *a)
{
	struct peer *p;

	for (size_t i = 0; i < n->peers; i++)
		if (memcmp(&n->peer[i]->addr, a, sizeof(*a)) == 0)
			return n->peer[i];
	if (n->peers == MAX_PEERS || (p = calloc(1, sizeof(*p))) == NULL)
		return NULL;
	p->node = n;
	p->addr = *a;
	p->s.w.fd = -1;
	n->peer[n->peers++] = p;
	return p;
}

static bool
connect_peer(struct node *n, struct peer *p)
{
	int fd;

	if (stream_is_open(&p->s))
		return true;
	if (n->loop->now_ms < p->retry_ms)
		return false;
	fd = stream_connect_fd(&p->addr);
	if (fd >= 0 && stream_open(&p->s, n->loop, fd, true, &peer_ops) ==
	    SW_OK)
		return true;
	p->retry_ms = n->loop->now_ms + RETRY_MS;
	return false;
}

static void
emit(void *arg, const struct sw_addr *next, const struct nympkt_frame *f,
    const uint8_t *pkt, size_t len)
{
	struct node *n = arg;
	struct peer *p = find_peer(n, next);
	uint8_t buf[NYMPKT_FRAME_MAX_HEAD + NYMPKT_MAX_LEN];
	struct wbuf w = { buf, sizeof(buf) };

	if (p == NULL || !connect_peer(n, p) ||
	    nympkt_put_frame(&w, f) != SW_OK ||
	    wire_put_bytes(&w, pkt, len) != SW_OK ||
	    stream_put(&p->s, buf, sizeof(buf) - w.left) != SW_OK)
		n->link_full++;
}

/* Links in. */

static int
inbound_data(struct stream *s, struct rbuf *in)
{
	struct inbound *i = (struct inbound *)s;
	struct nympkt_frame f;
	const uint8_t *pkt;
	size_t len;
	int r;

	while ((r = nympkt_get_frame(in, &f, &pkt, &len)) == SW_OK)
		/* The bytes are our stream's own buffer, consumed with the
		 * frame: they may be changed. */
		mixnode_take(i->node->mix, &f, (uint8_t *)(uintptr_t)pkt, len,
		    i->node->loop->now_ms);
	arm(i->node);
	if (r == SW_AGAIN)
		return SW_OK;
	i->node->frames_bad++;
	return r;
}

static void
inbound_free(struct inbound *i)
{
	stream_close(&i->s);
	*i->at = i->next;
	if (i->next != NULL)
		i->next->at = i->at;
	free(i);
}

static void
inbound_closed(struct stream *s, int err)
{
	(void)err;
	inbound_free((struct inbound *)s);
}

static const struct stream_ops inbound_ops = {
	inbound_data, NULL, inbound_closed,
};

static void
accept_links(struct loop_fd *w, uint32_t events)
{
	struct node *n = (struct node *)((char *)w -
	    offsetof(struct node, mix_listener));
	struct inbound *i;
	int fd;

	(void)events;
	for (int k = 0; k < ACCEPT_BATCH; k++) {
		if ((fd = stream_accept_fd(w->fd)) < 0)
			return;
		if ((i = calloc(1, sizeof(*i))) == NULL) {
			close(fd);
			return;
		}
		if (stream_open(&i->s, n->loop, fd, false, &inbound_ops) !=
		    SW_OK) {
			free(i);
			return;
		}
		i->node = n;
		i->at = &n->inbound;
		i->next = n->inbound;
		if (i->next != NULL)
			i->next->at = &i->next;
		n->inbound = i;
	}
}

/* Clients. */

static void
session_free(struct session *s)
{
	stream_close(&s->s);
	loop_set_timer(s->node->loop, &s->timer, SW_NEVER);
	ws_free(s->ws);
	gwserver_wipe(&s->gw);
	*s->at = s->next;
	if (s->next != NULL)
		s->next->at = s->at;
	s->node->clients--;
	free(s);
}

static bool
is_session_of(const struct session *s, const uint8_t identity[static 32])
{
	return s->gw.state == GWSERVER_JOINED && s->ended == SW_OK &&
	    memcmp(s->gw.account->identity, identity, 32) == 0;
}

static struct session *
find_session(const struct node *n, const uint8_t identity[static 32])
{
	struct session *s = n->sessions;

	while (s != NULL && !is_session_of(s, identity))
		s = s->next;
	return s;
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
	struct gwserver_account *a;

	for (size_t i = 0; i < n->accounts; i++)
		if (memcmp(n->account[i].identity, identity, 32) == 0)
			return &n->account[i];
	if (!create || n->accounts == n->accounts_cap)
		return NULL;
	a = &n->account[n->accounts++];
	memset(a, 0, sizeof(*a));
	memcpy(a->identity, identity, 32);
	return a;
}

static bool
host_connected(void *arg, const uint8_t identity[static 32])
{
	return find_session(((struct session *)arg)->node, identity) != NULL;
}

static void
host_joined(void *arg, const uint8_t identity[static 32])
{
	struct session *s = arg;
	struct stored **at = &s->node->inbox, *m;

	while ((m = *at) != NULL) {
		if (memcmp(m->dest, identity, 32) != 0) {
			at = &m->next;
			continue;
		}
		if (gwserver_push(&s->gw, m->data, m->len) != SW_OK)
			break;
		*at = m->next;
		s->node->stored--;
		free(m);
	}
	for (at = &s->node->inbox; *at != NULL; at = &(*at)->next)
		;
	s->node->inbox_end = at;
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
	host_send, host_account, host_connected, host_joined, host_forward,
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
session_arm(struct session *s)
{
	int64_t at = gwserver_deadline(&s->gw);

	if (at != s->timer.at_ms)
		loop_set_timer(s->node->loop, &s->timer, at);
}

static void
session_late(struct loop_timer *t)
{
	session_free((struct session *)((char *)t -
	    offsetof(struct session, timer)));
}

static int
session_data(struct stream *st, struct rbuf *in)
{
	struct session *s = (struct session *)st;
	int r = ws_feed(s->ws, in);

	(void)!session_flush(s);
	arm(s->node);
	/* The reason, if there was one, is in the socket's buffer: it gets the
	 * time of a deadline to be read. */
	if (r == SW_OK && s->ended != SW_OK)
		s->gw.deadline_ms = s->node->loop->now_ms + LINGER_MS;
	session_arm(s);
	return r;
}

static void
session_writable(struct stream *st)
{
	(void)!session_flush((struct session *)st);
}

static void
session_closed(struct stream *st, int err)
{
	(void)err;
	session_free((struct session *)st);
}

static const struct stream_ops session_ops = {
	session_data, session_writable, session_closed,
};

static void
accept_clients(struct loop_fd *w, uint32_t events)
{
	struct node *n = (struct node *)((char *)w -
	    offsetof(struct node, ws_listener));
	struct session *s;
	int fd;

	(void)events;
	while ((fd = stream_accept_fd(w->fd)) >= 0) {
		if (n->clients == MAX_CLIENTS ||
		    (s = calloc(1, sizeof(*s))) == NULL) {
			close(fd);
			continue;
		}
		if (stream_open(&s->s, n->loop, fd, false, &session_ops) !=
		    SW_OK) {
			free(s);
			continue;
		}
		s->node = n;
		s->at = &n->sessions;
		s->next = n->sessions;
		if (s->next != NULL)
			s->next->at = &s->next;
		n->sessions = s;
		n->clients++;
		gwserver_init(&s->gw, n->cfg.identity, &host, s, n->cfg.rng,
		    n->loop->now_ms);
		s->timer.fire = session_late;
		session_arm(s);
		if ((s->ws = ws_new(NULL, &session_ws, s, n->cfg.rng)) == NULL)
			session_free(s);
	}
}

/* Payloads of final hops. */

static bool
is_registered(const struct node *n, const uint8_t identity[static 32])
{
	for (size_t i = 0; i < n->accounts; i++)
		if (memcmp(n->account[i].identity, identity, 32) == 0)
			return true;
	return false;
}

static void
store(struct node *n, const uint8_t dest[static 32], const uint8_t *data,
    size_t len)
{
	struct stored *m;

	if (!is_registered(n, dest) || n->stored == INBOX_MAX ||
	    (m = malloc(sizeof(*m) + len)) == NULL)
		return;
	m->next = NULL;
	memcpy(m->dest, dest, 32);
	m->len = len;
	memcpy(m->data, data, len);
	*n->inbox_end = m;
	n->inbox_end = &m->next;
	n->stored++;
}

static void
deliver(void *arg, const uint8_t dest[static 32], uint8_t *data, size_t len)
{
	struct node *n = arg;
	struct session *s;

	if (n->deliver_embedded != NULL &&
	    memcmp(dest, n->embedded, sizeof(n->embedded)) == 0) {
		n->deliver_embedded(n->embedded_arg, data, len);
		return;
	}
	s = find_session(n, dest);
	if (s == NULL || gwserver_push(&s->gw, data, len) != SW_OK)
		store(n, dest, data, len);
}

static const struct mixnode_events mix_events = { emit, deliver, NULL };

static void
tick(struct loop_timer *t)
{
	struct node *n = (struct node *)((char *)t -
	    offsetof(struct node, timer));

	mixnode_tick(n->mix, n->loop->now_ms);
	arm(n);
}

static int
start_listener(struct node *n, struct loop_fd *w, struct sw_addr *a,
    void (*ready)(struct loop_fd *, uint32_t))
{
	if ((w->fd = stream_listen_fd(a)) < 0)
		return SW_ERR_SYS;
	w->ready = ready;
	return loop_add(n->loop, w, EPOLLIN);
}

int
node_new(struct node **out, struct loop *l, const struct node_config *cfg)
{
	struct mixnode_config mix = {
		.rotation_id = cfg->rotation_id,
		.mix = cfg->mix,
		.gateway = cfg->gateway,
		.queue = QUEUE_PACKETS,
		.replay_limit = REPLAY_LIMIT,
		.events = &mix_events,
	};
	struct node *n = calloc(1, sizeof(*n));
	int r = SW_ERR_NOMEM;

	*out = NULL;
	if (n == NULL)
		return r;
	n->cfg = *cfg;
	n->loop = l;
	n->timer.fire = tick;
	n->inbox_end = &n->inbox;
	n->mix_listener.fd = n->ws_listener.fd = -1;
	n->accounts_cap = MAX_ACCOUNTS;
	n->account = calloc(n->accounts_cap, sizeof(*n->account));
	memcpy(mix.sk, cfg->sphinx, sizeof(mix.sk));
	mix.arg = n;
	n->mix = mixnode_new(&mix);
	sw_wipe(&mix, sizeof(mix));
	if (n->account == NULL || n->mix == NULL ||
	    (r = start_listener(n, &n->mix_listener, &n->cfg.mix_addr,
	    accept_links)) != SW_OK ||
	    (cfg->gateway && (r = start_listener(n, &n->ws_listener,
	    &n->cfg.ws_addr, accept_clients)) != SW_OK)) {
		node_free(n);
		return r;
	}
	*out = n;
	return SW_OK;
}

static void
stop_listener(struct node *n, struct loop_fd *w)
{
	if (w->fd < 0)
		return;
	loop_del(n->loop, w);
	close(w->fd);
	w->fd = -1;
}

void
node_free(struct node *n)
{
	struct stored *m;

	if (n == NULL)
		return;
	stop_listener(n, &n->mix_listener);
	stop_listener(n, &n->ws_listener);
	loop_set_timer(n->loop, &n->timer, SW_NEVER);
	for (struct session *s = n->sessions, *next; s != NULL; s = next) {
		next = s->next;
		session_free(s);
	}
	for (struct inbound *i = n->inbound, *next; i != NULL; i = next) {
		next = i->next;
		inbound_free(i);
	}
	for (size_t i = 0; i < n->peers; i++) {
		stream_close(&n->peer[i]->s);
		free(n->peer[i]);
	}
	while ((m = n->inbox) != NULL) {
		n->inbox = m->next;
		free(m);
	}
	sw_wipe_free(n->account, n->accounts_cap * sizeof(*n->account));
	mixnode_free(n->mix);
	sw_wipe_free(n, sizeof(*n));
}

const struct sw_addr *
node_mix_addr(const struct node *n)
{
	return &n->cfg.mix_addr;
}

const struct sw_addr *
node_ws_addr(const struct node *n)
{
	return &n->cfg.ws_addr;
}

void
node_embed(struct node *n, const uint8_t identity[static 32],
    void (*deliver_to)(void *arg, uint8_t *data, size_t n), void *arg)
{
	memcpy(n->embedded, identity, sizeof(n->embedded));
	n->deliver_embedded = deliver_to;
	n->embedded_arg = arg;
}

void
node_forward(struct node *n, const struct sw_addr *first, uint8_t rotation,
    const uint8_t *pkt, size_t len)
{
	mixnode_forward(n->mix, first, rotation, pkt, len);
}

void
node_stats(const struct node *n, struct node_stats *out)
{
	*out = (struct node_stats){
		.mix = *mixnode_stats(n->mix),
		.clients = n->clients,
		.peers = n->peers,
		.stored = n->stored,
		.frames_bad = n->frames_bad,
		.link_full = n->link_full,
	};
}
