/*
 * What the exit knows of names.  One lookup serves all who ask meanwhile, and
 * the answer is remembered for a while.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "transport/names_private.h"

#define FOUND_TTL_S 60			/* where the exit tells none */
#define MISSING_TTL_S 10
#define NAMES_CACHED_MAX 4096

/* What is to be told of a name; a copy, for `known` may go meanwhile. */
struct finding {
	int err;
	bool has_v6, v6_first;
	uint32_t ttl_s;
	size_t n;
	struct sw_addr addrs[NAMES_ADDRS_MAX];
	char name[DIAL_HOST_MAX + 1];
};

static void
find(struct finding *f, const struct known *k)
{
	int64_t left = k->until_ms - k->s->l->now_ms;

	f->err = k->err;
	f->has_v6 = k->has_v6;
	f->v6_first = k->v6_first;
	f->ttl_s = left > 0 ? (uint32_t)((left + 999) / 1000) : 0;
	f->n = k->n;
	if (k->n > 0)
		memcpy(f->addrs, k->addrs, k->n * sizeof(*k->addrs));
	memcpy(f->name, k->name, sizeof(f->name));
}

/*
 * The virtual addresses of a name that exists.  Whichever family the server
 * finds is behind both, so who asks for one family gets it.  Who asks for any
 * gets v6 only where the name really has it (curl -6 asks so and picks), and
 * first the family that the server will dial first: protocols that speak of
 * addresses, as FTP does, have other words for each.
 */
static void
answer_virtual(struct waiter *w, const struct finding *f)
{
	struct sw_addr v4, v6, out[2];
	size_t n = 0;
	bool with_v6 = !w->s->o.no_v6 &&
	    (w->kind == QUERY || w->family == AF_INET6 || f->has_v6);
	int r = names_get(w->s->o.map, f->name, &v4, &v6);

	if (with_v6 && f->v6_first)
		out[n++] = v6;
	out[n++] = v4;
	if (with_v6 && !f->v6_first)
		out[n++] = v6;
	answer_addrs(w, r, f->ttl_s, out, r == SW_OK ? n : 0);
}

static void
tell(struct waiter *w, const struct finding *f)
{
	if (f->err == SW_OK && !names_is_real(w->s))
		answer_virtual(w, f);
	else
		answer_addrs(w, f->err, f->ttl_s, f->addrs, f->n);
}

static unsigned
bucket_of(const char *name)
{
	uint32_t h = 2166136261u;

	for (; *name != '\0'; name++)
		h = (h ^ (uint8_t)*name) * 16777619u;
	return h % NAMES_BUCKETS;
}

static void
known_free(struct known *k)
{
	struct waiter *w;

	while ((w = LIST_FIRST(&k->waiters)) != NULL) {
		LIST_DROP(&k->waiters, w, link);
		waiter_free(w);
	}
	LIST_DROP(&k->s->bucket[bucket_of(k->name)], k, chain);
	LIST_DROP(&k->s->by_age, k, age);
	k->s->nknown--;
	free(k->addrs);
	free(k);
}

static struct known *
known_find(const struct names_service *s, const char *name)
{
	struct known *k;

	LIST_EACH(k, &s->bucket[bucket_of(name)], chain)
		if (strcmp(k->name, name) == 0)
			return k;
	return NULL;
}

static void
known_drop_old(struct names_service *s)
{
	struct known *k, *next;

	for (k = LIST_FIRST(&s->by_age);
	    k != NULL && s->nknown > NAMES_CACHED_MAX; k = next) {
		next = LIST_NEXT(k, age);
		if (!k->asking)
			known_free(k);
	}
}

static void
keep_addrs(struct known *k, const struct lookup *what)
{
	size_t n = what->n < NAMES_ADDRS_MAX ? what->n : NAMES_ADDRS_MAX;

	free(k->addrs);
	k->n = 0;
	k->addrs = n > 0 ? malloc(n * sizeof(*k->addrs)) : NULL;
	if (k->addrs == NULL)
		return;
	memcpy(k->addrs, what->addrs, n * sizeof(*k->addrs));
	k->n = n;
}

static uint32_t
ttl_of(const struct lookup *what)
{
	if (what->err == SW_ERR_NO_NAME)
		return MISSING_TTL_S;
	if (what->err != SW_OK)
		return 0;
	if (what->ttl_s == 0)
		return what->addrs != NULL ? 1 : FOUND_TTL_S;
	return what->ttl_s < NAMES_TTL_MAX_S ? what->ttl_s : NAMES_TTL_MAX_S;
}

static void
on_lookup(void *arg, const struct lookup *what)
{
	struct lookup copy = *what;
	struct known *k = arg;
	struct waiters waiters = { NULL, NULL };
	struct finding f;
	struct waiter *w;

	/* Nobody knows before a stream is opened: hope, and let dialling tell. */
	if (copy.err == SW_ERR_UNSUPPORTED)
		copy.err = SW_OK;
	k->asking = false;
	k->err = copy.err;
	k->has_v4 = what->err == SW_OK && what->v4;
	k->has_v6 = what->err == SW_OK && what->v6;
	k->v6_first = what->err == SW_OK && what->v6_first;
	k->first4 = what->first4;
	k->first6 = what->first6;
	k->sole = what->sole;
	k->until_ms = k->s->l->now_ms + (int64_t)ttl_of(&copy) * 1000;
	keep_addrs(k, &copy);
	find(&f, k);
	LIST_MOVE(&waiters, &k->waiters);
	/* k may go while callers are told. */
	while ((w = LIST_FIRST(&waiters)) != NULL) {
		LIST_DROP(&waiters, w, link);
		tell(w, &f);
	}
}

static int
ask_exit(struct names_service *s, const char *name, struct known *k)
{
	if (names_is_real(s))
		return real_lookup(s, name, on_lookup, k);
	return s->o.exit->lookup(s->o.exit_arg, name, on_lookup, k);
}

static struct known *
known_ask(struct names_service *s, const char *name, int *err)
{
	struct known *k = known_find(s, name);

	*err = SW_ERR_NOMEM;
	if (k == NULL) {
		if ((k = calloc(1, sizeof(*k))) == NULL)
			return NULL;
		k->s = s;
		snprintf(k->name, sizeof(k->name), "%s", name);
		LIST_INIT(&k->waiters);
		LIST_APPEND(&s->bucket[bucket_of(name)], k, chain);
		LIST_APPEND(&s->by_age, k, age);
		s->nknown++;
	}
	if ((*err = ask_exit(s, name, k)) != SW_OK) {
		known_free(k);
		return NULL;
	}
	k->asking = true;
	known_drop_old(s);
	return k;
}

void
known_find_out(struct waiter *w, const char *name)
{
	struct names_service *s = w->s;
	struct known *k = known_find(s, name);
	struct finding f;
	int err;

	if (k != NULL && !k->asking && k->until_ms > s->l->now_ms) {
		find(&f, k);
		tell(w, &f);
		return;
	}
	if ((k == NULL || !k->asking) &&
	    (k = known_ask(s, name, &err)) == NULL) {
		answer_addrs(w, err, 0, NULL, 0);
		return;
	}
	LIST_APPEND(&k->waiters, w, link);
}

void
names_service_aim(const struct names_service *s, bool v4,
    struct dial_target *to)
{
	const struct known *k = known_find(s, to->host);
	bool other;

	if (k == NULL || k->until_ms <= s->l->now_ms)
		return;
	other = k->has_v4 && k->has_v6 && k->v6_first == v4;
	if (other)
		to->family = v4 ? AF_INET : AF_INET6;
	to->address = v4 ? k->first4 : k->first6;
	to->alone = k->sole || other;
}

void
known_cancel(struct names_service *s, const void *arg)
{
	struct waiter *w, *next;
	struct known *k;

	LIST_EACH(k, &s->by_age, age)
		for (w = LIST_FIRST(&k->waiters); w != NULL; w = next) {
			next = LIST_NEXT(w, link);
			if (w->arg != arg)
				continue;
			LIST_DROP(&k->waiters, w, link);
			waiter_free(w);
		}
}

void
known_free_all(struct names_service *s)
{
	struct known *k, *next;

	for (k = LIST_FIRST(&s->by_age); k != NULL; k = next) {
		next = LIST_NEXT(k, age);
		if (k->asking && names_is_real(s))
			real_forget(s, k);
		else if (k->asking)
			s->o.exit->forget(s->o.exit_arg, k);
		known_free(k);
	}
}
