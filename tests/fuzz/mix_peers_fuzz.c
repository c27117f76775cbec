/*
 * Whole engines and a peer that says what it likes: a client and its gateway
 * (before and after they share a key), a gateway and a stranger who begins to
 * register, an exit and its clients.
 *
 * The input is a script after a first byte that chooses: a byte for what to do,
 * two for a length, that many bytes.
 */
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/wire.h"
#include "mix/gwclient.h"
#include "mix/gwserver.h"
#include "mix/iprexit.h"
#include "mix/prim.h"
#include "tests/fuzz/fuzz.h"
#include "tests/rig/nowhere.h"

#define STEPS 200

static struct rng_seeded rng;
static uint8_t copy[65536];

/* The next step of the script, its bytes in `copy`; false: it is over. */
static bool
next(struct rbuf *in, uint8_t *what, size_t *n)
{
	const uint8_t *p;
	uint16_t len;

	if (wire_get_u8(in, what) != SW_OK ||
	    wire_get_u16be(in, &len) != SW_OK)
		return false;
	*n = len < in->left ? len : in->left;
	if (wire_get_ref(in, *n, &p) != SW_OK)
		abort();
	memcpy(copy, p, *n);
	return true;
}

/* --- a client, and a gateway that is none ------------------------------- */

struct client {
	struct gwclient gw;
	bool over;
};

static int
client_send(void *arg, bool binary, const void *data, size_t n)
{
	(void)binary;
	if (((struct client *)arg)->over || data == NULL || n == 0)
		abort();
	return SW_OK;
}

static void
client_ready(void *arg)
{
	if (((struct client *)arg)->over)
		abort();
}

static void
client_pushed(void *arg, uint8_t *data, size_t n)
{
	if (((struct client *)arg)->over)
		abort();
	if (n > 0)
		data[n - 1] ^= 1;
}

static void
client_failed(void *arg, int err)
{
	struct client *c = arg;

	if (c->over || err == SW_OK)
		abort();
	c->over = true;
}

/* A frame that opens, if there is a key. */
static void
push(struct client *c, size_t n, int64_t now)
{
	static uint8_t frame[GWLINK_FRAME_OVERHEAD + sizeof(copy)];

	memcpy(frame + GWLINK_FRAME_HEAD_LEN, copy, n);
	gwlink_seal(frame, n, GWLINK_PUSH, c->gw.key, &rng.rng);
	gwclient_take(&c->gw, true, frame, n + GWLINK_FRAME_OVERHEAD, now);
}

static void
fuzz_client(struct rbuf *in, bool known)
{
	static const struct gwclient_events events = {
		client_send, client_ready, client_pushed, client_failed,
	};
	static const uint8_t seed[32] = { 1 }, key[32] = { 7 };
	struct sw_addr first = addr_v4(0x0a000001, 1789);
	struct client c = { .over = false };
	uint8_t gateway[32], what, pkt[2413] = { 0 };
	int64_t now = 1000;
	size_t n;

	prim_ed25519_public(gateway, (const uint8_t[32]){ 2 });
	gwclient_init(&c.gw, seed, gateway, known ? key : NULL, 1750000000,
	    &events, &c, &rng.rng);
	gwclient_start(&c.gw, now);
	for (int i = 0; i < STEPS && next(in, &what, &n); i++) {
		switch (what % 5) {
		case 0:
		case 1:
			gwclient_take(&c.gw, what % 5 == 1, copy, n, now);
			break;
		case 2:
			push(&c, n, now);
			break;
		case 3:
			(void)!gwclient_forward(&c.gw, &first, 1, pkt,
			    sizeof(pkt));
			break;
		default:
			now += (int64_t)n;
			gwclient_tick(&c.gw, now);
		}
		if (c.over && gwclient_deadline(&c.gw) != SW_NEVER)
			abort();
	}
	gwclient_wipe(&c.gw);
}

/* --- a gateway, and a stranger ------------------------------------------ */

struct gateway {
	struct gwserver gw;
	struct gwserver_account account;
	bool has_account;
};

static int
host_send(void *arg, bool binary, const void *data, size_t n)
{
	(void)arg;
	if (binary || data == NULL || n == 0)
		abort();
	return SW_OK;
}

static struct gwserver_account *
host_account(void *arg, const uint8_t identity[static 32], bool create)
{
	struct gateway *g = arg;

	if (create) {
		memcpy(g->account.identity, identity, 32);
		g->has_account = true;
	}
	return g->has_account ? &g->account : NULL;
}

static void
host_joined(void *arg, struct gwserver_account *a)
{
	if (a != &((struct gateway *)arg)->account)
		abort();
}

static void
host_forget(void *arg, struct gwserver_account *a)
{
	host_joined(arg, a);
	((struct gateway *)arg)->has_account = false;
}

static void
host_forward(void *arg, const struct sw_addr *first, uint8_t rotation,
    const uint8_t *pkt, size_t len)
{
	(void)arg;
	(void)first;
	(void)rotation;
	if (pkt == NULL || len == 0)
		abort();
}

static int64_t
host_unix_now(void *arg)
{
	(void)arg;
	return 1750000000;
}

static void
fuzz_gateway(struct rbuf *in)
{
	static const struct gwserver_host host = { host_send, host_account,
		host_joined, host_forget, host_forward, host_unix_now };
	static const uint8_t seed[32] = { 2 };
	struct gateway g = { .has_account = false };
	uint8_t what;
	size_t n;

	gwserver_init(&g.gw, seed, &host, &g, &rng.rng, 0);
	for (int i = 0; i < STEPS && next(in, &what, &n); i++)
		if (gwserver_take(&g.gw, what % 2 == 1, copy, n, 0) != SW_OK)
			break;
	gwserver_wipe(&g.gw);
}

static void
exit_packet(void *arg, const uint8_t *pkt, size_t len)
{
	struct iprexit *x = *(struct iprexit **)arg;
	struct sw_addr to = addr_v4(0, 0);

	if (len < 20)
		abort();
	memcpy(to.ip + 12, pkt + 12, 4);
	(void)!iprexit_send(x, &to, pkt, len);
}

static void
exit_gone(void *arg, const struct sw_addr *ip4, const struct sw_addr *ip6)
{
	(void)arg;
	if (!addr_is_v4(ip4) || addr_is_v4(ip6))
		abort();
}

/* The low bits of a step say which of four clients speaks. */
static void
fuzz_exit(struct rbuf *in)
{
	static const struct iprexit_events events = {
		exit_packet, exit_gone, nowhere_writable,
	};
	struct mixclient_config mc = { .profile = mix_profile_find("raw"),
	    .events = &nowhere_mix, .rng = &rng.rng, .pool = 64, .peers = 8 };
	static struct mixclient *mix;	/* large, and only asked for SURBs */
	struct iprexit *x = NULL;
	struct iprexit_config cfg = { .events = &events, .arg = &x,
	    .rng = &rng.rng };
	int64_t now = 1000;
	uint8_t what;
	size_t n;

	if (mix == NULL)
		mix = mixclient_new(&mc);
	cfg.mix = mix;
	if (mix == NULL || (x = iprexit_new(&cfg)) == NULL)
		abort();
	for (int i = 0; i < STEPS && next(in, &what, &n); i++) {
		uint8_t tag[NYMMSG_TAG_LEN] = { what & 3 };
		struct nymmsg m = { .kind = what & 4 ? NYMMSG_REPLY :
		    NYMMSG_DATA, .tag = tag, .data = copy, .data_len = n };

		if ((what & 0xf8) != 0)
			now += (int64_t)(what >> 3) * 1000;
		iprexit_take(x, &m, now);
		iprexit_tick(x, now);
		if (iprexit_stats(x)->clients > 4)
			abort();
	}
	iprexit_free(x);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	static bool ready;
	struct rbuf in;

	if (!ready && prim_init() != SW_OK)
		abort();
	ready = true;
	if (len == 0)
		return 0;
	rng_seeded_init(&rng, (const uint8_t[32]){ 1 });
	in = (struct rbuf){ data + 1, len - 1 };
	if (data[0] % 4 < 2)
		fuzz_client(&in, data[0] % 4 == 1);
	else if (data[0] % 4 == 2)
		fuzz_gateway(&in);
	else
		fuzz_exit(&in);
	return 0;
}
