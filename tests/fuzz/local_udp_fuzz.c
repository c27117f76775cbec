/*
 * What a program may say about a datagram socket on loopback: requests, and
 * records in its pair.  Input: pieces of a kind byte, a length byte and that
 * many bytes; the kind says request, record, or a turn of the loop.  Whatever
 * comes, the socket sends to loopback only, which the kernel is asked at the
 * end: no peer, and no name, but on loopback.
 */
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "stack/local_udp.h"
#include "stack/owner_proto.h"
#include "tests/fuzz/fuzz.h"

#define PIECES_MAX 64

static struct loop loop;
static struct local_udp_set set = { .loop = &loop };

static struct owner_msg
request_of(int app, const uint8_t *p, size_t len)
{
	struct owner_msg m = { .op = OWNER_STATE };
	socklen_t n = sizeof(m.cookie);

	memcpy(&m, p, len < sizeof(m) ? len : sizeof(m));
	m.magic = OWNER_MAGIC;
	m.len = 0;
	if (getsockopt(app, SOL_SOCKET, SO_COOKIE, &m.cookie, &n) != 0)
		abort();
	return m;
}

/* A name is loopback's, or none. */
static void
look(int app)
{
	struct owner_msg m = request_of(app, (const uint8_t *)"", 0);
	struct {
		struct owner_reply rep;
		struct owner_state s;
	} got;
	int pair[2];

	m.op = OWNER_STATE;
	if (socketpair(AF_UNIX, SOCK_SEQPACKET, 0, pair) != 0)
		abort();
	local_udp_request(&set, (const uint8_t *)&m, sizeof(m), pair[1]);
	if (recv(pair[0], &got, sizeof(got), MSG_DONTWAIT) != sizeof(got) ||
	    (!addr_is_any(&got.s.local) && !addr_is_loopback(&got.s.local)) ||
	    (got.s.state == OWNER_CONNECTED && !addr_is_loopback(&got.s.peer)))
		abort();
	close(pair[0]);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct owner_msg m;
	int app, pieces = 0;

	if (len == 0)
		return 0;
	if (loop.now_ms == 0 && loop_init(&loop) != SW_OK)
		abort();
	if ((app = local_udp_open(&set, data[0] & 1)) < 0)
		abort();
	for (size_t at = 1; at < len && len - at >= 2 &&
	    pieces++ < PIECES_MAX;) {
		uint8_t kind = data[at];
		size_t n = data[at + 1];

		at += 2;
		n = n < len - at ? n : len - at;
		m = request_of(app, data + at, n);
		if (kind % 4 == 0)
			local_udp_request(&set, data + at, n, -1);
		else if (kind % 4 == 1)
			local_udp_request(&set, (const uint8_t *)&m, sizeof(m),
			    -1);
		else if (kind % 4 == 2)
			(void)send(app, data + at, n, MSG_DONTWAIT);
		if (loop_run_once(&loop, 0) != SW_OK)
			abort();
		at += n;
	}
	look(app);
	close(app);
	local_udp_wipe(&set);
	return 0;
}
