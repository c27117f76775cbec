/*
 * A server endpoint's way of a datagram: any bytes, and first packets with
 * one byte changed, by UDP and by a relay.  No crash, and no connection that
 * stays without a handshake.
 */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "tests/fuzz/fuzz.h"
#include "transport/iroh_private.h"

/* What iroh_open() makes, but for the thread. */
static struct iroh_endpoint *
endpoint(void)
{
	static struct iroh_endpoint *ep;
	static const uint8_t seed[IROH_SEED_LEN] = { 1 };
	char why[256];

	if (ep != NULL)
		return ep;
	ep = calloc(1, sizeof(*ep));
	ep->identity = iroh_identity_new(seed);
	ep->alpn = strdup("smolwrap-ssh");
	ep->batch = malloc(UDP_BATCH_MAX + NGTCP2_MAX_PMTUD_UDP_PAYLOAD_SIZE);
	ep->accept = true;
	ep->max_streams = 8;
	ep->accept_fd = -1;
	pthread_mutex_init(&ep->lock, NULL);
	pthread_cond_init(&ep->done, NULL);
	if (ep->identity == NULL || loop_init(&ep->loop) != SW_OK ||
	    iroh_udp_open(&ep->udp, "127.0.0.1", 0, why) != SW_OK)
		abort();
	return ep;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct iroh_endpoint *ep = endpoint();
	struct iroh_origin from = { .remote = addr_v4(0x7f000001, 9) };
	uint8_t pkt[1500];

	if (len == 0 || len > sizeof(pkt))
		return 0;
	/* The first byte says how it is dressed up. */
	memset(pkt, 0, sizeof(pkt));
	memcpy(pkt, data + 1, len - 1);
	if ((data[0] & 1) != 0) {	/* the head of an Initial of QUIC v1 */
		pkt[0] = (uint8_t)(0xc0 | (pkt[0] & 3));
		memcpy(pkt + 1, "\0\0\0\1", 4);
	}
	iroh_route_datagram(ep, &from, pkt, (data[0] & 2) != 0 ? 1200 : len);
	while (ep->conns != NULL)
		iroh_conn_free(ep->conns);
	ep->dirty = NULL;
	for (struct iroh_conn *c; (c = ep->graves) != NULL;) {
		ep->graves = c->next;
		iroh_conn_bury(c);
	}
	if (ep->nconns != 0 || ep->half_open != 0 || ep->accepted != 0)
		abort();
	iroh_route_wipe(ep);
	return 0;
}
