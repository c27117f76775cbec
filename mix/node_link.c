/*
 * Links between nodes.  One connection a direction: whoever has packets for a
 * node connects to it and only writes; the other only reads, but for the
 * answers of a Noise handshake.
 *
 *	out   closed -> connecting -> (shaking hands) -> up -> closed
 *	in    (shaking hands) -> up -> closed
 *
 * Packets for a link that is not up yet wait with it, up to a bound.
 */
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/container.h"
#include "base/log.h"
#include "base/wipe.h"
#include "mix/node_private.h"

#define UP_MS 5000			/* to connect and shake hands */
#define RETRY_MS 1000			/* after a link broke; doubled up to */
#define RETRY_MOST_MS 60000
#define EARLY_MAX (1u << 20)
#define ACCEPT_BATCH 16

static const struct topology_node *
find_addr(const struct node *n, const struct sw_addr *a)
{
	for (size_t i = 0; n->view != NULL && i < n->view->n; i++)
		if (memcmp(&n->view->node[i].mix, a, sizeof(*a)) == 0)
			return &n->view->node[i];
	return NULL;
}

/* Does any node at this address, at whatever port, have a key? */
static bool
is_noise_ip(const struct node *n, const struct sw_addr *a)
{
	for (size_t i = 0; n->view != NULL && i < n->view->n; i++)
		if (n->view->node[i].has_noise &&
		    addr_same_ip(&n->view->node[i].mix, a))
			return true;
	return false;
}

/* Links out. */

static void
peer_down(struct peer *p)
{
	unsigned shift = p->failures < 6 ? p->failures : 6;
	int64_t wait = RETRY_MS << shift;

	stream_close(&p->s);
	noise_wipe(&p->noise);
	free(p->early);
	p->early = NULL;
	p->early_len = 0;
	p->retry_ms = p->node->loop->now_ms +
	    (wait < RETRY_MOST_MS ? wait : RETRY_MOST_MS);
	loop_set_timer(p->node->loop, &p->timer, SW_NEVER);
}

static int
peer_put(struct peer *p, const uint8_t *data, size_t len)
{
	uint8_t buf[NOISE_HEAD_LEN + NYMPKT_FRAME_MAX_HEAD + NYMPKT_MAX_LEN +
	    NOISE_TAG_LEN];
	struct wbuf w = { buf, sizeof(buf) };
	int r;

	if (!p->encrypted)
		return stream_put(&p->s, data, len);
	if ((r = noise_seal(&p->noise, &w, data, len)) != SW_OK)
		return r;
	r = stream_put(&p->s, buf, sizeof(buf) - w.left);
	if (r != SW_OK)
		p->noise.out_n--;	/* it was never said */
	return r;
}

/* Each packet in `early` is a whole frame. */
static void
peer_up(struct peer *p)
{
	struct rbuf r = { p->early, p->early_len };
	struct nympkt_frame f;
	const uint8_t *begin = r.p, *pkt;
	size_t len;

	p->failures = 0;
	loop_set_timer(p->node->loop, &p->timer, SW_NEVER);
	while (r.left > 0 && nympkt_get_frame(&r, &f, &pkt, &len) == SW_OK) {
		if (peer_put(p, begin, (size_t)(r.p - begin)) != SW_OK)
			p->node->link_full++;
		begin = r.p;
	}
	free(p->early);
	p->early = NULL;
	p->early_len = 0;
}

static bool
peer_is_up(const struct peer *p)
{
	return stream_is_open(&p->s) && !p->s.connecting &&
	    (!p->encrypted || p->noise.done);
}

/* Say what is ours to say; the link may be up then. */
static int
peer_shake(struct peer *p)
{
	uint8_t frame[NOISE_HANDSHAKE_MAX];
	size_t len;
	int r;

	if ((r = noise_say(&p->noise, frame, &len)) != SW_OK)
		return r;
	if (len > 0 && stream_put(&p->s, frame, len) != SW_OK)
		return SW_ERR_LIMIT;
	if (p->noise.done)
		peer_up(p);
	return SW_OK;
}

static int
peer_data(struct stream *s, struct rbuf *in)
{
	struct peer *p = CONTAINER_OF(s, struct peer, s);
	uint8_t *plain;
	size_t len;
	int r = SW_OK;

	if (!p->encrypted) {
		in->left = 0;		/* nothing is ever said back */
		return SW_OK;
	}
	while (r == SW_OK && (r = noise_take(&p->noise, in, &plain, &len)) ==
	    SW_OK)
		r = peer_shake(p);
	return r == SW_AGAIN ? SW_OK : r;
}

static void
peer_writable(struct stream *s)
{
	struct peer *p = CONTAINER_OF(s, struct peer, s);

	if (p->timer.at_ms == SW_NEVER || p->timer.at_ms == 0)
		return;			/* it was up before */
	if (!p->encrypted)
		peer_up(p);
	else if (p->noise.step == 0 && peer_shake(p) != SW_OK)
		loop_set_timer(p->node->loop, &p->timer,
		    p->node->loop->now_ms);
}

static void
peer_closed(struct stream *s, int err)
{
	struct peer *p = CONTAINER_OF(s, struct peer, s);
	bool was_up = p->timer.at_ms == SW_NEVER;

	log_debug("node: a link ended: %s", sw_strerror(err));
	if (p->encrypted && !p->noise.done && p->noise.step > 0) {
		p->node->handshakes_bad++;
		p->failures++;
	}
	peer_down(p);
	if (was_up)
		p->retry_ms = 0;	/* a restart: the next packet tries */
}

static const struct stream_ops peer_ops = {
	peer_data, peer_writable, peer_closed,
};

static void
peer_late(struct loop_timer *t)
{
	struct peer *p = CONTAINER_OF(t, struct peer, timer);

	log_debug("node: a link did not come up in time");
	p->node->handshakes_bad += p->encrypted;
	p->failures++;
	peer_down(p);
}

static struct peer *
find_peer(struct node *n, const struct sw_addr *a)
{
	struct peer *p, *next;

	HASH_FIND(hh, n->peers, a, sizeof(*a), p);
	if (p != NULL)
		return p;
	if (HASH_COUNT(n->peers) == NODE_PEERS_MAX) {
		/* Room for one more: who is closed can be forgotten. */
		for (p = n->peers; p != NULL; p = next) {
			next = p->hh.next;
			if (!stream_is_open(&p->s) &&
			    p->retry_ms <= n->loop->now_ms) {
				/* NOLINTNEXTLINE(clang-analyzer-unix.Malloc): each is visited once */
				HASH_DEL(n->peers, p);
				free(p);
			}
		}
		/* NOLINTNEXTLINE(clang-analyzer-unix.Malloc): HASH_DEL unlinked them */
		if (HASH_COUNT(n->peers) == NODE_PEERS_MAX)
			return NULL;
	}
	if ((p = calloc(1, sizeof(*p))) == NULL)
		return NULL;
	p->node = n;
	p->addr = *a;
	p->s.w.fd = -1;
	p->timer.fire = peer_late;
	HASH_ADD(hh, n->peers, addr, sizeof(p->addr), p);
	if (p->hh.tbl == NULL) {	/* no memory */
		free(p);
		return NULL;
	}
	return p;
}

static bool
peer_connect(struct node *n, struct peer *p)
{
	const struct topology_node *to;
	int fd;

	if (stream_is_open(&p->s))
		return true;
	if (n->loop->now_ms < p->retry_ms)
		return false;
	to = find_addr(n, &p->addr);
	p->encrypted = to != NULL && to->has_noise &&
	    n->cfg.has_noise;
	if (p->encrypted)
		noise_init(&p->noise, true, n->cfg.noise, to->noise,
		    n->cfg.rng);
	/* From the address that others know us by: see is_noise_ip(). */
	fd = stream_connect_from_fd(&p->addr, &n->cfg.mix_addr);
	if (fd < 0 || stream_open(&p->s, n->loop, fd, true, &peer_ops) !=
	    SW_OK) {
		peer_down(p);
		return false;
	}
	loop_set_timer(n->loop, &p->timer, n->loop->now_ms + UP_MS);
	return true;
}

static int
peer_keep(struct peer *p, const uint8_t *data, size_t len)
{
	uint8_t *more;

	if (len > EARLY_MAX - p->early_len)
		return SW_AGAIN;
	if ((more = realloc(p->early, p->early_len + len)) == NULL)
		return SW_ERR_NOMEM;
	p->early = more;
	memcpy(more + p->early_len, data, len);
	p->early_len += len;
	return SW_OK;
}

void
node_emit(void *arg, const struct sw_addr *next, const struct nympkt_frame *f,
    const uint8_t *pkt, size_t len)
{
	struct node *n = arg;
	struct peer *p = find_peer(n, next);
	uint8_t buf[NYMPKT_FRAME_MAX_HEAD + NYMPKT_MAX_LEN];
	struct wbuf w = { buf, sizeof(buf) };

	if (p == NULL || !peer_connect(n, p) ||
	    nympkt_put_frame(&w, f) != SW_OK ||
	    wire_put_bytes(&w, pkt, len) != SW_OK ||
	    (peer_is_up(p) ? peer_put(p, buf, sizeof(buf) - w.left) :
	    peer_keep(p, buf, sizeof(buf) - w.left)) != SW_OK)
		n->link_full++;
}

/* Links in. */

/* The bytes are our own buffer, consumed with the frame: they may be
 * changed. */
static int
take_packets(struct node *n, struct rbuf *in)
{
	struct mixnode_packet batch[MIXNODE_BATCH];
	const uint8_t *pkt;
	size_t count;
	int r;

	do {
		for (count = 0, r = SW_OK; count < MIXNODE_BATCH; count++) {
			struct mixnode_packet *p = &batch[count];

			if ((r = nympkt_get_frame(in, &p->frame, &pkt,
			    &p->len)) != SW_OK)
				break;
			p->pkt = (uint8_t *)(uintptr_t)pkt;
		}
		mixnode_take(n->mix, batch, count, n->loop->now_ms);
	} while (r == SW_OK);
	node_arm(n);
	if (r == SW_AGAIN)
		return SW_OK;
	n->frames_bad++;
	return r;
}

/* What frames held is a stream of its own: a packet may span several. */
static int
take_plain(struct inbound *i, const uint8_t *data, size_t len)
{
	size_t cap = NYMPKT_FRAME_MAX_HEAD + NYMPKT_MAX_LEN + NOISE_PLAIN_MAX;
	struct rbuf in;
	int r;

	if (i->plain == NULL && (i->plain = malloc(cap)) == NULL)
		return SW_ERR_NOMEM;
	if (len > cap - i->plain_len)
		return SW_ERR_TOO_LONG;
	memcpy(i->plain + i->plain_len, data, len);
	in = (struct rbuf){ i->plain, i->plain_len + len };
	r = take_packets(i->node, &in);
	memmove(i->plain, in.p, in.left);
	i->plain_len = in.left;
	return r;
}

static int
inbound_data(struct stream *s, struct rbuf *in)
{
	struct inbound *i = CONTAINER_OF(s, struct inbound, s);
	uint8_t frame[NOISE_HANDSHAKE_MAX], *plain;
	size_t len;
	int r;

	if (!i->encrypted)
		return take_packets(i->node, in);
	while ((r = noise_take(&i->noise, in, &plain, &len)) == SW_OK) {
		if (len > 0) {
			if ((r = take_plain(i, plain, len)) != SW_OK)
				return r;
			continue;
		}
		if ((r = noise_say(&i->noise, frame, &len)) != SW_OK)
			break;
		if (len > 0 && stream_put(s, frame, len) != SW_OK)
			return SW_ERR_LIMIT;
		if (i->noise.done)
			loop_set_timer(i->node->loop, &i->timer, SW_NEVER);
	}
	if (r == SW_AGAIN)
		return SW_OK;
	i->node->handshakes_bad += !i->noise.done;
	i->node->frames_bad += i->noise.done;
	return r;
}

static void
inbound_free(struct inbound *i)
{
	stream_close(&i->s);
	loop_set_timer(i->node->loop, &i->timer, SW_NEVER);
	noise_wipe(&i->noise);
	free(i->plain);
	*i->at = i->next;
	if (i->next != NULL)
		i->next->at = i->at;
	i->node->links--;
	free(i);
}

static void
inbound_closed(struct stream *s, int err)
{
	(void)err;
	inbound_free(CONTAINER_OF(s, struct inbound, s));
}

static void
inbound_late(struct loop_timer *t)
{
	struct inbound *i = CONTAINER_OF(t, struct inbound, timer);

	i->node->handshakes_bad++;
	inbound_free(i);
}

static const struct stream_ops inbound_ops = {
	inbound_data, NULL, inbound_closed,
};

static void
add_inbound(struct node *n, int fd)
{
	struct sockaddr_storage ss;
	socklen_t len = sizeof(ss);
	struct sw_addr from = { .port = 0 };
	struct inbound *i;
	uint8_t pk[X25519_KEY_LEN];

	if (n->links == NODE_INBOUND_MAX ||
	    getpeername(fd, (struct sockaddr *)&ss, &len) != 0 ||
	    addr_from_sockaddr(&from, (struct sockaddr *)&ss, len) != SW_OK ||
	    (i = calloc(1, sizeof(*i))) == NULL) {
		close(fd);
		return;
	}
	if (stream_open(&i->s, n->loop, fd, false, &inbound_ops) != SW_OK) {
		free(i);
		return;
	}
	i->node = n;
	i->at = &n->inbound;
	i->next = n->inbound;
	if (i->next != NULL)
		i->next->at = &i->next;
	n->inbound = i;
	n->links++;
	i->timer.fire = inbound_late;
	i->encrypted = n->cfg.has_noise && is_noise_ip(n, &from);
	if (!i->encrypted)
		return;
	prim_x25519_base(pk, n->cfg.noise);
	noise_init(&i->noise, false, n->cfg.noise, pk, n->cfg.rng);
	loop_set_timer(n->loop, &i->timer, n->loop->now_ms + UP_MS);
}

void
node_accept_links(struct loop_fd *w, uint32_t events)
{
	struct node *n = CONTAINER_OF(w, struct node, mix_listener);
	int fd;

	(void)events;
	for (int k = 0; k < ACCEPT_BATCH; k++) {
		if ((fd = stream_accept_fd(w->fd)) < 0)
			return;
		add_inbound(n, fd);
	}
}

void
node_close_links(struct node *n)
{
	struct peer *p, *next;

	for (struct inbound *i = n->inbound, *after; i != NULL; i = after) {
		after = i->next;
		inbound_free(i);
	}
	for (p = n->peers; p != NULL; p = next) {
		next = p->hh.next;
		/* NOLINTNEXTLINE(clang-analyzer-unix.Malloc): each is visited once */
		HASH_DEL(n->peers, p);
		peer_down(p);
		free(p);
	}
}
