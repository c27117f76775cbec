/*
 * mix_session - runs a program under the library with a session whose tunnel
 * is the mixnet, for tests of the mix tunnel with real programs.
 *
 *	mix_session [-p PROFILE] TOPOLOGY ENTRY EXIT LIBRARY PROGRAM [ARG...]
 *
 * ENTRY is the gateway's identity, EXIT the exit's address, as `smolnode
 * local` prints them.  No names: the program is given addresses.  One
 * process, one hop; the real link, owner and tunnel are used.
 */
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/log.h"
#include "mix/mixtunnel.h"
#include "mix/prim.h"
#include "preload/session_proto.h"
#include "stack/owner.h"
#include "stack/packet.h"

#define CTL_FD 900
#define WAITING 4096			/* packets that wait for the tunnel */

static struct loop loop;
static struct loop_fd ctl;
static struct mixtunnel *tunnel;
static struct topology *topology;
static struct link *hop;
static struct link_config config;
static int ready_fd = -1;

static struct waiting {
	size_t len;
	uint8_t pkt[1500];
} waiting[WAITING];
static size_t first, n_waiting;

static void
drain(void)
{
	while (n_waiting > 0) {
		struct waiting *w = &waiting[first];
		int r = mixtunnel_send(tunnel, w->pkt, w->len);

		if (r == SW_AGAIN)
			return;
		first = (first + 1) % WAITING;
		n_waiting--;
	}
}

static void
hop_frame(void *arg, struct link_frame *f)
{
	const uint8_t *p = f->data;
	size_t left = f->len, n;

	(void)arg;
	for (; (n = packet_len(p, left)) > 0; p += n, left -= n) {
		struct waiting *w = &waiting[(first + n_waiting) % WAITING];

		if (n_waiting == WAITING || n > sizeof(w->pkt))
			continue;	/* lost, as in a network */
		memcpy(w->pkt, p, n);
		w->len = n;
		n_waiting++;
	}
	drain();
}

static void
hop_control(void *arg, const struct link_control *c, const uint8_t *p, int fd)
{
	(void)arg;
	(void)c;
	(void)p;
	if (fd >= 0)
		close(fd);
}

static void
hop_writable(void *arg)
{
	(void)arg;
}

static void
hop_dead(void *arg)
{
	(void)arg;
	link_close(hop);
	hop = NULL;
}

static const struct link_events hop_events = { hop_frame, hop_control,
	hop_writable, hop_dead };

static void
tunnel_up(void *arg, const struct sw_addr *ip4, const struct sw_addr *ip6,
    uint16_t mtu)
{
	(void)arg;
	config = (struct link_config){ .inner4 = *ip4, .inner6 = *ip6,
		.dns = *ip4, .mtu = mtu, .port_lo = 32768, .port_hi = 60999,
		.flags = LINK_UP | LINK_UDP };
	if (ready_fd >= 0)
		close(ready_fd);
	ready_fd = -1;
}

static void
tunnel_packet(void *arg, const uint8_t *pkt, size_t len)
{
	struct iovec iov = { (void *)(uintptr_t)pkt, len };

	(void)arg;
	if (hop != NULL)
		(void)!link_send(hop, &iov, 1);
}

static void
tunnel_writable(void *arg)
{
	(void)arg;
	drain();
}

static void
tunnel_down(void *arg, int err)
{
	(void)arg;
	log_debug("down: %s", sw_strerror(err));
}

static const struct mixtunnel_events tunnel_events = { tunnel_up,
	tunnel_packet, tunnel_writable, tunnel_down, NULL, NULL };

static void
attach(const int *fds, unsigned n)
{
	struct link_control c = { .op = LINK_CONFIG, .len = sizeof(config) };
	struct session_reply r = { SESSION_MAGIC, 0, 0, sizeof(config) };
	struct iovec iov[2] = { { &r, sizeof(r) }, { &config,
		sizeof(config) } };
	struct msghdr m = { .msg_iov = iov, .msg_iovlen = 2 };

	hop = link_open(&loop, dup(fds[n - 1]), &hop_events, NULL);
	if (hop == NULL || link_send_control(hop, &c, &config, -1) != SW_OK)
		abort();
	sendmsg(fds[0], &m, MSG_NOSIGNAL);
}

static void
on_ctl(struct loop_fd *w, uint32_t events)
{
	static uint8_t payload[SESSION_MSG_MAX];
	struct session_msg m = { .op = 0 };
	struct iovec iov[2] = { { &m, sizeof(m) },
		{ payload, sizeof(payload) } };
	char space[CMSG_SPACE(4 * sizeof(int))];
	struct msghdr h = { .msg_iov = iov, .msg_iovlen = 2,
		.msg_control = space, .msg_controllen = sizeof(space) };
	int fds[4] = { -1, -1, -1, -1 };
	unsigned n = 0;

	(void)events;
	if (recvmsg(w->fd, &h, MSG_CMSG_CLOEXEC | MSG_DONTWAIT) <= 0) {
		loop.stop = true;
		return;
	}
	for (struct cmsghdr *c = CMSG_FIRSTHDR(&h); c != NULL;
	    c = CMSG_NXTHDR(&h, c)) {
		n = (unsigned)((c->cmsg_len - CMSG_LEN(0)) / sizeof(int));
		memcpy(fds, CMSG_DATA(c), n * sizeof(int));
	}
	if (m.op == SESSION_ATTACH && (m.flags & SESSION_HOST) == 0)
		attach(fds, n);
	for (unsigned i = 0; i < n; i++)
		close(fds[i]);
}

static char *
read_file(const char *path, size_t *n)
{
	char *text = malloc(1 << 20);
	FILE *f = fopen(path, "re");

	if (f == NULL || text == NULL) {
		perror(path);
		exit(125);
	}
	*n = fread(text, 1, 1 << 20, f);
	fclose(f);
	return text;
}

static void
run_session(int fd, const char *profile, char **argv)
{
	struct mixtunnel_config cfg = {
		.loop = &loop, .profile = mix_profile_find(profile),
		.events = &tunnel_events, .rng = &rng_system,
		.fill_checksums = true,
	};
	size_t n;
	char *text = read_file(argv[0], &n);

	signal(SIGPIPE, SIG_IGN);
	if (getenv("SMOLWRAP_LOG") != NULL)
		log_open(2, LOG_LEVEL_DEBUG, "mix");
	if (prim_init() != SW_OK || loop_init(&loop) != SW_OK ||
	    topology_parse(&topology, text, n) != SW_OK ||
	    base58_decode(cfg.entry, 32, argv[1], strlen(argv[1])) != SW_OK ||
	    recipient_parse(&cfg.exit, argv[2]) != SW_OK)
		exit(1);
	cfg.topology = topology;
	if (mixtunnel_new(&tunnel, &cfg) != SW_OK)
		exit(1);
	mixtunnel_start(tunnel);
	ctl = (struct loop_fd){ .fd = fd, .ready = on_ctl };
	if (loop_add(&loop, &ctl, EPOLLIN) != SW_OK ||
	    loop_run(&loop) != SW_OK)
		exit(1);
	if (getenv("SMOLWRAP_LOG") != NULL) {
		struct mixtunnel_stats st;

		mixtunnel_stats(tunnel, &st);
		log_info("sent %llu again %llu cover %llu acked %llu SURBs "
		    "%llu used %llu asked %llu",
		    (unsigned long long)st.mix.sent,
		    (unsigned long long)st.mix.resent,
		    (unsigned long long)st.mix.cover,
		    (unsigned long long)st.mix.acked,
		    (unsigned long long)st.mix.surbs_made,
		    (unsigned long long)st.mix.reply_packets,
		    (unsigned long long)st.mix.surb_requests);
	}
	mixtunnel_stop(tunnel);
	for (int i = 0; i < 20; i++)
		(void)!loop_run_once(&loop, 10);
	mixtunnel_free(tunnel);
	exit(0);
}

int
main(int argc, char **argv)
{
	const char *profile = "raw";
	int pair[2], up[2], opt;
	char text[200];
	struct stat st;

	while ((opt = getopt(argc, argv, "+p:")) != -1)
		if (opt == 'p')
			profile = optarg;
	argv += optind;
	argc -= optind;
	if (argc < 5 || mix_profile_find(profile) == NULL ||
	    socketpair(AF_UNIX, SOCK_SEQPACKET, 0, pair) < 0 || pipe(up) < 0) {
		fprintf(stderr, "usage: mix_session [-p PROFILE] TOPOLOGY "
		    "ENTRY EXIT LIBRARY PROGRAM [ARG...]\n");
		return 125;
	}
	if (fork() == 0) {
		if (fork() != 0)
			_exit(0);
		close(pair[0]);
		close(up[0]);
		setsid();
		ready_fd = up[1];
		run_session(pair[1], profile, argv);
	}
	wait(NULL);
	close(pair[1]);
	close(up[1]);
	(void)!read(up[0], text, 1);	/* ends when the tunnel is up */
	close(up[0]);
	dup2(pair[0], CTL_FD);
	close(pair[0]);
	fstat(CTL_FD, &st);
	snprintf(text, sizeof(text), "%d:%lu", CTL_FD,
	    (unsigned long)st.st_ino);
	setenv("SMOLWRAP_CTL", text, 1);
	setenv("SMOLWRAP_POLICY", "listen=loopback", 1);
	setenv("LD_PRELOAD", argv[3], 1);
	execvp(argv[4], argv + 4);
	perror(argv[4]);
	return 127;
}
