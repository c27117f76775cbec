/*
 * Theory of operation.  Classic BPF over struct seccomp_data, written by hand
 * because a filter this small is easier to check than a library that makes it.
 * Each instruction stands at its number, and jumps name the place they go to,
 * so the table can be reordered without counting.
 *
 * Only `socket` and `socketpair` look at an argument.  They are C ints: the
 * kernel ignores the upper halves, and so does the filter.  Numbers are
 * compared before any argument is loaded, which lets the kernel (5.11 and
 * later) skip the program for every other system call.
 *
 * No rule is needed for connect, sendto and their kin: without an inet socket
 * they reach nothing.  A TIPC pair could send anywhere, other pairs cannot.
 */
#include "preload/seatbelt.h"

#include <errno.h>
#include <linux/audit.h>
#include <linux/netlink.h>
#include <linux/seccomp.h>
#include <stdint.h>
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
#define X32_1 0x40000000u	/* set in every number of the x32 entry */
#define ARCH_2 AUDIT_ARCH_I386
#define SOCKET_2 359
#define PAIR_2 360
#define SOCKETCALL_2 102	/* its arguments lie in memory */
#elif defined(__aarch64__)
#define ARCH_1 AUDIT_ARCH_AARCH64
#define SOCKET_1 198
#define PAIR_1 199
#define X32_1 NONE
#define ARCH_2 AUDIT_ARCH_ARM
#define SOCKET_2 281
#define PAIR_2 288
#define SOCKETCALL_2 102
#endif
/* io_uring_setup, _enter and _register share their numbers everywhere. */
#define URING_FIRST 425
#define URING_LAST 427

enum place {
	START = 0,
	FIRST = 4,
	SECOND = 12,
	SOCKET = 20,
	PAIR = 26,
	ABSENT = 28,
	REFUSE, ALLOW, PROGRAM_LEN
};

#define LOAD(at) BPF_STMT(BPF_LD | BPF_W | BPF_ABS, (at))
#define RETURN(v) BPF_STMT(BPF_RET | BPF_K, (v))
#define TO(here, there) ((unsigned char)((there) - (here) - 1))
#define IF_EQ(here, k, yes, no) \
	BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (k), TO(here, yes), TO(here, no))
#define IF_GE(here, k, yes, no) \
	BPF_JUMP(BPF_JMP | BPF_JGE | BPF_K, (k), TO(here, yes), TO(here, no))

static const struct sock_filter program[PROGRAM_LEN] = {
	[START + 0] = LOAD(AT_ARCH),
	[START + 1] = IF_EQ(1, ARCH_1, FIRST, 2),
	[START + 2] = IF_EQ(2, ARCH_2, SECOND, 3),
	[START + 3] = RETURN(SECCOMP_RET_ERRNO | ENOSYS),

	[FIRST + 0] = LOAD(AT_NR),
	[FIRST + 1] = IF_GE(5, X32_1, ABSENT, 6),
	[FIRST + 2] = IF_EQ(6, SOCKET_1, SOCKET, 7),
	[FIRST + 3] = IF_EQ(7, PAIR_1, PAIR, 8),
	[FIRST + 4] = IF_GE(8, URING_FIRST, 9, 11),
	[FIRST + 5] = IF_GE(9, URING_LAST + 1, 11, 10),
	[FIRST + 6] = RETURN(SECCOMP_RET_ERRNO | ENOSYS),
	[FIRST + 7] = RETURN(SECCOMP_RET_ALLOW),

	[SECOND + 0] = LOAD(AT_NR),
	[SECOND + 1] = IF_EQ(13, SOCKETCALL_2, ABSENT, 14),
	[SECOND + 2] = IF_EQ(14, SOCKET_2, SOCKET, 15),
	[SECOND + 3] = IF_EQ(15, PAIR_2, PAIR, 16),
	[SECOND + 4] = IF_GE(16, URING_FIRST, 17, 19),
	[SECOND + 5] = IF_GE(17, URING_LAST + 1, 19, 18),
	[SECOND + 6] = RETURN(SECCOMP_RET_ERRNO | ENOSYS),
	[SECOND + 7] = RETURN(SECCOMP_RET_ALLOW),

	[SOCKET + 0] = LOAD(AT_ARG(0)),
	[SOCKET + 1] = IF_EQ(21, AF_UNIX, ALLOW, 22),
	[SOCKET + 2] = IF_EQ(22, AF_ALG, ALLOW, 23),
	[SOCKET + 3] = IF_EQ(23, AF_NETLINK, 24, REFUSE),
	[SOCKET + 4] = LOAD(AT_ARG(2)),
	[SOCKET + 5] = IF_EQ(25, NETLINK_ROUTE, ALLOW, REFUSE),

	[PAIR + 0] = LOAD(AT_ARG(0)),
	[PAIR + 1] = IF_EQ(27, AF_TIPC, REFUSE, ALLOW),

	[ABSENT] = RETURN(SECCOMP_RET_ERRNO | ENOSYS),
	[REFUSE] = RETURN(SECCOMP_RET_ERRNO | EAFNOSUPPORT),
	[ALLOW] = RETURN(SECCOMP_RET_ALLOW),
};

const struct sock_filter *
seatbelt_program(size_t *n)
{
	*n = PROGRAM_LEN;
	return program;
}

int
seatbelt_fasten(void)
{
	struct sock_fprog prog = { .len = PROGRAM_LEN };

	/* The kernel copies it; the member only lacks a const. */
	prog.filter = (struct sock_filter *)(uintptr_t)program;
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
