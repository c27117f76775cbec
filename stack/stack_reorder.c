/*
 * TCP over a network that reorders.
 *
 * The mixnet delays each packet by its own random time, so a third and more of
 * them are overtaken.  lwIP takes three duplicate acknowledgements for a loss;
 * there they mean nothing, and each false alarm halves the window.  So the
 * alarm is left to time: a segment counts as lost when later ones have
 * arrived and it was sent longer ago than acknowledgements ever take.  When a
 * segment was sent is written in it, as is the time that comes back with its
 * acknowledgement (RFC 7323), so this needs two words per connection:
 *
 *	smoothed round trip and its deviation (RFC 6298), and how many
 *	duplicates were withheld
 *
 * The same estimate, in milliseconds, replaces lwIP's in ticks of 200: its
 * retransmission timer would run out in one or two ticks.
 *
 * A peer without timestamps gets what lwIP does.
 */
#include <string.h>

#include "stack/stack_priv.h"

#include "lwip/priv/tcp_priv.h"
#include "lwip/sys.h"

#define RTO_MIN_MS 1000u
#define LATE_MIN_MS 250u
#define LATE_MAX_MS 4000u
#define RTT_MAX_MS 60000u		/* beyond: the echo is nonsense */
#define WITHHELD_LOST 3			/* as lwIP counts */
#define OPTIONS_MAX 40			/* bytes, RFC 9293 3.1 */
#define OPTION_END 0
#define OPTION_NOP 1
#define OPTION_TIMES 8
#define OPTION_TIMES_LEN 10

/* Lies in the pcb's own argument, so it must fit a pointer. */
union path {
	void *arg;
	struct {
		uint16_t srtt_ms;	/* 0: nothing known */
		uint16_t var_ms;
		uint16_t withheld;	/* duplicates, since the last news */
	} v;
};
_Static_assert(sizeof(union path) == sizeof(void *), "kept in a pointer");

static union path
path_of(const struct tcp_pcb *pcb)
{
	union path p;

	p.arg = pcb->ext_args[0].data;
	return p;
}

static uint32_t
word(const uint8_t *p)
{
	return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 |
	    (uint32_t)p[2] << 8 | p[3];
}

/* The time option among `n` bytes of options; NULL if it is not there. */
static const uint8_t *
find_times(const uint8_t *p, size_t n)
{
	while (n > 0 && *p != OPTION_END) {
		size_t len = 1;

		if (*p != OPTION_NOP) {
			if (n < 2 || p[1] < 2 || p[1] > n)
				return NULL;
			len = p[1];
		}
		if (*p == OPTION_TIMES && len == OPTION_TIMES_LEN)
			return p + 2;
		p += len;
		n -= len;
	}
	return NULL;
}

/* How long ago the oldest segment on its way was sent; false: unknown. */
static bool
oldest_age(const struct tcp_pcb *pcb, uint32_t *age_ms)
{
	const struct tcp_seg *s = pcb->unacked;
	const uint8_t *t;

	if (s == NULL || (s->flags & TF_SEG_OPTS_TS) == 0)
		return false;
	t = find_times((const uint8_t *)(s->tcphdr + 1),
	    TCPH_HDRLEN_BYTES(s->tcphdr) - TCP_HLEN);
	if (t == NULL)
		return false;
	*age_ms = sys_now() - word(t);
	return true;
}

static uint32_t
late_after(union path p)
{
	uint32_t ms = 2u * p.v.srtt_ms + 4u * p.v.var_ms;

	if (p.v.srtt_ms == 0)
		return LATE_MAX_MS / 4;
	return ms < LATE_MIN_MS ? LATE_MIN_MS : ms > LATE_MAX_MS ?
	    LATE_MAX_MS : ms;
}

/* RFC 6298, section 2. */
static void
learn(union path *p, uint32_t rtt_ms)
{
	uint32_t old = p->v.srtt_ms, off;

	if (rtt_ms == 0)
		rtt_ms = 1;
	if (old == 0) {
		p->v.srtt_ms = (uint16_t)rtt_ms;
		p->v.var_ms = (uint16_t)(rtt_ms / 2);
		return;
	}
	off = rtt_ms > old ? rtt_ms - old : old - rtt_ms;
	p->v.var_ms = (uint16_t)((3u * p->v.var_ms + off + 2) / 4);
	p->v.srtt_ms = (uint16_t)((7u * old + rtt_ms + 4) / 8);
}

/* Tell lwIP what the retransmission timer should be. */
static void
set_rto(struct tcp_pcb *pcb, union path p)
{
	uint32_t ms = p.v.srtt_ms + 4u * p.v.var_ms, ticks, srtt;

	if (ms < RTO_MIN_MS)
		ms = RTO_MIN_MS;
	ticks = (ms + TCP_SLOW_INTERVAL - 1) / TCP_SLOW_INTERVAL;
	srtt = p.v.srtt_ms / TCP_SLOW_INTERVAL;
	pcb->sa = (s16_t)(srtt << 3);
	pcb->sv = (s16_t)(ticks - srtt);
}

static bool
is_news(const struct tcp_pcb *pcb, uint32_t ack)
{
	return TCP_SEQ_GT(ack, pcb->lastack) && TCP_SEQ_LEQ(ack, pcb->snd_nxt);
}

/* lwIP reads an option's length without asking whether it is there. */
static bool
options_are_whole(const uint8_t *here, size_t here_n, const uint8_t *rest,
    size_t rest_n)
{
	uint8_t all[OPTIONS_MAX];
	size_t n = here_n + rest_n, at = 0;

	if (n > sizeof(all) || (rest_n > 0 && rest == NULL))
		return false;
	memcpy(all, here, here_n);
	if (rest_n > 0)
		memcpy(all + here_n, rest, rest_n);
	while (at < n && all[at] != OPTION_END) {
		if (all[at] == OPTION_NOP)
			at++;
		else if (n - at < 2 || all[at + 1] < 2 || all[at + 1] > n - at)
			return false;
		else
			at += all[at + 1];
	}
	return true;
}

/* Before lwIP looks at a segment: its fields are in host order already. */
int8_t
stack_tcp_arrives(struct tcp_pcb *pcb, const struct tcp_hdr *head,
    uint16_t options, uint16_t options_here, const uint8_t *options_there)
{
	const uint8_t *times = NULL;
	uint32_t rtt, age;
	union path p;

	if (options_here > options ||
	    !options_are_whole((const uint8_t *)(head + 1), options_here,
		options_there, (size_t)options - options_here))
		return ERR_VAL;
	if (pcb->state < ESTABLISHED || pcb->state == TIME_WAIT ||
	    pcb->unacked == NULL || (TCPH_FLAGS(head) & TCP_ACK) == 0)
		return ERR_OK;
	p = path_of(pcb);
	if ((pcb->flags & TF_TIMESTAMP) != 0 && options == options_here)
		times = find_times((const uint8_t *)(head + 1), options);
	if (is_news(pcb, head->ackno)) {
		p.v.withheld = 0;
		rtt = times != NULL ? sys_now() - word(times + 4) :
		    RTT_MAX_MS;
		if (rtt < RTT_MAX_MS)
			learn(&p, rtt);
		if (p.v.srtt_ms != 0)
			set_rto(pcb, p);
	} else if (oldest_age(pcb, &age) && age < late_after(p)) {
		/* Too early to tell: lwIP counts from the beginning. */
		if (pcb->dupacks > 0 && p.v.withheld < UINT16_MAX)
			p.v.withheld++;
		pcb->dupacks = 0;
	}
	pcb->ext_args[0].data = p.arg;
	return ERR_OK;
}

/* Duplicates came, and what they miss has become late since. */
static void
check(struct tcp_pcb *pcb)
{
	union path p = path_of(pcb);
	uint32_t age;

	if (p.v.withheld < WITHHELD_LOST || pcb->state < ESTABLISHED ||
	    (pcb->flags & TF_INFR) != 0 || !oldest_age(pcb, &age) ||
	    age < late_after(p))
		return;
	p.v.withheld = 0;
	pcb->ext_args[0].data = p.arg;
	tcp_rexmit_fast(pcb);
	(void)tcp_output(pcb);
}

void
stack_check_late(void)
{
	for (struct tcp_pcb *p = tcp_active_pcbs; p != NULL; p = p->next)
		check(p);
}
