/*
 * The DNS calls: res_query(3), res_search(3), res_send(3) and their forms.
 *
 * A DNS message goes to the session as it is and its answer comes back as it
 * is; the nameservers of resolv.conf are never spoken to.  Making and reading
 * messages (res_mkquery, ns_*, dn_*) and res_init stay libc's.
 *
 * Each name is also defined with "__res_": older libc exports those, and an
 * unversioned definition satisfies every version.
 */
#include <errno.h>
#include <netdb.h>
#include <resolv.h>
#include <stdlib.h>
#include <string.h>

#include "preload/shim.h"
#include "preload/shim_dnsmsg.h"
#include "preload/shim_resolve.h"

#undef res_nquery
#undef res_nquerydomain
#undef res_nsearch
#undef res_nsend
#undef res_query
#undef res_querydomain
#undef res_search
#undef res_send

#define NAME_TEXT_MAX 1025	/* of any DNS name, escapes included */

static void
set_h_errno(res_state statp, int value)
{
	statp->res_h_errno = value;
	h_errno = value;
}

/* "No such name", said by ourselves about a question that must stay here. */
static int
refuse(const unsigned char *query, int len, unsigned char *answer, int room)
{
	int n = len < room ? len : room;

	memcpy(answer, query, (size_t)n);
	if (n > 2)
		answer[2] |= 0x80;			/* a response */
	if (n > 3)
		answer[3] = 0x80 | DNSMSG_NXDOMAIN;	/* recursion is there */
	return len;
}

static int
send_query(const unsigned char *query, int len, unsigned char *answer,
    int room)
{
	struct names_source src;
	char name[NAME_TEXT_MAX];
	size_t n;
	int r;

	if (len < DNSMSG_HEADER_LEN || room < DNSMSG_HEADER_LEN) {
		errno = EINVAL;
		return -1;
	}
	if (dnsmsg_get_question(query, (size_t)len, name,
	    sizeof(name)) == SW_OK && names_special(name))
		return refuse(query, len, answer, room);
	names_source_live(&src);
	n = (size_t)room;
	r = src.dns(query, (size_t)len, answer, &n);
	if (r != SW_OK || n < DNSMSG_HEADER_LEN) {
		errno = r == SW_ERR_TIMEOUT ? ETIMEDOUT : ECONNREFUSED;
		return -1;
	}
	return (int)n;
}

SW_EXPORT int
res_nsend(res_state statp, const unsigned char *query, int len,
    unsigned char *answer, int room)
{
	int saved = errno, n = send_query(query, len, answer, room);

	(void)statp;
	if (n >= 0)
		errno = saved;
	return n;
}

static uint16_t
random_id(void)
{
	uint16_t id = 0;

	sys_call3(SYS_getrandom, (long)&id, sizeof(id), 0);
	return id;
}

/* What an answer means to the callers that want a record. */
static int
judge(const unsigned char *answer, size_t len)
{
	unsigned answers;
	int rcode;

	if (dnsmsg_get_result(answer, len, &rcode, &answers) != SW_OK)
		return NO_RECOVERY;
	switch (rcode) {
	case DNSMSG_NOERROR:
		return answers > 0 ? NETDB_SUCCESS : NO_DATA;
	case DNSMSG_NXDOMAIN:
		return HOST_NOT_FOUND;
	case DNSMSG_SERVFAIL:
		return TRY_AGAIN;
	default:
		return NO_RECOVERY;
	}
}

SW_EXPORT int
res_nquery(res_state statp, const char *name, int class, int type,
    unsigned char *answer, int room)
{
	uint8_t query[DNSMSG_QUERY_MAX];
	size_t len = sizeof(query);
	int n, verdict;

	if (class < 0 || class > UINT16_MAX || type < 0 || type > UINT16_MAX ||
	    dnsmsg_put_query(query, &len, random_id(), name, class,
	    type) != SW_OK) {
		set_h_errno(statp, NO_RECOVERY);
		return -1;
	}
	n = res_nsend(statp, query, (int)len, answer, room);
	if (n < 0) {
		set_h_errno(statp, TRY_AGAIN);
		return -1;
	}
	verdict = judge(answer, (size_t)(n < room ? n : room));
	set_h_errno(statp, verdict);
	return verdict == NETDB_SUCCESS ? n : -1;
}

SW_EXPORT int
res_nquerydomain(res_state statp, const char *name, const char *domain,
    int class, int type, unsigned char *answer, int room)
{
	char whole[NAME_TEXT_MAX];
	size_t n = strlen(name), m = domain != NULL ? strlen(domain) + 1 : 0;

	if (domain == NULL && n > 1 && name[n - 1] == '.')
		n--;
	if (n + m >= sizeof(whole)) {
		set_h_errno(statp, NO_RECOVERY);
		return -1;
	}
	memcpy(whole, name, n);
	if (domain != NULL) {
		whole[n] = '.';
		memcpy(whole + n + 1, domain, m - 1);
	}
	whole[n + m] = '\0';
	return res_nquery(statp, whole, class, type, answer, room);
}

/* The search list is not applied here: it belongs to this machine. */
SW_EXPORT int
res_nsearch(res_state statp, const char *name, int class, int type,
    unsigned char *answer, int room)
{
	if (strchr(name, '.') == NULL && !shim_config()->single_labels) {
		set_h_errno(statp, HOST_NOT_FOUND);
		return -1;
	}
	return res_nquerydomain(statp, name, NULL, class, type, answer, room);
}

SW_EXPORT int
res_send(const unsigned char *query, int len, unsigned char *answer, int room)
{
	return res_nsend(&_res, query, len, answer, room);
}

SW_EXPORT int
res_query(const char *name, int class, int type, unsigned char *answer,
    int room)
{
	return res_nquery(&_res, name, class, type, answer, room);
}

SW_EXPORT int
res_querydomain(const char *name, const char *domain, int class, int type,
    unsigned char *answer, int room)
{
	return res_nquerydomain(&_res, name, domain, class, type, answer,
	    room);
}

SW_EXPORT int
res_search(const char *name, int class, int type, unsigned char *answer,
    int room)
{
	return res_nsearch(&_res, name, class, type, answer, room);
}

/* ---- the names with "__" ------------------------------------------------- */

int __res_nsend(res_state statp, const unsigned char *query, int len,
    unsigned char *answer, int room);
int __res_nquery(res_state statp, const char *name, int class, int type,
    unsigned char *answer, int room);
int __res_nquerydomain(res_state statp, const char *name, const char *domain,
    int class, int type, unsigned char *answer, int room);
int __res_nsearch(res_state statp, const char *name, int class, int type,
    unsigned char *answer, int room);
int __res_send(const unsigned char *query, int len, unsigned char *answer,
    int room);
int __res_query(const char *name, int class, int type, unsigned char *answer,
    int room);
int __res_querydomain(const char *name, const char *domain, int class, int type,
    unsigned char *answer, int room);
int __res_search(const char *name, int class, int type, unsigned char *answer,
    int room);

SW_EXPORT int
__res_nsend(res_state statp, const unsigned char *query, int len,
    unsigned char *answer, int room)
{
	return res_nsend(statp, query, len, answer, room);
}

SW_EXPORT int
__res_nquery(res_state statp, const char *name, int class, int type,
    unsigned char *answer, int room)
{
	return res_nquery(statp, name, class, type, answer, room);
}

SW_EXPORT int
__res_nquerydomain(res_state statp, const char *name, const char *domain,
    int class, int type, unsigned char *answer, int room)
{
	return res_nquerydomain(statp, name, domain, class, type, answer,
	    room);
}

SW_EXPORT int
__res_nsearch(res_state statp, const char *name, int class, int type,
    unsigned char *answer, int room)
{
	return res_nsearch(statp, name, class, type, answer, room);
}

SW_EXPORT int
__res_send(const unsigned char *query, int len, unsigned char *answer,
    int room)
{
	return res_send(query, len, answer, room);
}

SW_EXPORT int
__res_query(const char *name, int class, int type, unsigned char *answer,
    int room)
{
	return res_query(name, class, type, answer, room);
}

SW_EXPORT int
__res_querydomain(const char *name, const char *domain, int class, int type,
    unsigned char *answer, int room)
{
	return res_querydomain(name, domain, class, type, answer, room);
}

SW_EXPORT int
__res_search(const char *name, int class, int type, unsigned char *answer,
    int room)
{
	return res_search(name, class, type, answer, room);
}
