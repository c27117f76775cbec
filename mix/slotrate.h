/*
 * slotrate.h - how often slots come, by what the network can carry.
 *
 * Theory of operation.  Every packet, cover too, brings back an ack, and its
 * sender knows how long the mixes were asked to hold the two: what the round
 * trip took besides is the wires and the queues.  The least of the last minute
 * is taken for the wires.  Where the rest grows long, for three packets of four
 * (a busy machine, or one slow mix, holds up some), or acks stay out, more is
 * sent than the network carries: then the rate falls below that at which acks
 * came back, by more the longer the queue is, so that it drains.  Otherwise it
 * rises, slowly at first, up to the profile's own.
 *
 * Since cover counts like everything else, what a rate says is how the network
 * does, not whether there is something to say.  Time is a parameter.
 */
#ifndef SW_MIX_SLOTRATE_H
#define SW_MIX_SLOTRATE_H

#include <stdint.h>

#define SLOTRATE_BASES 4		/* spans of which the minimum is kept */
#define SLOTRATE_BINS 80		/* of 25 ms */

struct slotrate {
	double fastest, slowest;	/* slots a second */
	double rate;
	int64_t base[SLOTRATE_BASES];	/* ms: the least of each span */
	unsigned span;
	int64_t span_ms;		/* when the present one began */
	int64_t fell_ms;		/* when it fell last */
	int64_t since_ms;		/* when these two were zeroed: */
	unsigned acked;
	unsigned bin[SLOTRATE_BINS];	/* waits of what was acked */
	int64_t lost_ms;		/* and when these: */
	unsigned lost, kept;
	int64_t wait;			/* ms: smoothed, with the wires */
};

/* Means of the time between slots, in us: the least and the most; 0: there are
 * no slots, and only waits are measured. */
void slotrate_init(struct slotrate *r, uint32_t fastest_us,
    uint32_t slowest_us);

/* A packet's ack is back.  wait_ms: since the packet was sent, less the delays
 * that the two asked for. */
void slotrate_acked(struct slotrate *r, int64_t wait_ms, int64_t now_ms);

/* An ack has not come in time. */
void slotrate_lost(struct slotrate *r);

/* Decide anew; often enough is with each slot. */
void slotrate_tick(struct slotrate *r, int64_t now_ms);

/* The mean between slots, in us. */
uint32_t slotrate_mean_us(const struct slotrate *r);

/* What a packet waits on its ways besides the delays it asks for, in ms. */
int64_t slotrate_wait_ms(const struct slotrate *r);

#endif
