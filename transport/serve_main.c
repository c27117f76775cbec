/*
 * smolserve - an SSH server that forwards, and nothing else.
 *
 *   options -> host key, users' keys -> ports -> privileges -> threads ->
 *   sandbox -> serve ... SIGHUP: read keys and rules again
 *                        SIGTERM: no new ones, drain, good-bye, end
 */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "transport/serve.h"
#include "transport/serve_cipher.h"
#include "transport/serve_front.h"
#include "transport/serve_iroh.h"
#include "transport/serve_keyfile.h"
#include "transport/serve_listen.h"
#include "transport/serve_notify.h"
#include "transport/serve_options.h"
#include "transport/serve_sandbox.h"

#define VERSION "0.1"
#define IDENT "SSH-2.0-smolserve_" VERSION
#define DRAIN_LOOK_MS 50
#define BYE_MS 2000
#define TLS_TAIL_MS 300			/* for the last bytes to pass through TLS */
#define OPENING_MAX 64

enum { EXIT_FAIL = 1, EXIT_USAGE = 2 };

static struct {
	struct serve_server server;
	struct serve_listening *listening;
	struct serve_front *front;	/* NULL: no TLS */
	struct serve_iroh *iroh;	/* NULL: none */
	struct proxy_url outbound;
	struct serve_options options;
	struct loop_fd signals;
	struct loop_timer drain;
	int64_t drain_until_ms;
	bool leaving, gone;		/* good-byes are said; sessions are over */
	int argc;
	char **argv;
} self;

static int
complain(const char *why)
{
	fprintf(stderr, "smolserve: %s\n", why);
	return EXIT_FAIL;
}

/* ---- keys and rules, which may be read again ---- */

/* Clients may ask the name servers that answer for them anyway, unless a rule
 * says otherwise. */
static int
allow_nameservers(struct serve_policy *p, const struct serve_nameservers *dns)
{
	char rule[SW_ADDR_TEXT_LEN + 8], ip[SW_ADDR_TEXT_LEN];
	int r = SW_OK;

	for (size_t i = 0; i < dns->n && r == SW_OK; i++) {
		snprintf(rule, sizeof(rule), "[%s]:53",
		    addr_ip_text(&dns->at[i], ip));
		r = serve_policy_add(p, true, rule);
	}
	return r;
}

/* Take the rules out of the options. */
static void
adopt_policy(struct serve_server *v, struct serve_options *o)
{
	serve_nameservers_read(&v->nameservers, "/etc/resolv.conf");
	if (allow_nameservers(&o->policy, &v->nameservers) != SW_OK)
		log_warn("the name servers are not open to clients: too many rules");
	serve_policy_wipe(&v->policy);
	v->policy = o->policy;
	memset(&o->policy, 0, sizeof(o->policy));
}

/* All is read before anything is changed. */
static void
reload(void)
{
	struct serve_options o;
	struct serve_keys *k = NULL;
	char why[256];

	if (serve_options_parse(&o, self.argc, self.argv, why) != SW_OK)
		log_err("%s", why);
	else
		k = serve_keys_read(o.keys, o.nkeys);
	if (k == NULL) {
		log_err("nothing was changed");
	} else {
		serve_keys_unref(self.server.keys);
		self.server.keys = k;
		adopt_policy(&self.server, &o);
		log_info("keys and rules were read again");
		if (self.front != NULL &&
		    serve_front_reload(self.front, why) != SW_OK)
			log_err("the certificate stays: %s", why);
	}
	serve_options_wipe(&o);
}

/* ---- the end ---- */

static void
on_drain(struct loop_timer *t)
{
	struct serve_server *v = &self.server;
	int64_t now = v->l.now_ms;

	loop_set_timer(&v->l, t, now + DRAIN_LOOK_MS);
	if (!self.leaving && (serve_sessions_are_idle(v) ||
	    now >= self.drain_until_ms)) {
		self.leaving = true;
		self.drain_until_ms = now + BYE_MS;
		serve_sessions_bye(v);
	}
	if (self.leaving && !self.gone && v->nsessions == 0) {
		self.gone = true;
		self.drain_until_ms = self.front != NULL ? now + TLS_TAIL_MS : now;
	}
	if (self.leaving && now >= self.drain_until_ms)
		v->l.stop = true;
}

static void
begin_drain(void)
{
	struct serve_server *v = &self.server;

	if (v->draining) {		/* told twice */
		v->l.stop = true;
		return;
	}
	v->draining = true;
	serve_notify("STOPPING=1");
	serve_listening_free(self.listening);
	self.listening = NULL;
	if (self.iroh != NULL)
		serve_iroh_stop(self.iroh);
	self.drain_until_ms = v->l.now_ms +
	    (int64_t)self.options.drain_s * 1000;
	log_info("going down; %zu connections", v->nsessions);
	loop_set_timer(&v->l, &self.drain, v->l.now_ms);
}

static void
on_signal(struct loop_fd *w, uint32_t events)
{
	struct signalfd_siginfo si;

	(void)events;
	while (read(w->fd, &si, sizeof(si)) == (ssize_t)sizeof(si)) {
		if (si.ssi_signo != SIGHUP) {
			begin_drain();
		} else if (!self.server.draining) {
			serve_notify("RELOADING=1");
			reload();
			serve_notify("READY=1");
		}
	}
}

static int
watch_signals(void)
{
	sigset_t set;

	signal(SIGPIPE, SIG_IGN);
	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGHUP);
	if (sigprocmask(SIG_BLOCK, &set, NULL) != 0)
		return SW_ERR_SYS;
	self.signals.fd = signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC);
	self.signals.ready = on_signal;
	if (self.signals.fd < 0)
		return SW_ERR_SYS;
	return loop_add(&self.server.l, &self.signals, EPOLLIN);
}

/* ---- the beginning ---- */

/* A file in the state folder: the one given, the system's, or the user's own;
 * or `given`, if it is. */
static int
state_path(const struct serve_options *o, const char *given, const char *name,
    char out[static 4096], char why[static 256])
{
	const char *dir = o->state, *home = getenv("HOME");
	char own[3800];

	if (given != NULL) {
		snprintf(out, 4096, "%s", given);
		return SW_OK;
	}
	if (dir == NULL && (dir = getenv("STATE_DIRECTORY")) == NULL) {
		if (geteuid() == 0) {
			dir = "/var/lib/smolserve";
		} else {
			snprintf(own, sizeof(own), "%s/.smolserve",
			    home != NULL ? home : ".");
			dir = own;
		}
	}
	if (mkdir(dir, 0700) != 0 && errno != EEXIST) {
		snprintf(why, 256, "could not make the state folder \"%.150s\": "
		    "%s", dir, strerror(errno));
		return SW_ERR_SYS;
	}
	snprintf(out, 4096, "%s/%s", dir, name);
	return SW_OK;
}

static int
load_hostkey(char why[static 256])
{
	struct serve_hostkey *k = &self.server.hostkey;
	char path[4096], print[SERVE_FINGERPRINT_LEN], line[SERVE_HOSTKEY_LINE];
	bool made;
	int r;

	if ((r = state_path(&self.options, self.options.host_key, "host_key",
	    path, why)) != SW_OK ||
	    (r = serve_hostkey_load(k, path, self.options.host_key == NULL, &made,
	    why)) != SW_OK)
		return r;
	if (made)
		log_info("made a host key: %s", path);
	serve_hostkey_fingerprint(k, print);
	serve_hostkey_line(k, line);
	dprintf(STDOUT_FILENO, "fingerprint %s\nhostkey %s\n", print, line);
	return SW_OK;
}

static void
configure(struct serve_server *v, struct serve_options *o)
{
	v->limits = o->limits;
	v->remote = o->remote;
	v->no_udp = o->no_udp;
	v->budget.max = (size_t)o->memory_mb << 20;
	v->ssh.ident = IDENT;
	v->ssh.tries_max = o->tries;
	v->ssh.channels_max = o->channels;
	v->ssh.opening_max = OPENING_MAX;
	v->ssh.window_max = 4u << 20;
	adopt_policy(v, o);
}

static int
open_front(struct serve_server *v, const struct serve_options *o,
    char why[static 256])
{
	const struct serve_front_options front = {
		.cert = o->tls_cert, .key = o->tls_key, .web = o->web,
	};

	if (o->tls_cert == NULL)
		return SW_OK;
	self.front = serve_front_new(v, &front, why);
	return self.front != NULL ? SW_OK : SW_ERR_CONFIG;
}

static int
open_iroh(struct serve_server *v, const struct serve_options *o,
    char why[static 256])
{
	char path[4096];
	int r;

	for (size_t i = 0; i < o->nlisten; i++) {
		if (o->listen[i].kind != SERVE_IROH)
			continue;
		if ((r = state_path(o, o->iroh_key, "iroh_key", path, why)) !=
		    SW_OK)
			return r;
		self.iroh = serve_iroh_new(v, &o->listen[i], path,
		    o->iroh_relay, STDOUT_FILENO, why);
		if (self.iroh == NULL)
			return SW_ERR_CONFIG;
	}
	return SW_OK;
}

/* Then nothing is looked up or sent past it. */
static int
use_proxy(struct serve_server *v, const struct serve_options *o,
    char why[static 256])
{
	int r;

	if (o->outbound == NULL)
		return SW_OK;
	if ((r = proxy_url_parse(&self.outbound, o->outbound, why)) != SW_OK)
		return r;
	v->dialing.outbound = &self.outbound;
	v->no_udp = true;
	return SW_OK;
}

static int
start(char why[static 256])
{
	struct serve_server *v = &self.server;
	struct serve_options *o = &self.options;
	int r;

	snprintf(why, 256, "could not start");
	self.drain.fire = on_drain;
	if (!serve_cipher_begin())
		return SW_ERR_UNSUPPORTED;
	if ((r = serve_server_init(v)) != SW_OK ||
	    (r = load_hostkey(why)) != SW_OK)
		return r;
	configure(v, o);
	snprintf(why, 256, "could not read who may log in; see above");
	if ((v->keys = serve_keys_read(o->keys, o->nkeys)) == NULL)
		return SW_ERR_CONFIG;
	if ((r = open_front(v, o, why)) != SW_OK ||
	    (r = use_proxy(v, o, why)) != SW_OK)
		return r;
	self.listening = serve_listening_new(v, self.front, o, STDOUT_FILENO,
	    why);
	if (self.listening == NULL)
		return SW_ERR_SYS;
	if ((r = open_iroh(v, o, why)) != SW_OK)
		return r;
	if ((r = serve_sandbox_drop(o->user, why)) != SW_OK)
		return r;
	snprintf(why, 256, "could not start threads");
	if (watch_signals() != SW_OK ||
	    (v->dialing.resolver = serve_resolver_new(&v->l)) == NULL)
		return SW_ERR_SYS;
	if (!o->no_sandbox)
		r = serve_sandbox_enter(why);
	return r;
}

int
main(int argc, char **argv)
{
	char why[256];
	int r;

	self.argc = argc;
	self.argv = argv;
	log_open(STDERR_FILENO, LOG_LEVEL_INFO, "smolserve");
	if (serve_options_parse(&self.options, argc, argv, why) != SW_OK) {
		(void)complain(why);
		return EXIT_USAGE;
	}
	if (self.options.help || self.options.version) {
		printf("%s", self.options.help ? serve_usage :
		    "smolserve " VERSION "\n");
		return 0;
	}
	if (self.options.verbose)
		log_open(STDERR_FILENO, LOG_LEVEL_DEBUG, "smolserve");
	if (self.options.syslog && serve_log_to_syslog(self.options.verbose) !=
	    SW_OK)
		return complain("could not reach syslog at /dev/log");
	if ((r = start(why)) != SW_OK) {
		(void)complain(why);
	} else {
		dprintf(STDOUT_FILENO, "ready\n");
		serve_notify("READY=1");
		r = loop_run(&self.server.l);
	}
	serve_listening_free(self.listening);
	serve_front_free(self.front);
	serve_sessions_free(&self.server);
	serve_iroh_free(self.iroh);
	serve_server_wipe(&self.server);
	proxy_url_wipe(&self.outbound);
	serve_options_wipe(&self.options);
	return r == SW_OK ? 0 : EXIT_FAIL;
}
