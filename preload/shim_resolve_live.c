/*
 * The live source of names: this machine's files and the session; and the
 * two calls that need nothing else.
 */
#include "preload/shim_resolve.h"

#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <nss.h>
#include <string.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "preload/shim.h"
#include "preload/shim_hosts.h"
#include "preload/shim_resolve_addrinfo.h"
#include "preload/shim_resolve_kept.h"

#define ANSWER_WAIT_MS 60000	/* the session gives up long before */

static int
ask(struct session_msg *m, const void *payload, size_t len,
    struct session_reply *rep, void *buf, size_t cap)
{
	int r;

	r = shim_session_request(m, payload, len, NULL, 0, rep, buf, cap,
	    NULL, ANSWER_WAIT_MS);
	if (r == -ETIMEDOUT)
		return SW_ERR_TIMEOUT;
	if (r < 0)
		return SW_ERR_DOWN;
	if (rep->error > 0)		/* not a code of ours */
		return SW_ERR_FORMAT;
	return rep->error;
}

static int
live_resolve(const char *name, int family, struct sw_addr *addr, size_t *n)
{
	struct session_msg m = { .op = SESSION_RESOLVE,
	    .arg = (uint32_t)family };
	struct session_reply rep = { 0 };
	size_t room = *n;
	int r;

	if (kept_find(name, family, addr, n))
		return SW_OK;
	*n = 0;
	r = ask(&m, name, strlen(name), &rep, addr, room * sizeof(*addr));
	if (r != SW_OK)
		return r;
	*n = rep.len / sizeof(*addr);
	if (*n > room)
		*n = room;
	for (size_t i = 0; i < *n; i++)
		addr[i].port = 0;
	kept_put(name, family, addr, *n);
	return SW_OK;
}

static int
live_reverse(const struct sw_addr *a, char *name)
{
	struct session_msg m = { .op = SESSION_REVERSE, .addr = *a };
	struct session_reply rep = { 0 };
	int r;

	m.addr.port = 0;
	r = ask(&m, NULL, 0, &rep, name, NAME_LEN_MAX + 1);
	if (r != SW_OK)
		return r;
	if (rep.len == 0)
		return SW_ERR_NO_NAME;
	if (rep.len > NAME_LEN_MAX)
		return SW_ERR_FORMAT;
	name[rep.len] = '\0';
	return SW_OK;
}

static int
live_dns(const uint8_t *query, size_t query_len, uint8_t *answer, size_t *len)
{
	struct session_msg m = { .op = SESSION_DNS };
	struct session_reply rep = { 0 };
	size_t room = *len;
	int r;

	*len = 0;
	r = ask(&m, query, query_len, &rep, answer, room);
	if (r != SW_OK)
		return r;
	*len = rep.len;
	return SW_OK;
}

void
names_source_live(struct names_source *src)
{
	static struct utsname self;

	/* The same bytes each time, so that threads may race here. */
	if (uname(&self) != 0 || strcmp(self.nodename, "(none)") == 0)
		self.nodename[0] = '\0';
	*src = (struct names_source){
		.hosts_file = HOSTS_FILE,
		.own_name = self.nodename,
		.single_labels = shim_config()->single_labels,
		.resolve = live_resolve,
		.reverse = live_reverse,
		.dns = live_dns,
	};
}

/*
 * libc's own resolver stays reachable through a libc handle (dlsym), where no
 * wrapper sees it, and there it asks nscd, which would ask the network for us.
 * A set "hosts" line makes libc pass nscd by.  That costs 60 microseconds, so
 * only where a nscd listens; elsewhere starting costs one access(2).
 */
__attribute__((constructor)) static void
pass_nscd_by(void)
{
	/* Where libc looks for it.  Not const: writable data is on a page that
	 * the loader has touched, constants are on one that nobody may need. */
	static char socket_path[] = "/var/run/nscd/socket";
	int saved = errno;

	if (sys_call6(SYS_faccessat, AT_FDCWD, (long)socket_path, F_OK, 0, 0,
	    0) == 0)
		(void)__nss_configure_lookup("hosts", "files");
	errno = saved;
}

SW_EXPORT int
getaddrinfo(const char *node, const char *service,
    const struct addrinfo *hints, struct addrinfo **res)
{
	struct names_source src;
	int saved = errno, r;

	names_source_live(&src);
	r = addrinfo_get(&src, shim_config()->ipv6, node, service, hints, res);
	errno = saved;
	return r;
}

SW_EXPORT void
freeaddrinfo(struct addrinfo *ai)
{
	addrinfo_free(ai);
}
