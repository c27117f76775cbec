#include "preload/shim_resolve_host.h"

#include <arpa/inet.h>
#include <netdb.h>
#include <stdint.h>
#include <string.h>

#include "preload/shim_hosts.h"
#include "preload/shim_resolve_addrinfo.h"

/* A piece of a caller's buffer. */
struct room {
	char *at;
	size_t left;
};

static void *
take(struct room *r, size_t n, size_t align)
{
	size_t skip = (align - (uintptr_t)r->at % align) % align;
	void *p = r->at + skip;

	if (r->left < skip || r->left - skip < n)
		return NULL;
	r->at += skip + n;
	r->left -= skip + n;
	return p;
}

static char *
take_string(struct room *r, const char *s)
{
	size_t n = strlen(s) + 1;
	char *p = take(r, n, 1);

	return p != NULL ? memcpy(p, s, n) : NULL;
}

bool
host_pack(struct hostent *out, const struct names *from, int family,
    char *buf, size_t len)
{
	struct room r = { .at = buf, .left = len };
	size_t addr_len = family == AF_INET6 ? 16 : 4;
	const char *alias = from->alias;

	*out = (struct hostent){ .h_addrtype = family,
	    .h_length = (int)addr_len };
	out->h_aliases = take(&r, (from->n_alias + 1) * sizeof(char *),
	    sizeof(char *));
	out->h_addr_list = take(&r, (from->n + 1) * sizeof(char *),
	    sizeof(char *));
	if (out->h_aliases == NULL || out->h_addr_list == NULL)
		return false;
	for (size_t i = 0; i < from->n; i++) {
		char *p = take(&r, addr_len, 4);

		if (p == NULL)
			return false;
		memcpy(p, from->addr[i].ip + (16 - addr_len), addr_len);
		out->h_addr_list[i] = p;
	}
	out->h_addr_list[from->n] = NULL;
	for (size_t i = 0; i < from->n_alias; i++) {
		out->h_aliases[i] = take_string(&r, alias);
		if (out->h_aliases[i] == NULL)
			return false;
		alias = hosts_name_after(alias);
	}
	out->h_aliases[from->n_alias] = NULL;
	return (out->h_name = take_string(&r, from->canon)) != NULL;
}

/* SW_OK when `name` was a number, SW_ERR_NO_NAME when it only looks like one
 * or is of the other family, SW_ERR_FORMAT when it is a name. */
static int
numeric(const char *name, int family, struct names *out)
{
	bool dotted = name[0] >= '0' && name[0] <= '9' &&
	    name[strspn(name, "0123456789.")] == '\0' &&
	    name[strlen(name) - 1] != '.';
	struct in_addr v4;

	if (!dotted && strchr(name, ':') == NULL)
		return SW_ERR_FORMAT;
	if (strlen(name) >= sizeof(out->canon))
		return SW_ERR_NO_NAME;
	out->addr[0] = (struct sw_addr){ 0 };
	if (family == AF_INET) {
		if (!dotted || !addrinfo_aton(name, &v4))
			return SW_ERR_NO_NAME;
		out->addr[0] = addr_v4(ntohl(v4.s_addr), 0);
	} else if (inet_pton(AF_INET6, name, out->addr[0].ip) != 1)
		return SW_ERR_NO_NAME;
	out->n = 1;
	out->n_alias = 0;
	memcpy(out->canon, name, strlen(name) + 1);
	return SW_OK;
}

int
host_lookup(const struct names_source *src, const char *name, int family,
    struct names *out)
{
	size_t n = strlen(name) + 1;
	int r;

	if (*name == '\0')
		return SW_ERR_FORMAT;
	if ((r = numeric(name, family, out)) != SW_ERR_FORMAT)
		return r;
	if ((r = names_lookup(src, name, family, true, out)) != SW_OK)
		return r;
	/* What was asked for is an alias of what it stands for. */
	if (out->n > 0 && out->n_alias == 0 && n <= sizeof(out->alias) &&
	    !hosts_same_name(out->canon, name)) {
		memcpy(out->alias, name, n);
		out->n_alias = 1;
	}
	return SW_OK;
}
