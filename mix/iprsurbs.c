#include "mix/iprsurbs.h"

#define SURB_MIN 100			/* at the exit, with nothing going on */
#define SURB_MAX 400			/* it stores 512 of ours at most */
#define SEQ_AHEAD_MAX 512
#define WINDOW_MS 500			/* for the rate of replies */
#define STALL_MS 3000			/* we speak, and nothing comes back */

void
iprsurbs_init(struct iprsurbs *s, const struct mixclient *mix)
{
	*s = (struct iprsurbs){ .mix = mix, .target = SURB_MIN };
}

/* What the exit has, as far as we know: its numbers tell how many answers
 * were lost. */
static uint64_t
outstanding(const struct iprsurbs *s)
{
	const struct mixclient_stats *stats = mixclient_stats(s->mix);
	uint64_t out = stats->reply_packets + s->written_off;

	if (s->seq_high > s->seq_got)
		out += s->seq_high - s->seq_got;

	return stats->surbs_made > out ? stats->surbs_made - out : 0;
}

/* What the exit has is lost, but for so many. */
static void
write_off(struct iprsurbs *s, uint64_t but)
{
	uint64_t n = outstanding(s);

	if (n > but)
		s->written_off += n - but;
}

bool
iprsurbs_are_few(const struct iprsurbs *s)
{
	return outstanding(s) < s->target;
}

bool
iprsurbs_are_short(const struct iprsurbs *s)
{
	return outstanding(s) < s->target / 2;
}

/* More than it can have SURBs for is a lie. */
void
iprsurbs_note_seq(struct iprsurbs *s, uint32_t seq)
{
	if (seq == 0 || (seq > s->seq_high &&
	    seq - s->seq_high > SEQ_AHEAD_MAX))
		return;
	s->seq_got++;
	if (seq > s->seq_high)
		s->seq_high = seq;
}

void
iprsurbs_note_entry(struct iprsurbs *s, bool again, unsigned brought)
{
	if (again)
		write_off(s, brought);
	s->seq_high = s->seq_got = 0;
}

/* When the exit asks for more, it has few: what we thought it had beyond was
 * lost.  And half of those that are out may lead by a mix that is dead. */
static void
note_losses(struct iprsurbs *s)
{
	const struct mixclient_stats *stats = mixclient_stats(s->mix);

	if (stats->surb_requests != s->requests_seen) {
		s->requests_seen = stats->surb_requests;
		write_off(s, SURB_MIN);
	}
	if (mixclient_shunned(s->mix) > s->shunned)
		write_off(s, 0);
	s->shunned = mixclient_shunned(s->mix);
}

void
iprsurbs_watch(struct iprsurbs *s, int64_t sent_ms, int64_t now_ms)
{
	uint64_t total, replies;

	note_losses(s);
	if (now_ms - s->window_ms < WINDOW_MS)
		return;
	total = mixclient_stats(s->mix)->reply_packets;
	replies = total - s->window_replies;
	s->window_replies = total;
	s->window_ms = now_ms;
	if (replies > 0 || sent_ms < s->heard_ms) {
		s->heard_ms = now_ms;
	} else if (now_ms - s->heard_ms > STALL_MS) {
		/* Answers may have been lost with their SURBs, and an exit
		 * without any cannot ask. */
		write_off(s, outstanding(s) / 2);
		s->heard_ms = now_ms;
	}
	s->target = SURB_MIN + 2 * replies;
	if (s->target > SURB_MAX)
		s->target = SURB_MAX;
}
