#include "mix/flights.h"

#include <stdlib.h>

#define NUMBER_MAX 0x7fffffffu

struct flights {
	size_t n;
	size_t at;			/* where the next one goes */
	size_t oldest, waiting;		/* of those that are not over */
	uint32_t next;
	struct flight flight[];
};

struct flights *
flights_new(size_t n)
{
	struct flights *f = calloc(1, sizeof(*f) + n * sizeof(f->flight[0]));

	if (f != NULL) {
		f->n = n;
		f->next = 1;
	}
	return f;
}

void
flights_free(struct flights *f)
{
	free(f);
}

uint32_t
flights_next(const struct flights *f)
{
	return f->next;
}

void
flights_add(struct flights *f, const struct flight *p)
{
	f->flight[f->at] = *p;
	f->flight[f->at].number = f->next;
	f->next = f->next == NUMBER_MAX ? 1 : f->next + 1;
	f->at = (f->at + 1) % f->n;
	if (f->waiting < f->n)
		f->waiting++;
	else
		f->oldest = f->at;
}

struct flight *
flights_find(struct flights *f, uint32_t number)
{
	uint32_t ago = number < f->next ? f->next - number :
	    f->next + (NUMBER_MAX - number);
	struct flight *p;

	if (number == 0 || ago == 0 || ago > f->n)
		return NULL;
	p = &f->flight[(f->at + f->n - ago) % f->n];
	return p->number == number ? p : NULL;
}

void
flights_expire(struct flights *f, int64_t now_ms,
    void (*late)(void *arg, const struct flight *p), void *arg)
{
	while (f->waiting > 0) {
		struct flight *p = &f->flight[f->oldest];

		if (!p->over && p->due_ms > now_ms)
			break;
		if (!p->over)
			late(arg, p);
		p->over = true;
		f->oldest = (f->oldest + 1) % f->n;
		f->waiting--;
	}
}
