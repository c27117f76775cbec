/*
 * A stream that is connected already, for a libcurl that insists on connecting
 * (7.88 does, whatever CURLOPT_SOCKOPTFUNCTION says): it gets the address of an
 * AF_UNIX socket, and a thread joins what connects there to the stream.
 */
#include <errno.h>
#include <poll.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "mix/netdir_job.h"
#include "transport/detached.h"

#define ACCEPT_MS 5000
#define STRANGERS 16			/* who may come before us */
#define IDLE_MS 120000			/* longer than a transfer may take */

struct joint {
	int listener, far;
};

/* One direction: what was read from `from` and is not written yet. */
struct way {
	int from, to;
	bool over;
	size_t at, len;
	char buf[65536];
};

static bool
is_ours(int fd)
{
	struct ucred peer;
	socklen_t len = sizeof(peer);

	return getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &len) == 0 &&
	    peer.pid == getpid();
}

/* Move what can be moved; false: the stream is broken. */
static bool
move(struct way *w)
{
	ssize_t n;

	if (w->at == w->len) {
		n = recv(w->from, w->buf, sizeof(w->buf), MSG_DONTWAIT);
		if (n < 0)
			return errno == EAGAIN || errno == EINTR;
		w->at = 0;
		w->len = (size_t)n;
		w->over = n == 0;
		if (w->over)
			(void)shutdown(w->to, SHUT_WR);
	}
	if (w->at == w->len)
		return true;
	n = send(w->to, w->buf + w->at, w->len - w->at,
	    MSG_DONTWAIT | MSG_NOSIGNAL);
	if (n < 0)
		return errno == EAGAIN || errno == EINTR;
	w->at += (size_t)n;
	return true;
}

static void
join(struct way way[static 2])
{
	while (!way[0].over || !way[1].over) {
		struct pollfd p[2] = { { .fd = -1 }, { .fd = -1 } };

		for (int i = 0; i < 2; i++) {
			struct way *w = &way[i];

			if (w->over)
				continue;
			p[i].fd = w->at < w->len ? w->to : w->from;
			p[i].events = w->at < w->len ? POLLOUT : POLLIN;
		}
		if (poll(p, 2, IDLE_MS) <= 0 && errno != EINTR)
			return;
		for (int i = 0; i < 2; i++)
			if (p[i].revents != 0 && !move(&way[i]))
				return;
	}
}

/* Anybody on this machine may connect there. */
static int
accept_ours(int listener)
{
	struct pollfd p = { .fd = listener, .events = POLLIN };
	int fd;

	for (int i = 0; i < STRANGERS && poll(&p, 1, ACCEPT_MS) == 1; i++) {
		fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
		if (fd >= 0 && is_ours(fd))
			return fd;
		if (fd >= 0)
			close(fd);
	}
	return -1;
}

static void *
run(void *arg)
{
	struct joint *j = arg;
	struct way *way = calloc(2, sizeof(*way));
	int near = way != NULL ? accept_ours(j->listener) : -1;

	close(j->listener);
	if (near >= 0) {
		way[0].from = way[1].to = near;
		way[1].from = way[0].to = j->far;
		join(way);
	}
	if (near >= 0)
		close(near);
	close(j->far);
	free(way);
	free(j);
	return NULL;
}

/* At a name that the kernel chooses. */
static int
listen_somewhere(struct sockaddr_un *at, socklen_t *len)
{
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	*at = (struct sockaddr_un){ .sun_family = AF_UNIX };
	*len = sizeof(*at);
	if (fd >= 0 && bind(fd, (struct sockaddr *)at,
	    sizeof(at->sun_family)) == 0 && listen(fd, STRANGERS) == 0 &&
	    getsockname(fd, (struct sockaddr *)at, len) == 0)
		return fd;
	if (fd >= 0)
		close(fd);
	return -1;
}

int
netdir_stream_offer(int fd, struct sockaddr_un *at, socklen_t *len)
{
	struct joint *j = calloc(1, sizeof(*j));

	if (j != NULL) {
		j->far = fd;
		j->listener = listen_somewhere(at, len);
		if (j->listener >= 0 && detached_start(run, j))
			return SW_OK;
		if (j->listener >= 0)
			close(j->listener);
	}
	free(j);
	close(fd);
	return SW_ERR_SYS;
}
