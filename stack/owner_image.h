/*
 * owner_image.h - the messages of a handover.
 *
 * A SEQPACKET socket carries: IMAGE_OWNER, then for each flow IMAGE_FLOW and
 * what belongs to it, then IMAGE_TOMBS, and IMAGE_END.  Both ends are the same
 * build on the same machine, so structs travel as they are in memory; but the
 * sender is a wrapped program, so the reader checks every field.
 */
#ifndef SW_STACK_OWNER_IMAGE_H
#define SW_STACK_OWNER_IMAGE_H

#include "stack/owner_priv.h"

#define IMAGE_MAGIC 0x53774933u		/* "SwI3": changes with the structs */
#define IMAGE_DATA_MAX 60000		/* bytes of one IMAGE_TX or IMAGE_RX */
#define IMAGE_TIMEOUT_MS 5000		/* for room for the next message */
#define IMAGE_WHOLE_MS 20000		/* from the first to the last */
#define IMAGE_FDS 2

enum image_kind {
	IMAGE_OWNER = 1,	/* struct image_owner; link, channel (or none) */
	IMAGE_FLOW,		/* struct image_flow; far end, app end */
	IMAGE_TX,		/* bytes from the program, in order */
	IMAGE_RX,		/* bytes for the program, in order */
	IMAGE_OPTION,		/* struct image_option */
	IMAGE_DRAIN,		/* struct image_drain; reply end */
	IMAGE_TOMBS,		/* struct tomb[] */
	IMAGE_END,
};

struct image_head {
	uint32_t magic;
	uint32_t kind;
	uint32_t len;			/* bytes that follow */
};

struct image_owner {
	uint32_t id;
	uint16_t next_port;
	uint16_t configured;
	struct link_config config;
};

/* RFC 9293's variables, in lwIP's units. */
struct image_tcp {
	uint32_t state;			/* enum tcp_state; CLOSED: no pcb */
	uint32_t base;			/* sequence number of the first TX byte */
	uint32_t snd_nxt, rcv_nxt, snd_wnd, snd_wnd_max, snd_wl1, snd_wl2;
	uint32_t rcv_right, cwnd, ssthresh, ts_recent;
	uint16_t flags, mss;
	int16_t sa, sv, rto;
	uint8_t snd_scale, rcv_scale;
};

struct image_flow {
	uint64_t cookie, listener;	/* listener: cookie, 0 for none */
	struct sw_addr local, peer;
	uint64_t tx_bytes, rx_bytes;
	int32_t error;
	uint32_t discard, backlog_max;
	uint32_t tx_len, rx_len;	/* of the IMAGE_TX, IMAGE_RX to come */
	uint8_t state;
	/* Truth values; no bool, whose foreign bytes could be neither. */
	uint8_t dgram, v6, reuse, bound, kept, app_done, app_gone, fin_sent;
	uint8_t rx_fin, rx_fin_done, rx_discard, linger_reset, dying;
	uint8_t has_far, has_app;
	struct image_tcp tcp;
};

struct image_option {
	uint32_t level, name, len;
	uint8_t value[OPTION_MAX];
};

struct image_drain {
	uint32_t left_ms;
};

/* A message as it came. */
struct image_record {
	struct image_record *next;
	struct image_head head;
	int fds[IMAGE_FDS];		/* -1: none, or taken */
	uint8_t data[];			/* head.len bytes */
};

/* owner_rebuild.c: the owner that the records describe, or NULL when they
 * contradict themselves, are of another owner than `id`, or memory is out.
 * granted: its addresses, whatever the records say. */
struct owner *rebuild_owner(struct loop *l, struct image_record *first,
    uint32_t id, const struct link_config *granted,
    const struct owner_events *ev, void *arg) SW_MUST_CHECK;

/* owner_resume.c: bring the connection of `f` back to life, whose bytes have
 * all been read.  SW_OK or SW_ERR_NOMEM. */
int resume_conn(struct flow *f, const struct image_flow *im) SW_MUST_CHECK;

#endif
