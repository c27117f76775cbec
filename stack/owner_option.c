/*
 * Socket options.  All are stored and given back; a few change the connection.
 */
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string.h>

#include "stack/arena.h"
#include "stack/owner_priv.h"

#define OPTIONS_MAX 64			/* per flow */
#define LOCAL_MTU 9000			/* above: a hop inside this machine */

static const struct option *
find_option(const struct flow *f, uint32_t level, uint32_t name)
{
	const struct option *o = f->options;

	while (o != NULL && (o->level != level || o->name != name))
		o = o->next;
	return o;
}

static int
int_of(const struct option *o)
{
	int v = 0;

	if (o->len >= sizeof(v))
		memcpy(&v, o->value, sizeof(v));
	else if (o->len > 0)
		v = o->value[0];
	return v;
}

bool
flow_option_is_on(const struct flow *f, uint32_t level, uint32_t name)
{
	const struct option *o = find_option(f, level, name);

	return o != NULL && int_of(o) != 0;
}

static void
apply_socket(struct flow *f, const struct option *o)
{
	struct linger l;

	switch (o->name) {
	case SO_KEEPALIVE:
		if (f->pcb == NULL)
			break;
		if (int_of(o) != 0)
			ip_set_option(f->pcb, SOF_KEEPALIVE);
		else
			ip_reset_option(f->pcb, SOF_KEEPALIVE);
		break;
	case SO_LINGER:
		if (o->len < sizeof(l))
			break;
		memcpy(&l, o->value, sizeof(l));
		f->linger_zero = l.l_onoff != 0 && l.l_linger == 0;
		break;
	case SO_REUSEADDR:
	case SO_REUSEPORT:
		f->reuse = int_of(o) != 0;
		break;
	default:
		break;
	}
}

static void
apply_tcp(struct flow *f, const struct option *o)
{
	int v = int_of(o);

	if (f->pcb == NULL || v < 0)
		return;
	switch (o->name) {
	case TCP_NODELAY:
		/* On the local hop waiting for more bytes saves nothing. */
		if (v != 0 || f->owner->config.mtu > LOCAL_MTU)
			tcp_nagle_disable(f->pcb);
		else
			tcp_nagle_enable(f->pcb);
		break;
	case TCP_KEEPIDLE:
		f->pcb->keep_idle = (u32_t)v * 1000;
		break;
	case TCP_KEEPINTVL:
		f->pcb->keep_intvl = (u32_t)v * 1000;
		break;
	case TCP_KEEPCNT:
		f->pcb->keep_cnt = (u32_t)v;
		break;
	case TCP_USER_TIMEOUT:
		f->user_timeout_ms = (uint32_t)v;
		conn_watch_time(f);
		break;
	default:
		break;
	}
}

static void
apply(struct flow *f, const struct option *o)
{
	int v = int_of(o);

	if (o->level == SOL_SOCKET) {
		apply_socket(f, o);
	} else if (o->level == IPPROTO_TCP) {
		apply_tcp(f, o);
	} else if ((o->level == IPPROTO_IP && o->name == IP_TOS) ||
	    (o->level == IPPROTO_IPV6 && o->name == IPV6_TCLASS)) {
		f->tos = (uint8_t)v;
		if (f->pcb != NULL)
			f->pcb->tos = (u8_t)v;
	} else if ((o->level == IPPROTO_IP && o->name == IP_TTL) ||
	    (o->level == IPPROTO_IPV6 && o->name == IPV6_UNICAST_HOPS)) {
		f->ttl = v > 0 && v < 256 ? (uint8_t)v : 0;
		if (f->pcb != NULL && f->ttl != 0)
			f->pcb->ttl = f->ttl;
	}
}

void
flow_option_set(struct flow *f, uint32_t level, uint32_t name, const void *value,
    size_t len)
{
	struct option *o = f->options;
	int n = 0;

	for (; o != NULL && (o->level != level || o->name != name);
	    o = o->next)
		n++;
	if (len > OPTION_MAX || (o == NULL && n >= OPTIONS_MAX))
		return;
	if (o == NULL) {
		if ((o = arena_get_zeroed(1, sizeof(*o))) == NULL)
			return;
		o->level = level;
		o->name = name;
		o->next = f->options;
		f->options = o;
	}
	memcpy(o->value, value, len);
	o->len = (uint32_t)len;
	apply(f, o);
}

void
flow_option_apply_all(struct flow *f)
{
	if (f->owner->config.mtu > LOCAL_MTU)
		tcp_nagle_disable(f->pcb);
	for (const struct option *o = f->options; o != NULL; o = o->next)
		apply(f, o);
}

void
flow_option_reply(struct flow *f, uint32_t level, uint32_t name, int reply_fd)
{
	const struct option *o = find_option(f, level, name);
	int mss;

	if (level == IPPROTO_TCP && name == TCP_MAXSEG && f->pcb != NULL) {
		mss = f->pcb->mss;
		chan_reply(reply_fd, 0, NULL, &mss, sizeof(mss));
	} else if (o != NULL) {
		chan_reply(reply_fd, 0, NULL, o->value, o->len);
	} else {
		chan_reply(reply_fd, ENOENT, NULL, NULL, 0);
	}
}

void
flow_option_free_all(struct flow *f)
{
	struct option *o;

	while ((o = f->options) != NULL) {
		f->options = o->next;
		arena_put(o);
	}
}
