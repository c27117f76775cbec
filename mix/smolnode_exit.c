#include "mix/smolnode_exit_private.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/uio.h>

#include "mix/iprmsg.h"

static int
output(void *arg, const struct sw_addr *dst, const struct iovec *iov, int n)
{
	struct smolnode_exit *x = arg;
	uint8_t pkt[IPRMSG_BUNDLE_MAX];
	size_t len = 0;

	for (int i = 0; i < n; i++) {
		if (iov[i].iov_len > sizeof(pkt) - len)
			return SW_OK;	/* larger than the MTU: dropped */
		memcpy(pkt + len, iov[i].iov_base, iov[i].iov_len);
		len += iov[i].iov_len;
	}
	return x->ops->packet(x->arg, dst, pkt, len) == SW_AGAIN ? SW_AGAIN :
	    SW_OK;
}

/* The splice opens the stream right after it has asked for its target: so
 * `opening` tells the dialer whose it is. */
static int
target(void *arg, const struct sw_addr *src, const struct sw_addr *dst,
    struct dial_target *out)
{
	struct smolnode_exit *x = arg;
	struct sw_addr to = *dst;
	char text[SW_ADDR_TEXT_LEN];
	bool dns;
	int r;

	if ((r = exit_find_server(x, &to, &dns)) != SW_OK)
		return r;
	x->opening = *src;
	snprintf(out->host, sizeof(out->host), "%s", addr_ip_text(&to, text));
	out->port = to.port;
	return SW_OK;
}

static struct dialer *
local(void *arg, const struct sw_addr *dst, const struct dialer_ops **ops)
{
	(void)arg;
	(void)dst;
	(void)ops;
	return NULL;
}

static const struct splice_ops splice_ops = {
	.output = output, .target = target, .local = local,
	.udp = exit_take_udp,
};

/* How many streams there are descriptors for. */
static size_t
streams_max(void)
{
	struct rlimit files = { .rlim_cur = 1024 };
	size_t n;

	(void)getrlimit(RLIMIT_NOFILE, &files);
	n = files.rlim_cur / 2 > EXIT_OTHER_FDS ? files.rlim_cur -
	    EXIT_OTHER_FDS : files.rlim_cur / 2;
	return n < SPLICE_FLOWS_MAX ? n : SPLICE_FLOWS_MAX;
}

struct smolnode_exit *
smolnode_exit_new(struct loop *l, const struct smolnode_exit_ops *ops,
    void *arg)
{
	struct smolnode_exit *x = calloc(1, sizeof(*x));

	if (x == NULL)
		return NULL;
	x->loop = l;
	x->ops = ops;
	x->arg = arg;
	x->streams_max = streams_max();
	if ((x->splice = splice_new(l, &splice_ops, x)) == NULL) {
		free(x);
		return NULL;
	}
	splice_set_dialer(x->splice, (struct dialer *)x, &exit_dialer_ops);
	splice_set_path(x->splice, IPRMSG_MTU);
	return x;
}

void
smolnode_exit_free(struct smolnode_exit *x)
{
	if (x == NULL)
		return;
	splice_free(x->splice);
	exit_close_udp(x);
	free(x);
}

static void
from_client(void *arg, const uint8_t *pkt, size_t len)
{
	struct smolnode_exit *x = arg;
	struct link_frame *f = link_frame_new(pkt, len);

	if (f == NULL)
		return;
	splice_input(x->splice, f);
	link_frame_unref(f);
}

static void
client_gone(void *arg, const struct sw_addr *ip4, const struct sw_addr *ip6)
{
	struct smolnode_exit *x = arg;

	splice_forget(x->splice, ip4);
	exit_forget_udp(x, ip4);
	splice_forget(x->splice, ip6);
	exit_forget_udp(x, ip6);
}

static void
client_writable(void *arg, const struct sw_addr *inner)
{
	struct smolnode_exit *x = arg;

	splice_writable(x->splice, inner);
}

const struct iprexit_events smolnode_exit_events = {
	.packet = from_client, .gone = client_gone, .writable = client_writable,
};
