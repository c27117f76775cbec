/*
 * report.h - how a conformance probe prints what it saw: "KEY VALUE" lines,
 * which tests/lib/compare.sh sets side by side, kernel and wrapped.
 */
#ifndef TESTS_PROBES_REPORT_H
#define TESTS_PROBES_REPORT_H

#include <errno.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static const char *section = "";

/* One line; the value must hold no address or port that changes by run. */
__attribute__((format(printf, 2, 3))) static inline void
cell(const char *key, const char *fmt, ...)
{
	va_list ap;

	(void)printf("%s/%s ", section, key);
	va_start(ap, fmt);
	(void)vprintf(fmt, ap);
	va_end(ap);
	(void)putchar('\n');
	(void)fflush(stdout);
}

static inline const char *
name_of(int err)
{
	const char *n = err == 0 ? "0" : strerrorname_np(err);

	return n == NULL ? "?" : n;
}

/* The result of a call: a count, or the name of the error. */
static inline void
result(const char *key, long r)
{
	if (r < 0)
		cell(key, "%s", name_of(errno));
	else
		cell(key, "%ld", r);
}

static inline void
bits(const char *key, short b)
{
	cell(key, "%s%s%s%s%s%s", b & POLLIN ? "IN," : "",
	    b & POLLOUT ? "OUT," : "", b & POLLERR ? "ERR," : "",
	    b & POLLHUP ? "HUP," : "", b & POLLRDHUP ? "RDHUP," : "",
	    b == 0 ? "none" : "");
}

/* What poll says within `ms`. */
static inline void
ready(const char *key, int fd, int ms)
{
	struct pollfd p = { .fd = fd,
		.events = POLLIN | POLLOUT | POLLRDHUP };

	bits(key, poll(&p, 1, ms) < 0 ? POLLNVAL : p.revents);
}

#endif
