/*
 * Everything below the lock is the preparer's; a thread works on a batch of
 * its own without it.  A batch that was begun for another network or another
 * recipient than the stock has by then is thrown away: `born` tells.
 */
#include "mix/preparer.h"

#include <assert.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include "base/container.h"
#include "base/wipe.h"
#include "mix/comb.h"

#define DEPTH_FIRST 8
#define STACK_BYTES (512u << 10)

/* What is ready for one recipient: a ring. */
struct stock {
	struct prepared *item;		/* PREPARER_DEPTH; NULL: unused */
	struct recipient to;
	bool seal;
	struct comb *table;		/* of its key; NULL if there is none */
	bool stopped;			/* it cannot be reached */
	uint64_t born, last_use;
	size_t first, n, want;
	size_t coming;			/* in batches that are being made */
};

struct preparer {
	struct prepared_source source;
	pthread_t thread[PREPARER_THREADS_MAX];
	unsigned threads;
	pthread_mutex_t lock;
	pthread_cond_t work, rest;	/* to do; nobody is busy */
	bool stop;
	unsigned busy, sleeping;
	bool pause;			/* begin nothing */
	const struct topology *topology;
	uint64_t hop_ns, count;		/* count: of births and uses */
	struct stock stock[PREPARER_STOCKS];
	struct preparer_stats stats;
};

/* Under the lock. */

static void
empty(struct preparer *p, struct stock *s)
{
	if (s->item != NULL)
		sw_wipe(s->item, PREPARER_DEPTH * sizeof(*s->item));
	s->first = s->n = s->coming = 0;
	s->stopped = false;
	s->born = ++p->count;
}

/* Nobody reads a topology or a table after this, until the lock is given
 * back; a batch's time at most. */
static void
wait_for_rest(struct preparer *p)
{
	p->pause = true;
	while (p->busy > 0)
		pthread_cond_wait(&p->rest, &p->lock);
	p->pause = false;
	pthread_cond_broadcast(&p->work);
}

static size_t
lacks(const struct stock *s)
{
	return s->item == NULL || s->stopped || s->n + s->coming >= s->want ?
	    0 : s->want - s->n - s->coming;
}

/* The stock that lacks most, if any does. */
static struct stock *
find_work(struct preparer *p)
{
	struct stock *most = &p->stock[0];

	if (p->topology == NULL || p->pause)
		return NULL;
	for (size_t i = 1; i < PREPARER_STOCKS; i++)
		if (lacks(&p->stock[i]) > lacks(most))
			most = &p->stock[i];
	return lacks(most) > 0 ? most : NULL;
}

static void
add(struct preparer *p, struct stock *s, const struct prepared *batch,
    size_t n)
{
	for (size_t i = 0; i < n && s->n < PREPARER_DEPTH; i++, s->n++)
		s->item[(s->first + s->n) % PREPARER_DEPTH] = batch[i];
	p->stats.made += n;
}

/* One batch; the lock is held before and after, but not meanwhile. */
static void
make_batch(struct preparer *p, struct stock *s)
{
	struct prepared batch[SPHINX_BATCH];
	struct prepare_job job[SPHINX_BATCH];
	const struct topology *t = p->topology;
	struct recipient to = s->to;
	uint64_t born = s->born, hop_ns = p->hop_ns;
	size_t n = lacks(s) < SPHINX_BATCH ? lacks(s) : SPHINX_BATCH;
	int r;

	for (size_t i = 0; i < n; i++)
		job[i] = (struct prepare_job){ .to = &to,
		    .table = s->table, .seal = s->seal };
	p->busy++;
	s->coming += n;
	pthread_mutex_unlock(&p->lock);
	r = prepare_make(batch, job, n, t, hop_ns, &rng_system);
	pthread_mutex_lock(&p->lock);
	if (s->born == born) {
		s->coming -= n;
		if (r == SW_OK)
			add(p, s, batch, n);
		else
			s->stopped = true;
	}
	sw_wipe(batch, sizeof(batch));
	if (--p->busy == 0)
		pthread_cond_signal(&p->rest);
}

static void *
work(void *arg)
{
	struct preparer *p = arg;
	struct stock *s;

	pthread_mutex_lock(&p->lock);
	while (!p->stop) {
		if ((s = find_work(p)) != NULL) {
			make_batch(p, s);
			continue;
		}
		p->sleeping++;
		pthread_cond_wait(&p->work, &p->lock);
		p->sleeping--;
	}
	pthread_mutex_unlock(&p->lock);
	return NULL;
}

/* A stock for this recipient: a free one, or the least recently used. */
static struct stock *
found_stock(struct preparer *p, const struct prepare_job *job)
{
	struct stock *s = &p->stock[0];

	for (size_t i = 1; i < PREPARER_STOCKS; i++)
		if (p->stock[i].last_use < s->last_use)
			s = &p->stock[i];
	wait_for_rest(p);		/* its table */
	if (s->item == NULL &&
	    (s->item = calloc(PREPARER_DEPTH, sizeof(*s->item))) == NULL)
		return NULL;
	empty(p, s);
	comb_free(s->table);
	s->table = NULL;
	/* Without a table it is only slower. */
	if (job->seal && comb_new(&s->table, job->to->encryption) != SW_OK)
		s->table = NULL;
	s->to = *job->to;
	s->seal = job->seal;
	s->want = DEPTH_FIRST;
	s->last_use = 0;
	return s;
}

static struct stock *
find_stock(struct preparer *p, const struct prepare_job *job)
{
	for (size_t i = 0; i < PREPARER_STOCKS; i++) {
		struct stock *s = &p->stock[i];

		if (s->item != NULL && s->seal == job->seal &&
		    memcmp(&s->to, job->to, sizeof(s->to)) == 0)
			return s;
	}
	return found_stock(p, job);
}

/* More is wanted than is made.  A batch costs each packet half of what it
 * costs alone, so the caller makes one itself; not at the very first, whose
 * packet is waited for. */
static void
miss(struct preparer *p, struct stock *s)
{
	p->stats.missed++;
	if (s->last_use == 0)
		return;
	if (s->want < PREPARER_DEPTH && p->threads > 0)
		s->want *= 2;
	if (p->topology != NULL && lacks(s) > 0)
		make_batch(p, s);
}

static void
take_first(struct stock *s, struct prepared *out)
{
	*out = s->item[s->first];
	sw_wipe(&s->item[s->first], sizeof(*s->item));
	s->first = (s->first + 1) % PREPARER_DEPTH;
	s->n--;
}

static bool
take(struct prepared_source *source, const struct prepare_job *job,
    struct prepared *out)
{
	struct preparer *p = CONTAINER_OF(source, struct preparer, source);
	struct stock *s;
	bool got = false;

	pthread_mutex_lock(&p->lock);
	if ((s = find_stock(p, job)) != NULL) {
		if (s->n == 0)
			miss(p, s);
		if ((got = s->n > 0))
			take_first(s, out);
		s->last_use = ++p->count;
		/* Waking costs more than a packet: not for each. */
		if (p->sleeping > 0 && s->n <= s->want / 2)
			pthread_cond_signal(&p->work);
	}
	p->stats.taken += got;
	pthread_mutex_unlock(&p->lock);
	return got;
}

static void
use(struct prepared_source *source, const struct topology *t, uint64_t hop_ns)
{
	struct preparer *p = CONTAINER_OF(source, struct preparer, source);

	pthread_mutex_lock(&p->lock);
	for (size_t i = 0; i < PREPARER_STOCKS; i++)
		empty(p, &p->stock[i]);
	p->topology = t;
	p->hop_ns = hop_ns;
	wait_for_rest(p);
	pthread_mutex_unlock(&p->lock);
}

unsigned
preparer_threads(void)
{
	cpu_set_t set;
	int n;

	if (sched_getaffinity(0, sizeof(set), &set) != 0)
		return 0;
	n = CPU_COUNT(&set) - 1;
	return n > PREPARER_THREADS_MAX ? PREPARER_THREADS_MAX : (unsigned)n;
}

/* Signals are the caller's, and such a thread needs little stack. */
static void
start_threads(struct preparer *p, unsigned threads)
{
	pthread_attr_t attr;
	sigset_t all, before;

	sigfillset(&all);
	if (pthread_attr_init(&attr) != 0)
		return;
	(void)pthread_attr_setstacksize(&attr, STACK_BYTES);
	(void)pthread_sigmask(SIG_SETMASK, &all, &before);
	while (p->threads < threads && pthread_create(&p->thread[p->threads],
	    &attr, work, p) == 0)
		p->threads++;
	(void)pthread_sigmask(SIG_SETMASK, &before, NULL);
	pthread_attr_destroy(&attr);
}

struct preparer *
preparer_new(unsigned threads)
{
	struct preparer *p = calloc(1, sizeof(*p));

	assert(threads <= PREPARER_THREADS_MAX);
	if (p == NULL)
		return NULL;
	p->source = (struct prepared_source){ use, take };
	pthread_mutex_init(&p->lock, NULL);
	pthread_cond_init(&p->work, NULL);
	pthread_cond_init(&p->rest, NULL);
	start_threads(p, threads);
	return p;
}

void
preparer_free(struct preparer *p)
{
	if (p == NULL)
		return;
	pthread_mutex_lock(&p->lock);
	p->stop = true;
	pthread_cond_broadcast(&p->work);
	pthread_mutex_unlock(&p->lock);
	for (unsigned i = 0; i < p->threads; i++)
		pthread_join(p->thread[i], NULL);
	for (size_t i = 0; i < PREPARER_STOCKS; i++) {
		comb_free(p->stock[i].table);
		if (p->stock[i].item != NULL)
			sw_wipe_free(p->stock[i].item, PREPARER_DEPTH *
			    sizeof(*p->stock[i].item));
	}
	pthread_cond_destroy(&p->rest);
	pthread_cond_destroy(&p->work);
	pthread_mutex_destroy(&p->lock);
	sw_wipe_free(p, sizeof(*p));
}

struct prepared_source *
preparer_source(struct preparer *p)
{
	return &p->source;
}

void
preparer_stats(struct preparer *p, struct preparer_stats *out)
{
	pthread_mutex_lock(&p->lock);
	*out = p->stats;
	pthread_mutex_unlock(&p->lock);
}
