/*
 * smolnode local - a whole network in this process: three mixes, two
 * gateways, an exit at the second, and the directory that clients ask for all
 * of them.
 */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <time.h>
#include <unistd.h>

#include "base/log.h"
#include "mix/localnet.h"
#include "mix/smolnode.h"
#include "mix/smolnode_exit.h"
#include "mix/smolnode_http.h"
#include "mix/smolnode_tls.h"

static struct {
	struct smolnode node;
	struct localnet *net;
	struct exitpolicy *policy;
	struct smolnode_exit *exit;
	struct directory directory;
	struct smolnode_http *http;
	struct sw_addr http_addr;
	struct smolnode_tls tls;
} self;

struct options {
	const char *topology;		/* file to write; NULL: none */
	const char *policy;
	const char *host;		/* of the gateways, for TLS */
	struct sw_addr addr;
	uint16_t port;			/* of the directory; 0: any */
	bool allow_local;
};

static int
to_client(void *arg, const struct sw_addr *to, const uint8_t *pkt, size_t len)
{
	(void)arg;
	return localnet_send(self.net, to, pkt, len);
}

static const struct smolnode_exit_ops exit_ops = { to_client };

/* "-" is stdout, where it is the last thing that is said. */
static int
write_topology(const char *path)
{
	bool here = strcmp(path, "-") == 0;
	FILE *f = here ? stdout : NULL;
	char *text;
	int r;

	if ((r = topology_write(localnet_topology(self.net), &text)) != SW_OK)
		return r;
	if (!here)
		f = fopen(path, "we");
	r = f != NULL && fputs(text, f) >= 0 && fputc('\n', f) >= 0 &&
	    fflush(f) == 0 ? SW_OK : SW_ERR_SYS;
	if (f != NULL && !here && fclose(f) != 0)
		r = SW_ERR_SYS;
	free(text);
	if (r != SW_OK)
		fprintf(stderr, "smolnode: could not write topology file "
		    "\"%s\"\n", path);
	return r;
}

/* One "name value" a line, for scripts. */
static void
print_where(const char *path)
{
	const struct topology *t = localnet_topology(self.net);
	char text[RECIPIENT_TEXT_LEN];

	for (size_t i = 0; i < t->n; i++)
		smolnode_print_addr(t->node[i].mixnode ? "mix " : "gateway ",
		    &t->node[i].mix, "");
	smolnode_print_addr("websocket ws://", &t->node[LOCALNET_ENTRY].ws, "");
	if (self.tls.server != NULL)
		printf("websocket wss://%s:%u\n",
		    t->node[LOCALNET_ENTRY].host,
		    t->node[LOCALNET_ENTRY].wss_port);
	smolnode_print_addr("directory http://", &self.http_addr, "/");
	smolnode_print_key("entry", t->node[LOCALNET_ENTRY].identity);
	recipient_format(text, localnet_exit(self.net));
	printf("exit %s\n", text);
	if (path != NULL)
		printf("topology %s\n", path);
	fflush(stdout);
}

static int
start_directory(const struct options *o)
{
	self.directory = (struct directory){
		.topology = localnet_topology(self.net),
		.epoch_start = (int64_t)time(NULL),
	};
	self.http_addr = o->addr;
	self.http_addr.port = o->port;
	return smolnode_http_new(&self.http, &self.node.loop, &self.http_addr,
	    &self.directory, NULL);
}

static void
report(void)
{
	for (size_t i = 0; self.net != NULL && i < LOCALNET_NODES; i++)
		smolnode_print_counts(localnet_node(self.net, i));
	if (self.net != NULL)
		smolnode_print_routed(localnet_routed(self.net));
}

static int
run(const struct options *o)
{
	struct localnet_config cfg = {
		.loop = &self.node.loop, .rng = &rng_system,
		.addr = o->addr, .events = &smolnode_exit_events,
		.ahead = true,
	};
	int r;

	if ((r = smolnode_open(&self.node)) != SW_OK ||
	    (r = smolnode_tls_open(&self.tls, &self.node.loop)) != SW_OK ||
	    (r = smolnode_read_policy(&self.policy, o->allow_local,
	    o->policy)) != SW_OK)
		goto out;
	self.node.report = report;
	cfg.policy = self.policy;
	cfg.tls = self.tls.server;
	cfg.host = o->host;
	self.exit = smolnode_exit_new(&self.node.loop, &exit_ops, NULL);
	if (self.exit == NULL) {
		r = SW_ERR_NOMEM;
		goto out;
	}
	cfg.arg = self.exit;
	if ((r = localnet_new(&self.net, &cfg)) != SW_OK ||
	    (r = start_directory(o)) != SW_OK)
		goto out;
	if (o->topology != NULL && strcmp(o->topology, "-") != 0 &&
	    (r = write_topology(o->topology)) != SW_OK)
		goto out;
	print_where(o->topology);
	if (o->topology != NULL && strcmp(o->topology, "-") == 0 &&
	    (r = write_topology("-")) != SW_OK)
		goto out;
	r = loop_run(&self.node.loop);
out:
	smolnode_http_free(self.http);
	smolnode_exit_free(self.exit);	/* it says goodbye through the net */
	localnet_free(self.net);
	exitpolicy_free(self.policy);
	smolnode_tls_close(&self.tls);
	smolnode_close(&self.node);
	return r;
}

/* End when the process that started us does, even if it already has. */
static int
follow_parent(void)
{
	pid_t parent = getppid();

	if (prctl(PR_SET_PDEATHSIG, SIGTERM, 0, 0, 0) != 0)
		return SW_ERR_SYS;
	return getppid() == parent ? SW_OK : SW_ERR_CLOSED;
}

static int
parse(struct options *o, int argc, char **argv)
{
	int opt, r;

	while ((opt = getopt(argc, argv, "a:C:d:ef:H:K:pt:v")) != -1) {
		r = SW_OK;
		switch (opt) {
		case 'a':
			r = smolnode_parse_addr(optarg, &o->addr);
			break;
		case 'C':
			self.tls.cert = optarg;
			break;
		case 'd':
			r = smolnode_parse_port(optarg, &o->port);
			break;
		case 'e':
			o->allow_local = true;
			break;
		case 'f':
			o->policy = optarg;
			break;
		case 'H':
			r = smolnode_parse_host(optarg, &o->host);
			break;
		case 'K':
			self.tls.key = optarg;
			break;
		case 'p':
			r = follow_parent();
			break;
		case 't':
			o->topology = optarg;
			break;
		case 'v':
			log_open(STDERR_FILENO, LOG_LEVEL_DEBUG, "smolnode");
			break;
		default:
			r = SW_ERR_CONFIG;
		}
		if (r != SW_OK)
			return r;
	}
	return optind == argc ? smolnode_check_host(o->host,
	    self.tls.cert) : SW_ERR_CONFIG;
}

int
smolnode_local(int argc, char **argv)
{
	struct options o = { .addr = addr_v4(0x7f000001, 0) };
	int r;

	if (parse(&o, argc, argv) != SW_OK) {
		fprintf(stderr, "usage: smolnode local [-epv] [-a address] "
		    "[-C cert -K key -H host] [-d port] [-f policy] "
		    "[-t file]\n");
		return EXIT_USAGE;
	}
	if ((r = run(&o)) != SW_OK)
		fprintf(stderr, "smolnode: could not run the network: %s\n",
		    sw_strerror(r));
	return r == SW_OK ? 0 : EXIT_FAIL;
}
