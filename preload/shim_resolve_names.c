/*
 * Names and addresses: files of this machine first, then the session.
 */
#include "preload/shim_resolve.h"

#include <arpa/inet.h>
#include <netdb.h>
#include <string.h>

#include "preload/shim_dnsmsg.h"
#include "preload/shim_hosts.h"

static bool
ends_with_label(const char *name, const char *label)
{
	size_t n = strlen(name), m = strlen(label);

	if (n > 0 && name[n - 1] == '.')
		n--;
	if (n < m || (n > m && name[n - m - 1] != '.'))
		return false;
	for (size_t i = 0; i < m; i++) {
		char c = name[n - m + i];

		if ((c >= 'A' && c <= 'Z' ? c + ('a' - 'A') : c) != label[i])
			return false;
	}
	return true;
}

static bool
is_localhost(const char *name)
{
	return ends_with_label(name, "localhost") ||
	    hosts_same_name(name, "localhost.localdomain") ||
	    hosts_same_name(name, "ip6-localhost") ||
	    hosts_same_name(name, "ip6-loopback");
}

bool
names_special(const char *name)
{
	static const char *const never[] = { "onion", "i2p", "alt", "local",
	    "localhost", "localdomain" };

	for (size_t i = 0; i < sizeof(never) / sizeof(never[0]); i++)
		if (ends_with_label(name, never[i]))
			return true;
	return false;
}

/* Well-formed enough to be asked: labels of 1..63 printable ASCII bytes, 255
 * in all; a final dot is allowed. */
static bool
is_well_formed(const char *name)
{
	size_t label = 0, all = strlen(name);

	if (all > 0 && name[all - 1] == '.')
		all--;
	if (all == 0 || all > NAME_LEN_MAX - 2)
		return false;
	for (size_t i = 0; i < all; i++) {
		unsigned char c = (unsigned char)name[i];

		if (c <= ' ' || c >= 0x7f)
			return false;
		if (c != '.') {
			if (++label > 63)
				return false;
			continue;
		}
		if (label == 0)
			return false;
		label = 0;
	}
	return label > 0;
}

static bool
add_addr(struct names *out, const struct sw_addr *a)
{
	if (out->n == NAMES_ADDR_MAX)
		return false;
	out->addr[out->n++] = *a;
	return true;
}

static void
add_alias(struct names *out, const char *name)
{
	size_t used = 0, len = strlen(name) + 1;

	for (size_t i = 0; i < out->n_alias; i++)
		used += strlen(out->alias + used) + 1;
	if (len > sizeof(out->alias) - used)
		return;
	memcpy(out->alias + used, name, len);
	out->n_alias++;
}

static void
set_canon(struct names *out, const char *name)
{
	size_t n = strnlen(name, sizeof(out->canon) - 1);

	memcpy(out->canon, name, n);
	out->canon[n] = '\0';
}

static bool
wanted(const struct sw_addr *a, int family)
{
	return family == AF_UNSPEC || (family == AF_INET) == addr_is_v4(a);
}

static void
take_line(struct names *out, const struct hosts_line *line)
{
	const char *s = line->names;

	if (out->canon[0] == '\0')
		set_canon(out, s);
	else if (!hosts_same_name(out->canon, s))
		add_alias(out, s);
	for (size_t i = 1; i < line->n; i++) {
		s = hosts_name_after(s);
		add_alias(out, s);
	}
}

/* ::1 goes before 127.0.0.1, by RFC 6724, however the file has them. */
static void
prefer_v6_loopback(struct names *out)
{
	for (size_t i = 1; i < out->n; i++) {
		struct sw_addr a = out->addr[i];

		if (addr_is_v4(&a) || !addr_is_loopback(&a))
			continue;
		memmove(out->addr + 1, out->addr, i * sizeof(a));
		out->addr[0] = a;
	}
}

/*
 * SW_OK with n > 0, SW_ERR_NO_NAME when no line names it with this family, or
 * SW_ERR_NOMEM.
 */
static int
lookup_file(const char *path, const char *name, int family, struct names *out)
{
	struct hosts_line line;
	struct hosts h;
	int r;

	if ((r = hosts_open(&h, path)) != SW_OK)
		return r;
	while (hosts_next(&h, &line)) {
		if (!hosts_line_names(&line, name))
			continue;
		if (!wanted(&line.addr, family) || !add_addr(out, &line.addr))
			continue;
		take_line(out, &line);
	}
	hosts_close(&h);
	prefer_v6_loopback(out);
	return out->n > 0 ? SW_OK : SW_ERR_NO_NAME;
}

static void
lookup_loopback(const char *name, int family, struct names *out)
{
	struct sw_addr v4 = addr_v4(INADDR_LOOPBACK, 0);
	struct sw_addr v6 = { .ip = { [15] = 1 } };

	if (family != AF_INET)
		add_addr(out, &v6);
	if (family != AF_INET6)
		add_addr(out, &v4);
	set_canon(out, name);
}

static int
lookup_session(const struct names_source *src, const char *name, int family,
    struct names *out)
{
	char asked[NAME_LEN_MAX + 2];
	size_t n = NAMES_ADDR_MAX, len = strlen(name);
	int r;

	if (len > 0 && name[len - 1] == '.')
		len--;
	memcpy(asked, name, len);
	asked[len] = '\0';
	if ((r = src->resolve(asked, family, out->addr, &n)) != SW_OK)
		return r;
	for (size_t i = 0; i < n; i++)
		if (wanted(&out->addr[i], family))
			out->addr[out->n++] = out->addr[i];
	set_canon(out, asked);
	return SW_OK;
}

/* The end of the CNAME chain, if the tunnel's resolver knows one. */
static void
ask_canon(const struct names_source *src, struct names *out)
{
	uint8_t query[DNSMSG_QUERY_MAX], answer[4096];
	char end[NAME_LEN_MAX + 2];
	size_t qlen = sizeof(query), len = sizeof(answer);
	int type = out->n > 0 && !addr_is_v4(&out->addr[0]) ?
	    DNSMSG_AAAA : DNSMSG_A;

	if (dnsmsg_put_query(query, &qlen, 0, out->canon, DNSMSG_IN,
	    type) != SW_OK)
		return;
	if (src->dns(query, qlen, answer, &len) != SW_OK ||
	    len > sizeof(answer))
		return;
	if (dnsmsg_get_canon(answer, len, end, sizeof(end)) == SW_OK)
		set_canon(out, end);
}

int
names_lookup(const struct names_source *src, const char *name, int family,
    bool want_canon, struct names *out)
{
	int r;

	out->n = out->n_alias = 0;
	out->canon[0] = '\0';
	out->asked = false;
	if (!is_well_formed(name))
		return SW_ERR_NO_NAME;
	r = lookup_file(src->hosts_file, name, family, out);
	if (r != SW_ERR_NO_NAME)
		return r;
	if (is_localhost(name) || (src->own_name[0] != '\0' &&
	    hosts_same_name(name, src->own_name))) {
		lookup_loopback(name, family, out);
		return SW_OK;
	}
	if (names_special(name) ||
	    (!src->single_labels && strchr(name, '.') == NULL))
		return SW_ERR_NO_NAME;
	out->asked = true;
	if ((r = lookup_session(src, name, family, out)) != SW_OK)
		return r;
	if (want_canon && out->n > 0)
		ask_canon(src, out);
	return SW_OK;
}

static int
reverse_file(const char *path, const struct sw_addr *a, struct names *out)
{
	struct hosts_line line;
	struct hosts h;
	int r;

	if ((r = hosts_open(&h, path)) != SW_OK)
		return r;
	r = SW_ERR_NO_NAME;
	while (r != SW_OK && hosts_next(&h, &line)) {
		if (!addr_same_ip(&line.addr, a))
			continue;
		take_line(out, &line);
		r = SW_OK;
	}
	hosts_close(&h);
	return r;
}

static bool
is_link_local(const struct sw_addr *a)
{
	if (addr_is_v4(a))
		return a->ip[12] == 169 && a->ip[13] == 254;
	return a->ip[0] == 0xfe && (a->ip[1] & 0xc0) == 0x80;
}

int
names_reverse(const struct names_source *src, const struct sw_addr *a,
    struct names *out)
{
	int r;

	out->n = 1;
	out->addr[0] = *a;
	out->n_alias = 0;
	out->canon[0] = '\0';
	r = reverse_file(src->hosts_file, a, out);
	if (r != SW_ERR_NO_NAME)
		return r;
	if (addr_is_loopback(a)) {
		set_canon(out, "localhost");
		return SW_OK;
	}
	/* Private ranges are not judged here: the session's synthetic
	 * addresses lie in one, and it answers the rest itself. */
	if (addr_is_any(a) || addr_is_multicast(a) || is_link_local(a))
		return SW_ERR_NO_NAME;
	if ((r = src->reverse(a, out->canon)) != SW_OK)
		return r;
	return is_well_formed(out->canon) ? SW_OK : SW_ERR_NO_NAME;
}

int
names_eai(int code)
{
	switch (code) {
	case SW_OK:
		return 0;
	case SW_ERR_NO_NAME:
		return EAI_NONAME;
	case SW_ERR_NOMEM:
		return EAI_MEMORY;
	case SW_ERR_FORMAT:
	case SW_ERR_TRUNCATED:
		return EAI_FAIL;
	default:
		return EAI_AGAIN;
	}
}

int
names_h_errno(int code)
{
	switch (code) {
	case SW_OK:
		return NETDB_SUCCESS;
	case SW_ERR_NO_NAME:
		return HOST_NOT_FOUND;
	case SW_ERR_NOMEM:
		return NETDB_INTERNAL;
	case SW_ERR_FORMAT:
	case SW_ERR_TRUNCATED:
		return NO_RECOVERY;
	default:
		return TRY_AGAIN;
	}
}
