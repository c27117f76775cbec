/*
 * lwipopts.h - how lwIP is built for smolwrap.  Measured reasons are in
 * DESIGN.md; in short: big packets and no checksums on the local hop, a window
 * that fills a long path, no SACK (lwIP's makes Linux senders retransmit
 * needlessly), timestamps on, memory from our own arena.
 */
#ifndef SW_LWIP_OPTS_H
#define SW_LWIP_OPTS_H

#include <stddef.h>
#include <stdint.h>

/* One thread, no operating system layer, no timers of its own: stack.c calls
 * the TCP timer, and only while a connection needs it. */
#define NO_SYS			1
#define SYS_LIGHTWEIGHT_PROT	0
#define LWIP_TIMERS		0
#define LWIP_NETCONN		0
#define LWIP_SOCKET		0

/* Memory: everything, pools included, from stack/arena.c. */
#define MEM_CUSTOM_ALLOCATOR	1
#define MEMP_MEM_MALLOC		1
#define MEM_ALIGNMENT		16
#define MEM_CUSTOM_MALLOC	arena_get
#define MEM_CUSTOM_CALLOC	arena_get_zeroed
#define MEM_CUSTOM_FREE		arena_put
void *arena_get(size_t n);
void *arena_get_zeroed(size_t count, size_t n);
void arena_put(void *p);
#define LWIP_SUPPORT_CUSTOM_PBUF 1
#define PBUF_POOL_SIZE		0
#define LWIP_NETIF_TX_SINGLE_PBUF 0

/* Protocols.  UDP and ICMP pass through raw pcbs (stack.c), so that any
 * destination is accepted and no pcb is needed for each port. */
#define LWIP_IPV4		1
#define LWIP_IPV6		1
#define LWIP_TCP		1
#define LWIP_RAW		1
#define LWIP_UDP		0
#define LWIP_ICMP		0
#define LWIP_ICMP6		1	/* ip6.c wants it; raw pcbs eat the input */
#define LWIP_ARP		0
#define LWIP_ETHERNET		0
#define LWIP_DHCP		0
#define LWIP_IGMP		0
#define LWIP_DNS		0
#define LWIP_IPV6_MLD		0
#define LWIP_IPV6_SCOPES	0
#define LWIP_IPV6_AUTOCONFIG	0
#define LWIP_IPV6_SEND_ROUTER_SOLICIT 0
#define LWIP_IPV6_DUP_DETECT_ATTEMPTS 0
#define LWIP_ND6_QUEUEING	0
#define LWIP_ND6_ALLOW_RA_UPDATES 0
#define LWIP_ND6_TCP_REACHABILITY_HINTS 0
#define LWIP_IPV6_NUM_ADDRESSES	1
#define IP_FORWARD		0
#define IP_OPTIONS_ALLOWED	1
#define IP_REASSEMBLY		1
#define IP_FRAG			1
#define IP_REASS_MAX_PBUFS	512
#define IP_REASS_MAXAGE		15
#define MEMP_NUM_REASSDATA	16
#define LWIP_IPV6_FRAG		1
#define LWIP_IPV6_REASS		1
#define IPV6_FRAG_COPYHEADER	1
#define IP_DEFAULT_TTL		64
#define LWIP_NETIF_LOOPBACK	0
#define LWIP_HAVE_LOOPIF	0
#define LWIP_SINGLE_NETIF	0

/* TCP. */
#define TCP_MSS			65195	/* MTU 65535 less headers and options */
#define TCP_CALCULATE_EFF_SEND_MSS 1
#define LWIP_WND_SCALE		1
#define TCP_RCV_SCALE		5
#define TCP_WND			(1024 * 1024)
#define TCP_SND_BUF		(1024 * 1024)
#define TCP_SND_QUEUELEN	60000
#define TCP_SNDLOWAT		1
#define TCP_SNDQUEUELOWAT	1
#define TCP_OVERSIZE		2048
#define LWIP_TCP_TIMESTAMPS	1
#define LWIP_TCP_SACK_OUT	0
#define TCP_QUEUE_OOSEQ		1	/* without limits: they re-walk the list */
#define TCP_LISTEN_BACKLOG	0
#define LWIP_TCP_KEEPALIVE	1
#define TCP_TMR_INTERVAL	100
#define TCP_MSL			2000UL	/* TIME_WAIT of 4 s; see owner_port.c */
#define TCP_SYNMAXRTX		12	/* owner_conn.c stretches it to 130 s */
#define TCP_MAXRTX		12
#define TCP_FIN_WAIT_TIMEOUT	60000
#define SO_REUSE		0
#define LWIP_DISABLE_TCP_SANITY_CHECKS 1
#define LWIP_TCP_CALC_INITIAL_CWND(mss) \
	((tcpwnd_size_t)((mss) > 9000 ? TCP_WND : 10 * (mss)))

/* Checksums are a switch of each interface (stack.c). */
#define LWIP_CHECKSUM_CTRL_PER_NETIF 1
#define LWIP_CHECKSUM_ON_COPY	0

#define LWIP_STATS		0
#define LWIP_NETIF_API		0
#define LWIP_COMPAT_MUTEX	0

/* stack.c answers these. */
struct netif;
struct ip4_addr;
struct ip6_addr;
struct ip_addr;
struct netif *stack_route(void);
uint32_t stack_isn(const struct ip_addr *local, uint16_t local_port,
    const struct ip_addr *remote, uint16_t remote_port);
#define LWIP_HOOK_IP4_ROUTE_SRC(src, dst)	((void)(src), stack_route())
#define LWIP_HOOK_IP6_ROUTE(src, dst)		((void)(src), stack_route())
#define LWIP_HOOK_TCP_ISN(la, lp, ra, rp)	stack_isn(la, lp, ra, rp)

/* stack_reorder.c: looks at each segment first, and keeps two words for each
 * connection in the pcb's argument 0. */
struct tcp_pcb;
struct tcp_hdr;
int8_t stack_tcp_arrives(struct tcp_pcb *pcb, const struct tcp_hdr *head,
    uint16_t options, uint16_t options_here, const uint8_t *options_there);
/* stack_find.c keeps its node in argument 1. */
#define LWIP_TCP_PCB_NUM_EXT_ARGS 2
#define LWIP_HOOK_TCP_INPACKET_PCB(pcb, hdr, optlen, opt1len, opt2, p) \
	stack_tcp_arrives(pcb, hdr, optlen, opt1len, opt2)

#endif
