#include "transport/socks_server.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/container.h"
#include "base/wipe.h"
#include "transport/junction.h"
#include "transport/list.h"
#include "transport/listener.h"
#include "transport/socks_parse.h"
#include "transport/socks_udp.h"

#define REQUEST_MS 30000	/* for a whole request */
#define CLOSE_MS 1000		/* for a refused client to go by itself */

struct client;
LIST_OF(client_list, client);

struct socks_server {
	struct loop *l;
	struct listener *listener;
	struct exit_doors exit;
	char *passwords;		/* NULL: nobody is asked */
	struct client_list clients;
	size_t n;
};

/*
 * ASKING -> JOINED     the junction has the socket; w is idle
 *        -> UDP        the socket only tells when the client goes
 *        -> CLOSING    refused; what it still sends is read and dropped
 */
struct client {
	LIST_LINK(client) link;
	struct socks_server *s;
	enum { ASKING, JOINED, ASSOCIATED, CLOSING } state;
	struct loop_fd w;
	struct loop_timer deadline;
	struct socks_parser parser;
	struct junction *junction;
	struct socks_udp *udp;
	uint8_t *buf;			/* SOCKS_REQUEST_MAX bytes, ASKING only */
	size_t len;
};

static void
forget_request(struct client *c)
{
	sw_wipe_free(c->buf, SOCKS_REQUEST_MAX);
	c->buf = NULL;
}

static void
client_free(struct client *c)
{
	struct socks_server *s = c->s;

	LIST_DROP(&s->clients, c, link);
	s->n--;
	loop_set_timer(s->l, &c->deadline, SW_NEVER);
	junction_free(c->junction);
	socks_udp_free(c->udp);
	if (c->w.fd >= 0) {
		loop_del(s->l, &c->w);
		close(c->w.fd);
	}
	forget_request(c);
	free(c);
}

/* Names and passwords are compared whole, in constant time for their length. */
static bool
is_known(void *arg, const char *user, const char *password)
{
	const struct client *c = arg;
	const char *line = c->s->passwords;
	size_t u = strlen(user), w = strlen(password), len;
	bool good = false;

	for (; *line != '\0'; line += len + (line[len] == '\n')) {
		len = strcspn(line, "\n");
		if (len == u + 1 + w && line[u] == ':' &&
		    sw_equal_ct(line, user, u) &&
		    sw_equal_ct(line + u + 1, password, w))
			good = true;
	}
	return good;
}

static bool
say(struct client *c)
{
	size_t n = c->parser.say_len;

	/* A few bytes into an empty queue: they fit, or the client is gone. */
	return n == 0 || send(c->w.fd, c->parser.say, n,
	    MSG_DONTWAIT | MSG_NOSIGNAL) == (ssize_t)n;
}

/* Said; now let the client read it: a close with bytes unread would be a reset
 * that overtakes the answer. */
static void
start_closing(struct client *c)
{
	c->state = CLOSING;
	forget_request(c);
	(void)shutdown(c->w.fd, SHUT_WR);
	loop_set_timer(c->s->l, &c->deadline, c->s->l->now_ms + CLOSE_MS);
}

static void
answer_and_close(struct client *c, int err)
{
	socks_answer(&c->parser, err, NULL);
	if (say(c))
		start_closing(c);
	else
		client_free(c);
}

static void
far_opened(void *arg)
{
	struct client *c = arg;

	loop_set_timer(c->s->l, &c->deadline, SW_NEVER);
	socks_answer(&c->parser, SW_OK, NULL);
	junction_say(c->junction, c->parser.say, c->parser.say_len);
}

static void
far_failed(void *arg, int err)
{
	struct client *c = arg;

	socks_answer(&c->parser, err, NULL);
	junction_say(c->junction, c->parser.say, c->parser.say_len);
	client_free(c);
}

static void
far_ended(void *arg, int err)
{
	(void)err;
	client_free(arg);
}

static const struct junction_events junction_events = {
	.opened = far_opened, .failed = far_failed, .ended = far_ended,
};

static void
start_junction(struct client *c, size_t used)
{
	const struct exit_doors *x = &c->s->exit;
	int fd = c->w.fd, err;

	loop_del(c->s->l, &c->w);
	c->junction = junction_dial(c->s->l, fd, x->dialer, x->dialer_ops,
	    &c->parser.to, c->buf + used, c->len - used, &junction_events, c,
	    &err);
	if (c->junction != NULL) {
		c->w.fd = -1;
		c->state = JOINED;
		forget_request(c);
		/* The exit has its own time-outs; the client's patience is the
		 * measure here. */
		loop_set_timer(c->s->l, &c->deadline, SW_NEVER);
		return;
	}
	if (loop_add(c->s->l, &c->w, EPOLLIN) != SW_OK)
		client_free(c);
	else
		answer_and_close(c, err);
}

static void
udp_ended(void *arg)
{
	client_free(arg);
}

static void
start_udp(struct client *c)
{
	const struct exit_doors *x = &c->s->exit;
	struct sw_addr bound;
	int err = SW_ERR_UNSUPPORTED;

	if (x->datagrams != NULL)
		c->udp = socks_udp_open(c->s->l, c->w.fd, x->datagrams,
		    x->datagram_ops, udp_ended, c, &bound, &err);
	if (c->udp == NULL) {
		answer_and_close(c, err);
		return;
	}
	c->state = ASSOCIATED;
	forget_request(c);
	loop_set_timer(c->s->l, &c->deadline, SW_NEVER);
	socks_answer(&c->parser, SW_OK, &bound);
	if (!say(c))
		client_free(c);
}

/* What the bytes so far amount to.  The client may be gone afterwards. */
static void
consider(struct client *c)
{
	for (;;) {
		size_t used;
		enum socks_step step = socks_parse(&c->parser, c->buf, c->len,
		    &used);

		switch (step) {
		case SOCKS_MORE:
			return;
		case SOCKS_CONNECT:
			start_junction(c, used);
			return;
		case SOCKS_UDP:
			start_udp(c);
			return;
		case SOCKS_REFUSE:
			if (say(c))
				start_closing(c);
			else
				client_free(c);
			return;
		case SOCKS_SAY:
			break;
		}
		if (!say(c)) {
			client_free(c);
			return;
		}
		memmove(c->buf, c->buf + used, c->len - used);
		c->len -= used;
	}
}

static void
client_ready(struct loop_fd *w, uint32_t events)
{
	struct client *c = CONTAINER_OF(w, struct client, w);
	uint8_t rest[4096];
	ssize_t n;

	(void)events;
	if (c->state == ASKING)
		n = recv(w->fd, c->buf + c->len, SOCKS_REQUEST_MAX - c->len, 0);
	else
		n = recv(w->fd, rest, sizeof(rest), 0);
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n <= 0) {
		client_free(c);
		return;
	}
	if (c->state == ASKING) {
		c->len += (size_t)n;
		consider(c);
	}
}

static void
too_late(struct loop_timer *t)
{
	client_free(CONTAINER_OF(t, struct client, deadline));
}

static void
accepted(void *arg, int fd)
{
	struct socks_server *s = arg;
	struct client *c = NULL;

	if (s->n < SOCKS_CLIENTS_MAX)
		c = calloc(1, sizeof(*c));
	if (c != NULL)
		c->buf = malloc(SOCKS_REQUEST_MAX);
	if (c == NULL || c->buf == NULL) {
		free(c);
		close(fd);
		return;
	}
	c->s = s;
	c->w = (struct loop_fd){ .fd = fd, .ready = client_ready };
	c->deadline.fire = too_late;
	if (s->passwords != NULL)
		c->parser.check = is_known;
	c->parser.arg = c;
	LIST_APPEND(&s->clients, c, link);
	s->n++;
	if (loop_add(s->l, &c->w, EPOLLIN) != SW_OK) {
		client_free(c);
		return;
	}
	loop_set_timer(s->l, &c->deadline, s->l->now_ms + REQUEST_MS);
}

int
socks_server_open(struct socks_server **out, struct loop *l,
    const struct socks_server_options *o, char why[static 256])
{
	struct socks_server *s = calloc(1, sizeof(*s));
	int r = SW_ERR_NOMEM;

	*out = NULL;
	memcpy(why, "out of memory", sizeof("out of memory"));
	if (s == NULL)
		return r;
	s->l = l;
	s->exit = o->exit;
	LIST_INIT(&s->clients);
	if (o->passwords == NULL || (s->passwords = strdup(o->passwords)) !=
	    NULL)
		r = listener_open(&s->listener, l, o->host, o->port, accepted,
		    s, why);
	if (r != SW_OK) {
		socks_server_free(s);
		return r;
	}
	*out = s;
	return SW_OK;
}

int
socks_server_start(struct socks_server *s, char why[static 256])
{
	return listener_start(s->listener, why);
}

bool
socks_server_is_public(const struct socks_server *s)
{
	return listener_is_public(s->listener);
}

size_t
socks_server_clients(const struct socks_server *s)
{
	return s->n;
}

void
socks_server_free(struct socks_server *s)
{
	struct client *c, *next;

	if (s == NULL)
		return;
	listener_free(s->listener);
	for (c = LIST_FIRST(&s->clients); c != NULL; c = next) {
		next = LIST_NEXT(c, link);
		client_free(c);
	}
	if (s->passwords != NULL)
		sw_wipe_free(s->passwords, strlen(s->passwords));
	free(s);
}
