#include "preload/session_services.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/wipe.h"
#include "preload/forward_spec.h"
#include "transport/forward.h"
#include "transport/socks_server.h"

#define PASSWORDS_MAX 65536	/* bytes of the file */

struct services {
	struct session *s;
	struct socks_server *socks;
	struct forward_local *local[OPTIONS_FORWARD_MAX];
	struct forward_remote *remote[OPTIONS_FORWARD_MAX];
	uint16_t remote_port[OPTIONS_FORWARD_MAX];
	size_t local_n, remote_n;
	bool started;
};

/* The whole file as a string, the caller's to wipe and free; NULL and a line
 * in `why`. */
static char *
read_passwords(const char *path, char why[static 256])
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	char *text = calloc(1, PASSWORDS_MAX + 1);
	struct stat st;
	ssize_t n = -1;

	if (fd >= 0 && fstat(fd, &st) == 0 && (st.st_mode & 077) != 0)
		snprintf(why, 256, "the password file \"%.150s\" may be read by "
		    "others; make it private: chmod 600", path);
	else if (fd < 0 || text == NULL ||
	    (n = read(fd, text, PASSWORDS_MAX)) < 0)
		snprintf(why, 256, "could not read the password file "
		    "\"%.150s\": %s", path, strerror(errno));
	if (fd >= 0)
		close(fd);
	if (n >= 0 && strchr(text, ':') != NULL)
		return text;
	if (n >= 0) {
		snprintf(why, 256, "the password file \"%.150s\" has no line "
		    "NAME:PASSWORD", path);
	}
	sw_wipe_free(text, PASSWORDS_MAX + 1);
	return NULL;
}

static int
open_socks(struct services *v, char why[static 256])
{
	const struct start *st = &v->s->start;
	const struct session_tunnel *t = v->s->tunnel;
	const char *where = start_text(st, TEXT_SOCKS);
	const char *auth = start_text(st, TEXT_SOCKS_AUTH);
	struct socks_server_options o = { .exit = {
		.dialer = t->dialer, .dialer_ops = t->dialer_ops,
		.datagrams = t->datagrams, .datagram_ops = t->datagram_ops,
	} };
	struct forward_end at;
	char *passwords = NULL;
	int r;

	if (where == NULL)
		return SW_OK;
	if (forward_listen_parse(&at, where) != SW_OK) {
		snprintf(why, 256, "cannot understand --socks");
		return SW_ERR_CONFIG;
	}
	if (auth != NULL && (passwords = read_passwords(auth, why)) == NULL)
		return SW_ERR_CONFIG;
	o.host = at.host;
	o.port = at.port;
	o.passwords = passwords;
	r = socks_server_open(&v->socks, &v->s->loop, &o, why);
	sw_wipe_free(passwords, PASSWORDS_MAX + 1);
	return r;
}

static void
to_target(struct dial_target *out, const struct forward_end *e)
{
	memset(out, 0, sizeof(*out));
	memcpy(out->host, e->host, strlen(e->host) + 1);
	out->port = e->port;
}

static int
open_local(struct services *v, const char *text, char why[static 256])
{
	const struct session_tunnel *t = v->s->tunnel;
	struct dial_target target;
	struct forward_spec f;
	int r;

	if (forward_spec_parse(&f, text, false) != SW_OK) {
		snprintf(why, 256, "cannot understand -L");
		return SW_ERR_CONFIG;
	}
	to_target(&target, &f.target);
	r = forward_local_open(&v->local[v->local_n], &v->s->loop,
	    f.listen.host, f.listen.port, &target, t->dialer, t->dialer_ops,
	    why);
	v->local_n += r == SW_OK;
	return r;
}

static int
open_remote(struct services *v, const char *text, char why[static 256])
{
	struct dial_target target;
	struct forward_spec f;
	int r;

	if (forward_spec_parse(&f, text, true) != SW_OK) {
		snprintf(why, 256, "cannot understand -R");
		return SW_ERR_CONFIG;
	}
	if (forward_is_path(&f.listen)) {
		/* libssh has no streamlocal-forward@openssh.com. */
		snprintf(why, 256, "-R needs a port to listen on at the exit; "
		    "a socket is not possible there");
		return SW_ERR_UNSUPPORTED;
	}
	to_target(&target, &f.target);
	r = forward_remote_open(&v->remote[v->remote_n], &v->s->loop, &target,
	    why);
	if (r == SW_OK)
		v->remote_port[v->remote_n++] = f.listen.port;
	return r;
}

int
services_open(struct services **out, struct session *s, char why[static 256])
{
	const struct start *st = &s->start;
	struct services *v;
	int r;

	*out = NULL;
	if (start_text(st, TEXT_SOCKS) == NULL && st->local_n == 0 &&
	    st->remote_n == 0)
		return SW_OK;
	if (st->remote_n > 0 && tunnel_is_mix(&st->url[st->via_n - 1])) {
		snprintf(why, 256, "-R is not possible here: the mixnet's exit "
		    "does not listen for its clients");
		return SW_ERR_UNSUPPORTED;
	}
	if ((v = calloc(1, sizeof(*v))) == NULL) {
		snprintf(why, 256, "out of memory");
		return SW_ERR_NOMEM;
	}
	v->s = s;
	r = open_socks(v, why);
	for (size_t i = 0; i < st->local_n && r == SW_OK; i++)
		r = open_local(v, st->local[i], why);
	for (size_t i = 0; i < st->remote_n && r == SW_OK; i++)
		r = open_remote(v, st->remote[i], why);
	if (r != SW_OK) {
		services_free(v);
		return r;
	}
	*out = v;
	return SW_OK;
}

int
services_start(struct services *v, char why[static 256])
{
	bool open_to_all = v->socks != NULL && socks_server_is_public(v->socks) &&
	    start_text(&v->s->start, TEXT_SOCKS_AUTH) == NULL;
	bool lets_in = false;
	int r = SW_OK;

	if (v->started)
		return SW_OK;
	v->started = true;
	for (size_t i = 0; i < v->local_n; i++)
		open_to_all |= forward_local_is_public(v->local[i]);
	for (size_t i = 0; i < v->remote_n; i++)
		lets_in |= forward_remote_is_proxy(v->remote[i]);
	if (lets_in)
		session_warn(v->s, "whoever reaches the port of a -R without a "
		    "target may use the network of this machine");
	if (open_to_all)
		session_warn(v->s, "whoever reaches the address that --socks or "
		    "-L listens on may use the tunnel");
	if (v->socks != NULL)
		r = socks_server_start(v->socks, why);
	for (size_t i = 0; i < v->local_n && r == SW_OK; i++)
		r = forward_local_start(v->local[i], why);
	return r;
}

void
services_settle(struct services *v, size_t i, uint16_t port)
{
	char text[FORWARD_TEXT_MAX + 64];

	v->remote_port[i] = port;
	snprintf(text, sizeof(text), "allocated port %u at the exit for -R %s",
	    port, v->s->start.remote[i]);
	session_warn(v->s, text);
}

bool
services_take(struct services *v, uint16_t port, struct dial *d,
    const struct dialer_ops *ops, const struct dial_events **ev,
    void **ev_arg)
{
	for (size_t i = 0; i < v->remote_n; i++)
		if (v->remote_port[i] == port)
			return forward_remote_take(v->remote[i], d, ops, ev,
			    ev_arg) == SW_OK;
	return false;
}

size_t
services_status(const struct services *v, char *buf, size_t cap)
{
	size_t streams = 0;
	int n;

	for (size_t i = 0; i < v->local_n; i++)
		streams += forward_local_streams(v->local[i]);
	for (size_t i = 0; i < v->remote_n; i++)
		streams += forward_remote_streams(v->remote[i]);
	n = snprintf(buf, cap, "proxy-clients %zu\nforwards %zu\n"
	    "forward-streams %zu\n",
	    v->socks != NULL ? socks_server_clients(v->socks) : 0,
	    v->local_n + v->remote_n, streams);
	return n < 0 || (size_t)n >= cap ? 0 : (size_t)n;
}

void
services_free(struct services *v)
{
	if (v == NULL)
		return;
	socks_server_free(v->socks);
	for (size_t i = 0; i < v->local_n; i++)
		forward_local_free(v->local[i]);
	for (size_t i = 0; i < v->remote_n; i++)
		forward_remote_free(v->remote[i]);
	free(v);
}
