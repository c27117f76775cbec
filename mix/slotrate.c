#include "mix/slotrate.h"

#include <stdbool.h>
#include <string.h>

#define INTERVAL_MS 250			/* between decisions, at least, */
#define ENOUGH 8			/* and with so many acks, */
#define INTERVAL_MAX_MS 1000		/* or at the latest */
#define SPAN_MS 15000
#define UNKNOWN INT64_MAX
#define BIN_MS 25
#define QUICK_PART 4			/* one of so many waits less */
#define QUEUE_MS 250			/* longer is too long */
#define QUEUE_WORST_MS 1500		/* to be drained as fast as may be */
#define FALL_LEAST 0.9			/* of the rate of acks */
#define FALL_MOST 0.5
#define LOST_PART 8			/* one of so many is too many, */
#define LOST_OF 100			/* when there were so many, */
#define LOST_MS 2000			/* or after so long */
#define RISE_PART 100			/* of the highest rate: by so much more
					 * with each second since it fell */
#define SMOOTH 8

void
slotrate_init(struct slotrate *r, uint32_t fastest_us, uint32_t slowest_us)
{
	*r = (struct slotrate){ .wait = 0 };
	if (fastest_us != 0) {
		r->fastest = r->rate = 1e6 / fastest_us;
		r->slowest = 1e6 / slowest_us;
	}
	for (unsigned i = 0; i < SLOTRATE_BASES; i++)
		r->base[i] = UNKNOWN;
}

static int64_t
least(const struct slotrate *r)
{
	int64_t ms = UNKNOWN;

	for (unsigned i = 0; i < SLOTRATE_BASES; i++)
		if (r->base[i] < ms)
			ms = r->base[i];
	return ms;
}

void
slotrate_acked(struct slotrate *r, int64_t wait_ms, int64_t now_ms)
{
	r->acked++;
	r->kept++;
	if (wait_ms < 0)		/* delays are rounded down */
		wait_ms = 0;
	if (now_ms - r->span_ms >= SPAN_MS) {
		r->span_ms = now_ms;
		r->span = (r->span + 1) % SLOTRATE_BASES;
		r->base[r->span] = UNKNOWN;
	}
	if (wait_ms < r->base[r->span])
		r->base[r->span] = wait_ms;
	if (wait_ms >= (int64_t)BIN_MS * SLOTRATE_BINS)
		r->bin[SLOTRATE_BINS - 1]++;
	else
		r->bin[wait_ms / BIN_MS]++;
	r->wait += (wait_ms - r->wait) / SMOOTH;
}

void
slotrate_lost(struct slotrate *r)
{
	r->lost++;
}

/* What all but the quick ones waited at least, beyond the wires. */
static int64_t
queue_ms(const struct slotrate *r)
{
	unsigned quick = r->acked / QUICK_PART, i = 0;
	int64_t ms;

	if (r->acked == 0)
		return 0;
	while (i < SLOTRATE_BINS - 1 && quick >= r->bin[i])
		quick -= r->bin[i++];
	ms = (int64_t)i * BIN_MS - least(r);
	return ms > 0 ? ms : 0;
}

/* What is left of the rate of acks after a queue of so many ms. */
static double
part_left(int64_t ms)
{
	double over = (double)(ms - QUEUE_MS) /
	    (QUEUE_WORST_MS - QUEUE_MS);

	if (over < 0)
		over = 0;
	if (over > 1)
		over = 1;
	return FALL_LEAST - over * (FALL_LEAST - FALL_MOST);
}

/* Too much of what was sent lately is lost. */
static bool
is_losing(struct slotrate *r, int64_t now_ms)
{
	bool losing = r->lost > (r->kept + r->lost) / LOST_PART;

	if (now_ms - r->lost_ms < LOST_MS && r->kept + r->lost < LOST_OF)
		return false;
	losing = losing && r->kept + r->lost >= ENOUGH;
	r->lost_ms = now_ms;
	r->kept = r->lost = 0;
	return losing;
}

static void
decide(struct slotrate *r, double seconds, int64_t now_ms)
{
	int64_t waited_ms = queue_ms(r);
	bool losing = is_losing(r, now_ms);
	double fallen = r->acked / seconds * part_left(waited_ms);

	if (waited_ms > QUEUE_MS || losing) {
		r->fell_ms = now_ms;
		if (fallen < r->rate)
			r->rate = fallen;
	} else if (r->acked > 0) {
		r->rate += r->fastest / RISE_PART * seconds *
		    (double)(now_ms - r->fell_ms) / 1000;
	}
	if (r->rate < r->slowest)
		r->rate = r->slowest;
	if (r->rate > r->fastest)
		r->rate = r->fastest;
}

void
slotrate_tick(struct slotrate *r, int64_t now_ms)
{
	int64_t span_ms = now_ms - r->since_ms;

	if (span_ms < INTERVAL_MS || (r->acked < ENOUGH &&
	    span_ms < INTERVAL_MAX_MS))
		return;
	if (r->since_ms != 0)
		decide(r, (double)span_ms / 1000, now_ms);
	r->since_ms = now_ms;
	r->acked = 0;
	memset(r->bin, 0, sizeof(r->bin));
}

uint32_t
slotrate_mean_us(const struct slotrate *r)
{
	return r->rate > 0 ? (uint32_t)(1e6 / r->rate) : 0;
}

int64_t
slotrate_wait_ms(const struct slotrate *r)
{
	return r->wait;
}
