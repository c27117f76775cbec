#include "transport/serve_policy.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

static bool
get_port(const char **at, uint16_t *port)
{
	unsigned v = 0;
	const char *p = *at;

	for (; isdigit((unsigned char)*p) && v < 65536; p++)
		v = v * 10 + (unsigned)(*p - '0');
	if (p == *at || v > 65535)
		return false;
	*port = (uint16_t)v;
	*at = p;
	return true;
}

/* "", "443", "80-90", "*" */
static bool
parse_ports(const char *p, struct serve_rule *r)
{
	r->port_from = 0;
	r->port_to = 65535;
	if (*p == '\0' || strcmp(p, "*") == 0)
		return true;
	if (!get_port(&p, &r->port_from))
		return false;
	r->port_to = r->port_from;
	if (*p == '-') {
		p++;
		if (!get_port(&p, &r->port_to))
			return false;
	}
	return *p == '\0' && r->port_from <= r->port_to;
}

/* Where the target ends, and where its ports begin. */
static bool
split(const char *text, const char **target, size_t *len, const char **ports)
{
	const char *end;

	*target = text;
	*ports = "";
	if (*text == '[') {
		if ((end = strchr(text, ']')) == NULL ||
		    (end[1] != ':' && end[1] != '\0'))
			return false;
		*target = text + 1;
		*len = (size_t)(end - text - 1);
		if (end[1] == ':')
			*ports = end + 2;
		return end[1] == '\0' || end[2] != '\0';
	}
	end = strchr(text, ':');
	*len = strlen(text);
	if (end == NULL || strchr(end + 1, ':') != NULL)
		return true;		/* IPv6 has more than one */
	*len = (size_t)(end - text);
	*ports = end + 1;
	return **ports != '\0';
}

int
serve_policy_add(struct serve_policy *p, bool allow, const char *text)
{
	struct serve_rule r = { .allow = allow }, *more;
	const char *target, *ports;
	size_t len;

	if (p->n >= SERVE_RULES_MAX)
		return SW_ERR_LIMIT;
	if (!split(text, &target, &len, &ports) || len == 0 ||
	    !parse_ports(ports, &r))
		return SW_ERR_FORMAT;
	r.is_range = serve_range_parse(&r.range, target, len) == SW_OK;
	if (!r.is_range) {
		for (size_t i = 0; i < len; i++)
			if (!isalnum((unsigned char)target[i]) &&
			    strchr("-._*?", target[i]) == NULL)
				return SW_ERR_FORMAT;
		if ((r.pattern = strndup(target, len)) == NULL)
			return SW_ERR_NOMEM;
	}
	more = realloc(p->rule, (p->n + 1) * sizeof(r));
	if (more == NULL) {
		free(r.pattern);
		return SW_ERR_NOMEM;
	}
	p->rule = more;
	p->rule[p->n++] = r;
	return SW_OK;
}

void
serve_policy_wipe(struct serve_policy *p)
{
	for (size_t i = 0; i < p->n; i++)
		free(p->rule[i].pattern);
	free(p->rule);
	memset(p, 0, sizeof(*p));
}

static bool
range_matches(const struct serve_rule *r, const struct sw_addr *a, uint16_t port)
{
	return r->is_range && a != NULL && port >= r->port_from &&
	    port <= r->port_to && serve_range_has(&r->range, a);
}

static bool
name_matches(const struct serve_rule *r, const char *host, uint16_t port)
{
	size_t n = strlen(host);
	char bare[256];

	if (r->is_range || port < r->port_from || port > r->port_to)
		return false;
	/* "example.org." is example.org */
	if (n > 1 && n < sizeof(bare) && host[n - 1] == '.') {
		memcpy(bare, host, n - 1);
		bare[n - 1] = '\0';
		host = bare;
	}
	return serve_match_glob(host, r->pattern, strlen(r->pattern));
}

bool
serve_policy_allows(const struct serve_policy *p, const char *host,
    const struct sw_addr *addr, uint16_t port)
{
	bool decided = false, unlocked = p->private_too;

	for (size_t i = 0; i < p->n; i++) {
		const struct serve_rule *r = &p->rule[i];
		bool in_range = range_matches(r, addr, port);

		if (in_range && r->allow)
			unlocked = true;
		if (decided || (!in_range && !name_matches(r, host, port)))
			continue;
		if (!r->allow)
			return false;
		decided = true;
	}
	if (addr == NULL)
		return true;
	return !addr_is_multicast(addr) &&
	    (unlocked || !serve_match_inside(addr));
}
