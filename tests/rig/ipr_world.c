#include "tests/rig/ipr_world.h"
#include "tests/rig/nowhere.h"
#include "tests/rig/unit.h"

static int
transmit(void *arg, const struct sw_addr *first, uint8_t rotation,
    const uint8_t *pkt, size_t len)
{
	struct world *w = arg;

	return fakenet_transmit(&w->net, first, rotation, pkt, len);
}

static void
client_message(void *arg, const struct nymmsg *m)
{
	struct world *w = arg;
	struct rbuf in = { m->data, m->data_len };
	struct iprmsg_response a;
	struct iprmsg_stream s;

	if (w->wordy && iprmsg_get_stream(&in, &s) == SW_OK &&
	    iprmsg_get_response(&a, in.p, in.left) == SW_OK &&
	    a.kind == IPRMSG_DATA)
		return;
	if (w->lag_ms > 0 && m->kind == NYMMSG_REPLY && w->n_late < 64 &&
	    m->data_len <= sizeof(w->late[0].bytes)) {
		w->late[w->n_late].due_ms = w->net.now_ms + w->lag_ms;
		w->late[w->n_late].n = m->data_len;
		memcpy(w->late[w->n_late++].bytes, m->data, m->data_len);
		return;
	}
	if (!w->mute)
		iprclient_take(w->client, m);
}

static void
deliver_late(struct world *w)
{
	while (w->n_late > 0 && w->late[0].due_ms <= w->net.now_ms) {
		struct nymmsg m = { .kind = NYMMSG_REPLY,
		    .data = w->late[0].bytes, .data_len = w->late[0].n };

		iprclient_take(w->client, &m);
		memmove(w->late, w->late + 1, --w->n_late *
		    sizeof(w->late[0]));
	}
}

static void
exit_message(void *arg, const struct nymmsg *m)
{
	struct world *w = arg;

	struct rbuf in = { m->data, m->data_len };
	struct iprmsg_stream s;
	struct iprmsg_request q;

	(void)!iprmsg_get_stream(&in, &s);
	if (w->exit == NULL || (in.left > 0 &&
	    iprmsg_get_request(&q, in.p, in.left) != SW_OK))
		return;
	if (in.left > 0 && q.kind == IPRMSG_CONNECT)
		w->asked[q.version]++;
	if (in.left > 0 && w->only != 0 && q.version != w->only)
		return;
	if (in.left > 0 && w->forgetful && q.kind == IPRMSG_DATA)
		return;
	iprexit_take(w->exit, m, w->net.now_ms);
}

static void
client_idle(void *arg)
{
	iprclient_fill_slot(((struct world *)arg)->client);
}

static const struct mixclient_events client_mix = {
	.transmit = transmit, .message = client_message, .idle = client_idle,
};

static const struct mixclient_events exit_mix = {
	.transmit = transmit, .message = exit_message,
};

static void
up(void *arg, const uint8_t ip4[4], const uint8_t ip6[16], uint16_t mtu)
{
	struct world *w = arg;

	w->up = true;
	w->mtu = mtu;
	memcpy(w->ip4, ip4, 4);
	memcpy(w->ip6, ip6, 16);
}

static void
client_packet(void *arg, const uint8_t *pkt, size_t len)
{
	struct world *w = arg;

	memcpy(w->last, pkt, len);
	w->last_len = len;
	if (len > 1000 && w->got > 0 &&
	    (int8_t)(pkt[len - 1] - w->last_mark) < 0)
		w->disorder++;
	if (len > 1000)
		w->last_mark = pkt[len - 1];
	w->got++;
	w->got_bytes += len;
}

static void
client_writable(void *arg)
{
	((struct world *)arg)->writable++;
}

static void
client_down(void *arg, int err)
{
	((struct world *)arg)->down = err;
}

static const struct iprclient_events client_events = {
	up, client_packet, client_writable, client_down,
};

static void
exit_packet(void *arg, const uint8_t *pkt, size_t len)
{
	struct world *w = arg;
	uint8_t back[2000];
	struct sw_addr to = addr_v4((uint32_t)pkt[12] << 24 |
	    (uint32_t)pkt[13] << 16 | (uint32_t)pkt[14] << 8 | pkt[15], 0);

	if (w->deaf)
		return;
	memcpy(back, pkt, len);
	memcpy(back + 12, pkt + 16, 4);
	memcpy(back + 16, pkt + 12, 4);
	(void)!iprexit_send(w->exit, &to, back, len);
}

static void
exit_gone(void *arg, const struct sw_addr *ip4, const struct sw_addr *ip6)
{
	struct world *w = arg;

	assert_memory_equal(ip4->ip + 12, w->ip4, 4);
	assert_memory_equal(ip6->ip, w->ip6, 16);
	w->gone++;
}

static const struct iprexit_events exit_events = {
	exit_packet, exit_gone, nowhere_writable,
};

int64_t
world_unix_now(void *arg)
{
	(void)arg;
	return 1778912872;
}

struct world *
world_new_as(const char *profile, uint8_t version, unsigned loss, uint8_t seed)
{
	struct world *w = calloc(1, sizeof(*w));
	struct iprclient_config cc = {
		.version = version, .events = &client_events, .arg = w,
		.unix_now = world_unix_now,
	};
	struct iprexit_config xc = { .events = &exit_events, .arg = w };

	fakenet_init(&w->net, seed);
	w->net.loss_percent = loss;
	w->cm = fakenet_add(&w->net, 0, profile, &client_mix, w);
	w->xm = fakenet_add(&w->net, 1, "raw", &exit_mix, w);
	cc.mix = w->cm;
	cc.exit = *mixclient_address(w->xm);
	xc.rng = cc.rng = &w->net.rng.rng;
	xc.mix = w->xm;
	w->client = iprclient_new(&cc);
	w->exit = iprexit_new(&xc);
	return w;
}

struct world *
world_new(uint8_t version, unsigned loss, uint8_t seed)
{
	return world_new_as("raw", version, loss, seed);
}

/* The same mixnet client, whose router knows nobody. */
void
world_restart_exit(struct world *w)
{
	struct iprexit_config xc = { .mix = w->xm, .events = &exit_events,
	    .arg = w, .rng = &w->net.rng.rng };

	iprexit_free(w->exit);
	w->exit = iprexit_new(&xc);
}

void
world_free(struct world *w)
{
	iprclient_free(w->client);
	iprexit_free(w->exit);
	fakenet_wipe(&w->net);
	free(w);
}

void
world_run(struct world *w, int64_t ms)
{
	for (int64_t end = w->net.now_ms + ms; w->net.now_ms < end;) {
		iprclient_tick(w->client, w->net.now_ms);
		if (w->exit != NULL)
			iprexit_tick(w->exit, w->net.now_ms);
		deliver_late(w);
		fakenet_run(&w->net, 5);
	}
}

/* A UDP-like IPv4 packet from the client to 1.1.1.1. */
void
world_packet(const struct world *w, uint8_t *p, size_t len, uint8_t salt)
{
	memset(p, salt, len);
	p[0] = 0x45;
	p[2] = (uint8_t)(len >> 8);
	p[3] = (uint8_t)len;
	p[9] = 17;
	memcpy(p + 12, w->ip4, 4);
	memset(p + 16, 1, 4);
}

void
world_connect(struct world *w)
{
	iprclient_start(w->client, w->net.now_ms);
	world_run(w, 100);
	assert_true(w->up);
	assert_int_equal(w->down, 0);
}
