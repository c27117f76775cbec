/*
 * shim_option.h - what setsockopt and getsockopt share: which options a socket
 * has, and where their values are.
 */
#ifndef SW_PRELOAD_SHIM_OPTION_H
#define SW_PRELOAD_SHIM_OPTION_H

#include "preload/shim_option_table.h"
#include "preload/shim_socket.h"

#define LINGER_OFF (-1)		/* the kept value of SO_LINGER, or seconds */
#define BUF_MAX 212992		/* net.core.[rw]mem_max as shipped */

/* What is done with an option of a socket with tag `t`; NULL: it has none such,
 * which is answered as option_missing() says. */
const struct option_rule *option_rule_of(struct shim_tag t, int level,
    int name);

/* The negative errno.  The IPv4 family has one word for unknown names and
 * another, when asked (`get`), for unknown levels. */
int option_missing(struct shim_tag t, int level, bool get);

/*
 * Remember a value, and tell the owner of one that matters to it: at once if
 * it is at work on the socket, else with what sets it to work, so that it is
 * woken once (shim_tell_options).  A value that the table cannot keep is told
 * whatever it is.
 *
 * table_value  how the table keeps it
 * value, len   how the owner takes it
 *
 * 0 or -errno.
 */
int option_keep(int fd, struct shim_tag t, const struct option_rule *r,
    int32_t table_value, const void *value, size_t len);

/* The same for a number.  0 or -errno. */
int option_store(int fd, struct shim_tag t, const struct option_rule *r,
    int32_t v);

/* The value that was set last, or `initial`. */
int32_t option_recall(int fd, struct shim_tag t, const struct option_rule *r,
    int32_t initial);

#endif
