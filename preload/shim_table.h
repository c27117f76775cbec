/*
 * shim_table.h - what this image remembers of its own sockets, by cookie:
 * options, epoll registrations and the peer that was asked for.
 *
 * Only a cache.  It is needed to replay a socket's past when another
 * descriptor takes its number (shim_move.c) and saves questions to the owner.
 * An entry may be missing (made by another image, pushed out, vfork child).
 * Nothing that could leak is decided by it.
 */
#ifndef SW_PRELOAD_SHIM_TABLE_H
#define SW_PRELOAD_SHIM_TABLE_H

#include <sys/epoll.h>

#include "preload/shim.h"

#define TABLE_OPTIONS 16
#define TABLE_EPOLLS 4

struct table_entry {
	uint64_t cookie;
	struct sw_addr asked;		/* port 0: none */
	struct {
		int epfd, fd;		/* epfd -1: free */
		struct epoll_event ev;
	} epolls[TABLE_EPOLLS];
	struct {
		uint16_t rule;		/* index + 1 in the option table; 0 free */
		int32_t value;
	} options[TABLE_OPTIONS];
};

/* A fresh entry; is there one; a copy of it, false for none. */
void table_begin(uint64_t cookie);
bool table_has(uint64_t cookie);
bool table_copy(uint64_t cookie, struct table_entry *out);
/* The entry goes on under another cookie. */
void table_move(uint64_t from, uint64_t to);

/* False when it could not be kept. */
bool table_put_option(uint64_t cookie, uint16_t rule, int32_t value);
bool table_get_option(uint64_t cookie, uint16_t rule, int32_t *value);
void table_put_asked(uint64_t cookie, const struct sw_addr *a);
bool table_get_asked(uint64_t cookie, struct sw_addr *a);
/* op: EPOLL_CTL_*; done after the kernel has agreed. */
void table_put_epoll(uint64_t cookie, int op, int epfd, int fd,
    const struct epoll_event *ev);

#endif
