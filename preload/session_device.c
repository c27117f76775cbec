#include "preload/session_device.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/container.h"
#include "base/log.h"
#include "mix/ipsum.h"
#include "preload/guard.h"
#include "preload/netdev.h"
#include "preload/session_hop.h"

#define PACKETS_PER_EVENT 64
#define ORPHAN_TICK_MS 50
#define GUARD_ASKED_MOST_MS 4000	/* between two questions, at the most */
#define GUARD_ANSWERS_MS 30000
#define QUEUE_PACKETS 4096	/* the kernel drops what does not fit */

struct device {
	struct session *s;
	const struct control *of;	/* NULL: they are gone */
	struct link *link;
	struct loop_fd tun, guard;
	int route_fd, diag_fd, index;
	struct link_config config;
	bool routed4, routed6;
	struct loop_timer orphan;
	bool asked;			/* the guard owes an answer */
	int64_t ask_ms, drain_until;	/* 0: programs may remain */
	struct device *prev, *next;
};

static void
device_free(struct device *d)
{
	if (d->prev != NULL)
		d->prev->next = d->next;
	else
		d->s->devices = d->next;
	if (d->next != NULL)
		d->next->prev = d->prev;
	loop_set_timer(&d->s->loop, &d->orphan, SW_NEVER);
	loop_del(&d->s->loop, &d->tun);
	loop_del(&d->s->loop, &d->guard);
	link_close(d->link);		/* the hop goes when it reads that */
	close(d->tun.fd);
	close(d->route_fd);
	close(d->diag_fd);
	close(d->guard.fd);
	free(d);
}

/* --- what the link says of the network ------------------------------------- */

static void
set_route(struct device *d, int family, bool *has, bool wanted)
{
	if (*has == wanted)
		return;
	if (netdev_route(d->route_fd, d->index, family, wanted) == SW_OK)
		*has = wanted;
	else
		log_warn("session: the route of an isolated program could not be "
		    "set: %s", strerror(errno));
}

static void
set_routes(struct device *d)
{
	bool up = (d->config.flags & LINK_UP) != 0;

	set_route(d, AF_INET, &d->routed4,
	    up && !addr_is_any(&d->config.inner4));
	set_route(d, AF_INET6, &d->routed6,
	    up && !addr_is_any(&d->config.inner6));
}

/* One address instead of another; all zero: none.  Connections end with the
 * old one, and its default route may. */
static bool
change_address(struct device *d, const struct sw_addr *from,
    const struct sw_addr *to, bool *routed)
{
	if (addr_same_ip(from, to))
		return true;
	*routed = false;
	if (!addr_is_any(from)) {
		netdev_reset(d->diag_fd);
		if (netdev_address(d->route_fd, d->index, from, false) != SW_OK)
			return false;
	}
	return addr_is_any(to) ||
	    netdev_address(d->route_fd, d->index, to, true) == SW_OK;
}

static bool
take_config(struct device *d, const struct link_config *c)
{
	bool ok = netdev_up(d->route_fd, d->index, c->mtu, QUEUE_PACKETS) ==
	    SW_OK &&
	    change_address(d, &d->config.inner4, &c->inner4, &d->routed4) &&
	    change_address(d, &d->config.inner6, &c->inner6, &d->routed6);

	d->config = *c;
	set_routes(d);
	return ok;
}

static void
got_control(void *arg, const struct link_control *c, const uint8_t *payload,
    int fd)
{
	struct device *d = arg;

	if (fd >= 0)
		close(fd);
	if (c->op == LINK_CONFIG && c->len == sizeof(d->config)) {
		struct link_config config;

		memcpy(&config, payload, sizeof(config));
		if (!take_config(d, &config))
			log_warn("session: an isolated program could not be given "
			    "its addresses: %s", strerror(errno));
	} else if (c->op == LINK_TUNNEL) {
		d->config.flags = (uint16_t)(c->arg != 0 ?
		    d->config.flags | LINK_UP : d->config.flags & ~LINK_UP);
		set_routes(d);
	}
}

/* --- packets --------------------------------------------------------------- */

/* Length of the packet that `p` begins with; 0 when it is none. */
static size_t
packet_len(const uint8_t *p, size_t len)
{
	size_t n = 0;

	if (len >= 20 && p[0] >> 4 == 4)
		n = (size_t)p[2] << 8 | p[3];
	else if (len >= 40 && p[0] >> 4 == 6)
		n = 40 + ((size_t)p[4] << 8 | p[5]);
	return n >= 20 && n <= len ? n : 0;
}

/* From the tunnel.  The splice leaves checksums out, the kernel wants them. */
static void
got_frame(void *arg, struct link_frame *f)
{
	static uint8_t packet[LINK_FRAME_MAX];
	struct device *d = arg;
	size_t n;

	for (size_t at = 0; at < f->len; at += n) {
		n = packet_len(f->data + at, f->len - at);
		if (n == 0)
			return;
		memcpy(packet, f->data + at, n);
		if ((d->config.flags & LINK_CHECKSUMS) == 0)
			ipsum_fill(packet, n);
		/* Lost here is lost on the way; TCP knows. */
		if (write(d->tun.fd, packet, n) < 0 && errno != EAGAIN)
			log_debug("session: a packet was refused by the device: "
			    "%s", strerror(errno));
	}
}

/* To the tunnel, but for what the kernel says from other addresses: router
 * and multicast discovery. */
static void
tun_ready(struct loop_fd *w, uint32_t events)
{
	static uint8_t packet[LINK_FRAME_MAX];
	struct device *d = CONTAINER_OF(w, struct device, tun);

	(void)events;
	for (int i = 0; i < PACKETS_PER_EVENT; i++) {
		ssize_t n = read(w->fd, packet, sizeof(packet));
		struct iovec iov = { .iov_base = packet };

		if (n <= 0)
			return;
		iov.iov_len = (size_t)n;
		if (packet_len(packet, iov.iov_len) != iov.iov_len ||
		    !hop_is_honest(&d->config, packet, iov.iov_len))
			continue;
		/* Full: this packet is lost, the next ones wait in the device. */
		if (link_send(d->link, &iov, 1) == SW_AGAIN) {
			loop_mod(&d->s->loop, w, 0);
			return;
		}
	}
}

static void
got_room(void *arg)
{
	struct device *d = arg;

	loop_mod(&d->s->loop, &d->tun, EPOLLIN);
}

static void
is_dead(void *arg)
{
	device_free(arg);		/* the session is ending */
}

static const struct link_events events = {
	.frame = got_frame, .control = got_control, .writable = got_room,
	.dead = is_dead,
};

/* --- life ------------------------------------------------------------------ */

/*
 *   SERVED -> ORPHAN (its control connection is gone) -> DRAINING -> freed
 *
 * An orphan's guard is asked, ever less often, whether programs remain.
 */
static void
drain(struct device *d)
{
	d->drain_until = d->s->loop.now_ms + SESSION_DRAIN_MS;
	loop_set_timer(&d->s->loop, &d->orphan, d->s->loop.now_ms);
}

static void
orphan_tick(struct loop_timer *t)
{
	struct device *d = CONTAINER_OF(t, struct device, orphan);
	int64_t now = d->s->loop.now_ms;

	if (d->drain_until == 0) {
		if (d->asked || send(d->guard.fd, "?", 1,
		    MSG_NOSIGNAL | MSG_DONTWAIT) != 1)
			drain(d);
		else
			loop_set_timer(&d->s->loop, t, now + GUARD_ANSWERS_MS);
		d->asked = true;
	} else if (netdev_count_unsent(d->diag_fd) > 0 && now < d->drain_until)
		loop_set_timer(&d->s->loop, t, now + ORPHAN_TICK_MS);
	else
		device_free(d);
}

static void
guard_says(struct loop_fd *w, uint32_t ready)
{
	struct device *d = CONTAINER_OF(w, struct device, guard);
	char word;
	ssize_t n = recv(w->fd, &word, 1, MSG_DONTWAIT);

	(void)ready;
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n <= 0)
		loop_del(&d->s->loop, w);	/* somebody killed it */
	if (d->of != NULL || d->drain_until != 0)
		return;
	d->asked = false;
	if (n == 1 && word == GUARD_SOME) {
		loop_set_timer(&d->s->loop, &d->orphan,
		    d->s->loop.now_ms + d->ask_ms);
		if (d->ask_ms < GUARD_ASKED_MOST_MS)
			d->ask_ms *= 2;
	} else
		drain(d);
}

void
device_orphan(struct session *s, const struct control *of)
{
	for (struct device *d = s->devices; d != NULL; d = d->next)
		if (d->of == of) {
			d->of = NULL;
			d->ask_ms = ORPHAN_TICK_MS;
			loop_set_timer(&s->loop, &d->orphan, s->loop.now_ms);
		}
}

struct hop *
device_find_listener(struct session *s, uint16_t port, struct sw_addr *at)
{
	for (struct device *d = s->devices; d != NULL; d = d->next)
		if (netdev_find_listener(d->diag_fd, port, at))
			return hop_find_inner(s, &d->config.inner4);
	return NULL;
}

void
device_free_all(struct session *s)
{
	for (struct device *d = s->devices, *next; d != NULL; d = next) {
		next = d->next;
		device_free(d);
	}
}

int
device_new(struct session *s, const struct control *of, int index,
    const int fds[DEVICE_FDS],
    struct link_config *config)
{
	struct device *d = calloc(1, sizeof(*d));
	struct hop *hop = NULL;

	if (d == NULL || fcntl(fds[0], F_SETFL, O_RDWR | O_NONBLOCK) != 0 ||
	    (hop = hop_new(s, 0, -1)) == NULL)
		goto fail;
	hop->foreign = true;
	*d = (struct device){
		.s = s, .of = of, .index = index,
		.tun = { .fd = fds[0], .ready = tun_ready },
		.route_fd = fds[1], .diag_fd = fds[2],
		.guard = { .fd = fds[3], .ready = guard_says },
		.orphan = { .fire = orphan_tick },
	};
	d->link = link_open_near(&s->loop, hop->link, &events, d);
	if (d->link == NULL || !take_config(d, &hop->config) ||
	    loop_add(&s->loop, &d->guard, EPOLLIN) != SW_OK ||
	    loop_add(&s->loop, &d->tun, EPOLLIN) != SW_OK) {
		loop_del(&s->loop, &d->guard);
		link_close(d->link);
		hop_free(hop);
		goto fail;
	}
	*config = hop->config;
	d->next = s->devices;
	if (d->next != NULL)
		d->next->prev = d;
	s->devices = d;
	return SW_OK;
fail:
	free(d);
	for (int i = 0; i < DEVICE_FDS; i++)
		close(fds[i]);
	return SW_ERR_SYS;
}
