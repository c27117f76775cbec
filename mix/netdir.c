/* The loop's side: when to look the network up, and what was found. */
#include "mix/netdir.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/container.h"
#include "base/log.h"
#include "mix/netdir_job.h"

#define REFRESH_MS (5 * INT64_C(60000))
#define RETRY_MS INT64_C(5000)		/* doubles, up to REFRESH_MS */
#define ASK_MS INT64_C(5000)		/* between two, whatever happens */
#define CACHE_MAX_S 3600		/* young enough to begin with */
#define STALE_MAX_S 86400		/* keys last that long */

const char *const netdir_mainnet[] = {
	"https://validator.nymtech.net/api/",
	"https://cdn1.media-platform.net/api/",
	NULL,
};

struct netdir {
	struct netdir_config cfg;	/* texts are in `model` */
	struct loop_fd notify;
	struct loop_timer timer;
	struct netdir_job *model;	/* never started: the texts */
	struct netdir_job *job;		/* runs; NULL: none */
	int64_t retry_ms, asked_ms;
	size_t last_url;
	bool has_one;			/* topology() was called */
};

static void
start_job(struct netdir *d)
{
	struct netdir_config cfg = d->cfg;
	struct netdir_job *m = d->model, *j;

	d->asked_ms = d->cfg.loop->now_ms;
	cfg.file = m->file;
	cfg.cache = m->cache;
	cfg.transport = m->transport;
	cfg.ca_file = m->ca_file;
	memset(cfg.url, 0, sizeof(cfg.url));
	for (size_t i = 0; i < m->n_urls; i++)
		cfg.url[i] = m->url[i];
	if ((j = netdir_job_new(&cfg)) != NULL) {
		j->cache_max_s = d->has_one ? 0 : CACHE_MAX_S;
		j->stale_max_s = d->has_one ? 0 : STALE_MAX_S;
		j->first_url = d->last_url;
		j->notify_fd = fcntl(d->notify.fd, F_DUPFD_CLOEXEC, 0);
		if (j->notify_fd >= 0 && netdir_job_start(j) == SW_OK) {
			d->job = j;
			return;
		}
	}
	netdir_job_unref(j);
	loop_set_timer(d->cfg.loop, &d->timer, d->cfg.loop->now_ms +
	    RETRY_MS);
}

static void
fire(struct loop_timer *t)
{
	start_job(CONTAINER_OF(t, struct netdir, timer));
}

/* When to ask again, after a success: soon if it was an old one. */
static void
plan_refresh(struct netdir *d, int64_t age_s)
{
	int64_t left = REFRESH_MS - age_s * 1000;

	d->retry_ms = RETRY_MS;
	if (d->model->file != NULL)
		return;
	loop_set_timer(d->cfg.loop, &d->timer, d->cfg.loop->now_ms +
	    (left > 0 ? left : 0));
}

static void
plan_retry(struct netdir *d)
{
	if (d->model->file == NULL)
		loop_set_timer(d->cfg.loop, &d->timer, d->cfg.loop->now_ms +
		    d->retry_ms);
	d->retry_ms = 2 * d->retry_ms < REFRESH_MS ? 2 * d->retry_ms :
	    REFRESH_MS;
}

static void
notified(struct loop_fd *w, uint32_t events)
{
	struct netdir *d = CONTAINER_OF(w, struct netdir, notify);
	struct netdir_job *j = d->job;
	struct topology *t;
	bool had_one = d->has_one;
	uint64_t count;

	(void)events;
	if (read(w->fd, &count, sizeof(count)) != sizeof(count) ||
	    j == NULL || !atomic_load(&j->done))
		return;
	d->job = NULL;
	t = j->topology;
	j->topology = NULL;
	if (t != NULL) {
		d->has_one = true;
		d->last_url = j->last_url;
		plan_refresh(d, j->age_s);
		d->cfg.events->topology(d->cfg.arg, t);
	} else {
		plan_retry(d);
		log_debug("netdir: no answer: %s", sw_strerror(j->err));
		if (!had_one)
			d->cfg.events->failed(d->cfg.arg, j->err, j->why);
	}
	netdir_job_unref(j);		/* d may be gone by now */
}

static bool
is_http(const char *url)
{
	return strncmp(url, "https://", 8) == 0 ||
	    strncmp(url, "http://", 7) == 0;
}

int
netdir_new(struct netdir **out, const struct netdir_config *cfg)
{
	struct netdir *d;
	int r = SW_ERR_NOMEM;

	*out = NULL;
	if (cfg->file == NULL &&
	    (cfg->url[0] == NULL || cfg->transport == NULL))
		return SW_ERR_CONFIG;
	for (size_t i = 0; i < NETDIR_URLS && cfg->url[i] != NULL; i++)
		if (!is_http(cfg->url[i]))
			return SW_ERR_CONFIG;
	if ((d = calloc(1, sizeof(*d))) == NULL)
		return r;
	d->cfg = *cfg;
	d->retry_ms = RETRY_MS;
	d->timer.fire = fire;
	d->notify = (struct loop_fd){ .fd = -1, .ready = notified };
	if ((d->model = netdir_job_new(cfg)) == NULL ||
	    (r = netdir_http_init()) != SW_OK)
		goto fail;
	r = SW_ERR_SYS;
	d->notify.fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	if (d->notify.fd < 0 ||
	    loop_add(cfg->loop, &d->notify, EPOLLIN) != SW_OK)
		goto fail;
	*out = d;
	return SW_OK;
fail:
	netdir_free(d);
	return r;
}

void
netdir_start(struct netdir *d)
{
	loop_set_timer(d->cfg.loop, &d->timer, d->cfg.loop->now_ms);
}

void
netdir_ask(struct netdir *d)
{
	int64_t at = d->asked_ms + ASK_MS;

	if (at < d->cfg.loop->now_ms)
		at = d->cfg.loop->now_ms;
	if (d->has_one && d->model->file == NULL && d->job == NULL &&
	    at < d->timer.at_ms)
		loop_set_timer(d->cfg.loop, &d->timer, at);
}

void
netdir_free(struct netdir *d)
{
	if (d == NULL)
		return;
	loop_set_timer(d->cfg.loop, &d->timer, SW_NEVER);
	if (d->notify.fd >= 0) {
		loop_del(d->cfg.loop, &d->notify);
		close(d->notify.fd);
	}
	if (d->job != NULL)
		atomic_store(&d->job->cancelled, true);
	netdir_job_unref(d->job);
	netdir_job_unref(d->model);
	free(d);
}
