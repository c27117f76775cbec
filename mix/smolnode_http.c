#include "mix/smolnode_http.h"

#include <stddef.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/container.h"
#include "mix/greeter.h"
#include "mix/stream.h"

#define CLIENTS_MAX 64
#define CLIENT_MS 10000			/* between two requests */

struct request {
	struct stream s;
	struct smolnode_http *http;
	struct loop_timer timer;
	struct request *next, **at;
	bool last;			/* it gets no more answers */
};

struct smolnode_http {
	struct loop_fd listener;
	struct loop *loop;
	const struct directory *directory;
	struct greeter greeter;
	struct request *requests;
	size_t n;
};

static void
request_free(struct request *r)
{
	stream_close(&r->s);
	loop_set_timer(r->http->loop, &r->timer, SW_NEVER);
	*r->at = r->next;
	if (r->next != NULL)
		r->next->at = r->at;
	r->http->n--;
	free(r);
}

/* After the last answer the peer has the rest of its time to read it, and
 * closes. */
static int
request_data(struct stream *s, struct rbuf *in)
{
	struct request *r = CONTAINER_OF(s, struct request, s);
	size_t n, took;
	char *out;
	int err;

	while (!r->last && (err = directory_answer(r->http->directory, in->p,
	    in->left, &took, &out, &n, &r->last)) != SW_AGAIN) {
		if (err != SW_OK)
			return err;
		in->p += took;
		in->left -= took;
		err = stream_put(s, out, n);
		free(out);
		if (err != SW_OK)
			return SW_ERR_LIMIT;	/* it asks, and does not read */
		loop_set_timer(r->http->loop, &r->timer, r->http->loop->now_ms +
		    CLIENT_MS);
	}
	if (r->last)
		in->left = 0;
	return SW_OK;
}

static void
request_closed(struct stream *s, int err)
{
	(void)err;
	request_free(CONTAINER_OF(s, struct request, s));
}

/* It asked nothing for a while, or has had its last answer. */
static void
request_late(struct loop_timer *t)
{
	request_free(CONTAINER_OF(t, struct request, timer));
}

static const struct stream_ops request_ops = {
	request_data, NULL, request_closed,
};

static void
add_request(void *arg, int fd)
{
	struct smolnode_http *h = arg;
	struct request *r;

	if (h->n == CLIENTS_MAX || (r = calloc(1, sizeof(*r))) == NULL) {
		close(fd);
		return;
	}
	if (stream_open(&r->s, h->loop, fd, false, &request_ops) != SW_OK) {
		free(r);
		return;
	}
	r->http = h;
	r->timer.fire = request_late;
	loop_set_timer(h->loop, &r->timer, h->loop->now_ms + CLIENT_MS);
	r->at = &h->requests;
	r->next = h->requests;
	if (r->next != NULL)
		r->next->at = &r->next;
	h->requests = r;
	h->n++;
}

static void
accept_requests(struct loop_fd *w, uint32_t events)
{
	struct smolnode_http *h = CONTAINER_OF(w, struct smolnode_http,
	    listener);
	int fd;

	(void)events;
	while ((fd = stream_accept_fd(w->fd)) >= 0) {
		if (h->greeter.tls != NULL)
			greeter_take(&h->greeter, fd);
		else
			add_request(h, fd);
	}
}

int
smolnode_http_new(struct smolnode_http **out, struct loop *l,
    struct sw_addr *a, const struct directory *d, struct tls_server *tls)
{
	struct smolnode_http *h = calloc(1, sizeof(*h));
	int r;

	*out = NULL;
	if (h == NULL)
		return SW_ERR_NOMEM;
	h->loop = l;
	h->directory = d;
	h->greeter = (struct greeter){
		.loop = l, .tls = tls, .max = CLIENTS_MAX,
		.ready = add_request, .arg = h,
	};
	h->listener.ready = accept_requests;
	h->listener.fd = stream_listen_fd(a);
	r = h->listener.fd >= 0 ? loop_add(l, &h->listener, EPOLLIN) :
	    SW_ERR_SYS;
	if (r != SW_OK) {
		if (h->listener.fd >= 0)
			close(h->listener.fd);
		free(h);
		return r;
	}
	*out = h;
	return SW_OK;
}

void
smolnode_http_free(struct smolnode_http *h)
{
	if (h == NULL)
		return;
	for (struct request *r = h->requests, *next; r != NULL; r = next) {
		next = r->next;
		request_free(r);
	}
	greeter_close(&h->greeter);
	loop_del(h->loop, &h->listener);
	close(h->listener.fd);
	free(h);
}
