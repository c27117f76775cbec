/*
 * Which gateway we enter by and which exit we leave by; and another when one is
 * lost and was not asked for by name.
 *
 * Another entry costs the connections there are: we are another client then,
 * whom the exit gives other addresses.  So a gateway gets a few seconds to come
 * back, unless it never was there.
 */
#include <stdio.h>
#include <string.h>

#include "base/log.h"
#include "preload/session_mix.h"

#define PATIENCE_MS 5000		/* for an entry that once worked */
#define TRIES_MAX 5			/* ends tried before the first success */
#define LEAVE_MS 1000			/* between two, when there was one: it
					 * may be our own network that is gone */

static void
shun(struct netdir_avoid *a, const uint8_t id[static NYM_KEY_LEN])
{
	if (a->n == NETDIR_AVOID) {
		memmove(a->id[0], a->id[1], sizeof(a->id) - sizeof(a->id[0]));
		a->n--;
	}
	memcpy(a->id[a->n++], id, NYM_KEY_LEN);
}

static bool
needs_tls(const struct session_mix *t)
{
	const char *choice = start_text(&t->t.s->start, TEXT_ENTRY_TLS);

	return choice != NULL && strcmp(choice, "always") == 0;
}

static void
use_entry(struct session_mix *t, const struct topology_node *node)
{
	t->entry = *node;
	t->link.is_tls = mix_link_wants_tls(t, node);
	t->entry_worked = false;
	t->entry_lost_ms = 0;
}

/* One gateway that is both ends sees who speaks with whom. */
static int
draw_entry(struct session_mix *t, const struct topology_node **out)
{
	struct netdir_avoid avoid = t->lost_entries;

	shun(&avoid, t->exit.gateway);
	return netdir_choose_entry(t->topology, NULL, needs_tls(t), &avoid,
	    &rng_system, out);
}

static int
choose_entry(struct session_mix *t)
{
	const char *given = start_text(&t->t.s->start, TEXT_ENTRY);
	const struct topology_node *node;
	int r;

	r = given != NULL ? netdir_choose_entry(t->topology, given,
	    needs_tls(t), NULL, &rng_system, &node) : draw_entry(t, &node);
	/* Better than no way at all only where there is no other. */
	if (r == SW_ERR_UNREACH_HOST && given == NULL)
		r = netdir_choose_entry(t->topology, NULL, needs_tls(t),
		    NULL, &rng_system, &node);
	if (r == SW_OK)
		use_entry(t, node);
	return r;
}

/* Whom we leave by, unless we know somebody who is still there. */
static int
choose_exit(struct session_mix *t, bool keep)
{
	const char *exit = start_text(&t->t.s->start, TEXT_EXIT);
	struct recipient to;
	int r;

	if (keep && topology_find(t->topology, t->exit.gateway) != NULL)
		return SW_OK;
	r = netdir_choose_exit(t->topology, exit, &t->lost_exits, &rng_system,
	    &to);
	if (r == SW_ERR_UNREACH_HOST && exit == NULL)
		r = netdir_choose_exit(t->topology, NULL, NULL, &rng_system,
		    &to);
	if (r != SW_OK)
		return r;
	t->exit = to;
	t->other_exit = keep;
	return SW_OK;
}

bool
mix_choose_ends(struct session_mix *t, bool keep, char why[static 256])
{
	const struct start *st = &t->t.s->start;
	const char *entry = start_text(st, TEXT_ENTRY);
	const char *exit = start_text(st, TEXT_EXIT);
	int r;

	if (!topology_is_routable(t->topology)) {
		snprintf(why, 256, "the network has no mix in some layer");
		return false;
	}
	if ((r = choose_exit(t, keep)) != SW_OK) {
		snprintf(why, 256, exit == NULL ?
		    "the network names no exit; give one with --exit" :
		    r == SW_ERR_FORMAT ? "--exit is not an exit's address" :
		    "the exit that --exit names is not in the network");
		return false;
	}
	if ((r = choose_entry(t)) != SW_OK)
		snprintf(why, 256, r == SW_ERR_FORMAT ?
		    "--entry is not a gateway's identity" : entry == NULL ?
		    "the network names no gateway that takes clients%s" :
		    "the gateway that --entry names is not in the network, or "
		    "takes no clients%s", needs_tls(t) ? " over TLS" : "");
	return r == SW_OK;
}

void
mix_entry_works(struct session_mix *t)
{
	t->entry_worked = true;
	t->entry_lost_ms = 0;
}

static bool
may_try_more(const struct session_mix *t, const struct netdir_avoid *lost)
{
	return t->was_up || lost->n < TRIES_MAX;
}

bool
mix_leave_entry(struct session_mix *t)
{
	int64_t now = t->t.s->loop.now_ms;
	const struct topology_node *node;

	if (t->entry_lost_ms == 0)
		t->entry_lost_ms = now;
	if (start_text(&t->t.s->start, TEXT_ENTRY) != NULL ||
	    (t->entry_worked && now - t->entry_lost_ms < PATIENCE_MS) ||
	    (t->was_up && now - t->entry_left_ms < LEAVE_MS) ||
	    !may_try_more(t, &t->lost_entries))
		return false;
	shun(&t->lost_entries, t->entry.identity);
	if (draw_entry(t, &node) != SW_OK) {
		/* All are lost: each may be tried again. */
		t->lost_entries.n = 0;
		return false;
	}
	log_info("mix: the entry gateway is lost, another is tried");
	t->entry_left_ms = now;
	use_entry(t, node);
	return true;
}

bool
mix_leave_exit(struct session_mix *t)
{
	struct recipient other;

	if (start_text(&t->t.s->start, TEXT_EXIT) != NULL ||
	    !may_try_more(t, &t->lost_exits))
		return false;
	shun(&t->lost_exits, t->exit.gateway);
	if (netdir_choose_exit(t->topology, NULL, &t->lost_exits, &rng_system,
	    &other) != SW_OK) {
		t->lost_exits.n = 0;
		return false;
	}
	log_info("mix: the exit does not answer, another is tried");
	t->exit = other;
	t->other_exit = true;
	/* Not by the gateway that is its own. */
	return memcmp(t->entry.identity, t->exit.gateway, NYM_KEY_LEN) != 0 ||
	    start_text(&t->t.s->start, TEXT_ENTRY) != NULL ||
	    choose_entry(t) == SW_OK;
}

bool
mix_ends_are_in(const struct session_mix *t, const struct topology *net)
{
	const struct topology_node *entry = topology_find(net,
	    t->entry.identity);

	return topology_is_routable(net) && entry != NULL &&
	    entry->entry && topology_find(net, t->exit.gateway) != NULL;
}
