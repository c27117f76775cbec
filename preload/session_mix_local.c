/*
 * mix:local - the network is a child of the session: `smolnode local`, three
 * mixes, two gateways and an exit on loopback.  A process of its own, because
 * its work must not keep our loop waiting, and because its exit makes sockets
 * in the name of everybody; it ends with us.
 *
 * Its exit may go wherever this machine may (-e): whoever starts a network on
 * his own machine means to reach his own networks, too.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/container.h"
#include "base/log.h"
#include "preload/parts.h"
#include "preload/session_mix.h"

#ifndef SW_BINDIR
#define SW_BINDIR "/usr/local/bin"
#endif
#define TEXT_MAX (1u << 20)		/* bytes that it may say */
#define RETRY_MS 1000
#define END_MS 2000			/* it has to end when told to */

/* In the child: only what may be done after fork. */
static _Noreturn void
become(const char *exe, int out, bool verbose)
{
	char *argv[] = { (char *)(uintptr_t)"smolnode",
		(char *)(uintptr_t)"local", (char *)(uintptr_t)"-ept",
		(char *)(uintptr_t)"-", (char *)(uintptr_t)"-v", NULL };
	int null = open("/dev/null", O_RDWR);
	sigset_t none;

	if (!verbose)
		argv[4] = NULL;
	for (int sig = 1; sig < NSIG; sig++)
		(void)signal(sig, SIG_DFL);
	(void)signal(SIGINT, SIG_IGN);	/* the terminal's is not for it */
	sigemptyset(&none);
	(void)sigprocmask(SIG_SETMASK, &none, NULL);
	if (null >= 0 && dup2(null, 0) >= 0 && dup2(out, 1) >= 0 &&
	    close_range(3, ~0u, 0) == 0)
		execv(exe, argv);
	_exit(127);
}

static void
forget(struct session_mix *t)
{
	struct mix_local *c = &t->local;

	if (c->out.fd >= 0) {
		loop_del(&t->t.s->loop, &c->out);
		close(c->out.fd);
	}
	c->out.fd = -1;
	free(c->text);
	c->text = NULL;
	c->len = 0;
	c->has_topology = false;
}

/* It ends by itself when its output is closed or soon after SIGTERM. */
static void
reap(struct mix_local *c)
{
	if (c->pid <= 0)
		return;
	(void)kill(c->pid, SIGTERM);
	for (int i = 0; i < END_MS / 10; i++) {
		if (waitpid(c->pid, NULL, WNOHANG) != 0) {
			c->pid = 0;
			return;
		}
		(void)usleep(10000);
	}
	(void)kill(c->pid, SIGKILL);
	(void)waitpid(c->pid, NULL, 0);
	c->pid = 0;
}

static void
has_ended(struct session_mix *t)
{
	forget(t);
	reap(&t->local);
	log_warn("mix: the local network has ended, another is started");
	mix_disconnect(t, SW_ERR_CLOSED, t->was_up ?
	    "the local network has ended" :
	    "could not start the local network: \"smolnode local\" ended at "
	    "once");
	loop_set_timer(&t->t.s->loop, &t->local.retry,
	    t->t.s->loop.now_ms + RETRY_MS);
}

/* After its own line comes the network, and nothing more. */
static void
take_text(struct session_mix *t)
{
	static const char mark[] = "topology -\n";
	struct mix_local *c = &t->local;
	struct topology *net = NULL;
	char *at;

	c->text[c->len] = '\0';
	if (c->has_topology || c->len == 0 || c->text[c->len - 1] != '\n' ||
	    (at = strstr(c->text, mark)) == NULL)
		return;
	at += sizeof(mark) - 1;
	if (topology_parse(&net, at, strlen(at)) != SW_OK)
		return;			/* not all of it yet */
	c->has_topology = true;
	mix_connect(t, net);
}

static void
has_said(struct loop_fd *w, uint32_t events)
{
	struct session_mix *t = CONTAINER_OF(w, struct session_mix, local.out);
	struct mix_local *c = &t->local;
	ssize_t n = 0;

	(void)events;
	if (c->len < TEXT_MAX)
		n = read(w->fd, c->text + c->len, TEXT_MAX - c->len);
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n <= 0) {
		has_ended(t);
		return;
	}
	c->len += (size_t)n;
	take_text(t);
}

static int
start(struct session_mix *t, char why[static 256])
{
	struct mix_local *c = &t->local;
	char exe[4096];
	int out[2];

	if (!parts_find(exe, sizeof(exe), "smolnode", SW_BINDIR) ||
	    access(exe, X_OK) != 0) {
		snprintf(why, 256, "could not find \"%.150s\": %s", exe,
		    strerror(errno));
		return SW_ERR_SYS;
	}
	if ((c->text = malloc(TEXT_MAX + 1)) == NULL ||
	    pipe2(out, O_CLOEXEC | O_NONBLOCK) != 0) {
		snprintf(why, 256, "could not start the local network: %s",
		    strerror(errno));
		return SW_ERR_SYS;
	}
	(void)fcntl(out[1], F_SETFL, 0);
	c->out = (struct loop_fd){ .fd = out[0], .ready = has_said };
	c->pid = fork();
	if (c->pid == 0)
		become(exe, out[1], t->t.s->start.verbose);
	close(out[1]);
	if (c->pid < 0 || loop_add(&t->t.s->loop, &c->out, EPOLLIN) != SW_OK) {
		snprintf(why, 256, "could not start the local network: %s",
		    strerror(errno));
		return SW_ERR_SYS;
	}
	session_tunnel_progress(&t->t, "starting a local network");
	return SW_OK;
}

static void
try_again(struct loop_timer *timer)
{
	struct session_mix *t = CONTAINER_OF(timer, struct session_mix,
	    local.retry);
	char why[256];

	if (start(t, why) == SW_OK)
		return;
	forget(t);
	reap(&t->local);
	mix_fail(t, SW_ERR_SYS, why);
	loop_set_timer(&t->t.s->loop, timer, t->t.s->loop.now_ms + RETRY_MS);
}

int
mix_local_start(struct session_mix *t, char why[static 256])
{
	t->local.retry.fire = try_again;
	return start(t, why);
}

void
mix_local_stop(struct session_mix *t)
{
	loop_set_timer(&t->t.s->loop, &t->local.retry, SW_NEVER);
	forget(t);
	reap(&t->local);
}
