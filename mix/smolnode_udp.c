#include "mix/smolnode_exit_private.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define IDLE_MS 120000
#define SERVER_MS 1500			/* a name server that is silent */
#define READ_MAX 65536
#define READ_BATCH 64

static void
flow_close(struct udp_flow *f)
{
	if (!f->used)
		return;
	loop_del(f->exit->loop, &f->w);
	close(f->w.fd);
	f->used = false;
}

static void
flow_ready(struct loop_fd *w, uint32_t events)
{
	struct udp_flow *f = (struct udp_flow *)w;
	uint8_t buf[READ_MAX];
	ssize_t n;

	(void)events;
	for (int i = 0; i < READ_BATCH; i++) {
		n = recv(w->fd, buf, sizeof(buf), MSG_DONTWAIT);
		if (n < 0) {
			if (errno == EAGAIN || errno == EINTR)
				return;
			if (f->dns)
				exit_next_server(f->exit);
			flow_close(f);
			return;
		}
		f->last_ms = f->exit->loop->now_ms;
		f->asked_ms = 0;
		splice_send_udp(f->exit->splice, &f->outer, &f->inner, buf,
		    (size_t)n);
	}
}

static bool
same_ends(const struct udp_flow *f, const struct sw_addr *inner,
    const struct sw_addr *outer)
{
	return memcmp(&f->inner, inner, sizeof(*inner)) == 0 &&
	    memcmp(&f->outer, outer, sizeof(*outer)) == 0;
}

/* The flow of these two ends; or the place for it.  When all are taken, or the
 * client has its share, its idlest goes; without one of its own, the idlest of
 * all. */
static struct udp_flow *
find_flow(struct smolnode_exit *x, const struct sw_addr *inner,
    const struct sw_addr *outer)
{
	struct udp_flow *place = NULL, *mine = NULL, *idlest = &x->udp[0];
	size_t own = 0;

	for (size_t i = 0; i < EXIT_UDP_FLOWS; i++) {
		struct udp_flow *f = &x->udp[i];

		if (f->used && same_ends(f, inner, outer))
			return f;
		if (f->used && x->loop->now_ms - f->last_ms > IDLE_MS)
			flow_close(f);
		if (!f->used) {
			place = place != NULL ? place : f;
			continue;
		}
		if (f->last_ms < idlest->last_ms)
			idlest = f;
		if (exit_client_of(&f->inner) != exit_client_of(inner))
			continue;
		own++;
		if (mine == NULL || f->last_ms < mine->last_ms)
			mine = f;
	}
	if (place == NULL || own >= EXIT_UDP_EACH) {
		place = mine != NULL ? mine : idlest;
		flow_close(place);
	}
	return place;
}

static int
flow_open(struct smolnode_exit *x, struct udp_flow *f,
    const struct sw_addr *inner, const struct sw_addr *outer)
{
	struct sockaddr_storage ss;
	socklen_t len = sizeof(ss);
	struct sw_addr to = *outer;
	int family, r;

	memset(f, 0, sizeof(*f));
	if ((r = exit_find_server(x, &to, &f->dns)) != SW_OK)
		return r;
	family = addr_is_v4(&to) ? AF_INET : AF_INET6;
	addr_to_sockaddr(&to, family, (struct sockaddr *)&ss, &len);
	f->w.fd = socket(family, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (f->w.fd < 0)
		return SW_ERR_LIMIT;
	f->w.ready = flow_ready;
	f->exit = x;
	f->inner = *inner;
	f->outer = *outer;
	if (connect(f->w.fd, (struct sockaddr *)&ss, len) != 0 ||
	    loop_add(x->loop, &f->w, EPOLLIN) != SW_OK) {
		close(f->w.fd);
		return SW_ERR_UNREACH_NET;
	}
	f->used = true;
	return SW_OK;
}

int
exit_take_udp(void *arg, const struct sw_addr *src, const struct sw_addr *dst,
    const uint8_t *data, size_t len)
{
	struct smolnode_exit *x = arg;
	struct udp_flow *f = find_flow(x, src, dst);
	int64_t now = x->loop->now_ms;
	int r;

	if (f->used && f->dns && f->asked_ms != 0 &&
	    now - f->asked_ms > SERVER_MS) {
		exit_next_server(x);	/* asked again: so it was silent */
		flow_close(f);
	}
	if (!f->used && (r = flow_open(x, f, src, dst)) != SW_OK)
		return r;
	f->last_ms = now;
	if (f->asked_ms == 0)
		f->asked_ms = now;
	if (send(f->w.fd, data, len, MSG_NOSIGNAL | MSG_DONTWAIT) < 0 &&
	    errno == ECONNREFUSED) {
		if (f->dns)
			exit_next_server(x);
		flow_close(f);
		return SW_ERR_REFUSED;
	}
	return SW_OK;
}

void
exit_close_udp(struct smolnode_exit *x)
{
	for (size_t i = 0; i < EXIT_UDP_FLOWS; i++)
		flow_close(&x->udp[i]);
}

void
exit_forget_udp(struct smolnode_exit *x, const struct sw_addr *inner)
{
	for (size_t i = 0; i < EXIT_UDP_FLOWS; i++)
		if (x->udp[i].used && addr_same_ip(&x->udp[i].inner, inner))
			flow_close(&x->udp[i]);
}
