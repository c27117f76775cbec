/*
 * The endpoint's thread: its relays, its turns, and what others order of it
 * (iroh_calls.c).
 */
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/container.h"
#include "base/log.h"
#include "base/wipe.h"
#include "transport/iroh_private.h"
#include "transport/through.h"

uint64_t
iroh_now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000 * NS_PER_MS + (uint64_t)ts.tv_nsec;
}

/* --- relays --- */

static void
on_relay_up(void *arg, struct iroh_relay *r)
{
	struct iroh_endpoint *ep = arg;

	log_info("iroh: the relay is up");
	for (struct iroh_conn *c = ep->conns; c != NULL; c = c->next)
		if (c->relay == r)
			iroh_conn_relay_up(c);
}

static void
on_relay_lost(void *arg, struct iroh_relay *r, const char *why)
{
	(void)arg;
	(void)r;
	log_warn("iroh: no relay: %s; trying again", why);
}

static void
on_relay_datagram(void *arg, struct iroh_relay *r, const struct iroh_id *from,
    const uint8_t *p, size_t n)
{
	const struct iroh_origin origin = { .relay = r, .id = *from };

	iroh_route_datagram(arg, &origin, p, n);
}

static const struct iroh_relay_events relay_events = {
	on_relay_up, on_relay_lost, on_relay_datagram,
};

struct iroh_relay *
iroh_endpoint_relay(struct iroh_endpoint *ep, const char *url,
    char why[static IROH_WHY_LEN])
{
	const struct iroh_relay_options o = { .url = url, .ca = ep->relay_ca,
	    .proxy = ep->proxy, .through = ep->through,
	    .identity = ep->identity };

	for (size_t i = 0; i < RELAYS_MAX; i++) {
		if (ep->relays[i] == NULL) {
			ep->relays[i] = iroh_relay_new(&ep->loop, &o,
			    &relay_events, ep, why);
			return ep->relays[i];
		}
		if (strcmp(iroh_relay_url(ep->relays[i]), url) == 0)
			return ep->relays[i];
	}
	snprintf(why, IROH_WHY_LEN, "too many relays");
	return NULL;
}

/* --- what happens between threads --- */

void
iroh_endpoint_dial_done(struct iroh_endpoint *ep, struct iroh_dial *d, int err,
    int fd, const char *why)
{
	pthread_mutex_lock(&ep->lock);
	d->err = err;
	d->fd = fd;
	snprintf(d->why, sizeof(d->why), "%s", why);
	d->done = true;
	pthread_cond_broadcast(&ep->done);
	pthread_mutex_unlock(&ep->lock);
}

bool
iroh_endpoint_offer(struct iroh_endpoint *ep, const struct iroh_incoming *in)
{
	bool room;

	pthread_mutex_lock(&ep->lock);
	room = ep->queued < ACCEPT_QUEUE_MAX;
	if (room) {
		ep->queue[ep->queued++] = *in;
		(void)eventfd_write(ep->accept_fd, 1);
	}
	pthread_mutex_unlock(&ep->lock);
	return room;
}

static void
start_dial(struct iroh_endpoint *ep, struct iroh_dial *d)
{
	struct iroh_relay *relay = ep->relays[0];
	char why[IROH_WHY_LEN];

	if (memcmp(&d->peer.id, iroh_identity_id(ep->identity),
	    sizeof(d->peer.id)) == 0) {
		iroh_endpoint_dial_done(ep, d, SW_ERR_CONFIG, -1,
		    "this is our own iroh endpoint");
		return;
	}
	if (ep->closing) {
		iroh_endpoint_dial_done(ep, d, SW_ERR_CLOSED, -1,
		    "the iroh endpoint is closed");
		return;
	}
	if (d->peer.relay[0] != '\0' &&
	    (relay = iroh_endpoint_relay(ep, d->peer.relay, why)) == NULL) {
		iroh_endpoint_dial_done(ep, d, SW_ERR_CONFIG, -1, why);
		return;
	}
	if (relay == NULL && (ep->no_udp || d->peer.ndirect == 0)) {
		iroh_endpoint_dial_done(ep, d, SW_ERR_CONFIG, -1,
		    d->peer.ndirect ==
		    0 ? "neither an address nor a relay of the iroh endpoint "
		    "is known; give --iroh-address or --iroh-relay" :
		    "no datagram may go there, and no relay is known; give "
		    "--iroh-relay");
		return;
	}
	(void)iroh_conn_dial(ep, d, relay);
}

static bool
all_closed(const struct iroh_endpoint *ep)
{
	for (const struct iroh_conn *c = ep->conns; c != NULL; c = c->next)
		if (c->state < CONN_CLOSING || c->stream.pair.fd >= 0)
			return false;
	return true;
}

/* Out of time: say goodbye to whoever is left. */
static void
on_ending(struct loop_timer *t)
{
	struct iroh_endpoint *ep = CONTAINER_OF(t, struct iroh_endpoint,
	    ending);

	for (struct iroh_conn *c = ep->conns; c != NULL; c = c->next)
		iroh_conn_close(c, 0);
	ep->loop.stop = true;
}

static void
begin_ending(struct iroh_endpoint *ep, int linger_ms)
{
	if (ep->closing)
		return;
	ep->closing = true;
	if (linger_ms < 0) {
		ep->loop.stop = true;
		return;
	}
	for (struct iroh_conn *c = ep->conns; c != NULL; c = c->next) {
		if (c->state == CONN_OPEN)
			iroh_stream_finish(c);
		else
			iroh_conn_close(c, 0);
	}
	loop_set_timer(&ep->loop, &ep->ending, ep->loop.now_ms + linger_ms);
}

/* Is there a stream whose other end somebody still holds? */
static bool
is_held(struct iroh_endpoint *ep)
{
	for (struct iroh_conn *c = ep->conns; c != NULL; c = c->next) {
		struct pollfd w = { .fd = c->stream.pair.fd };

		if (w.fd >= 0 && !c->stream.hung && (poll(&w, 1, 0) == 0 ||
		    (w.revents & POLLHUP) == 0))
			return true;
	}
	return false;
}

static void
begin_finish(struct iroh_endpoint *ep, int linger_ms)
{
	bool held = is_held(ep);

	if (!held)
		begin_ending(ep, linger_ms);
	pthread_mutex_lock(&ep->lock);
	ep->released = held;
	ep->finished = true;
	ep->order_finish = false;
	pthread_cond_broadcast(&ep->done);
	pthread_mutex_unlock(&ep->lock);
}

static void
on_wake(struct loop_fd *w, uint32_t events)
{
	struct iroh_endpoint *ep = CONTAINER_OF(w, struct iroh_endpoint, wake);
	struct iroh_dial *d;
	eventfd_t n;
	bool close_it, finish_it;
	int linger_ms;

	(void)events;
	(void)eventfd_read(w->fd, &n);
	pthread_mutex_lock(&ep->lock);
	d = ep->orders;
	ep->orders = NULL;
	close_it = ep->order_close;
	finish_it = ep->order_finish;
	linger_ms = ep->linger_ms;
	pthread_mutex_unlock(&ep->lock);
	iroh_proxy_udp_take(ep);
	while (d != NULL) {
		struct iroh_dial *next = d->next;	/* done: it is gone */

		start_dial(ep, d);
		d = next;
	}
	if (close_it)
		begin_ending(ep, linger_ms);
	if (finish_it)
		begin_finish(ep, linger_ms);
}

/* --- the thread --- */

static void
on_udp_datagram(void *arg, const struct sw_addr *local,
    const struct sw_addr *from, const uint8_t *p, size_t n)
{
	const struct iroh_origin origin = { .local = *local, .remote = *from };

	iroh_route_datagram(arg, &origin, p, n);
}

static void
on_udp(struct loop_fd *w, uint32_t events)
{
	struct iroh_endpoint *ep = CONTAINER_OF(w, struct iroh_endpoint,
	    udp_fd);

	(void)events;
	iroh_udp_read(&ep->udp, on_udp_datagram, ep);
}

static void
bury_the_dead(struct iroh_endpoint *ep)
{
	struct iroh_conn **at = &ep->dirty, *c;

	while ((c = *at) != NULL)
		if (c->dead)
			*at = c->dirty_next;
		else
			at = &c->dirty_next;
	while ((c = ep->graves) != NULL) {
		ep->graves = c->next;
		iroh_conn_bury(c);
	}
}

static void
on_turn(struct loop_turn *h)
{
	struct iroh_endpoint *ep = CONTAINER_OF(h, struct iroh_endpoint, turn);
	struct iroh_conn *c = ep->dirty, *next;

	ep->dirty = NULL;
	for (; c != NULL; c = next) {
		next = c->dirty_next;
		c->dirty = false;
		if (!c->dead)
			iroh_conn_flush(c);
	}
	bury_the_dead(ep);
	if (ep->dirty != NULL)
		loop_set_timer(&ep->loop, &ep->again, ep->loop.now_ms);
	/* Only this thread ever sets `released`. */
	if ((ep->closing && all_closed(ep)) ||
	    (ep->released && ep->nconns == 0))
		ep->loop.stop = true;
}

static void
on_again(struct loop_timer *t)
{
	(void)t;			/* the turn was the point */
}

void
iroh_endpoint_free(struct iroh_endpoint *ep)
{
	while (ep->conns != NULL)
		iroh_conn_free(ep->conns);
	bury_the_dead(ep);
	iroh_route_wipe(ep);
	for (size_t i = 0; i < RELAYS_MAX; i++)
		iroh_relay_free(ep->relays[i]);
	while (ep->queued > 0)
		close(ep->queue[--ep->queued].fd);
	iroh_cid_wipe(&ep->cids);
	iroh_udp_close(&ep->udp);
	iroh_proxy_udp_end(ep);
	through_unref(ep->through);
	if (ep->wake.fd >= 0)
		close(ep->wake.fd);
	if (ep->accept_fd >= 0)
		close(ep->accept_fd);
	loop_wipe(&ep->loop);
	iroh_identity_free(ep->identity);
	pthread_mutex_destroy(&ep->lock);
	pthread_cond_destroy(&ep->done);
	free(ep->alpn);
	free(ep->relay_ca);
	free(ep->proxy);
	free(ep->batch);
	sw_wipe_free(ep, sizeof(*ep));
}

static void *
run(void *arg)
{
	struct iroh_endpoint *ep = arg;

	if (loop_run(&ep->loop) != SW_OK)
		log_err("iroh: the loop failed");
	if (ep->released) {
		pthread_detach(pthread_self());
		iroh_endpoint_free(ep);
	}
	return NULL;
}

int
iroh_endpoint_open_loop(struct iroh_endpoint *ep)
{
	ep->wake = (struct loop_fd){ .ready = on_wake,
	    .fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK) };
	if (ep->accept)
		ep->accept_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK |
		    EFD_SEMAPHORE);
	ep->udp_fd = (struct loop_fd){ .fd = ep->udp.fd, .ready = on_udp };
	ep->ending = (struct loop_timer){ .fire = on_ending,
	    .at_ms = SW_NEVER };
	ep->again = (struct loop_timer){ .fire = on_again, .at_ms = SW_NEVER };
	ep->turn.run = on_turn;
	if (ep->wake.fd < 0 || (ep->accept && ep->accept_fd < 0) ||
	    loop_init(&ep->loop) != SW_OK ||
	    loop_add(&ep->loop, &ep->wake, EPOLLIN) != SW_OK ||
	    (!ep->no_udp && loop_add(&ep->loop, &ep->udp_fd, EPOLLIN) != SW_OK))
		return SW_ERR_SYS;
	loop_add_turn(&ep->loop, &ep->turn);
	return SW_OK;
}

/* It takes no signal: they are the program's. */
int
iroh_endpoint_start(struct iroh_endpoint *ep)
{
	sigset_t all, old;
	int e;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &old);
	e = pthread_create(&ep->thread, NULL, run, ep);
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	return e == 0 ? SW_OK : SW_ERR_SYS;
}
