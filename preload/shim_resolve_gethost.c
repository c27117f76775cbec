/*
 * gethostbyname(3) and its kin.
 *
 * The _r forms answer 0 also for a name that does not exist; only *result and
 * the h_errno tell.  ERANGE asks for a larger buffer, EAGAIN comes with
 * TRY_AGAIN.
 */
#include <arpa/inet.h>
#include <netdb.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "preload/shim.h"
#include "preload/shim_resolve.h"
#include "preload/shim_resolve_host.h"

static int
answer(int code, const struct names *found, int family, struct hostent *out,
    char *buf, size_t len, struct hostent **result, int *h_err)
{
	*result = NULL;
	*h_err = names_h_errno(code);
	if (code == SW_OK && found->n == 0)
		*h_err = NO_DATA;
	if (*h_err == TRY_AGAIN)
		return EAGAIN;
	if (code == SW_ERR_NOMEM)
		return ENOMEM;
	if (*h_err != NETDB_SUCCESS)
		return 0;
	if (!host_pack(out, found, family, buf, len)) {
		*h_err = NETDB_INTERNAL;
		errno = ERANGE;
		return ERANGE;
	}
	*result = out;
	return 0;
}

SW_EXPORT int
gethostbyname2_r(const char *name, int family, struct hostent *out, char *buf,
    size_t len, struct hostent **result, int *h_err)
{
	struct names_source src;
	struct names found;
	int saved = errno, r;

	*result = NULL;
	if (family != AF_INET && family != AF_INET6) {
		*h_err = NETDB_INTERNAL;
		errno = EAFNOSUPPORT;
		return EAFNOSUPPORT;
	}
	names_source_live(&src);
	r = host_lookup(&src, name, family, &found);
	errno = saved;
	return answer(r, &found, family, out, buf, len, result, h_err);
}

SW_EXPORT int
gethostbyname_r(const char *name, struct hostent *out, char *buf, size_t len,
    struct hostent **result, int *h_err)
{
	return gethostbyname2_r(name, AF_INET, out, buf, len, result, h_err);
}

SW_EXPORT int
gethostbyaddr_r(const void *addr, socklen_t addr_len, int family,
    struct hostent *out, char *buf, size_t len, struct hostent **result,
    int *h_err)
{
	struct names_source src;
	struct names found;
	struct sw_addr a = { 0 };
	uint32_t v4;
	int saved = errno, r;

	*result = NULL;
	if ((family != AF_INET || addr_len != 4) &&
	    (family != AF_INET6 || addr_len != 16)) {
		*h_err = NETDB_INTERNAL;
		errno = EAFNOSUPPORT;
		return EAFNOSUPPORT;
	}
	if (family == AF_INET) {
		memcpy(&v4, addr, 4);
		a = addr_v4(ntohl(v4), 0);
	} else
		memcpy(a.ip, addr, 16);
	if (family == AF_INET6 && addr_is_any(&a)) {
		*h_err = HOST_NOT_FOUND;
		return ENOENT;
	}
	names_source_live(&src);
	r = names_reverse(&src, &a, &found);
	errno = saved;
	return answer(r, &found, family, out, buf, len, result, h_err);
}

/* The forms that answer in memory of their own: each has one buffer, which
 * the next call overwrites, as POSIX says. */

static struct hostent *
static_answer(struct hostent *result, int h_err)
{
	if (result == NULL)
		h_errno = h_err;
	return result;
}

SW_EXPORT struct hostent *
gethostbyname2(const char *name, int family)
{
	static struct hostent he;
	static char buf[HOST_BUF];
	struct hostent *result;
	int h_err;

	gethostbyname2_r(name, family, &he, buf, sizeof(buf), &result, &h_err);
	return static_answer(result, h_err);
}

SW_EXPORT struct hostent *
gethostbyname(const char *name)
{
	static struct hostent he;
	static char buf[HOST_BUF];
	struct hostent *result;
	int h_err;

	gethostbyname_r(name, &he, buf, sizeof(buf), &result, &h_err);
	return static_answer(result, h_err);
}

SW_EXPORT struct hostent *
gethostbyaddr(const void *addr, socklen_t len, int family)
{
	static struct hostent he;
	static char buf[HOST_BUF];
	struct hostent *result;
	int h_err;

	gethostbyaddr_r(addr, len, family, &he, buf, sizeof(buf), &result,
	    &h_err);
	return static_answer(result, h_err);
}
