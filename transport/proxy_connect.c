/* The conversation with a proxy, on a socket, by a thread that may wait. */
#include "transport/proxy.h"

#include <errno.h>
#include <netdb.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/addr.h"
#include "transport/tcp.h"

static int
send_output(int fd, struct proxy_talk *t, const struct transport_limit *until)
{
	const uint8_t *p;
	size_t len;
	int r;

	while (p = proxy_output(t, &len), len > 0) {
		ssize_t n;

		if ((r = transport_wait(fd, POLLOUT, until)) != SW_OK)
			return r;
		n = send(fd, p, len, MSG_NOSIGNAL | MSG_DONTWAIT);
		if (n < 0 && errno != EAGAIN && errno != EINTR)
			return SW_ERR_RESET;
		if (n > 0)
			proxy_sent(t, (size_t)n);
	}
	return SW_OK;
}

/* Look first, take what was the proxy's then: the rest is the target's. */
static int
hear(int fd, struct proxy_talk *t, const struct transport_limit *until)
{
	uint8_t buf[2048];
	size_t used;
	ssize_t n;
	int r;

	if ((r = transport_wait(fd, POLLIN, until)) != SW_OK)
		return r;
	n = recv(fd, buf, sizeof(buf), MSG_PEEK | MSG_DONTWAIT);
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return SW_AGAIN;
	if (n <= 0)
		return SW_ERR_RESET;
	r = proxy_input(t, buf, (size_t)n, &used);
	if (recv(fd, buf, used, MSG_DONTWAIT) != (ssize_t)used)
		return SW_ERR_RESET;
	return r;
}

static int
talk(int fd, struct proxy_talk *t, const struct transport_limit *until,
    char why[static TRANSPORT_WHY_LEN])
{
	int r;

	do
		if ((r = send_output(fd, t, until)) == SW_OK)
			r = hear(fd, t, until);
	while (r == SW_AGAIN);
	if (t->why[0] != '\0')
		snprintf(why, TRANSPORT_WHY_LEN, "%s", t->why);
	else if (r == SW_ERR_TIMEOUT)
		snprintf(why, TRANSPORT_WHY_LEN, "the proxy did not answer in "
		    "time");
	else if (r == SW_ERR_CLOSED)
		snprintf(why, TRANSPORT_WHY_LEN, "given up");
	else if (r != SW_OK)
		snprintf(why, TRANSPORT_WHY_LEN, "the proxy closed the "
		    "connection without an answer");
	return r;
}

static int
reach_proxy(const struct proxy_url *u, const struct transport_limit *until,
    int *fd, char why[static TRANSPORT_WHY_LEN])
{
	char reason[TRANSPORT_WHY_LEN];
	int r = tcp_reach(u->host, u->port, until, fd, reason);

	if (r != SW_OK)
		snprintf(why, TRANSPORT_WHY_LEN, "the proxy: %.240s", reason);
	return r;
}

int
proxy_connect(const struct proxy_url *u, const char *host, uint16_t port,
    const struct transport_limit *until, int *fd,
    char why[static TRANSPORT_WHY_LEN])
{
	struct proxy_talk t;
	int r;

	*fd = -1;
	if ((r = proxy_begin(&t, u, host, port)) != SW_OK) {
		snprintf(why, TRANSPORT_WHY_LEN, "%s", t.why);
		return r;
	}
	if ((r = reach_proxy(u, until, fd, why)) == SW_OK)
		r = talk(*fd, &t, until, why);
	proxy_wipe(&t);
	if (r != SW_OK && *fd >= 0) {
		close(*fd);
		*fd = -1;
	}
	return r;
}

/* The proxy's own address, for one that says it listens on "any". */
static int
name_peer(int fd, char out[static PROXY_HOST_MAX + 1])
{
	struct sockaddr_storage ss;
	socklen_t len = sizeof(ss);

	if (getpeername(fd, (struct sockaddr *)(void *)&ss, &len) != 0 ||
	    getnameinfo((struct sockaddr *)(void *)&ss, len, out,
	    PROXY_HOST_MAX + 1, NULL, 0, NI_NUMERICHOST) != 0)
		return SW_ERR_SYS;
	return SW_OK;
}

int
proxy_associate(const struct proxy_url *u, const struct transport_limit *until,
    int *fd, char relay[static PROXY_HOST_MAX + 1], uint16_t *relay_port,
    char why[static TRANSPORT_WHY_LEN])
{
	struct proxy_talk t;
	int r;

	*fd = -1;
	if (u->kind != PROXY_SOCKS5) {
		snprintf(why, TRANSPORT_WHY_LEN, "an HTTP proxy carries no "
		    "datagrams; use a SOCKS5 proxy");
		return SW_ERR_UNSUPPORTED;
	}
	proxy_begin_udp(&t, u);
	if ((r = reach_proxy(u, until, fd, why)) == SW_OK)
		r = talk(*fd, &t, until, why);
	if (r == SW_OK) {
		struct sw_addr a;

		memcpy(relay, t.bound_host, sizeof(t.bound_host));
		*relay_port = t.bound_port;
		if (addr_parse_ip(&a, relay) != SW_OK || addr_is_any(&a))
			r = name_peer(*fd, relay);
	}
	proxy_wipe(&t);
	if (r != SW_OK && *fd >= 0) {
		close(*fd);
		*fd = -1;
	}
	return r;
}
