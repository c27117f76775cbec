/*
 * ssh_text.h - what a server says in words, turned into codes.  Pure parsers of
 * foreign text; fuzz targets.
 */
#ifndef SW_TRANSPORT_SSH_TEXT_H
#define SW_TRANSPORT_SSH_TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/addr.h"
#include "base/err.h"

/* Words that a person is to read: control characters, which may steer a
 * terminal or make lines of a log, become '?'. */
void ssh_text_clean(char *words);

/*
 * The library reports a refused channel only as text:
 *   "...channel opening failure: channel 44 error (2) Connection refused"
 * SW_OK with the channel's number, the RFC 4254 reason code and where in `line`
 * the server's words begin; SW_ERR_FORMAT for any other line.
 */
int ssh_text_parse_failure(const char *line, uint32_t *channel,
    uint32_t *reason, const char **words) SW_MUST_CHECK;

/* The SW_ERR_* for a refused channel. */
int ssh_text_dial_error(uint32_t reason, const char *words);

/*
 * One line of the resolver that runs on the server (ssh_lookup.c):
 *   "smolwrap-names 1 TOKEN"	hello
 *   "n ADDRESS"		a name server of its resolv.conf
 *   "-"			nothing works here: no getent
 *   "."			ready
 *   "ID ADDR STREAM NAME ADDR DGRAM ..."  an answer; no address: no such name
 *   "ID ?"			no answer (smolserve)
 */
enum ssh_text_kind {
	SSH_TEXT_OTHER, SSH_TEXT_HELLO, SSH_TEXT_NAMESERVER, SSH_TEXT_USELESS,
	SSH_TEXT_READY, SSH_TEXT_ANSWER,
};

struct ssh_text_line {
	enum ssh_text_kind kind;
	const char *token;		/* HELLO: the rest of the line, borrowed */
	struct sw_addr server;		/* NAMESERVER */
	uint32_t id;			/* ANSWER */
	bool v4, v6;
	bool v6_first;			/* the first address is one */
	struct sw_addr first4, first6;	/* the first of each family; or 0 */
	bool sole;			/* no two addresses are different */
	bool unknown;			/* "?": its resolver gave no answer */
};

/* `line` has no newline; it is read as far as its NUL. */
void ssh_text_parse_line(const char *line, struct ssh_text_line *out);

#endif
