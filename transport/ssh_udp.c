/*
 * A port is a dial to the server's UDP service.  Frames wait in `out` only while
 * the channel has no room, or is not open yet, and are dropped when that is
 * full: a frame is sent whole or not at all.
 */
#include "transport/ssh_udp.h"

#include <stdlib.h>
#include <string.h>

#include "transport/udp_channel.h"

#define OUT_MAX ((size_t)192 * 1024)
#define IN_MAX (2 + (size_t)UDP_CHANNEL_FRAME_MAX)

struct datagram_port {
	struct dial *d;
	const struct datagram_events *ev;
	void *arg;
	bool open;			/* the channel stands */
	bool telling, gone;		/* in a callback; closed in it */
	uint8_t *out;			/* frames: out[at..len) */
	size_t out_at, out_len, out_room;
	uint8_t *in;			/* a part of a frame, IN_MAX bytes */
	size_t in_len;
};

static void
port_free(struct datagram_port *p)
{
	if (p->telling) {		/* whoever tells frees it */
		p->gone = true;
		return;
	}
	free(p->out);
	free(p->in);
	free(p);
}

/* ---- to the server ---- */

static void
push(struct datagram_port *p)
{
	if (!p->open || p->out_at == p->out_len)
		return;
	p->out_at += ssh_tunnel_dialer_ops.write(p->d, p->out + p->out_at,
	    p->out_len - p->out_at);
	if (p->out_at < p->out_len)
		return;
	p->out_at = p->out_len = 0;
}

static bool
make_room(struct datagram_port *p, size_t n)
{
	size_t left = p->out_len - p->out_at, room;
	uint8_t *q;

	if (left + n > OUT_MAX)
		return false;
	if (n > p->out_room - p->out_len && p->out_at > 0) {
		memmove(p->out, p->out + p->out_at, left);
		p->out_at = 0;
		p->out_len = left;
	}
	if (n <= p->out_room - p->out_len)
		return true;
	for (room = 4096; room < left + n; room *= 2)
		;
	if ((q = realloc(p->out, room)) == NULL)
		return false;
	p->out = q;
	p->out_room = room;
	return true;
}

static int
op_send(struct datagram_port *p, const struct datagram_peer *to,
    const uint8_t *data, size_t len)
{
	uint8_t head[UDP_CHANNEL_HEAD_MAX];
	size_t n;

	if (p->d == NULL)
		return SW_ERR_DOWN;
	if (len > DATAGRAM_MAX ||
	    (n = udp_channel_put_head(head, to, len)) == 0)
		return SW_ERR_TOO_LONG;
	if (!make_room(p, n + len))
		return SW_AGAIN;
	memcpy(p->out + p->out_len, head, n);
	if (len > 0)
		memcpy(p->out + p->out_len + n, data, len);
	p->out_len += n + len;
	push(p);
	return SW_OK;
}

/* ---- from the server ---- */

static void
tell(struct datagram_port *p, const struct udp_channel_frame *f)
{
	const struct datagram_peer peer = {
		.name = f->name[0] != '\0' ? f->name : NULL, .addr = f->addr,
	};

	if (f->kind == UDP_CHANNEL_ERROR)
		p->ev->refused(p->arg, &peer, f->err);
	else
		p->ev->packet(p->arg, &peer, f->data, f->len);
}

/* Whole frames in buf[0..len); how much they were.  false: nonsense. */
static bool
take_frames(struct datagram_port *p, const uint8_t *buf, size_t len,
    size_t *used)
{
	struct udp_channel_frame f;
	size_t n;
	int r = SW_AGAIN;

	*used = 0;
	while (!p->gone && (r = udp_channel_take(&f, buf + *used, len - *used,
	    &n)) == SW_OK) {
		*used += n;
		tell(p, &f);
	}
	return p->gone || r == SW_AGAIN;
}

static void
end(struct datagram_port *p, int err)
{
	const struct datagram_events *ev = p->ev;
	void *arg = p->arg;

	p->d = NULL;
	p->open = false;
	port_free(p);
	ev->closed(arg, err);
}

/* Complete the part that is kept, then take what is whole. */
static bool
take(struct datagram_port *p, const uint8_t *buf, size_t len)
{
	size_t used, n;

	while (len > 0 && !p->gone) {
		if (p->in_len == 0) {
			if (!take_frames(p, buf, len, &used))
				return false;
			buf += used;
			len -= used;
		}
		if (len == 0 || p->gone)
			break;
		if (p->in == NULL && (p->in = malloc(IN_MAX)) == NULL)
			return false;
		n = IN_MAX - p->in_len < len ? IN_MAX - p->in_len : len;
		memcpy(p->in + p->in_len, buf, n);
		p->in_len += n;
		buf += n;
		len -= n;
		if (!take_frames(p, p->in, p->in_len, &used))
			return false;
		memmove(p->in, p->in + used, p->in_len - used);
		p->in_len -= used;
	}
	return true;
}

static size_t
on_data(void *arg, const uint8_t *buf, size_t len)
{
	struct datagram_port *p = arg;
	bool good;

	p->telling = true;
	good = take(p, buf, len);
	p->telling = false;
	if (p->gone) {
		port_free(p);
	} else if (!good) {
		ssh_tunnel_dialer_ops.abort(p->d);
		end(p, SW_ERR_RESET);
	}
	return len;
}

static void
on_opened(void *arg)
{
	struct datagram_port *p = arg;

	p->open = true;
	push(p);
}

static void
on_failed(void *arg, int err)
{
	end(arg, err == SW_ERR_DENIED ? SW_ERR_UNSUPPORTED : err);
}

static void
on_eof(void *arg)
{
	struct datagram_port *p = arg;

	ssh_tunnel_dialer_ops.abort(p->d);
	end(p, SW_ERR_RESET);
}

static void
on_writable(void *arg)
{
	push(arg);
}

static void
on_closed(void *arg, int err)
{
	end(arg, err == SW_OK ? SW_ERR_RESET : err);
}

static const struct dial_events events = {
	.opened = on_opened, .failed = on_failed, .data = on_data,
	.eof = on_eof, .writable = on_writable, .closed = on_closed,
};

static struct datagram_port *
op_open(struct datagrams *d, const struct datagram_events *ev, void *arg,
    int *err)
{
	static const struct dial_target to = { .host = UDP_CHANNEL_HOST,
		.port = 1 };
	struct ssh_tunnel *t = (struct ssh_tunnel *)(void *)d;
	struct datagram_port *p;

	*err = ssh_tunnel_state(t) != SSH_TUNNEL_UP ? SW_ERR_DOWN :
	    SW_ERR_UNSUPPORTED;
	if (!ssh_tunnel_is_smolserve(t))
		return NULL;
	*err = SW_ERR_NOMEM;
	if ((p = calloc(1, sizeof(*p))) == NULL)
		return NULL;
	p->ev = ev;
	p->arg = arg;
	p->d = ssh_tunnel_dialer_ops.open(ssh_tunnel_dialer(t), &to, &events, p,
	    err);
	if (p->d == NULL) {
		free(p);
		return NULL;
	}
	*err = SW_OK;
	return p;
}

static void
op_close(struct datagram_port *p)
{
	if (p->d != NULL)
		ssh_tunnel_dialer_ops.abort(p->d);
	p->d = NULL;
	p->open = false;
	port_free(p);
}

struct datagrams *
ssh_udp(struct ssh_tunnel *t)
{
	return (struct datagrams *)(void *)t;
}

const struct datagram_ops ssh_udp_ops = { op_open, op_send, op_close };
