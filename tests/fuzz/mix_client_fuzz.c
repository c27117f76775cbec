/*
 * What a hostile exit, and whoever answers by our SURBs, can say to the
 * client: whole messages to iprclient, plaintexts and noise to mixclient.
 *
 * The input is a script: a byte for what to do, a length, that many bytes.
 * All randomness is zero, so stream and request are 0 and can be guessed.
 */
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "mix/iprclient.h"
#include "mix/nymseal.h"
#include "mix/prim.h"
#include "tests/fuzz/fuzz.h"
#include "tests/rig/nowhere.h"

#define STEPS 200

struct world {
	struct mixclient *mix;
	struct iprclient *ipr;
	bool up;
};

static void
zeros(struct rng *self, void *out, size_t n)
{
	(void)self;
	memset(out, 0, n);
}

static struct rng rng = { zeros };

static void
message(void *arg, const struct nymmsg *m)
{
	iprclient_take(((struct world *)arg)->ipr, m);
}

static void
up(void *arg, const uint8_t ip4[4], const uint8_t ip6[16], uint16_t mtu)
{
	struct world *w = arg;

	(void)ip4;
	(void)ip6;
	(void)mtu;
	if (w->up)
		abort();
	w->up = true;
}

static void
packet(void *arg, const uint8_t *pkt, size_t len)
{
	volatile uint8_t sum = 0;

	if (!((struct world *)arg)->up || len == 0)
		abort();
	for (size_t i = 0; i < len; i++)
		sum = (uint8_t)(sum + pkt[i]);
}

static void
writable(void *arg)
{
	(void)arg;
}

static void
down(void *arg, int err)
{
	(void)err;
	((struct world *)arg)->up = false;
}

static int64_t
unix_now(void *arg)
{
	(void)arg;
	return 1750000000;
}

static const struct mixclient_events mix_events = {
	.transmit = nowhere_transmit, .message = message,
};
static const struct iprclient_events ipr_events = {
	up, packet, writable, down,
};

static void
begin(struct world *w, uint8_t how)
{
	struct mixclient_config mc = {
		.profile = mix_profile_find("raw"), .events = &mix_events,
		.arg = w, .rng = &rng, .pool = 64, .peers = 2,
	};
	struct iprclient_config ic = {
		.version = how % 4 == 0 ? 0 : (uint8_t)(7 + how % 4),
		.events = &ipr_events,
		.arg = w, .rng = &rng, .unix_now = unix_now,
	};

	memset(w, 0, sizeof(*w));
	w->mix = mixclient_new(&mc);
	ic.mix = w->mix;
	w->ipr = iprclient_new(&ic);
	iprclient_start(w->ipr, 1000);
}

/* One of our own packets, as the gateway would push it: noise that opens. */
static void
deliver(struct world *w, const uint8_t *p, size_t n, int64_t now)
{
	static uint8_t sealed[NYMSEAL_HEAD_LEN + 65536];
	size_t room = n < 64 ? 64 : n;
	struct nymseal_pair pair;

	memset(sealed, 0, NYMSEAL_HEAD_LEN + room);
	memcpy(sealed + NYMSEAL_HEAD_LEN, p, n);
	if (nymseal_agree(&pair, 1, mixclient_address(w->mix)->encryption,
	    NULL, &rng) != SW_OK)
		abort();
	nymseal_put(sealed, room, &pair);
	mixclient_deliver(w->mix, sealed, NYMSEAL_HEAD_LEN + room, now);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	static uint8_t copy[65536];
	static bool ready;
	int64_t now = 1000;
	struct world w;
	size_t n;

	if (!ready && prim_init() != SW_OK)
		abort();
	ready = true;
	if (len < 1)
		return 0;
	begin(&w, data[0]);
	data++;
	len--;
	for (int i = 0; i < STEPS && len >= 3; i++) {
		struct nymmsg m = { .kind = NYMMSG_REPLY };
		uint8_t what = data[0];

		n = (size_t)data[1] << 8 | data[2];
		data += 3;
		len -= 3;
		if (n > len)
			n = len;
		memcpy(copy, data, n);
		m.data = copy;
		m.data_len = n;
		if (what % 5 == 0)
			iprclient_take(w.ipr, &m);
		else if (what % 5 == 1)
			deliver(&w, data, n, now);
		else if (what % 5 == 2)
			mixclient_deliver(w.mix, copy, n, now);
		else if (what % 5 == 3)
			(void)!iprclient_send(w.ipr, copy, n);
		else
			now += (int64_t)n * what;
		iprclient_tick(w.ipr, now);
		mixclient_tick(w.mix, now);
		if (iprclient_deadline(w.ipr) < 0)
			abort();
		data += n;
		len -= n;
	}
	iprclient_free(w.ipr);
	mixclient_free(w.mix);
	return 0;
}
