/*
 * An iroh endpoint on the command line, for tests: a dialler that joins the
 * stream to its standard input and output (an ssh ProxyCommand), or a listener
 * that joins each stream to a TCP port, or echoes.
 *
 *	iroh_pipe dial [-r RELAY] [-a ADDR]... [-p PROXY] [-s SECONDS] ENDPOINT
 *	iroh_pipe listen [-k KEYFILE] [-r RELAY] [-a ADDR]... [-b IP] [-P PORT]
 *	  [-t HOST:PORT]
 *		prints "id ...", "name ..." (z-base-32), "ticket ...", "port ...",
 *		and "from ID direct|relayed" for each stream
 *	-A ALPN, -c FILE (CA of the relay), -v
 */
#include <errno.h>
#include <netdb.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "transport/iroh.h"
#include "transport/iroh_dns.h"

static void
die(const char *what)
{
	fprintf(stderr, "iroh_pipe: %s\n", what);
	exit(1);
}

struct way {
	int from, to;
	bool socket;		/* `to` can be shut down */
};

static void *
copy(void *arg)
{
	const struct way *w = arg;
	static _Thread_local char buf[262144];
	ssize_t n;

	while ((n = read(w->from, buf, sizeof(buf))) > 0)
		for (ssize_t at = 0; at < n;) {
			ssize_t m = write(w->to, buf + at, (size_t)(n - at));

			if (m <= 0)
				return NULL;
			at += m;
		}
	if (w->socket)
		shutdown(w->to, SHUT_WR);
	else
		close(w->to);
	return NULL;
}

/* Both ways until both have ended. */
static void
join(int fd, int in, int out, bool socket)
{
	/* Read by the thread for as long as this one lives. */
	static _Thread_local struct way up;
	struct way down = { fd, out, socket };
	pthread_t t;

	up = (struct way){ in, fd, true };
	if (pthread_create(&t, NULL, copy, &up) != 0)
		die("no thread");
	copy(&down);
	if (socket)
		pthread_join(t, NULL);
	else	/* the peer's end is the end, as of an ssh ProxyCommand */
		pthread_detach(t);
}

static int
dial_tcp(const char *to)
{
	const struct addrinfo hints = { .ai_socktype = SOCK_STREAM };
	struct addrinfo *ai;
	char host[256];
	const char *colon = strrchr(to, ':');
	int fd;

	if (colon == NULL || (size_t)(colon - to) >= sizeof(host))
		return -1;
	memcpy(host, to, (size_t)(colon - to));
	host[colon - to] = '\0';
	if (getaddrinfo(host, colon + 1, &hints, &ai) != 0)
		return -1;
	fd = socket(ai->ai_family, SOCK_STREAM, 0);
	if (connect(fd, ai->ai_addr, ai->ai_addrlen) != 0) {
		close(fd);
		fd = -1;
	}
	freeaddrinfo(ai);
	return fd;
}

struct served {
	int fd;
	const char *to;
};

static void *
serve(void *arg)
{
	struct served *s = arg;
	int tcp;

	if (s->to == NULL) {
		struct way echo = { s->fd, s->fd, true };

		copy(&echo);
	} else if ((tcp = dial_tcp(s->to)) >= 0) {
		join(s->fd, tcp, tcp, true);
		close(tcp);
	}
	close(s->fd);
	free(s);
	return NULL;
}

static void
print_ticket(struct iroh_endpoint *ep, const char *relay, char *const *addrs,
    int naddrs)
{
	char text[IROH_TICKET_LEN], id[IROH_ID_TEXT_LEN], z32[IROH_ID_Z32_LEN];
	struct iroh_addr a = { .ndirect = 0 };

	iroh_id(ep, &a.id);
	if (relay != NULL && iroh_addr_set_relay(&a, relay) != SW_OK)
		die("bad relay");
	for (int i = 0; i < naddrs; i++)
		if (iroh_addr_add_direct(&a, addrs[i]) != SW_OK)
			die("bad address");
	printf("id %s\nname %s\nticket %s\nport %u\n", iroh_id_text(&a.id, id),
	    iroh_id_z32(&a.id, z32), iroh_addr_ticket(&a, text), iroh_port(ep));
	fflush(stdout);
}

static _Noreturn void
listen_for(struct iroh_endpoint *ep, const char *to)
{
	for (;;) {
		struct pollfd w = { iroh_accept_fd(ep), POLLIN, 0 };
		struct iroh_incoming in;
		char id[IROH_ID_TEXT_LEN];
		struct served *s;
		pthread_t t;

		if (poll(&w, 1, -1) <= 0 || iroh_accept(ep, &in) != SW_OK)
			continue;
		printf("from %s %s\n", iroh_id_text(&in.peer, id),
		    in.relayed ? "relayed" : "direct");
		fflush(stdout);
		s = malloc(sizeof(*s));
		*s = (struct served){ in.fd, to };
		if (pthread_create(&t, NULL, serve, s) != 0)
			die("no thread");
		pthread_detach(t);
	}
}

int
main(int argc, char **argv)
{
	struct iroh_options o = { .accept = false };
	struct iroh_addr peer = { .ndirect = 0 };
	struct transport_limit until = { .cancel_fd = -1 };
	struct iroh_endpoint *ep;
	char why[IROH_WHY_LEN], *addrs[IROH_DIRECT_MAX];
	const char *to = NULL, *relay = NULL;
	int opt, naddrs = 0, fd, seconds = 20;
	bool dial;

	if (argc < 2)
		die("dial or listen");
	dial = strcmp(argv[1], "dial") == 0;
	o.accept = !dial;
	optind = 2;
	while ((opt = getopt(argc, argv, "A:P:a:b:c:k:p:r:s:t:v")) != -1)
		switch (opt) {
		case 'A': o.alpn = optarg; break;
		case 'P': o.port = (uint16_t)atoi(optarg); break;
		case 'a':
			if (naddrs < IROH_DIRECT_MAX)
				addrs[naddrs++] = optarg;
			break;
		case 'b': o.bind = optarg; break;
		case 'c': o.relay_ca = optarg; break;
		case 'k': o.key_file = optarg; break;
		case 'p': o.proxy = optarg; break;
		case 'r': relay = optarg; break;
		case 's': seconds = atoi(optarg); break;
		case 't': to = optarg; break;
		case 'v': log_open(2, LOG_LEVEL_DEBUG, "iroh_pipe"); break;
		default: die("unknown option");
		}
	signal(SIGPIPE, SIG_IGN);
	o.relay = relay;
	if (iroh_open(&ep, &o, why) != SW_OK)
		die(why);
	if (!dial) {
		print_ticket(ep, relay, addrs, naddrs);
		listen_for(ep, to);
	}
	if (optind >= argc || iroh_addr_parse(&peer, argv[optind],
	    strlen(argv[optind])) != SW_OK)
		die("no endpoint");
	for (int i = 0; i < naddrs; i++)
		if (iroh_addr_add_direct(&peer, addrs[i]) != SW_OK)
			die("bad address");
	if (peer.ndirect == 0 && peer.relay[0] == '\0' && relay == NULL &&
	    iroh_dns_lookup(&peer, why) != SW_OK)
		die(why);
	until.deadline_ms = clock_now_ms() + seconds * 1000;
	if (iroh_dial(ep, &peer, &until, &fd, why) != SW_OK)
		die(why);
	join(fd, 0, 1, false);
	close(fd);
	iroh_close(ep, 3000);
	return 0;
}
