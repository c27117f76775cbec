/*
 * Leaving the wrap, or having somebody outside it do the work.
 */
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "tests/leak/ways/ways.h"

/* Back into the machine's network, as `ip netns exec` goes.  The test says
 * where that is. */
static void
w_setns(int kinds)
{
	const char *path = getenv("LEAK_NETWORK");
	int fd = path == NULL ? -1 : open(path, O_RDONLY | O_CLOEXEC);

	say("setns", setns(fd, kinds));
	probe_connect_raw();
}

static void
w_setns_net(void)
{
	w_setns(CLONE_NEWNET);
}

static void
w_setns_any(void)
{
	w_setns(0);
}

/* The kernel starts /sbin/request-key, in none of the program's namespaces, to
 * look the name up; whether that is installed or not, it leaves a note. */
static void
w_request_key(void)
{
	char line[512];
	FILE *keys;

	say("request_key", syscall(SYS_request_key, "dns_resolver", at.name, "",
	    -2 /* the process's keyring */));
	keys = fopen("/proc/keys", "re");
	while (keys != NULL && fgets(line, sizeof(line), keys) != NULL)
		if (strstr(line, at.name) != NULL)
			(void)printf("open\n");
	if (keys != NULL)
		(void)fclose(keys);
}

/*
 * Programs that let one of their kind do the work: the test, or the bare run,
 * has started it outside.  LEAK_HELPERS: the folder of its socket.
 */
static int
w_helper(const char *what, const char *line)
{
	int r = -1;

	if (getenv("LEAK_HELPERS") != NULL)
		say(what, r = system(line));
	return r;
}

static void
w_ssh_master(void)
{
	if (w_helper("ssh", "ssh -S $LEAK_HELPERS/ssh -O check nobody") == 0)
		(void)printf("open\n");
}

static void
w_tmux(void)
{
	char line[5000];

	(void)snprintf(line, sizeof(line), "tmux -S $LEAK_HELPERS/tmux run-shell "
	    "'%s connect %s %s %s'", at.argv[0], at.addr4, at.addr6, at.port_text);
	(void)w_helper("tmux", line);
}

static void
w_dirmngr(void)
{
	char line[300];

	(void)snprintf(line, sizeof(line), "gpg --homedir $LEAK_HELPERS "
	    "--keyserver hkp://%s --recv-keys %040d", at.name, 1);
	(void)w_helper("gpg", line);
}

const struct probe ways_outside[] = {
	{ "setns", "port", w_setns_net },
	{ "setns-any", "port", w_setns_any },
	{ "request-key", "output", w_request_key },
	{ "helper-ssh", "output", w_ssh_master },
	{ "helper-tmux", "port", w_tmux },
	{ "helper-dirmngr", "name", w_dirmngr },
	{ .name = NULL },
};
