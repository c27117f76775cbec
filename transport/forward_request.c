#include "transport/forward_request.h"

#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/container.h"
#include "transport/reach.h"
#include "transport/socks_parse.h"

#define REACHING_MAX 128	/* threads that connect */
#define REQUEST_MS 30000	/* for a whole request */

struct forward_request {
	struct loop *l;
	struct dial *dial;
	const struct dialer_ops *ops;
	forward_request_fn *over;
	void *arg;
	struct socks_parser parser;
	struct loop_timer deadline;
	struct reach *reach;		/* it has asked, and waits */
	size_t *reaching;
	size_t len;			/* said and not used yet */
	uint8_t buf[SOCKS_REQUEST_MAX];
};

/* A few bytes into a fresh window: they fit, or the client is no client. */
static bool
say(struct forward_request *q)
{
	const struct socks_parser *p = &q->parser;

	return p->say_len == 0 ||
	    q->ops->write(q->dial, p->say, p->say_len) == p->say_len;
}

/* What was said comes before the end. */
static void
refuse(struct forward_request *q)
{
	if (say(q))
		q->ops->shutdown(q->dial);
	q->over(q->arg, -1);
}

static void
answer_refusal(struct forward_request *q, int err)
{
	socks_answer(&q->parser, err, NULL);
	refuse(q);
}

/* What followed the request at once is the target's. */
static bool
pass_early(const struct forward_request *q, int fd)
{
	return q->len == 0 || send(fd, q->buf, q->len,
	    MSG_DONTWAIT | MSG_NOSIGNAL) == (ssize_t)q->len;
}

static void
reached(void *arg, int err, int fd)
{
	struct forward_request *q = arg;

	q->reach = NULL;
	--*q->reaching;
	if (err != SW_OK) {
		answer_refusal(q, err);
		return;
	}
	socks_answer(&q->parser, SW_OK, NULL);
	if (!pass_early(q, fd) || !say(q)) {
		close(fd);
		fd = -1;
	}
	q->over(q->arg, fd);
}

static void
reach(struct forward_request *q)
{
	loop_set_timer(q->l, &q->deadline, SW_NEVER);
	if (*q->reaching < REACHING_MAX)
		q->reach = reach_start(q->l, q->parser.to.host,
		    q->parser.to.port, reached, q);
	if (q->reach == NULL)
		answer_refusal(q, SW_ERR_LIMIT);
	else
		++*q->reaching;
}

/* What the bytes so far amount to.  The request may be gone afterwards. */
static void
consider(struct forward_request *q)
{
	for (;;) {
		size_t used;
		enum socks_step step = socks_parse(&q->parser, q->buf, q->len,
		    &used);

		memmove(q->buf, q->buf + used, q->len - used);
		q->len -= used;
		switch (step) {
		case SOCKS_MORE:
			return;
		case SOCKS_CONNECT:
			reach(q);
			return;
		case SOCKS_UDP:
			answer_refusal(q, SW_ERR_UNSUPPORTED);
			return;
		case SOCKS_REFUSE:
			refuse(q);
			return;
		case SOCKS_SAY:
			break;
		}
		if (!say(q)) {
			q->over(q->arg, -1);
			return;
		}
	}
}

size_t
forward_request_data(struct forward_request *q, const uint8_t *buf, size_t len)
{
	if (q->reach != NULL)
		return 0;		/* there is nobody to take it yet */
	if (len > sizeof(q->buf) - q->len)
		len = sizeof(q->buf) - q->len;
	memcpy(q->buf + q->len, buf, len);
	q->len += len;
	consider(q);
	return len;
}

void
forward_request_eof(struct forward_request *q)
{
	if (q->reach == NULL)
		q->over(q->arg, -1);
}

static void
too_late(struct loop_timer *t)
{
	struct forward_request *q = CONTAINER_OF(t, struct forward_request,
	    deadline);

	q->over(q->arg, -1);
}

struct forward_request *
forward_request_new(struct loop *l, struct dial *d,
    const struct dialer_ops *ops, size_t *reaching, forward_request_fn *over,
    void *arg)
{
	struct forward_request *q = calloc(1, sizeof(*q));

	if (q == NULL)
		return NULL;
	q->l = l;
	q->dial = d;
	q->ops = ops;
	q->reaching = reaching;
	q->over = over;
	q->arg = arg;
	q->deadline.fire = too_late;
	loop_set_timer(l, &q->deadline, l->now_ms + REQUEST_MS);
	return q;
}

void
forward_request_free(struct forward_request *q)
{
	if (q == NULL)
		return;
	if (q->reach != NULL) {
		reach_cancel(q->reach);
		--*q->reaching;
	}
	loop_set_timer(q->l, &q->deadline, SW_NEVER);
	free(q);
}
