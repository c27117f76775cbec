/*
 * iprmsg.h - what a client and an IP packet router (IPR) say to each other:
 * stream frames, requests and responses of versions 8, 9 and 10, and bundles
 * of IP packets.
 *
 * A stream frame is 16 bytes and then the content; a request or a response
 * is bincode (varint, big endian).  Version 9 and 10 travel in stream frames,
 * version 8 without.  10 differs from 9 by the MTU in the connect response.
 */
#ifndef SW_MIX_IPRMSG_H
#define SW_MIX_IPRMSG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/wire.h"

#define IPRMSG_V8 8
#define IPRMSG_V9 9
#define IPRMSG_V10 10

/* Stream frames. */
#define IPRMSG_STREAM_HEAD_LEN 16

struct iprmsg_stream {
	uint64_t id;
	bool open;			/* an opening frame, else data */
	uint32_t seq;			/* 0 for control answers of an IPR */
};

/* SW_ERR_TOO_LONG (nothing put) without room for IPRMSG_STREAM_HEAD_LEN. */
int iprmsg_put_stream(struct wbuf *w, const struct iprmsg_stream *s)
    SW_MUST_CHECK;
/* SW_ERR_FORMAT (nothing consumed) if it is no stream frame. */
int iprmsg_get_stream(struct rbuf *r, struct iprmsg_stream *s) SW_MUST_CHECK;

enum iprmsg_kind {
	IPRMSG_DATA,			/* both ways */
	IPRMSG_CONNECT,
	IPRMSG_DISCONNECT,
	IPRMSG_PING,
	IPRMSG_HEALTH,
	/* responses only */
	IPRMSG_DROPPED,			/* the IPR ended it unasked */
	IPRMSG_INFO,
};

/* UTC, as bincode writes it. */
struct iprmsg_time {
	int32_t year;
	uint16_t day;			/* of the year, from 1 */
	uint8_t hour, minute, second;
	uint32_t ns;
};

/* Unix time to this; not before 1970. */
struct iprmsg_time iprmsg_time_of(int64_t unix_seconds, uint32_t ns);

struct iprmsg_request {
	uint8_t version;
	enum iprmsg_kind kind;
	uint64_t id;
	bool has_timeout;		/* IPRMSG_CONNECT */
	uint64_t timeout_ms;
	struct iprmsg_time time;
	const uint8_t *bundle;		/* IPRMSG_DATA; borrowed */
	size_t bundle_len;
};

enum iprmsg_reason {
	IPRMSG_SUCCESS,
	IPRMSG_ALREADY_CONNECTED,	/* connect */
	IPRMSG_NO_ADDRESS,		/* connect */
	IPRMSG_NOT_CONNECTED,		/* disconnect */
	IPRMSG_MIX_TIMEOUT,		/* dropped */
	IPRMSG_TUN_TIMEOUT,		/* dropped */
	IPRMSG_POLICY,			/* info: text says where to */
	IPRMSG_OTHER,
};

#define IPRMSG_TEXT_MAX 128

struct iprmsg_response {
	uint8_t version;
	enum iprmsg_kind kind;
	uint64_t id;			/* not for data and dropped */
	enum iprmsg_reason reason;
	uint8_t ip4[4], ip6[16];	/* connected */
	uint16_t mtu;			/* connected, version 10; else 0 */
	const uint8_t *bundle;		/* IPRMSG_DATA; borrowed */
	size_t bundle_len;
	char text[IPRMSG_TEXT_MAX];	/* info: what; cut, as it came */
};

/* SW_OK, or SW_ERR_TOO_LONG and nothing is put. */
int iprmsg_put_request(struct wbuf *w, const struct iprmsg_request *q)
    SW_MUST_CHECK;
int iprmsg_put_response(struct wbuf *w, const struct iprmsg_response *a)
    SW_MUST_CHECK;

/* Read all of `in`.  SW_ERR_FORMAT (also for bytes left over) or
 * SW_ERR_UNSUPPORTED (version); the struct is zeroed then. */
int iprmsg_get_request(struct iprmsg_request *q, const uint8_t *in, size_t n)
    SW_MUST_CHECK;
int iprmsg_get_response(struct iprmsg_response *a, const uint8_t *in,
    size_t n) SW_MUST_CHECK;

/* Bytes that a data message adds to its bundle. */
#define IPRMSG_DATA_HEAD_MAX 6
#define IPRMSG_BUNDLE_MAX 1500		/* target; a larger packet goes alone */
#define IPRMSG_MTU 1420

/* A bundle is packets, each after its length in two bytes. */
int iprmsg_put_packet(struct wbuf *w, const uint8_t *pkt, size_t n)
    SW_MUST_CHECK;
/* The next one, borrowed.  SW_AGAIN at the end; SW_ERR_TRUNCATED. */
int iprmsg_get_packet(struct rbuf *bundle, const uint8_t **pkt, size_t *n)
    SW_MUST_CHECK;

#endif
