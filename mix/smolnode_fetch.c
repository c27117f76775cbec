#include "mix/smolnode_fetch.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/container.h"
#include "mix/httpres.h"
#include "mix/stream.h"
#include "transport/dialing.h"

#define ANSWER_MS 10000

struct smolnode_fetch {
	struct stream s;
	struct loop *loop;
	struct loop_timer timer;
	int64_t late_ms;		/* no answer until then: none comes */
	struct transport *transport;
	struct dialing *dialing;
	char host[TRANSPORT_NAME_LEN];
	uint16_t port;
	char why[TRANSPORT_WHY_LEN];
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

	dialing_cancel(f->dialing);
	f->dialing = NULL;
	stream_close(&f->s);
	if (err != SW_OK && f->why[0] == '\0')
		snprintf(f->why, sizeof(f->why), "%s", sw_strerror(err));
	loop_set_timer(f->loop, &f->timer, SW_NEVER);
	free(f->request);
	f->request = NULL;
	f->done = NULL;
	f->in = NULL;
	f->in_len = 0;
	if (err == SW_OK)
		done(f->arg, err, a->status, a->body, a->body_len);
	else
		done(f->arg, err, 0, f->why, strlen(f->why));
	free(in);			/* f may be gone */
}

static int
on_data(struct stream *s, struct rbuf *in)
{
	struct smolnode_fetch *f = CONTAINER_OF(s, struct smolnode_fetch, s);
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
on_closed(struct stream *s, int err)
{
	struct smolnode_fetch *f = CONTAINER_OF(s, struct smolnode_fetch, s);
	struct httpres a;

	if (f->in_len > 0 && httpres_read(&a, f->in, f->in_len) == SW_OK)
		finish(f, SW_OK, &a);
	else
		finish(f, err != SW_OK ? err : SW_ERR_CLOSED, NULL);
}

static const struct stream_ops ops = { on_data, NULL, on_closed };

static void
on_timer(struct loop_timer *t)
{
	struct smolnode_fetch *f = CONTAINER_OF(t, struct smolnode_fetch,
	    timer);
	struct httpres a;
	int r = SW_ERR_TIMEOUT;

	if (f->in_len > 0)
		r = httpres_read(&a, f->in, f->in_len);
	if (r == SW_AGAIN && f->loop->now_ms < f->late_ms) {
		loop_set_timer(f->loop, t, f->late_ms);
		return;
	}
	finish(f, r == SW_AGAIN ? SW_ERR_TIMEOUT : r, &a);
}

static void
on_dialed(void *arg, int err, int fd, const char *why)
{
	struct smolnode_fetch *f = arg;
	int flags;

	f->dialing = NULL;
	snprintf(f->why, sizeof(f->why), "%s", why);
	if (err != SW_OK) {
		finish(f, err, NULL);
		return;
	}
	flags = fcntl(fd, F_GETFL);
	if (flags < 0 || fcntl(fd, F_SETFL, flags | O_NONBLOCK) != 0) {
		close(fd);
		err = SW_ERR_SYS;
	} else if ((err = stream_open(&f->s, f->loop, fd, false, &ops)) ==
	    SW_OK) {
		err = stream_put(&f->s, f->request, strlen(f->request));
	}
	if (err != SW_OK)
		finish(f, err, NULL);
}

int
smolnode_fetch_new(struct smolnode_fetch **out, struct loop *l,
    struct transport *t, const char *host, uint16_t port)
{
	struct smolnode_fetch *f = calloc(1, sizeof(*f));

	*out = NULL;
	if (f == NULL)
		return SW_ERR_NOMEM;
	f->loop = l;
	f->transport = transport_ref(t);
	f->timer.fire = on_timer;
	f->s.w.fd = -1;
	snprintf(f->host, sizeof(f->host), "%s", host);
	f->port = port;
	*out = f;
	return SW_OK;
}

void
smolnode_fetch_free(struct smolnode_fetch *f)
{
	if (f == NULL)
		return;
	dialing_cancel(f->dialing);
	stream_close(&f->s);
	loop_set_timer(f->loop, &f->timer, SW_NEVER);
	transport_unref(f->transport);
	free(f->request);
	free(f->in);
	free(f);
}

static char *
write_request(const struct smolnode_fetch *f, const char *path,
    const char *body)
{
	const char *end = strchr(f->host, ':') != NULL ? "]" : "";
	char *text;
	int len;

	if (body == NULL)
		len = asprintf(&text, "GET %s HTTP/1.1\r\nHost: %s%s%s:%u\r\n"
		    "Connection: close\r\n\r\n", path, *end != '\0' ? "[" :
		    "", f->host, end, f->port);
	else
		len = asprintf(&text, "POST %s HTTP/1.1\r\n"
		    "Host: %s%s%s:%u\r\nConnection: close\r\n"
		    "Content-Type: application/json\r\n"
		    "Content-Length: %zu\r\n\r\n%s", path, *end != '\0' ?
		    "[" : "", f->host, end, f->port, strlen(body), body);
	return len < 0 ? NULL : text;
}

int
smolnode_fetch(struct smolnode_fetch *f, const char *path, const char *body,
    smolnode_fetched *done, void *arg)
{
	if (f->done != NULL)
		return SW_ERR_IN_USE;
	if ((f->request = write_request(f, path, body)) == NULL)
		return SW_ERR_NOMEM;
	f->why[0] = '\0';
	f->late_ms = f->loop->now_ms + ANSWER_MS;
	f->dialing = dialing_start(f->loop, f->transport, f->host, f->port,
	    f->late_ms, on_dialed, f);
	if (f->dialing == NULL) {
		free(f->request);
		f->request = NULL;
		return SW_ERR_NOMEM;
	}
	f->done = done;
	f->arg = arg;
	loop_set_timer(f->loop, &f->timer, f->late_ms);
	return SW_OK;
}
