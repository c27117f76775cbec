/*
 * smolnode - nodes of a Nym-compatible mixnet.
 *
 *	smolnode ROLE [OPTION...]
 *
 * See smolnode(1).  A role serves until it is told to end.
 */
#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "base/container.h"
#include "base/log.h"
#include "base/wipe.h"
#include "mix/base58.h"
#include "mix/iprexit.h"
#include "mix/node.h"
#include "mix/prim.h"
#include "mix/smolnode.h"
#include "mix/smolnode_keys.h"
#include "mix/topology.h"

#define POLICY_FILE_MAX (1u << 20)

static void
on_signal(struct loop_fd *w, uint32_t events)
{
	struct smolnode *s = CONTAINER_OF(w, struct smolnode, signals);
	struct signalfd_siginfo si;

	(void)events;
	if (read(w->fd, &si, sizeof(si)) != (ssize_t)sizeof(si))
		return;
	if (si.ssi_signo != SIGUSR1)
		s->loop.stop = true;
	else if (s->report != NULL)
		s->report();
}

/* A node of many clients has many connections, each a descriptor. */
static void
raise_descriptors(void)
{
	struct rlimit files;

	if (getrlimit(RLIMIT_NOFILE, &files) == 0) {
		files.rlim_cur = files.rlim_max;
		(void)setrlimit(RLIMIT_NOFILE, &files);
	}
}

int
smolnode_open(struct smolnode *s)
{
	sigset_t set;
	int r;

	memset(s, 0, sizeof(*s));
	raise_descriptors();
	s->signals.fd = -1;
	if ((r = loop_init(&s->loop)) != SW_OK)
		return r;
	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGUSR1);
	if (sigprocmask(SIG_BLOCK, &set, NULL) != 0)
		return SW_ERR_SYS;
	s->signals.fd = signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC);
	s->signals.ready = on_signal;
	if (s->signals.fd < 0)
		return SW_ERR_SYS;
	return loop_add(&s->loop, &s->signals, EPOLLIN);
}

void
smolnode_close(struct smolnode *s)
{
	if (s->signals.fd >= 0) {
		loop_del(&s->loop, &s->signals);
		close(s->signals.fd);
	}
	loop_wipe(&s->loop);
}

void
smolnode_print_counts(const struct node *n)
{
	struct node_stats st;

	node_stats(n, &st);
	printf("counts taken %" PRIu64 " forwarded %" PRIu64 " delivered %"
	    PRIu64 " bad-mac %" PRIu64 " replayed %" PRIu64 " malformed %"
	    PRIu64 " wrong-rotation %" PRIu64 " wrong-role %" PRIu64
	    " not-allowed %" PRIu64 " queue-full %" PRIu64 " link-full %"
	    PRIu64 " bad-frames %" PRIu64 " bad-handshakes %" PRIu64
	    " inbox-full %" PRIu64 " push-full %" PRIu64 " clients %zu peers "
	    "%zu stored %zu\n", st.mix.taken, st.mix.forwarded,
	    st.mix.delivered, st.mix.bad_mac, st.mix.replayed,
	    st.mix.malformed, st.mix.wrong_rotation, st.mix.wrong_role,
	    st.mix.refused, st.mix.full, st.link_full, st.frames_bad,
	    st.handshakes_bad, st.inbox_full, st.push_full, st.clients,
	    st.peers, st.stored);
	fflush(stdout);
}

void
smolnode_print_routed(const struct iprexit_stats *st)
{
	printf("routed clients %zu up %" PRIu64 " down %" PRIu64 " spoofed %"
	    PRIu64 " refused %" PRIu64 " dropped %" PRIu64 " malformed %"
	    PRIu64 " strangers %" PRIu64 "\n", st->clients, st->up, st->down,
	    st->spoofed, st->refused, st->dropped, st->malformed,
	    st->strangers);
	fflush(stdout);
}

int
smolnode_parse_port(const char *text, uint16_t *port)
{
	char *end;
	unsigned long v = strtoul(text, &end, 10);

	if (text[0] < '0' || text[0] > '9' || *end != '\0' ||
	    v > UINT16_MAX) {
		fprintf(stderr, "smolnode: \"%s\" is not a port number\n",
		    text);
		return SW_ERR_CONFIG;
	}
	*port = (uint16_t)v;
	return SW_OK;
}

int
smolnode_parse_addr(const char *text, struct sw_addr *a)
{
	char ip[SW_ADDR_TEXT_LEN];
	const char *colon = strrchr(text, ':'), *end = text + strlen(text);
	uint16_t port = 0;
	int skip = text[0] == '[';

	if (skip && colon != NULL && colon[-1] == ']')
		end = colon - 1;
	else if (skip && end[-1] == ']')
		end--, colon = NULL;
	else if (colon != NULL && strchr(text, ':') == colon)
		end = colon;
	else
		colon = NULL;
	if ((size_t)(end - text - skip) >= sizeof(ip))
		return SW_ERR_CONFIG;
	memcpy(ip, text + skip, (size_t)(end - text - skip));
	ip[end - text - skip] = '\0';
	if (addr_parse_ip(a, ip) != SW_OK || addr_is_any(a)) {
		fprintf(stderr, "smolnode: \"%s\" is not an address that "
		    "others can connect to\n", text);
		return SW_ERR_CONFIG;
	}
	if (colon != NULL && smolnode_parse_port(colon + 1, &port) != SW_OK)
		return SW_ERR_CONFIG;
	a->port = port;
	return SW_OK;
}

int
smolnode_parse_host(const char *text, const char **host)
{
	if (!topology_is_host(text)) {
		fprintf(stderr, "smolnode: \"%s\" is not a host name\n", text);
		return SW_ERR_CONFIG;
	}
	*host = text;
	return SW_OK;
}

int
smolnode_check_host(const char *host, const char *cert)
{
	if (cert == NULL || host != NULL)
		return SW_OK;
	fprintf(stderr, "smolnode: a gateway with a certificate needs the name "
	    "it is made out to (-H host)\n");
	return SW_ERR_CONFIG;
}

void
smolnode_print_addr(const char *what, const struct sw_addr *a,
    const char *more)
{
	char ip[SW_ADDR_TEXT_LEN];

	printf(addr_is_v4(a) ? "%s%s:%u%s\n" : "%s[%s]:%u%s\n", what,
	    addr_ip_text(a, ip), a->port, more);
}

void
smolnode_print_key(const char *what, const uint8_t key[static 32])
{
	char text[BASE58_TEXT_LEN(32)];

	base58_encode(text, key, 32);
	printf("%s %s\n", what, text);
}

int
smolnode_read_file(const char *path, size_t max, char **text, size_t *n)
{
	FILE *f = fopen(path, "re");
	int r = SW_ERR_SYS;

	*n = 0;
	if ((*text = malloc(max + 1)) == NULL)
		r = SW_ERR_NOMEM;
	else if (f != NULL) {
		*n = fread(*text, 1, max + 1, f);
		r = ferror(f) ? SW_ERR_SYS : *n > max ? SW_ERR_TOO_LONG :
		    SW_OK;
	}
	if (f != NULL)
		fclose(f);
	if (r == SW_OK) {
		(*text)[*n] = '\0';
		return SW_OK;
	}
	free(*text);
	*text = NULL;
	return r;
}

int
smolnode_read_policy(struct exitpolicy **out, bool local, const char *file)
{
	unsigned line;
	char *text;
	size_t n;
	int r;

	if ((*out = exitpolicy_new(local)) == NULL)
		return SW_ERR_NOMEM;
	if (file == NULL)
		return SW_OK;
	if ((r = smolnode_read_file(file, POLICY_FILE_MAX, &text, &n)) !=
	    SW_OK) {
		fprintf(stderr, "smolnode: could not read policy file "
		    "\"%s\": %s\n", file, r == SW_ERR_SYS ? strerror(errno) :
		    sw_strerror(r));
		return r;
	}
	if ((r = exitpolicy_parse(*out, text, n, &line)) != SW_OK)
		fprintf(stderr, "smolnode: %s:%u: this is not a rule like "
		    "\"accept *:443\"\n", file, line);
	free(text);
	return r;
}

static int
run_identity(int argc, char **argv)
{
	uint8_t identity[ED25519_PK_LEN];
	struct smolnode_keys k;

	if (argc != 3 || strcmp(argv[1], "-k") != 0) {
		fprintf(stderr, "usage: smolnode identity -k file\n");
		return EXIT_USAGE;
	}
	if (smolnode_keys_open(&k, argv[2], &rng_system) != SW_OK)
		return EXIT_FAIL;
	prim_ed25519_public(identity, k.identity);
	sw_wipe(&k, sizeof(k));
	smolnode_print_key("identity", identity);
	return 0;
}

static const struct {
	const char *name;
	int (*run)(int argc, char **argv);
} roles[] = {
	{ "mix", smolnode_node },
	{ "gateway", smolnode_node },
	{ "exit", smolnode_node },
	{ "directory", smolnode_directory },
	{ "local", smolnode_local },
	{ "identity", run_identity },
};

#define N_ROLES (sizeof(roles) / sizeof(roles[0]))

static int
other_word(const char *word)
{
	if (strcmp(word, "-h") == 0 || strcmp(word, "--help") == 0)
		return fputs(smolnode_help, stdout) < 0 ? EXIT_FAIL : 0;
	if (strcmp(word, "-V") == 0 || strcmp(word, "--version") == 0)
		return puts("smolnode 0.1") < 0 ? EXIT_FAIL : 0;
	fprintf(stderr, "usage: smolnode mix|gateway|exit|directory|local|"
	    "identity [option ...]; --help shows them\n");
	return EXIT_USAGE;
}

int
main(int argc, char **argv)
{
	size_t i = 0;

	while (i < N_ROLES && (argc < 2 || strcmp(argv[1], roles[i].name) != 0))
		i++;
	if (i == N_ROLES)
		return other_word(argc < 2 ? "" : argv[1]);
	/* Secrets live here: no core files, no ptrace by the same user. */
	prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
	log_open(STDERR_FILENO, LOG_LEVEL_WARN, "smolnode");
	if (prim_init() != SW_OK) {
		fprintf(stderr, "smolnode: the system gives no randomness\n");
		return EXIT_FAIL;
	}
	return roles[i].run(argc - 1, argv + 1);
}
