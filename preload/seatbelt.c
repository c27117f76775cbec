/*
 * Theory of operation.  Classic BPF over struct seccomp_data, written by hand
 * because a filter this small is easier to check than a library that makes it.
 * Each instruction stands at its number, and jumps name the place they go to,
 * so the table can be reordered without counting.
 *
 * The calls below alone have arguments looked at.  C ints: the kernel ignores
 * the upper halves, and so does the filter; a pointer has both.  Numbers are
 * compared before any argument is loaded, which lets the kernel (5.11 and
 * later) skip the program for every other system call.  To learn which, it
 * runs the program once for every number of both entries: that is most of what
 * fastening costs, so ordinary numbers take a short way.
 *
 * No rule is needed for connect, sendto and their kin: without an inet socket
 * they reach nothing.  A TIPC pair could send anywhere, other pairs cannot.
 * Streams that the session grants are pinned to the loopback device; only root
 * could move them elsewhere, and may not.  Datagram sockets it keeps.
 *
 * request_key() with a text for the helper: the kernel starts /sbin/request-key
 * outside every namespace of the program's, and for keys of type dns_resolver
 * that looks the name up by the machine's own network.
 *
 * setns(): root, who is isolated without a user namespace, could go back to the
 * machine's network with a socket of any kind, as `ip netns exec` does.
 *
 * socketcall(), by which libc makes sockets for 32-bit programs, hides from the
 * filter what it asks for.  It does not exist, but for the isolated: their
 * internet sockets lead into the tunnel, and the few families that know no
 * namespaces (vsock) are the price for running such programs at all.  So is
 * what root could do with setsockopt() by it: untie a granted stream.
 */
#include "preload/seatbelt.h"

#include <errno.h>
#include <linux/audit.h>
#include <linux/netlink.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <stdint.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#if __BYTE_ORDER__ != __ORDER_LITTLE_ENDIAN__
#error "the filter reads the lower half of an argument first"
#endif

/* Offsets in struct seccomp_data. */
#define AT_NR 0
#define AT_ARCH 4
#define AT_ARG(i) (16 + 8 * (i))

/* What each entry into the kernel calls things; NONE matches no number. */
#define NONE 0xffffffffu
#if defined(__x86_64__)
#define ARCH_1 AUDIT_ARCH_X86_64
#define SOCKET_1 41
#define PAIR_1 53
#define SETOPT_1 54
#define KEY_1 249
#define SETNS_1 308
#define X32_1 0x40000000u	/* set in every number of the x32 entry */
#define ARCH_2 AUDIT_ARCH_I386
#define SOCKET_2 359
#define PAIR_2 360
#define SETOPT_2 366
#define KEY_2 287
#define SETNS_2 346
#define SOCKETCALL_2 102	/* its arguments lie in memory */
#elif defined(__aarch64__)
#define ARCH_1 AUDIT_ARCH_AARCH64
#define SOCKET_1 198
#define PAIR_1 199
#define SETOPT_1 208
#define KEY_1 218
#define SETNS_1 268
#define X32_1 NONE
#define ARCH_2 AUDIT_ARCH_ARM
#define SOCKET_2 281
#define PAIR_2 288
#define SETOPT_2 294
#define KEY_2 310
#define SETNS_2 375
#define SOCKETCALL_2 102
#endif
/* io_uring_setup, _enter and _register share their numbers everywhere. */
#define URING_FIRST 425
#define URING_LAST 427
_Static_assert(SOCKET_1 < PAIR_1 && PAIR_1 < SETOPT_1 && SETOPT_1 < KEY_1 &&
    SETNS_1 < URING_FIRST, "the first entry's numbers are searched by order");
_Static_assert(SOCKETCALL_2 < SOCKET_2 && SOCKET_2 < PAIR_2 &&
    PAIR_2 < SETOPT_2 && SETOPT_2 < URING_FIRST, "and the second's");

enum place {
	START = 0,
	FIRST = 4, LOW_1 = 9, HIGH_1 = 11, RARE_1 = 14, ABSENT_1 = 16, ALLOW_1,
	SECOND = 18, BY_ORDER_2 = 21, CALL_2, HIGH_2 = 23, URING_2 = 27, ABSENT_2 = 29,
	ALLOW_2,
	SOCKET = 31, FAMILY = 34,
	PAIR = 37,
	SETOPT = 39,
	KEY = 44,
	JOIN = 48,
	REFUSE = 51, FORBID, NO_KEY, ALLOW,
	OWN_NET = 55
};

#define LOAD(at) BPF_STMT(BPF_LD | BPF_W | BPF_ABS, (at))
#define RETURN(v) BPF_STMT(BPF_RET | BPF_K, (v))
#define TO(here, there) ((unsigned char)((there) - (here) - 1))
#define IF_EQ(here, k, yes, no) \
	BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (k), TO(here, yes), TO(here, no))
#define IF_GE(here, k, yes, no) \
	BPF_JUMP(BPF_JMP | BPF_JGE | BPF_K, (k), TO(here, yes), TO(here, no))
#define IF_ANY(here, k, yes, no) \
	BPF_JUMP(BPF_JMP | BPF_JSET | BPF_K, (k), TO(here, yes), TO(here, no))

static const struct sock_filter program[SEATBELT_LEN] = {
	[0] = LOAD(AT_ARCH),
	[1] = IF_EQ(1, ARCH_1, FIRST, 2),
	[2] = IF_EQ(2, ARCH_2, SECOND, 3),
	[3] = RETURN(SECCOMP_RET_ERRNO | ENOSYS),

	[FIRST] = LOAD(AT_NR),
	[5] = IF_GE(5, SETOPT_1 + 1, HIGH_1, 6),
	[6] = IF_GE(6, PAIR_1, LOW_1, 7),
	[7] = IF_EQ(7, SOCKET_1, SOCKET, 8),
	[8] = RETURN(SECCOMP_RET_ALLOW),
	[LOW_1] = IF_EQ(LOW_1, SETOPT_1, SETOPT, 10),
	[10] = IF_EQ(10, PAIR_1, PAIR, ALLOW_1),
	[HIGH_1] = IF_GE(HIGH_1, URING_FIRST, 12, RARE_1),
	[12] = IF_GE(12, X32_1, ABSENT_1, 13),
	[13] = IF_GE(13, URING_LAST + 1, ALLOW_1, ABSENT_1),
	[RARE_1] = IF_EQ(RARE_1, KEY_1, KEY, 15),
	[15] = IF_EQ(15, SETNS_1, JOIN, ALLOW_1),
	[ABSENT_1] = RETURN(SECCOMP_RET_ERRNO | ENOSYS),
	[ALLOW_1] = RETURN(SECCOMP_RET_ALLOW),

	[SECOND] = LOAD(AT_NR),
	[19] = IF_EQ(19, KEY_2, KEY, 20),
	[20] = IF_EQ(20, SETNS_2, JOIN, BY_ORDER_2),
	[BY_ORDER_2] = IF_GE(BY_ORDER_2, SOCKET_2, HIGH_2, CALL_2),
	[CALL_2] = IF_EQ(CALL_2, SOCKETCALL_2, ABSENT_2, ALLOW_2),
	[HIGH_2] = IF_GE(HIGH_2, SETOPT_2 + 1, URING_2, 24),
	[24] = IF_EQ(24, SOCKET_2, SOCKET, 25),
	[25] = IF_EQ(25, PAIR_2, PAIR, 26),
	[26] = IF_EQ(26, SETOPT_2, SETOPT, ALLOW_2),
	[URING_2] = IF_GE(URING_2, URING_FIRST, 28, ALLOW_2),
	[28] = IF_GE(28, URING_LAST + 1, ALLOW_2, ABSENT_2),
	[ABSENT_2] = RETURN(SECCOMP_RET_ERRNO | ENOSYS),
	[ALLOW_2] = RETURN(SECCOMP_RET_ALLOW),

	[SOCKET] = LOAD(AT_ARG(0)),
	[32] = IF_EQ(32, AF_UNIX, ALLOW, 33),
	[33] = IF_EQ(33, AF_ALG, ALLOW, FAMILY),
	[FAMILY] = IF_EQ(FAMILY, AF_NETLINK, 35, REFUSE),
	[35] = LOAD(AT_ARG(2)),
	[36] = IF_EQ(36, NETLINK_ROUTE, ALLOW, REFUSE),

	[PAIR] = LOAD(AT_ARG(0)),
	[38] = IF_EQ(38, AF_TIPC, REFUSE, ALLOW),

	[SETOPT] = LOAD(AT_ARG(1)),
	[40] = IF_EQ(40, SOL_SOCKET, 41, ALLOW),
	[41] = LOAD(AT_ARG(2)),
	[42] = IF_EQ(42, SO_BINDTODEVICE, FORBID, 43),
	[43] = IF_EQ(43, SO_BINDTOIFINDEX, FORBID, ALLOW),

	[KEY] = LOAD(AT_ARG(2)),
	[45] = IF_EQ(45, 0, 46, NO_KEY),
	[46] = LOAD(AT_ARG(2) + 4),
	[47] = IF_EQ(47, 0, ALLOW, NO_KEY),

	/* Without a network to come back to, anywhere; the isolated filter
	 * looks at the kinds asked for, 0 being any. */
	[JOIN] = RETURN(SECCOMP_RET_ALLOW),
	[49] = IF_EQ(49, 0, FORBID, 50),
	[50] = IF_ANY(50, CLONE_NEWNET, FORBID, ALLOW),

	[REFUSE] = RETURN(SECCOMP_RET_ERRNO | EAFNOSUPPORT),
	[FORBID] = RETURN(SECCOMP_RET_ERRNO | EPERM),
	[NO_KEY] = RETURN(SECCOMP_RET_ERRNO | ENOKEY),
	[ALLOW] = RETURN(SECCOMP_RET_ALLOW),

	/* The isolated filter comes here from FAMILY. */
	[OWN_NET] = IF_EQ(OWN_NET, AF_INET, 57, 56),
	[56] = IF_EQ(56, AF_INET6, 57, 58),
	[57] = RETURN(SECCOMP_RET_ALLOW),
	[58] = RETURN(SECCOMP_RET_ERRNO | EAFNOSUPPORT),
};

void
seatbelt_program(struct sock_filter out[static SEATBELT_LEN], bool isolated)
{
	memcpy(out, program, sizeof(program));
	if (!isolated)
		return;
	out[CALL_2] = (struct sock_filter)RETURN(SECCOMP_RET_ALLOW);
	out[FAMILY] = (struct sock_filter)IF_EQ(FAMILY, AF_NETLINK, 35, OWN_NET);
	out[JOIN] = (struct sock_filter)LOAD(AT_ARG(1));
}

int
seatbelt_fasten(bool isolated)
{
	struct sock_filter filter[SEATBELT_LEN];
	struct sock_fprog prog = { .len = SEATBELT_LEN, .filter = filter };

	seatbelt_program(filter, isolated);
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0)
		return SW_ERR_SYS;
	/* A filter is no reason to slow the program by the speculation
	 * mitigations that older kernels add to it. */
	if (syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER,
	    SECCOMP_FILTER_FLAG_SPEC_ALLOW, &prog) == 0)
		return SW_OK;
	if (syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &prog) == 0)
		return SW_OK;
	return SW_ERR_SYS;
}
