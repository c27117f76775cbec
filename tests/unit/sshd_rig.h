/*
 * sshd_rig.h - a real OpenSSH server on loopback for one test program: free
 * ports, throw-away keys, everything in a temporary folder and gone at the end.
 * And a small server for it to forward to.
 */
#ifndef SW_TESTS_SSHD_RIG_H
#define SW_TESTS_SSHD_RIG_H

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <pthread.h>
#include <pwd.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

struct rig {
	char dir[64];
	char user[64], key[128], known[128];
	uint16_t port, far_port;
	pid_t sshd, far;
};

static inline void
rig_sh(const char *command)
{
	if (system(command) != 0) {
		fprintf(stderr, "failed: %s\n", command);
		abort();
	}
}

static inline int
rig_listen(uint16_t *port)
{
	struct sockaddr_in sin = { .sin_family = AF_INET,
	    .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t len = sizeof(sin);
	const int one = 1;
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	sin.sin_port = htons(*port);
	if (bind(fd, (struct sockaddr *)&sin, sizeof(sin)) != 0 ||
	    listen(fd, 4096) != 0 ||
	    getsockname(fd, (struct sockaddr *)&sin, &len) != 0)
		abort();
	*port = ntohs(sin.sin_port);
	return fd;
}

/* A port nobody listens on. */
static inline uint16_t
rig_free_port(void)
{
	uint16_t port = 0;

	close(rig_listen(&port));
	return port;
}

static inline int
rig_connect(uint16_t port)
{
	struct sockaddr_in sin = { .sin_family = AF_INET,
	    .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (connect(fd, (struct sockaddr *)&sin, sizeof(sin)) == 0)
		return fd;
	close(fd);
	return -1;
}

/* ---- the far server: first byte of a connection says what it does ---- */

/* Byte i of every stream. */
static inline uint8_t
rig_byte(uint64_t i)
{
	return (uint8_t)(i * 2654435761u >> 13 ^ i);
}

static inline void *
rig_far_serve(void *arg)
{
	int fd = (int)(intptr_t)arg;
	enum { N = 65536 };
	uint8_t *buf = malloc(N);
	uint64_t at = 0, want = 0;
	ssize_t n;
	char mode = 0;

	if (read(fd, &mode, 1) != 1)
		goto out;
	if (mode == 'e') {		/* echo until end of file, then end */
		while ((n = read(fd, buf, N)) > 0)
			if (send(fd, buf, (size_t)n, MSG_NOSIGNAL) != n)
				break;
	} else if (mode == 's') {	/* source: eight bytes of length follow */
		if (read(fd, &want, 8) != 8)
			goto out;
		for (size_t i = 0; i < N; i++)
			buf[i] = rig_byte(i);
		while (at < want) {
			size_t k = want - at < N ? (size_t)(want - at) : N;

			/* the pattern repeats with each buffer */
			if (send(fd, buf, k, MSG_NOSIGNAL) != (ssize_t)k)
				break;
			at += k;
		}
	} else if (mode == 'k') {	/* sink; tells the count when right */
		while ((n = read(fd, buf, N)) > 0)
			for (ssize_t i = 0; i < n; i++, at++)
				if (buf[i] != rig_byte(at % N))
					goto out;
		if (write(fd, &at, 8) != 8)
			goto out;
	} else if (mode == 'h') {	/* half-close at once, then sink */
		shutdown(fd, SHUT_WR);
		while ((n = read(fd, buf, N)) > 0)
			;
	} else if (mode == 'q') {	/* reads nothing */
		sleep(30);
	}
out:
	free(buf);
	close(fd);
	return NULL;
}

static inline void
rig_far_main(int fd)
{
	pthread_attr_t attr;

	pthread_attr_init(&attr);
	pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED);
	pthread_attr_setstacksize(&attr, 65536);
	for (;;) {
		int c = accept(fd, NULL, NULL);
		pthread_t id;

		if (c >= 0 && pthread_create(&id, &attr, rig_far_serve,
		    (void *)(intptr_t)c) != 0)
			close(c);
	}
}

/* ---- a relay that delays: two threads for each direction ---- */

struct rig_piece {
	struct rig_piece *next;
	int64_t due_us;
	size_t len;
	uint8_t bytes[65536];
};

struct rig_way {
	int from, to;
	int64_t delay_us;
	pthread_mutex_t lock;
	pthread_cond_t cond;
	struct rig_piece *head, **tail;
	size_t queued;
	size_t *peak;			/* the most that either way has held */
};

static inline int64_t
rig_now_us(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (int64_t)ts.tv_sec * 1000000 + ts.tv_nsec / 1000;
}

static inline void *
rig_way_read(void *arg)
{
	struct rig_way *w = arg;
	ssize_t n;

	do {
		struct rig_piece *p = malloc(sizeof(*p));

		n = read(w->from, p->bytes, sizeof(p->bytes));
		p->len = n > 0 ? (size_t)n : 0;
		p->due_us = rig_now_us() + w->delay_us;
		p->next = NULL;
		pthread_mutex_lock(&w->lock);
		while (w->queued > 256u << 20)
			pthread_cond_wait(&w->cond, &w->lock);
		*w->tail = p;
		w->tail = &p->next;
		w->queued += p->len;
		if (w->queued > *w->peak)
			*w->peak = w->queued;
		pthread_cond_broadcast(&w->cond);
		pthread_mutex_unlock(&w->lock);
	} while (n > 0);
	return NULL;
}

static inline void *
rig_way_write(void *arg)
{
	struct rig_way *w = arg;
	bool more = true;

	while (more) {
		struct rig_piece *p;
		int64_t wait;

		pthread_mutex_lock(&w->lock);
		while ((p = w->head) == NULL)
			pthread_cond_wait(&w->cond, &w->lock);
		if ((w->head = p->next) == NULL)
			w->tail = &w->head;
		w->queued -= p->len;
		pthread_cond_broadcast(&w->cond);
		pthread_mutex_unlock(&w->lock);
		if ((wait = p->due_us - rig_now_us()) > 0)
			usleep((useconds_t)wait);
		more = p->len > 0 && send(w->to, p->bytes, p->len,
		    MSG_NOSIGNAL) == (ssize_t)p->len;
		free(p);
	}
	shutdown(w->to, SHUT_RDWR);
	shutdown(w->from, SHUT_RDWR);
	return NULL;
}

static inline void
rig_way_start(int from, int to, int64_t delay_us, size_t *peak)
{
	struct rig_way *w = calloc(1, sizeof(*w));
	pthread_t id;

	w->from = from;
	w->to = to;
	w->delay_us = delay_us;
	w->peak = peak;
	w->tail = &w->head;
	pthread_mutex_init(&w->lock, NULL);
	pthread_cond_init(&w->cond, NULL);
	if (pthread_create(&id, NULL, rig_way_read, w) != 0 ||
	    pthread_create(&id, NULL, rig_way_write, w) != 0)
		abort();
}

/* Forward connections to `port`, each way `ms` later; the relay's own port in
 * *at (0 on entry: any).  *peak: memory shared with it, the most bytes that were
 * on their way in one direction.  A process: the caller kills it. */
static inline pid_t
rig_relay_start(uint16_t port, int ms, uint16_t *at, size_t *peak)
{
	int fd = rig_listen(at), c, s;
	pid_t pid = fork();

	if (pid != 0) {
		close(fd);
		return pid;
	}
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	while ((c = accept(fd, NULL, NULL)) >= 0) {
		if ((s = rig_connect(port)) < 0) {
			close(c);
			continue;
		}
		rig_way_start(c, s, (int64_t)ms * 1000, peak);
		rig_way_start(s, c, (int64_t)ms * 1000, peak);
	}
	_exit(0);
}

/* ---- sshd ---- */

static inline pid_t
rig_sshd_fork(const char *conf, const char *log)
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
static inline bool
rig_sshd_listens(pid_t pid, const char *log)
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

static inline void
rig_sshd_start(struct rig *r, const char *extra)
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
		r->sshd = rig_sshd_fork(path, log);
		if (rig_sshd_listens(r->sshd, log))
			return;
		usleep(100000);
	}
	fprintf(stderr, "sshd does not start\n");
	abort();
}

/* Kill the listener and every session of it. */
static inline void
rig_sshd_stop(struct rig *r)
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

static inline void
rig_new_host_key(struct rig *r, bool trust)
{
	char c[600];

	snprintf(c, sizeof(c), "cd %s && rm -f host host.pub && "
	    "ssh-keygen -q -t ed25519 -N '' -f host", r->dir);
	rig_sh(c);
	if (!trust)
		return;
	snprintf(c, sizeof(c), "cd %s && echo \"[127.0.0.1]:%u "
	    "$(cut -d' ' -f1,2 host.pub)\" >known", r->dir, r->port);
	rig_sh(c);
}

static inline void
rig_start(struct rig *r, const char *extra)
{
	struct rlimit lim;
	struct passwd *pw = getpwuid(getuid());
	char c[400];
	int fd;

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
	rig_sh(c);
	r->port = rig_free_port();
	rig_new_host_key(r, true);
	fd = rig_listen(&r->far_port);
	if ((r->far = fork()) == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		rig_far_main(fd);
		_exit(0);
	}
	close(fd);
	rig_sshd_start(r, extra);
}

static inline void
rig_stop(struct rig *r)
{
	char c[100];

	rig_sshd_stop(r);
	kill(r->far, SIGKILL);
	waitpid(r->far, NULL, 0);
	snprintf(c, sizeof(c), "rm -rf %s", r->dir);
	rig_sh(c);
}

#endif
