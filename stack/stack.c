#include "stack/stack.h"

#include <string.h>

#include "base/clock.h"
#include "stack/arena.h"
#include "stack/owner.h"
#include "stack/stack_priv.h"

#include "lwip/init.h"
#include "lwip/priv/tcp_priv.h"
#include "lwip/raw.h"

struct stack_state stack;

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

/* lwIP's variables (see the Makefile); the linker knows where they are. */
extern uint8_t __start_lwip_bss[] __attribute__((visibility("hidden")));
extern uint8_t __stop_lwip_bss[] __attribute__((visibility("hidden")));

/* The sanitizers' borders between variables are zeroed too. */
__attribute__((no_sanitize("address", "undefined", "thread")))
static void
forget_lwip(void)
{
	volatile uint8_t *p = __start_lwip_bss;
	size_t n = (uintptr_t)__stop_lwip_bss - (uintptr_t)__start_lwip_bss;

	while (n-- > 0)
		*p++ = 0;
}

void
stack_forget(void)
{
	forget_lwip();
	stack_find_forget();
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
	n->output = stack_output4;
	n->output_ip6 = stack_output6;
	n->mtu = 65535;
	NETIF_SET_CHECKSUM_CTRL(n, 0);
	return ERR_OK;
}

static struct raw_pcb *
raw_open(struct stack_end *s, u8_t proto, raw_recv_fn fn)
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
	struct stack_end *s = &stack.sides[side];

	if (stack.loop == NULL) {
		stack.loop = l;
		stack_seed();
		lwip_init();
		stack.ticked_ms = l->now_ms;
		stack.tick.fire = stack_tick;
		stack.turn.run = stack_end_turn;
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
	s->udp = raw_open(s, IP_PROTO_UDP, stack_raw_udp);
	s->icmp = raw_open(s, IP_PROTO_ICMP, stack_raw_icmp);
	s->icmp6 = raw_open(s, PACKET_ICMP6, stack_raw_icmp);
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

void
stack_close(enum stack_side side)
{
	struct stack_end *s = &stack.sides[side];

	if (s->ops == NULL)
		return;
	if (!stack.broken)
		drop_side(&s->netif);
	s->ops = NULL;
	if (!stack.broken) {
		stack_drop_fragments();
		raw_shut(&s->udp);
		raw_shut(&s->icmp);
		raw_shut(&s->icmp6);
		netif_remove(&s->netif);
	}
	for (int i = 0; i < STACK_SIDES; i++)
		if (stack.sides[i].ops != NULL) {
			stack.route = &stack.sides[i];
			return;
		}
	loop_set_timer(stack.loop, &stack.tick, SW_NEVER);
	loop_del_turn(stack.loop, &stack.turn);
	if (stack.broken)
		forget_lwip();		/* its memory is lost */
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
	return stack.sides[side].netif.mtu > 9000 ? TCP_SND_BUF / 2 :
	    TCP_SND_BUF;
}

void
stack_set_checksums(enum stack_side side, bool on)
{
	NETIF_SET_CHECKSUM_CTRL(&stack.sides[side].netif,
	    on ? NETIF_CHECKSUM_ENABLE_ALL : 0);
}

bool
stack_is_broken(void)
{
	return stack.broken;
}

struct tcp_pcb *
stack_tcp_new(enum stack_side side)
{
	struct tcp_pcb *p;

	stack_catch_up();
	p = tcp_new_ip_type(IPADDR_TYPE_ANY);
	if (p != NULL)
		tcp_bind_netif(p, &stack.sides[side].netif);
	stack.route = &stack.sides[side];
	return p;
}
