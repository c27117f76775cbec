/*
 * A joint's life: the table of them, and the work that follows from what the
 * dialer and TCP have said.
 */
#include <string.h>

#include "base/clock.h"
#include "base/container.h"
#include "stack/arena.h"
#include "stack/splice_priv.h"

#include "lwip/priv/tcp_priv.h"

static struct joint **
bucket(struct splice *s, const struct sw_addr *src, const struct sw_addr *dst)
{
	uint32_t h = src->port * 2654435761u ^ dst->port * 40503u;

	for (int i = 12; i < 16; i++)
		h = h * 31 + src->ip[i] + dst->ip[i] * 17u;
	return &s->by_key[(h ^ h >> 15) % SPLICE_HASH];
}

static bool
same(const struct sw_addr *a, const struct sw_addr *b)
{
	return a->port == b->port && addr_same_ip(a, b);
}

struct joint *
joint_find(const struct splice *s, const struct sw_addr *src,
    const struct sw_addr *dst)
{
	struct splice *w;
	struct joint *j;

	memcpy(&w, &s, sizeof(w));
	j = *bucket(w, src, dst);
	while (j != NULL && !(same(&j->src, src) && same(&j->dst, dst)))
		j = j->hash_next;
	return j;
}

struct joint *
joint_new(struct splice *s, const struct sw_addr *src,
    const struct sw_addr *dst)
{
	struct joint *j, **b = bucket(s, src, dst);

	if (s->count >= SPLICE_FLOWS_MAX ||
	    (j = arena_get_zeroed(1, sizeof(*j))) == NULL)
		return NULL;
	j->splice = s;
	j->src = *src;
	j->dst = *dst;
	j->hash_next = *b;
	*b = j;
	j->next = s->joints;
	if (j->next != NULL)
		j->next->prev = j;
	s->joints = j;
	s->count++;
	return j;
}

void
joint_touch(struct joint *j)
{
	struct splice *s = j->splice;

	if (j->dirty)
		return;
	j->dirty = true;
	j->dirty_next = s->dirty;
	s->dirty = j;
	loop_set_timer(s->loop, &s->soon, s->loop->now_ms);
}

#define ORPHAN_MS 60000		/* for what an ended program has left to send */

static void
unhash(struct joint *j)
{
	struct joint **at = bucket(j->splice, &j->src, &j->dst);

	if (j->orphan)
		return;			/* it is not there any more */
	while (*at != j)
		at = &(*at)->hash_next;
	*at = j->hash_next;
}

static void
orphan_late(struct loop_timer *t)
{
	joint_free(CONTAINER_OF(t, struct joint, timer));
}

void
joint_orphan(struct joint *j)
{
	struct tcp_pcb *pcb = j->pcb;

	if (j->orphan)
		return;
	if (!j->rx_fin || j->state != JOINED || j->dial == NULL) {
		joint_free(j);
		return;
	}
	joint_drop_pcb(j);
	if (pcb != NULL)
		tcp_abandon(pcb, 0);
	joint_take_back(j);
	unhash(j);
	j->orphan = true;
	j->timer.fire = orphan_late;
	loop_set_timer(j->splice->loop, &j->timer,
	    j->splice->loop->now_ms + ORPHAN_MS);
	joint_touch(j);
}

void
joint_free(struct joint *j)
{
	struct splice *s = j->splice;
	struct joint **at;
	struct tcp_pcb *pcb = j->pcb;
	struct dial *dial = j->dial;

	joint_drop_pcb(j);
	if (pcb != NULL)
		tcp_abort(pcb);
	joint_take_back(j);
	j->dial = NULL;
	if (dial != NULL)
		j->ops->abort(dial);
	if (j->rx != NULL)
		joint_taken(j, j->rx_held);
	link_frame_unref(j->syn);
	unhash(j);
	if (j->orphan)
		loop_set_timer(s->loop, &j->timer, SW_NEVER);
	if (j->prev != NULL)
		j->prev->next = j->next;
	else
		s->joints = j->next;
	if (j->next != NULL)
		j->next->prev = j->prev;
	if (j->dirty) {
		for (at = &s->dirty; *at != j; at = &(*at)->dirty_next)
			;
		*at = j->dirty_next;
	}
	s->count--;
	arena_put(j);
}

static void
write_dial(struct joint *j)
{
	while (j->rx != NULL && j->dial != NULL && !j->write_full) {
		size_t len = j->rx->len - j->rx_off;
		size_t n = j->ops->write(j->dial,
		    (uint8_t *)j->rx->payload + j->rx_off, len);

		if (n < len)
			j->write_full = true;
		if (n > 0)
			joint_taken(j, n);
	}
	if (j->rx_fin && !j->rx_fin_done && j->rx == NULL && j->dial != NULL) {
		j->rx_fin_done = true;
		j->ops->shutdown(j->dial);
	}
}

static void
send_fin(struct joint *j)
{
	bool ended = j->dial_eof ||
	    (j->dial_closed && j->dial_error == SW_OK);

	if (!ended || j->fin_sent || j->pcb == NULL)
		return;
	if (tcp_shutdown(j->pcb, 0, 1) == ERR_OK)
		j->fin_sent = true;
}

static void
work_joined(struct joint *j)
{
	write_dial(j);
	if (j->data_full && j->dial != NULL && (j->orphan ||
	    (j->pcb != NULL && joint_has_room(j)))) {
		j->data_full = false;
		j->ops->resume(j->dial);
	}
	send_fin(j);
	/* Both FINs are on their way: lwIP ends the pcb by itself. */
	if (j->pcb != NULL && j->fin_sent && j->rx_fin && j->lent == NULL)
		joint_drop_pcb(j);
}

/* The stream is gone.  After an error, or with bytes of the program unread,
 * the program must see a reset; else what we have sent arrives, then a FIN. */
static void
work_closed(struct joint *j)
{
	if (j->dial_error == SW_OK && j->rx == NULL && j->fin_sent &&
	    j->pcb != NULL) {
		tcp_set_flags(j->pcb, TF_RXCLOSED);
		if (j->lent != NULL)
			return;		/* until all of it is acknowledged */
		joint_drop_pcb(j);
	}
	joint_free(j);
}

void
joint_work(struct joint *j)
{
	if (j->reset) {
		joint_free(j);
		return;
	}
	if (j->state == DIALING) {
		/* A stream that opened and ended in one breath did open: the
		 * program gets its connection, then the end. */
		if (j->dial_failed || (j->dial_closed && !j->dial_opened)) {
			joint_refuse(j, j->dial_error == SW_OK ? SW_ERR_REFUSED :
			    j->dial_error);
		} else if (j->dial_opened) {
			joint_accept_syn(j);
		} else if (j->dial == NULL) {
			joint_dial(j);
		}
		return;
	}
	if (j->state == JOINED)
		work_joined(j);
	if (j->dial_closed && j->state == JOINED)
		work_closed(j);
}
