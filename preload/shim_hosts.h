/*
 * shim_hosts.h - reading /etc/hosts, and files of the same shape.
 *
 * The whole file is read at hosts_open() and cut up in place, so the strings
 * handed out live until hosts_close().  No locale, no stdio, no NSS.
 */
#ifndef SW_PRELOAD_SHIM_HOSTS_H
#define SW_PRELOAD_SHIM_HOSTS_H

#include <stdbool.h>
#include <stddef.h>

#include "base/addr.h"

#define HOSTS_FILE "/etc/hosts"

struct hosts {
	char *text;		/* owned; NULL when there is no such file */
	size_t len, at;
};

struct hosts_line {
	struct sw_addr addr;	/* port 0 */
	const char *names;	/* `n` strings, each with its NUL, in a row */
	size_t n;		/* at least 1; the first is the canonical one */
};

/* Read `path`.  SW_OK also for a file that is missing or cannot be read: it
 * then has no lines.  SW_ERR_NOMEM. */
int hosts_open(struct hosts *h, const char *path) SW_MUST_CHECK;

/* Take over `len` bytes at malloc'd `text`, which has room for one more. */
void hosts_open_text(struct hosts *h, char *text, size_t len);

/* The next line that holds an address and a name; false at the end. */
bool hosts_next(struct hosts *h, struct hosts_line *line);

/*
 * The next line's words, for files without addresses: false at the end.
 * words/n as in struct hosts_line.  Comments and empty lines are skipped.
 */
bool hosts_next_words(struct hosts *h, const char **words, size_t *n);

void hosts_close(struct hosts *h);

/* The string after `name` in such a row. */
const char *hosts_name_after(const char *name);

/* Is one of the line's names `name`, whatever the case of ASCII letters? */
bool hosts_line_names(const struct hosts_line *line, const char *name);

/* strcasecmp(3) == 0 in the C locale; a final dot does not count. */
bool hosts_same_name(const char *a, const char *b);

#endif
