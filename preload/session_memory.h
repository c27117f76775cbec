/*
 * session_memory.h - how much of what was used is kept.
 *
 * A transfer allocates and frees megabytes in each turn: taken from the kernel
 * anew each time, their pages cost a tenth of its processor time.  A stream that
 * nobody reads gathers megabytes too, and those are to go back when it ends.
 */
#ifndef SW_PRELOAD_SESSION_MEMORY_H
#define SW_PRELOAD_SESSION_MEMORY_H

struct session;

/* Before anything else: blocks of a transfer's size stay with the process. */
void session_memory_keep(void);

/* A program has gone: give back what is free when its streams have, too. */
void session_memory_tidy(struct session *s);

#endif
