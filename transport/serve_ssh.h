/*
 * serve_ssh.h - the server's side of SSH-2 as an engine: bytes in, bytes out,
 * no descriptor, no clock, no thread.  Log-in by public key, forwarding
 * channels, nothing else.
 *
 * Why not libssh, as on the client's side: its server can refuse a channel with
 * one reason and no text only, hides the name of a channel type it does not
 * know, takes more bytes than it granted, and blocks while it exchanges keys.
 * Here a session that is being set up costs a few kilobytes and no thread.
 *
 *   RFC 4251-4254, 8308 (server-sig-algs), 8731 (curve25519), OpenSSH's
 *   PROTOCOL (strict key exchange, keepalives, host-bound log-in)
 *
 *   new -> [ident] -> [keys] -> [log-in] -> channels -> over
 *
 * Feed what came, send what serve_ssh_output() holds.  Callbacks come from
 * within serve_ssh_feed() and serve_ssh_sent() only, and may call everything
 * here but those two and serve_ssh_free().
 */
#ifndef SW_TRANSPORT_SERVE_SSH_H
#define SW_TRANSPORT_SERVE_SSH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "stack/dialer.h"
#include "transport/serve_key.h"

#define SERVE_USER_MAX 256		/* bytes of a user name, with its NUL */
#define SERVE_PACKET_MAX 40000		/* bytes of a client's packet */
#define SERVE_DATA_MAX 32768		/* bytes of data in a packet, both ways */
#define SERVE_OUT_FULL ((size_t)512 * 1024)	/* output that waits: stop */

/* RFC 4254 section 5.1 */
enum serve_reason {
	SERVE_PROHIBITED = 1,
	SERVE_CONNECT_FAILED = 2,
	SERVE_UNKNOWN_TYPE = 3,
	SERVE_SHORTAGE = 4,
};

/* RFC 4253 section 11.1 */
enum serve_goodbye {
	SERVE_BYE_PROTOCOL = 2,
	SERVE_BYE_KEX = 3,
	SERVE_BYE_MAC = 5,
	SERVE_BYE_SERVICE = 7,
	SERVE_BYE_APPLICATION = 11,
	SERVE_BYE_MANY = 12,
	SERVE_BYE_AUTH = 14,
};

/* Receive windows of every session of this process, together. */
struct serve_budget {
	size_t used, max;		/* bytes granted above the first windows */
};

/* Borrowed by every session made with it. */
struct serve_ssh_config {
	const uint8_t *host_pk;		/* 32 bytes */
	const uint8_t *host_sk;		/* 64 bytes, secret */
	const char *ident;		/* "SSH-2.0-..." without line end */
	unsigned tries_max;		/* failed log-ins */
	size_t channels_max;
	size_t opening_max;		/* of them, not answered yet */
	uint32_t window_max;		/* a channel's, at most */
	struct serve_budget *budget;
};

struct serve_ssh;
struct serve_chan;

enum serve_open_kind {
	SERVE_OPEN_TCP,			/* direct-tcpip */
	SERVE_OPEN_UDP,			/* datagrams: transport/udp_channel.h */
	SERVE_OPEN_NAMES,		/* look-ups: transport/serve_names.h */
};

struct serve_open {
	enum serve_open_kind kind;
	struct dial_target to;		/* SERVE_OPEN_TCP */
};

struct serve_ssh_events {
	/* May this key log in as `user`?  Asked for a mere offer, and again
	 * with `proved` once it has signed; true then is the log-in. */
	bool (*login)(void *arg, const char *user, const struct serve_key *key,
	    bool proved, struct serve_touch touch);
	/* A channel is wanted: answer with serve_chan_accept() or _refuse(),
	 * now or later. */
	void (*open)(void *arg, struct serve_chan *c,
	    const struct serve_open *what);
	/* tcpip-forward and its end.  SW_OK and the port; or an error. */
	int (*listen)(void *arg, const char *bind, uint16_t port,
	    uint16_t *bound);
	int (*unlisten)(void *arg, const char *bind, uint16_t port);

	/* ---- of a channel; arg is the channel's ---- */
	void (*opened)(void *arg);	/* one of ours was accepted */
	/* Bytes, all to be taken; call serve_chan_took() as they move on. */
	void (*data)(void *arg, const uint8_t *p, size_t len);
	void (*eof)(void *arg);
	void (*writable)(void *arg);	/* after write() took less than given */
	/* The client ended the channel (or refused ours): `clean` after an end
	 * of both directions.  The last callback of a channel. */
	void (*closed)(void *arg, bool clean);
};

/* ev, cfg are borrowed.  NULL without memory.  The greeting is in output(). */
struct serve_ssh *serve_ssh_new(const struct serve_ssh_config *cfg,
    const struct serve_ssh_events *ev, void *arg);
/* Ends channels without callback.  NULL is fine; wipes. */
void serve_ssh_free(struct serve_ssh *s);

/*
 * Take what can be taken of p[0..len), which is changed in place; *used says
 * how much, and the rest is to be given again with more behind it.
 * SW_OK, or SW_ERR_CLOSED: the session is over; send the output and hang up.
 */
int serve_ssh_feed(struct serve_ssh *s, uint8_t *p, size_t len, size_t *used)
    SW_MUST_CHECK;

/* What is to be sent; borrowed until the next call of anything. */
const uint8_t *serve_ssh_output(const struct serve_ssh *s, size_t *len);
void serve_ssh_sent(struct serve_ssh *s, size_t n);
/* So much waits that nothing more should be read or written. */
bool serve_ssh_is_full(const struct serve_ssh *s);

bool serve_ssh_is_over(const struct serve_ssh *s);
bool serve_ssh_is_in(const struct serve_ssh *s);	/* logged in */
/* Why it is over, in words; "" while it is not. */
const char *serve_ssh_why(const struct serve_ssh *s);
size_t serve_ssh_channels(const struct serve_ssh *s);
uint64_t serve_ssh_input(const struct serve_ssh *s);	/* packets so far */

/* Ask whether the client is there; any packet is an answer. */
void serve_ssh_ping(struct serve_ssh *s);
/* Say good-bye: the session is over once that is sent. */
void serve_ssh_bye(struct serve_ssh *s, enum serve_goodbye why,
    const char *text);

/* ---- channels ---- */

/* Who hears of it from here on. */
void serve_chan_set_arg(struct serve_chan *c, void *arg);
void serve_chan_accept(struct serve_chan *c);
void serve_chan_refuse(struct serve_chan *c, enum serve_reason why,
    const char *text);		/* the channel is gone */

/* Offer a connection that came to a port the client asked for
 * (forwarded-tcpip).  opened or closed follows.  NULL: no room. */
struct serve_chan *serve_chan_offer(struct serve_ssh *s, const char *bind,
    uint16_t port, const char *from, uint16_t from_port, void *arg);

/* So many bytes should be written right now, and write() takes them all.  0:
 * wait for writable. */
size_t serve_chan_room(struct serve_chan *c);
/* Send bytes: the count taken.  Less than len (the client's window is full):
 * wait for writable. */
size_t serve_chan_write(struct serve_chan *c, const uint8_t *p, size_t len);
void serve_chan_eof(struct serve_chan *c);
/* Both directions end; no callback follows. */
void serve_chan_close(struct serve_chan *c);
/* n bytes that came in have gone where they should: more may come. */
void serve_chan_took(struct serve_chan *c, size_t n);

#endif
