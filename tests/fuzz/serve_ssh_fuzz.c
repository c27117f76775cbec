/*
 * A client's bytes against the server's engine, before and after the log-in.
 *
 *	byte 0	bit 0: logged in already.  bit 1: the rest is the stream itself;
 *		else it is cut into messages (u16 length) that get their framing
 *
 * No crash, no window overrun taken, nothing left of the budget, and who is
 * over stays over.  Log-ins and channels are answered by turns.
 */
#include "tests/fuzz/fuzz.h"

#include <stdlib.h>
#include <string.h>

#include "transport/serve_ssh_private.h"

#define CHANS 64

static struct client {
	struct serve_ssh *s;
	unsigned turn;
	struct slot { struct serve_chan *c; size_t unread; } slot[CHANS];
} self;

static bool
on_login(void *arg, const char *user, const struct serve_key *key, bool proved,
    struct serve_touch touch)
{
	(void)arg;
	(void)touch;
	(void)key;
	if (strlen(user) >= SERVE_USER_MAX)
		abort();
	if (proved)
		abort();		/* nobody here can sign */
	return self.turn++ % 2 == 0;
}

static void
on_open(void *arg, struct serve_chan *c, const struct serve_open *what)
{
	struct slot *k = NULL;

	(void)arg;
	if (what->kind == SERVE_OPEN_TCP && what->to.host[0] == '\0')
		abort();
	for (size_t i = 0; i < CHANS; i++)
		if (self.slot[i].c == NULL)
			k = &self.slot[i];
	if (k == NULL || self.turn++ % 5 == 0) {
		serve_chan_refuse(c, SERVE_CONNECT_FAILED, "no");
		return;
	}
	*k = (struct slot){ .c = c };
	serve_chan_set_arg(c, k);
	serve_chan_accept(c);
}

static int
on_listen(void *arg, const char *bind, uint16_t port, uint16_t *bound)
{
	(void)arg;
	if (strlen(bind) > DIAL_HOST_MAX)
		abort();
	*bound = port != 0 ? port : 40000;
	return self.turn++ % 2 == 0 ? SW_OK : SW_ERR_DENIED;
}

static int
on_unlisten(void *arg, const char *bind, uint16_t port)
{
	(void)arg;
	(void)bind;
	(void)port;
	return SW_OK;
}

static void
on_opened(void *arg)
{
	(void)arg;
}

static void
on_data(void *arg, const uint8_t *p, size_t len)
{
	struct slot *k = arg;
	uint8_t echo[64];

	if (len == 0 || len > SERVE_DATA_MAX)
		abort();
	k->unread += len;
	memcpy(echo, p, len < sizeof(echo) ? len : sizeof(echo));
	switch (self.turn++ % 7) {
	case 0:				/* a slow reader */
		break;
	case 1:
		serve_chan_close(k->c);
		k->c = NULL;
		break;
	case 2:
		(void)serve_chan_write(k->c, echo, len < sizeof(echo) ? len :
		    sizeof(echo));
		/* fallthrough */
	default:
		serve_chan_took(k->c, k->unread);
		k->unread = 0;
		break;
	}
}

static void
on_eof(void *arg)
{
	struct slot *k = arg;

	serve_chan_eof(k->c);
}

static void
on_writable(void *arg)
{
	struct slot *k = arg;

	(void)serve_chan_room(k->c);
}

static void
on_closed(void *arg, bool clean)
{
	struct slot *k = arg;

	(void)clean;
	k->c = NULL;
}

static const struct serve_ssh_events events = {
	on_login, on_open, on_listen, on_unlisten, on_opened, on_data, on_eof,
	on_writable, on_closed,
};

/* Feed whole, as the session does: what is not used comes again with more. */
static void
feed(const uint8_t *p, size_t len)
{
	uint8_t *copy = malloc(len + 1);
	size_t used, out;
	int r;

	if (copy == NULL)
		return;
	memcpy(copy, p, len);
	r = serve_ssh_feed(self.s, copy, len, &used);
	if (used > len || (r == SW_ERR_CLOSED) != serve_ssh_is_over(self.s))
		abort();
	(void)serve_ssh_output(self.s, &out);
	serve_ssh_sent(self.s, self.turn % 3 == 0 ? out / 2 : out);
	free(copy);
}

/* Plain packets, as before any key. */
static void
feed_messages(const uint8_t *p, size_t len)
{
	uint8_t packet[5 + 4096 + 16];

	while (len >= 3 && !serve_ssh_is_over(self.s)) {
		size_t n = (size_t)p[0] << 8 | p[1], pad;

		p += 2;
		len -= 2;
		n %= 4096;
		if (n > len)
			n = len;
		if (n == 0)
			n = 1;
		pad = 8 - (5 + n) % 8;
		if (pad < 4)
			pad += 8;
		memset(packet, 0, sizeof(packet));
		packet[2] = (uint8_t)((1 + n + pad) >> 8);
		packet[3] = (uint8_t)(1 + n + pad);
		packet[4] = (uint8_t)pad;
		memcpy(packet + 5, p, n);
		feed(packet, 5 + n + pad);
		p += n;
		len -= n;
	}
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	static uint8_t pk[32], sk[64];
	struct serve_budget budget = { .max = 8u << 20 };
	const struct serve_ssh_config cfg = {
		.host_pk = pk, .host_sk = sk, .ident = "SSH-2.0-fuzz",
		.tries_max = 5, .channels_max = CHANS + 8, .opening_max = 8,
		.window_max = 1u << 20, .budget = &budget,
	};
	static const uint8_t ident[] = "SSH-2.0-x\r\n";

	if (len < 1 || !serve_cipher_begin())
		return 0;
	if (sk[0] == 0 && sk[1] == 0)
		serve_sign_keypair(pk, sk);
	memset(&self, 0, sizeof(self));
	if ((self.s = serve_ssh_new(&cfg, &events, &self)) == NULL)
		return 0;
	if ((data[0] & 1) != 0) {
		serve_kex_wipe(self.s);
		self.s->has_ident = self.s->in_now = self.s->has_id = true;
	} else if ((data[0] & 2) == 0) {
		feed(ident, sizeof(ident) - 1);
	}
	if ((data[0] & 2) != 0)
		feed(data + 1, len - 1);
	else
		feed_messages(data + 1, len - 1);
	serve_ssh_free(self.s);
	if (budget.used != 0)
		abort();
	return 0;
}
