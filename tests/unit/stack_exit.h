/*
 * stack_exit.h - the pretended exit of stack_rig.h, which includes it.
 *
 * Its services, by port:
 *   7 echo     9 sink     19 sends rig.source_bytes, then ends
 *   1 refused  2 host unreachable  3 network unreachable  4 times out
 *   5 denied   6 never answers     8 echoes, and resets after 1000 bytes
 *   10 takes nothing until rig.open_tap
 *   11 opens and ends at once    12 opens and is reset at once
 */
#ifndef SW_TESTS_STACK_EXIT_H
#define SW_TESTS_STACK_EXIT_H

struct dial {
	const struct dial_events *ev;
	void *arg;
	struct loop_timer timer;
	uint16_t port;
	uint8_t *kept;			/* echo: not yet taken back */
	size_t kept_len, kept_at;
	uint64_t got, sent;
	uint64_t sum;			/* of what came, order matters */
	bool open, shut, eof_sent, gone, aborted, resumed;
	struct dial *next;
};

RIG void
dial_end(struct dial *d, int err)
{
	if (d->gone)
		return;
	d->gone = true;
	loop_set_timer(&rig.loop, &d->timer, SW_NEVER);
	d->ev->closed(d->arg, err);
}

RIG void
dial_offer(struct dial *d, const uint8_t *p, size_t n)
{
	size_t took = d->kept_len > d->kept_at ? 0 :
	    d->ev->data(d->arg, p, n);

	if (took == n)
		return;
	if (d->kept_at == d->kept_len)
		d->kept_at = d->kept_len = 0;
	d->kept = realloc(d->kept, d->kept_len + n - took);
	memcpy(d->kept + d->kept_len, p + took, n - took);
	d->kept_len += n - took;
}

/* A block is spoilt before it is freed, so that bytes sent too late are wrong. */
RIG void
rig_block_free(struct dial_block *b)
{
	memset(b + 1, 0xee, 65536);
	free(b);
	rig.blocks--;
}

RIG size_t
dial_lend(struct dial *d, const uint8_t *p, size_t n)
{
	struct dial_block *b = malloc(sizeof(*b) + 65536);
	uint8_t *at = (uint8_t *)(b + 1);
	size_t took;

	*b = (struct dial_block){ .refs = 1, .release = rig_block_free };
	rig.blocks++;
	memcpy(at, p, n);
	took = d->ev->data_kept(d->arg, b, at, n);
	dial_block_unref(b);
	return took;
}

RIG void
dial_source(struct dial *d)
{
	uint8_t buf[32768];

	while (!d->gone && d->sent < rig.source_bytes) {
		size_t n = sizeof(buf), took;

		if (n > rig.source_bytes - d->sent)
			n = (size_t)(rig.source_bytes - d->sent);
		for (size_t i = 0; i < n; i++)
			buf[i] = rig_byte(d->sent + i);
		if (rig.lends && d->sent / 32768 % 3 != 0)
			took = dial_lend(d, buf, n);
		else
			took = d->ev->data(d->arg, buf, n);
		d->sent += took;
		if (took < n)
			return;
	}
	if (!d->eof_sent && d->sent == rig.source_bytes) {
		d->eof_sent = true;
		d->ev->eof(d->arg);
		if (d->shut)
			dial_end(d, SW_OK);
	}
}

RIG void
dial_answer(struct loop_timer *t)
{
	struct dial *d = CONTAINER_OF(t, struct dial, timer);
	static const int errors[] = {
		0, SW_ERR_REFUSED, SW_ERR_UNREACH_HOST, SW_ERR_UNREACH_NET,
		SW_ERR_TIMEOUT, SW_ERR_DENIED,
	};

	if (d->port >= 1 && d->port <= 5) {
		d->gone = true;
		d->ev->failed(d->arg, errors[d->port]);
		return;
	}
	if (d->port == 6)
		return;
	d->open = true;
	d->ev->opened(d->arg);
	if (d->port == 19)
		dial_source(d);
	if (d->port == 11)
		d->ev->eof(d->arg);
	if (d->port == 11 || d->port == 12)
		dial_end(d, d->port == 11 ? SW_OK : SW_ERR_RESET);
}

RIG struct dial *
rig_open(struct dialer *er, const struct dial_target *t,
    const struct dial_events *ev, void *arg, int *err)
{
	struct dial *d = calloc(1, sizeof(*d));
	char text[SW_ADDR_TEXT_LEN];

	(void)er;
	(void)err;
	d->ev = ev;
	d->arg = arg;
	d->port = strcmp(t->host, addr_ip_text(&rig.address, text)) == 0 ?
	    rig.address_port : t->port;
	d->timer.fire = dial_answer;
	d->next = rig.dials;
	rig.dials = d;
	loop_set_timer(&rig.loop, &d->timer, rig.loop.now_ms);
	return d;
}

RIG size_t
rig_write(struct dial *d, const uint8_t *buf, size_t len)
{
	assert_true(d->open && !d->gone && !d->shut);
	if (d->port == 10 && !rig.open_tap)
		return 0;
	d->got += len;
	d->sum = rig_sum(d->sum, buf, len);
	if (d->port == 7 || d->port == 8)
		dial_offer(d, buf, len);
	if (d->port == 8 && d->got >= 1000)
		dial_end(d, SW_ERR_RESET);
	return len;
}

RIG void
dial_finish(struct dial *d)
{
	if (d->shut && !d->eof_sent && d->kept_at == d->kept_len &&
	    d->port != 19) {
		d->eof_sent = true;
		d->ev->eof(d->arg);
	}
	if (d->shut && d->eof_sent)
		dial_end(d, SW_OK);
}

RIG void
rig_shutdown(struct dial *d)
{
	assert_true(d->open && !d->gone && !d->shut);
	d->shut = true;
	dial_finish(d);
}

RIG void
rig_resume(struct dial *d)
{
	assert_true(d->open && !d->gone);
	d->resumed = true;
	if (d->port == 19) {
		dial_source(d);
		return;
	}
	if (d->kept_at < d->kept_len)
		d->kept_at += d->ev->data(d->arg, d->kept + d->kept_at,
		    d->kept_len - d->kept_at);
	dial_finish(d);
}

RIG void
rig_abort(struct dial *d)
{
	assert_false(d->gone);
	loop_set_timer(&rig.loop, &d->timer, SW_NEVER);
	d->gone = d->aborted = true;
}

static const struct dialer_ops rig_dialer = {
	rig_open, rig_write, rig_shutdown, rig_resume, rig_abort,
};

#endif
