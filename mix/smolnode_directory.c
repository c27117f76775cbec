/*
 * smolnode directory - the directory of a private network: nodes announce
 * themselves, clients ask for them.  Epochs are counted from 1970, so that a
 * restart changes none; what is known of nodes comes again by itself.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/log.h"
#include "mix/base58.h"
#include "mix/netreg.h"
#include "mix/prim.h"
#include "mix/smolnode.h"
#include "mix/smolnode_http.h"
#include "mix/smolnode_tls.h"

#define SILENT_S 100			/* three announcements missed */
#define TICK_MS 1000
#define ADMIT_FILE_MAX (1u << 20)

static struct {
	struct smolnode node;
	struct netreg *nodes;
	struct topology *topology;
	struct directory directory;
	struct smolnode_http *http;
	struct smolnode_tls tls;
	struct loop_timer timer;
} self;

struct options {
	struct sw_addr addr;
	const char *admitted;		/* file of identities */
	bool open;			/* everybody is */
	uint32_t epoch_s, rotation_epochs;
};

/* What is answered from now on. */
static int
renew(void)
{
	struct directory *d = &self.directory;
	int64_t now = (int64_t)time(NULL);
	uint64_t epoch = (uint64_t)now / d->epoch_s;
	struct topology *t;
	int r;

	r = netreg_topology(self.nodes, (uint32_t)(epoch /
	    d->rotation_epochs), epoch, now, &t);
	if (r != SW_OK)
		return r;
	topology_free(self.topology);
	self.topology = t;
	d->topology = t;
	d->epoch = epoch;
	d->epoch_start = (int64_t)(epoch * d->epoch_s);
	return SW_OK;
}

static void
tick(struct loop_timer *t)
{
	(void)!renew();			/* without memory: as it was */
	loop_set_timer(&self.node.loop, t, self.node.loop.now_ms + TICK_MS);
}

static int
announce(void *arg, const char *body, size_t n)
{
	int r = netreg_take(self.nodes, body, n, (int64_t)time(NULL));

	(void)arg;
	if (r != SW_OK)
		log_info("directory: an announcement was refused: %s",
		    sw_strerror(r));
	return r;
}

/* One identity in base58 a line; # starts a comment. */
static int
admit(const char *path)
{
	uint8_t identity[NYM_KEY_LEN];
	char *text, *line, *save;
	size_t n, len;
	int r;

	if ((r = smolnode_read_file(path, ADMIT_FILE_MAX, &text, &n)) !=
	    SW_OK) {
		fprintf(stderr, "smolnode: could not read \"%s\": %s\n", path,
		    r == SW_ERR_SYS ? strerror(errno) : sw_strerror(r));
		return r;
	}
	for (line = strtok_r(text, "\n", &save); line != NULL && r == SW_OK;
	    line = strtok_r(NULL, "\n", &save)) {
		len = strcspn(line, "# \t\r");
		if (len == 0)
			continue;
		r = base58_decode(identity, sizeof(identity), line, len);
		if (r == SW_OK)
			r = netreg_admit(self.nodes, identity);
	}
	if (r != SW_OK)
		fprintf(stderr, "smolnode: \"%s\" has a line that is no "
		    "node's identity\n", path);
	free(text);
	return r;
}

static int
run(struct options *o)
{
	int r;

	if ((r = smolnode_open(&self.node)) != SW_OK ||
	    (r = smolnode_tls_open(&self.tls, &self.node.loop)) != SW_OK)
		goto out;
	if ((self.nodes = netreg_new(SILENT_S)) == NULL) {
		r = SW_ERR_NOMEM;
		goto out;
	}
	self.directory.epoch_s = o->epoch_s;
	self.directory.rotation_epochs = o->rotation_epochs;
	self.directory.announce = announce;
	if ((o->admitted != NULL && (r = admit(o->admitted)) != SW_OK) ||
	    (r = renew()) != SW_OK ||
	    (r = smolnode_http_new(&self.http, &self.node.loop, &o->addr,
	    &self.directory, self.tls.server)) != SW_OK)
		goto out;
	self.timer.fire = tick;
	tick(&self.timer);
	smolnode_print_addr(self.tls.server != NULL ? "directory https://" :
	    "directory http://", &o->addr, "/");
	fflush(stdout);
	r = loop_run(&self.node.loop);
out:
	smolnode_http_free(self.http);
	netreg_free(self.nodes);
	topology_free(self.topology);
	smolnode_tls_close(&self.tls);
	smolnode_close(&self.node);
	return r;
}

static int
parse_number(const char *text, uint32_t *v)
{
	char *end;
	unsigned long n = strtoul(text, &end, 10);

	if (text[0] < '1' || text[0] > '9' || *end != '\0' || n > 31536000) {
		fprintf(stderr, "smolnode: \"%s\" is not a number of seconds "
		    "or epochs\n", text);
		return SW_ERR_CONFIG;
	}
	*v = (uint32_t)n;
	return SW_OK;
}

static int
parse(struct options *o, int argc, char **argv)
{
	int opt, r;

	while ((opt = getopt(argc, argv, "C:E:i:K:l:or:v")) != -1) {
		r = SW_OK;
		switch (opt) {
		case 'C':
			self.tls.cert = optarg;
			break;
		case 'E':
			r = parse_number(optarg, &o->epoch_s);
			break;
		case 'i':
			o->admitted = optarg;
			break;
		case 'K':
			self.tls.key = optarg;
			break;
		case 'l':
			r = smolnode_parse_addr(optarg, &o->addr);
			break;
		case 'o':
			o->open = true;
			break;
		case 'r':
			r = parse_number(optarg, &o->rotation_epochs);
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
	if (o->open == (o->admitted != NULL)) {
		fprintf(stderr, "smolnode: a directory takes either the nodes "
		    "of a list (-i file) or everybody (-o)\n");
		return SW_ERR_CONFIG;
	}
	return optind == argc && o->rotation_epochs >= 2 ? SW_OK :
	    SW_ERR_CONFIG;
}

int
smolnode_directory(int argc, char **argv)
{
	struct options o = {
		.addr = addr_v4(0x7f000001, 0), .epoch_s = 3600,
		.rotation_epochs = 24,
	};
	int r;

	if (parse(&o, argc, argv) != SW_OK) {
		fprintf(stderr, "usage: smolnode directory -i file | -o [-v] "
		    "[-C cert -K key] [-E seconds] [-l address:port] [-r epochs]\n");
		return EXIT_USAGE;
	}
	if ((r = run(&o)) != SW_OK)
		fprintf(stderr, "smolnode: could not run the directory: %s\n",
		    sw_strerror(r));
	return r == SW_OK ? 0 : EXIT_FAIL;
}
