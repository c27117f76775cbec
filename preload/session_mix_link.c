/*
 * The way to the entry gateway and to the directory service: directly, through
 * a proxy, or through the tunnel before this one; plain or over TLS.  Never by
 * another way than the one that was asked for.
 */
#include <stdio.h>
#include <string.h>

#include "base/addr.h"
#include "preload/session_mix.h"

#define DIAL_MS 9000			/* mixtunnel gives up after ten seconds */

static const char *
text(const struct session_mix *t, enum options_text which)
{
	return start_text(&t->t.s->start, which);
}

/* The proxy is for the first tunnel, which leaves this machine. */
static struct transport_options
options_of(const struct session_mix *t, enum transport_kind kind)
{
	return (struct transport_options){
		.kind = kind,
		.proxy = t->link.door == NULL ? text(t, TEXT_PROXY) : NULL,
		.through = t->link.door,
	};
}

int
mix_link_init(struct session_mix *t, struct session_tunnel *below,
    char why[static 256])
{
	struct transport_options o;

	if (below != NULL && (t->link.door = through_new(&t->t.s->loop,
	    below->dialer, below->dialer_ops)) == NULL) {
		snprintf(why, 256, "out of memory or descriptors");
		return SW_ERR_NOMEM;
	}
	o = options_of(t, TRANSPORT_TCP);
	return transport_new(&t->link.tcp, &o, why);
}

void
mix_link_hang_up(struct session_mix *t)
{
	dialing_cancel(t->link.dialing);
	t->link.dialing = NULL;
}

static void
forget_tls(struct mix_link *l)
{
	if (l->tls != NULL)
		transport_cancel(l->tls);
	transport_unref(l->tls);
	l->tls = NULL;
}

void
mix_link_wipe(struct session_mix *t)
{
	struct mix_link *l = &t->link;

	mix_link_hang_up(t);
	forget_tls(l);
	if (l->tcp != NULL)
		transport_cancel(l->tcp);
	transport_unref(l->tcp);
	l->tcp = NULL;
	through_close(l->door);
	l->door = NULL;
}

bool
mix_link_wants_tls(const struct session_mix *t,
    const struct topology_node *entry)
{
	const char *choice = text(t, TEXT_ENTRY_TLS);

	if (choice != NULL && strcmp(choice, "never") == 0)
		return false;
	return entry->wss_port != 0 && entry->host[0] != '\0';
}

bool
mix_link_is_direct(const struct session_mix *t)
{
	return !t->link.is_tls && transport_is_direct(t->link.tcp);
}

/* TLS with the gateway of this name; kept, since it holds authorities and
 * tickets. */
static int
prepare_tls(struct session_mix *t, const char *name,
    char why[static TRANSPORT_WHY_LEN])
{
	struct mix_link *l = &t->link;
	struct transport_options o = options_of(t, TRANSPORT_TLS);
	const char *given = text(t, TEXT_TLS_NAME);

	o.tls.ca = text(t, TEXT_TLS_CA);
	o.tls.pin = text(t, TEXT_TLS_PIN);
	o.tls.name = given != NULL ? given : name;
	o.tls.insecure = t->t.s->start.insecure;
	if (l->tls != NULL && strcmp(l->name, name) == 0)
		return SW_OK;
	forget_tls(l);
	if (o.tls.insecure && o.tls.pin == NULL)
		session_warn(t->t.s, "--insecure: anybody on the way may pose "
		    "as the TLS server; only the gateway's identity is "
		    "checked");
	snprintf(l->name, sizeof(l->name), "%s", name);
	return transport_new(&l->tls, &o, why);
}

static void
on_dialed(void *arg, int err, int fd, const char *why)
{
	struct session_mix *t = arg;

	t->link.dialing = NULL;
	snprintf(t->link.why, sizeof(t->link.why), "%s", why);
	mixtunnel_dialed(t->mix, fd, err);
}

/* By its address: no name is looked up, here or elsewhere. */
void
mix_link_dial(void *arg, const struct mixtunnel_endpoint *to)
{
	struct session_mix *t = arg;
	struct mix_link *l = &t->link;
	char ip[SW_ADDR_TEXT_LEN];
	int r = SW_OK;

	mix_link_hang_up(t);
	if (to->tls)
		r = prepare_tls(t, to->host, l->why);
	if (r == SW_OK) {
		snprintf(l->why, sizeof(l->why), "out of memory or threads");
		l->dialing = dialing_start(&t->t.s->loop, to->tls ? l->tls :
		    l->tcp, addr_ip_text(&to->addr, ip), to->port,
		    t->t.s->loop.now_ms + DIAL_MS, on_dialed, t);
		r = l->dialing != NULL ? SW_OK : SW_ERR_NOMEM;
	}
	if (r != SW_OK)
		mixtunnel_dialed(t->mix, -1, r);
}
