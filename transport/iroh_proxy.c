#include <stdio.h>
#include <unistd.h>

#include "base/container.h"
#include "base/log.h"
#include "transport/iroh_private.h"
#include "transport/proxy.h"

static int
associate(const char *url, const struct transport_limit *until, int *fd,
    struct sw_addr *to, char why[static IROH_WHY_LEN])
{
	char host[PROXY_HOST_MAX + 1];
	struct proxy_url u;
	uint16_t port;
	int r;

	if ((r = proxy_url_parse(&u, url, why)) != SW_OK)
		return r;
	if (u.kind != PROXY_SOCKS5) {
		snprintf(why, IROH_WHY_LEN,
		    "an HTTP proxy carries no datagrams; "
		    "give --iroh-relay");
		r = SW_ERR_UNSUPPORTED;
	} else
		r = proxy_associate(&u, until, fd, host, &port, why);
	proxy_url_wipe(&u);
	if (r != SW_OK)
		return r;
	if (addr_parse_ip(to, host) == SW_OK) {
		to->port = port;
		return SW_OK;
	}
	close(*fd);
	snprintf(why, IROH_WHY_LEN, "the SOCKS5 proxy names no address for "
	    "datagrams");
	return SW_ERR_UNSUPPORTED;
}

int
iroh_proxy_udp_begin(struct iroh_endpoint *ep,
    const struct transport_limit *until,
    char why[static IROH_WHY_LEN])
{
	struct sw_addr to;
	bool mine;
	int fd = -1, r;

	if (ep->proxy == NULL)
		return SW_OK;
	pthread_mutex_lock(&ep->lock);
	while (ep->assoc == ASSOC_BUSY)
		pthread_cond_wait(&ep->done, &ep->lock);
	mine = ep->assoc == ASSOC_NONE;
	if (mine)
		ep->assoc = ASSOC_BUSY;
	pthread_mutex_unlock(&ep->lock);
	if (!mine)
		return SW_OK;
	r = associate(ep->proxy, until, &fd, &to, why);
	pthread_mutex_lock(&ep->lock);
	ep->assoc = r == SW_OK ? ASSOC_HANDED : ASSOC_NONE;
	ep->assoc_fd = fd;
	ep->assoc_to = to;
	pthread_cond_broadcast(&ep->done);
	pthread_mutex_unlock(&ep->lock);
	return r;
}

/* The association lives as long as this connection. */
static void
on_socks(struct loop_fd *w, uint32_t events)
{
	struct iroh_endpoint *ep = CONTAINER_OF(w, struct iroh_endpoint, socks);

	(void)events;
	iroh_proxy_udp_end(ep);
	log_warn("iroh: the SOCKS5 proxy carries our datagrams no longer");
}

void
iroh_proxy_udp_take(struct iroh_endpoint *ep)
{
	char why[256];
	int fd = -1;

	pthread_mutex_lock(&ep->lock);
	if (ep->assoc == ASSOC_HANDED) {
		fd = ep->assoc_fd;
		ep->assoc_fd = -1;
		ep->assoc = ASSOC_UP;
	}
	pthread_mutex_unlock(&ep->lock);
	if (fd < 0)
		return;
	ep->socks = (struct loop_fd){ .fd = fd, .ready = on_socks };
	if (iroh_udp_open(&ep->udp, NULL, 0, why) != SW_OK ||
	    loop_add(&ep->loop, &ep->socks, EPOLLIN | EPOLLRDHUP) != SW_OK) {
		iroh_proxy_udp_end(ep);
		return;
	}
	ep->udp.proxied = true;
	ep->udp.proxy = ep->assoc_to;
	ep->port = ep->udp.port;
	ep->udp_fd.fd = ep->udp.fd;
	if (loop_add(&ep->loop, &ep->udp_fd, EPOLLIN) != SW_OK)
		iroh_proxy_udp_end(ep);
	else
		ep->no_udp = false;
}

void
iroh_proxy_udp_end(struct iroh_endpoint *ep)
{
	if (ep->proxy == NULL)
		return;
	ep->no_udp = true;
	loop_del(&ep->loop, &ep->socks);
	loop_del(&ep->loop, &ep->udp_fd);
	iroh_udp_close(&ep->udp);
	if (ep->socks.fd >= 0)
		close(ep->socks.fd);
	ep->socks.fd = -1;
	pthread_mutex_lock(&ep->lock);
	if (ep->assoc_fd >= 0)
		close(ep->assoc_fd);
	ep->assoc_fd = -1;
	ep->assoc = ASSOC_NONE;
	pthread_mutex_unlock(&ep->lock);
}
