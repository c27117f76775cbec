/*
 * Names that stay here.
 */
#include <string.h>

#include "transport/hosts.h"
#include "transport/names_private.h"

bool
name_ends_in(const char *name, const char *zone)
{
	size_t n = strlen(name), z = strlen(zone);

	return n >= z && strcmp(name + n - z, zone) == 0 &&
	    (n == z || name[n - z - 1] == '.');
}

/* RFC 6761, 6762, 7686, 9476; and the name by which browsers ask whether they
 * may use their own DNS over HTTPS: they may not, it would pass us by. */
bool
local_is_refused(const struct names_service *s, const char *name)
{
	static const char *const zones[] = {
		"onion", "i2p", "alt", "local", "invalid",
		"use-application-dns.net",
	};

	for (size_t i = 0; i < sizeof(zones) / sizeof(zones[0]); i++)
		if (name_ends_in(name, zones[i]))
			return true;
	return !s->o.single_labels && strchr(name, '.') == NULL;
}

bool
local_answer(const struct names_service *s, const char *name,
    struct sw_addr out[static NAMES_ADDRS_MAX], size_t *n, int *err)
{
	*err = SW_OK;
	*n = 0;
	if (name_ends_in(name, "localhost") ||
	    strcmp(name, "ip6-localhost") == 0 ||
	    strcmp(name, "ip6-loopback") == 0) {
		if (!s->o.no_v6) {
			memset(&out[*n], 0, sizeof(out[0]));
			out[(*n)++].ip[15] = 1;
		}
		if (name[0] != 'i')
			out[(*n)++] = addr_v4(0x7f000001, 0);
		return true;
	}
	*n = hosts_find(s->hosts, name, out, NAMES_ADDRS_MAX);
	if (*n > 0)
		return true;
	if (strcmp(name, s->hostname) == 0) {
		out[(*n)++] = addr_v4(0x7f000001, 0);
		return true;
	}
	if (local_is_refused(s, name)) {
		*err = SW_ERR_NO_NAME;
		return true;
	}
	return false;
}

bool
local_reverse(const struct names_service *s, const struct sw_addr *a,
    const char **name)
{
	*name = NULL;
	if (names_is_virtual(a) && s->o.map != NULL)
		*name = names_find(s->o.map, a);
	else if (addr_is_loopback(a))
		*name = "localhost";
	else
		return names_is_virtual(a) || addr_is_private(a) ||
		    addr_is_any(a) || addr_is_multicast(a);
	return true;
}
