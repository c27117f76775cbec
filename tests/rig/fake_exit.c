#include "tests/rig/fake_exit.h"
#include "tests/rig/unit.h"

#include <stdio.h>
#include <string.h>

static struct fake_exit *fake;

static int
fake_lookup(void *arg, const char *name,
    void (*done)(void *, const struct lookup *), void *done_arg)
{
	struct fake_exit *f = arg;

	f->lookups++;
	snprintf(f->name, sizeof(f->name), "%s", name);
	f->done = done;
	f->done_arg = done_arg;
	return SW_OK;
}

static void
fake_forget(void *arg, const void *done_arg)
{
	(void)arg;
	(void)done_arg;
}

static const char *
fake_nameserver(void *arg)
{
	return ((struct fake_exit *)arg)->nameserver;
}

void
fake_tells(const struct lookup *what)
{
	assert_non_null(fake->done);
	fake->done(fake->done_arg, what);
	fake->done = NULL;
}

void
fake_says(int err)
{
	const struct lookup what = { .err = err, .v4 = err == SW_OK };

	fake_tells(&what);
}

static struct dial *
fake_open(struct dialer *d, const struct dial_target *to,
    const struct dial_events *ev, void *arg, int *err)
{
	struct fake_exit *f = (struct fake_exit *)(void *)d;

	*err = SW_ERR_DOWN;
	if (f->refuse)
		return NULL;
	f->opens++;
	f->to = *to;
	f->ev = ev;
	f->ev_arg = arg;
	f->wrote_len = 0;
	f->aborted = false;
	return (struct dial *)(void *)f;
}

static size_t
fake_write(struct dial *d, const uint8_t *buf, size_t len)
{
	struct fake_exit *f = (struct fake_exit *)(void *)d;

	if (len > f->room)
		len = f->room;
	f->room -= len;
	memcpy(f->wrote + f->wrote_len, buf, len);
	f->wrote_len += len;
	return len;
}

static void
fake_nothing(struct dial *d)
{
	(void)d;
}

static void
fake_abort(struct dial *d)
{
	((struct fake_exit *)(void *)d)->aborted = true;
}

static const struct names_exit names_exit = { fake_lookup, fake_forget,
    fake_nameserver };

static const struct dialer_ops fake_ops = { fake_open, fake_write, fake_nothing,
    fake_nothing, fake_abort };

void
fake_begin_with(struct fake_exit *f, const struct names_service_options *extra)
{
	struct names_service_options o = *extra;

	memset(f, 0, sizeof(*f));
	fake = f;
	f->room = sizeof(f->wrote);
	assert_int_equal(loop_init(&f->l), SW_OK);
	f->map = names_new(0);
	o.map = f->map;
	o.exit = &names_exit;
	o.exit_arg = f;
	o.dialer = (struct dialer *)(void *)f;
	o.dialer_ops = &fake_ops;
	f->s = names_service_new(&f->l, &o);
	assert_non_null(f->s);
}

void
fake_begin(struct fake_exit *f)
{
	fake_begin_with(f, &(struct names_service_options){ .dns = NULL });
}

void
fake_finish(struct fake_exit *f)
{
	names_service_free(f->s);
	names_free(f->map);
	loop_wipe(&f->l);
}

void
fake_turn(struct fake_exit *f)
{
	assert_int_equal(loop_run_once(&f->l, 0), SW_OK);
}

void
heard_resolved(void *arg, int err, uint32_t ttl, const struct sw_addr *a,
    size_t n)
{
	struct heard *h = arg;

	h->times++;
	h->err = err;
	h->ttl = ttl;
	h->n = n;
	for (size_t i = 0; i < n && i < 4; i++)
		h->a[i] = a[i];
}

void
heard_reversed(void *arg, int err, const char *name)
{
	struct heard *h = arg;

	h->times++;
	h->err = err;
	snprintf(h->name, sizeof(h->name), "%s", name != NULL ? name : "");
}

void
heard_queried(void *arg, int err, const uint8_t *msg, size_t len)
{
	struct heard *h = arg;

	h->times++;
	h->err = err;
	h->len = len;
	if (err == SW_OK)
		memcpy(h->msg, msg, len);
}

void
heard_resolve(struct fake_exit *f, const char *name, int family,
    struct heard *h)
{
	memset(h, 0, sizeof(*h));
	names_service_resolve(f->s, name, strlen(name), family, heard_resolved,
	    h);
}

uint16_t
heard_query(struct fake_exit *f, const char *to, const char *name,
    uint16_t type,
    struct heard *h)
{
	static uint16_t id = 0x1233;
	uint8_t msg[512];
	struct sw_addr a;
	size_t len;

	memset(h, 0, sizeof(*h));
	assert_int_equal(dns_build_query(++id, name, type, msg, sizeof(msg),
	    &len), SW_OK);
	if (to != NULL) {
		assert_int_equal(addr_parse_ip(&a, to), SW_OK);
		a.port = 53;
	}
	names_service_query(f->s, to != NULL ? &a : NULL, msg, len, 1232,
	    heard_queried, h);
	return id;
}

int
heard_rcode(const struct heard *h)
{
	return h->msg[3] & 15;
}

int
heard_answers(const struct heard *h)
{
	return h->msg[6] << 8 | h->msg[7];
}
