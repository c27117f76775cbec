/*
 * The dialer's side of a joint: what it says is noted, and worked on soon.
 */
#include "stack/splice_priv.h"

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

	j->dial_opened = true;
	joint_touch(j);
}

static void
dial_failed(void *arg, int err)
{
	struct joint *j = arg;

	j->dial = NULL;
	j->dial_failed = true;
	j->dial_error = err == SW_OK ? SW_ERR_RESET : err;
	joint_touch(j);
}

/* Bytes are the one thing done at once: they are the caller's. */
static size_t
dial_data(void *arg, const uint8_t *buf, size_t len)
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
		if (n == 0 || tcp_write(j->pcb, buf + done, (u16_t)n,
		    TCP_WRITE_FLAG_COPY) != ERR_OK)
			break;
		done += n;
	}
	if (done > 0)
		(void)tcp_output(j->pcb);
	if (done < len)
		j->data_full = true;
	return done;
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
	.eof = dial_eof,
	.writable = dial_writable,
	.closed = dial_closed,
};

static int
choose_target(struct splice *s, struct joint *j, struct dial_target *t)
{
	int r = s->ops->target(s->arg, &j->src, &j->dst, t);

	if (r != SW_OK)
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

	if (err == SW_OK) {
		err = SW_ERR_UNREACH_NET;
		j->dial = j->ops->open(j->dialer, &t, &joint_dial_events, j, &err);
	}
	if (j->dial == NULL)
		joint_refuse(j, err);
}

