/*
 * TCP to the tunnel server: all addresses, both families in turn (RFC 8305).
 * An attempt that hangs does not hold the next one up: every STAGGER_MS, or as
 * soon as one has failed, another address joins in; the first to connect wins.
 */
#include "transport/transport.h"

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

#define STAGGER_MS 250
#define ATTEMPTS_MAX 16

struct race {
	struct addrinfo *order[ATTEMPTS_MAX];
	struct pollfd fds[ATTEMPTS_MAX];
	size_t n;			/* addresses */
	size_t started, running;
	int error;			/* errno of the last failure */
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
run(struct race *rc, int64_t deadline_ms)
{
	int64_t next_ms = clock_now_ms();
	int fd = -1;

	while (fd < 0) {
		int64_t now = clock_now_ms(), until = deadline_ms;

		if (now >= deadline_ms) {
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
		if (rc->started < rc->n && next_ms < until)
			until = next_ms;
		if (poll(rc->fds, rc->started, (int)(until - now)) > 0)
			fd = take_winner(rc);
	}
	for (size_t i = 0; i < rc->started; i++)
		if (rc->fds[i].fd >= 0)
			close(rc->fds[i].fd);
	return fd;
}

int
transport_connect_tcp(const struct transport_options *o, int64_t deadline_ms,
    int *out, char why[static 256])
{
	const struct addrinfo hints = {
		.ai_socktype = SOCK_STREAM,
		.ai_flags = AI_NUMERICSERV | AI_ADDRCONFIG,
	};
	struct addrinfo *list = NULL;
	struct race rc = { .error = 0 };
	char port[8];
	const int one = 1;
	int r, fd;

	*out = -1;
	why[0] = '\0';
	if (o->proxy != NULL) {		/* never past a proxy that was asked for */
		snprintf(why, 256, "connecting through a proxy is not possible "
		    "yet");
		return SW_ERR_UNSUPPORTED;
	}
	snprintf(port, sizeof(port), "%u", o->port);
	if ((r = getaddrinfo(o->host, port, &hints, &list)) != 0) {
		snprintf(why, 256, "could not find the address of \"%.100s\": "
		    "%s", o->host, r == EAI_SYSTEM ? strerror(errno) :
		    gai_strerror(r));
		return r == EAI_NONAME ? SW_ERR_NO_NAME : SW_ERR_DOWN;
	}
	interleave(&rc, list);
	fd = run(&rc, deadline_ms);
	freeaddrinfo(list);
	if (fd < 0) {
		snprintf(why, 256, "could not connect to \"%.100s\" port %u: "
		    "%s", o->host, o->port, strerror(rc.error));
		r = sw_err_from_errno(rc.error);
		return r == SW_ERR_DOWN ? SW_ERR_UNREACH_NET : r;
	}
	(void)fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) & ~O_NONBLOCK);
	(void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	*out = fd;
	return SW_OK;
}
