/* node_private.h - shared by the parts of a node: node.c (its life),
 * node_link.c (other nodes), node_client.c (a gateway's clients). */
#ifndef SW_MIX_NODE_PRIVATE_H
#define SW_MIX_NODE_PRIVATE_H

#define HASH_NONFATAL_OOM 1
#include <stdio.h>
#include <uthash.h>

#include "mix/greeter.h"
#include "mix/gwserver.h"
#include "mix/node.h"
#include "mix/noise.h"
#include "mix/stream.h"
#include "mix/topology.h"
#include "mix/ws.h"

#define NODE_PEERS_MAX 512		/* links to other nodes */
#define NODE_INBOUND_MAX 1024		/* links from them */
#define NODE_CLIENTS_MAX 1024
#define NODE_FRESH_MAX 256		/* of them, not yet known; and as many
					 * who shake hands for TLS */
#define NODE_ACCOUNTS_MAX 8192
#define NODE_INBOX_BYTES (64u << 20)	/* stored for absent clients */
#define NODE_INBOX_EACH 1024		/* payloads for each of them */
#define NODE_INBOX_MS 86400000		/* the oldest that is kept */

/* A link to another node, for packets to it. */
struct peer {
	struct stream s;
	struct node *node;
	struct sw_addr addr;
	struct loop_timer timer;	/* until it is up, or tried again */
	int64_t retry_ms;		/* not before */
	unsigned failures;		/* in a row */
	bool encrypted;			/* by the directory's word */
	struct noise noise;
	uint8_t *early;			/* packets until it is up */
	size_t early_len;
	UT_hash_handle hh;
};

/* A link from another node. */
struct inbound {
	struct stream s;
	struct node *node;
	struct inbound *next, **at;
	struct loop_timer timer;	/* until it is up */
	bool encrypted;
	struct noise noise;
	uint8_t *plain;			/* a packet's beginning */
	size_t plain_len;
};

struct stored {
	struct stored *next;
	int64_t at_ms;
	size_t len;
	uint8_t data[];
};

/* A client that has registered. */
struct account {
	struct gwserver_account a;	/* first; the key is a.identity */
	struct session *session;	/* NULL: it is absent */
	int64_t seen_ms;
	struct stored *inbox, **inbox_end;
	size_t stored;
	UT_hash_handle hh;
};

/* A client's connection. */
struct session {
	struct stream s;
	struct node *node;
	struct ws *ws;
	struct gwserver gw;
	struct loop_timer timer;	/* until it has joined, or has to go */
	struct session *next, **at;
	int ended;			/* not SW_OK: close when written */
};

struct node {
	struct node_config cfg;
	struct loop *loop;
	struct mixnode *mix;
	const struct topology *view;
	struct loop_fd mix_listener, ws_listener, wss_listener;
	struct loop_timer timer, hourly;
	struct peer *peers;		/* by address */
	struct inbound *inbound;
	size_t links;
	struct session *sessions;
	struct greeter greeter;
	size_t clients, fresh;
	struct account *accounts;	/* by identity */
	size_t stored, stored_bytes;
	struct loop_timer save;		/* of the accounts */
	bool unsaved;
	uint8_t embedded[32];
	void (*deliver_embedded)(void *, uint8_t *, size_t);
	void *embedded_arg;
	uint64_t frames_bad, link_full, handshakes_bad, inbox_full, push_full;
};

/* Packets may be waiting: set the timer. */
void node_arm(struct node *n);

/* node_link.c: mixnode's emit(), arg is the node; listeners' ready(); the end
 * of every link. */
void node_emit(void *arg, const struct sw_addr *next,
    const struct nympkt_frame *f, const uint8_t *pkt, size_t len);
void node_accept_links(struct loop_fd *w, uint32_t events);
void node_close_links(struct node *n);

/* node_client.c: the same for clients; mixnode's deliver(). */
void node_deliver(void *arg, const uint8_t dest[static 32], uint8_t *data,
    size_t len);
void node_accept_clients(struct loop_fd *w, uint32_t events);
void node_close_clients(struct node *n);

/* NULL: there is none. */
struct account *node_find_account(const struct node *n,
    const uint8_t identity[static 32]);
/* NULL: no memory, or no room. */
struct account *node_new_account(struct node *n,
    const uint8_t identity[static 32]);
/* A file that is not there holds nobody. */
int node_load_accounts(struct node *n) SW_MUST_CHECK;
void node_save_accounts(struct node *n);
/* The same from and to an open file.  SW_ERR_FORMAT: it is damaged; some of it
 * may have been taken. */
int node_read_accounts(struct node *n, FILE *f) SW_MUST_CHECK;
int node_write_accounts(const struct node *n, FILE *f) SW_MUST_CHECK;
void node_accounts_changed(struct node *n);
void node_accept_tls_clients(struct loop_fd *w, uint32_t events);
/* A connection, not blocking, that is to become a websocket.  Takes it; arg is
 * the node. */
void node_add_client(void *arg, int fd);
/* Throw away what nobody has fetched in time. */
void node_sweep_inbox(struct node *n);

#endif
