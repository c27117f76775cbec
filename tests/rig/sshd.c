#include "tests/rig/sshd.h"

#include <pwd.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/rig/far_server.h"
#include "tests/rig/loopback.h"

void
sshd_sh(const char *command)
{
	if (system(command) != 0) {
		fprintf(stderr, "failed: %s\n", command);
		abort();
	}
}

static pid_t
run_sshd(const char *conf, const char *log)
{
	pid_t pid = fork();

	if (pid != 0)
		return pid;
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	setpgid(0, 0);
	execl("/usr/sbin/sshd", "/usr/sbin/sshd", "-D", "-f", conf, "-E", log,
	    (char *)NULL);
	_exit(127);
}

/* It says so itself: a connection made to find out would leave a process of
 * the server's behind, which for a moment holds the port. */
static bool
listens(pid_t pid, const char *log)
{
	char command[256];

	snprintf(command, sizeof(command),
	    "grep -q 'Server listening on' %s 2>/dev/null", log);
	for (int i = 0; i < 1000; i++) {
		if (system(command) == 0)
			return true;
		if (waitpid(pid, NULL, WNOHANG) == pid)
			return false;
		usleep(10000);
	}
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
	return false;
}

void
sshd_start(struct sshd_rig *r, const char *extra)
{
	char path[160], log[160];
	FILE *f;

	snprintf(path, sizeof(path), "%s/conf", r->dir);
	snprintf(log, sizeof(log), "%s/log", r->dir);
	f = fopen(path, "w");
	fprintf(f, "Port %u\nListenAddress 127.0.0.1\nHostKey %s/host\n"
	    "AuthorizedKeysFile %s/authorized\nStrictModes no\nUsePAM no\n"
	    "PidFile none\nMaxStartups 100\n%s\n%s\n", r->port, r->dir,
	    r->dir, getuid() == 0 ? "PermitRootLogin yes" : "",
	    extra != NULL ? extra : "");
	fclose(f);
	/* The port may be held a moment longer by what was stopped. */
	for (int i = 0; i < 10; i++) {
		(void)unlink(log);
		r->sshd = run_sshd(path, log);
		if (listens(r->sshd, log))
			return;
		usleep(100000);
	}
	fprintf(stderr, "sshd does not start\n");
	abort();
}

void
sshd_stop(struct sshd_rig *r)
{
	char command[200];

	if (r->sshd <= 0)
		return;
	/* Its children have sessions of their own: find them by parent, once
	 * no more can come. */
	kill(r->sshd, SIGSTOP);
	snprintf(command, sizeof(command), "for p in $(pgrep -P %d); do "
	    "kill -9 $(pgrep -P $p) $p 2>/dev/null; done; kill -9 %d", r->sshd,
	    r->sshd);
	if (system(command) != 0)
		kill(r->sshd, SIGKILL);
	waitpid(r->sshd, NULL, 0);
	r->sshd = 0;
}

void
sshd_new_host_key(struct sshd_rig *r, bool trust)
{
	char c[600];

	snprintf(c, sizeof(c), "cd %s && rm -f host host.pub && "
	    "ssh-keygen -q -t ed25519 -N '' -f host", r->dir);
	sshd_sh(c);
	if (!trust)
		return;
	snprintf(c, sizeof(c), "cd %s && echo \"[127.0.0.1]:%u "
	    "$(cut -d' ' -f1,2 host.pub)\" >known", r->dir, r->port);
	sshd_sh(c);
}

void
sshd_rig_open(struct sshd_rig *r, const char *extra)
{
	struct rlimit lim;
	struct passwd *pw = getpwuid(getuid());
	char c[400];

	memset(r, 0, sizeof(*r));
	getrlimit(RLIMIT_NOFILE, &lim);
	lim.rlim_cur = lim.rlim_max;
	setrlimit(RLIMIT_NOFILE, &lim);
	signal(SIGPIPE, SIG_IGN);
	if (getuid() == 0)
		(void)mkdir("/run/sshd", 0755);
	snprintf(r->dir, sizeof(r->dir), "/tmp/smolwrap-rig.XXXXXX");
	if (mkdtemp(r->dir) == NULL)
		abort();
	snprintf(r->user, sizeof(r->user), "%s", pw->pw_name);
	snprintf(r->key, sizeof(r->key), "%s/user", r->dir);
	snprintf(r->known, sizeof(r->known), "%s/known", r->dir);
	snprintf(c, sizeof(c), "cd %s && ssh-keygen -q -t ed25519 -N '' -f user "
	    "&& cp user.pub authorized && : >known", r->dir);
	sshd_sh(c);
	r->port = loopback_free_port();
	sshd_new_host_key(r, true);
	r->far = far_server_start(&r->far_port);
	sshd_start(r, extra);
}

void
sshd_rig_close(struct sshd_rig *r)
{
	char c[100];

	sshd_stop(r);
	kill(r->far, SIGKILL);
	waitpid(r->far, NULL, 0);
	snprintf(c, sizeof(c), "rm -rf %s", r->dir);
	sshd_sh(c);
}
