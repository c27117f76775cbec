/*
 * iroh as one of the kinds of transport: an endpoint that is kept for as long
 * as the transport, and a connection with one stream for each transport_connect().
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "transport/iroh.h"
#include "transport/iroh_dns.h"

#define STOP_LINGER_MS 500

struct iroh_client {
	struct iroh_endpoint *ep;
	struct iroh_addr extra;		/* --iroh-relay, --iroh-address */
};

/* "IP:PORT[,IP:PORT...]" */
static int
add_addresses(struct iroh_addr *a, const char *list,
    char why[static TRANSPORT_WHY_LEN])
{
	char one[SW_ADDR_TEXT_LEN];
	int r = SW_OK;

	while (r == SW_OK && *list != '\0') {
		size_t n = strcspn(list, ",");

		snprintf(one, sizeof(one), "%.*s", (int)n, list);
		r = n < sizeof(one) ? iroh_addr_add_direct(a, one) :
		    SW_ERR_FORMAT;
		list += n + (list[n] == ',');
	}
	if (r == SW_OK)
		return SW_OK;
	snprintf(why, TRANSPORT_WHY_LEN, r == SW_ERR_LIMIT ?
	    "too many addresses in --iroh-address" :
	    "--iroh-address wants IP:PORT, several parted by commas");
	return SW_ERR_CONFIG;
}

static void
stop(void *state)
{
	struct iroh_client *c = state;

	iroh_finish(c->ep, STOP_LINGER_MS);
	free(c);
}

static int
start(const struct transport_options *o, void **state,
    char why[static TRANSPORT_WHY_LEN])
{
	const struct iroh_options eo = { .key_file = o->iroh.key,
	    .alpn = o->iroh.alpn, .relay_ca = o->tls.ca, .proxy = o->proxy,
	    .through = o->through };
	struct iroh_client *c = calloc(1, sizeof(*c));
	int r = SW_OK;

	if (c == NULL) {
		snprintf(why, TRANSPORT_WHY_LEN, "out of memory");
		return SW_ERR_NOMEM;
	}
	if (o->iroh.relay != NULL &&
	    iroh_addr_set_relay(&c->extra, o->iroh.relay) != SW_OK) {
		snprintf(why, TRANSPORT_WHY_LEN, "--iroh-relay wants "
		    "https://HOST[:PORT]");
		r = SW_ERR_CONFIG;
	}
	if (r == SW_OK && o->iroh.address != NULL)
		r = add_addresses(&c->extra, o->iroh.address, why);
	if (r == SW_OK)
		r = iroh_open(&c->ep, &eo, why);
	if (r != SW_OK) {
		free(c);
		return r;
	}
	*state = c;
	return SW_OK;
}

/* The ticket's addresses and those of the options. */
static int
peer_of(const struct iroh_client *c, const char *host, struct iroh_addr *peer,
    char why[static TRANSPORT_WHY_LEN])
{
	if (iroh_addr_parse(peer, host, strlen(host)) != SW_OK) {
		snprintf(why, TRANSPORT_WHY_LEN, "\"%.80s\" is neither an iroh "
		    "endpoint's id nor a ticket", host);
		return SW_ERR_CONFIG;
	}
	if (c->extra.relay[0] != '\0')
		memcpy(peer->relay, c->extra.relay, sizeof(peer->relay));
	for (size_t i = 0; i < c->extra.ndirect &&
	    peer->ndirect < IROH_DIRECT_MAX; i++)
		peer->direct[peer->ndirect++] = c->extra.direct[i];
	return SW_OK;
}

static int
connect_stream(void *state, const struct transport_options *o, const char *host,
    uint16_t port, const struct transport_limit *until, int *fd,
    char why[static TRANSPORT_WHY_LEN])
{
	const struct iroh_client *c = state;
	struct iroh_addr peer;
	int r;

	(void)port;			/* an endpoint has none */
	if ((r = peer_of(c, host, &peer, why)) != SW_OK)
		return r;
	/* Behind a proxy or another tunnel nothing is asked here. */
	if (peer.relay[0] == '\0' && peer.ndirect == 0 && o->proxy == NULL &&
	    o->through == NULL && (r = iroh_dns_lookup(&peer, why)) != SW_OK)
		return r;
	return iroh_dial(c->ep, &peer, until, fd, why);
}

/* One name for all the texts of one id: z-base-32, as in iroh's DNS names. */
static int
peer_name(const char *host, char name[static TRANSPORT_NAME_LEN])
{
	struct iroh_addr peer;

	if (iroh_addr_parse(&peer, host, strlen(host)) != SW_OK)
		return SW_ERR_CONFIG;
	iroh_id_z32(&peer.id, name);
	return SW_OK;
}

const struct transport_ops transport_iroh = {
	.kind = TRANSPORT_IROH,
	.name = "iroh",
	/* says nothing; ssh likes to have one */
	.port = 22,
	.start = start,
	.stop = stop,
	.connect = connect_stream,
	.peer_name = peer_name,
};
