/*
 * What a gateway and its client say to each other, and the IPR's messages and
 * topology files; the first byte chooses.  What reads must write the same
 * again where the form is canonical.
 */
#include <stdlib.h>
#include <string.h>

#include "mix/directory.h"
#include "mix/gwlink.h"
#include "mix/gwmsg.h"
#include "mix/gwserver.h"
#include "mix/iprmsg.h"
#include "mix/ipsum.h"
#include "mix/nympkt.h"
#include "mix/topology.h"
#include "mix/ws.h"
#include "tests/fuzz/fuzz.h"

static struct rng_seeded rng;

static void
fuzz_json(const uint8_t *data, size_t len)
{
	char text[GWMSG_TEXT_MAX];
	struct gwmsg m, again;
	size_t n;

	if (gwmsg_read(&m, (const char *)data, len) != SW_OK ||
	    gwmsg_write(&m, text, sizeof(text), &n) != SW_OK)
		return;
	if (gwmsg_read(&again, text, n) != SW_OK || again.type != m.type)
		abort();
}

static void
opened(void *arg)
{
	(void)arg;
}

static void
message(void *arg, bool binary, uint8_t *data, size_t n)
{
	(void)binary;
	if (n > 0)
		data[n - 1] ^= *(uint8_t *)arg;
}

/* As a server, whole; as a client whose upgrade is done, in two pieces. */
static void
fuzz_websocket(const uint8_t *data, size_t len)
{
	static const struct ws_events events = { opened, message };
	static const char upgrade[] = "GET / HTTP/1.1\r\n"
	    "Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n";
	uint8_t salt = 1;
	struct ws *w = ws_new(NULL, &events, &salt, &rng.rng);
	struct rbuf in = { data, len };

	if (w == NULL)
		abort();
	(void)!ws_feed(w, &in);
	ws_free(w);
	w = ws_new(NULL, &events, &salt, &rng.rng);
	in = (struct rbuf){ (const uint8_t *)upgrade, sizeof(upgrade) - 1 };
	if (w == NULL || ws_feed(w, &in) != SW_OK)
		abort();
	in = (struct rbuf){ data, len / 2 };
	if (ws_feed(w, &in) == SW_OK) {
		in = (struct rbuf){ data + len / 2, len - len / 2 };
		(void)!ws_feed(w, &in);
	}
	ws_free(w);
}

static void
fuzz_ipr(const uint8_t *data, size_t len)
{
	struct iprmsg_request q;
	struct iprmsg_response a;
	struct iprmsg_stream s;
	struct rbuf r = { data, len };
	uint8_t *out = malloc(len + 64), *copy = malloc(len + 1);
	const uint8_t *pkt;
	struct wbuf w = { out, len + 64 };
	size_t n;

	if (out == NULL || copy == NULL)
		abort();
	(void)!iprmsg_get_stream(&r, &s);
	if (iprmsg_get_request(&q, data, len) == SW_OK &&
	    iprmsg_put_request(&w, &q) != SW_OK)
		abort();
	if (iprmsg_get_response(&a, data, len) == SW_OK &&
	    a.bundle_len > len)
		abort();
	r = (struct rbuf){ data, len };
	while (iprmsg_get_packet(&r, &pkt, &n) == SW_OK)
		(void)ipsum_is_right(pkt, n);
	memcpy(copy, data, len);
	ipsum_fill(copy, len);
	if (ipsum_is_right(data, len) != ipsum_is_right(data, len))
		abort();
	free(out);
	free(copy);
}

static int
host_send(void *arg, bool binary, const void *data, size_t n)
{
	(void)arg;
	(void)binary;
	(void)data;
	(void)n;
	return SW_OK;
}

static struct gwserver_account *
host_account(void *arg, const uint8_t identity[32], bool create)
{
	(void)identity;
	(void)create;
	return arg;
}

static void
host_joined(void *arg, struct gwserver_account *a)
{
	(void)arg;
	(void)a;
}

static void
host_forget(void *arg, struct gwserver_account *a)
{
	(void)arg;
	(void)a;
}

static void
host_forward(void *arg, const struct sw_addr *first, uint8_t rotation,
    const uint8_t *pkt, size_t len)
{
	(void)arg;
	(void)first;
	if (rotation > NYMPKT_ROTATION_EVEN || nympkt_size_of(len) == 0 ||
	    pkt == NULL)
		abort();
}

static int64_t
host_unix_now(void *arg)
{
	(void)arg;
	return 1750000000;
}

/* A joined client that sends what it likes inside a frame that opens. */
static void
fuzz_session(const uint8_t *data, size_t len)
{
	static const struct gwserver_host host = { host_send, host_account,
		host_joined, host_forget, host_forward, host_unix_now };
	struct gwserver_account account = { .available = 1 << 20,
		.day = 1750000000 / 86400 };
	static const uint8_t seed[32] = { 3 };
	struct gwserver g;
	uint8_t *frame;

	gwserver_init(&g, seed, &host, &account, &rng.rng, 0);
	frame = malloc(len + GWLINK_FRAME_OVERHEAD);
	if (frame == NULL)
		abort();
	memcpy(frame, data, len);
	(void)!gwserver_take(&g, false, frame, len, 0);
	g.state = GWSERVER_JOINED;
	g.account = &account;
	memcpy(frame, data, len);
	(void)!gwserver_take(&g, true, frame, len, 0);
	memcpy(frame + GWLINK_FRAME_HEAD_LEN, data, len);
	gwlink_seal(frame, len, GWLINK_FORWARD_LABELLED, account.key,
	    &rng.rng);
	(void)!gwserver_take(&g, true, frame, len + GWLINK_FRAME_OVERHEAD, 0);
	free(frame);
}

static void
fuzz_directory(const uint8_t *data, size_t len)
{
	static struct topology_node node = { .id = 1, .entry = true };
	static struct topology t = { .n = 1, .node = &node };
	struct directory d = { .topology = &t };
	size_t n, took;
	char *out;
	bool last;

	if (directory_answer(&d, data, len, &took, &out, &n, &last) ==
	    SW_OK && (strlen(out) != n || took == 0 || took > len))
		abort();
	free(out);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct topology *t;

	if (len == 0 || prim_init() != SW_OK)
		return 0;
	rng_seeded_init(&rng, (const uint8_t[32]){ 1 });
	switch (data[0] % 6) {
	case 0:
		fuzz_json(data + 1, len - 1);
		break;
	case 1:
		fuzz_websocket(data + 1, len - 1);
		break;
	case 2:
		fuzz_ipr(data + 1, len - 1);
		break;
	case 3:
		fuzz_session(data + 1, len - 1);
		break;
	case 5:
		fuzz_directory(data + 1, len - 1);
		break;
	default:
		if (topology_parse(&t, (const char *)data + 1, len - 1) ==
		    SW_OK)
			topology_free(t);
	}
	return 0;
}
