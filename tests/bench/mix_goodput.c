/*
 * What TCP gets through the whole mixnet: a program's stack, the mix tunnel,
 * two gateways, three mixes, the exit and its stack, in one process and in
 * virtual time.  The processor is infinitely fast here, so only the protocols
 * count, and a loaded machine changes nothing.
 *
 *	mix_goodput [-s SECONDS] [-f FLOWS] [-l MS] [-p PROFILE] [-k KB] [-b MS]
 *	    [up|down]
 *
 * -l is the latency of the wires, one way; the mixes' delays come on top.  -k:
 * the client's link to its gateway carries so many KB a second each way.  -b:
 * each turn of the loop takes so long, as on a machine that is busy.  The
 * ceiling is what the profile's slots can carry: one packet of 1380 bytes for
 * each, upwards less the SURBs for acknowledgements, downwards three replies
 * for each slot's SURBs (nym-ipr.md 6.4, 6.5).
 */
#define RIG_PLAIN
#include "tests/unit/stack_rig.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "mix/localnet.h"
#include "mix/mixtunnel.h"
#include "mix/prim.h"
#include "mix/stream.h"
#include "stack/packet.h"
#include "tests/unit/virtual_time.h"

#define PACKET_MAX 1500
#define FLOWS_MAX 64
#define FRAME_LEN 2460			/* a packet on the way to the gateway */

/* Packets on a wire of constant delay. */
struct wire_packet {
	struct wire_packet *next;
	int64_t due_ms;
	size_t len;
	uint8_t bytes[PACKET_MAX];
};

struct wire {
	struct wire_packet *first, **last;
	size_t n;
	/* false: not now, ask again */
	bool (*arrive)(const uint8_t *p, size_t len);
	bool stuck;
};

static int latency_ms, busy_ms;
static struct localnet *net;
static struct mixtunnel *tunnel;
static bool is_up;
static struct exitpolicy *everything;	/* is allowed */
static struct loop_timer wires_timer, link_timer;
static size_t link_rate;		/* bytes a millisecond; 0: any */
static struct wire up_wire, down_wire;

static void
turn(void)
{
	assert_int_equal(virtual_turn(&rig.loop), SW_OK);
	virtual_ns += busy_ms * INT64_C(1000000);
}

static void
wire_run(struct wire *w)
{
	struct wire_packet *p;

	while (!w->stuck && (p = w->first) != NULL &&
	    p->due_ms <= rig.loop.now_ms) {
		if (!w->arrive(p->bytes, p->len)) {
			w->stuck = true;
			return;
		}
		w->first = p->next;
		if (w->first == NULL)
			w->last = &w->first;
		w->n--;
		free(p);
	}
}

static void
wires_run(struct loop_timer *t)
{
	int64_t at = SW_NEVER;

	wire_run(&up_wire);
	wire_run(&down_wire);
	if (up_wire.first != NULL && !up_wire.stuck)
		at = up_wire.first->due_ms;
	if (down_wire.first != NULL && !down_wire.stuck &&
	    down_wire.first->due_ms < at)
		at = down_wire.first->due_ms;
	loop_set_timer(&rig.loop, t, at);
}

static void
wire_put(struct wire *w, const struct iovec *iov, int n)
{
	struct wire_packet *p = malloc(sizeof(*p));

	p->next = NULL;
	p->due_ms = rig.loop.now_ms + latency_ms;
	p->len = 0;
	for (int i = 0; i < n; i++) {
		assert_true(iov[i].iov_len <= sizeof(p->bytes) - p->len);
		memcpy(p->bytes + p->len, iov[i].iov_base, iov[i].iov_len);
		p->len += iov[i].iov_len;
	}
	*w->last = p;
	w->last = &p->next;
	w->n++;
	if (w->n == 1 || latency_ms == 0)
		loop_set_timer(&rig.loop, &wires_timer, p->due_ms);
}

/* The program's side. */

static bool
into_tunnel(const uint8_t *p, size_t len)
{
	return mixtunnel_send(tunnel, p, len) != SW_AGAIN;
}

static void
from_owner(struct link_frame *f)
{
	const uint8_t *p = f->data;
	size_t left = f->len, n;

	for (; (n = packet_len(p, left)) > 0; p += n, left -= n) {
		struct iovec iov = { (void *)(uintptr_t)p, n };

		wire_put(&up_wire, &iov, 1);
	}
}

static bool
into_owner(const uint8_t *p, size_t len)
{
	struct iovec iov = { (void *)(uintptr_t)p, len };

	return link_send(rig.link, &iov, 1) != SW_AGAIN;
}

static void
tunnel_up(void *arg, const struct sw_addr *ip4, const struct sw_addr *ip6,
    uint16_t mtu)
{
	(void)arg;
	rig.config = (struct link_config){ .inner4 = *ip4, .inner6 = *ip6,
		.mtu = mtu, .port_lo = 20000, .port_hi = 29999,
		.flags = LINK_UP | LINK_UDP };
	is_up = true;
}

static void
tunnel_packet(void *arg, const uint8_t *p, size_t len)
{
	struct iovec iov = { (void *)(uintptr_t)p, len };

	(void)arg;
	wire_put(&down_wire, &iov, 1);
}

static void
tunnel_writable(void *arg)
{
	(void)arg;
	up_wire.stuck = false;
	loop_set_timer(&rig.loop, &wires_timer, rig.loop.now_ms);
}

static void
tunnel_down(void *arg, int err)
{
	(void)arg;
	fprintf(stderr, "the tunnel is down: %s\n", sw_strerror(err));
	abort();
}

/* The link to the gateway, when it is slow.  What it does not take waits in the
 * sockets. */

static struct limited {
	struct loop_fd w;		/* first: where bytes come from */
	int to;
	size_t left;			/* bytes, in this millisecond */
	size_t at, len;
	uint8_t bytes[65536];
} limited_up, limited_down;

static void
carry(struct loop_fd *w, uint32_t events)
{
	struct limited *l = (struct limited *)w;
	ssize_t n;

	(void)events;
	if (l->at == l->len) {
		n = recv(l->w.fd, l->bytes, l->left, MSG_DONTWAIT);
		l->at = 0;
		l->len = n > 0 ? (size_t)n : 0;
	}
	n = send(l->to, l->bytes + l->at, l->len - l->at,
	    MSG_DONTWAIT | MSG_NOSIGNAL);
	if (n > 0) {
		l->at += (size_t)n;
		l->left -= (size_t)n;
	}
	if (l->left > 0 && l->at == l->len)
		return;
	loop_mod(&rig.loop, w, 0);
	if (link_timer.at_ms == SW_NEVER)
		loop_set_timer(&rig.loop, &link_timer, rig.loop.now_ms + 1);
}

static void
link_run(struct loop_timer *t)
{
	(void)t;
	limited_up.left = limited_down.left = link_rate;
	loop_mod(&rig.loop, &limited_up.w, EPOLLIN);
	loop_mod(&rig.loop, &limited_down.w, EPOLLIN);
	if (limited_up.at < limited_up.len)
		carry(&limited_up.w, 0);
	if (limited_down.at < limited_down.len)
		carry(&limited_down.w, 0);
}

static void
limit(struct limited *l, int from, int to)
{
	*l = (struct limited){ .w = { .fd = from, .ready = carry },
	    .to = to, .left = link_rate };
	assert_int_equal(loop_add(&rig.loop, &l->w, EPOLLIN), SW_OK);
}

static void
tunnel_dial(void *arg, const struct mixtunnel_endpoint *to)
{
	int pair[2], far = stream_connect_fd(&to->addr), one = 1;

	(void)arg;
	assert_true(far >= 0);
	setsockopt(far, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	rig_pair(SOCK_STREAM, pair);
	limit(&limited_up, pair[0], far);
	limit(&limited_down, far, pair[0]);
	mixtunnel_dialed(tunnel, pair[1], SW_OK);
}

static void
limits_end(void)
{
	loop_set_timer(&rig.loop, &link_timer, SW_NEVER);
	loop_del(&rig.loop, &limited_up.w);
	loop_del(&rig.loop, &limited_down.w);
	close(limited_up.w.fd);
	close(limited_down.w.fd);
}

static const struct mixtunnel_events tunnel_events = { tunnel_up,
	tunnel_packet, tunnel_writable, tunnel_down, NULL, NULL };
static const struct mixtunnel_events slow_tunnel_events = { tunnel_up,
	tunnel_packet, tunnel_writable, tunnel_down, NULL, tunnel_dial };

static void
link_is_writable(void *arg)
{
	(void)arg;
	down_wire.stuck = false;
	loop_set_timer(&rig.loop, &wires_timer, rig.loop.now_ms);
}

static const struct link_events link_events = {
	rig_frame, rig_control, link_is_writable, rig_dead,
};

/* The exit's side. */

static void
exit_packet(void *arg, const uint8_t *p, size_t len)
{
	struct link_frame *f = link_frame_new(p, len);

	(void)arg;
	splice_input(rig.splice, f);
	link_frame_unref(f);
}

static void
exit_gone(void *arg, const struct sw_addr *a, const struct sw_addr *b)
{
	(void)arg;
	(void)a;
	(void)b;
}

static void
exit_writable(void *arg, const struct sw_addr *inner)
{
	(void)arg;
	splice_writable(rig.splice, inner);
}

static const struct iprexit_events exit_events = {
	exit_packet, exit_gone, exit_writable,
};

static int
exit_output(void *arg, const struct sw_addr *dst, const struct iovec *iov,
    int n)
{
	uint8_t pkt[PACKET_MAX];
	size_t len = 0;

	(void)arg;
	for (int i = 0; i < n; i++) {
		memcpy(pkt + len, iov[i].iov_base, iov[i].iov_len);
		len += iov[i].iov_len;
	}
	return localnet_send(net, dst, pkt, len) == SW_AGAIN ? SW_AGAIN :
	    SW_OK;
}

static const struct splice_ops splice_ops = {
	.output = exit_output, .target = rig_target, .udp = rig_udp,
};

static void
start(const char *profile)
{
	struct localnet_config cfg = { .loop = &rig.loop, .rng = &rng_system,
	    .policy = everything, .events = &exit_events };
	struct mixtunnel_config mix = { .loop = &rig.loop,
	    .profile = mix_profile_find(profile), .fill_checksums = true,
	    .events = link_rate > 0 ? &slow_tunnel_events : &tunnel_events,
	    .rng = &rng_system };
	int link[2], chan[2];

	memset(&rig, 0, sizeof(rig));
	up_wire = (struct wire){ .last = &up_wire.first,
	    .arrive = into_tunnel };
	down_wire = (struct wire){ .last = &down_wire.first,
	    .arrive = into_owner };
	wires_timer = (struct loop_timer){ .fire = wires_run };
	link_timer = (struct loop_timer){ .fire = link_run,
	    .at_ms = SW_NEVER };
	is_up = false;
	assert_int_equal(loop_init(&rig.loop), SW_OK);
	assert_int_equal(localnet_new(&net, &cfg), SW_OK);
	mix.topology = localnet_topology(net);
	mix.exit = *localnet_exit(net);
	memcpy(mix.entry, mix.topology->node[LOCALNET_ENTRY].identity, 32);
	assert_int_equal(mixtunnel_new(&tunnel, &mix), SW_OK);
	mixtunnel_start(tunnel);
	while (!is_up)
		turn();
	rig_pair(SOCK_SEQPACKET, link);
	rig_pair(SOCK_SEQPACKET, chan);
	rig.splice = splice_new(&rig.loop, &splice_ops, &rig);
	assert_non_null(rig.splice);
	splice_set_dialer(rig.splice, NULL, &rig_dialer);
	splice_set_path(rig.splice, IPRMSG_MTU);
	rig.link = link_open(&rig.loop, link[0], &link_events, &rig);
	rig.chan = chan[0];
	rig.meddle_in = from_owner;
	rig.owner = owner_new(&rig.loop, 1, chan[1], link[1],
	    &rig_owner_events, NULL);
	assert_non_null(rig.owner);
	rig_send_config();
}

static void
drain(struct wire *w)
{
	struct wire_packet *p;

	while ((p = w->first) != NULL) {
		w->first = p->next;
		free(p);
	}
}

static void
stop(void)
{
	mixtunnel_free(tunnel);
	loop_set_timer(&rig.loop, &wires_timer, SW_NEVER);
	if (link_rate > 0)
		limits_end();
	owner_free(rig.owner);
	splice_free(rig.splice);
	link_close(rig.link);
	close(rig.chan);
	localnet_free(net);
	drain(&up_wire);
	drain(&down_wire);
	loop_wipe(&rig.loop);
	arena_wipe();
	while (rig.dials != NULL) {
		struct dial *d = rig.dials;

		rig.dials = d->next;
		free(d->kept);
		free(d);
	}
}

static int
connect_to(uint16_t port)
{
	int fd = rig_socket(false);

	rig_connect_addr(fd, rig_dst(port), true);
	while ((rig_poll(fd) & POLLOUT) == 0)
		turn();
	return fd;
}

static uint64_t
move(const int *fd, size_t flows, bool up)
{
	static uint8_t buf[65536];
	uint64_t sum = 0;
	ssize_t n;

	for (size_t i = 0; i < flows; i++) {
		if (up)
			while (send(fd[i], buf, sizeof(buf), MSG_DONTWAIT |
			    MSG_NOSIGNAL) > 0)
				;
		else
			while ((n = recv(fd[i], buf, sizeof(buf),
			    MSG_DONTWAIT)) > 0)
				sum += (uint64_t)n;
	}
	if (up)
		for (struct dial *d = rig.dials; d != NULL; d = d->next)
			sum += d->got;
	return sum;
}

/* Bytes a second that the slots of a profile can carry, or so many of them as
 * the link to the gateway can; 0: no slots. */
static double
ceiling(const struct mix_profile *p, bool up)
{
	double slots = p->send_us > 0 ? 1e6 / p->send_us : 0;
	double most = (double)link_rate * 1000 / FRAME_LEN;

	if (link_rate > 0 && slots > most)
		slots = most;
	return up ? slots / 1.143 * 1380 : slots * 3 * 1380;
}

static void
run(const char *profile, bool up, size_t flows, int seconds, bool verbose)
{
	int fd[FLOWS_MAX];
	uint64_t bytes = 0, before = 0, first = 0;
	struct mixtunnel_stats st;
	int64_t begin, next;
	double rate, top;

	start(profile);
	rig.source_bytes = UINT64_MAX;
	for (size_t i = 0; i < flows; i++)
		fd[i] = connect_to(up ? 9 : 19);
	begin = rig.loop.now_ms;
	next = begin + 1000;
	while (rig.loop.now_ms < begin + (seconds + 3) * 1000) {
		if (up)
			bytes = move(fd, flows, true);
		else
			bytes += move(fd, flows, false);
		turn();
		if (rig.loop.now_ms < next)
			continue;
		if (rig.loop.now_ms >= begin + 3000 && first == 0)
			first = bytes;
		next += 1000;
		if (verbose) {
			mixtunnel_stats(tunnel, &st);
			fprintf(stderr, "%3d s %7.1f KB/s  slots %u "
			    "sent %llu again "
			    "%llu cover %llu made %llu used %llu asked %llu "
			    "waiting %zu\n",
			    (int)((next - begin) / 1000) - 1,
			    (double)(bytes - before) / 1000, st.mix.slots,
			    (unsigned long long)st.mix.sent,
			    (unsigned long long)st.mix.resent,
			    (unsigned long long)st.mix.cover,
			    (unsigned long long)st.mix.surbs_made,
			    (unsigned long long)st.mix.reply_packets,
			    (unsigned long long)st.mix.surb_requests,
			    up_wire.n);
		}
		before = bytes;
	}
	rate = (double)(bytes - first) / seconds;
	top = ceiling(mix_profile_find(profile), up);
	printf("%-8s %-4s %2zu flows, wires %3d ms: %8.1f KB/s", profile,
	    up ? "up" : "down", flows, latency_ms, rate / 1000);
	if (top > 0)
		printf("  %.2f of the ceiling", rate / top);
	printf("\n");
	fflush(stdout);
	for (size_t i = 0; i < flows; i++)
		close(fd[i]);
	stop();
}

int
main(int argc, char **argv)
{
	const char *profiles[] = { "default", "fast", "raw" }, *only = NULL;
	int seconds = 20, opt, wires = -1;
	bool verbose = false;
	size_t flows = 0;

	while ((opt = getopt(argc, argv, "s:f:l:p:k:b:v")) != -1)
		switch (opt) {
		case 's': seconds = atoi(optarg); break;
		case 'f': flows = (size_t)atoi(optarg); break;
		case 'l': wires = atoi(optarg); break;
		case 'p': only = optarg; break;
		case 'k': link_rate = (size_t)atoi(optarg); break;
		case 'b': busy_ms = atoi(optarg); break;
		case 'v': verbose = true; break;
		default: return 2;
		}
	if (prim_init() != SW_OK || flows > FLOWS_MAX ||
	    (everything = exitpolicy_new(true)) == NULL)
		return 1;
	signal(SIGPIPE, SIG_IGN);
	/* Without slots only the link holds anything back. */
	for (size_t i = 0; i < (link_rate > 0 ? 3 : 2); i++)
		for (int up = 0; up < 2; up++)
			for (size_t f = 1; f <= 8; f += 7)
				for (int l = 0; l <= 100; l += 100) {
					if ((only != NULL && strcmp(only,
					    profiles[i]) != 0) ||
					    (flows != 0 && f != 1) ||
					    (wires >= 0 && l != 0) ||
					    (optind < argc && (strcmp("up",
					    argv[optind]) == 0) != (up == 1)))
						continue;
					latency_ms = wires >= 0 ? wires : l;
					run(profiles[i], up == 1, flows != 0 ?
					    flows : f, seconds, verbose);
				}
	exitpolicy_free(everything);
	return 0;
}
