/* Any messages on an owner's channel and as control messages on its link, with
 * and without a descriptor.  Records of the input: length, kind, bytes. */
#define RIG_PLAIN
#include "tests/unit/stack_rig.h"

#include "tests/fuzz/fuzz.h"

static void
send_raw(const uint8_t *p, size_t n, int fd)
{
	char room[CMSG_SPACE(sizeof(int))] = { 0 };
	struct iovec iov = { (void *)(uintptr_t)p, n };
	struct msghdr h = { .msg_iov = &iov, .msg_iovlen = 1 };

	if (fd >= 0) {
		h.msg_control = room;
		h.msg_controllen = sizeof(room);
		CMSG_FIRSTHDR(&h)->cmsg_level = SOL_SOCKET;
		CMSG_FIRSTHDR(&h)->cmsg_type = SCM_RIGHTS;
		CMSG_FIRSTHDR(&h)->cmsg_len = CMSG_LEN(sizeof(int));
		memcpy(CMSG_DATA(CMSG_FIRSTHDR(&h)), &fd, sizeof(int));
	}
	(void)!sendmsg(rig.chan, &h, MSG_NOSIGNAL | MSG_DONTWAIT);
}

/* The input's bytes over a message that would be in order. */
static void
one(const uint8_t *p, size_t n, uint8_t kind)
{
	struct {
		struct owner_msg m;
		uint8_t payload[256];
	} msg = { .m = { .magic = OWNER_MAGIC, .cookie = 1 + (kind >> 6) } };
	struct link_control c = { .op = kind & 7, .arg = kind >> 5 };
	size_t len = n < sizeof(msg) - 4 ? n : sizeof(msg) - 4;
	int fd[2] = { -1, -1 };

	if ((kind & 8) != 0) {
		rig_pair((kind & 16) != 0 ? SOCK_STREAM : SOCK_SEQPACKET, fd);
		(void)!send(fd[0], p, n, MSG_DONTWAIT | MSG_NOSIGNAL);
	}
	if ((kind & 32) != 0) {
		if (n > LINK_PAYLOAD_MAX)
			n = LINK_PAYLOAD_MAX;
		c.len = (uint32_t)n;
		(void)!link_send_control(rig.link, &c, p, fd[1]);
	} else {
		/* After the magic; the length field is put right. */
		memcpy((uint8_t *)&msg + 4, p, len);
		msg.m.cookie &= 3;
		msg.m.len = len + 4 > sizeof(msg.m) ?
		    (uint32_t)(len + 4 - sizeof(msg.m)) : 0;
		send_raw((const uint8_t *)&msg, sizeof(msg.m) + msg.m.len,
		    fd[1]);
	}
	if (fd[0] >= 0) {
		close(fd[0]);
		close(fd[1]);
	}
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	rig_up_mtu(65535);
	(void)!loop_run_once(&rig.loop, 0);
	while (len >= 2) {
		size_t n = data[0];
		uint8_t kind = data[1];

		data += 2;
		len -= 2;
		if (n > len)
			n = len;
		one(data, n, kind);
		(void)!loop_run_once(&rig.loop, 0);
		data += n;
		len -= n;
	}
	send_raw(data, len, -1);
	for (int i = 0; i < 4; i++)
		(void)!loop_run_once(&rig.loop, 0);
	(void)rig_down(NULL);
	return 0;
}
