#include "mix/smolnode_fetch.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/container.h"
#include "mix/httpres.h"
#include "mix/stream.h"

#define ANSWER_MS 10000

struct smolnode_fetch {
	struct stream s;		/* first */
	struct loop *loop;
	struct loop_timer timer;
	int64_t late_ms;		/* no answer until then: none comes */
	struct sw_addr addr;
	char host[128];
	char *request;
	smolnode_fetched *done;		/* NULL: nothing is asked */
	void *arg;
	uint8_t *in;			/* more than a stream keeps */
	size_t in_len;
};

static void
finish(struct smolnode_fetch *f, int err, const struct httpres *a)
{
	smolnode_fetched *done = f->done;
	uint8_t *in = f->in;

	stream_close(&f->s);
	loop_set_timer(f->loop, &f->timer, SW_NEVER);
	free(f->request);
	f->request = NULL;
	f->done = NULL;
	f->in = NULL;
	f->in_len = 0;
	done(f->arg, err, err == SW_OK ? a->status : 0,
	    err == SW_OK ? a->body : NULL, err == SW_OK ? a->body_len : 0);
	free(in);			/* f may be gone */
}

static int
on_data(struct stream *s, struct rbuf *in)
{
	struct smolnode_fetch *f = (struct smolnode_fetch *)s;
	uint8_t *more;

	if (in->left > HTTPRES_HEAD_MAX + HTTPRES_BODY_MAX - f->in_len)
		return SW_ERR_TOO_LONG;
	if ((more = realloc(f->in, f->in_len + in->left)) == NULL)
		return SW_ERR_NOMEM;
	f->in = more;
	memcpy(f->in + f->in_len, in->p, in->left);
	f->in_len += in->left;
	in->left = 0;
	/* The answer is given by the timer, as this stream goes with it. */
	loop_set_timer(f->loop, &f->timer, f->loop->now_ms);
	return SW_OK;
}

static void
on_writable(struct stream *s)
{
	struct smolnode_fetch *f = (struct smolnode_fetch *)s;

	if (f->request == NULL)
		return;
	if (stream_put(s, f->request, strlen(f->request)) != SW_OK)
		loop_set_timer(f->loop, &f->timer, f->loop->now_ms);
	free(f->request);
	f->request = NULL;
}

static void
on_closed(struct stream *s, int err)
{
	struct smolnode_fetch *f = (struct smolnode_fetch *)s;
	struct httpres a;

	if (httpres_read(&a, f->in, f->in_len) == SW_OK)
		err = SW_OK;
	finish(f, err, &a);
}

static const struct stream_ops ops = { on_data, on_writable, on_closed };

static void
on_timer(struct loop_timer *t)
{
	struct smolnode_fetch *f = CONTAINER_OF(t, struct smolnode_fetch,
	    timer);
	struct httpres a;
	int r = SW_ERR_TIMEOUT;

	if (!stream_is_open(&f->s))
		r = SW_ERR_REFUSED;
	else if (f->in_len > 0)
		r = httpres_read(&a, f->in, f->in_len);
	if (r == SW_AGAIN && f->loop->now_ms < f->late_ms) {
		loop_set_timer(f->loop, t, f->late_ms);
		return;
	}
	finish(f, r == SW_AGAIN ? SW_ERR_TIMEOUT : r, &a);
}

int
smolnode_fetch_new(struct smolnode_fetch **out, struct loop *l,
    const struct sw_addr *a, const char *host)
{
	struct smolnode_fetch *f = calloc(1, sizeof(*f));

	*out = NULL;
	if (f == NULL)
		return SW_ERR_NOMEM;
	f->loop = l;
	f->addr = *a;
	f->timer.fire = on_timer;
	f->s.w.fd = -1;
	snprintf(f->host, sizeof(f->host), "%s", host);
	*out = f;
	return SW_OK;
}

void
smolnode_fetch_free(struct smolnode_fetch *f)
{
	if (f == NULL)
		return;
	stream_close(&f->s);
	loop_set_timer(f->loop, &f->timer, SW_NEVER);
	free(f->request);
	free(f->in);
	free(f);
}

int
smolnode_fetch(struct smolnode_fetch *f, const char *path, const char *body,
    smolnode_fetched *done, void *arg)
{
	int fd, len;

	if (f->done != NULL)
		return SW_ERR_IN_USE;
	if (body == NULL)
		len = asprintf(&f->request, "GET %s HTTP/1.1\r\nHost: %s\r\n"
		    "Connection: close\r\n\r\n", path, f->host);
	else
		len = asprintf(&f->request, "POST %s HTTP/1.1\r\nHost: %s\r\n"
		    "Connection: close\r\nContent-Type: application/json\r\n"
		    "Content-Length: %zu\r\n\r\n%s", path, f->host,
		    strlen(body), body);
	if (len < 0) {
		f->request = NULL;
		return SW_ERR_NOMEM;
	}
	f->done = done;
	f->arg = arg;
	fd = stream_connect_fd(&f->addr);
	if (fd >= 0 && stream_open(&f->s, f->loop, fd, true, &ops) != SW_OK)
		fd = -1;
	f->late_ms = f->loop->now_ms + ANSWER_MS;
	loop_set_timer(f->loop, &f->timer, fd < 0 ? f->loop->now_ms :
	    f->late_ms);
	return SW_OK;
}
