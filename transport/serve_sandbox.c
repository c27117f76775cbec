#include "transport/serve_sandbox.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <pwd.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/log.h"

#if defined(__x86_64__)
#define ARCH AUDIT_ARCH_X86_64
#elif defined(__aarch64__)
#define ARCH AUDIT_ARCH_AARCH64
#endif

static int
failed(char why[static 256], const char *what)
{
	snprintf(why, 256, "could not %s: %s", what, strerror(errno));
	return SW_ERR_SYS;
}

static int
become(const char *user, char why[static 256])
{
	const struct passwd *pw = getpwnam(user);

	if (pw == NULL) {
		snprintf(why, 256, "there is no user \"%.100s\"", user);
		return SW_ERR_CONFIG;
	}
	if (setgroups(0, NULL) != 0 ||
	    setresgid(pw->pw_gid, pw->pw_gid, pw->pw_gid) != 0 ||
	    setresuid(pw->pw_uid, pw->pw_uid, pw->pw_uid) != 0)
		return failed(why, "change to another user");
	if (pw->pw_uid != 0 && setuid(0) == 0) {
		snprintf(why, 256, "privileges could be had back");
		return SW_ERR_SYS;
	}
	return SW_OK;
}

int
serve_sandbox_drop(const char *user, char why[static 256])
{
	const struct rlimit none = { 0, 0 };
	struct rlimit files;

	(void)setrlimit(RLIMIT_CORE, &none);
	if (getrlimit(RLIMIT_NOFILE, &files) == 0) {
		files.rlim_cur = files.rlim_max;
		(void)setrlimit(RLIMIT_NOFILE, &files);
	}
	if (user != NULL) {
		int r = become(user, why);

		if (r != SW_OK)
			return r;
	} else if (geteuid() == 0) {
		log_warn("runs as root; give --user NAME");
	}
	/* After the change of user, which would set it again. */
	(void)prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
	return SW_OK;
}

/* gcc says it with a macro, clang with a question. */
#if defined(__SANITIZE_ADDRESS__)
#define LEAKS_ARE_SOUGHT
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define LEAKS_ARE_SOUGHT
#endif
#endif

/* By what they are for. */
static const int calls[] = {
	/* connections */
	SYS_socket, SYS_socketpair, SYS_connect, SYS_bind, SYS_listen,
	SYS_accept4, SYS_shutdown, SYS_getsockname, SYS_getpeername,
	SYS_setsockopt, SYS_getsockopt, SYS_sendto, SYS_recvfrom, SYS_sendmsg,
	SYS_recvmsg, SYS_sendmmsg, SYS_recvmmsg, SYS_close, SYS_ioctl, SYS_fcntl,
	/* the loop */
	SYS_epoll_ctl, SYS_epoll_pwait, SYS_ppoll, SYS_read, SYS_write,
	SYS_readv, SYS_writev, SYS_eventfd2, SYS_epoll_create1, SYS_pipe2,
	SYS_splice,
	/* files, to be read */
	SYS_newfstatat, SYS_fstat, SYS_lseek, SYS_pread64,
	SYS_getdents64, SYS_statx, SYS_readlinkat, SYS_faccessat,
	/* memory and threads */
	SYS_mmap, SYS_munmap, SYS_mprotect, SYS_mremap, SYS_madvise, SYS_brk,
	SYS_futex, SYS_clone, SYS_clone3, SYS_set_robust_list, SYS_rseq,
	SYS_set_tid_address, SYS_sched_yield, SYS_sched_getaffinity,
	SYS_gettid, SYS_getpid, SYS_getuid, SYS_geteuid, SYS_getgid, SYS_getegid,
	SYS_membarrier, SYS_prlimit64, SYS_prctl, SYS_uname, SYS_sysinfo,
	/* time, randomness, signals, the end */
	SYS_clock_gettime, SYS_clock_nanosleep, SYS_nanosleep, SYS_gettimeofday,
	SYS_getrandom, SYS_rt_sigprocmask, SYS_rt_sigaction, SYS_rt_sigreturn,
	SYS_sigaltstack, SYS_tgkill, SYS_restart_syscall, SYS_exit,
	SYS_exit_group,
#if defined(__x86_64__)
	SYS_poll, SYS_stat, SYS_lstat, SYS_access, SYS_readlink, SYS_epoll_wait,
	SYS_time,
#endif
#ifdef LEAKS_ARE_SOUGHT
	/* a thread apart stops all others at the end and reads their memory:
	 * without these the process would wait for it for ever; the report may
	 * go to a file, which the sanitizer opens in the old way */
	SYS_ptrace, SYS_wait4, SYS_getppid,
#if defined(__x86_64__)
	SYS_getdents, SYS_open,
#endif
#endif
};
#define NCALLS (sizeof(calls) / sizeof(calls[0]))

/* Only to read: getaddrinfo() reads its configuration, SIGHUP reads ours. */
static const struct opening {
	int call, flags;	/* flags: which argument */
} openings[] = {
	{ SYS_openat, 2 },
#if defined(__x86_64__) && !defined(LEAKS_ARE_SOUGHT)
	{ SYS_open, 1 },
#endif
};
#define NOPENINGS (sizeof(openings) / sizeof(openings[0]))

/* Four to load and compare the entry, two a call, five for each way to open a
 * file, one to refuse. */
#define PROGRAM_MAX (4 + 2 * NCALLS + 5 * NOPENINGS + 1)

#define ALLOW SECCOMP_RET_ALLOW
#define REFUSE (SECCOMP_RET_ERRNO | ENOSYS)
#define FORBID (SECCOMP_RET_ERRNO | EACCES)
#define ARG_LOW(i) (16 + 8 * (uint32_t)(i))	/* little-endian: its lower half */

static size_t
build(struct sock_filter out[static PROGRAM_MAX])
{
	const uint32_t writing = O_ACCMODE | O_CREAT | O_TRUNC;
	size_t n = 0;

#define PUT(...) out[n++] = (struct sock_filter)__VA_ARGS__
	PUT(BPF_STMT(BPF_LD | BPF_W | BPF_ABS, 4));
	PUT(BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, ARCH, 1, 0));
	PUT(BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS));
	PUT(BPF_STMT(BPF_LD | BPF_W | BPF_ABS, 0));
	for (size_t i = 0; i < NOPENINGS; i++) {
		PUT(BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K,
		    (uint32_t)openings[i].call, 0, 4));
		PUT(BPF_STMT(BPF_LD | BPF_W | BPF_ABS, ARG_LOW(openings[i].flags)));
		PUT(BPF_JUMP(BPF_JMP | BPF_JSET | BPF_K, writing, 0, 1));
		PUT(BPF_STMT(BPF_RET | BPF_K, FORBID));
		PUT(BPF_STMT(BPF_RET | BPF_K, ALLOW));
	}
	for (size_t i = 0; i < NCALLS; i++) {
		PUT(BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (uint32_t)calls[i], 0, 1));
		PUT(BPF_STMT(BPF_RET | BPF_K, ALLOW));
	}
	PUT(BPF_STMT(BPF_RET | BPF_K, REFUSE));
#undef PUT
	return n;
}

int
serve_sandbox_enter(char why[static 256])
{
	struct sock_filter program[PROGRAM_MAX];
	struct sock_fprog prog = { .filter = program };

	prog.len = (unsigned short)build(program);
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0)
		return failed(why, "give up new privileges");
	if (syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER,
	    SECCOMP_FILTER_FLAG_TSYNC, &prog) != 0)
		return failed(why, "filter system calls (see --no-sandbox)");
	return SW_OK;
}

int
serve_log_to_syslog(bool verbose)
{
	struct sockaddr_un to = { .sun_family = AF_UNIX, .sun_path = "/dev/log" };
	static char tag[48];
	int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	if (fd < 0 || connect(fd, (struct sockaddr *)&to, sizeof(to)) != 0) {
		if (fd >= 0)
			close(fd);
		return SW_ERR_SYS;
	}
	/* Facility authpriv, severity info: what a log-in is. */
	snprintf(tag, sizeof(tag), "<86>smolserve[%d]", (int)getpid());
	log_open(fd, verbose ? LOG_LEVEL_DEBUG : LOG_LEVEL_INFO, tag);
	return SW_OK;
}
