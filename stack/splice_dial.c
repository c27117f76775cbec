/*
 * The dialer's side of a joint: what it says is noted, and worked on soon.
 *
 * Bytes are the exception: they go to TCP at once, by copy, or by reference to
 * the dialer's memory where that is worth it.  On the hop large segments leave
 * straight from there.
 */
#include <stdio.h>

#include "stack/arena.h"
#include "stack/splice_priv.h"

#define LEND_MIN 8192			/* shorter pieces are copied */

/* Bytes of the far side that TCP will take now. */
static size_t
room(const struct joint *j)
{
	uint32_t limit = stack_tx_limit(STACK_FAR);
	uint32_t held = TCP_SND_BUF - j->pcb->snd_buf;

	return held < limit ? limit - held : 0;
}

/* Is that enough to make resume() worth it? */
bool
joint_has_room(const struct joint *j)
{
	return room(j) >= stack_tx_limit(STACK_FAR) / 4;
}

static void
dial_opened(void *arg)
{
	struct joint *j = arg;

	/* It knows by name what may be dialled: no more vain attempts. */
	if (j->denied)
		j->splice->by_host = true;
	j->dial_opened = true;
	joint_touch(j);
}

static void
dial_failed(void *arg, int err)
{
	struct joint *j = arg;

	j->dial = NULL;
	if (j->by_address && (!j->alone || err == SW_ERR_DENIED ||
	    err == SW_ERR_UNREACH_HOST || err == SW_ERR_UNREACH_NET)) {
		j->by_address = false;
		j->by_host = true;		/* joint_work() dials again */
		j->denied = err == SW_ERR_DENIED;
	} else {
		j->dial_failed = true;
		j->dial_error = err == SW_OK ? SW_ERR_RESET : err;
	}
	joint_touch(j);
}

static void
drop_first(struct joint *j)
{
	struct lent *l = j->lent;

	j->lent = l->next;
	if (j->lent == NULL)
		j->lent_last = NULL;
	dial_block_unref(l->b);
	arena_put(l);
}

void
joint_acked(struct joint *j, size_t n)
{
	struct lent *l;

	while ((l = j->lent) != NULL && n >= l->left) {
		n -= l->left;
		drop_first(j);
	}
	if (l != NULL)
		l->left -= n;
}

void
joint_take_back(struct joint *j)
{
	while (j->lent != NULL)
		drop_first(j);
}

static bool
append(struct joint *j, struct dial_block *b, size_t left)
{
	struct lent *l = arena_get(sizeof(*l));

	if (l == NULL)
		return false;
	*l = (struct lent){ .b = b, .left = left };
	if (b != NULL)
		b->refs++;
	if (j->lent_last != NULL)
		j->lent_last->next = l;
	else
		j->lent = l;
	j->lent_last = l;
	return true;
}

/* See that what TCP is given next, in `b`, is counted by the last of `lent`.
 * Copied bytes need no count while no others are under way.  False: no memory. */
static bool
count_by(struct joint *j, struct dial_block *b)
{
	uint32_t before = TCP_SND_BUF - j->pcb->snd_buf;

	if (j->lent == NULL) {
		if (b == NULL)
			return true;
		if (before > 0 && !append(j, NULL, before))
			return false;
	}
	return (j->lent_last != NULL && j->lent_last->b == b) ||
	    append(j, b, 0);
}

/* Give TCP a piece.  False: it has no room. */
static bool
give(struct joint *j, struct dial_block *b, const uint8_t *buf, size_t n)
{
	if (n < LEND_MIN || j->splice->far_path)
		b = NULL;
	if (!count_by(j, b) || tcp_write(j->pcb, buf, (u16_t)n,
	    b == NULL ? TCP_WRITE_FLAG_COPY : 0) != ERR_OK)
		return false;
	if (j->lent_last != NULL)
		j->lent_last->left += n;
	return true;
}

static size_t
dial_data_kept(void *arg, struct dial_block *b, const uint8_t *buf, size_t len)
{
	struct joint *j = arg;
	size_t done = 0;

	if (j->reset || j->orphan)
		return len;		/* nobody is left to read them */
	while (done < len && j->pcb != NULL && !j->fin_sent) {
		size_t n = len - done;

		if (n > room(j))
			n = room(j);
		if (n > 0xffff)
			n = 0xffff;
		if (n == 0 || !give(j, b, buf + done, n))
			break;
		done += n;
	}
	if (done > 0)
		(void)tcp_output(j->pcb);
	if (done < len)
		j->data_full = true;
	return done;
}

static size_t
dial_data(void *arg, const uint8_t *buf, size_t len)
{
	return dial_data_kept(arg, NULL, buf, len);
}

static void
dial_eof(void *arg)
{
	struct joint *j = arg;

	j->dial_eof = true;
	joint_touch(j);
}

static void
dial_writable(void *arg)
{
	struct joint *j = arg;

	j->write_full = false;
	joint_touch(j);
}

static void
dial_closed(void *arg, int err)
{
	struct joint *j = arg;

	j->dial = NULL;
	j->dial_closed = true;
	j->dial_error = err;
	joint_touch(j);
}

const struct dial_events joint_dial_events = {
	.opened = dial_opened,
	.failed = dial_failed,
	.data = dial_data,
	.data_kept = dial_data_kept,
	.eof = dial_eof,
	.writable = dial_writable,
	.closed = dial_closed,
};

static int
choose_target(struct splice *s, struct joint *j, struct dial_target *t)
{
	int r;

	*t = (struct dial_target){ .port = 0 };
	if ((r = s->ops->target(s->arg, &j->src, &j->dst, t)) != SW_OK)
		return r;
	j->dialer = NULL;
	if (s->ops->local != NULL)
		j->dialer = s->ops->local(s->arg, &j->dst, &j->ops);
	if (j->dialer == NULL) {
		j->dialer = s->dialer;
		j->ops = s->dialer_ops;
	}
	return j->ops == NULL ? SW_ERR_UNREACH_NET : SW_OK;
}

void
joint_begin(struct splice *s, const struct packet *head, const uint8_t *p,
    size_t len)
{
	struct joint *j = joint_new(s, &head->src, &head->dst);

	if (j == NULL) {
		splice_refuse(s, head, p, len, SW_ERR_REFUSED);
		return;
	}
	j->state = DIALING;
	j->syn = link_frame_new(p, len);
	joint_touch(j);
}

void
joint_refuse(struct joint *j, int code)
{
	struct packet head;

	if (j->syn != NULL &&
	    packet_parse(&head, j->syn->data, j->syn->len) == SW_OK)
		splice_refuse(j->splice, &head, j->syn->data, j->syn->len,
		    code);
	joint_free(j);
}

void
joint_dial(struct joint *j)
{
	struct dial_target t;
	int err = stack_is_broken() ? SW_ERR_UNREACH_NET :
	    choose_target(j->splice, j, &t);

	if (err == SW_OK && !j->by_host && !j->splice->by_host &&
	    !addr_is_any(&t.address)) {
		char text[SW_ADDR_TEXT_LEN];

		j->by_address = true;
		j->alone = t.alone;
		snprintf(t.host, sizeof(t.host), "%s",
		    addr_ip_text(&t.address, text));
	}
	if (err == SW_OK) {
		err = SW_ERR_UNREACH_NET;
		j->dial = j->ops->open(j->dialer, &t, &joint_dial_events, j, &err);
	}
	if (j->dial == NULL)
		joint_refuse(j, err);
}

