/*
 * From options to a session that is logged in, on a thread that may block.
 *
 *   1 ssh_config (alias -> host, port, user, key, jump)   4 host key
 *   2 the transport (10 s a step), or a ProxyCommand       5 authentication
 *   3 key exchange (20 s together with 5)                  6 remote forwards
 *
 * The login and its starter share one struct; whoever comes last frees it.
 * Abandoning shuts the socket down, so the thread does not linger.
 */
#include "transport/ssh_private.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <libssh/server.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/wipe.h"
#include "transport/detached.h"
#include "transport/shared.h"
#include "transport/ssh_text.h"
#include "transport/transport.h"

#define CONNECT_MS 10000		/* by TCP alone */
#define CONNECT_LONG_MS 25000		/* with TLS, proxies, other tunnels */
#define LOGIN_MS 20000

/* AES-GCM runs at memory speed wherever a server worth naming runs; ChaCha20
 * is there for the others (performance.md, section 4). */
#define CIPHERS "aes256-gcm@openssh.com,aes128-gcm@openssh.com," \
	"chacha20-poly1305@openssh.com,aes256-ctr,aes192-ctr,aes128-ctr"

struct ssh_login {
	struct shared shares;		/* the thread's and the starter's */
	pthread_mutex_t lock;
	bool done, abandoned;		/* under lock, as is the next */
	int fd;				/* a duplicate to shut down, or -1 */
	int notify_fd;			/* a duplicate */
	/* The thread's until `done`, the starter's then. */
	struct ssh_plan *plan;
	struct ssh_live *live;
	bool again;			/* it worked before: be lenient */
	bool proxied;			/* by a command of ssh_config */
	bool fatal;
	int err;
	char why[SSH_TUNNEL_WHY_LEN];
};

/* ---- the steps ---- */

static int
bad_option(struct ssh_login *g, const char *what)
{
	snprintf(g->why, sizeof(g->why), "%s cannot be used: %.300s", what,
	    ssh_get_error(g->live->session));
	g->fatal = true;
	return SW_ERR_CONFIG;
}

/* Our defaults, then ssh_config, then what the user said here. */
static int
set_options(struct ssh_login *g)
{
	const struct ssh_plan *p = g->plan;
	ssh_session s = g->live->session;
	const int no = 0;
	const unsigned port = p->port;
	char name[TRANSPORT_NAME_LEN];

	if (transport_peer_name(p->transport, p->host, name) != SW_OK) {
		snprintf(g->why, sizeof(g->why), "\"%.100s\" names no %s peer: "
		    "give an endpoint's id (64 hexadecimal digits, base32 or "
		    "z-base-32) or a ticket",
		    p->host, transport_name(p->transport));
		g->fatal = true;
		return SW_ERR_CONFIG;
	}
	if (ssh_options_set(s, SSH_OPTIONS_HOST, name) != SSH_OK)
		return bad_option(g, "the host name");
	(void)ssh_options_set(s, SSH_OPTIONS_CIPHERS_C_S, CIPHERS);
	(void)ssh_options_set(s, SSH_OPTIONS_CIPHERS_S_C, CIPHERS);
	(void)ssh_options_set(s, SSH_OPTIONS_COMPRESSION, "no");
	if (p->config == NULL || strcmp(p->config, "none") != 0) {
		if (ssh_options_parse_config(s, p->config) != 0)
			return bad_option(g, "ssh_config");
	}
	(void)ssh_options_set(s, SSH_OPTIONS_PROCESS_CONFIG, &no);
	if (p->port != 0 &&
	    ssh_options_set(s, SSH_OPTIONS_PORT, &port) != SSH_OK)
		return bad_option(g, "the port");
	if (p->user != NULL &&
	    ssh_options_set(s, SSH_OPTIONS_USER, p->user) != SSH_OK)
		return bad_option(g, "the user name");
	if (p->ciphers != NULL &&
	    (ssh_options_set(s, SSH_OPTIONS_CIPHERS_C_S, p->ciphers) != SSH_OK ||
	    ssh_options_set(s, SSH_OPTIONS_CIPHERS_S_C, p->ciphers) != SSH_OK))
		return bad_option(g, "the cipher list");
	if (p->known_hosts != NULL) {
		(void)ssh_options_set(s, SSH_OPTIONS_KNOWNHOSTS, p->known_hosts);
		(void)ssh_options_set(s, SSH_OPTIONS_GLOBAL_KNOWNHOSTS,
		    "/dev/null");
	}
	return SW_OK;
}

/* Remember a duplicate, so that the starter can cut us short. */
static bool
share_fd(struct ssh_login *g, int fd)
{
	int copy = fcntl(fd, F_DUPFD_CLOEXEC, 0);
	bool go;

	pthread_mutex_lock(&g->lock);
	go = !g->abandoned && copy >= 0;
	if (go)
		g->fd = copy;
	pthread_mutex_unlock(&g->lock);
	if (!go && copy >= 0)
		close(copy);
	return go;
}

/* ProxyCommand, or ProxyJump, which libssh turns into `ssh -W`; the caller's to
 * free, NULL when there is none. */
static char *
proxy_command(ssh_session s)
{
	char *command = NULL;

	if (ssh_options_get(s, SSH_OPTIONS_PROXYCOMMAND, &command) != SSH_OK)
		return NULL;
	if (command[0] != '\0' && strcmp(command, "none") != 0)
		return command;
	ssh_string_free_char(command);
	return NULL;
}

static int
reach(struct ssh_login *g, int *fd)
{
	struct transport *t = g->plan->transport;
	const int64_t now = clock_now_ms();
	char *host = NULL;
	unsigned port = g->plan->port;
	int r;

	/* The port of ssh_config is one of TCP. */
	if (transport_kind(t) == TRANSPORT_TCP)
		(void)ssh_options_get_port(g->live->session, &port);
	/* An endpoint's name may be longer than what libssh was told. */
	if (transport_kind(t) != TRANSPORT_IROH)
		(void)ssh_options_get(g->live->session, SSH_OPTIONS_HOST, &host);
	r = transport_connect(t, host != NULL ? host : g->plan->host,
	    (uint16_t)port, now + (transport_is_direct(t) ? CONNECT_MS :
	    CONNECT_LONG_MS), fd, g->why);
	ssh_string_free_char(host);
	return r;
}

static int
run_command(struct ssh_login *g, const char *command, int *fd)
{
	int r = SW_ERR_CONFIG;

	if (transport_is_direct(g->plan->transport))
		r = ssh_command_start(g->live->session, g->plan, command, fd,
		    &g->live->command, g->why);
	else
		snprintf(g->why, sizeof(g->why), "ssh_config has a ProxyJump or "
		    "ProxyCommand for this host, which goes with plain ssh:// "
		    "only, without --proxy; reach the first host with a --via "
		    "of its own instead");
	g->proxied = r == SW_OK;
	g->fatal = r == SW_ERR_CONFIG;
	return r;
}

static int
make_stream(struct ssh_login *g)
{
	ssh_session s = g->live->session;
	char *command = proxy_command(s);
	int fd = -1, r;

	if (command != NULL) {
		r = run_command(g, command, &fd);
		ssh_string_free_char(command);
	} else {
		r = reach(g, &fd);
		/* A certificate that is wrong stays wrong. */
		g->fatal = r == SW_ERR_AUTH && !g->again;
	}
	if (r != SW_OK)
		return r;
	if (ssh_options_set(s, SSH_OPTIONS_FD, &fd) != SSH_OK) {
		close(fd);
		return bad_option(g, "the connection");
	}
	if (!share_fd(g, fd)) {
		/* The session closes a descriptor only after ssh_connect(). */
		close(fd);
		snprintf(g->why, sizeof(g->why), "given up");
		return SW_ERR_CLOSED;
	}
	return SW_OK;
}

static int
exchange_keys(struct ssh_login *g, int64_t deadline_ms)
{
	ssh_session s = g->live->session;
	long timeout_s = (long)((deadline_ms - clock_now_ms()) / 1000) + 1;

	(void)ssh_options_set(s, SSH_OPTIONS_TIMEOUT, &timeout_s);
	if (ssh_connect(s) == SSH_OK)
		return SW_OK;
	if (clock_now_ms() >= deadline_ms) {
		snprintf(g->why, sizeof(g->why), "the server did not answer as "
		    "an SSH server within %d s", LOGIN_MS / 1000);
		return SW_ERR_TIMEOUT;
	}
	if (ssh_get_serverbanner(s) == NULL)
		snprintf(g->why, sizeof(g->why), "%s", g->proxied ?
		    "the ProxyJump or ProxyCommand of ssh_config led to no SSH "
		    "server; does ssh itself get there?" :
		    "the connection ended before an SSH server answered: is the "
		    "port right, and does the server let this address in?");
	else
		snprintf(g->why, sizeof(g->why), "could not agree with the server "
		    "on an SSH connection: %.300s", ssh_get_error(s));
	return SW_ERR_RESET;
}

static int
request_forwards(struct ssh_login *g)
{
	ssh_session s = g->live->session;
	const size_t n = g->plan->npublish;

	if (n > 0 && ((g->live->unheard = calloc(n, sizeof(size_t))) == NULL ||
	    (g->live->bound = calloc(n, sizeof(uint16_t))) == NULL))
		return SW_ERR_NOMEM;
	for (size_t i = 0; i < n; i++) {
		const struct ssh_tunnel_publish *p = &g->plan->publish[i];
		int bound = p->port;

		if (ssh_channel_listen_forward(s, ssh_publish_bind(p), p->port,
		    p->port == 0 ? &bound : NULL) == SSH_OK) {
			g->live->bound[i] = (uint16_t)bound;
			continue;
		}
		if (!ssh_is_connected(s)) {
			snprintf(g->why, sizeof(g->why), "the connection was "
			    "lost during the login");
			return SW_ERR_RESET;
		}
		/* After a loss the server may still hold the port for the old
		 * session; that must not keep everything else down. */
		if (g->again) {
			g->live->unheard[g->live->nunheard++] = i;
			continue;
		}
		snprintf(g->why, sizeof(g->why), "the server will not listen on "
		    "port %u: it is in use there, below 1024, or not allowed "
		    "(AllowTcpForwarding, PermitListen)", p->port);
		return SW_ERR_IN_USE;
	}
	return SW_OK;
}

static int
log_in(struct ssh_login *g)
{
	ssh_session s = g->live->session;
	int64_t deadline_ms;
	int r;

	if ((r = set_options(g)) != SW_OK || (r = make_stream(g)) != SW_OK)
		return r;
	deadline_ms = clock_now_ms() + LOGIN_MS;
	if ((r = exchange_keys(g, deadline_ms)) != SW_OK)
		return r;
	if ((r = ssh_hostkey_check(s, g->plan, g->why)) != SW_OK) {
		g->fatal = true;
		return r;
	}
	if ((r = ssh_auth_run(s, g->plan, deadline_ms, g->why)) != SW_OK)
		return r;
	ssh_set_message_callback(s, ssh_dial_on_message, g->live);
	if ((r = request_forwards(g)) != SW_OK)
		return r;

	/* libssh made the descriptor blocking; it only writes when poll(2) says
	 * there is room, but then all it has, and that must not block. */
	if ((g->live->fd = fcntl(ssh_get_fd(s), F_DUPFD_CLOEXEC, 0)) < 0 ||
	    fcntl(g->live->fd, F_SETFL, O_NONBLOCK) != 0) {
		snprintf(g->why, sizeof(g->why), "out of descriptors");
		return SW_ERR_SYS;
	}
	ssh_set_blocking(s, 0);
	return SW_OK;
}

/* ---- the thread ---- */

static void
unref(struct ssh_login *g)
{
	if (!shared_unref(&g->shares))
		return;
	ssh_live_free(g->live);
	ssh_plan_free(g->plan);
	if (g->fd >= 0)
		close(g->fd);
	if (g->notify_fd >= 0)
		close(g->notify_fd);
	pthread_mutex_destroy(&g->lock);
	sw_wipe_free(g, sizeof(*g));
}

static void *
thread_main(void *arg)
{
	struct ssh_login *g = arg;
	const uint64_t one = 1;
	int r = SW_ERR_NOMEM;

	if ((g->live = ssh_live_new()) != NULL) {
		/* At this level the library prints nothing by itself. */
		ssh_set_log_level(SSH_LOG_NOLOG);
		r = log_in(g);
	} else {
		snprintf(g->why, sizeof(g->why), "out of memory");
	}
	if (r != SW_OK) {
		ssh_live_free(g->live);
		g->live = NULL;
	}
	pthread_mutex_lock(&g->lock);
	g->err = r;
	g->done = true;
	pthread_mutex_unlock(&g->lock);
	if (write(g->notify_fd, &one, sizeof(one)) < 0)
		log_debug("ssh login: nobody to notify");
	unref(g);
	return NULL;
}

struct ssh_login *
ssh_login_start(const struct ssh_plan *p, int notify_fd, bool again)
{
	struct ssh_login *g = calloc(1, sizeof(*g));

	if (g == NULL)
		return NULL;
	g->fd = -1;
	shared_init(&g->shares, 2);
	g->again = again;
	g->notify_fd = fcntl(notify_fd, F_DUPFD_CLOEXEC, 0);
	g->plan = ssh_plan_copy(p);
	pthread_mutex_init(&g->lock, NULL);
	if (g->plan != NULL && g->notify_fd >= 0 &&
	    detached_start(thread_main, g))
		return g;
	shared_init(&g->shares, 1);
	unref(g);
	return NULL;
}

int
ssh_login_take(struct ssh_login *g, struct ssh_live **live, bool *fatal,
    char why[static SSH_TUNNEL_WHY_LEN])
{
	bool done;

	*live = NULL;
	*fatal = false;
	why[0] = '\0';
	pthread_mutex_lock(&g->lock);
	done = g->done;
	pthread_mutex_unlock(&g->lock);
	if (!done)
		return SW_AGAIN;
	*live = g->live;
	g->live = NULL;
	*fatal = g->fatal;
	memcpy(why, g->why, SSH_TUNNEL_WHY_LEN);
	ssh_text_clean(why);		/* the server's words are in it */
	return g->err;
}

void
ssh_login_free(struct ssh_login *g)
{
	if (g == NULL)
		return;
	pthread_mutex_lock(&g->lock);
	g->abandoned = true;
	if (!g->done) {
		transport_cancel(g->plan->transport);
		if (g->fd >= 0)
			(void)shutdown(g->fd, SHUT_RDWR);
	}
	pthread_mutex_unlock(&g->lock);
	unref(g);
}
