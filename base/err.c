#include "base/err.h"

#include <errno.h>
#include <stddef.h>

static const struct {
	int code;
	int err;
	const char *text;
} table[] = {
	{ SW_OK, 0, "success" },
	{ SW_AGAIN, EAGAIN, "not yet" },
	{ SW_ERR_NOMEM, ENOMEM, "out of memory" },
	{ SW_ERR_FORMAT, EPROTO, "malformed data" },
	{ SW_ERR_TRUNCATED, EPROTO, "truncated data" },
	{ SW_ERR_TOO_LONG, EMSGSIZE, "too long" },
	{ SW_ERR_MAC, EBADMSG, "authentication of the data failed" },
	{ SW_ERR_REPLAY, EBADMSG, "replayed data" },
	{ SW_ERR_DOWN, ENETUNREACH, "the tunnel is down" },
	{ SW_ERR_REFUSED, ECONNREFUSED, "connection refused" },
	{ SW_ERR_UNREACH_HOST, EHOSTUNREACH, "host unreachable" },
	{ SW_ERR_UNREACH_NET, ENETUNREACH, "network unreachable" },
	{ SW_ERR_TIMEOUT, ETIMEDOUT, "timed out" },
	{ SW_ERR_RESET, ECONNRESET, "connection reset" },
	{ SW_ERR_DENIED, EACCES, "denied by policy" },
	{ SW_ERR_IN_USE, EADDRINUSE, "address in use" },
	{ SW_ERR_NO_NAME, EHOSTUNREACH, "no such name" },
	{ SW_ERR_SYS, EIO, "system call failed" },
	{ SW_ERR_AUTH, EACCES, "authentication failed" },
	{ SW_ERR_CONFIG, EINVAL, "bad configuration" },
	{ SW_ERR_CLOSED, EPIPE, "closed" },
	{ SW_ERR_LIMIT, ENOBUFS, "limit reached" },
	{ SW_ERR_UNSUPPORTED, EOPNOTSUPP, "not supported" },
};

#define TABLE_LEN (sizeof(table) / sizeof(table[0]))

const char *
sw_strerror(int code)
{
	for (size_t i = 0; i < TABLE_LEN; i++)
		if (table[i].code == code)
			return table[i].text;
	return "unknown error";
}

int
sw_errno_from(int code)
{
	for (size_t i = 0; i < TABLE_LEN; i++)
		if (table[i].code == code)
			return table[i].err;
	return EIO;
}

int
sw_err_from_errno(int e)
{
	/* Several codes share an errno; the first in the table is the one. */
	for (size_t i = 0; i < TABLE_LEN; i++)
		if (table[i].err == e)
			return table[i].code;
	return SW_ERR_SYS;
}
