/*
 * smolnode mix|gateway|exit - one node of a private network.
 *
 *	keys from their file -> the directory's rotation -> listening
 *	-> announced -> the others known: "ready"
 *
 * and then the directory again every half minute.  In a rotation's last epoch
 * the next key is made and announced, and both are taken from then on; in the
 * rotation's first epoch the last one is still taken.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/log.h"
#include "base/wipe.h"
#include "mix/announce.h"
#include "mix/prim.h"
#include "mix/router.h"
#include "mix/smolnode.h"
#include "mix/smolnode_exit.h"
#include "mix/smolnode_keys.h"
#include "mix/smolnode_tls.h"
#include "mix/smolnode_view.h"

struct options {
	const char *keys, *url, *ca, *policy, *host;
	struct sw_addr addr;
	uint16_t ws_port, wss_port;
	size_t replay_mb;
	bool mix, exit, allow_local, plain;
};

static struct {
	struct options o;
	struct smolnode loop;
	struct smolnode_keys keys;
	struct smolnode_view *view;
	struct node *node;		/* NULL until the rotation is known */
	struct router *router;		/* of an exit */
	struct smolnode_exit *world;
	struct exitpolicy *policy;
	struct smolnode_tls tls;
	struct topology *topology;
	uint8_t identity[32];
	uint32_t rotation_id;		/* the present one */
	bool next, old;			/* a key for the next; the last's */
	bool ready;
	char clients[4096];		/* name of the accounts' file */
	int64_t announced_s;
	int failed;			/* not SW_OK: why the node cannot run */
} self;

/* The world beyond an exit. */

static int
to_client(void *arg, const struct sw_addr *to, const uint8_t *pkt, size_t len)
{
	(void)arg;
	return router_send(self.router, to, pkt, len);
}

static const struct smolnode_exit_ops world_ops = { to_client };

static int
start_router(void)
{
	struct router_config cfg = {
		.loop = &self.loop.loop, .rng = &rng_system,
		.keys = self.keys.router, .policy = self.policy,
		.events = &smolnode_exit_events, .ahead = true,
	};

	memcpy(cfg.gateway, self.identity, sizeof(cfg.gateway));
	self.world = smolnode_exit_new(&self.loop.loop, &world_ops, NULL);
	cfg.arg = self.world;
	if (self.world != NULL)
		self.router = router_new(&cfg);
	sw_wipe(&cfg, sizeof(cfg));
	if (self.router == NULL)
		return SW_ERR_NOMEM;
	router_attach(self.router, self.node);
	return SW_OK;
}

/* The node and its keys. */

/* This rotation's key, made if there is none. */
static const uint8_t *
need_key(uint32_t rotation_id)
{
	const uint8_t *key = smolnode_keys_find(&self.keys, rotation_id);

	if (key != NULL)
		return key;
	smolnode_keys_add(&self.keys, rotation_id, &rng_system);
	if (smolnode_keys_save(&self.keys, self.o.keys) != SW_OK)
		log_warn("node: the new key is lost at a restart");
	return smolnode_keys_find(&self.keys, rotation_id);
}

static void
print_where(void)
{
	char text[RECIPIENT_TEXT_LEN];

	smolnode_print_key("identity", self.identity);
	smolnode_print_addr(self.o.mix ? "mix " : "gateway ",
	    node_mix_addr(self.node), "");
	if (!self.o.mix)
		smolnode_print_addr("websocket ws://",
		    node_ws_addr(self.node), "");
	if (self.tls.server != NULL)
		printf("websocket wss://%s:%u\n", self.o.host,
		    node_wss_addr(self.node)->port);
	if (self.router != NULL) {
		recipient_format(text, router_address(self.router));
		printf("exit %s\n", text);
	}
	fflush(stdout);
}

static int
start_node(uint32_t rotation_id)
{
	struct node_config cfg = {
		.has_noise = !self.o.plain, .rotation_id = rotation_id,
		.mix = self.o.mix, .gateway = !self.o.mix,
		.mix_addr = self.o.addr, .ws_addr = self.o.addr,
		.wss_addr = self.o.addr, .tls = self.tls.server,
		.replay_bytes = self.o.replay_mb << 20, .rng = &rng_system,
	};
	int r;

	cfg.ws_addr.port = self.o.ws_port;
	if (!self.o.mix) {
		/* Beside the keys, which are as secret. */
		snprintf(self.clients, sizeof(self.clients), "%s.clients",
		    self.o.keys);
		cfg.accounts = self.clients;
	}
	cfg.wss_addr.port = self.o.wss_port;
	memcpy(cfg.identity, self.keys.identity, sizeof(cfg.identity));
	memcpy(cfg.noise, self.keys.noise, sizeof(cfg.noise));
	memcpy(cfg.sphinx, need_key(rotation_id), sizeof(cfg.sphinx));
	r = node_new(&self.node, &self.loop.loop, &cfg);
	sw_wipe(&cfg, sizeof(cfg));
	if (r == SW_ERR_FORMAT || r == SW_ERR_DENIED)
		fprintf(stderr, "smolnode: refused clients' file \"%s\": %s\n",
		    self.clients, r == SW_ERR_FORMAT ? "it is damaged; without "
		    "it clients register anew" : "it has to be yours, and "
		    "nobody else's to read (chmod 600)");
	if (r == SW_OK && self.o.exit)
		r = start_router();
	if (r != SW_OK)
		return r;
	self.rotation_id = rotation_id;
	print_where();
	return SW_OK;
}

static int
take_key(uint32_t rotation_id)
{
	return node_rotate(self.node, need_key(rotation_id), rotation_id);
}

static void
on_epoch(void *arg, const struct smolnode_epoch *e)
{
	int r = SW_OK;

	(void)arg;
	if (self.node == NULL) {
		if ((self.failed = start_node(e->rotation_id)) != SW_OK)
			self.loop.loop.stop = true;
		return;
	}
	if (e->rotation_id != self.rotation_id) {
		/* Without a look in the last epoch there is no key yet. */
		if (!self.next || e->rotation_id != self.rotation_id + 1)
			r = take_key(e->rotation_id);
		self.rotation_id = e->rotation_id;
		self.next = false;
		self.old = true;
		log_info("node: rotation %u", e->rotation_id);
	}
	if (self.old && !e->first) {
		node_retire(self.node);
		self.old = false;
	}
	if (e->last && !self.next && r == SW_OK) {
		r = take_key(e->rotation_id + 1);
		self.next = r == SW_OK;
	}
	if (r != SW_OK)
		log_warn("node: no memory for the next rotation");
}

static char *
describe(void)
{
	struct announce a = {
		.mix = *node_mix_addr(self.node), .mixnode = self.o.mix,
		.entry = !self.o.mix, .exit = self.o.exit,
		.has_noise = !self.o.plain, .has_ipr = self.router != NULL,
		.unix_s = (int64_t)time(NULL),
	};
	const uint8_t *key;
	char *text;

	/* Each has to be younger than the one before. */
	if (a.unix_s <= self.announced_s)
		a.unix_s = self.announced_s + 1;
	self.announced_s = a.unix_s;
	if (!self.o.mix)
		a.ws_port = node_ws_addr(self.node)->port;
	if (self.tls.server != NULL)
		a.wss_port = node_wss_addr(self.node)->port;
	if (self.o.host != NULL)
		snprintf(a.host, sizeof(a.host), "%s", self.o.host);
	prim_x25519_base(a.noise, self.keys.noise);
	if (self.router != NULL)
		a.ipr = *router_address(self.router);
	for (uint32_t i = 0; i < ANNOUNCE_KEYS; i++) {
		key = smolnode_keys_find(&self.keys, self.rotation_id + i);
		if (key == NULL)
			continue;
		a.sphinx[a.n_sphinx].rotation_id = self.rotation_id + i;
		prim_x25519_base(a.sphinx[a.n_sphinx++].key, key);
	}
	return announce_write(&a, self.keys.identity, &text) == SW_OK ? text :
	    NULL;
}

static char *
on_describe(void *arg)
{
	(void)arg;
	return self.node != NULL ? describe() : NULL;	/* it could not start */
}

static void
on_topology(void *arg, struct topology *t)
{
	(void)arg;
	node_set_view(self.node, t);
	if (self.router != NULL)
		router_set_topology(self.router, t);
	topology_free(self.topology);
	self.topology = t;
	if (!self.ready) {
		printf("ready\n");
		fflush(stdout);
	}
	self.ready = true;
}

static const struct smolnode_view_ops view_ops = {
	on_epoch, on_describe, on_topology,
};

static void
report(void)
{
	if (self.node != NULL)
		smolnode_print_counts(self.node);
	if (self.router != NULL)
		smolnode_print_routed(router_stats(self.router));
}

static int
run(void)
{
	int r;

	if ((r = smolnode_open(&self.loop)) != SW_OK ||
	    (r = smolnode_tls_open(&self.tls, &self.loop.loop)) != SW_OK ||
	    (r = smolnode_read_policy(&self.policy, self.o.allow_local,
	    self.o.policy)) != SW_OK ||
	    (r = smolnode_keys_open(&self.keys, self.o.keys, &rng_system)) !=
	    SW_OK ||
	    (r = smolnode_view_new(&self.view, &self.loop.loop, self.o.url,
	    self.o.ca, &view_ops, NULL)) != SW_OK)
		goto out;
	self.loop.report = report;
	prim_ed25519_public(self.identity, self.keys.identity);
	smolnode_view_start(self.view);
	r = loop_run(&self.loop.loop);
	if (r == SW_OK)
		r = self.failed;
out:
	smolnode_view_free(self.view);
	smolnode_exit_free(self.world);	/* it says goodbye by the router */
	node_free(self.node);
	router_free(self.router);
	topology_free(self.topology);
	exitpolicy_free(self.policy);
	smolnode_tls_close(&self.tls);
	smolnode_close(&self.loop);
	sw_wipe(&self.keys, sizeof(self.keys));
	return r;
}

static int
parse_option(int opt)
{
	uint16_t mb;
	int r = SW_OK;

	switch (opt) {
	case 'A':
		self.o.ca = optarg;
		break;
	case 'C':
		self.tls.cert = optarg;
		break;
	case 'd':
		self.o.url = optarg;
		break;
	case 'e':
		self.o.allow_local = true;
		break;
	case 'f':
		self.o.policy = optarg;
		break;
	case 'H':
		r = smolnode_parse_host(optarg, &self.o.host);
		break;
	case 'K':
		self.tls.key = optarg;
		break;
	case 'k':
		self.o.keys = optarg;
		break;
	case 'l':
		r = smolnode_parse_addr(optarg, &self.o.addr);
		break;
	case 'm':
		r = smolnode_parse_port(optarg, &mb);
		self.o.replay_mb = mb;
		break;
	case 'n':
		self.o.plain = true;
		break;
	case 'v':
		log_open(STDERR_FILENO, LOG_LEVEL_DEBUG, "smolnode");
		break;
	case 'W':
		r = smolnode_parse_port(optarg, &self.o.wss_port);
		break;
	case 'w':
		r = smolnode_parse_port(optarg, &self.o.ws_port);
		break;
	default:
		r = SW_ERR_CONFIG;
	}
	return r;
}

static int
parse(int argc, char **argv)
{
	const char *options = self.o.mix ? "A:d:k:l:m:nv" : self.o.exit ?
	    "A:C:d:ef:H:K:k:l:m:nvW:w:" : "A:C:d:H:K:k:l:m:nvW:w:";
	int opt, r;

	while ((opt = getopt(argc, argv, options)) != -1)
		if ((r = parse_option(opt)) != SW_OK)
			return r;
	if (optind != argc || self.o.keys == NULL || self.o.url == NULL ||
	    addr_is_any(&self.o.addr))
		return SW_ERR_CONFIG;
	return smolnode_check_host(self.o.host, self.tls.cert);
}

int
smolnode_node(int argc, char **argv)
{
	int r;

	self.o.mix = strcmp(argv[0], "mix") == 0;
	self.o.exit = strcmp(argv[0], "exit") == 0;
	if (parse(argc, argv) != SW_OK) {
		fprintf(stderr, "usage: smolnode %s -d url -k file -l "
		    "address[:port] [-A file] %s[-m MiB] [-nv]\n", argv[0],
		    self.o.mix ? "" : self.o.exit ?
		    "[-C cert -K key] [-w port] [-W port] [-H host] [-e] "
		    "[-f policy] " :
		    "[-C cert -K key] [-w port] [-W port] [-H host] ");
		return EXIT_USAGE;
	}
	if ((r = run()) != SW_OK)
		fprintf(stderr, "smolnode: could not run the %s: %s\n",
		    argv[0], sw_strerror(r));
	return r == SW_OK ? 0 : EXIT_FAIL;
}
