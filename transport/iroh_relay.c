#include "transport/iroh_relay.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>
#include <wslay/wslay.h>

#include "base/clock.h"
#include "base/container.h"
#include "base/log.h"
#include "transport/detached.h"
#include "transport/iroh_frame.h"
#include "transport/iroh_upgrade.h"
#include "transport/transport.h"

#define BACKOFF_MIN_MS 10
#define BACKOFF_MAX_MS 16000
#define GREETING_MS 10000
#define READ_MAX (256u << 10)	/* bytes of one turn */

/* One try to connect, on a thread that nobody joins: whoever lets go last, the
 * thread or the link, frees it. */
struct attempt {
	pthread_mutex_t lock;
	bool finished, abandoned;
	int tell;			/* eventfd: finished */
	int fd;
	struct relay_place place;
	struct transport *net;		/* a reference */
	char why[TRANSPORT_WHY_LEN];
};

enum relay_state { CONNECTING, GREETING, UP, WAITING };

struct iroh_relay {
	struct loop *loop;
	char *url;
	struct relay_place place;
	struct transport *net;
	const struct iroh_identity *identity;
	const struct iroh_relay_events *ev;
	void *arg;
	enum relay_state state;
	struct attempt *attempt;
	struct loop_fd told, sock;
	struct loop_timer timer;
	struct loop_turn turn;
	wslay_event_context_ptr ws;
	int64_t backoff_ms;
	bool complained, dirty;
	/* a ping is unanswered; is looked after */
	bool ping_out, checking;
	size_t read_bytes;		/* in this turn */
	bool broken;			/* found while reading or writing */
	char why[256];
};

static void try_connect(struct iroh_relay *r);

static void
attempt_free(struct attempt *a)
{
	if (a->fd >= 0)
		close(a->fd);
	close(a->tell);
	pthread_mutex_destroy(&a->lock);
	transport_unref(a->net);
	free(a);
}

static void *
attempt_run(void *arg)
{
	struct attempt *a = arg;
	bool abandoned;

	int fd, r = relay_connect(a->net, &a->place,
	    clock_now_ms() + RELAY_CONNECT_MS, &fd, a->why);

	pthread_mutex_lock(&a->lock);
	a->fd = r == SW_OK ? fd : -1;
	a->finished = true;
	if (!(abandoned = a->abandoned))
		(void)eventfd_write(a->tell, 1);
	pthread_mutex_unlock(&a->lock);
	if (abandoned)
		attempt_free(a);
	return NULL;
}

static void
attempt_abandon(struct attempt *a)
{
	bool finished;

	pthread_mutex_lock(&a->lock);
	a->abandoned = true;
	finished = a->finished;
	pthread_mutex_unlock(&a->lock);
	if (finished)
		attempt_free(a);
}

static struct attempt *
attempt_start(const struct iroh_relay *r)
{
	struct attempt *a = calloc(1, sizeof(*a));

	if (a == NULL)
		return NULL;
	a->fd = -1;
	a->place = r->place;
	a->net = transport_ref(r->net);
	pthread_mutex_init(&a->lock, NULL);
	a->tell = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (a->tell >= 0 && detached_start(attempt_run, a))
		return a;
	attempt_free(a);
	return NULL;
}

/* Drop what there is of a link, keep why, and try again in a while. */
static void
lose(struct iroh_relay *r, const char *why)
{
	bool first = !r->complained;

	loop_del(r->loop, &r->sock);
	if (r->sock.fd >= 0)
		close(r->sock.fd);
	r->sock.fd = -1;
	if (r->ws != NULL)
		wslay_event_context_free(r->ws);
	r->ws = NULL;
	r->state = WAITING;
	r->broken = false;
	r->complained = true;
	loop_set_timer(r->loop, &r->timer, r->loop->now_ms + r->backoff_ms);
	r->backoff_ms *= 2;
	if (r->backoff_ms > BACKOFF_MAX_MS)
		r->backoff_ms = BACKOFF_MAX_MS;
	if (first)
		r->ev->lost(r->arg, r, why);
}

static void
queue(struct iroh_relay *r, const uint8_t *p, size_t n)
{
	struct wslay_event_msg m = { WSLAY_BINARY_FRAME, p, n };

	(void)wslay_event_queue_msg(r->ws, &m);
	r->dirty = true;
}

static void
answer_challenge(struct iroh_relay *r, const uint8_t *challenge)
{
	uint8_t signature[IROH_SIGNATURE_LEN], out[RELAY_ANSWER_LEN];

	if (iroh_identity_answer(r->identity, challenge, signature) != SW_OK) {
		r->broken = true;
		return;
	}
	relay_frame_answer(out, iroh_identity_id(r->identity), signature);
	queue(r, out, sizeof(out));
}

static void
get_datagrams(struct iroh_relay *r, const struct relay_frame *f)
{
	for (size_t at = 0; at < f->len && r->state == UP; at += f->segment)
		r->ev->datagram(r->arg, r, &f->peer, f->bytes + at,
		    f->len - at < f->segment ? f->len - at : f->segment);
}

static void
come_up(struct iroh_relay *r)
{
	r->state = UP;
	r->complained = false;
	r->ping_out = r->checking = false;
	r->backoff_ms = BACKOFF_MIN_MS;
	loop_set_timer(r->loop, &r->timer, r->loop->now_ms + RELAY_PING_MS);
	r->ev->up(r->arg, r);
}

static void
get_frame(struct iroh_relay *r, const struct relay_frame *f)
{
	uint8_t out[1 + RELAY_PING_LEN];

	if (r->state == GREETING && f->kind == RELAY_CHALLENGE)
		answer_challenge(r, f->bytes);
	else if (r->state == GREETING && f->kind == RELAY_ACCEPTED)
		come_up(r);
	else if (r->state == GREETING && f->kind == RELAY_DENIED) {
		snprintf(r->why, sizeof(r->why), "the relay denied access");
		r->broken = true;
	} else if (r->state != UP)
		return;
	else if (f->kind == RELAY_DATAGRAMS)
		get_datagrams(r, f);
	else if (f->kind == RELAY_PING) {
		relay_frame_echo(out, RELAY_PONG, f->bytes);
		queue(r, out, sizeof(out));
	} else if (f->kind == RELAY_STATUS) {
		if (f->status == RELAY_STATUS_REPLACED)
			log_warn("iroh: another endpoint with our key has taken "
			    "our place at the relay");
		else if (f->status == RELAY_STATUS_SLOWED)
			log_info("iroh: the relay slows us down");
	} else if (f->kind == RELAY_RESTART && f->wait_ms <= BACKOFF_MAX_MS)
		r->backoff_ms = f->wait_ms > 0 ? f->wait_ms : BACKOFF_MIN_MS;
}

static void
on_message(wslay_event_context_ptr ws,
    const struct wslay_event_on_msg_recv_arg *m, void *arg)
{
	struct iroh_relay *r = arg;
	struct relay_frame f;

	(void)ws;
	if (m->opcode == WSLAY_CONNECTION_CLOSE)
		r->broken = true;
	if (m->opcode != WSLAY_BINARY_FRAME || r->broken)
		return;
	r->ping_out = false;		/* whatever comes: it lives */
	if (relay_frame_parse(&f, m->msg, m->msg_length) != SW_OK) {
		snprintf(r->why, sizeof(r->why), "the relay sent a frame that "
		    "is none");
		r->broken = true;
		return;
	}
	get_frame(r, &f);
}

static ssize_t
ws_recv(wslay_event_context_ptr ws, uint8_t *buf, size_t len, int flags,
    void *arg)
{
	struct iroh_relay *r = arg;
	ssize_t n;

	(void)flags;
	if (r->read_bytes >= READ_MAX) {	/* the loop comes back to it */
		wslay_event_set_error(ws, WSLAY_ERR_WOULDBLOCK);
		return -1;
	}
	n = recv(r->sock.fd, buf, len, MSG_DONTWAIT);
	if (n > 0) {
		r->read_bytes += (size_t)n;
		return n;
	}
	wslay_event_set_error(ws, n < 0 && (errno == EAGAIN || errno == EINTR) ?
	    WSLAY_ERR_WOULDBLOCK : WSLAY_ERR_CALLBACK_FAILURE);
	return -1;
}

static ssize_t
ws_send(wslay_event_context_ptr ws, const uint8_t *data, size_t len, int flags,
    void *arg)
{
	struct iroh_relay *r = arg;
	ssize_t n = send(r->sock.fd, data, len, MSG_DONTWAIT | MSG_NOSIGNAL);

	(void)flags;
	if (n >= 0)
		return n;
	wslay_event_set_error(ws, errno == EAGAIN || errno == EINTR ?
	    WSLAY_ERR_WOULDBLOCK : WSLAY_ERR_CALLBACK_FAILURE);
	return -1;
}

static int
ws_mask(wslay_event_context_ptr ws, uint8_t *buf, size_t len, void *arg)
{
	(void)ws;
	(void)arg;
	iroh_random(buf, len);
	return 0;
}

/* Send what is queued; wait for the socket when it does not take all. */
static void
flush(struct iroh_relay *r)
{
	r->dirty = false;
	if (r->ws == NULL)
		return;
	if (wslay_event_want_write(r->ws) && wslay_event_send(r->ws) != 0)
		r->broken = true;
	loop_mod(r->loop, &r->sock, wslay_event_want_write(r->ws) ?
	    EPOLLIN | EPOLLOUT : EPOLLIN);
}

static void
on_turn(struct loop_turn *h)
{
	struct iroh_relay *r = CONTAINER_OF(h, struct iroh_relay, turn);

	if (r->dirty)
		flush(r);
	if (r->broken)
		lose(r, r->why[0] != '\0' ? r->why :
		    "the relay closed the link");
}

static void
on_socket(struct loop_fd *w, uint32_t events)
{
	struct iroh_relay *r = CONTAINER_OF(w, struct iroh_relay, sock);

	if (events & (EPOLLIN | EPOLLHUP | EPOLLERR)) {
		r->read_bytes = 0;
		if (wslay_event_recv(r->ws) != 0 ||
		    !wslay_event_want_read(r->ws))
			r->broken = true;
	}
	r->dirty = true;
}

static int
start_link(struct iroh_relay *r, int fd)
{
	static const struct wslay_event_callbacks cb = {
		.recv_callback = ws_recv,
		.send_callback = ws_send,
		.genmask_callback = ws_mask,
		.on_msg_recv_callback = on_message,
	};

	if (wslay_event_context_client_init(&r->ws, &cb, r) != 0) {
		r->ws = NULL;
		return -1;
	}
	wslay_event_config_set_max_recv_msg_length(r->ws, RELAY_FRAME_MAX + 1);
	r->sock.fd = fd;
	(void)fcntl(fd, F_SETFL, O_NONBLOCK);
	r->why[0] = '\0';
	r->state = GREETING;
	loop_set_timer(r->loop, &r->timer, r->loop->now_ms + GREETING_MS);
	return loop_add(r->loop, &r->sock, EPOLLIN);
}

static void
on_told(struct loop_fd *w, uint32_t events)
{
	struct iroh_relay *r = CONTAINER_OF(w, struct iroh_relay, told);
	struct attempt *a = r->attempt;
	int fd;

	(void)events;
	loop_del(r->loop, &r->told);
	r->attempt = NULL;
	pthread_mutex_lock(&a->lock);	/* it tells while it holds it */
	fd = a->fd;
	a->fd = -1;
	pthread_mutex_unlock(&a->lock);
	if (fd < 0)
		lose(r, a->why);
	else if (start_link(r, fd) != SW_OK)
		lose(r, "out of memory");
	attempt_free(a);
}

static void
try_connect(struct iroh_relay *r)
{
	r->state = CONNECTING;
	r->attempt = attempt_start(r);
	if (r->attempt == NULL) {
		lose(r, "no thread for the relay");
		return;
	}
	r->told.fd = r->attempt->tell;
	if (loop_add(r->loop, &r->told, EPOLLIN) != SW_OK) {
		attempt_abandon(r->attempt);
		r->attempt = NULL;
		lose(r, "no descriptor for the relay");
	}
}

static void
on_timer(struct loop_timer *t)
{
	struct iroh_relay *r = CONTAINER_OF(t, struct iroh_relay, timer);
	uint8_t out[1 + RELAY_PING_LEN], bytes[RELAY_PING_LEN] = { 0 };

	if (r->state == WAITING) {
		try_connect(r);
	} else if (r->state == GREETING || r->ping_out) {
		lose(r, "the relay does not answer");
	} else if (r->state == UP && r->checking) {
		r->checking = false;
		loop_set_timer(r->loop, t, r->loop->now_ms + RELAY_PING_MS);
	} else if (r->state == UP) {
		iroh_random(bytes, sizeof(bytes));
		relay_frame_echo(out, RELAY_PING, bytes);
		queue(r, out, sizeof(out));
		flush(r);
		r->ping_out = r->checking = true;
		loop_set_timer(r->loop, t, r->loop->now_ms + RELAY_SILENCE_MS);
	}
}

struct iroh_relay *
iroh_relay_new(struct loop *l, const struct iroh_relay_options *o,
    const struct iroh_relay_events *ev, void *arg,
    char why[static TRANSPORT_WHY_LEN])
{
	struct iroh_relay *r = calloc(1, sizeof(*r));
	struct transport_options net = { .proxy = o->proxy,
	    .through = o->through, .tls = { .ca = o->ca, .alpn = "" } };

	snprintf(why, TRANSPORT_WHY_LEN, "out of memory");
	if (r == NULL || (r->url = strdup(o->url)) == NULL)
		goto fail;
	if (relay_place_parse(&r->place, o->url) != SW_OK) {
		snprintf(why, TRANSPORT_WHY_LEN, "the relay's URL is wrong");
		goto fail;
	}
	net.kind = r->place.tls ? TRANSPORT_TLS : TRANSPORT_TCP;
	if (transport_new(&r->net, &net, why) != SW_OK)
		goto fail;
	r->loop = l;
	r->identity = o->identity;
	r->ev = ev;
	r->arg = arg;
	r->backoff_ms = BACKOFF_MIN_MS;
	r->told = (struct loop_fd){ .fd = -1, .ready = on_told };
	r->sock = (struct loop_fd){ .fd = -1, .ready = on_socket };
	r->timer = (struct loop_timer){ .fire = on_timer, .at_ms = SW_NEVER };
	r->turn.run = on_turn;
	loop_add_turn(l, &r->turn);
	/* The first try begins in the loop, so that no event comes from here. */
	r->state = WAITING;
	loop_set_timer(l, &r->timer, l->now_ms);
	return r;
fail:
	if (r != NULL)
		free(r->url);
	free(r);
	return NULL;
}

void
iroh_relay_free(struct iroh_relay *r)
{
	if (r == NULL)
		return;
	loop_del(r->loop, &r->told);
	loop_del(r->loop, &r->sock);
	loop_del_turn(r->loop, &r->turn);
	loop_set_timer(r->loop, &r->timer, SW_NEVER);
	if (r->attempt != NULL)
		attempt_abandon(r->attempt);
	if (r->ws != NULL) {
		if (wslay_event_want_write(r->ws))
			(void)wslay_event_send(r->ws);
		wslay_event_context_free(r->ws);
	}
	if (r->sock.fd >= 0)
		close(r->sock.fd);
	transport_cancel(r->net);
	transport_unref(r->net);
	free(r->url);
	free(r);
}

const char *
iroh_relay_url(const struct iroh_relay *r)
{
	return r->url;
}

bool
iroh_relay_is_up(const struct iroh_relay *r)
{
	return r->state == UP;
}

void
iroh_relay_send(struct iroh_relay *r, const struct iroh_id *to,
    const uint8_t *p, size_t n, size_t segment)
{
	uint8_t frame[RELAY_HEAD_MAX + RELAY_FRAME_MAX];
	size_t head;

	if (r->state != UP ||
	    wslay_event_get_queued_msg_length(r->ws) > RELAY_QUEUE_MAX)
		return;
	if (n > RELAY_FRAME_MAX - RELAY_HEAD_MAX)
		return;
	head = relay_frame_head(frame, to, n, segment);
	memcpy(frame + head, p, n);
	queue(r, frame, head + n);
}
