/* smolnode.h - shared by the roles of the program: the loop and its end. */
#ifndef SW_MIX_SMOLNODE_H
#define SW_MIX_SMOLNODE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/addr.h"
#include "base/err.h"
#include "base/loop.h"
#include "mix/exitpolicy.h"

/* A loop that ends at SIGTERM or SIGINT. */
struct smolnode {
	struct loop loop;
	struct loop_fd signals;
	void (*report)(void);		/* at SIGUSR1; NULL: nothing to say */
};

/* What a node has done and dropped, as one line on stdout: "counts", and then
 * names and numbers. */
struct node;
void smolnode_print_counts(const struct node *n);
/* The same for an exit's router: "routed". */
struct iprexit_stats;
void smolnode_print_routed(const struct iprexit_stats *st);

/* An empty loop, with as many descriptors as may be had; signals are blocked
 * from here on.  To be closed after failure, too. */
int smolnode_open(struct smolnode *s) SW_MUST_CHECK;
void smolnode_close(struct smolnode *s);

extern const char smolnode_help[];	/* what --help prints */

/* A role: its options are argv[1] and on.  The program's exit status; what
 * went wrong was said on stderr. */
int smolnode_local(int argc, char **argv);
int smolnode_directory(int argc, char **argv);
/* mix, gateway, exit: argv[0] says which. */
int smolnode_node(int argc, char **argv);

/* "WHAT ADDRESS:PORT MORE", and "WHAT KEY" in base58, on stdout. */
void smolnode_print_addr(const char *what, const struct sw_addr *a,
    const char *more);
void smolnode_print_key(const char *what, const uint8_t key[static 32]);

enum { EXIT_FAIL = 1, EXIT_USAGE = 2 };

/* Options that several roles have.  Each says on stderr what is wrong. */
int smolnode_parse_port(const char *text, uint16_t *port) SW_MUST_CHECK;
/* ADDRESS, ADDRESS:PORT or [ADDRESS]:PORT; no port is 0. */
int smolnode_parse_addr(const char *text, struct sw_addr *a) SW_MUST_CHECK;
/* The name of a gateway: what may stand in a URL. */
int smolnode_parse_host(const char *text, const char **host) SW_MUST_CHECK;
/* A gateway with a certificate needs a name, or clients could not check it. */
int smolnode_check_host(const char *host, const char *cert) SW_MUST_CHECK;
/* local: all addresses; file: rules, or NULL. */
int smolnode_read_policy(struct exitpolicy **out, bool local,
    const char *file) SW_MUST_CHECK;

/* A whole file, NUL-terminated, at most `max` bytes; malloced. */
int smolnode_read_file(const char *path, size_t max, char **text, size_t *n)
    SW_MUST_CHECK;

#endif
