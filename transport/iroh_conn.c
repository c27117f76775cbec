#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/container.h"
#include "base/log.h"
#include "transport/iroh_private.h"

#define GOODBYES_MAX 8
#define GOODBYE_MS 1000		/* at most, that a closed connection is kept */
#define PEER_CLOSES_MS 2000	/* a server lets the client close first */

/* Transport errors of a peer that says which alert of TLS it was. */
#define CRYPTO_ERROR(alert) (UINT64_C(0x100) + (alert))
#define ALERT_NO_ALPN 120

void
iroh_conn_mark(struct iroh_conn *c)
{
	if (c->dirty || c->dead)
		return;
	c->dirty = true;
	c->dirty_next = c->ep->dirty;
	c->ep->dirty = c;
}

static void
tell_dial(struct iroh_conn *c, int err, int fd, const char *why)
{
	struct iroh_dial *d = c->dial;

	c->dial = NULL;
	loop_del(&c->ep->loop, &c->cancel);
	if (c->cancel.fd >= 0)
		close(c->cancel.fd);
	c->cancel.fd = -1;
	if (d != NULL)
		iroh_endpoint_dial_done(c->ep, d, err, fd, why);
}

static void
leave_handshake(struct iroh_conn *c)
{
	if (c->state == CONN_HANDSHAKE && c->server)
		c->ep->half_open--;
}

/* Without a word. */
static void
go_over(struct iroh_conn *c)
{
	leave_handshake(c);
	c->state = CONN_OVER;
	loop_set_timer(&c->ep->loop, &c->timer, SW_NEVER);
	loop_set_timer(&c->ep->loop, &c->limit, SW_NEVER);
	loop_set_timer(&c->ep->loop, &c->relay_lag, SW_NEVER);
	iroh_conn_mark(c);
}

static void
say_goodbye(struct iroh_conn *c, const ngtcp2_connection_close_error *e)
{
	struct loop *l = &c->ep->loop;
	ngtcp2_path_storage ps;
	ngtcp2_pkt_info pi;
	ngtcp2_ssize n;
	int64_t wait;

	ngtcp2_path_storage_zero(&ps);
	n = ngtcp2_conn_write_connection_close(c->q, &ps.path, &pi, c->goodbye,
	    sizeof(c->goodbye), e, iroh_now_ns());
	if (n <= 0) {
		go_over(c);
		return;
	}
	leave_handshake(c);
	c->state = CONN_CLOSING;
	c->goodbye_len = (size_t)n;
	iroh_send_to(c, &ps.path, c->goodbye, (size_t)n, (size_t)n);
	wait = (int64_t)(3 * ngtcp2_conn_get_pto(c->q) / NS_PER_MS) + 1;
	loop_set_timer(l, &c->timer, SW_NEVER);
	loop_set_timer(l, &c->relay_lag, SW_NEVER);
	loop_set_timer(l, &c->limit,
	    l->now_ms + (wait < GOODBYE_MS ? wait : GOODBYE_MS));
	iroh_conn_mark(c);
}

void
iroh_conn_close(struct iroh_conn *c, uint64_t code)
{
	ngtcp2_connection_close_error e;

	if (c->state >= CONN_CLOSING)
		return;
	ngtcp2_connection_close_error_default(&e);
	ngtcp2_connection_close_error_set_application_error(&e, code, NULL, 0);
	say_goodbye(c, &e);
}

void
iroh_conn_fail(struct iroh_conn *c, int err, const char *why)
{
	tell_dial(c, err, -1, why);
	iroh_stream_end(c);
	iroh_conn_close(c, 1);
}

/* The common ones in English; the rest by their names. */
static const char *
lib_text(int liberr)
{
	switch (liberr) {
	case NGTCP2_ERR_IDLE_CLOSE:
		return "it no longer answers";
	case NGTCP2_ERR_HANDSHAKE_TIMEOUT:
		return "it did not answer in time";
	default:
		return ngtcp2_strerror(liberr);
	}
}

void
iroh_conn_fail_lib(struct iroh_conn *c, int liberr)
{
	ngtcp2_connection_close_error e;
	int err = SW_ERR_DOWN;
	char why[IROH_WHY_LEN];

	if (c->state >= CONN_CLOSING)
		return;
	snprintf(why, sizeof(why),
	    "the connection to the iroh endpoint failed: "
	    "%s", lib_text(liberr));
	ngtcp2_connection_close_error_default(&e);
	if (liberr == NGTCP2_ERR_CRYPTO) {
		ngtcp2_connection_close_error_set_transport_error_tls_alert(&e,
		    ngtcp2_conn_get_tls_alert(c->q), NULL, 0);
		if (c->tls.wrong_peer) {
			err = SW_ERR_AUTH;
			snprintf(why, sizeof(why), "another identity answered "
			    "than the iroh endpoint's");
		}
	} else
		ngtcp2_connection_close_error_set_transport_error_liberr(&e,
		    liberr, NULL, 0);
	tell_dial(c, err, -1, why);
	iroh_stream_end(c);
	if (liberr == NGTCP2_ERR_IDLE_CLOSE || liberr == NGTCP2_ERR_DROP_CONN)
		go_over(c);
	else
		say_goodbye(c, &e);
}

/* The peer closed.  What it had sent before still goes to the descriptor. */
static void
peer_closed(struct iroh_conn *c)
{
	ngtcp2_connection_close_error e;
	int err = SW_ERR_REFUSED;
	char why[IROH_WHY_LEN];

	ngtcp2_conn_get_connection_close_error(c->q, &e);
	if (e.type == NGTCP2_CONNECTION_CLOSE_ERROR_CODE_TYPE_TRANSPORT &&
	    e.error_code == CRYPTO_ERROR(ALERT_NO_ALPN))
		snprintf(why, sizeof(why),
		    "the iroh endpoint does not know the "
		    "protocol \"%.64s\"", c->ep->alpn);
	else
		snprintf(why, sizeof(why), "the iroh endpoint closed the "
		    "connection (code 0x%llx)",
		    (unsigned long long)e.error_code);
	tell_dial(c, err, -1, why);
	go_over(c);
}

static void
open_as_client(struct iroh_conn *c)
{
	int fd;

	if (ngtcp2_conn_open_bidi_stream(c->q, &c->stream.id, NULL) != 0) {
		iroh_conn_fail(c, SW_ERR_REFUSED,
		    "the iroh endpoint takes no stream");
		return;
	}
	if ((fd = iroh_stream_open(c)) < 0) {
		iroh_conn_fail(c, SW_ERR_NOMEM, "out of memory or descriptors");
		return;
	}
	c->state = CONN_OPEN;
	loop_set_timer(&c->ep->loop, &c->limit, SW_NEVER);
	tell_dial(c, SW_OK, fd, "");
}

static void
open_as_server(struct iroh_conn *c)
{
	struct iroh_incoming in = { .peer = c->tls.peer,
	    .relayed = c->via == VIA_RELAY };

	if (!in.relayed)
		in.from = c->first.remote;
	if ((in.fd = iroh_stream_open(c)) < 0 ||
	    !iroh_endpoint_offer(c->ep, &in)) {
		log_warn("iroh: a stream was refused: too many wait");
		if (in.fd >= 0)
			close(in.fd);
		iroh_conn_fail(c, SW_ERR_LIMIT, "");
		return;
	}
	c->state = CONN_OPEN;
	loop_set_timer(&c->ep->loop, &c->limit, SW_NEVER);
}

/* Act on what the callbacks told. */
static void
progress(struct iroh_conn *c)
{
	struct loop *l = &c->ep->loop;

	if (c->told_completed) {
		c->told_completed = false;
		ngtcp2_conn_set_keep_alive_timeout(c->q,
		    KEEPALIVE_MS * NS_PER_MS);
		leave_handshake(c);
		c->state = CONN_WAITING;
		loop_set_timer(l, &c->limit, l->now_ms + FIRST_BYTE_MS);
		loop_set_timer(l, &c->relay_lag, SW_NEVER);
		if (!c->server)
			open_as_client(c);
	}
	if (c->state == CONN_WAITING && c->server && c->stream.id >= 0 &&
	    !c->told_reset)
		open_as_server(c);
	if (c->told_confirmed && c->state < CONN_CLOSING) {
		c->told_confirmed = false;
		iroh_path_upgrade(c);
	}
	if (c->told_reset && c->state < CONN_CLOSING)
		iroh_conn_fail(c, SW_ERR_RESET, "");
	if (c->told_stream_done && c->state == CONN_OPEN) {
		c->told_stream_done = false;
		if (!c->server || c->stream.pair.fd < 0)
			iroh_conn_close(c, 0);
		else
			loop_set_timer(l, &c->limit,
			    l->now_ms + PEER_CLOSES_MS);
	}
}

void
iroh_conn_input(struct iroh_conn *c, const struct iroh_origin *from,
    const uint8_t *p, size_t n)
{
	const ngtcp2_pkt_info pi = { .ecn = 0 };
	ngtcp2_path_storage ps;
	int r;

	if (c->dead || c->state == CONN_OVER || !iroh_path_admit(c, from))
		return;
	iroh_path_of(c, from, &ps);
	if (c->state == CONN_CLOSING) {
		if (c->goodbyes++ < GOODBYES_MAX)
			iroh_send_to(c, &ps.path, c->goodbye, c->goodbye_len,
			    c->goodbye_len);
		return;
	}
	r = ngtcp2_conn_read_pkt(c->q, &ps.path, &pi, p, n, iroh_now_ns());
	if (r == NGTCP2_ERR_DRAINING)
		peer_closed(c);
	else if (r != 0 && r != NGTCP2_ERR_RETRY)
		iroh_conn_fail_lib(c, r);
	else {
		progress(c);
		iroh_conn_mark(c);
	}
}

static void
rearm(struct iroh_conn *c)
{
	struct loop *l = &c->ep->loop;
	uint64_t at = ngtcp2_conn_get_expiry(c->q);
	int64_t ms;

	if (at == UINT64_MAX) {
		loop_set_timer(l, &c->timer, SW_NEVER);
		return;
	}
	/* Pacing allows a packet up to a millisecond early, so this is rounded
	 * down, but never into a millisecond that we would spin through. */
	ms = (int64_t)(at / NS_PER_MS);
	loop_set_timer(l, &c->timer, ms > l->now_ms ? ms : l->now_ms + 1);
}

void
iroh_conn_flush(struct iroh_conn *c)
{
	if (c->state < CONN_CLOSING) {
		uint64_t now = iroh_now_ns();
		int r = ngtcp2_conn_get_expiry(c->q) <= now ?
		    ngtcp2_conn_handle_expiry(c->q, now) : 0;

		if (r != 0)
			iroh_conn_fail_lib(c, r);
		else
			progress(c);
	}
	iroh_stream_flush(c);
	if (c->ep->closing && c->state == CONN_OPEN && iroh_stream_delivered(c))
		iroh_conn_close(c, 0);
	if (c->state < CONN_CLOSING) {
		iroh_send_packets(c);
		if (c->state < CONN_CLOSING)
			rearm(c);
	}
	if (c->state == CONN_OVER && c->stream.pair.fd < 0)
		iroh_conn_free(c);
}

static void
on_timer(struct loop_timer *t)
{
	iroh_conn_mark(CONTAINER_OF(t, struct iroh_conn, timer));
}

static void
on_limit(struct loop_timer *t)
{
	struct iroh_conn *c = CONTAINER_OF(t, struct iroh_conn, limit);

	switch (c->state) {
	case CONN_HANDSHAKE:
		iroh_conn_fail(c, SW_ERR_TIMEOUT, c->relay != NULL &&
		    !iroh_relay_is_up(c->relay) ? "no answer from the iroh "
		    "endpoint, and its relay cannot be reached" :
		    "no answer from the iroh endpoint");
		break;
	case CONN_WAITING:
		iroh_conn_fail(c, SW_ERR_TIMEOUT, "");
		break;
	case CONN_OPEN:
		iroh_conn_close(c, 0);	/* lingered long enough */
		break;
	case CONN_CLOSING:
	case CONN_OVER:
		go_over(c);
	}
}

static void
send_flight(struct iroh_conn *c)
{
	if (c->via == VIA_EVERY && c->relay != NULL && c->relay_allowed &&
	    c->flight_len > 0)
		iroh_relay_send(c->relay, &c->peer.id, c->flight, c->flight_len,
		    c->flight_len);
}

static void
on_relay_lag(struct loop_timer *t)
{
	struct iroh_conn *c = CONTAINER_OF(t, struct iroh_conn, relay_lag);

	if (c->state == CONN_OPEN) {
		iroh_path_upgrade(c);
		return;
	}
	c->relay_allowed = true;
	send_flight(c);
}

void
iroh_conn_relay_up(struct iroh_conn *c)
{
	send_flight(c);
}

static void
on_cancel(struct loop_fd *w, uint32_t events)
{
	(void)events;
	iroh_conn_fail(CONTAINER_OF(w, struct iroh_conn, cancel), SW_ERR_CLOSED,
	    "given up");
}

/* A descriptor of our own, for several dials may watch the same one. */
static void
watch_cancel(struct iroh_conn *c, int fd)
{
	c->cancel.fd = fd < 0 ? -1 : fcntl(fd, F_DUPFD_CLOEXEC, 0);
	if (c->cancel.fd >= 0)
		(void)!loop_add(&c->ep->loop, &c->cancel, EPOLLIN);
}

static struct iroh_conn *
conn_new(struct iroh_endpoint *ep, bool server)
{
	struct iroh_conn *c = calloc(1, sizeof(*c));

	if (c == NULL)
		return NULL;
	c->ep = ep;
	c->server = server;
	c->stream.id = -1;
	c->stream.pair.fd = -1;
	c->cancel = (struct loop_fd){ .fd = -1, .ready = on_cancel };
	c->timer = (struct loop_timer){ .fire = on_timer, .at_ms = SW_NEVER };
	c->limit = (struct loop_timer){ .fire = on_limit, .at_ms = SW_NEVER };
	c->relay_lag = (struct loop_timer){ .fire = on_relay_lag,
	    .at_ms = SW_NEVER };
	c->next = ep->conns;
	if (c->next != NULL)
		c->next->prev = c;
	ep->conns = c;
	ep->nconns++;
	if (server) {
		ep->accepted++;
		ep->half_open++;
	}
	return c;
}

struct iroh_conn *
iroh_conn_dial(struct iroh_endpoint *ep, struct iroh_dial *d,
    struct iroh_relay *relay)
{
	struct iroh_conn *c = conn_new(ep, false);

	if (c == NULL) {
		iroh_endpoint_dial_done(ep, d, SW_ERR_NOMEM, -1,
		    "out of memory");
		return NULL;
	}
	c->dial = d;
	watch_cancel(c, d->cancel_fd);
	c->peer = d->peer;
	c->relay = relay;
	c->via = VIA_EVERY;
	c->relay_allowed = c->peer.ndirect == 0 || ep->no_udp;
	loop_set_timer(&ep->loop, &c->limit, d->deadline_ms);
	if (!c->relay_allowed)
		loop_set_timer(&ep->loop, &c->relay_lag,
		    ep->loop.now_ms + RELAY_LAG_MS);
	if (iroh_quic_client(c) != SW_OK) {
		tell_dial(c, SW_ERR_NOMEM, -1, "out of memory");
		iroh_conn_free(c);
		return NULL;
	}
	iroh_conn_mark(c);
	return c;
}

struct iroh_conn *
iroh_conn_accept(struct iroh_endpoint *ep, const ngtcp2_pkt_hd *hd,
    const ngtcp2_cid *odcid, const struct iroh_origin *from)
{
	struct iroh_conn *c = conn_new(ep, true);

	if (c == NULL)
		return NULL;
	c->first = *from;
	c->via = from->relay != NULL ? VIA_RELAY : VIA_UDP;
	loop_set_timer(&ep->loop, &c->limit, ep->loop.now_ms + HANDSHAKE_MS);
	if (iroh_quic_server(c, hd, odcid, from) != SW_OK) {
		iroh_conn_free(c);
		return NULL;
	}
	return c;
}

void
iroh_conn_free(struct iroh_conn *c)
{
	struct iroh_endpoint *ep = c->ep;

	if (c->dead)
		return;
	tell_dial(c, SW_ERR_DOWN, -1, "the endpoint was closed");
	go_over(c);
	iroh_stream_end(c);
	iroh_cid_remove_all(&ep->cids, c);
	c->dead = true;
	if (c->prev != NULL)
		c->prev->next = c->next;
	else
		ep->conns = c->next;
	if (c->next != NULL)
		c->next->prev = c->prev;
	ep->nconns--;
	if (c->server)
		ep->accepted--;
	c->prev = NULL;
	c->next = ep->graves;
	ep->graves = c;
}

void
iroh_conn_bury(struct iroh_conn *c)
{
	ngtcp2_conn_del(c->q);
	iroh_tls_end(&c->tls);
	free(c);
}
