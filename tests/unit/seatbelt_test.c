/*
 * The filter twice: the program itself, run by a small machine here for every
 * architecture's entry, and the real thing in a child process.
 */
#include "tests/rig/unit.h"

#include <errno.h>
#include <linux/audit.h>
#include <linux/netlink.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <stdbool.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "preload/seatbelt.h"

/* Runs the filter as the kernel would; only the instructions it uses. */
static uint32_t
run(bool isolated, uint32_t arch, uint32_t nr, uint64_t a0, uint64_t a1,
    uint64_t a2)
{
	struct seccomp_data d = {
		.nr = (int)nr, .arch = arch, .args = { a0, a1, a2 },
	};
	struct sock_filter p[SEATBELT_LEN];
	size_t pc = 0;
	uint32_t acc = 0;

	seatbelt_program(p, isolated);
	for (;;) {
		const struct sock_filter *i = &p[pc++];

		assert_true(pc <= SEATBELT_LEN);
		switch (i->code) {
		case BPF_LD | BPF_W | BPF_ABS:
			assert_true(i->k + 4 <= sizeof(d));
			memcpy(&acc, (const char *)&d + i->k, 4);
			break;
		case BPF_JMP | BPF_JEQ | BPF_K:
			pc += acc == i->k ? i->jt : i->jf;
			break;
		case BPF_JMP | BPF_JGE | BPF_K:
			pc += acc >= i->k ? i->jt : i->jf;
			break;
		case BPF_JMP | BPF_JSET | BPF_K:
			pc += acc & i->k ? i->jt : i->jf;
			break;
		case BPF_RET | BPF_K:
			return i->k;
		default:
			fail_msg("instruction %zu", pc - 1);
		}
	}
}

static uint32_t
judge(uint32_t arch, uint32_t nr, uint64_t a0, uint64_t a1, uint64_t a2)
{
	return run(false, arch, nr, a0, a1, a2);
}

#define REFUSED (SECCOMP_RET_ERRNO | EAFNOSUPPORT)
#define ABSENT (SECCOMP_RET_ERRNO | ENOSYS)

static const struct entry {
	const char *name;
	uint32_t arch, socket, pair, setsockopt, socketcall, request_key, setns;
} entries[] = {
#if defined(__x86_64__)
	{ "x86-64", AUDIT_ARCH_X86_64, 41, 53, 54, 0, 249, 308 },
	{ "i386", AUDIT_ARCH_I386, 359, 360, 366, 102, 287,
	    346 },
#elif defined(__aarch64__)
	{ "aarch64", AUDIT_ARCH_AARCH64, 198, 199, 208, 0, 218, 268 },
	{ "arm", AUDIT_ARCH_ARM, 281, 288, 294, 102, 310, 375 },
#endif
};
#define ENTRIES (sizeof(entries) / sizeof(entries[0]))

static void
every_family_but_three_is_refused(void **state)
{
	(void)state;
	for (size_t e = 0; e < ENTRIES; e++)
		for (uint32_t family = 0; family < 256; family++) {
			bool local = family == AF_UNIX || family == AF_ALG ||
			    family == AF_NETLINK;

			assert_int_equal(judge(entries[e].arch,
			    entries[e].socket, family, SOCK_STREAM, 0),
			    local ? SECCOMP_RET_ALLOW : REFUSED);
		}
}

static void
isolated_only_internet_sockets_are_added(void **state)
{
	(void)state;
	for (size_t e = 0; e < ENTRIES; e++)
		for (uint32_t family = 0; family < 256; family++) {
			bool fine = family == AF_UNIX || family == AF_ALG ||
			    family == AF_NETLINK || family == AF_INET ||
			    family == AF_INET6;

			assert_int_equal(run(true, entries[e].arch,
			    entries[e].socket, family, SOCK_STREAM, 0),
			    fine ? SECCOMP_RET_ALLOW : REFUSED);
		}
}

static void
isolated_but_socketcall_and_setns_no_call_changes(void **state)
{
	(void)state;
	for (size_t e = 0; e < ENTRIES; e++)
		for (uint32_t nr = 0; nr < 1000; nr++) {
			uint32_t arch = entries[e].arch;
			bool added = nr == entries[e].socketcall && nr != 0;

			if (nr == entries[e].setns)
				continue;
			assert_int_equal(run(true, arch, nr, AF_UNIX, 1, 0),
			    added ? SECCOMP_RET_ALLOW :
			    judge(arch, nr, AF_UNIX, 1, 0));
		}
}

static void
upper_halves_of_arguments_do_not_count(void **state)
{
	(void)state;
	for (size_t e = 0; e < ENTRIES; e++) {
		assert_int_equal(judge(entries[e].arch, entries[e].socket,
		    0xffffffff00000001u, 1, 0), SECCOMP_RET_ALLOW);
		assert_int_equal(judge(entries[e].arch, entries[e].socket,
		    0x100000002u, 1, 0), REFUSED);
		assert_int_equal(judge(entries[e].arch, entries[e].socket,
		    AF_NETLINK, 3, 0x10000000000u), SECCOMP_RET_ALLOW);
	}
}

static void
only_routing_netlink_is_allowed(void **state)
{
	(void)state;
	for (size_t e = 0; e < ENTRIES; e++)
		for (uint32_t protocol = 0; protocol < 32; protocol++)
			assert_int_equal(judge(entries[e].arch,
			    entries[e].socket, AF_NETLINK, SOCK_RAW, protocol),
			    protocol == NETLINK_ROUTE ? SECCOMP_RET_ALLOW :
			    REFUSED);
}

static void
pairs_but_tipc_and_other_calls_pass(void **state)
{
	(void)state;
	for (size_t e = 0; e < ENTRIES; e++) {
		const struct entry *x = &entries[e];

		assert_int_equal(judge(x->arch, x->pair, AF_UNIX, 1, 0),
		    SECCOMP_RET_ALLOW);
		assert_int_equal(judge(x->arch, x->pair, AF_TIPC, 1, 0),
		    REFUSED);
		for (uint32_t nr = 0; nr < 1000; nr++) {
			uint32_t v = judge(x->arch, nr, AF_INET, 1, 0);

			if (nr == x->socket)
				assert_int_equal(v, REFUSED);
			else if ((nr >= 425 && nr <= 427) ||
			    (x->socketcall != 0 && nr == x->socketcall))
				assert_int_equal(v, ABSENT);
			else
				assert_int_equal(v, SECCOMP_RET_ALLOW);
		}
	}
}

static void
devices_stay_as_they_are(void **state)
{
	(void)state;
	for (size_t e = 0; e < ENTRIES; e++)
		for (uint32_t level = 0; level < 300; level++)
			for (uint32_t name = 0; name < 100; name++) {
				bool device = level == SOL_SOCKET &&
				    (name == SO_BINDTODEVICE ||
				    name == SO_BINDTOIFINDEX);

				assert_int_equal(judge(entries[e].arch,
				    entries[e].setsockopt, 3, level, name),
				    device ? SECCOMP_RET_ERRNO | EPERM :
				    SECCOMP_RET_ALLOW);
			}
}

/* A helper is started only for who gives it a text. */
static void
no_key_is_looked_for(void **state)
{
	(void)state;
	for (size_t e = 0; e < ENTRIES; e++)
		for (int isolated = 0; isolated < 2; isolated++) {
			const struct entry *x = &entries[e];

			assert_int_equal(run(isolated, x->arch, x->request_key,
			    1, 1, 0), SECCOMP_RET_ALLOW);
			assert_int_equal(run(isolated, x->arch, x->request_key,
			    1, 1, 0x1000), SECCOMP_RET_ERRNO | ENOKEY);
			assert_int_equal(run(isolated, x->arch, x->request_key,
			    1, 1, 0x7f0000000000u), SECCOMP_RET_ERRNO | ENOKEY);
		}
}

static void
isolated_no_network_is_joined(void **state)
{
	static const struct {
		uint64_t kinds;
		bool network;
	} kinds[] = {
		{ 0, true }, { CLONE_NEWNET, true }, { CLONE_NEWNS, false },
		{ CLONE_NEWNET | CLONE_NEWNS, true }, { CLONE_NEWPID, false },
		{ 0x100000000u, true },	/* an int, so 0 */
	};

	(void)state;
	for (size_t e = 0; e < ENTRIES; e++)
		for (size_t i = 0; i < sizeof(kinds) / sizeof(*kinds); i++) {
			const struct entry *x = &entries[e];

			assert_int_equal(run(true, x->arch, x->setns, 3,
			    kinds[i].kinds, 0), kinds[i].network ?
			    SECCOMP_RET_ERRNO | EPERM : SECCOMP_RET_ALLOW);
			assert_int_equal(judge(x->arch, x->setns, 3,
			    kinds[i].kinds, 0), SECCOMP_RET_ALLOW);
		}
}

static void
other_entries_do_not_exist(void **state)
{
	(void)state;
	assert_int_equal(judge(0, 41, AF_UNIX, 1, 0), ABSENT);
	assert_int_equal(judge(0xffffffffu, 0, 0, 0, 0), ABSENT);
#if defined(__x86_64__)
	for (uint32_t nr = 0; nr < 1000; nr++)		/* x32 */
		assert_int_equal(judge(AUDIT_ARCH_X86_64, 0x40000000u | nr,
		    AF_UNIX, 1, 0), ABSENT);
#endif
}

/* --- the real thing ------------------------------------------------------ */

#if defined(__x86_64__)
/* The i386 entry, from 64-bit code. */
static long
int80(long nr, long a, long b, long c)
{
	long r;

	__asm__ volatile("int $0x80" : "=a"(r) :
	    "a"(nr), "b"(a), "c"(b), "d"(c) : "memory", "r8", "r9", "r10", "r11");
	return (int)r;
}
#endif

static long
attempt(long nr, long a, long b, long c)
{
	long r = syscall(nr, a, b, c);

	return r < 0 ? -errno : r;
}

/* The number of the first probe that went wrong, 0 for none. */
static int
probe(void)
{
	if (seatbelt_fasten(false) != SW_OK)
		return 1;
	if (attempt(SYS_socket, AF_INET, SOCK_STREAM, 0) != -EAFNOSUPPORT ||
	    attempt(SYS_socket, AF_INET6, SOCK_DGRAM, 0) != -EAFNOSUPPORT ||
	    attempt(SYS_socket, AF_PACKET, SOCK_RAW, 0) != -EAFNOSUPPORT ||
	    attempt(SYS_socket, AF_VSOCK, SOCK_STREAM, 0) != -EAFNOSUPPORT ||
	    attempt(SYS_socket, AF_NETLINK, SOCK_RAW, NETLINK_KOBJECT_UEVENT) !=
	    -EAFNOSUPPORT)
		return 2;
	if (attempt(SYS_socket, AF_UNIX, SOCK_STREAM, 0) < 0 ||
	    attempt(SYS_socket, AF_NETLINK, SOCK_RAW, NETLINK_ROUTE) < 0)
		return 3;
	if (setsockopt(socket(AF_UNIX, SOCK_DGRAM, 0), SOL_SOCKET,
	    SO_BINDTODEVICE, "", 0) == 0 || errno != EPERM)
		return 8;
	if (syscall(SYS_request_key, "dns_resolver", "www.example.test", "", -2) !=
	    -1 || errno != ENOKEY)
		return 9;
	if (attempt(425, 8, 0, 0) != -ENOSYS || attempt(426, 0, 0, 0) != -ENOSYS)
		return 4;
#if defined(__x86_64__)
	if (attempt(0x40000000 | 41, AF_INET, SOCK_STREAM, 0) != -ENOSYS)
		return 5;
	/* -ENOSYS as well where the kernel has no such entry. */
	if (int80(102, 1, 0, 0) != -ENOSYS)
		return 6;
	switch (int80(359, AF_INET, SOCK_STREAM, 0)) {
	case -EAFNOSUPPORT: case -ENOSYS: break;
	default: return 7;
	}
#endif
	return 0;
}

static void
the_kernel_agrees(void **state)
{
	pid_t pid = fork();
	int status;

	(void)state;
	if (pid == 0)
		_exit(probe());
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_family_but_three_is_refused),
		cmocka_unit_test(isolated_only_internet_sockets_are_added),
		cmocka_unit_test(isolated_but_socketcall_and_setns_no_call_changes),
		cmocka_unit_test(upper_halves_of_arguments_do_not_count),
		cmocka_unit_test(only_routing_netlink_is_allowed),
		cmocka_unit_test(pairs_but_tipc_and_other_calls_pass),
		cmocka_unit_test(devices_stay_as_they_are),
		cmocka_unit_test(no_key_is_looked_for),
		cmocka_unit_test(isolated_no_network_is_joined),
		cmocka_unit_test(other_entries_do_not_exist),
		cmocka_unit_test(the_kernel_agrees),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
