/*
 * What the splice of an ssh tunnel asks: where flows go, and datagrams.
 */
#include <string.h>

#include "preload/session.h"
#include "preload/session_hop.h"
#include "preload/session_ssh.h"

static int
output(void *arg, const struct sw_addr *dst, const struct iovec *iov, int n)
{
	struct session_ssh *t = arg;
	struct hop *h = hop_find_inner(t->t.s, dst);

	/* Nobody there (any more): the packet is lost, as in a network. */
	return h != NULL && hop_send(h, iov, n) == SW_AGAIN ? SW_AGAIN : SW_OK;
}

static int
target(void *arg, const struct sw_addr *src, const struct sw_addr *dst,
    struct dial_target *out)
{
	struct session_ssh *t = arg;
	int r;

	(void)src;
	if (addr_is_any(dst) || addr_is_multicast(dst))
		return SW_ERR_UNREACH_NET;
	if (session_is_our_resolver(t->t.s, dst)) {
		/* For the names service: "yours to answer". */
		memset(out, 0, sizeof(*out));
		memcpy(out->host, "127.0.0.1", sizeof("127.0.0.1"));
		out->port = 53;
		return SW_OK;
	}
	/* Loopback destinations never get here unless a program forges
	 * packets; at the server they would mean the server's own services. */
	if (addr_is_loopback(dst))
		return SW_ERR_DENIED;
	/* The server has just been asked where that is. */
	if ((r = names_target(t->map, dst, out)) == SW_OK &&
	    names_is_virtual(dst))
		names_service_aim(t->t.names, addr_is_v4(dst), out);
	return r;
}

static struct dialer *
local(void *arg, const struct sw_addr *dst, const struct dialer_ops **ops)
{
	struct session_ssh *t = arg;

	if (!session_is_our_resolver(t->t.s, dst))
		return NULL;
	*ops = &names_service_dialer_ops;
	return names_service_dialer(t->t.names);
}

static int
udp(void *arg, const struct sw_addr *src, const struct sw_addr *dst,
    const uint8_t *data, size_t len)
{
	struct session_ssh *t = arg;

	if (addr_is_any(dst) || addr_is_multicast(dst))
		return SW_ERR_UNREACH_NET;
	if (addr_is_loopback(dst))
		return SW_ERR_DENIED;
	if (dst->port != 53)
		return session_udp_send(t->udp, src, dst, data, len);
	session_ask_names(&t->t, t->splice, src, dst, data, len,
	    names_service_udp_size(data, len));
	return SW_OK;
}

static bool
foreign(void *arg, const struct sw_addr *inner)
{
	const struct session_ssh *t = arg;
	const struct hop *h = hop_find_inner(t->t.s, inner);

	return h != NULL && h->foreign;
}

const struct splice_ops session_flow_ops = {
	.output = output, .target = target, .local = local, .udp = udp,
	.foreign = foreign,
};
