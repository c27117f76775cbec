/*
 * DNS at the exit.  Queries to the exit's own inner addresses, port 53, go to
 * the name servers of this machine, over the transport they came by: nothing
 * is parsed here.
 */
#include <stdio.h>
#include <string.h>

#include "mix/iprexit.h"
#include "mix/smolnode_exit_private.h"

#define RESOLV_CONF "/etc/resolv.conf"
#define REREAD_MS 5000

static void
read_servers(struct exit_dns *d)
{
	FILE *f = fopen(RESOLV_CONF, "re");
	struct sw_addr was[EXIT_DNS_SERVERS], *a;
	char line[256], text[65];

	memcpy(was, d->server, sizeof(was));
	memset(d->server, 0, sizeof(d->server));
	d->n = 0;
	while (f != NULL && d->n < EXIT_DNS_SERVERS &&
	    fgets(line, sizeof(line), f) != NULL) {
		a = &d->server[d->n];
		if (sscanf(line, " nameserver %64[0-9a-fA-F.:]", text) == 1 &&
		    addr_parse_ip(a, text) == SW_OK) {
			a->port = EXIT_DNS_PORT;
			d->n++;
		}
	}
	if (f != NULL)
		fclose(f);
	if (memcmp(was, d->server, sizeof(was)) != 0)
		d->at = 0;
}

int
exit_find_server(struct smolnode_exit *x, struct sw_addr *dst, bool *dns)
{
	struct exit_dns *d = &x->dns;

	*dns = iprexit_is_own(dst);
	if (!*dns)
		return SW_OK;
	if (dst->port != EXIT_DNS_PORT)
		return SW_ERR_REFUSED;
	if (d->read_ms == 0 || x->loop->now_ms - d->read_ms > REREAD_MS) {
		d->read_ms = x->loop->now_ms;
		read_servers(d);
	}
	if (d->n == 0)
		return SW_ERR_REFUSED;
	*dst = d->server[d->at % d->n];
	return SW_OK;
}

void
exit_next_server(struct smolnode_exit *x)
{
	x->dns.at++;
}
