/*
 * TCP to the tunnel server: all addresses, both families in turn (RFC 8305).
 * An attempt that hangs does not hold the next one up: every STAGGER_MS, or as
 * soon as one has failed, another address joins in; the first to connect wins.
 */
#include "transport/tcp.h"

#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "transport/resolve.h"

#define STAGGER_MS 250
#define ATTEMPTS_MAX 16

struct race {
	struct addrinfo *order[ATTEMPTS_MAX];
	struct pollfd fds[ATTEMPTS_MAX + 1];	/* the last: to be cancelled */
	size_t n;			/* addresses */
	size_t started, running;
	int error;			/* errno of the last failure */
	bool cancelled;
};

/* v6, v4, v6, v4 ... beginning with the family the resolver put first. */
static void
interleave(struct race *rc, struct addrinfo *list)
{
	struct addrinfo *turn[2] = { list, list };
	int family[2] = { list->ai_family,
	    list->ai_family == AF_INET ? AF_INET6 : AF_INET };

	for (bool any = true; any && rc->n < ATTEMPTS_MAX;) {
		any = false;
		for (int k = 0; k < 2 && rc->n < ATTEMPTS_MAX; k++) {
			struct addrinfo *a = turn[k];

			while (a != NULL && a->ai_family != family[k])
				a = a->ai_next;
			if (a == NULL) {
				turn[k] = NULL;
				continue;
			}
			rc->order[rc->n++] = a;
			turn[k] = a->ai_next;
			any = true;
		}
	}
}

static void
start_next(struct race *rc)
{
	size_t i = rc->started++;
	const struct addrinfo *a = rc->order[i];
	int fd = socket(a->ai_family,
	    SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	rc->fds[i] = (struct pollfd){ .fd = fd, .events = POLLOUT };
	if (fd < 0) {
		rc->error = errno;
		return;
	}
	if (connect(fd, a->ai_addr, a->ai_addrlen) == 0 ||
	    errno == EINPROGRESS) {
		rc->running++;
		return;
	}
	rc->error = errno;
	close(fd);
	rc->fds[i].fd = -1;
}

/* The descriptor of an attempt that has connected, or -1; failed attempts are
 * closed. */
static int
take_winner(struct race *rc)
{
	for (size_t i = 0; i < rc->started; i++) {
		int e = 0, fd = rc->fds[i].fd;
		socklen_t len = sizeof(e);

		if (fd < 0 || rc->fds[i].revents == 0)
			continue;
		rc->fds[i].fd = -1;
		rc->running--;
		if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &e, &len) == 0 &&
		    e == 0)
			return fd;
		rc->error = e;
		close(fd);
	}
	return -1;
}

static int
run(struct race *rc, const struct transport_limit *until)
{
	int64_t next_ms = clock_now_ms();
	int fd = -1;

	for (size_t i = 0; i < ATTEMPTS_MAX; i++)
		rc->fds[i].fd = -1;
	rc->fds[ATTEMPTS_MAX] = (struct pollfd){
		.fd = until->cancel_fd, .events = POLLIN,
	};
	while (fd < 0 && !rc->cancelled) {
		int64_t now = clock_now_ms(), at = until->deadline_ms;

		if (now >= at) {
			rc->error = ETIMEDOUT;
			break;
		}
		if (rc->started < rc->n && (now >= next_ms || rc->running == 0)) {
			start_next(rc);
			next_ms = now + STAGGER_MS;
			continue;
		}
		if (rc->running == 0)
			break;
		if (rc->started < rc->n && next_ms < at)
			at = next_ms;
		if (poll(rc->fds, ATTEMPTS_MAX + 1, (int)(at - now)) > 0) {
			fd = take_winner(rc);
			rc->cancelled = rc->fds[ATTEMPTS_MAX].revents != 0;
		}
	}
	for (size_t i = 0; i < rc->started; i++)
		if (rc->fds[i].fd >= 0)
			close(rc->fds[i].fd);
	if (rc->cancelled && fd >= 0)
		close(fd);
	return rc->cancelled ? -1 : fd;
}

static int
settle(int fd)
{
	const int one = 1;
	const unsigned loss = TCP_LOSS_MS;

	(void)fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) & ~O_NONBLOCK);
	(void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	(void)setsockopt(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, &loss,
	    sizeof(loss));
	return fd;
}

int
tcp_reach(const char *host, uint16_t port,
    const struct transport_limit *until, int *out,
    char why[static TRANSPORT_WHY_LEN])
{
	struct addrinfo *list;
	struct race rc = { .error = 0 };
	int r, fd;

	*out = -1;
	if ((r = resolve_host(&list, host, port, until, why)) != SW_OK)
		return r;
	interleave(&rc, list);
	fd = run(&rc, until);
	freeaddrinfo(list);
	if (fd >= 0) {
		*out = settle(fd);
		return SW_OK;
	}
	if (rc.cancelled) {
		snprintf(why, TRANSPORT_WHY_LEN, "given up");
		return SW_ERR_CLOSED;
	}
	snprintf(why, TRANSPORT_WHY_LEN, "could not connect to \"%.100s\" "
	    "port %u: %s", host, port, strerror(rc.error));
	r = sw_err_from_errno(rc.error);
	return r == SW_ERR_DOWN ? SW_ERR_UNREACH_NET : r;
}
