/*
 * The C library's resolver takes as long as it takes, so it has a thread of its
 * own; who asked waits for it no longer than it may.  The two share one struct,
 * and whoever comes last frees it.
 */
#include "transport/resolve.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "transport/detached.h"
#include "transport/shared.h"

struct question {
	struct shared shares;
	int done_fd;			/* an eventfd: the answer is there */
	char host[256], port[8];
	struct addrinfo *list;		/* the thread's until it is done */
	int code, error;		/* EAI_*, errno */
};

static const struct addrinfo wish = {
	.ai_socktype = SOCK_STREAM, .ai_flags = AI_NUMERICSERV | AI_ADDRCONFIG,
};

static void
unref(struct question *q)
{
	if (!shared_unref(&q->shares))
		return;
	if (q->list != NULL)
		freeaddrinfo(q->list);
	if (q->done_fd >= 0)
		close(q->done_fd);
	free(q);
}

static void *
thread_main(void *arg)
{
	struct question *q = arg;
	const uint64_t one = 1;

	q->code = getaddrinfo(q->host, q->port, &wish, &q->list);
	q->error = errno;
	(void)!write(q->done_fd, &one, sizeof(one));
	unref(q);
	return NULL;
}

static struct question *
ask(const char *host, const char *port)
{
	struct question *q = calloc(1, sizeof(*q));

	if (q == NULL)
		return NULL;
	shared_init(&q->shares, 2);
	snprintf(q->host, sizeof(q->host), "%s", host);
	snprintf(q->port, sizeof(q->port), "%s", port);
	q->done_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (q->done_fd >= 0 && detached_start(thread_main, q))
		return q;
	shared_init(&q->shares, 1);
	unref(q);
	return NULL;
}

static int
explain(int code, int error, const char *host,
    char why[static TRANSPORT_WHY_LEN])
{
	if (code == 0)
		return SW_OK;
	snprintf(why, TRANSPORT_WHY_LEN, "could not find the address of "
	    "\"%.100s\": %s", host, code == EAI_SYSTEM ? strerror(error) :
	    gai_strerror(code));
	return code == EAI_NONAME ? SW_ERR_NO_NAME : SW_ERR_DOWN;
}

int
resolve_host(struct addrinfo **list, const char *host, uint16_t port,
    const struct transport_limit *until, char why[static TRANSPORT_WHY_LEN])
{
	struct addrinfo literal = wish;
	struct question *q;
	char digits[8];
	uint64_t count;
	int r;

	*list = NULL;
	literal.ai_flags = AI_NUMERICSERV | AI_NUMERICHOST;
	snprintf(digits, sizeof(digits), "%u", port);
	if (getaddrinfo(host, digits, &literal, list) == 0)
		return SW_OK;
	if (strlen(host) >= sizeof(q->host))
		return explain(EAI_NONAME, 0, host, why);
	if ((q = ask(host, digits)) == NULL) {
		snprintf(why, TRANSPORT_WHY_LEN, "out of memory or threads");
		return SW_ERR_NOMEM;
	}
	if ((r = transport_wait(q->done_fd, POLLIN, until)) != SW_OK) {
		snprintf(why, TRANSPORT_WHY_LEN, "the resolver of this machine "
		    "gave no answer for \"%.100s\" in time", host);
	} else if (read(q->done_fd, &count, sizeof(count)) == sizeof(count)) {
		r = explain(q->code, q->error, host, why);
		*list = q->list;
		q->list = NULL;
	}
	unref(q);
	return r;
}
