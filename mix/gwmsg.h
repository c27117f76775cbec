/*
 * gwmsg.h - the JSON messages between a client and its gateway.
 *
 * Text frames hold one object each, told apart by "type".  Both directions
 * share names, so one struct and one parser serve both ends.  Unknown
 * members are ignored; an unknown type is GWMSG_OTHER.
 */
#ifndef SW_MIX_GWMSG_H
#define SW_MIX_GWMSG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "mix/gcm_siv.h"

#define GWMSG_VERSION_OLDEST 4	/* the first with signed authentication */
#define GWMSG_VERSION_LABELS 5	/* the first with key rotation labels */
#define GWMSG_VERSION 6
#define GWMSG_DATA_MAX 256
#define GWMSG_REASON_MAX 160
#define GWMSG_TEXT_MAX 4096	/* longest text that gwmsg_write() makes */

enum gwmsg_type {
	GWMSG_OTHER,
	GWMSG_SUPPORTED,		/* the question, or the answer: version */
	GWMSG_HANDSHAKE,		/* version, data */
	GWMSG_HANDSHAKE_ERROR,		/* reason */
	GWMSG_REGISTERED,		/* version, status */
	GWMSG_AUTHENTICATE,		/* version, auth */
	GWMSG_AUTHENTICATED,		/* version, status, available */
	GWMSG_CLAIM,			/* free bandwidth, please */
	GWMSG_BANDWIDTH,		/* available */
	GWMSG_SENT,			/* available: one packet was accepted */
	GWMSG_OUT_OF_BANDWIDTH,		/* available */
	GWMSG_ERROR,			/* reason */
	GWMSG_ENCRYPTED,		/* nonce, data: remember or forget me */
	GWMSG_ENCRYPTED_ANSWER,		/* nonce, data */
	GWMSG_LEGACY_AUTHENTICATE,	/* the refused first form */
};

struct gwmsg_auth {
	uint8_t identity[32];
	uint8_t address[48];		/* identity encrypted under the key */
	uint8_t nonce[GCM_SIV_NONCE_LEN];
	uint64_t timestamp;		/* Unix seconds */
	uint8_t signature[64];
};

struct gwmsg {
	enum gwmsg_type type;
	uint8_t version;		/* 0 when absent */
	bool status;
	int64_t available;		/* bytes */
	bool unmetered;			/* with available, and registered: the
					 * network is in upgrade mode */
	int64_t required;		/* GWMSG_OUT_OF_BANDWIDTH */
	uint8_t data[GWMSG_DATA_MAX];
	size_t data_len;
	uint8_t nonce[GCM_SIV_NONCE_LEN];
	struct gwmsg_auth auth;
	char reason[GWMSG_REASON_MAX];	/* cut if longer; may hold anything */
};

/* Read one text frame.  SW_ERR_FORMAT if it is no such object, or a member
 * it needs is missing or of the wrong form; *m is zeroed then. */
int gwmsg_read(struct gwmsg *m, const char *text, size_t n) SW_MUST_CHECK;

/* What a client wishes inside an encrypted request. */
enum gwmsg_wish {
	GWMSG_REMEMBER,
	GWMSG_FORGET_NOTHING,
	GWMSG_FORGET_CLIENT,
};
#define GWMSG_WISH_MAX 32
int gwmsg_read_wish(enum gwmsg_wish *w, const char *text, size_t n)
    SW_MUST_CHECK;
/* The answer, not NUL-terminated; returns its length. */
size_t gwmsg_write_wish(char out[static GWMSG_WISH_MAX], enum gwmsg_wish w);

/* Write one, not NUL-terminated; *n is its length.  SW_ERR_TOO_LONG. */
int gwmsg_write(const struct gwmsg *m, char *out, size_t cap, size_t *n)
    SW_MUST_CHECK;

#endif
