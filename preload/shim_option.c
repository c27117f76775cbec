/*
 * shim_option.c - where the options' values of our sockets are.
 *
 * They are kept in the image's table; the stack hears of those that matter to
 * it, and is asked when the table does not know the socket (it was made by
 * another image).
 */
#include "preload/shim_option.h"

#include <netinet/in.h>

#include "preload/shim_control.h"

const struct option_rule *
option_rule_of(struct shim_tag t, int level, int name)
{
	if (level == IPPROTO_IPV6 && !(t.flags & SHIM_V6))
		return NULL;
	return shim_option_find(level, name, t.flags & SHIM_DGRAM);
}

int
option_missing(struct shim_tag t, int level, bool get)
{
	bool known = level == SOL_SOCKET || level == IPPROTO_IP ||
	    level == (t.flags & SHIM_DGRAM ? IPPROTO_UDP : IPPROTO_TCP);

	return get && !known && !(t.flags & SHIM_V6) ? -EOPNOTSUPP :
	    -ENOPROTOOPT;
}

static int
tell_option(int fd, struct shim_tag t, const struct option_rule *r,
    const void *value, size_t len)
{
	struct owner_msg m = { .op = OWNER_SETOPT, .cookie = shim_cookie(fd),
		.arg = (uint32_t)r->level, .arg2 = (uint32_t)r->name };

	return shim_owner_tell(t, m, value, len);
}

int
option_keep(int fd, struct shim_tag t, const struct option_rule *r,
    int32_t table_value, const void *value, size_t len)
{
	bool kept = table_put_option(shim_cookie(fd), shim_option_number(r),
	    table_value);

	if (kept && (r->set == OPT_STORE || !(t.flags & SHIM_TUNNEL)))
		return 0;
	return tell_option(fd, t, r, value, len);
}

int
option_store(int fd, struct shim_tag t, const struct option_rule *r,
    int32_t v)
{
	if (v != 0 && (t.flags & SHIM_DGRAM) &&
	    control_is_switch(r->level, r->name)) {
		t.flags |= SHIM_INFO;
		shim_tag_set(fd, t);
	}
	return option_keep(fd, t, r, v, &v, sizeof(v));
}

int32_t
option_recall(int fd, struct shim_tag t, const struct option_rule *r,
    int32_t initial)
{
	struct owner_msg m = { .op = OWNER_GETOPT, .cookie = shim_cookie(fd),
		.arg = (uint32_t)r->level, .arg2 = (uint32_t)r->name };
	struct owner_reply rep;
	int32_t v = initial, got[2] = { 0 };

	if (table_has(m.cookie))
		return table_get_option(m.cookie, shim_option_number(r), &v) ?
		    v : initial;
	if (shim_owner_ask(t, m, NULL, 0, &rep, got, sizeof(got)) < 0)
		return initial;
	if (rep.len == sizeof(got))		/* struct linger */
		return got[0] != 0 ? got[1] : LINGER_OFF;
	return rep.len == sizeof(v) ? got[0] : initial;
}

void
shim_replay_option(int fd, struct shim_tag t, uint16_t number, int32_t value,
    bool native)
{
	const struct option_rule *r = shim_option_at(number);
	struct linger l = { value != LINGER_OFF, value };

	if (r == NULL)
		return;
	if (r->level == SOL_SOCKET && (r->name == SO_SNDBUF ||
	    r->name == SO_RCVBUF) && native)
		value /= 2;		/* as the kernel will double it */
	if (r->level == SOL_SOCKET && r->name == SO_LINGER) {
		if (native)
			sys_setsockopt(fd, r->level, r->name, &l, sizeof(l));
		else
			tell_option(fd, t, r, &l, sizeof(l));
	} else if (native) {
		/* The tag's own option must not wipe the tag; MAXSEG and its
		 * like may be refused, which is what they would be. */
		if (r->name != SO_MAX_PACING_RATE || r->level != SOL_SOCKET)
			sys_setsockopt(fd, r->level, r->name, &value,
			    sizeof(value));
	} else {
		tell_option(fd, t, r, &value, sizeof(value));
	}
}

void
shim_tell_options(int fd, struct shim_tag t)
{
	const struct option_rule *r;
	struct table_entry e;

	if ((t.flags & SHIM_TUNNEL) || !table_copy(shim_cookie(fd), &e))
		return;
	for (unsigned i = 0; i < TABLE_OPTIONS; i++) {
		r = shim_option_at(e.options[i].rule);
		if (r != NULL && r->set != OPT_STORE)
			shim_replay_option(fd, t, e.options[i].rule,
			    e.options[i].value, false);
	}
}

void
shim_linger(int fd, struct shim_tag t)
{
	const struct option_rule *r = shim_option_find(SOL_SOCKET, SO_LINGER,
	    false);
	struct owner_msg m = { .op = OWNER_DRAIN, .cookie = shim_cookie(fd) };
	struct owner_reply rep;
	int32_t seconds;

	if (!(t.flags & SHIM_LINGER) || !(t.flags & SHIM_CONNECT))
		return;
	seconds = option_recall(fd, t, r, LINGER_OFF);
	if (seconds <= 0)
		return;
	m.arg = (uint32_t)(seconds > 3600 ? 3600 : seconds) * 1000;
	sys_shutdown(fd, SHUT_WR);
	(void)shim_owner_ask(t, m, NULL, 0, &rep, NULL, 0);
}
