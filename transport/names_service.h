/*
 * names_service.h - every name question of every wrapped process, answered.
 *
 * Two kinds of exits:
 *
 *   by name (SSH)    streams are opened by name there, so a name gets virtual
 *                    addresses (stack/names.h) once the exit says it exists
 *   by address (mix) packets go to addresses, so names get their real ones, by
 *                    DNS through the tunnel
 *
 * Other record types, and queries to a public resolver that the program chose
 * itself, travel as DNS through the tunnel in both.  Nothing here resolves on
 * this machine, blocks, or logs a name.
 *
 *   localhost, *.localhost, this machine's name   127.0.0.1 / ::1
 *   names of /etc/hosts                           the addresses given there
 *   .onion .i2p .alt .local .invalid              no such name
 *   single labels (unless allowed)                no such name
 *   numeric text                                  itself
 *   PTR of virtual addresses                      the name
 *   PTR of private and loopback addresses         no such name
 *   A, AAAA of anything else                      virtual, or the real ones
 *   HTTPS, SVCB                                   no such record, or the real
 */
#ifndef SW_TRANSPORT_NAMES_SERVICE_H
#define SW_TRANSPORT_NAMES_SERVICE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/addr.h"
#include "base/err.h"
#include "base/loop.h"
#include "stack/datagram.h"
#include "stack/dialer.h"
#include "stack/names.h"
#include "transport/lookup.h"

/* An exit by name.  The ssh tunnel's is names_exit_ssh, whose arg is the struct
 * ssh_tunnel; the functions are those of ssh_tunnel.h. */
struct names_exit {
	int (*lookup)(void *arg, const char *name,
	    void (*done)(void *, const struct lookup *), void *done_arg);
	void (*forget)(void *arg, const void *done_arg);
	const char *(*nameserver)(void *arg);
};
extern const struct names_exit names_exit_ssh;

struct names_service_options {
	struct names *map;		/* borrowed; NULL: real addresses */
	const struct names_exit *exit;	/* borrowed; NULL: real addresses */
	void *exit_arg;
	struct dialer *dialer;		/* carries DNS over TCP */
	const struct dialer_ops *dialer_ops;
	struct datagrams *datagrams;	/* carries DNS over UDP; NULL: TCP */
	const struct datagram_ops *datagram_ops;
	const char *dns;	/* --dns HOST[:PORT]; NULL: the exit's own */
	const char *hosts;	/* "/etc/hosts", or NULL for none; read now */
	bool single_labels;	/* ask the exit for names without a dot */
	bool no_v6;		/* AAAA always answered "no such record" */
};

struct names_service;

/* The options are copied but for dns and hosts, which are read now; a --dns that
 * makes no sense is logged and left out.  NULL: no memory. */
struct names_service *names_service_new(struct loop *l,
    const struct names_service_options *o);
void names_service_free(struct names_service *s);	/* no callback follows */

/* Who is asked when nobody was chosen (no --dns, no exit by name), numeric: the
 * first until it gives no answer, then the next.  None in the beginning. */
#define NAMES_SERVERS_MAX 4
void names_service_set_servers(struct names_service *s,
    const struct dial_target *server, size_t n);

/*
 * The three questions.  Each is answered exactly once through `done`, perhaps
 * before the call returns, unless names_service_cancel() takes it back.
 *
 * resolve  family AF_UNSPEC (v4 is given), AF_INET, AF_INET6.  SW_OK with n = 0:
 *          the name exists without such an address.  SW_ERR_NO_NAME, _TIMEOUT,
 *          _DOWN, _FORMAT.
 * reverse  the name of an address, NULL unless err is SW_OK.
 * query    one DNS message.  `to`: where the program sent it; NULL, private,
 *          loopback or virtual: ours to answer.  Port 0 means 53.  There is
 *          always a response message when err is SW_OK (SERVFAIL included);
 *          SW_ERR_FORMAT: not a query, stay silent; SW_ERR_TIMEOUT: likewise.
 *          udp_max: cut to this many bytes (TC bit); 0: whole.
 */
typedef void names_resolve_fn(void *arg, int err, uint32_t ttl_s,
    const struct sw_addr *addrs, size_t n);
typedef void names_reverse_fn(void *arg, int err, const char *name);
typedef void names_query_fn(void *arg, int err, const uint8_t *msg, size_t len);

void names_service_resolve(struct names_service *s, const char *name,
    size_t len, int family, names_resolve_fn *done, void *arg);
void names_service_reverse(struct names_service *s, const struct sw_addr *a,
    names_reverse_fn *done, void *arg);
void names_service_query(struct names_service *s, const struct sw_addr *to,
    const uint8_t *msg, size_t len, size_t udp_max, names_query_fn *done,
    void *arg);

/* Take back every question asked with this arg. */
void names_service_cancel(struct names_service *s, const void *arg);

/*
 * Who dials an exit by name gets the family that the exit prefers, and the exit
 * looks the name up again, sshd while everybody else waits.  Fills in what a
 * flow of that family to the name to->host should have instead, as far as the
 * exit has told it, not longer ago than answers are kept: `family`, if the exit
 * would dial the other one; `address`, the first of that family; `alone`, if
 * the name has no other address, or the exit no reason to try another.
 */
void names_service_aim(const struct names_service *s, bool v4,
    struct dial_target *to);

/* Names that it knows now. */
size_t names_service_count(const struct names_service *s);

/* Size for udp_max that a query's own EDNS option asks for (512 without). */
size_t names_service_udp_size(const uint8_t *msg, size_t len);

/*
 * DNS over TCP that ends in this service: for splice_ops.local.  A dial to any
 * target speaks two-byte lengths and messages; the target's host, when it is
 * a public address, is where its queries go.
 */
struct dialer *names_service_dialer(struct names_service *s);
extern const struct dialer_ops names_service_dialer_ops;

/* The tunnel went away or came back: upstream connections are dropped. */
void names_service_reset(struct names_service *s);

#endif
