/*
 * shim_image.h - the library's only mutable state that decides anything: the
 * owner of this process image.
 *
 * It lives on a page of its own that the kernel zeroes in a forked child
 * (MADV_WIPEONFORK), so a child of fork, _Fork or raw clone starts as new
 * with no lock held.  A vfork child sees the parent's page; it knows by its
 * pid that it must not write there.
 */
#ifndef SW_PRELOAD_SHIM_IMAGE_H
#define SW_PRELOAD_SHIM_IMAGE_H

#include "preload/shim_owner.h"

#define IMAGE_WAITING_MAX 8	/* messages, before the owner is started */
#define IMAGE_ASK_MS 10000	/* for an answer of the session or the owner */

enum image_stage {
	IMAGE_NONE,		/* no socket was made yet */
	IMAGE_WAITING,		/* messages wait in the channel for an owner */
	IMAGE_THREAD,		/* the thread in this process is the owner */
	IMAGE_HOSTED,		/* the session is */
};

/* A descriptor of ours and the cookie that proves it still is; 0: none. */
struct image_fd {
	int fd;
	uint64_t cookie;
};

enum image_fd_name { IMAGE_CHANNEL, IMAGE_SERVER, IMAGE_CTL, IMAGE_FDS };

/* shim_resolve_kept.c: a name that was looked up, and its addresses. */
#define IMAGE_NAMES 6
#define IMAGE_NAME_ADDRS 2	/* one for each family */
struct image_name {
	char name[256];
	int64_t at_ms;
	int32_t family;
	uint32_t n;		/* 0: free */
	struct sw_addr addr[IMAGE_NAME_ADDRS];
};

struct image {
	int32_t pid;		/* 0: new, or wiped by fork */
	uint32_t lock;
	uint32_t table_lock;	/* of shim_table.c */
	uint32_t id;		/* owner id of this image's sockets */
	uint32_t stage;		/* enum image_stage */
	uint32_t waiting;	/* messages sent while IMAGE_WAITING */
	uint32_t newborn;	/* sockets made while IMAGE_WAITING */
	uint32_t word;		/* futex: enum thread_word */
	uint32_t tid;		/* of the thread; the kernel clears it when
				 * the thread has ended, however that came */
	bool has_config;
	struct link_config config;
	struct image_fd fds[IMAGE_FDS];
	uint32_t names_lock, names_next;
	struct image_name names[IMAGE_NAMES];
};

enum thread_word {
	THREAD_STARTING, THREAD_RUNNING, THREAD_FAILED,
	THREAD_ASKED,		/* to hand over: set, then wake its loop by any
				 * message on the channel */
	THREAD_IDLE,		/* nothing to hand over; still running */
	THREAD_GONE,		/* handed over, or ended */
};

static inline int32_t
image_own_pid(void)
{
	return (int32_t)sys_call3(SYS_getpid, 0, 0, 0);
}

/* The image if its memory is this process's, else NULL (vfork child).  get
 * begins it if need be, peek answers NULL for one that has not begun. */
struct image *image_get(void);
struct image *image_peek(void);

/*
 * No image ever began in this memory, as in most programs, which therefore
 * leave without touching its page.  It begins as true, not false, to lie among
 * the initialised data: that page the loader has touched already.
 */
extern bool image_pristine __attribute__((visibility("hidden")));

static inline bool
image_is_pristine(void)
{
	return __atomic_load_n(&image_pristine, __ATOMIC_RELAXED);
}

/*
 * Descriptors of ours under numbers that the program may close or take: each is
 * known by its cookie.  Is it still ours?  Note `fd` as it; close it if it is.
 */
bool image_fd_valid(const struct image *im, enum image_fd_name n);
void image_fd_set(struct image *im, enum image_fd_name n, int fd);
void image_fd_close(struct image *im, enum image_fd_name n);

/* With the lock held: see shim_owner_start(). */
int image_start_owner(struct image *im);
/* With the lock held: give the channel's server end to the session. */
int image_host_owner(struct image *im);

/*
 * shim_thread.c: run an owner on a thread of its own, with its own descriptor
 * table.  server, link, ctl: borrowed, copied by the thread; the caller closes
 * its own after success.  0, or -EPERM where there can be no thread.
 */
int shim_thread_start(struct image *im, int server, int link, int ctl);

static inline bool
image_thread_lives(const struct image *im)
{
	return __atomic_load_n(&im->tid, __ATOMIC_ACQUIRE) != 0;
}

/* Sleep while *word is `value`, so long at most (negative: for ever), perhaps
 * shorter; wake all who sleep on it.  Within one process. */
void shim_futex_wait(uint32_t *word, uint32_t value, int timeout_ms);
void shim_futex_wake(uint32_t *word);

#endif
