/*
 * Idle connections cost no wake-ups: the clock of TCP stops while nothing
 * waits for it, and is set forward when it starts again.
 *
 * To look at thousands of connections in each turn would cost more than the
 * turn.  So it starts as soon as it might be needed, and only where it has just
 * ticked are all of them looked at, to see whether it may stop.
 */
#include "base/clock.h"
#include "stack/stack_priv.h"

#include "lwip/ip4_frag.h"
#include "lwip/ip6_frag.h"
#include "lwip/priv/tcp_priv.h"

#define LOOK_MAX 64u

/* Does anything about this connection happen by the mere passing of time? */
static bool
is_timed(const struct tcp_pcb *p)
{
	if (p->state != ESTABLISHED && p->state != CLOSE_WAIT &&
	    (p->state != FIN_WAIT_2 || p->poll != NULL ||
	    (p->flags & TF_RXCLOSED) != 0))
		return true;
	return p->unacked != NULL || p->unsent != NULL || p->ooseq != NULL ||
	    p->refused_data != NULL ||
	    (p->flags & (TF_ACK_DELAY | TF_CLOSEPEND)) != 0 ||
	    ip_get_option(p, SOF_KEEPALIVE);
}

static bool
tcp_needs_ticks(void)
{
	unsigned looked_at = 0;

	for (const struct tcp_pcb *p = tcp_active_pcbs; p != NULL; p = p->next)
		if (is_timed(p) || (!stack.has_ticked && ++looked_at == LOOK_MAX))
			return true;
	return tcp_tw_pcbs != NULL;
}

static bool
is_stopped(void)
{
	return stack.tick.at_ms == 0 || stack.tick.at_ms == SW_NEVER;
}

/* A connection is stamped with the time when it begins: with a clock that is
 * set forward only afterwards, it would be as old as the stop was long, and its
 * handshake over its time. */
void
stack_catch_up(void)
{
	int64_t missed;

	if (stack.loop == NULL || !is_stopped())
		return;
	missed = (stack.loop->now_ms - stack.ticked_ms) / TCP_SLOW_INTERVAL;
	if (missed <= 0)
		return;
	tcp_ticks += (u32_t)missed;
	stack.ticked_ms += missed * TCP_SLOW_INTERVAL;
}

/* The first hook of the stack's: owners settle after it. */
void
stack_end_turn(struct loop_turn *h)
{
	(void)h;
	stack.has_ticked = stack.ticks_now;
	stack.ticks_now = false;
	stack_settle();
}

void
stack_settle(void)
{
	int64_t now = stack.loop->now_ms;

	if (stack.broken) {
		for (int i = 0; i < STACK_SIDES && !stack.broken_told; i++)
			if (stack.sides[i].ops != NULL)
				stack.sides[i].ops->broken();
		stack.broken_told = true;
		return;
	}
	if (stack.loop == NULL || !is_stopped())
		return;
	if (!tcp_needs_ticks() && now >= stack.fragments_ms)
		return;
	stack_catch_up();
	stack.ticked_ms = now;
	loop_set_timer(stack.loop, &stack.tick, now + TCP_TMR_INTERVAL);
}

void
stack_tick(struct loop_timer *t)
{
	int64_t now = stack.loop->now_ms;

	(void)t;
	if (stack.broken)
		return;
	stack.ticked_ms = now;
	tcp_tmr();
	stack_check_late();
	if (now < stack.fragments_ms && now - stack.aged_ms >= 1000) {
		stack.aged_ms = now;
		ip_reass_tmr();
		ip6_reass_tmr();
	}
	stack.ticks_now = true;		/* goes on if need be: stack_settle() */
}
