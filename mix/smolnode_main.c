/*
 * smolnode - nodes of a Nym-compatible mixnet.
 *
 *	smolnode local [-ev] [-d PORT] [-t FILE]
 *
 * A whole network on loopback in this process: three mixes, two gateways, an
 * exit at the second, and the directory that clients ask for all of them.
 * Prints where clients find it, then serves until it is told to end.
 */
#include <signal.h>
#include <stddef.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <time.h>
#include <unistd.h>

#include "base/log.h"
#include "mix/localnet.h"
#include "mix/prim.h"
#include "mix/smolnode_exit.h"
#include "mix/smolnode_http.h"

enum { EXIT_FAIL = 1, EXIT_USAGE = 2 };

static struct {
	struct loop loop;
	struct localnet *net;
	struct smolnode_exit *exit;
	struct directory directory;
	struct smolnode_http *http;
	struct sw_addr http_addr;
	struct loop_fd signals;
} self;

struct options {
	const char *topology;		/* file to write; NULL: none */
	uint16_t port;			/* of the directory; 0: any */
	bool allow_local;
	bool verbose;
};

static int
to_client(void *arg, const struct sw_addr *to, const uint8_t *pkt, size_t len)
{
	(void)arg;
	return localnet_send(self.net, to, pkt, len);
}

static const struct smolnode_exit_ops exit_ops = { to_client };

static void
from_client(void *arg, const uint8_t *pkt, size_t len)
{
	(void)arg;
	smolnode_exit_take(self.exit, pkt, len);
}

static void
client_gone(void *arg, const struct sw_addr *ip4, const struct sw_addr *ip6)
{
	(void)arg;
	smolnode_exit_forget(self.exit, ip4);
	smolnode_exit_forget(self.exit, ip6);
}

static void
client_writable(void *arg, const struct sw_addr *inner)
{
	(void)arg;
	smolnode_exit_writable(self.exit, inner);
}

static const struct iprexit_events net_events = {
	from_client, client_gone, client_writable,
};

static void
on_signal(struct loop_fd *w, uint32_t events)
{
	struct signalfd_siginfo si;

	(void)events;
	if (read(w->fd, &si, sizeof(si)) == (ssize_t)sizeof(si))
		self.loop.stop = true;
}

static int
watch_signals(void)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGINT);
	if (sigprocmask(SIG_BLOCK, &set, NULL) != 0)
		return SW_ERR_SYS;
	self.signals.fd = signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC);
	self.signals.ready = on_signal;
	if (self.signals.fd < 0)
		return SW_ERR_SYS;
	return loop_add(&self.loop, &self.signals, EPOLLIN);
}

static int
write_topology(const char *path)
{
	char *text;
	FILE *f;
	int r;

	if ((r = topology_write(localnet_topology(self.net), &text)) != SW_OK)
		return r;
	f = fopen(path, "we");
	r = f != NULL && fputs(text, f) >= 0 && fputc('\n', f) >= 0 ? SW_OK :
	    SW_ERR_SYS;
	if (f != NULL && fclose(f) != 0)
		r = SW_ERR_SYS;
	free(text);
	return r;
}

static void
print_key(const char *what, const uint8_t key[static 32])
{
	char text[BASE58_TEXT_LEN(32)];

	base58_encode(text, key, 32);
	printf("%s %s\n", what, text);
}

/* One "name value" a line, for scripts. */
static void
print_where(const char *path)
{
	const struct topology *t = localnet_topology(self.net);
	char text[RECIPIENT_TEXT_LEN], ip[SW_ADDR_TEXT_LEN];

	for (size_t i = 0; i < t->n; i++) {
		const struct topology_node *n = &t->node[i];

		printf("%s %s:%u\n", n->mixnode ? "mix" : "gateway",
		    addr_ip_text(&n->mix, ip), n->mix.port);
	}
	printf("websocket ws://127.0.0.1:%u\n",
	    t->node[LOCALNET_ENTRY].ws.port);
	printf("directory http://127.0.0.1:%u/\n", self.http_addr.port);
	print_key("entry", t->node[LOCALNET_ENTRY].identity);
	recipient_format(text, localnet_exit(self.net));
	printf("exit %s\n", text);
	if (path != NULL)
		printf("topology %s\n", path);
	fflush(stdout);
}

static int
start_directory(uint16_t port)
{
	self.directory = (struct directory){
		.topology = localnet_topology(self.net),
		.exit = localnet_exit(self.net),
		.started = (int64_t)time(NULL),
	};
	self.http_addr = addr_v4(0x7f000001, port);
	return smolnode_http_new(&self.http, &self.loop, &self.http_addr,
	    &self.directory);
}

static int
run_local(const struct options *o)
{
	struct localnet_config cfg = {
		.loop = &self.loop, .rng = &rng_system,
		.allow_local = o->allow_local, .events = &net_events,
	};
	int r;

	if ((r = loop_init(&self.loop)) != SW_OK ||
	    (r = watch_signals()) != SW_OK)
		goto out;
	self.exit = smolnode_exit_new(&self.loop, &exit_ops, NULL);
	if (self.exit == NULL) {
		r = SW_ERR_NOMEM;
		goto out;
	}
	if ((r = localnet_new(&self.net, &cfg)) != SW_OK ||
	    (r = start_directory(o->port)) != SW_OK)
		goto out;
	if (o->topology != NULL &&
	    (r = write_topology(o->topology)) != SW_OK) {
		fprintf(stderr, "smolnode: could not write topology file "
		    "\"%s\"\n", o->topology);
		goto out;
	}
	print_where(o->topology);
	r = loop_run(&self.loop);
out:
	smolnode_http_free(self.http);
	localnet_free(self.net);
	smolnode_exit_free(self.exit);
	loop_wipe(&self.loop);
	return r;
}

static int
usage(void)
{
	fprintf(stderr, "usage: smolnode local [-ev] [-d port] [-t file]\n");
	return EXIT_USAGE;
}

static int
parse_port(const char *text, uint16_t *port)
{
	char *end;
	unsigned long v = strtoul(text, &end, 10);

	if (text[0] < '0' || text[0] > '9' || *end != '\0' ||
	    v > UINT16_MAX)
		return SW_ERR_CONFIG;
	*port = (uint16_t)v;
	return SW_OK;
}

static int
parse_options(struct options *o, int argc, char **argv)
{
	int opt;

	while ((opt = getopt(argc, argv, "d:evt:")) != -1) {
		switch (opt) {
		case 'd':
			if (parse_port(optarg, &o->port) != SW_OK)
				return SW_ERR_CONFIG;
			break;
		case 'e':
			o->allow_local = true;
			break;
		case 't':
			o->topology = optarg;
			break;
		case 'v':
			o->verbose = true;
			break;
		default:
			return SW_ERR_CONFIG;
		}
	}
	return optind == argc ? SW_OK : SW_ERR_CONFIG;
}

int
main(int argc, char **argv)
{
	struct options o = { .topology = NULL };
	int r;

	if (argc < 2 || strcmp(argv[1], "local") != 0 ||
	    parse_options(&o, argc - 1, argv + 1) != SW_OK)
		return usage();
	/* Secrets live here: no core files, no ptrace by the same user. */
	prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
	log_open(STDERR_FILENO, o.verbose ? LOG_LEVEL_DEBUG : LOG_LEVEL_WARN,
	    "smolnode");
	if ((r = prim_init()) == SW_OK)
		r = run_local(&o);
	if (r != SW_OK)
		fprintf(stderr, "smolnode: could not run the network: %s\n",
		    sw_strerror(r));
	return r == SW_OK ? 0 : EXIT_FAIL;
}
