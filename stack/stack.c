#include "stack/stack.h"

#include <errno.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/sys.h"
#include "stack/arena.h"
#include "stack/owner.h"

#include "lwip/inet_chksum.h"
#include "lwip/init.h"
#include "lwip/ip4_frag.h"
#include "lwip/ip6_frag.h"
#include "lwip/priv/tcp_priv.h"
#include "lwip/prot/udp.h"
#include "lwip/raw.h"
#include "lwip/sys.h"

#define COPY_MAX (16 * 1024)	/* frames below this are copied, not kept */

struct side {
	struct netif netif;
	const struct stack_ops *ops;	/* NULL: closed */
	struct raw_pcb *udp, *icmp, *icmp6;
};

static struct {
	struct loop *loop;		/* NULL: lwIP is not up */
	struct side sides[2];
	struct loop_timer tick;
	struct loop_turn turn;
	int64_t ticked_ms;		/* when the last tick was due */
	int64_t fragments_ms;		/* fragments may wait until then */
	int64_t aged_ms;
	struct side *route;
	uint64_t secret[2];
	uint64_t random;
	uint32_t forced_isn;
	bool force_isn, broken;
} stack;

/* ---- what lwIP asks of us ---- */

u32_t
sys_now(void)
{
	return (u32_t)(stack.loop != NULL ? stack.loop->now_ms : 0);
}

struct netif *
stack_route(void)
{
	return stack.route != NULL ? &stack.route->netif : NULL;
}

static uint64_t
mix64(uint64_t x)
{
	x ^= x >> 30;
	x *= 0xbf58476d1ce4e5b9u;
	x ^= x >> 27;
	x *= 0x94d049bb133111ebu;
	return x ^ x >> 31;
}

uint32_t
stack_random(void)
{
	stack.random += 0x9e3779b97f4a7c15u;
	return (uint32_t)mix64(stack.random ^ stack.secret[0]);
}

/* RFC 6528: a clock of 4 microseconds plus a keyed hash of the connection. */
uint32_t
stack_isn(const struct ip_addr *local, uint16_t local_port,
    const struct ip_addr *remote, uint16_t remote_port)
{
	struct sw_addr a[2];
	uint64_t words[6], h = stack.secret[0];

	if (stack.force_isn) {
		stack.force_isn = false;
		return stack.forced_isn;
	}
	a[0] = stack_addr(local, local_port);
	a[1] = stack_addr(remote, remote_port);
	_Static_assert(sizeof(a) == sizeof(words), "hashed whole");
	memcpy(words, a, sizeof(words));
	for (unsigned i = 0; i < 6; i++)
		h = mix64(h ^ words[i]) + stack.secret[1];
	return (uint32_t)mix64(h) + (uint32_t)(stack.loop->now_ms * 250);
}

void
stack_force_isn(const uint32_t *isn)
{
	stack.force_isn = isn != NULL;
	if (isn != NULL)
		stack.forced_isn = *isn;
}

void
stack_assert_failed(const char *what, int line)
{
	if (!stack.broken)
		log_err("stack: lwIP assumption broken, line %d: %s", line,
		    what);
	stack.broken = true;
}

/* ---- addresses ---- */

ip_addr_t
stack_ip(const struct sw_addr *a)
{
	ip_addr_t ip;

	memset(&ip, 0, sizeof(ip));
	if (addr_is_v4(a)) {
		IP_SET_TYPE_VAL(ip, IPADDR_TYPE_V4);
		memcpy(&ip_2_ip4(&ip)->addr, a->ip + 12, 4);
	} else {
		IP_SET_TYPE_VAL(ip, IPADDR_TYPE_V6);
		memcpy(ip_2_ip6(&ip)->addr, a->ip, 16);
	}
	return ip;
}

struct sw_addr
stack_addr(const ip_addr_t *ip, uint16_t port)
{
	struct sw_addr a = { .port = port };

	if (IP_IS_V4(ip)) {
		a.ip[10] = a.ip[11] = 0xff;
		memcpy(a.ip + 12, &ip_2_ip4(ip)->addr, 4);
	} else {
		memcpy(a.ip, ip_2_ip6(ip)->addr, 16);
	}
	return a;
}

static struct side *
side_of(const struct netif *n)
{
	return n->state;
}

/* ---- packets out ---- */

static err_t
output(struct netif *netif, struct pbuf *p)
{
	struct side *s = side_of(netif);
	struct iovec iov[LINK_IOV_MAX];
	struct pbuf *flat = NULL;
	struct packet head;
	int n = 0, r;

	if (s->ops == NULL)
		return ERR_IF;
	if (pbuf_clen(p) > LINK_IOV_MAX) {
		flat = pbuf_clone(PBUF_RAW, PBUF_RAM, p);
		if (flat == NULL)
			return ERR_MEM;
		p = flat;
	}
	for (struct pbuf *q = p; q != NULL; q = q->next)
		iov[n++] = (struct iovec){ q->payload, q->len };
	/* Headers of all that we send lie in the first piece, except a
	 * datagram's later fragments, whose ports nobody needs. */
	r = packet_parse_quoted(&head, p->payload, p->len);
	if (r == SW_OK || r == SW_ERR_TRUNCATED)
		r = s->ops->output(&head, iov, n);
	if (flat != NULL)
		pbuf_free(flat);
	return r == SW_OK ? ERR_OK : ERR_MEM;
}

static err_t
output4(struct netif *netif, struct pbuf *p, const ip4_addr_t *to)
{
	(void)to;
	return output(netif, p);
}

static err_t
output6(struct netif *netif, struct pbuf *p, const ip6_addr_t *to)
{
	(void)to;
	return output(netif, p);
}

int
stack_send_udp(enum stack_side side, const struct sw_addr *src,
    const struct sw_addr *dst, const struct iovec *iov, int n, uint8_t tos,
    uint8_t ttl)
{
	struct side *s = &stack.sides[side];
	ip_addr_t from = stack_ip(src), to = stack_ip(dst);
	size_t len = UDP_HLEN, at = UDP_HLEN;
	struct udp_hdr *udp;
	struct pbuf *p;
	err_t e;

	for (int i = 0; i < n; i++)
		len += iov[i].iov_len;
	if (len + (addr_is_v4(dst) ? IP_HLEN : IP6_HLEN) > 65535)
		return SW_ERR_TOO_LONG;
	p = pbuf_alloc(PBUF_IP, (u16_t)len, PBUF_RAM);
	if (p == NULL)
		return SW_ERR_NOMEM;
	udp = p->payload;
	udp->src = lwip_htons(src->port);
	udp->dest = lwip_htons(dst->port);
	udp->len = lwip_htons((u16_t)len);
	udp->chksum = 0;
	for (int i = 0; i < n; at += iov[i++].iov_len)
		if (iov[i].iov_len > 0)
			memcpy((uint8_t *)p->payload + at, iov[i].iov_base,
			    iov[i].iov_len);
	if ((s->netif.chksum_flags & NETIF_CHECKSUM_GEN_UDP) != 0) {
		udp->chksum = ip_chksum_pseudo(p, IP_PROTO_UDP, (u16_t)len,
		    &from, &to);
		if (udp->chksum == 0)
			udp->chksum = 0xffff;
	}
	if (ttl == 0)
		ttl = IP_DEFAULT_TTL;
	if (IP_IS_V4(&to))
		e = ip4_output_if_src(p, ip_2_ip4(&from), ip_2_ip4(&to), ttl,
		    tos, IP_PROTO_UDP, &s->netif);
	else
		e = ip6_output_if_src(p, ip_2_ip6(&from), ip_2_ip6(&to), ttl,
		    tos, IP_PROTO_UDP, &s->netif);
	pbuf_free(p);
	return e == ERR_OK ? SW_OK : SW_AGAIN;
}

/* ---- packets in ---- */

struct kept {
	struct pbuf_custom custom;
	struct link_frame *frame;
};

static void
kept_free(struct pbuf *p)
{
	struct kept *k = (struct kept *)(void *)p;

	link_frame_unref(k->frame);
	arena_put(k);
}

static struct pbuf *
wrap(struct link_frame *f, const uint8_t *p, size_t len)
{
	struct kept *k;
	struct pbuf *q;
	void *at;

	if (f->len < COPY_MAX) {
		q = pbuf_alloc(PBUF_RAW, (u16_t)len, PBUF_RAM);
		if (q != NULL)
			memcpy(q->payload, p, len);
		return q;
	}
	if ((k = arena_get(sizeof(*k))) == NULL)
		return NULL;
	memcpy(&at, &p, sizeof(at));	/* the frame is ours to write in */
	k->custom.custom_free_function = kept_free;
	k->frame = f;
	link_frame_ref(f);
	return pbuf_alloced_custom(PBUF_RAW, (u16_t)len, PBUF_REF, &k->custom,
	    at, (u16_t)len);
}

/* Pretend that the interface has the address this packet is for. */
static void
become(struct netif *n, const uint8_t *p)
{
	if (p[0] >> 4 == 4) {
		IP_SET_TYPE_VAL(n->ip_addr, IPADDR_TYPE_V4);
		memcpy(&ip_2_ip4(&n->ip_addr)->addr, p + 16, 4);
	} else {
		IP_SET_TYPE_VAL(n->ip6_addr[0], IPADDR_TYPE_V6);
		memcpy(ip_2_ip6(&n->ip6_addr[0])->addr, p + 24, 16);
	}
}

static bool
is_fragment(const uint8_t *p)
{
	if (p[0] >> 4 == 4)
		return (p[6] & 0x3f) != 0 || p[7] != 0;
	return p[6] == 44;
}

void
stack_input(enum stack_side side, struct link_frame *f, const uint8_t *p,
    size_t len)
{
	struct side *s = &stack.sides[side];
	struct pbuf *q;

	if (s->ops == NULL || stack.broken || (q = wrap(f, p, len)) == NULL)
		return;
	if (is_fragment(p))
		stack.fragments_ms = stack.loop->now_ms + 2 * 15 * 1000;
	become(&s->netif, q->payload);
	stack.route = s;
	(void)ip_input(q, &s->netif);
}

static struct packet
current_head(uint8_t proto)
{
	struct packet h = { .proto = proto };

	h.src = stack_addr(ip_current_src_addr(), 0);
	h.dst = stack_addr(ip_current_dest_addr(), 0);
	return h;
}

/* Raw callbacks get the packet from its IP header on, and eat it. */
static u8_t
udp_input_raw(void *arg, struct raw_pcb *pcb, struct pbuf *p,
    const ip_addr_t *from)
{
	struct side *s = arg;
	struct packet head = current_head(PACKET_UDP);
	struct udp_hdr udp;
	u16_t len;

	(void)pcb;
	(void)from;
	if (pbuf_remove_header(p, ip_current_header_tot_len()) != 0)
		goto out;
	if (pbuf_copy_partial(p, &udp, UDP_HLEN, 0) != UDP_HLEN)
		goto out;
	len = lwip_ntohs(udp.len);
	if (len < UDP_HLEN || len > p->tot_len)
		goto out;
	if ((s->netif.chksum_flags & NETIF_CHECKSUM_CHECK_UDP) != 0 &&
	    udp.chksum != 0 && ip_chksum_pseudo(p, IP_PROTO_UDP, p->tot_len,
	    ip_current_src_addr(), ip_current_dest_addr()) != 0)
		goto out;
	pbuf_realloc(p, len);
	/* The header may span pieces of a reassembled datagram. */
	if ((p = pbuf_free_header(p, UDP_HLEN)) == NULL && len != UDP_HLEN)
		return 1;
	head.src.port = lwip_ntohs(udp.src);
	head.dst.port = lwip_ntohs(udp.dest);
	s->ops->udp(&head, p);
out:
	if (p != NULL)
		pbuf_free(p);
	return 1;
}

static u8_t
icmp_input_raw(void *arg, struct raw_pcb *pcb, struct pbuf *p,
    const ip_addr_t *from)
{
	struct side *s = arg;
	uint8_t msg[8 + PACKET_ICMP_LEN];
	struct packet quoted;
	u16_t n;
	int err;

	(void)pcb;
	n = pbuf_copy_partial(p, msg, sizeof(msg), ip_current_header_tot_len());
	if (n > 8) {
		err = packet_icmp_errno(IP_IS_V6(from), msg[0], msg[1]);
		if (err != 0 && packet_parse_quoted(&quoted, msg + 8,
		    n - 8u) == SW_OK)
			s->ops->icmp(&quoted, err);
	}
	pbuf_free(p);
	return 1;
}

/* ---- time ---- */

/* Does anything about this connection happen by the mere passing of time? */
static bool
is_timed(const struct tcp_pcb *p)
{
	if (p->state != ESTABLISHED && p->state != CLOSE_WAIT &&
	    (p->state != FIN_WAIT_2 || p->poll != NULL ||
	    (p->flags & TF_RXCLOSED) != 0))
		return true;
	return p->unacked != NULL || p->unsent != NULL || p->ooseq != NULL ||
	    p->refused_data != NULL ||
	    (p->flags & (TF_ACK_DELAY | TF_CLOSEPEND)) != 0 ||
	    ip_get_option(p, SOF_KEEPALIVE);
}

static bool
tcp_needs_ticks(void)
{
	for (const struct tcp_pcb *p = tcp_active_pcbs; p != NULL; p = p->next)
		if (is_timed(p))
			return true;
	return tcp_tw_pcbs != NULL;
}

/* Idle connections cost no wake-ups: the clock of TCP stops while nothing
 * waits for it, and is set forward when it starts again. */
static void
arm(struct loop_turn *h)
{
	int64_t now = stack.loop->now_ms, missed;

	(void)h;
	if (stack.broken)
		for (int i = 0; i < 2; i++)
			if (stack.sides[i].ops != NULL)
				stack.sides[i].ops->broken();
	if (stack.loop == NULL || (stack.tick.at_ms != 0 &&
	    stack.tick.at_ms != SW_NEVER))
		return;
	if (!tcp_needs_ticks() && now >= stack.fragments_ms)
		return;
	missed = (now - stack.ticked_ms) / TCP_SLOW_INTERVAL;
	if (missed > 0)
		tcp_ticks += (u32_t)missed;
	stack.ticked_ms = now;
	loop_set_timer(stack.loop, &stack.tick, now + TCP_TMR_INTERVAL);
}

static void
tick(struct loop_timer *t)
{
	int64_t now = stack.loop->now_ms;

	stack.ticked_ms = now;
	tcp_tmr();
	if (now < stack.fragments_ms && now - stack.aged_ms >= 1000) {
		stack.aged_ms = now;
		ip_reass_tmr();
		ip6_reass_tmr();
	}
	if (tcp_needs_ticks() || now < stack.fragments_ms)
		loop_set_timer(stack.loop, t, now + TCP_TMR_INTERVAL);
}

/* ---- life ---- */

/* lwIP's variables (see the Makefile); the linker knows where they are. */
extern uint8_t __start_lwip_bss[] __attribute__((visibility("hidden")));
extern uint8_t __stop_lwip_bss[] __attribute__((visibility("hidden")));

/* The sanitizers' borders between variables are zeroed too. */
__attribute__((no_sanitize("address", "undefined", "thread")))
void
stack_forget(void)
{
	for (volatile uint8_t *p = __start_lwip_bss; p < __stop_lwip_bss; p++)
		*p = 0;
	memset(&stack, 0, sizeof(stack));
	owner_forget_all();
	splice_forget_all();
	arena_wipe();
}

static err_t
netif_start(struct netif *n)
{
	n->name[0] = 's';
	n->name[1] = 'w';
	n->output = output4;
	n->output_ip6 = output6;
	n->mtu = 65535;
	NETIF_SET_CHECKSUM_CTRL(n, 0);
	return ERR_OK;
}

static void
seed(void)
{
	if (sys_call3(SYS_getrandom, (long)stack.secret, sizeof(stack.secret),
	    0) != (long)sizeof(stack.secret))
		stack.secret[0] = stack.secret[1] =
		    mix64((uint64_t)clock_now_ms());
	stack.random = stack.secret[1];
}

static struct raw_pcb *
raw_open(struct side *s, u8_t proto, raw_recv_fn fn)
{
	struct raw_pcb *r = raw_new_ip_type(IPADDR_TYPE_ANY, proto);

	if (r == NULL)
		return NULL;
	raw_bind_netif(r, &s->netif);
	raw_recv(r, fn, s);
	return r;
}

int
stack_open(struct loop *l, enum stack_side side, const struct stack_ops *ops)
{
	struct side *s = &stack.sides[side];

	if (stack.loop == NULL) {
		stack.loop = l;
		seed();
		lwip_init();
		stack.ticked_ms = l->now_ms;
		stack.tick.fire = tick;
		stack.turn.run = arm;
		loop_add_turn(l, &stack.turn);
	} else if (stack.loop != l) {
		return SW_ERR_LIMIT;
	}
	if (netif_add(&s->netif, NULL, NULL, NULL, s, netif_start,
	    ip_input) == NULL)
		return SW_ERR_NOMEM;
	netif_set_up(&s->netif);
	netif_set_link_up(&s->netif);
	IP4_ADDR(ip_2_ip4(&s->netif.netmask), 255, 255, 255, 255);
	s->netif.ip6_addr_state[0] = IP6_ADDR_PREFERRED;
	s->ops = ops;
	s->udp = raw_open(s, IP_PROTO_UDP, udp_input_raw);
	s->icmp = raw_open(s, IP_PROTO_ICMP, icmp_input_raw);
	s->icmp6 = raw_open(s, PACKET_ICMP6, icmp_input_raw);
	if (s->udp == NULL || s->icmp == NULL || s->icmp6 == NULL) {
		stack_close(side);
		return SW_ERR_NOMEM;
	}
	stack.route = s;
	return SW_OK;
}

static void
raw_shut(struct raw_pcb **r)
{
	if (*r != NULL)
		raw_remove(*r);
	*r = NULL;
}

/* What still lingers on the side: connections that end by themselves, with all
 * their bytes acknowledged.  No reset: it could overtake, at the other end, what
 * was received but not yet passed on. */
static void
drop_side(const struct netif *n)
{
	u8_t idx = netif_get_index(n);
	struct tcp_pcb *p;

again:
	for (p = tcp_active_pcbs; p != NULL; p = p->next)
		if (p->netif_idx == idx) {
			tcp_abandon(p, 0);
			goto again;
		}
	for (p = tcp_tw_pcbs; p != NULL; p = p->next)
		if (p->netif_idx == idx) {
			tcp_abandon(p, 0);
			goto again;
		}
}

/* Fragments that wait for others: let their time run out now. */
static void
drop_fragments(void)
{
	for (int i = 0; i <= IP_REASS_MAXAGE; i++) {
		ip_reass_tmr();
		ip6_reass_tmr();
	}
}

void
stack_close(enum stack_side side)
{
	struct side *s = &stack.sides[side];

	if (s->ops == NULL)
		return;
	drop_side(&s->netif);
	s->ops = NULL;
	drop_fragments();
	raw_shut(&s->udp);
	raw_shut(&s->icmp);
	raw_shut(&s->icmp6);
	netif_remove(&s->netif);
	stack.route = &stack.sides[!side];
	if (stack.route->ops != NULL)
		return;
	loop_set_timer(stack.loop, &stack.tick, SW_NEVER);
	loop_del_turn(stack.loop, &stack.turn);
	memset(&stack, 0, sizeof(stack));
}

void
stack_set_mtu(enum stack_side side, uint16_t mtu)
{
	stack.sides[side].netif.mtu = mtu;
}

uint32_t
stack_tx_limit(enum stack_side side)
{
	return stack.sides[side].netif.mtu > 9000 ? TCP_SND_BUF / 4 :
	    TCP_SND_BUF;
}

void
stack_set_checksums(enum stack_side side, bool on)
{
	NETIF_SET_CHECKSUM_CTRL(&stack.sides[side].netif,
	    on ? NETIF_CHECKSUM_ENABLE_ALL : 0);
}

void
stack_kick(enum stack_side side, const struct sw_addr *inner)
{
	u8_t idx = netif_get_index(&stack.sides[side].netif);
	ip_addr_t ip;

	if (stack.sides[side].ops == NULL)
		return;
	if (inner != NULL)
		ip = stack_ip(inner);
	/* tcp_output() changes no list. */
	for (struct tcp_pcb *p = tcp_active_pcbs; p != NULL; p = p->next) {
		const ip_addr_t *its = side == STACK_FAR ? &p->remote_ip :
		    &p->local_ip;

		if (p->netif_idx != idx ||
		    (inner != NULL && !ip_addr_eq(its, &ip)))
			continue;
		if (p->unsent != NULL || (p->flags & TF_ACK_NOW) != 0)
			(void)tcp_output(p);
	}
}

struct tcp_pcb *
stack_tcp_new(enum stack_side side)
{
	struct tcp_pcb *p = tcp_new_ip_type(IPADDR_TYPE_ANY);

	if (p != NULL)
		tcp_bind_netif(p, &stack.sides[side].netif);
	stack.route = &stack.sides[side];
	return p;
}
