/*
 * Look-ups for a client: does a name exist, and with which kinds of address?
 *
 *	server	smolwrap-names 1 smolserve
 *		n ADDRESS		a name server the client may dial
 *		.
 *	client	ID NAME
 *	server	ID 0.0.0.0 ::		it has addresses of these families, that
 *					of the first is dialled first
 *		ID			there is no such name
 *		ID ?			no answer
 *
 * The words are those of the shell loop that the client runs on other servers
 * (ssh_lookup.c).  Which addresses a name has is not told: channels are opened
 * by name.
 */
#include "transport/serve_private.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/container.h"
#include "transport/serve_resolv.h"

#define LINE_LEN 288
#define ASKED_MAX 64
#define UNSENT_MAX 8192

struct question {
	LIST_LINK(question) link;
	struct serve_names *o;
	struct serve_query *query;
	uint32_t id;
};

struct serve_names {
	struct serve_end end;
	LIST_LINK(serve_names) link;
	struct serve_session *s;
	struct serve_chan *c;
	LIST_OF(questions, question) asked;
	size_t nasked;
	char line[LINE_LEN];
	size_t line_len;
	char unsent[UNSENT_MAX];
	size_t unsent_len;
};

static void
question_free(struct question *q)
{
	if (q->query != NULL)
		serve_resolve_cancel(q->query);
	LIST_DROP(&q->o->asked, q, link);
	q->o->nasked--;
	free(q);
}

static void
names_free(struct serve_names *o)
{
	struct question *q, *next;

	for (q = LIST_FIRST(&o->asked); q != NULL; q = next) {
		next = LIST_NEXT(q, link);
		question_free(q);
	}
	LIST_DROP(&o->s->names, o, link);
	o->s->nservices--;
	free(o);
}

static void
end_names(struct serve_names *o)
{
	serve_chan_close(o->c);
	serve_session_touch(o->s);
	names_free(o);
}

static void
flush(struct serve_names *o)
{
	size_t n = serve_chan_write(o->c, (uint8_t *)o->unsent, o->unsent_len);

	memmove(o->unsent, o->unsent + n, o->unsent_len - n);
	o->unsent_len -= n;
	serve_session_touch(o->s);
}

/* A client that asks and does not listen loses answers. */
static void
say(struct serve_names *o, const char *text)
{
	size_t n = strlen(text);

	if (n > sizeof(o->unsent) - o->unsent_len)
		return;
	memcpy(o->unsent + o->unsent_len, text, n);
	o->unsent_len += n;
	flush(o);
}

static void
answer(struct serve_names *o, uint32_t id, int err, const struct sw_addr *addrs,
    size_t n)
{
	bool v4 = false, v6 = false;
	char text[48];
	int at = snprintf(text, sizeof(text), "%u", id);

	for (size_t i = 0; i < n; i++) {
		bool *seen = addr_is_v4(&addrs[i]) ? &v4 : &v6;

		if (!*seen)
			at += snprintf(text + at, sizeof(text) - (size_t)at,
			    seen == &v4 ? " 0.0.0.0" : " ::");
		*seen = true;
	}
	snprintf(text + at, sizeof(text) - (size_t)at, "%s\n",
	    err != SW_OK && err != SW_ERR_NO_NAME ? " ?" : "");
	say(o, text);
}

static void
on_found(void *arg, int err, const struct sw_addr *addrs, size_t n)
{
	struct question *q = arg;

	q->query = NULL;
	answer(q->o, q->id, err, addrs, err == SW_OK ? n : 0);
	question_free(q);
}

/* "ID NAME"; false: the client does not speak this. */
static bool
take_line(struct serve_names *o, char *line)
{
	char *end;
	unsigned long id = strtoul(line, &end, 10);
	struct question *q;

	if (!isdigit((unsigned char)*line) || id > UINT32_MAX || *end != ' ' ||
	    end[1] == '\0')
		return false;
	if (o->nasked >= ASKED_MAX || (q = calloc(1, sizeof(*q))) == NULL) {
		answer(o, (uint32_t)id, SW_ERR_LIMIT, NULL, 0);
		return true;
	}
	q->o = o;
	q->id = (uint32_t)id;
	LIST_APPEND(&o->asked, q, link);
	o->nasked++;
	q->query = serve_resolve(o->s->v->dialing.resolver, o->s, end + 1,
	    on_found, q);
	if (q->query == NULL) {
		question_free(q);
		answer(o, (uint32_t)id, SW_ERR_LIMIT, NULL, 0);
	}
	return true;
}

static void
on_data(struct serve_end *e, const uint8_t *p, size_t len)
{
	struct serve_names *o = CONTAINER_OF(e, struct serve_names, end);

	serve_chan_took(o->c, len);
	for (size_t i = 0; i < len; i++) {
		if (p[i] != '\n') {
			if (p[i] == 0 || o->line_len >= LINE_LEN - 1) {
				end_names(o);
				return;
			}
			o->line[o->line_len++] = (char)p[i];
			continue;
		}
		o->line[o->line_len] = '\0';
		o->line_len = 0;
		if (!take_line(o, o->line)) {
			end_names(o);
			return;
		}
	}
}

static void
on_eof(struct serve_end *e)
{
	end_names(CONTAINER_OF(e, struct serve_names, end));
}

static void
on_writable(struct serve_end *e)
{
	flush(CONTAINER_OF(e, struct serve_names, end));
}

static void
on_closed(struct serve_end *e, bool clean)
{
	(void)clean;
	names_free(CONTAINER_OF(e, struct serve_names, end));
}

static const struct serve_end_ops names_ops = {
	.data = on_data, .eof = on_eof, .writable = on_writable,
	.closed = on_closed,
};

void
serve_names_open(struct serve_session *s, struct serve_chan *c)
{
	struct serve_names *o = calloc(1, sizeof(*o));
	const struct serve_nameservers *dns = &s->v->nameservers;
	char text[SW_ADDR_TEXT_LEN + 8], ip[SW_ADDR_TEXT_LEN];

	if (o == NULL) {
		serve_chan_refuse(c, SERVE_SHORTAGE, "out of memory");
		return;
	}
	o->end.ops = &names_ops;
	o->s = s;
	o->c = c;
	LIST_INIT(&o->asked);
	LIST_APPEND(&s->names, o, link);
	s->nservices++;
	serve_chan_set_arg(c, &o->end);
	serve_chan_accept(c);
	say(o, "smolwrap-names 1 smolserve\n");
	for (size_t i = 0; i < dns->n; i++) {
		(void)addr_ip_text(&dns->at[i], ip);
		if (!serve_policy_allows(&s->v->policy, ip, &dns->at[i], 53))
			continue;
		snprintf(text, sizeof(text), "n %s\n", ip);
		say(o, text);
	}
	say(o, ".\n");
}

void
serve_names_free(struct serve_session *s)
{
	struct serve_names *o, *next;

	for (o = LIST_FIRST(&s->names); o != NULL; o = next) {
		next = LIST_NEXT(o, link);
		names_free(o);
	}
}
