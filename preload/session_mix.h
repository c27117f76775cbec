/*
 * session_mix.h - the mix tunnel of a session: what its files share.
 *
 *   session_mix.c          life, state, status
 *   session_mix_status.c   its route, and how it is
 *   session_mix_link.c     the way to the entry gateway and the directory
 *   session_mix_ends.c     which entry and which exit, and others
 *   session_mix_net.c      where the network is learnt from
 *   session_mix_dir.c      ... from a directory service
 *   session_mix_local.c    ... mix:local: a whole one as a child process
 *   session_mix_packets.c  packets of many owners at one address pair
 *   session_mix_names.c    who answers DNS at the exit
 *
 *   no network -> connecting -> asking for the resolver -> up <-> down
 *        ^------------ the local network has ended -----------'
 */
#ifndef SW_PRELOAD_SESSION_MIX_H
#define SW_PRELOAD_SESSION_MIX_H

#include <sys/types.h>

#include "mix/identity.h"
#include "mix/netdir.h"
#include "mix/mixtunnel.h"
#include "mix/topology.h"
#include "preload/session.h"
#include "preload/session_ports.h"
#include "preload/session_route.h"
#include "preload/session_tunnel.h"
#include "stack/origin.h"
#include "stack/splice.h"
#include "transport/dialing.h"
#include "transport/dns_datagram.h"
#include "transport/names_dialer.h"
#include "transport/through.h"

struct mix_packet;

/* Who sends and receives: an owner by its hop, or the session itself. */
struct mix_user {
	struct session_mix *t;
	struct hop *hop;		/* NULL: the session, or gone */
	bool gone;			/* freed when its queue is empty */
	uint16_t lo, hi;		/* its block of ports */
	struct route_source source;
	struct mix_packet *first, **last;	/* wait for the tunnel */
	size_t bytes;
	bool waiting;			/* in the ring of those with packets */
	bool refused;			/* the session's: owed origin_writable() */
	struct mix_user *next;		/* in the ring */
};

/* mix:local's child. */
struct mix_local {
	pid_t pid;			/* 0: none */
	struct loop_fd out;		/* what it says; fd -1: none */
	struct loop_timer retry;
	char *text;
	size_t len;
	bool has_topology;
};

struct mix_link {
	struct through *door;		/* to the tunnel before it; or NULL */
	struct transport *tcp;		/* proxy and door included */
	struct transport *tls;		/* NULL: not needed yet */
	char name[TOPOLOGY_HOST_MAX + 1];	/* whom `tls` is for */
	bool is_tls;			/* to the entry that was chosen */
	struct dialing *dialing;	/* NULL: none */
	char why[TRANSPORT_WHY_LEN];	/* the last dial failed; or empty */
};

struct session_mix {
	struct session_tunnel t;
	const struct tunnel_url *url;
	struct mixtunnel *mix;		/* NULL: no network yet */
	struct topology *topology;
	struct topology_node entry;	/* a copy; its table is not ours */
	struct netdir *dir;		/* NULL: not from there, or not yet */
	struct mix_link link;
	const char *identity_file;	/* NULL: a new identity each time */
	struct identity identity;
	struct recipient exit;
	struct netdir_avoid lost_entries, lost_exits;
	bool entry_worked;		/* it let us in, once */
	int64_t entry_lost_ms;		/* 0: it is there */
	int64_t entry_left_ms;		/* for another, last */
	bool other_exit;		/* who resolves there is not known */
	struct loop_timer reroute;	/* the ends have changed */
	struct mix_local local;
	bool carries_owners;		/* it is the last of the chain */
	bool was_up;			/* the launcher was told */
	struct loop_timer first;	/* until it must be up for once */
	int down_err;

	/* session_mix_packets.c */
	struct link_config config;	/* what all owners share */
	struct ports ports;
	struct route route;
	uint32_t next_id;		/* of fragmented datagrams */
	struct mix_user self;
	struct mix_user *ring, **ring_end;
	size_t users_gone;
	uint64_t dropped;		/* packets that were not honest */
	struct origin *origin;
	struct splice *splice;		/* ends DNS over TCP of programs */

	/* session_mix_names.c */
	struct names_dialer *dialer;
	struct names_datagrams *datagrams;
	struct dns_datagram *probe;
	struct dns_datagram_ask *probe_ask;
	struct loop_timer probe_late;
};

/* session_mix.c */
/* The network is known: choose the ends, and connect.  Takes `topology`. */
void mix_connect(struct session_mix *t, struct topology *topology);
/* The same network, as it is now.  Takes `topology`. */
void mix_change_network(struct session_mix *t, struct topology *topology);
/* It is gone, with all that was connected to it. */
void mix_disconnect(struct session_mix *t, int err, const char *why);
/* It is not to be had: for good, if nobody wished to wait. */
void mix_fail(struct session_mix *t, int err, const char *why);
/* There is no tunnel before it that is not up. */
bool mix_may_start(const struct session_mix *t);
/* Everything is there. */
void mix_is_up(struct session_mix *t);

/* session_mix_status.c */
/* Where clients connect to the entry. */
uint16_t mix_entry_port(const struct session_mix *t);
void mix_log_route(const struct session_mix *t);
size_t mix_status(const struct session_tunnel *base, char *buf, size_t cap);

/* session_mix_link.c */
int mix_link_init(struct session_mix *t, struct session_tunnel *below,
    char why[static 256]) SW_MUST_CHECK;
void mix_link_wipe(struct session_mix *t);
bool mix_link_wants_tls(const struct session_mix *t,
    const struct topology_node *entry);
/* Nothing but TCP lies between us and the gateway. */
bool mix_link_is_direct(const struct session_mix *t);
/* For mixtunnel; and nobody waits for the answer any more. */
void mix_link_dial(void *arg, const struct mixtunnel_endpoint *to);
void mix_link_hang_up(struct session_mix *t);

/* session_mix_ends.c */
/* keep: the exit, if it is still in the network.  False: said why. */
bool mix_choose_ends(struct session_mix *t, bool keep, char why[static 256]);
/* The entry has let us in. */
void mix_entry_works(struct session_mix *t);
/* The entry, or the exit, does not answer.  True: there is another now, and a
 * new tunnel has to be made. */
bool mix_leave_entry(struct session_mix *t);
bool mix_leave_exit(struct session_mix *t);
/* Can the tunnel there is go on in this network? */
bool mix_ends_are_in(const struct session_mix *t, const struct topology *net);

/* session_mix_net.c */
/* Once the tunnel before it is up, where the way leads through that. */
int mix_net_start(struct session_mix *t, char why[static 256]) SW_MUST_CHECK;
void mix_net_stop(struct session_mix *t);
/* An end is lost: who else is there by now? */
void mix_net_ask(struct session_mix *t);

/* session_mix_dir.c, in the session that has it only. */
int mix_dir_start(struct session_mix *t, char why[static 256])
    __attribute__((weak)) SW_MUST_CHECK;
void mix_dir_stop(struct session_mix *t) __attribute__((weak));
void mix_dir_ask(struct session_mix *t) __attribute__((weak));

/* session_mix_local.c */
int mix_local_start(struct session_mix *t, char why[static 256]) SW_MUST_CHECK;
void mix_local_stop(struct session_mix *t);

/* session_mix_packets.c */
int mix_packets_init(struct session_mix *t) SW_MUST_CHECK;
void mix_packets_wipe(struct session_mix *t);
/* The tunnel came up with these addresses, or went. */
void mix_packets_up(struct session_mix *t, const struct sw_addr *ip4,
    const struct sw_addr *ip6, uint16_t mtu);
void mix_packets_down(struct session_mix *t);
/* From the exit; and there is room towards it. */
void mix_packets_input(struct session_mix *t, const uint8_t *p, size_t len);
void mix_packets_drain(struct session_mix *t);
size_t mix_packets_unsent(const struct session_mix *t);
bool mix_hop_attach(struct session_tunnel *t, struct hop *h);
void mix_hop_detach(struct session_tunnel *t, struct hop *h);
void mix_hop_input(struct session_tunnel *t, struct hop *h,
    struct link_frame *f);
void mix_hop_writable(struct session_tunnel *t, struct hop *h);

/* session_mix_names.c */
int mix_names_init(struct session_mix *t) SW_MUST_CHECK;
void mix_names_wipe(struct session_mix *t);
/* Find out who answers at the exit; mix_is_up() follows. */
void mix_names_probe(struct session_mix *t);
void mix_names_stop(struct session_mix *t);

#endif
