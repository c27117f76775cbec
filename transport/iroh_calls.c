/*
 * What other threads call: the endpoint's life, orders to its thread, and what
 * is read under the lock.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>

#include "base/log.h"
#include "base/wipe.h"
#include "transport/iroh_private.h"
#include "transport/through.h"

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
	if ((r = iroh_endpoint_open_loop(ep)) != SW_OK)
		goto out;
	if (o->relay != NULL &&
	    iroh_endpoint_relay(ep, home.relay, why) == NULL) {
		r = SW_ERR_CONFIG;
		goto out;
	}
	if ((r = iroh_endpoint_start(ep)) != SW_OK)
		goto out;
	why[0] = '\0';
	*out = ep;
	ep = NULL;
out:
	if (ep != NULL)
		iroh_endpoint_free(ep);
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
	iroh_endpoint_free(ep);
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
	iroh_endpoint_free(ep);
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
