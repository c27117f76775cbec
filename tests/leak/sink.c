/*
 * sink LOG net FIRST LAST | sink LOG unix PATH... | sink LOG stub
 *
 * What the leak matrix must not reach. A line in LOG for each arrival:
 *	net	"port N from ADDRESS" for TCP connections and datagrams to ports
 *		FIRST to LAST; "name NAME from ADDRESS" for queries to port 53,
 *		answered with "no such name"
 *	unix	"unix PATH" for each connection, with the key for nscd; of its clients only for
 *		those that ask for a host: users and groups are no secret of
 *		the network's, and libc asks for them outside the wrap as well
 *	stub	"lo NAME" for each datagram to 127.0.0.53:53
 * Prints "ready" once it listens.
 */
#include <arpa/inet.h>
#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#define SOCKETS_MAX 512

static struct pollfd pfd[SOCKETS_MAX];
static char what[SOCKETS_MAX][120];	/* the line; "name" for a resolver */
static int type_of[SOCKETS_MAX];
static nfds_t len;
static int log_fd;

static void
add(int fd, int type, const char *line)
{
	if (fd < 0 || len == SOCKETS_MAX) {
		perror("sink");
		exit(1);
	}
	pfd[len] = (struct pollfd){ .fd = fd, .events = POLLIN };
	type_of[len] = type;
	(void)snprintf(what[len++], sizeof(what[0]), "%s", line);
}

static void
add_port(int type, int port, const char *line)
{
	struct sockaddr_in6 sin6 = { .sin6_family = AF_INET6 };
	int fd = socket(AF_INET6, type | SOCK_NONBLOCK, 0), on = 1;

	sin6.sin6_port = htons((uint16_t)port);
	(void)setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	if (bind(fd, (struct sockaddr *)&sin6, sizeof(sin6)) != 0 ||
	    (type == SOCK_STREAM && listen(fd, 100) != 0)) {
		(void)fprintf(stderr, "sink: %d: %s\n", port,
		    strerror(errno));
		exit(1);
	}
	add(fd, type, line);
}

static void
add_unix(const char *path)
{
	struct sockaddr_un sun = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0);
	char line[120];

	(void)snprintf(sun.sun_path, sizeof(sun.sun_path), "%s", path);
	if (bind(fd, (struct sockaddr *)&sun, sizeof(sun)) != 0 ||
	    listen(fd, 100) != 0) {
		perror(path);
		exit(1);
	}
	(void)snprintf(line, sizeof(line), "unix %.100s", path);
	add(fd, SOCK_STREAM, line);
}

static void
note(const char *line, const struct sockaddr_in6 *from)
{
	char addr[INET6_ADDRSTRLEN] = "-", out[512];
	int n;

	if (from != NULL)
		(void)inet_ntop(AF_INET6, &from->sin6_addr, addr,
		    sizeof(addr));
	n = snprintf(out, sizeof(out), "%s from %s\n", line, addr);
	if (write(log_fd, out, (size_t)n) < 0)
		perror("sink");
}

/* Answers a query and writes its name in lower case. */
static void
take_query(int fd, uint8_t *q, size_t n, const struct sockaddr_in6 *from)
{
	char line[400] = "name ";
	size_t at = 12, out = 5, i;

	while (at < n && q[at] != 0 && q[at] < 64) {
		for (i = 1; i <= q[at] && at + i < n && out < 390; i++)
			line[out++] = (char)tolower(q[at + i]);
		line[out++] = '.';
		at += q[at] + 1u;
	}
	line[out - (out > 5)] = '\0';
	note(line, from);
	if (n >= 12) {
		q[2] |= 0x80;
		q[3] = (uint8_t)((q[3] & 0xf0) | 0x83);
		(void)sendto(fd, q, n, 0, (const struct sockaddr *)from,
		    sizeof(*from));
	}
}

/*
 * An nscd request is version, type, length of the key, key. Writes the key to
 * `key`; false for what is not about hosts.
 */
static bool
asks_for_host(int fd, char *key, size_t cap)
{
	char buf[512] = "";
	int32_t head[3] = { 0 };
	ssize_t n;

	(void)poll(&(struct pollfd){ .fd = fd, .events = POLLIN }, 1, 500);
	n = recv(fd, buf, sizeof(buf) - 1, MSG_DONTWAIT);
	memcpy(head, buf, sizeof(head));
	if (n < (ssize_t)sizeof(head)) {
		(void)snprintf(key, cap, "by a probe");
		return true;
	}
	(void)snprintf(key, cap, "%.100s", buf + sizeof(head));
	return (head[1] >= 4 && head[1] <= 7) || head[1] == 14;
}

/* The stub's datagrams hold the name that was to be asked for. */
static const char *
text_of(const uint8_t *p, size_t n)
{
	static char line[120];
	char name[100];

	n = n < sizeof(name) ? n : sizeof(name) - 1;
	memcpy(name, p, n);
	name[n] = '\0';
	(void)snprintf(line, sizeof(line), "lo %s", name);
	return line;
}

static void
take(nfds_t i)
{
	static uint8_t buf[4096];
	char key[101], line[256];
	struct sockaddr_in6 from = { .sin6_family = AF_INET6 };
	socklen_t from_len = sizeof(from);
	ssize_t n;
	int fd;

	if (type_of[i] == SOCK_DGRAM) {
		n = recvfrom(pfd[i].fd, buf, sizeof(buf), 0,
		    (struct sockaddr *)&from, &from_len);
		if (n < 0)
			return;
		if (strcmp(what[i], "name") == 0)
			take_query(pfd[i].fd, buf, (size_t)n, &from);
		else if (strcmp(what[i], "lo") == 0)
			note(text_of(buf, (size_t)n), NULL);
		else
			note(what[i], &from);
		return;
	}
	fd = accept(pfd[i].fd, (struct sockaddr *)&from, &from_len);
	if (fd < 0)
		return;
	if (strstr(what[i], "nscd") == NULL) {
		note(what[i], from.sin6_family == AF_INET6 ? &from : NULL);
	} else if (asks_for_host(fd, key, sizeof(key))) {
		(void)snprintf(line, sizeof(line), "%.119s %s", what[i], key);
		note(line, NULL);
	}
	(void)close(fd);
}

int
main(int argc, char **argv)
{
	struct sockaddr_in stub = { .sin_family = AF_INET,
		.sin_port = htons(53) };
	char line[32];
	int i, fd;
	nfds_t k;

	if (argc < 3)
		return 2;
	log_fd = open(argv[1], O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC,
	    0644);
	if (strcmp(argv[2], "net") == 0 && argc == 5) {
		for (i = atoi(argv[3]); i <= atoi(argv[4]); i++) {
			(void)snprintf(line, sizeof(line), "port %d", i);
			add_port(SOCK_STREAM, i, line);
			add_port(SOCK_DGRAM, i, line);
		}
		add_port(SOCK_DGRAM, 53, "name");
		add_port(SOCK_STREAM, 53, "name by TCP");
	} else if (strcmp(argv[2], "unix") == 0) {
		for (i = 3; i < argc; i++)
			add_unix(argv[i]);
	} else if (strcmp(argv[2], "stub") == 0) {
		fd = socket(AF_INET, SOCK_DGRAM, 0);
		(void)inet_pton(AF_INET, "127.0.0.53", &stub.sin_addr);
		if (bind(fd, (struct sockaddr *)&stub, sizeof(stub)) != 0)
			return 1;
		add(fd, SOCK_DGRAM, "lo");
	} else {
		return 2;
	}
	(void)printf("ready\n");
	(void)fflush(stdout);
	for (;;) {
		if (poll(pfd, len, -1) < 0 && errno != EINTR)
			return 1;
		for (k = 0; k < len; k++)
			if (pfd[k].revents != 0)
				take(k);
	}
}
