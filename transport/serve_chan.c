/*
 * Channels (RFC 4254): forwarded connections and datagrams, both ways.
 *
 *   theirs:  OPEN -> ASKED -> CONFIRMATION -> OPEN ... CLOSE both ways
 *                          \-> FAILURE
 *   ours:    OPEN -> OFFERED -> (their) CONFIRMATION -> OPEN ...
 */
#include "transport/serve_ssh_private.h"

#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "transport/serve_family.h"

#define TABLE_FIRST 8
#define CLOSE_ROOM 4

/* ---- the table ---- */

static struct serve_chan *
chan_find(const struct serve_ssh *s, uint32_t id)
{
	return id < s->chan_room ? s->chan[id] : NULL;
}

static bool
table_grow(struct serve_ssh *s)
{
	size_t room = s->chan_room == 0 ? TABLE_FIRST : s->chan_room * 2;
	struct serve_chan **p = realloc(s->chan,
	    room * sizeof(struct serve_chan *));

	if (p == NULL)
		return false;
	memset(p + s->chan_room, 0,
	    (room - s->chan_room) * sizeof(struct serve_chan *));
	s->chan = p;
	s->chan_room = room;
	return true;
}

static struct serve_chan *
chan_new(struct serve_ssh *s)
{
	struct serve_chan *c;
	size_t id = 0;

	if (s->nchan >= s->cfg->channels_max ||
	    (s->nchan == s->chan_room && !table_grow(s)) ||
	    (c = calloc(1, sizeof(*c))) == NULL)
		return NULL;
	while (s->chan[id] != NULL)
		id++;
	c->s = s;
	c->id = (uint32_t)id;
	c->window = c->aim = SERVE_WINDOW_FIRST;
	s->chan[id] = c;
	s->nchan++;
	return c;
}

static void
chan_free(struct serve_chan *c)
{
	struct serve_ssh *s = c->s;

	serve_chan_stop_waiting(c);
	s->cfg->budget->used -= c->aim - SERVE_WINDOW_FIRST;
	s->chan[c->id] = NULL;
	s->nchan--;
	if (c->state == CHAN_ASKED)
		s->nopening--;
	free(c);
}

void
serve_chan_free_all(struct serve_ssh *s)
{
	for (size_t i = 0; i < s->chan_room; i++)
		if (s->chan[i] != NULL)
			chan_free(s->chan[i]);
	free(s->chan);
	s->chan = NULL;
	s->chan_room = 0;
}

void
serve_chan_set_arg(struct serve_chan *c, void *arg)
{
	c->arg = arg;
}

/* ---- opening ---- */

static void
send_refusal(struct serve_ssh *s, uint32_t peer, enum serve_reason why,
    const char *text)
{
	struct wbuf w = serve_packet_begin(s, MSG_CHANNEL_OPEN_FAILURE,
	    16 + strlen(text));

	add_u32(&w, peer);
	add_u32(&w, (uint32_t)why);
	add_text(&w, text);
	add_text(&w, "");
	serve_packet_end(s, &w);
}

void
serve_chan_refuse(struct serve_chan *c, enum serve_reason why, const char *text)
{
	send_refusal(c->s, c->peer, why, text);
	chan_free(c);
}

void
serve_chan_accept(struct serve_chan *c)
{
	struct wbuf w = serve_packet_begin(c->s, MSG_CHANNEL_OPEN_CONFIRMATION,
	    16);

	add_u32(&w, c->peer);
	add_u32(&w, c->id);
	add_u32(&w, c->window);
	add_u32(&w, SERVE_DATA_MAX);
	serve_packet_end(c->s, &w);
	c->state = CHAN_OPEN;
	c->s->nopening--;
}

/* direct-tcpip: where to.  The originator is nobody's business, but may be the
 * word of a client for the family that it wants. */
static bool
get_target(struct rbuf *r, struct dial_target *to)
{
	struct serve_bytes from;
	uint32_t port, from_port;

	if (serve_get_text(r, to->host, sizeof(to->host)) != SW_OK ||
	    wire_get_u32be(r, &port) != SW_OK || port > 65535 ||
	    serve_get_string(r, &from) != SW_OK ||
	    wire_get_u32be(r, &from_port) != SW_OK || to->host[0] == '\0')
		return false;
	to->port = (uint16_t)port;
	to->family = serve_is_text(from, SERVE_FAMILY_4) ? AF_INET :
	    serve_is_text(from, SERVE_FAMILY_6) ? AF_INET6 : 0;
	return true;
}

#define RESERVED "smolwrap-"		/* no such host is ever dialled */

/* What is wanted; or a refusal's reason and text. */
static enum serve_reason
get_open(struct serve_bytes type, struct rbuf *r, struct serve_open *what,
    const char **text)
{
	*text = NULL;
	if (serve_is_text(type, "udp@smolwrap")) {
		what->kind = SERVE_OPEN_UDP;
		return 0;
	}
	if (serve_is_text(type, "names@smolwrap")) {
		what->kind = SERVE_OPEN_NAMES;
		return 0;
	}
	if (!serve_is_text(type, "direct-tcpip")) {
		*text = "this server only forwards";
		return serve_is_text(type, "session") ? SERVE_PROHIBITED :
		    SERVE_UNKNOWN_TYPE;
	}
	*text = "malformed request";
	if (!get_target(r, &what->to))
		return SERVE_CONNECT_FAILED;
	*text = NULL;
	what->kind = SERVE_OPEN_TCP;
	if (strncmp(what->to.host, RESERVED, sizeof(RESERVED) - 1) != 0)
		return 0;
	/* For clients whose library cannot name a channel type. */
	if (strcmp(what->to.host, RESERVED "udp") == 0) {
		what->kind = SERVE_OPEN_UDP;
		return 0;
	}
	if (strcmp(what->to.host, RESERVED "names") == 0) {
		what->kind = SERVE_OPEN_NAMES;
		return 0;
	}
	*text = "no such service";
	return SERVE_PROHIBITED;
}

static bool
take_open(struct serve_ssh *s, struct rbuf *r)
{
	struct serve_open what = { 0 };
	struct serve_bytes type;
	enum serve_reason why;
	uint32_t peer, window, max;
	struct serve_chan *c;
	const char *text;

	if (serve_get_string(r, &type) != SW_OK ||
	    wire_get_u32be(r, &peer) != SW_OK ||
	    wire_get_u32be(r, &window) != SW_OK ||
	    wire_get_u32be(r, &max) != SW_OK)
		return false;
	if ((why = get_open(type, r, &what, &text)) != 0) {
		send_refusal(s, peer, why, text);
		return true;
	}
	if (s->nopening >= s->cfg->opening_max || (c = chan_new(s)) == NULL) {
		send_refusal(s, peer, SERVE_SHORTAGE, "too many channels");
		return true;
	}
	c->peer = peer;
	c->peer_window = window;
	c->peer_max = max;
	c->state = CHAN_ASKED;
	s->nopening++;
	s->ev->open(s->arg, c, &what);
	return true;
}

struct serve_chan *
serve_chan_offer(struct serve_ssh *s, const char *bind, uint16_t port,
    const char *from, uint16_t from_port, void *arg)
{
	struct serve_chan *c;
	struct wbuf w;

	if (s->over || (c = chan_new(s)) == NULL)
		return NULL;
	c->state = CHAN_OFFERED;
	c->arg = arg;
	w = serve_packet_begin(s, MSG_CHANNEL_OPEN, 64 + strlen(bind) +
	    strlen(from));
	add_text(&w, "forwarded-tcpip");
	add_u32(&w, c->id);
	add_u32(&w, c->window);
	add_u32(&w, SERVE_DATA_MAX);
	add_text(&w, bind);
	add_u32(&w, port);
	add_text(&w, from);
	add_u32(&w, from_port);
	serve_packet_end(s, &w);
	return c;
}

static bool
take_confirmation(struct serve_chan *c, struct rbuf *r)
{
	if (c->state != CHAN_OFFERED || wire_get_u32be(r, &c->peer) != SW_OK ||
	    wire_get_u32be(r, &c->peer_window) != SW_OK ||
	    wire_get_u32be(r, &c->peer_max) != SW_OK)
		return false;
	c->state = CHAN_OPEN;
	if (c->arg != NULL)
		c->s->ev->opened(c->arg);
	else
		serve_chan_close(c);	/* given up meanwhile */
	return true;
}

static bool
take_refusal(struct serve_chan *c)
{
	struct serve_ssh *s = c->s;
	void *arg = c->arg;

	if (c->state != CHAN_OFFERED)
		return false;
	chan_free(c);
	if (arg != NULL)
		s->ev->closed(arg, false);
	return true;
}

/* ---- ending, and what clients ask for ---- */

static bool
take_eof(struct serve_chan *c)
{
	if (c->got_eof)
		return true;		/* said twice: no harm */
	c->got_eof = true;
	if (c->arg != NULL)
		c->s->ev->eof(c->arg);
	return true;
}

static void
send_short(struct serve_chan *c, uint8_t type)
{
	struct wbuf w = serve_packet_begin(c->s, type, CLOSE_ROOM);

	add_u32(&w, c->peer);
	serve_packet_end(c->s, &w);
}

static bool
take_close(struct serve_chan *c)
{
	struct serve_ssh *s = c->s;
	bool clean = c->got_eof && c->sent_eof;
	void *arg = c->arg;

	if (!c->sent_close)
		send_short(c, MSG_CHANNEL_CLOSE);
	chan_free(c);
	if (arg != NULL)
		s->ev->closed(arg, clean);
	return true;
}

/* "exec" and such are for sessions, which we have none of. */
static bool
take_request(struct serve_chan *c, struct rbuf *r)
{
	struct serve_bytes name;
	uint8_t wants;

	if (serve_get_string(r, &name) != SW_OK ||
	    wire_get_u8(r, &wants) != SW_OK)
		return false;
	if (wants != 0 && !c->sent_close)
		send_short(c, MSG_CHANNEL_FAILURE);
	return true;
}

void
serve_chan_eof(struct serve_chan *c)
{
	if (c->sent_eof || c->sent_close || c->state != CHAN_OPEN)
		return;
	c->sent_eof = true;
	send_short(c, MSG_CHANNEL_EOF);
}

void
serve_chan_close(struct serve_chan *c)
{
	c->arg = NULL;
	serve_chan_stop_waiting(c);
	if (c->sent_close || c->state == CHAN_OFFERED)
		return;			/* an answer is on its way */
	c->sent_close = true;
	send_short(c, MSG_CHANNEL_CLOSE);
}

/* ---- all together ---- */

static bool
take_for(struct serve_ssh *s, uint8_t type, struct rbuf *r)
{
	struct serve_chan *c;
	uint32_t id;

	if (wire_get_u32be(r, &id) != SW_OK || (c = chan_find(s, id)) == NULL)
		return false;
	if (type == MSG_CHANNEL_OPEN_CONFIRMATION)
		return take_confirmation(c, r);
	if (type == MSG_CHANNEL_OPEN_FAILURE)
		return take_refusal(c);
	if (c->state != CHAN_OPEN)
		return false;
	switch (type) {
	case MSG_CHANNEL_WINDOW_ADJUST:
		return serve_chan_take_adjust(c, r);
	case MSG_CHANNEL_DATA:
		return serve_chan_take_data(c, r, false);
	case MSG_CHANNEL_EXTENDED_DATA:
		return serve_chan_take_data(c, r, true);
	case MSG_CHANNEL_EOF:
		return take_eof(c);
	case MSG_CHANNEL_CLOSE:
		return take_close(c);
	case MSG_CHANNEL_REQUEST:
		return take_request(c, r);
	default:
		return true;		/* answers to what we never ask */
	}
}

void
serve_chan_take(struct serve_ssh *s, uint8_t type, struct rbuf payload)
{
	struct rbuf r = { payload.p + 1, payload.left - 1 };
	bool good;

	switch (type) {
	case MSG_REQUEST_SUCCESS:
	case MSG_REQUEST_FAILURE:
		return;			/* of our pings */
	case MSG_GLOBAL_REQUEST:
		good = serve_global_take(s, &r);
		break;
	case MSG_CHANNEL_OPEN:
		good = take_open(s, &r);
		break;
	default:
		good = take_for(s, type, &r);
		break;
	}
	if (!good)
		serve_ssh_fail(s, SERVE_BYE_PROTOCOL,
		    "a channel message broke the rules");
}
