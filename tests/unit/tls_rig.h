/*
 * tls_rig.h - certificates of a throw-away authority, and an echo server behind
 * our own TLS server, on a loop in a thread.
 */
#ifndef SW_TESTS_TLS_RIG_H
#define SW_TESTS_TLS_RIG_H

#include <arpa/inet.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/container.h"
#include "base/loop.h"
#include "transport/tls_server.h"
#include "transport/transport.h"

struct tls_rig {
	char dir[64];
	uint16_t port;
	int listen_fd, stop_fd[2];
	struct loop l;
	struct loop_fd listen_w, stop_w;
	struct tls_server *server;
	pthread_t thread;
	/* The next three under the lock: rig_last(), rig_patience(). */
	pthread_mutex_t lock;
	int64_t handshake_ms;
	struct tls_peer peer;		/* of the handshake that ended last */
	int last_err;
};

/* What the server saw last; a byte was echoed since. */
static inline struct tls_peer
rig_last(struct tls_rig *r, int *err)
{
	struct tls_peer peer;

	pthread_mutex_lock(&r->lock);
	peer = r->peer;
	if (err != NULL)
		*err = r->last_err;
	pthread_mutex_unlock(&r->lock);
	return peer;
}

static inline void
rig_patience(struct tls_rig *r, int64_t ms)
{
	pthread_mutex_lock(&r->lock);
	r->handshake_ms = ms;
	pthread_mutex_unlock(&r->lock);
}

static inline void
rig_run(const char *dir, const char *command)
{
	char line[2048];

	snprintf(line, sizeof(line), "cd %s && (%s) >log 2>&1", dir, command);
	if (system(line) != 0) {
		fprintf(stderr, "failed: %s\n", line);
		abort();
	}
}

/* NAME.pem and NAME.key, signed by the authority ca.pem. */
static inline void
rig_certificate(const char *dir, const char *name, const char *san,
    const char *how)
{
	char line[1024];

	snprintf(line, sizeof(line), "openssl req -newkey ec -pkeyopt "
	    "ec_paramgen_curve:P-256 -nodes -keyout %s.key -out %s.csr "
	    "-subj /CN=%s && echo subjectAltName=%s >%s.ext && "
	    "openssl x509 -req -in %s.csr -CA ca.pem -CAkey ca.key "
	    "-CAcreateserial -extfile %s.ext -out %s.pem %s", name, name, name,
	    san, name, name, name, name, how);
	rig_run(dir, line);
}

static inline void
rig_certificates(char dir[static 64])
{
	snprintf(dir, 64, "/tmp/sw-tls-XXXXXX");
	if (mkdtemp(dir) == NULL)
		abort();
	rig_run(dir, "openssl req -x509 -newkey ec -pkeyopt "
	    "ec_paramgen_curve:P-256 -nodes -keyout ca.key -out ca.pem "
	    "-subj /CN=authority -days 30");
	rig_certificate(dir, "one", "DNS:one.test,IP:127.0.0.1", "-days 30");
	rig_certificate(dir, "two", "DNS:*.two.test", "-days 30");
	rig_certificate(dir, "old", "DNS:old.test", "-days -1");
}

/* On loopback; *port 0: any. */
static inline int
rig_listen(uint16_t *port)
{
	struct sockaddr_in sin = { .sin_family = AF_INET,
	    .sin_port = htons(*port),
	    .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t len = sizeof(sin);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (bind(fd, (struct sockaddr *)&sin, sizeof(sin)) != 0 ||
	    listen(fd, 64) != 0 ||
	    getsockname(fd, (struct sockaddr *)&sin, &len) != 0)
		abort();
	*port = ntohs(sin.sin_port);
	return fd;
}

static void *
rig_echo(void *arg)
{
	int fd = (int)(intptr_t)arg;
	char buf[8192];
	ssize_t n;

	while ((n = read(fd, buf, sizeof(buf))) > 0)
		for (ssize_t at = 0; at < n;) {
			ssize_t w = send(fd, buf + at, (size_t)(n - at),
			    MSG_NOSIGNAL);

			if (w <= 0)
				goto out;
			at += w;
		}
out:
	close(fd);
	return NULL;
}

static inline void
rig_on_done(void *arg, int err, int fd, const struct tls_peer *peer,
    const char *why)
{
	struct tls_rig *r = arg;
	pthread_t id;

	(void)why;
	pthread_mutex_lock(&r->lock);
	r->last_err = err;
	r->peer = *peer;
	pthread_mutex_unlock(&r->lock);
	if (err == SW_ERR_FORMAT) {
		(void)!write(fd, "plain\n", 6);
		close(fd);
	}
	if (err == SW_OK && pthread_create(&id, NULL, rig_echo,
	    (void *)(intptr_t)fd) == 0)
		pthread_detach(id);
}

static inline void
rig_on_listen(struct loop_fd *w, uint32_t events)
{
	static const struct tls_accept_events ev = { .done = rig_on_done };
	struct tls_rig *r = CONTAINER_OF(w, struct tls_rig, listen_w);
	int fd = accept4(w->fd, NULL, NULL, SOCK_CLOEXEC);

	int64_t patience;

	(void)events;
	pthread_mutex_lock(&r->lock);
	patience = r->handshake_ms;
	pthread_mutex_unlock(&r->lock);
	if (fd >= 0 && tls_accept_start(&r->l, r->server, fd, r->l.now_ms +
	    patience, &ev, r) == NULL)
		abort();
}

/* A byte is a wish: 's' stop, 'r' reload. */
static inline void
rig_on_stop(struct loop_fd *w, uint32_t events)
{
	struct tls_rig *r = CONTAINER_OF(w, struct tls_rig, stop_w);
	char why[TLS_WHY_LEN], wish = 's';
	int err = SW_OK;

	(void)events;
	(void)!read(w->fd, &wish, 1);
	if (wish == 's')
		r->l.stop = true;
	else
		err = tls_server_reload(r->server, why);
	pthread_mutex_lock(&r->lock);
	r->last_err = err;
	pthread_mutex_unlock(&r->lock);
	(void)!write(w->fd, &wish, 1);
}

static inline void
rig_wish(struct tls_rig *r, char wish)
{
	(void)!write(r->stop_fd[1], &wish, 1);
	(void)!read(r->stop_fd[1], &wish, 1);
}

static void *
rig_thread(void *arg)
{
	struct tls_rig *r = arg;

	if (loop_run(&r->l) != SW_OK)
		abort();
	return NULL;
}

static inline void
rig_serve(struct tls_rig *r)
{
	char one[128], one_key[128], two[128], two_key[128], why[TLS_WHY_LEN];
	const struct tls_server_cert certs[] = {
		{ one, one_key }, { two, two_key },
	};
	const struct tls_server_options o = { .certs = certs, .ncerts = 2 };

	snprintf(one, sizeof(one), "%s/one.pem", r->dir);
	snprintf(one_key, sizeof(one_key), "%s/one.key", r->dir);
	snprintf(two, sizeof(two), "%s/two.pem", r->dir);
	snprintf(two_key, sizeof(two_key), "%s/two.key", r->dir);
	r->listen_fd = rig_listen(&r->port);
	if (socketpair(AF_UNIX, SOCK_STREAM, 0, r->stop_fd) != 0 ||
	    loop_init(&r->l) != SW_OK)
		abort();
	if (tls_server_new(&r->server, &o, why) != SW_OK) {
		fprintf(stderr, "%s\n", why);
		abort();
	}
	pthread_mutex_init(&r->lock, NULL);
	r->handshake_ms = 10000;
	r->listen_w = (struct loop_fd){ .fd = r->listen_fd,
	    .ready = rig_on_listen };
	r->stop_w = (struct loop_fd){ .fd = r->stop_fd[0],
	    .ready = rig_on_stop };
	if (loop_add(&r->l, &r->listen_w, EPOLLIN) != SW_OK ||
	    loop_add(&r->l, &r->stop_w, EPOLLIN) != SW_OK ||
	    pthread_create(&r->thread, NULL, rig_thread, r) != 0)
		abort();
}

static inline void
rig_end(struct tls_rig *r)
{
	const struct timespec step = { .tv_nsec = 10 * 1000000 };
	char line[128];

	for (int i = 0; tls_server_count(r->server) > 0; i++) {
		if (i > 1000)
			abort();	/* a connection has not ended */
		nanosleep(&step, NULL);
	}
	rig_wish(r, 's');
	pthread_join(r->thread, NULL);
	/* Somebody may have come together with the wish. */
	for (int i = 0; tls_server_count(r->server) > 0; i++)
		if (i > 1000 || loop_run_once(&r->l, 10) != SW_OK)
			abort();
	tls_server_free(r->server);
	loop_wipe(&r->l);
	close(r->listen_fd);
	close(r->stop_fd[0]);
	close(r->stop_fd[1]);
	snprintf(line, sizeof(line), "rm -rf %s", r->dir);
	(void)!system(line);
}

#endif
