#include "preload/session_chain.h"

#include <stdio.h>

static const char *const state_words[] = {
	[STATE_CONNECTING] = "connecting", [STATE_UP] = "up",
	[STATE_DOWN] = "down", [STATE_FAILED] = "failed",
};

static struct session_tunnel *
open_one(struct session *s, const struct tunnel_url *url,
    struct session_tunnel *below, char why[static 256])
{
	return tunnel_is_mix(url) ? session_mix_new(s, url, below, why) :
	    session_ssh_new(s, url, below, why);
}

int
chain_open(struct session *s, char why[static 256])
{
	for (size_t i = 0; i < s->start.via_n; i++) {
		struct session_tunnel *below = s->tunnel;
		struct session_tunnel *t = open_one(s, &s->start.url[i], below,
		    why);

		if (t == NULL) {
			chain_close(s);
			return SW_ERR_CONFIG;
		}
		t->below = below;
		if (below != NULL)
			below->above = t;
		s->tunnel = t;
	}
	return SW_OK;
}

void
chain_close(struct session *s)
{
	while (s->tunnel != NULL) {
		struct session_tunnel *t = s->tunnel;

		s->tunnel = t->below;
		if (t->below != NULL)
			t->below->above = NULL;
		t->ops->free(t);
	}
}

size_t
chain_status(const struct session *s, char *buf, size_t cap)
{
	const struct session_tunnel *t = s->tunnel;
	size_t used = 0, number = 1;

	while (t->below != NULL)
		t = t->below;
	for (; t != s->tunnel; t = t->above) {
		int n = snprintf(buf + used, cap - used, "hop %zu %s %s\n",
		    number++, t->ops->kind, state_words[t->state]);

		if (n < 0 || (size_t)n >= cap - used)
			break;
		used += (size_t)n;
	}
	return used;
}
