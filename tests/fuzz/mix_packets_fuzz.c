/* Everything that is parsed inside packets and around them; the first byte
 * chooses the parser.  What reads must write the same bytes again. */
#include <stdlib.h>
#include <string.h>

#include "mix/ack.h"
#include "mix/frag.h"
#include "mix/nymaddr.h"
#include "mix/nymmsg.h"
#include "mix/nympkt.h"
#include "mix/prim.h"
#include "mix/reasm.h"
#include "tests/fuzz/fuzz.h"

static void
fuzz_message(const uint8_t *data, size_t len)
{
	struct reply_surb s;
	struct nymmsg m;

	if (nymmsg_get(&m, data, len) != SW_OK)
		return;
	for (size_t i = 0; i < m.n_surbs; i++)
		if (nymmsg_get_surb(&m, i, &s) != SW_OK)
			break;
	if (m.data_len > len)
		abort();
}

static void
fuzz_frames(const uint8_t *data, size_t len)
{
	struct rbuf r = { data, len };
	struct nympkt_frame f;
	struct sw_addr first;
	const uint8_t *pkt;
	uint8_t rotation;
	size_t n;

	while (nympkt_get_frame(&r, &f, &pkt, &n) == SW_OK)
		if (nympkt_size_of(n) != f.size)
			abort();
	for (int labelled = 0; labelled < 2; labelled++)
		if (nympkt_get_mix(data, len, labelled, &rotation, &first,
		    &pkt, &n) == SW_OK && nympkt_size_of(n) == 0)
			abort();
}

/* Small fragments in any order: 2 bytes of length, then the fragment. */
static void
fuzz_reassembly(const uint8_t *data, size_t len)
{
	struct reasm *r = reasm_new(40, 64, 1000);
	struct rbuf in = { data, len };
	const uint8_t *frag, *msg;
	int64_t now = 0;
	uint8_t head;
	size_t n;

	if (r == NULL)
		abort();
	while (wire_get_u8(&in, &head) == SW_OK) {
		size_t take = head % 44;

		if (wire_get_ref(&in, take, &frag) != SW_OK)
			break;
		if (reasm_add(r, frag, take, now, &msg, &n) == SW_OK &&
		    n > 64 * 40)
			abort();
		now += head;
		reasm_tick(r, now);
	}
	reasm_free(r);
}

static void
fuzz_names(const uint8_t *data, size_t len)
{
	uint8_t out[32];
	char text[256], again[RECIPIENT_TEXT_LEN];
	struct frag_head h;
	struct recipient rec;
	struct sw_addr a;
	struct wbuf w;
	struct rbuf r = { data, len };

	if (frag_get_head(&r, &h) == SW_OK) {
		w = (struct wbuf){ out, sizeof(out) };
		if (frag_put_head(&w, &h) != SW_OK ||
		    memcmp(out, data, sizeof(out) - w.left) != 0)
			abort();
	}
	r = (struct rbuf){ data, len };
	if (nymaddr_get_node(&r, &a) == SW_OK) {
		w = (struct wbuf){ out, sizeof(out) };
		if (nymaddr_put_node(&w, &a) != SW_OK)
			abort();
	}
	if (len < sizeof(text)) {
		memcpy(text, data, len);
		text[len] = '\0';
		if (recipient_parse(&rec, text) == SW_OK)
			recipient_format(again, &rec);
	}
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	if (len == 0 || prim_init() != SW_OK)
		return 0;
	switch (data[0] % 4) {
	case 0:
		fuzz_message(data + 1, len - 1);
		break;
	case 1:
		fuzz_frames(data + 1, len - 1);
		break;
	case 2:
		fuzz_reassembly(data + 1, len - 1);
		break;
	default:
		fuzz_names(data + 1, len - 1);
	}
	return 0;
}
