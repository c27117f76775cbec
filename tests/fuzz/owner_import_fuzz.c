/*
 * A handover whose sender lies.  The input is a list of records over a stream
 * that is in order: kind, length, then bytes laid over the fields; or raw.
 */
#define RIG_PLAIN
#include "tests/unit/stack_rig.h"

#include "stack/owner_image.h"
#include "tests/fuzz/fuzz.h"

static void
send_image(int out, uint32_t kind, const void *p, size_t n, int fd, int fd2)
{
	struct image_head h = {
		.magic = IMAGE_MAGIC, .kind = kind, .len = (uint32_t)n,
	};
	char room[CMSG_SPACE(2 * sizeof(int))] = { 0 };
	struct iovec iov[2] = {
		{ &h, sizeof(h) }, { (void *)(uintptr_t)p, n },
	};
	struct msghdr m = { .msg_iov = iov, .msg_iovlen = 2 };
	unsigned fds = fd2 >= 0 ? 2 : 1;

	if (fd >= 0) {
		int both[2] = { fd, fd2 };

		m.msg_control = room;
		m.msg_controllen = CMSG_SPACE(fds * sizeof(int));
		CMSG_FIRSTHDR(&m)->cmsg_level = SOL_SOCKET;
		CMSG_FIRSTHDR(&m)->cmsg_type = SCM_RIGHTS;
		CMSG_FIRSTHDR(&m)->cmsg_len = CMSG_LEN(fds * sizeof(int));
		memcpy(CMSG_DATA(CMSG_FIRSTHDR(&m)), both, fds * sizeof(int));
	}
	(void)!sendmsg(out, &m, MSG_DONTWAIT | MSG_NOSIGNAL);
}

/* A flow in the middle of its life, with the input's bytes laid over it. */
static void
send_flow(int out, const uint8_t *p, size_t n, uint8_t seed)
{
	struct image_flow im = {
		.cookie = 100u + seed % 4, .local = rig.config.inner4,
		.peer = rig_dst(7), .state = OWNER_CONNECTED, .has_far = 1,
		.tcp = { .state = ESTABLISHED, .base = 1000, .snd_nxt = 1000,
		    .rcv_nxt = 5000, .snd_wnd = 100000, .snd_wnd_max = 100000,
		    .rcv_right = 70000, .cwnd = 65000, .ssthresh = 65000,
		    .mss = 1460, .rto = 3, .snd_scale = 5, .rcv_scale = 5,
		    .flags = TF_WND_SCALE },
	};
	int fd[2];

	im.local.port = (uint16_t)(20000 + seed);
	/* (offset, value) pairs, so that small inputs reach every field. */
	for (; n >= 2; p += 2, n -= 2)
		((uint8_t *)&im)[p[0] % sizeof(im)] = p[1];
	rig_pair(im.dgram ? SOCK_SEQPACKET : SOCK_STREAM, fd);
	(void)!send(fd[0], "abc", 3, MSG_DONTWAIT | MSG_NOSIGNAL);
	send_image(out, IMAGE_FLOW, &im, sizeof(im), fd[1],
	    (seed & 1) != 0 ? fd[0] : -1);
	close(fd[0]);
	close(fd[1]);
}

static void
send_record(int out, uint8_t kind, const uint8_t *p, size_t n)
{
	struct image_option opt = { 0 };
	struct image_drain drain = { 5 };
	int fd[2];

	switch (kind & 15) {
	case IMAGE_FLOW:
	case 10:
	case 11:
		send_flow(out, p, n, kind >> 4);
		break;
	case IMAGE_OPTION:
		memcpy(&opt, p, n < sizeof(opt) ? n : sizeof(opt));
		send_image(out, IMAGE_OPTION, &opt, sizeof(opt), -1, -1);
		break;
	case IMAGE_DRAIN:
		rig_pair(SOCK_SEQPACKET, fd);
		send_image(out, IMAGE_DRAIN, &drain, sizeof(drain), fd[1], -1);
		close(fd[0]);
		close(fd[1]);
		break;
	default:
		send_image(out, kind & 15, p, n, -1, -1);
		break;
	}
}

static struct owner *imported;
static bool told;

static void
import_done(void *arg, struct owner *o)
{
	(void)arg;
	imported = o;
	told = true;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct image_owner im = { .id = 2, .next_port = 21000, .configured = 1 };
	struct owner_import *import;
	int in[2], link[2], chan[2];

	rig_up_mtu(65535);
	(void)!loop_run_once(&rig.loop, 0);
	im.config = rig.config;
	rig_pair(SOCK_SEQPACKET, in);
	rig_pair(SOCK_SEQPACKET, link);
	rig_pair(SOCK_SEQPACKET, chan);
	send_image(in[0], IMAGE_OWNER, &im, sizeof(im), link[1], chan[1]);
	for (int i = 0; len >= 2 && i < 100; i++) {
		size_t n = data[1];

		if (n > len - 2)
			n = len - 2;
		send_record(in[0], data[0], data + 2, n);
		data += 2 + n;
		len -= 2 + n;
	}
	send_image(in[0], IMAGE_END, NULL, 0, -1, -1);
	close(in[0]);
	imported = NULL;
	told = false;
	import = owner_import_start(&rig.loop, in[1], 2, &rig.config, NULL,
	    NULL, import_done);
	for (int i = 0; i < 9; i++) {
		(void)!loop_run_once(&rig.loop, 0);
		rig.loop.now_ms += 300;
	}
	/* No end marker: it waits, and is given up. */
	if (!told)
		owner_import_cancel(import);
	owner_free(imported);
	close(link[0]);
	close(link[1]);
	close(chan[0]);
	close(chan[1]);
	(void)rig_down(NULL);
	return 0;
}
