/* What a login needs to know, in its own memory: the thread that logs in may
 * outlive the tunnel. */
#include "transport/ssh_private.h"

#include <stdlib.h>
#include <string.h>

static bool
copy_text(char **out, const char *s)
{
	if (s != NULL && (*out = strdup(s)) == NULL)
		return false;
	return true;
}

static struct ssh_plan *
plan_from(const char *host, const char *user, const char *known_hosts,
    const char *config, const char *ciphers, const char *const *ids,
    const struct ssh_tunnel_publish *publish, size_t npublish)
{
	struct ssh_plan *p = calloc(1, sizeof(*p));
	size_t n = 0;

	while (ids != NULL && ids[n] != NULL)
		n++;
	if (p == NULL || (p->identities = calloc(n + 1, sizeof(char *))) == NULL)
		goto bad;
	if (npublish > 0 &&
	    (p->publish = calloc(npublish, sizeof(*publish))) == NULL)
		goto bad;
	if (!copy_text(&p->host, host) || !copy_text(&p->user, user) ||
	    !copy_text(&p->known_hosts, known_hosts) ||
	    !copy_text(&p->config, config) || !copy_text(&p->ciphers, ciphers))
		goto bad;
	for (size_t i = 0; i < n; i++)
		if (!copy_text(&p->identities[i], ids[i]))
			goto bad;
	for (size_t i = 0; i < npublish; i++) {
		char *bind = NULL;

		if (!copy_text(&bind, publish[i].bind))
			goto bad;
		p->publish[i] = publish[i];
		p->publish[i].bind = bind;
		p->npublish = i + 1;
	}
	return p;
bad:
	ssh_plan_free(p);
	return NULL;
}

struct ssh_plan *
ssh_plan_new(const struct ssh_tunnel_options *o)
{
	const struct transport_options direct = { .kind = TRANSPORT_TCP };
	struct ssh_plan *p = plan_from(o->host, o->user, o->known_hosts,
	    o->config, o->ciphers, o->identities, o->publish, o->npublish);
	char why[TRANSPORT_WHY_LEN];

	if (p == NULL)
		return NULL;
	if (o->transport != NULL) {
		p->transport = transport_ref(o->transport);
	} else if (transport_new(&p->transport, &direct, why) != SW_OK) {
		ssh_plan_free(p);
		return NULL;
	}
	p->port = o->port;
	p->keepalive_s = o->keepalive_s == 0 ? 15 : o->keepalive_s;
	p->no_agent = o->no_agent;
	p->no_exec = o->no_exec;
	p->patient = o->patient;
	return p;
}

struct ssh_plan *
ssh_plan_copy(const struct ssh_plan *o)
{
	struct ssh_plan *p = plan_from(o->host, o->user, o->known_hosts,
	    o->config, o->ciphers, (const char *const *)o->identities,
	    o->publish, o->npublish);

	if (p == NULL)
		return NULL;
	p->transport = transport_ref(o->transport);
	p->port = o->port;
	p->keepalive_s = o->keepalive_s;
	p->no_agent = o->no_agent;
	p->no_exec = o->no_exec;
	p->patient = o->patient;
	return p;
}

void
ssh_plan_free(struct ssh_plan *p)
{
	if (p == NULL)
		return;
	for (size_t i = 0; p->identities != NULL && p->identities[i] != NULL; i++)
		free(p->identities[i]);
	for (size_t i = 0; i < p->npublish; i++) {
		char *bind;

		memcpy(&bind, &p->publish[i].bind, sizeof(bind));
		free(bind);
	}
	free(p->identities);
	free(p->publish);
	free(p->host);
	free(p->user);
	free(p->known_hosts);
	free(p->config);
	free(p->ciphers);
	transport_unref(p->transport);
	free(p);
}
