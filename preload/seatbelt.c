/*
 * Theory of operation.  Classic BPF over struct seccomp_data, written by hand
 * because a filter this small is easier to check than a library that makes it.
 * Each instruction stands at its number, and jumps name the place they go to,
 * so the table can be reordered without counting.
 *
 * Only `socket`, `socketpair` and `setsockopt` look at arguments.  They are C
 * ints: the kernel ignores the upper halves, and so does the filter.  Numbers
 * are compared before any argument is loaded, which lets the kernel (5.11 and
 * later) skip the program for every other system call.  To learn which, it
 * runs the program once for every number of both entries: that is most of what
 * fastening costs, so ordinary numbers take a short way.
 *
 * No rule is needed for connect, sendto and their kin: without an inet socket
 * they reach nothing.  A TIPC pair could send anywhere, other pairs cannot.
 * Streams that the session grants are pinned to the loopback device; only root
 * could move them elsewhere, and may not.  Datagram sockets it keeps.
 */
#include "preload/seatbelt.h"

#include <errno.h>
#include <linux/audit.h>
#include <linux/netlink.h>
#include <linux/seccomp.h>
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
#define X32_1 0x40000000u	/* set in every number of the x32 entry */
#define ARCH_2 AUDIT_ARCH_I386
#define SOCKET_2 359
#define PAIR_2 360
#define SETOPT_2 366
#define SOCKETCALL_2 102	/* its arguments lie in memory */
#elif defined(__aarch64__)
#define ARCH_1 AUDIT_ARCH_AARCH64
#define SOCKET_1 198
#define PAIR_1 199
#define SETOPT_1 208
#define X32_1 NONE
#define ARCH_2 AUDIT_ARCH_ARM
#define SOCKET_2 281
#define PAIR_2 288
#define SETOPT_2 294
#define SOCKETCALL_2 102
#endif
/* io_uring_setup, _enter and _register share their numbers everywhere. */
#define URING_FIRST 425
#define URING_LAST 427
_Static_assert(SOCKET_1 < PAIR_1 && PAIR_1 < SETOPT_1 &&
    SETOPT_1 < URING_FIRST, "the first entry's numbers are searched by order");
_Static_assert(SOCKETCALL_2 < SOCKET_2 && SOCKET_2 < PAIR_2 &&
    PAIR_2 < SETOPT_2 && SETOPT_2 < URING_FIRST, "and the second's");

enum place {
	START = 0,
	FIRST = 4, LOW_1 = 9, HIGH_1 = 11, ABSENT_1 = 14, ALLOW_1,
	SECOND = 16, HIGH_2 = 19, URING_2 = 23, ABSENT_2 = 25, ALLOW_2,
	SOCKET = 27,
	PAIR = 33,
	SETOPT = 35,
	REFUSE = 40, FORBID, ALLOW,
	OWN_NET = 43
};

#define LOAD(at) BPF_STMT(BPF_LD | BPF_W | BPF_ABS, (at))
#define RETURN(v) BPF_STMT(BPF_RET | BPF_K, (v))
#define TO(here, there) ((unsigned char)((there) - (here) - 1))
#define IF_EQ(here, k, yes, no) \
	BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (k), TO(here, yes), TO(here, no))
#define IF_GE(here, k, yes, no) \
	BPF_JUMP(BPF_JMP | BPF_JGE | BPF_K, (k), TO(here, yes), TO(here, no))

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
	[HIGH_1] = IF_GE(HIGH_1, URING_FIRST, 12, ALLOW_1),
	[12] = IF_GE(12, X32_1, ABSENT_1, 13),
	[13] = IF_GE(13, URING_LAST + 1, ALLOW_1, ABSENT_1),
	[ABSENT_1] = RETURN(SECCOMP_RET_ERRNO | ENOSYS),
	[ALLOW_1] = RETURN(SECCOMP_RET_ALLOW),

	[SECOND] = LOAD(AT_NR),
	[17] = IF_GE(17, SOCKET_2, HIGH_2, 18),
	[18] = IF_EQ(18, SOCKETCALL_2, ABSENT_2, ALLOW_2),
	[HIGH_2] = IF_GE(HIGH_2, SETOPT_2 + 1, URING_2, 20),
	[20] = IF_EQ(20, SOCKET_2, SOCKET, 21),
	[21] = IF_EQ(21, PAIR_2, PAIR, 22),
	[22] = IF_EQ(22, SETOPT_2, SETOPT, ALLOW_2),
	[URING_2] = IF_GE(URING_2, URING_FIRST, 24, ALLOW_2),
	[24] = IF_GE(24, URING_LAST + 1, ALLOW_2, ABSENT_2),
	[ABSENT_2] = RETURN(SECCOMP_RET_ERRNO | ENOSYS),
	[ALLOW_2] = RETURN(SECCOMP_RET_ALLOW),

	[SOCKET] = LOAD(AT_ARG(0)),
	[28] = IF_EQ(28, AF_UNIX, ALLOW, 29),
	[29] = IF_EQ(29, AF_ALG, ALLOW, 30),
	[30] = IF_EQ(30, AF_NETLINK, 31, REFUSE),
	[31] = LOAD(AT_ARG(2)),
	[32] = IF_EQ(32, NETLINK_ROUTE, ALLOW, REFUSE),

	[PAIR] = LOAD(AT_ARG(0)),
	[34] = IF_EQ(34, AF_TIPC, REFUSE, ALLOW),

	[SETOPT] = LOAD(AT_ARG(1)),
	[36] = IF_EQ(36, SOL_SOCKET, 37, ALLOW),
	[37] = LOAD(AT_ARG(2)),
	[38] = IF_EQ(38, SO_BINDTODEVICE, FORBID, 39),
	[39] = IF_EQ(39, SO_BINDTOIFINDEX, FORBID, ALLOW),

	[REFUSE] = RETURN(SECCOMP_RET_ERRNO | EAFNOSUPPORT),
	[FORBID] = RETURN(SECCOMP_RET_ERRNO | EPERM),
	[ALLOW] = RETURN(SECCOMP_RET_ALLOW),

	/* The isolated filter comes here from instruction 30. */
	[OWN_NET] = IF_EQ(OWN_NET, AF_INET, 45, 44),
	[44] = IF_EQ(44, AF_INET6, 45, 46),
	[45] = RETURN(SECCOMP_RET_ALLOW),
	[46] = RETURN(SECCOMP_RET_ERRNO | EAFNOSUPPORT),
};

void
seatbelt_program(struct sock_filter out[static SEATBELT_LEN], bool isolated)
{
	memcpy(out, program, sizeof(program));
	if (isolated)
		out[30] = (struct sock_filter)IF_EQ(30, AF_NETLINK, 31, OWN_NET);
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
