#include "tests/rig/tunnel_seen.h"
#include "tests/rig/unit.h"

#include <stdio.h>
#include <string.h>

#include "tests/rig/far_server.h"

static void
on_state(void *arg, enum ssh_tunnel_state state, int err, const char *why)
{
	struct seen *s = arg;

	s->state = state;
	s->err = err;
	s->ups += state == SSH_TUNNEL_UP;
	s->downs += state == SSH_TUNNEL_DOWN;
	snprintf(s->why, sizeof(s->why), "%s", why);
}

static void
on_inbound(void *arg, uint16_t port, const char *from, uint16_t from_port,
    struct dial *d)
{
	struct seen *s = arg;

	assert_string_equal(from, "127.0.0.1");
	assert_int_not_equal(from_port, 0);
	s->inbound = d;
	s->inbound_port = port;
}

const struct ssh_tunnel_events seen_events = { .state = on_state,
	.inbound = on_inbound };

void
seen_turn(struct seen *s, int64_t ms)
{
	int64_t end = clock_now_ms() + ms;

	while (clock_now_ms() < end)
		assert_int_equal(loop_run_once(&s->l, 50), SW_OK);
}

struct ssh_tunnel_options
seen_options(const struct seen *s, const char **ids)
{
	ids[0] = s->rig.key;
	ids[1] = NULL;
	return (struct ssh_tunnel_options){
		.host = "127.0.0.1", .port = s->rig.port, .user = s->rig.user,
		.identities = ids, .known_hosts = s->rig.known,
		.config = "none", .no_agent = true,
	};
}

void
seen_begin_with(struct seen *s, const char *sshd_lines,
    const struct ssh_tunnel_options *extra)
{
	struct ssh_tunnel_options o;
	const char *ids[2];

	memset(s, 0, sizeof(*s));
	sshd_rig_open(&s->rig, sshd_lines);
	assert_int_equal(loop_init(&s->l), SW_OK);
	o = seen_options(s, ids);
	if (extra != NULL) {
		o.publish = extra->publish;
		o.npublish = extra->npublish;
		o.keepalive_s = extra->keepalive_s;
		o.no_exec = extra->no_exec;
		o.ciphers = extra->ciphers;
	}
	s->t = ssh_tunnel_new(&s->l, &o, &seen_events, s);
	assert_non_null(s->t);
	seen_until(s, 20000, s->state != SSH_TUNNEL_CONNECTING);
}

void
seen_try(struct seen *s)
{
	struct ssh_tunnel_options o;
	const char *ids[2];

	ssh_tunnel_free(s->t);
	o = seen_options(s, ids);
	s->state = SSH_TUNNEL_CONNECTING;
	s->t = ssh_tunnel_new(&s->l, &o, &seen_events, s);
	assert_non_null(s->t);
	seen_until(s, 20000, s->state != SSH_TUNNEL_CONNECTING);
}

void
seen_begin(struct seen *s)
{
	seen_begin_with(s, NULL, NULL);
	if (s->state != SSH_TUNNEL_UP)
		fail_msg("not up: %s", s->why);
}

void
seen_finish(struct seen *s)
{
	ssh_tunnel_free(s->t);
	loop_wipe(&s->l);
	sshd_rig_close(&s->rig);
}

static void
s_opened(void *arg)
{
	((struct flow *)arg)->opened = true;
}

static void
s_failed(void *arg, int err)
{
	struct flow *m = arg;

	m->failed = true;
	m->err = err;
	m->d = NULL;
}

static size_t
s_data(void *arg, const uint8_t *buf, size_t len)
{
	struct flow *m = arg;

	assert_false(m->eof || m->closed);
	if (m->refuse)
		return 0;
	if (m->take != 0 && m->got + len > m->take) {
		len = (size_t)(m->take - m->got);
		m->refuse = true;
	}
	for (size_t i = 0; i < len; i++, m->got++) {
		if (m->got < sizeof(m->first))
			m->first[m->got] = buf[i];
		if (buf[i] != far_byte(m->got % 65536))
			m->wrong = true;
	}
	return len;
}

static void
s_eof(void *arg)
{
	struct flow *m = arg;

	assert_false(m->eof);
	m->eof = true;
}

static void
s_writable(void *arg)
{
	((struct flow *)arg)->writable = true;
}

static void
s_closed(void *arg, int err)
{
	struct flow *m = arg;

	assert_false(m->closed);
	m->closed = true;
	m->err = err;
	m->d = NULL;
}

const struct dial_events flow_events = {
	.opened = s_opened, .failed = s_failed, .data = s_data, .eof = s_eof,
	.writable = s_writable, .closed = s_closed,
};

const struct dialer_ops *const flow_ops = &ssh_tunnel_dialer_ops;

void
flow_dial(struct seen *s, struct flow *m, const char *host, uint16_t port)
{
	struct dial_target to = { .port = port };
	int err;

	memset(m, 0, sizeof(*m));
	snprintf(to.host, sizeof(to.host), "%s", host);
	m->d = flow_ops->open(ssh_tunnel_dialer(s->t), &to,
	    &flow_events, m, &err);
	assert_non_null(m->d);
}

void
flow_dial_far(struct seen *s, struct flow *m)
{
	flow_dial(s, m, "127.0.0.1", s->rig.far_port);
	seen_until(s, 10000, m->opened || m->failed);
	assert_true(m->opened);
}

void
flow_put(struct flow *m, const void *buf, size_t n)
{
	assert_int_equal(flow_ops->write(m->d, buf, n), n);
}

void
flow_ask_source(struct flow *m, uint64_t n)
{
	uint8_t request[9] = { 's' };

	memcpy(request + 1, &n, 8);
	flow_put(m, request, 9);
}
