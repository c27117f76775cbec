/*
 * Walking the files: gethostent(3), getnetent(3) and kin, and the netgroup
 * calls.  Only files are read; a netgroup, which lives on the network by
 * nature, has no member.
 */
#include <arpa/inet.h>
#include <fcntl.h>
#include <netdb.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "preload/shim_image.h"
#include "preload/shim_hosts.h"
#include "preload/shim_resolve.h"
#include "preload/shim_resolve_host.h"

#define NETWORKS_FILE "/etc/networks"

struct net_line {
	const char *name, *alias;
	size_t n_alias;
	uint32_t net;
};

/* The position of each walk; one for the process, as libc has it.  A line
 * that did not fit into a caller's buffer is kept for the next call. */
static struct {
	uint32_t lock;
	bool open, kept;
	struct hosts file;
	struct hosts_line line;
	struct net_line net;
} host_walk, net_walk;

static void
rewind_hosts(bool reopen)
{
	struct shim_guard g;
	int saved = errno;

	shim_lock(&g, &host_walk.lock);
	hosts_close(&host_walk.file);
	host_walk.kept = false;
	host_walk.open = reopen &&
	    hosts_open(&host_walk.file, HOSTS_FILE) == SW_OK;
	shim_unlock(&g, &host_walk.lock);
	errno = saved;
}

SW_EXPORT void
sethostent(int stay_open)
{
	(void)stay_open;
	rewind_hosts(true);
}

SW_EXPORT void
endhostent(void)
{
	rewind_hosts(false);
}

/* The walk is older than IPv6: it shows IPv4, and ::1 as 127.0.0.1. */
static bool
as_v4(struct sw_addr *a)
{
	if (!addr_is_v4(a) && addr_is_loopback(a))
		*a = addr_v4(INADDR_LOOPBACK, 0);
	return addr_is_v4(a);
}

static bool
next_host(struct names *found)
{
	const struct hosts_line *line = &host_walk.line;
	const char *s;
	size_t used = 0;

	if (!host_walk.open)
		host_walk.open = hosts_open(&host_walk.file,
		    HOSTS_FILE) == SW_OK;
	while (!host_walk.kept) {
		if (!hosts_next(&host_walk.file, &host_walk.line))
			return false;
		host_walk.kept = as_v4(&host_walk.line.addr) &&
		    strlen(line->names) < sizeof(found->canon);
	}
	found->n = 1;
	found->addr[0] = line->addr;
	found->n_alias = 0;
	memcpy(found->canon, line->names, strlen(line->names) + 1);
	s = line->names;
	for (size_t i = 1; i < line->n; i++) {
		size_t n;

		s = hosts_name_after(s);
		n = strlen(s) + 1;
		if (n > sizeof(found->alias) - used)
			break;
		memcpy(found->alias + used, s, n);
		used += n;
		found->n_alias++;
	}
	return true;
}

SW_EXPORT int
gethostent_r(struct hostent *out, char *buf, size_t len,
    struct hostent **result, int *h_err)
{
	struct shim_guard g;
	struct names found;
	int saved = errno, r = 0;

	*result = NULL;
	shim_lock(&g, &host_walk.lock);
	if (!next_host(&found)) {
		*h_err = HOST_NOT_FOUND;
		r = ENOENT;
	} else if (!host_pack(out, &found, AF_INET, buf, len)) {
		*h_err = NETDB_INTERNAL;
		r = ERANGE;
	} else {
		host_walk.kept = false;
		*h_err = NETDB_SUCCESS;
		*result = out;
	}
	shim_unlock(&g, &host_walk.lock);
	errno = r == 0 ? saved : r;
	return r;
}

SW_EXPORT struct hostent *
gethostent(void)
{
	static struct hostent he;
	static char buf[HOST_BUF];
	struct hostent *result;
	int h_err;

	if (gethostent_r(&he, buf, sizeof(buf), &result, &h_err) != 0)
		h_errno = h_err;
	return result;
}

/* ---- networks(5): name, number, aliases ---------------------------------- */

/* "127" means 127.0.0.0: fewer than four parts are filled up at the end. */
static bool
network_number(const char *text, uint32_t *net)
{
	uint32_t v = 0;
	int parts = 0;

	for (;;) {
		char *end;
		unsigned long part = strtoul(text, &end, 10);

		if (end == text || part > 255 || parts == 4)
			return false;
		v |= (uint32_t)part << (24 - 8 * parts++);
		if (*end == '\0')
			break;
		if (*end != '.')
			return false;
		text = end + 1;
	}
	*net = v;
	return true;
}

static bool
next_net(struct hosts *file, struct net_line *l)
{
	const char *words;
	size_t n;

	while (hosts_next_words(file, &words, &n)) {
		l->name = words;
		if (n < 2 || !network_number(hosts_name_after(words), &l->net))
			continue;
		l->alias = hosts_name_after(hosts_name_after(words));
		l->n_alias = n - 2;
		return true;
	}
	return false;
}

/* By way of struct hostent, whose packing is the same. */
static bool
net_pack(struct netent *out, const struct net_line *l, char *buf, size_t len)
{
	struct names names = { .n = 0 };
	const char *s = l->alias;
	struct hostent he;
	size_t used = 0;

	used = strnlen(l->name, sizeof(names.canon) - 1);
	memcpy(names.canon, l->name, used);
	used = 0;
	for (size_t i = 0; i < l->n_alias; i++, s = hosts_name_after(s)) {
		size_t n = strlen(s) + 1;

		if (n > sizeof(names.alias) - used)
			break;
		memcpy(names.alias + used, s, n);
		used += n;
		names.n_alias++;
	}
	if (!host_pack(&he, &names, AF_INET, buf, len))
		return false;
	*out = (struct netent){ .n_name = he.h_name,
	    .n_aliases = he.h_aliases, .n_addrtype = AF_INET,
	    .n_net = l->net };
	return true;
}

static bool
net_line_names(const struct net_line *l, const char *name)
{
	const char *s = l->alias;

	if (hosts_same_name(l->name, name))
		return true;
	for (size_t i = 0; i < l->n_alias; i++, s = hosts_name_after(s))
		if (hosts_same_name(s, name))
			return true;
	return false;
}

/* The first network with this name, or when `name` is NULL this number. */
static int
find_net(const char *name, uint32_t number, struct netent *out, char *buf,
    size_t len, struct netent **result, int *h_err)
{
	struct hosts file;
	struct net_line l;
	int saved = errno, r = 0;

	*result = NULL;
	*h_err = HOST_NOT_FOUND;
	if (hosts_open(&file, NETWORKS_FILE) != SW_OK) {
		*h_err = NETDB_INTERNAL;
		return ENOMEM;
	}
	while (*result == NULL && r == 0 && next_net(&file, &l)) {
		if (name != NULL ? !net_line_names(&l, name) : l.net != number)
			continue;
		if (net_pack(out, &l, buf, len)) {
			*h_err = NETDB_SUCCESS;
			*result = out;
		} else {
			*h_err = NETDB_INTERNAL;
			r = ERANGE;
		}
	}
	hosts_close(&file);
	errno = r == 0 ? saved : r;
	return r;
}

SW_EXPORT int
getnetbyname_r(const char *name, struct netent *out, char *buf, size_t len,
    struct netent **result, int *h_err)
{
	return find_net(name, 0, out, buf, len, result, h_err);
}

SW_EXPORT int
getnetbyaddr_r(uint32_t net, int type, struct netent *out, char *buf,
    size_t len, struct netent **result, int *h_err)
{
	*result = NULL;
	*h_err = HOST_NOT_FOUND;
	if (type != AF_INET && type != AF_UNSPEC)
		return 0;
	return find_net(NULL, net, out, buf, len, result, h_err);
}

SW_EXPORT struct netent *
getnetbyname(const char *name)
{
	static struct netent ne;
	static char buf[HOST_BUF];
	struct netent *result;
	int h_err;

	getnetbyname_r(name, &ne, buf, sizeof(buf), &result, &h_err);
	if (result == NULL)
		h_errno = h_err;
	return result;
}

SW_EXPORT struct netent *
getnetbyaddr(uint32_t net, int type)
{
	static struct netent ne;
	static char buf[HOST_BUF];
	struct netent *result;
	int h_err;

	getnetbyaddr_r(net, type, &ne, buf, sizeof(buf), &result, &h_err);
	if (result == NULL)
		h_errno = h_err;
	return result;
}

static void
rewind_nets(bool reopen)
{
	struct shim_guard g;
	int saved = errno;

	shim_lock(&g, &net_walk.lock);
	hosts_close(&net_walk.file);
	net_walk.kept = false;
	net_walk.open = reopen &&
	    hosts_open(&net_walk.file, NETWORKS_FILE) == SW_OK;
	shim_unlock(&g, &net_walk.lock);
	errno = saved;
}

SW_EXPORT void
setnetent(int stay_open)
{
	(void)stay_open;
	rewind_nets(true);
}

SW_EXPORT void
endnetent(void)
{
	rewind_nets(false);
}

SW_EXPORT int
getnetent_r(struct netent *out, char *buf, size_t len, struct netent **result,
    int *h_err)
{
	struct shim_guard g;
	int saved = errno, r = 0;

	*result = NULL;
	*h_err = NETDB_SUCCESS;
	shim_lock(&g, &net_walk.lock);
	if (!net_walk.open)
		net_walk.open = hosts_open(&net_walk.file,
		    NETWORKS_FILE) == SW_OK;
	if (!net_walk.kept)
		net_walk.kept = next_net(&net_walk.file, &net_walk.net);
	if (!net_walk.kept) {
		*h_err = HOST_NOT_FOUND;
		r = ENOENT;
	} else if (net_pack(out, &net_walk.net, buf, len)) {
		net_walk.kept = false;
		*result = out;
	} else {
		*h_err = NETDB_INTERNAL;
		r = ERANGE;
	}
	shim_unlock(&g, &net_walk.lock);
	errno = r == 0 ? saved : r;
	return r;
}

SW_EXPORT struct netent *
getnetent(void)
{
	static struct netent ne;
	static char buf[HOST_BUF];
	struct netent *result;
	int h_err;

	if (getnetent_r(&ne, buf, sizeof(buf), &result, &h_err) != 0)
		h_errno = h_err;
	return result;
}

/* ---- netgroups ----------------------------------------------------------- */

SW_EXPORT int
setnetgrent(const char *group)
{
	(void)group;
	return 0;
}

SW_EXPORT void
endnetgrent(void)
{
}

SW_EXPORT int
getnetgrent(char **host, char **user, char **domain)
{
	(void)host;
	(void)user;
	(void)domain;
	return 0;
}

SW_EXPORT int
getnetgrent_r(char **host, char **user, char **domain, char *buf, size_t len)
{
	(void)buf;
	(void)len;
	return getnetgrent(host, user, domain);
}

SW_EXPORT int
innetgr(const char *group, const char *host, const char *user,
    const char *domain)
{
	(void)group;
	(void)host;
	(void)user;
	(void)domain;
	return 0;
}

/* ---- gethostid(3), which asks for our own name's address ----------------- */

SW_EXPORT long
gethostid(void)
{
	struct names_source src;
	struct names found;
	int32_t id = 0;
	uint32_t v4;
	int saved = errno;
	long fd;

	fd = sys_call6(SYS_openat, AT_FDCWD, (long)"/etc/hostid",
	    O_RDONLY | O_CLOEXEC, 0, 0, 0);
	if (fd >= 0) {
		ssize_t n = sys_read((int)fd, &id, sizeof(id));

		sys_close((int)fd);
		if (n == (ssize_t)sizeof(id))
			return id;
	}
	names_source_live(&src);
	if (names_lookup(&src, src.own_name, AF_INET, false, &found) == SW_OK &&
	    found.n > 0) {
		memcpy(&v4, found.addr[0].ip + 12, sizeof(v4));
		id = (int32_t)(v4 << 16 | v4 >> 16);
	}
	errno = saved;
	return id;
}
