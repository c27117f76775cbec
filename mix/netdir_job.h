/*
 * netdir_job.h - one look-up of the network on a thread of its own; netdir.c
 * starts it and takes what it found, nobody else includes this.
 *
 * The thread and netdir.c each hold a reference, so neither waits for the
 * other: who is last frees.
 */
#ifndef SW_MIX_NETDIR_JOB_H
#define SW_MIX_NETDIR_JOB_H

#include <stdatomic.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "mix/netdir.h"
#include "transport/transport.h"

struct netdir_job {
	/* Set before it starts; texts are the job's own. */
	char *file, *cache, *ca_file;
	struct transport *transport;
	char *url[NETDIR_URLS];
	size_t n_urls, first_url;	/* which one to ask first */
	int64_t cache_max_s;		/* a cache this old will do; 0: ask */
	int64_t stale_max_s;		/* and this, when nobody answers */
	int notify_fd;			/* its own copy of an eventfd */
	/* The result, valid once `done` is set; then notify_fd is written. */
	struct topology *topology;
	int64_t age_s;			/* 0: fresh */
	size_t last_url;		/* the one that answered */
	int err;
	char why[NETDIR_WHY_LEN];

	atomic_int refs;
	atomic_bool cancelled, done;
};

/* A job for cfg with one reference, the caller's; NULL: no memory. */
struct netdir_job *netdir_job_new(const struct netdir_config *cfg);
/* Start the thread, which takes a reference of its own.  SW_ERR_SYS. */
int netdir_job_start(struct netdir_job *j) SW_MUST_CHECK;
void netdir_job_unref(struct netdir_job *j);	/* NULL is fine */

/* netdir_fetch.c: download one URL.  *text (*n bytes) is borrowed until the
 * next call.  SW_OK, or an SW_ERR_* and the reason in job->why. */
struct netdir_http;
int netdir_http_init(void) SW_MUST_CHECK;	/* once, before any thread */
struct netdir_http *netdir_http_new(struct netdir_job *j);
void netdir_http_free(struct netdir_http *h);
int netdir_http_get(struct netdir_http *h, const char *url, char **text,
    size_t *n) SW_MUST_CHECK;

/* netdir_stream.c: *at (*len bytes) is where this process may connect, once and
 * soon, to have the stream `fd`, which is taken, also on failure (SW_ERR_SYS). */
int netdir_stream_offer(int fd, struct sockaddr_un *at, socklen_t *len)
    SW_MUST_CHECK;

#endif
