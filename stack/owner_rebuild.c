/*
 * An owner from the records of its image.  Its writer is a wrapped program,
 * so every field is looked at, and of addresses only those are believed that
 * the session has given out.
 */
#include <errno.h>
#include <string.h>

#include "base/log.h"
#include "base/sys.h"
#include "stack/owner_image.h"

#include "lwip/priv/tcp_priv.h"

struct reader {
	struct loop *loop;
	const struct owner_events *ev;
	void *arg;
	struct owner *owner;
	struct flow *flow;		/* the one being described */
	struct image_flow im;
	uint32_t tx_got, rx_got;
	uint32_t id;			/* what the owner must be */
	const struct link_config *granted;
	int *fds;			/* of the current record; -1: none */
};

static int
take_fd(struct reader *r)
{
	int fd = r->fds[0];

	r->fds[0] = r->fds[1];
	r->fds[1] = -1;
	return fd;
}

static int
read_owner(struct reader *r, const uint8_t *p, size_t len)
{
	struct image_owner im;
	int fd;

	if (r->owner != NULL || len != sizeof(im) || r->fds[0] < 0)
		return SW_ERR_FORMAT;
	memcpy(&im, p, sizeof(im));
	if (im.id != r->id)
		return SW_ERR_FORMAT;
	r->owner = owner_alloc(r->loop, im.id, r->ev, r->arg);
	if (r->owner == NULL)
		return SW_ERR_NOMEM;
	r->owner->next_port = im.next_port;
	fd = take_fd(r);
	if (owner_use_link(r->owner, fd) != SW_OK)
		return SW_ERR_NOMEM;
	if (owner_use_chan(r->owner, take_fd(r)) != SW_OK)
		return SW_ERR_NOMEM;
	if (im.configured)
		owner_configure(r->owner, r->granted);
	return SW_OK;
}

static bool
is_known_state(const struct image_flow *im)
{
	switch (im->tcp.state) {
	case CLOSED: case SYN_SENT: case ESTABLISHED: case FIN_WAIT_1:
	case FIN_WAIT_2: case CLOSE_WAIT: case CLOSING: case LAST_ACK:
		return im->state <= OWNER_ENDED &&
		    im->tcp.snd_scale <= 14 && im->tcp.rcv_scale <= 14;
	default:
		return false;
	}
}

/* A connection under an address that is not (or no longer) this owner's would
 * take packets from whose it is. */
static bool
is_own(const struct owner *o, const struct sw_addr *a)
{
	return addr_same_ip(a, &o->config.inner4) ||
	    addr_same_ip(a, &o->config.inner6);
}

static int
finish_flow(struct reader *r)
{
	struct flow *f = r->flow, *l;

	if (f == NULL)
		return SW_OK;
	if (r->tx_got != r->im.tx_len || r->rx_got != r->im.rx_len)
		return SW_ERR_FORMAT;
	r->flow = NULL;
	if (f->dgram)
		return SW_OK;
	if (f->state == OWNER_LISTENING) {
		f->state = OWNER_NEW;
		return listen_start(f, r->im.backlog_max) == 0 ? SW_OK :
		    SW_ERR_IN_USE;
	}
	if (f->app_fd >= 0) {
		l = flow_find(r->owner, r->im.listener);
		if (l == NULL || l->state != OWNER_LISTENING)
			return SW_ERR_FORMAT;
		listen_append(l, f);
	}
	if (r->im.tcp.state != CLOSED && !is_own(r->owner, &f->local)) {
		conn_fail(f, ECONNRESET);
		return SW_OK;
	}
	return resume_conn(f, &r->im);
}

static int
read_flow(struct reader *r, const uint8_t *p, size_t len)
{
	struct image_flow *im = &r->im;
	struct flow *f;
	int far = -1, e;

	if ((e = finish_flow(r)) != SW_OK)
		return e;
	if (r->owner == NULL || len != sizeof(*im))
		return SW_ERR_FORMAT;
	memcpy(im, p, len);
	if (!is_known_state(im) || im->tx_len > FLOW_TX_MAX + 65536 ||
	    im->rx_len > TCP_WND + 65536 ||
	    flow_find(r->owner, im->cookie) != NULL)
		return SW_ERR_FORMAT;
	if (im->has_far && (far = take_fd(r)) < 0)
		return SW_ERR_FORMAT;
	f = flow_new(r->owner, im->cookie, far, im->dgram, im->v6);
	if (f == NULL) {
		if (far >= 0)
			sys_close(far);
		return SW_ERR_NOMEM;
	}
	r->flow = f;
	r->tx_got = r->rx_got = 0;
	if (im->has_app)
		f->app_fd = take_fd(r);
	f->local = im->local;
	f->peer = im->peer;
	f->tx_bytes = im->tx_bytes;
	f->rx_bytes = im->rx_bytes;
	f->error = im->error;
	f->discard = im->discard;
	f->state = im->state;
	f->reuse = im->reuse;
	f->bound = im->bound;
	f->kept = im->kept;
	f->app_done = im->app_done;
	f->app_gone = im->app_gone;
	f->fin_sent = im->fin_sent;
	f->rx_fin = im->rx_fin;
	f->rx_fin_done = im->rx_fin_done;
	f->rx_discard = im->rx_discard;
	f->linger_reset = im->linger_reset;
	f->dying = im->dying;
	return SW_OK;
}

static int
read_tx(struct reader *r, const uint8_t *p, size_t len)
{
	if (r->flow == NULL || len > r->im.tx_len - r->tx_got)
		return SW_ERR_FORMAT;
	r->tx_got += (uint32_t)len;
	while (len > 0) {
		struct chunk *c = pump_chunk(r->flow, len);
		size_t n;

		if (c == NULL)
			return SW_ERR_NOMEM;
		n = c->room - c->len < len ? c->room - c->len : len;
		memcpy(c->data + c->len, p, n);
		c->len += (uint32_t)n;
		r->flow->tx_held += (uint32_t)n;
		p += n;
		len -= n;
	}
	return SW_OK;
}

static int
read_rx(struct reader *r, const uint8_t *p, size_t len)
{
	struct pbuf *b;

	if (r->flow == NULL || len > r->im.rx_len - r->rx_got)
		return SW_ERR_FORMAT;
	if ((b = pbuf_alloc(PBUF_RAW, (u16_t)len, PBUF_RAM)) == NULL)
		return SW_ERR_NOMEM;
	memcpy(b->payload, p, len);
	pump_queue_rx(r->flow, b);
	r->rx_got += (uint32_t)len;
	return SW_OK;
}

static int
read_option(struct reader *r, const uint8_t *p, size_t len)
{
	struct image_option im;

	if (r->flow == NULL || len != sizeof(im))
		return SW_ERR_FORMAT;
	memcpy(&im, p, sizeof(im));
	if (im.len > OPTION_MAX)
		return SW_ERR_FORMAT;
	flow_option_set(r->flow, im.level, im.name, im.value, im.len);
	return SW_OK;
}

static int
read_drain(struct reader *r, const uint8_t *p, size_t len)
{
	struct image_drain im;
	int fd = take_fd(r);

	if (r->flow == NULL || len != sizeof(im) || fd < 0 ||
	    r->flow->dgram) {
		if (fd >= 0)
			sys_close(fd);
		return SW_ERR_FORMAT;
	}
	memcpy(&im, p, sizeof(im));
	if (flow_add_drain(r->flow, fd, im.left_ms) != 0)
		chan_reply(fd, ENOMEM, NULL, NULL, 0);
	return SW_OK;
}

static int
read_tombs(struct reader *r, const uint8_t *p, size_t len)
{
	size_t n = len / sizeof(struct tomb);

	if (r->owner == NULL || len % sizeof(struct tomb) != 0 || n > TOMBS)
		return SW_ERR_FORMAT;
	memcpy(r->owner->tombs, p, len);
	r->owner->tomb_at = (uint32_t)n;
	return SW_OK;
}

static int
read_record(struct reader *r, const struct image_record *rec)
{
	const uint8_t *p = rec->data;
	const size_t len = rec->head.len;

	switch (rec->head.kind) {
	case IMAGE_OWNER:
		return read_owner(r, p, len);
	case IMAGE_FLOW:
		return read_flow(r, p, len);
	case IMAGE_TX:
		return read_tx(r, p, len);
	case IMAGE_RX:
		return read_rx(r, p, len);
	case IMAGE_OPTION:
		return read_option(r, p, len);
	case IMAGE_DRAIN:
		return read_drain(r, p, len);
	case IMAGE_TOMBS:
		return read_tombs(r, p, len);
	case IMAGE_END:
		return r->owner != NULL ? finish_flow(r) : SW_ERR_FORMAT;
	default:
		return SW_ERR_FORMAT;
	}
}

struct owner *
rebuild_owner(struct loop *l, struct image_record *first, uint32_t id,
    const struct link_config *granted, const struct owner_events *ev,
    void *arg)
{
	struct reader r = { .loop = l, .ev = ev, .arg = arg, .id = id,
		.granted = granted };
	int e = SW_OK;

	for (struct image_record *rec = first; rec != NULL && e == SW_OK;
	    rec = rec->next) {
		r.fds = rec->fds;
		e = read_record(&r, rec);
	}
	if (e == SW_OK)
		return r.owner;
	log_debug("owner: import failed: %s", sw_strerror(e));
	owner_free(r.owner);
	return NULL;
}
