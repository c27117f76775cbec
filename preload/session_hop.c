#include "preload/session_hop.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "preload/session_memory.h"
#include "preload/session_control.h"
#include "preload/session_view.h"

#define INDEX_FIRST 16u			/* below: the session's own addresses */
#define INDEX_END ((1u << 22) - 1)	/* 100.64.0.0/10 */

static const uint8_t prefix6[8] = { 0xfd, 0x73, 0x6d, 0x6f, 0x6c, 0x77, 0, 0 };

static struct sw_addr
inner4_of(uint32_t index)
{
	return addr_v4((100u << 24 | 64u << 16) + index, 0);
}

static struct sw_addr
inner6_of(uint32_t index)
{
	struct sw_addr a = { .port = 0 };

	memcpy(a.ip, prefix6, sizeof(prefix6));
	for (int i = 0; i < 4; i++)
		a.ip[12 + i] = (uint8_t)(index >> (24 - 8 * i));
	return a;
}

static bool
index_from(const struct sw_addr *a, uint32_t *index)
{
	uint32_t v = (uint32_t)a->ip[12] << 24 | (uint32_t)a->ip[13] << 16 |
	    (uint32_t)a->ip[14] << 8 | a->ip[15];

	if (addr_is_v4(a)) {
		*index = v - (100u << 24 | 64u << 16);
		return *index < INDEX_END;
	}
	*index = v;
	return memcmp(a->ip, prefix6, sizeof(prefix6)) == 0;
}

#define BUCKET(s, index) (&(s)->hop_table[(index) & 1023])

static struct hop *
find_index(struct session *s, uint32_t index)
{
	struct hop *h = *BUCKET(s, index);

	while (h != NULL && h->index != index)
		h = h->same;
	return h;
}

struct hop *
hop_find_inner(struct session *s, const struct sw_addr *inner)
{
	uint32_t index;

	return index_from(inner, &index) ? find_index(s, index) : NULL;
}

struct hop *
hop_find_owner(struct session *s, uint32_t owner)
{
	struct hop *h = s->hops;

	while (h != NULL && h->owner != owner)
		h = h->next;
	return h;
}

struct hop *
hop_find_listener(struct session *s, uint16_t port, struct sw_addr *at)
{
	for (struct hop *h = s->hops; h != NULL; h = h->next)
		for (size_t i = 0; i < h->listen_n; i++)
			if (h->listens[i].port == port) {
				*at = h->listens[i];
				return h;
			}
	return NULL;
}

/* Addresses go round, so that one is not reused while the splice may still
 * remember flows of its last user. */
static bool
take_index(struct session *s, uint32_t *out)
{
	for (uint32_t tries = 0; tries < INDEX_END - INDEX_FIRST; tries++) {
		if (++s->hop_last < INDEX_FIRST || s->hop_last >= INDEX_END)
			s->hop_last = INDEX_FIRST;
		if (find_index(s, s->hop_last) == NULL) {
			*out = s->hop_last;
			return true;
		}
	}
	return false;
}

int
hop_send(struct hop *h, const struct iovec *iov, int n)
{
	int r = link_send(h->link, iov, n);

	if (r == SW_OK)
		for (int i = 0; i < n; i++)
			h->s->bytes_in += iov[i].iov_len;
	return r;
}

bool
hop_control(struct hop *h, enum link_control_op op, uint16_t arg,
    const void *payload, size_t len, int fd)
{
	struct link_control c = {
		.op = (uint8_t)op, .arg = arg, .len = (uint32_t)len,
	};

	return link_send_control(h->link, &c, payload, fd) == SW_OK;
}

bool
hop_tell_config(struct hop *h)
{
	view_free(h->view);		/* it shows the addresses of before */
	h->view = NULL;
	return hop_control(h, LINK_CONFIG, 0, &h->config, sizeof(h->config), -1);
}

void
hop_tell_tunnel(struct hop *h, bool up)
{
	h->config.flags = (uint16_t)(up ? h->config.flags | LINK_UP :
	    h->config.flags & ~LINK_UP);
	(void)hop_control(h, LINK_TUNNEL, up, NULL, 0, -1);
}

struct sw_addr
hop_session_address(uint16_t port)
{
	struct sw_addr a = inner4_of(1);

	a.port = port;
	return a;
}

void
hop_own_addresses(struct hop *h)
{
	h->config.inner4 = inner4_of(h->index);
	h->config.inner6 = inner6_of(h->index);
	h->config.dns = hop_session_address(53);
}

bool
hop_is_honest(const struct link_config *c, const uint8_t *p, size_t len)
{
	while (len > 0) {
		size_t n;

		if (p[0] >> 4 == 4 && len >= 20) {
			n = (size_t)p[2] << 8 | p[3];
			if (n < 20 || memcmp(p + 12, c->inner4.ip + 12, 4) != 0)
				return false;
		} else if (p[0] >> 4 == 6 && len >= 40) {
			n = 40 + ((size_t)p[4] << 8 | p[5]);
			if (memcmp(p + 8, c->inner6.ip, 16) != 0)
				return false;
		} else
			return false;
		if (n > len)
			return false;
		p += n;
		len -= n;
	}
	return true;
}

static void
take_listen(struct hop *h, const struct link_control *c)
{
	size_t i = 0;

	while (i < h->listen_n &&
	    memcmp(&h->listens[i], &c->addr, sizeof(c->addr)) != 0)
		i++;
	if (c->arg == 0) {
		if (i < h->listen_n)
			h->listens[i] = h->listens[--h->listen_n];
	} else if (i == h->listen_n && i < HOP_LISTENS_MAX)
		h->listens[h->listen_n++] = c->addr;
}

static void
got_frame(void *arg, struct link_frame *f)
{
	struct hop *h = arg;
	struct session *s = h->s;

	if (!hop_is_honest(&h->config, f->data, f->len)) {
		log_debug("hop %u: a frame that is not its own, dropped",
		    h->index);
		return;
	}
	s->bytes_out += f->len;
	s->tunnel->ops->input(s->tunnel, h, f);
}

static void
got_control(void *arg, const struct link_control *c, const uint8_t *payload,
    int fd)
{
	(void)payload;
	if (fd >= 0)
		close(fd);
	if (c->op == LINK_LISTEN)
		take_listen(arg, c);
	else if (c->op == LINK_STRAY)
		(void)session_note(((struct hop *)arg)->s, REASON_STRAY);
}

static void
got_room(void *arg)
{
	struct hop *h = arg;

	h->s->tunnel->ops->writable(h->s->tunnel, h);
}

static void
is_dead(void *arg)
{
	struct hop *h = arg;
	struct session *s = h->s;

	hop_free(h);
	session_consider_end(s);
}

static const struct link_events events = {
	.frame = got_frame, .control = got_control, .writable = got_room,
	.dead = is_dead,
};

struct hop *
hop_new(struct session *s, uint32_t owner, int link_fd)
{
	struct hop *h = calloc(1, sizeof(*h));
	uint32_t index;

	if (h == NULL || !take_index(s, &index)) {
		free(h);
		if (link_fd >= 0)
			close(link_fd);
		return NULL;
	}
	h->s = s;
	h->owner = owner;
	h->hosted = link_fd < 0;
	h->index = index;
	h->link = h->hosted ? link_open_near(&s->loop, NULL, &events, h) :
	    link_open(&s->loop, link_fd, &events, h);
	if (h->link == NULL) {
		free(h);
		return NULL;
	}
	if (!s->tunnel->ops->attach(s->tunnel, h)) {
		link_close(h->link);
		free(h);
		return NULL;
	}
	if (s->tunnel_up)
		h->config.flags |= LINK_UP;
	if (!hop_tell_config(h)) {
		s->tunnel->ops->detach(s->tunnel, h);
		link_close(h->link);
		free(h);
		return NULL;
	}
	h->next = s->hops;
	if (s->hops != NULL)
		s->hops->prev = h;
	s->hops = h;
	h->same = *BUCKET(s, index);
	*BUCKET(s, index) = h;
	s->hop_n++;
	log_debug("hop %u: attached", h->index);
	return h;
}

void
hop_free(struct hop *h)
{
	struct session *s = h->s;
	struct hop **at;

	log_debug("hop %u: gone", h->index);
	if (h->prev != NULL)
		h->prev->next = h->next;
	else
		s->hops = h->next;
	if (h->next != NULL)
		h->next->prev = h->prev;
	for (at = BUCKET(s, h->index); *at != h; at = &(*at)->same)
		;
	*at = h->same;
	s->hop_n--;
	view_free(h->view);
	link_close(h->link);
	s->tunnel->ops->detach(s->tunnel, h);
	free(h);
	session_memory_tidy(s);
}
