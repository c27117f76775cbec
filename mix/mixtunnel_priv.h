/*
 * mixtunnel_priv.h - what the files of mixtunnel share.
 *
 *   mixtunnel.c        its life; the mixnet's client and the exit's on top
 *   mixtunnel_link.c   the websocket to the entry gateway: made, lost, made anew
 */
#ifndef SW_MIX_MIXTUNNEL_PRIV_H
#define SW_MIX_MIXTUNNEL_PRIV_H

#include "base/clock.h"
#include "mix/gwclient.h"
#include "mix/iprclient.h"
#include "mix/mixtunnel.h"
#include "mix/preparer.h"
#include "mix/stream.h"
#include "mix/ws.h"

/* Holds secrets: keys, gateway_key. */
struct mixtunnel {
	struct stream s;
	struct mixtunnel_config cfg;
	struct mixclient_keys keys;
	struct topology_node entry;	/* a copy, without its table */
	struct ws *ws;
	struct gwclient gw;
	struct preparer *preparer;	/* NULL: packets are made as they go */
	struct mixclient *mix;
	struct iprclient *ipr;
	struct loop_timer timer;
	struct loop_turn turn;
	bool linked;			/* the gateway session is ready */
	bool has_key;
	uint8_t gateway_key[GWLINK_KEY_LEN];
	uint64_t last_auth;
	int64_t pause_ms, retry_ms;	/* retry_ms: SW_NEVER while linked */
	bool dialing;			/* dial() has not been answered */
	bool broken;			/* drop the link at the turn's end */
	bool up, started;		/* the exit's word, and ours to it */
	struct sw_addr ip4, ip6;	/* what it gave us */
	uint16_t mtu;
	int err;
	uint64_t links;
};

/* Begin to make a link; ten seconds from now it is given up. */
void mixtunnel_open_link(struct mixtunnel *t);

/* Forget the link, whose end is told with `err`, and try again after a pause;
 * what it carried is sent again by its acks.  Not from within a callback of the
 * websocket, where `broken` is set instead. */
void mixtunnel_drop_link(struct mixtunnel *t, int err);

/* Hand to the socket what the websocket has. */
void mixtunnel_flush_link(struct mixtunnel *t);

/* Does the socket lag so far behind that packets have to wait? */
bool mixtunnel_link_is_full(const struct mixtunnel *t);

/* Take the entry gateway as this topology describes it.  SW_ERR_UNREACH_HOST
 * when it is not there, or not to be had in the way that was asked for. */
int mixtunnel_know_entry(struct mixtunnel *t, const struct topology *now)
    SW_MUST_CHECK;

#endif
