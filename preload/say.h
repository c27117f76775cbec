/*
 * say.h - the one line a person reads when smolwrap itself fails.
 */
#ifndef SW_PRELOAD_SAY_H
#define SW_PRELOAD_SAY_H

#define SAY_MAX 2048		/* a line, its prefix and newline included */

/* "smolwrap: ..." and a newline to standard error, by one write(2).  Bytes
 * that could drive a terminal are shown as '?'. */
void say(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

#endif
