#include "mix/smolnode_tls.h"

#include <signal.h>
#include <stdio.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "base/container.h"
#include "base/log.h"

static void
on_hangup(struct loop_fd *w, uint32_t events)
{
	struct smolnode_tls *t = CONTAINER_OF(w, struct smolnode_tls, hangup);
	struct signalfd_siginfo si;
	char why[TLS_WHY_LEN];

	(void)events;
	if (read(w->fd, &si, sizeof(si)) == (ssize_t)sizeof(si) &&
	    tls_server_reload(t->server, why) != SW_OK)
		log_warn("tls: the certificate stays as it was: %s", why);
}

static int
watch_hangup(struct smolnode_tls *t)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGHUP);
	t->hangup = (struct loop_fd){ .fd = -1, .ready = on_hangup };
	if (sigprocmask(SIG_BLOCK, &set, NULL) != 0)
		return SW_ERR_SYS;
	t->hangup.fd = signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC);
	return t->hangup.fd >= 0 ? loop_add(t->loop, &t->hangup, EPOLLIN) :
	    SW_ERR_SYS;
}

int
smolnode_tls_open(struct smolnode_tls *t, struct loop *l)
{
	const struct tls_server_cert cert = { t->cert, t->key };
	const struct tls_server_options o = { .certs = &cert, .ncerts = 1 };
	char why[TLS_WHY_LEN];

	if (t->cert == NULL && t->key == NULL)
		return SW_OK;
	if (t->cert == NULL || t->key == NULL) {
		fprintf(stderr, "smolnode: TLS needs a certificate (-C file) "
		    "and its key (-K file)\n");
		return SW_ERR_CONFIG;
	}
	if (tls_server_new(&t->server, &o, why) != SW_OK) {
		fprintf(stderr, "smolnode: %s\n", why);
		return SW_ERR_CONFIG;
	}
	t->loop = l;
	return watch_hangup(t);
}

void
smolnode_tls_close(struct smolnode_tls *t)
{
	if (t->server == NULL)
		return;
	if (t->hangup.fd >= 0) {
		loop_del(t->loop, &t->hangup);
		close(t->hangup.fd);
	}
	tls_server_free(t->server);
	t->server = NULL;
}
