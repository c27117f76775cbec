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
set_relay_up(struct iroh_endpoint *ep)
{
	bool up = ep->relays[0] != NULL && iroh_relay_is_up(ep->relays[0]);

	pthread_mutex_lock(&ep->lock);
	ep->relay_up = up;
	pthread_mutex_unlock(&ep->lock);
}

static void
on_relay_up(void *arg, struct iroh_relay *r)
{
	struct iroh_endpoint *ep = arg;

	log_info("iroh: the relay is up");
	set_relay_up(ep);
	for (struct iroh_conn *c = ep->conns; c != NULL; c = c->next)
		if (c->relay == r)
			iroh_conn_relay_up(c);
}

static void
on_relay_lost(void *arg, struct iroh_relay *r, const char *why)
{
	(void)r;
	log_warn("iroh: no relay: %s; trying again", why);
	set_relay_up(arg);
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

/* The link to this relay, made when there is none; NULL: one line in why[]. */
static struct iroh_relay *
get_relay(struct iroh_endpoint *ep, const char *url,
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
	    (relay = get_relay(ep, d->peer.relay, why)) == NULL) {
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

static void
endpoint_free(struct iroh_endpoint *ep)
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
		endpoint_free(ep);
	}
	return NULL;
}

/* --- what other threads call --- */

static int
load_identity(struct iroh_endpoint *ep, const char *file,
    char why[static IROH_WHY_LEN])
{
	uint8_t seed[IROH_SEED_LEN];
	int r = SW_OK;

	if (file != NULL)
		r = iroh_key_load(seed, file, why);
	else
		iroh_random(seed, sizeof(seed));
	if (r != SW_OK)
		return r;
	ep->identity = iroh_identity_new(seed);
	sw_wipe(seed, sizeof(seed));
	if (ep->identity == NULL) {
		snprintf(why, IROH_WHY_LEN, "could not set up the iroh key");
		return SW_ERR_NOMEM;
	}
	iroh_identity_derive(ep->identity, "smolwrap iroh stateless reset",
	    ep->reset_secret);
	iroh_identity_derive(ep->identity, "smolwrap iroh retry token",
	    ep->retry_secret);
	return SW_OK;
}

static int
copy_options(struct iroh_endpoint *ep, const struct iroh_options *o)
{
	ep->accept = o->accept;
	ep->max_streams = o->max_streams > 0 ? o->max_streams : 1024;
	ep->alpn = strdup(o->alpn != NULL ? o->alpn : IROH_ALPN);
	ep->batch = malloc(UDP_BATCH_MAX + NGTCP2_MAX_PMTUD_UDP_PAYLOAD_SIZE);
	if ((o->relay_ca != NULL &&
	    (ep->relay_ca = strdup(o->relay_ca)) == NULL) ||
	    (o->proxy != NULL && (ep->proxy = strdup(o->proxy)) == NULL) ||
	    (o->through != NULL &&
	    (ep->through = through_ref(o->through)) == NULL) ||
	    ep->alpn == NULL || ep->batch == NULL)
		return SW_ERR_NOMEM;
	return SW_OK;
}

static int
open_loop(struct iroh_endpoint *ep)
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

/* The thread takes no signal: they are the program's. */
static int
start_thread(struct iroh_endpoint *ep)
{
	sigset_t all, old;
	int e;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &old);
	e = pthread_create(&ep->thread, NULL, run, ep);
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	return e == 0 ? SW_OK : SW_ERR_SYS;
}

int
iroh_open(struct iroh_endpoint **out, const struct iroh_options *o,
    char why[static IROH_WHY_LEN])
{
	struct iroh_endpoint *ep = calloc(1, sizeof(*ep));
	struct iroh_addr home = { .ndirect = 0 };
	int r;

	*out = NULL;
	snprintf(why, IROH_WHY_LEN, "out of memory");
	if (ep == NULL)
		return SW_ERR_NOMEM;
	ep->udp.fd = ep->wake.fd = ep->socks.fd = ep->accept_fd = -1;
	ep->assoc_fd = -1;
	ep->loop.epfd = -1;
	pthread_mutex_init(&ep->lock, NULL);
	pthread_cond_init(&ep->done, NULL);
	if ((r = copy_options(ep, o)) != SW_OK)
		goto out;
	if (o->relay != NULL && iroh_addr_set_relay(&home, o->relay) != SW_OK) {
		snprintf(why, IROH_WHY_LEN,
		    "\"%.100s\" is no relay: it must be "
		    "https://HOST[:PORT]", o->relay);
		r = SW_ERR_CONFIG;
		goto out;
	}
	/* Behind a proxy there is no socket at all until it gives one. */
	ep->no_udp = o->proxy != NULL || o->through != NULL;
	if ((r = load_identity(ep, o->key_file, why)) != SW_OK ||
	    (!ep->no_udp && (r = iroh_udp_open(&ep->udp, o->bind, o->port,
	    why)) != SW_OK))
		goto out;
	ep->port = ep->udp.port;
	snprintf(why, IROH_WHY_LEN, "out of descriptors, memory or threads");
	if ((r = open_loop(ep)) != SW_OK)
		goto out;
	if (o->relay != NULL && get_relay(ep, home.relay, why) == NULL) {
		r = SW_ERR_CONFIG;
		goto out;
	}
	if ((r = start_thread(ep)) != SW_OK)
		goto out;
	why[0] = '\0';
	*out = ep;
	ep = NULL;
out:
	if (ep != NULL)
		endpoint_free(ep);
	return r;
}

static void
wake(struct iroh_endpoint *ep)
{
	(void)eventfd_write(ep->wake.fd, 1);
}

/* linger_ms below 0: not even a goodbye. */
static void
close_and_join(struct iroh_endpoint *ep, int linger_ms)
{
	pthread_mutex_lock(&ep->lock);
	ep->order_close = true;
	ep->linger_ms = linger_ms;
	pthread_mutex_unlock(&ep->lock);
	wake(ep);
	pthread_join(ep->thread, NULL);
	endpoint_free(ep);
}

void
iroh_close(struct iroh_endpoint *ep, int linger_ms)
{
	if (ep != NULL)
		close_and_join(ep, linger_ms < 0 ? 0 : linger_ms);
}

void
iroh_abandon(struct iroh_endpoint *ep)
{
	close_and_join(ep, -1);
}

void
iroh_finish(struct iroh_endpoint *ep, int linger_ms)
{
	bool released;

	if (ep == NULL)
		return;
	pthread_mutex_lock(&ep->lock);
	ep->order_finish = true;
	ep->linger_ms = linger_ms;
	wake(ep);
	while (!ep->finished)
		pthread_cond_wait(&ep->done, &ep->lock);
	released = ep->released;
	pthread_mutex_unlock(&ep->lock);
	if (released)
		return;			/* its own from here on */
	pthread_join(ep->thread, NULL);
	endpoint_free(ep);
}

void
iroh_id(const struct iroh_endpoint *ep, struct iroh_id *out)
{
	*out = *iroh_identity_id(ep->identity);
}

uint16_t
iroh_port(const struct iroh_endpoint *ep)
{
	return ep->port;
}

bool
iroh_relay_up(struct iroh_endpoint *ep)
{
	bool up;

	pthread_mutex_lock(&ep->lock);
	up = ep->relay_up;
	pthread_mutex_unlock(&ep->lock);
	return up;
}

int
iroh_dial(struct iroh_endpoint *ep, const struct iroh_addr *peer,
    const struct transport_limit *until, int *fd,
    char why[static IROH_WHY_LEN])
{
	struct iroh_dial d = { .peer = *peer, .fd = -1,
	    .deadline_ms = until->deadline_ms, .cancel_fd = until->cancel_fd };
	char no_udp[IROH_WHY_LEN] = "";

	*fd = -1;
	/* A proxy without datagrams is an obstacle only where no relay is. */
	if (peer->ndirect > 0 &&
	    iroh_proxy_udp_begin(ep, until, no_udp) != SW_OK)
		log_warn("iroh: %s", no_udp);
	pthread_mutex_lock(&ep->lock);
	d.next = ep->orders;
	/* cppcheck-suppress autoVariables ; waited for below */
	ep->orders = &d;
	wake(ep);
	/* It keeps the deadline itself: this wait is as bounded as that. */
	while (!d.done)
		pthread_cond_wait(&ep->done, &ep->lock);
	pthread_mutex_unlock(&ep->lock);
	*fd = d.fd;
	memcpy(why, d.err == SW_ERR_CONFIG && no_udp[0] != '\0' ? no_udp :
	    d.why, IROH_WHY_LEN);
	return d.err;
}

int
iroh_accept_fd(const struct iroh_endpoint *ep)
{
	return ep->accept_fd;
}

int
iroh_accept(struct iroh_endpoint *ep, struct iroh_incoming *out)
{
	eventfd_t n;
	int r = SW_AGAIN;

	pthread_mutex_lock(&ep->lock);
	if (ep->queued > 0) {
		(void)eventfd_read(ep->accept_fd, &n);
		*out = ep->queue[0];
		ep->queued--;
		memmove(ep->queue, ep->queue + 1,
		    ep->queued * sizeof(*ep->queue));
		r = SW_OK;
	}
	pthread_mutex_unlock(&ep->lock);
	return r;
}
