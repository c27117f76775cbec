/* The first byte picks what a node, a directory or an exit reads from
 * strangers: Noise frames raw and under the right key, HTTP both ways,
 * announcements, policies, IP packets, frames between nodes. */
#include <stdlib.h>
#include <string.h>

#include "mix/announce.h"
#include "mix/exitpolicy.h"
#include "mix/gwmsg.h"
#include "mix/httpreq.h"
#include "mix/httpres.h"
#include "mix/ipflow.h"
#include "mix/ipsum.h"
#include "mix/mixnode.h"
#include "mix/netreg.h"
#include "mix/noise.h"
#include "mix/prim.h"
#include "tests/fuzz/fuzz.h"

static struct rng_seeded rng;

static void
drain(struct noise *n, uint8_t *p, size_t len)
{
	struct rbuf r = { p, len };
	uint8_t *plain, out[NOISE_HANDSHAKE_MAX];
	size_t got;
	int err;

	while ((err = noise_take(n, &r, &plain, &got)) == SW_OK)
		if (noise_say(n, out, &got) != SW_OK)
			break;
	if (err == SW_AGAIN && r.left > 65535 + NOISE_HEAD_LEN)
		abort();
}

/* Both ends up, then what the fuzzer says, sealed. */
static void
fuzz_noise(const uint8_t *data, size_t len, bool sealed)
{
	uint8_t sk[32], pk[32], frame[NOISE_HANDSHAKE_MAX], *buf, *plain;
	struct noise a, b;
	struct wbuf w;
	struct rbuf r;
	size_t n;

	if (len > NOISE_PLAIN_MAX)
		return;
	buf = malloc(len + 64);
	rng_fill(&rng.rng, sk, sizeof(sk));
	prim_x25519_base(pk, sk);
	noise_init(&b, false, sk, pk, &rng.rng);
	rng_fill(&rng.rng, sk, sizeof(sk));
	noise_init(&a, true, sk, pk, &rng.rng);
	for (int i = 0; sealed && i < 3; i++) {
		if (noise_say(i == 1 ? &b : &a, frame, &n) != SW_OK)
			abort();
		r = (struct rbuf){ frame, n };
		if (noise_take(i == 1 ? &a : &b, &r, &plain, &n) != SW_OK)
			abort();
	}
	w = (struct wbuf){ buf, len + 64 };
	if (!sealed) {
		memcpy(buf, data, len);
		drain(&b, buf, len);
	} else if (noise_seal(&a, &w, data, len) != SW_OK) {
		abort();
	} else {
		r = (struct rbuf){ buf, (size_t)(w.p - buf) };
		if (noise_take(&b, &r, &plain, &n) != SW_OK || n != len ||
		    memcmp(plain, data, len) != 0)
			abort();
	}
	noise_wipe(&a);
	noise_wipe(&b);
	free(buf);
}

static void
fuzz_http(const uint8_t *data, size_t len)
{
	struct httpreq q;
	struct httpres a;

	if (httpreq_read(&q, data, len) == SW_OK && (q.len > len ||
	    q.body_len > q.len || q.path[0] != '/'))
		abort();
	if (httpres_read(&a, data, len) == SW_OK && (a.len > len ||
	    a.body_len > a.len || a.status < 100))
		abort();
}

/* Also with a signature that is right. */
static void
fuzz_announce(const uint8_t *data, size_t len)
{
	struct announce a = { .mixnode = true, .n_sphinx = 1 };
	uint8_t seed[32] = { 7 };
	struct netreg *r = netreg_new(100);
	struct topology *t;
	char *text;

	(void)!netreg_take(r, (const char *)data, len, 1750000000);
	a.mix = addr_v4(0x0a000001, 1);
	a.unix_s = 1750000000;
	prim_x25519_base(a.sphinx[0].key, seed);
	if (len > 3) {
		memcpy(a.host, data, len < 250 ? len : 250);
		a.mix.port = (uint16_t)(data[0] << 8 | data[1]);
	}
	if (announce_write(&a, seed, &text) == SW_OK) {
		(void)!netreg_take(r, text, strlen(text), 1750000000);
		free(text);
	}
	if (netreg_topology(r, 0, 0, 1750000000, &t) != SW_OK)
		abort();
	topology_free(t);
	netreg_free(r);
}

static void
fuzz_policy(const uint8_t *data, size_t len)
{
	struct exitpolicy *p = exitpolicy_new(len % 2 == 0);
	struct sw_addr a = addr_v4(0x01010101, 80);
	unsigned line;

	(void)!exitpolicy_parse(p, (const char *)data, len, &line);
	exitpolicy_allows(p, &a);
	if (len >= 16)
		memcpy(a.ip, data, 16);
	exitpolicy_allows(p, &a);
	exitpolicy_free(p);
}

static void
fuzz_packet(const uint8_t *data, size_t len)
{
	uint8_t out[IPFLOW_ERROR_MAX];
	struct ipflow f, back;
	size_t n;

	if (ipflow_read(&f, data, len) != SW_OK)
		return;
	n = ipflow_refuse(out, &f, data, len);
	if (n > 0 && (ipflow_read(&back, out, n) != SW_OK ||
	    !ipsum_is_right(out, n) ||
	    !addr_same_ip(&back.dst, &f.src)))
		abort();
}

static void
on_emit(void *arg, const struct sw_addr *next, const struct nympkt_frame *f,
    const uint8_t *pkt, size_t len)
{
	(void)arg;
	(void)next;
	(void)f;
	(void)pkt;
	(void)len;
}

static void
on_deliver(void *arg, const uint8_t dest[SPHINX_DEST_LEN], uint8_t *data,
    size_t n)
{
	(void)arg;
	(void)dest;
	(void)data;
	(void)n;
}

/* A stream of frames, as a link gives them. */
static void
fuzz_frames(const uint8_t *data, size_t len)
{
	static const struct mixnode_events events = {
		on_emit, on_deliver, NULL,
	};
	struct mixnode_config cfg = { .sk = { 3 }, .rotation_id = 1,
	    .mix = true, .gateway = true, .queue = 4,
	    .replay_limit = 1 << 16, .events = &events };
	struct mixnode *m = mixnode_new(&cfg);
	uint8_t *copy = malloc(len + 1);
	struct rbuf r = { copy, len };
	struct nympkt_frame f;
	const uint8_t *pkt;
	size_t n;

	memcpy(copy, data, len);
	while (nympkt_get_frame(&r, &f, &pkt, &n) == SW_OK)
		mixnode_take(m, &(struct mixnode_packet){ f,
		    (uint8_t *)(uintptr_t)pkt, n }, 1, 0);
	mixnode_tick(m, INT64_MAX);
	mixnode_free(m);
	free(copy);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	enum gwmsg_wish wish;

	if (len == 0 || prim_init() != SW_OK)
		return 0;
	rng_seeded_init(&rng, (const uint8_t[32]){ 1 });
	switch (data[0] % 8) {
	case 0:
		fuzz_noise(data + 1, len - 1, false);
		break;
	case 1:
		fuzz_noise(data + 1, len - 1, true);
		break;
	case 2:
		fuzz_http(data + 1, len - 1);
		break;
	case 3:
		fuzz_announce(data + 1, len - 1);
		break;
	case 4:
		fuzz_policy(data + 1, len - 1);
		break;
	case 5:
		fuzz_packet(data + 1, len - 1);
		break;
	case 6:
		fuzz_frames(data + 1, len - 1);
		break;
	default:
		(void)!gwmsg_read_wish(&wish, (const char *)data + 1,
		    len - 1);
	}
	return 0;
}
