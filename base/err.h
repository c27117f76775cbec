/*
 * err.h - the one space of result codes.
 *
 * A function that can fail returns 0 (SW_OK), SW_AGAIN (not a fault: call
 * again when told) or a negative SW_ERR_*.  errno lives only in preload/ and
 * right beside system calls; sw_err_from_errno() and sw_errno_from() are the
 * two doors between the worlds.
 */
#ifndef SW_BASE_ERR_H
#define SW_BASE_ERR_H

#define SW_MUST_CHECK __attribute__((warn_unused_result))

enum {
	SW_OK = 0,
	SW_AGAIN = 1,

	SW_ERR_NOMEM = -1,
	SW_ERR_FORMAT = -2,		/* foreign bytes break their grammar */
	SW_ERR_TRUNCATED = -3,		/* fewer bytes than the grammar asks */
	SW_ERR_TOO_LONG = -4,		/* more than the stated bound */
	SW_ERR_MAC = -5,		/* authentication of bytes failed */
	SW_ERR_REPLAY = -6,
	SW_ERR_DOWN = -7,		/* the tunnel is not up */
	SW_ERR_REFUSED = -8,		/* the peer answered: no such service */
	SW_ERR_UNREACH_HOST = -9,
	SW_ERR_UNREACH_NET = -10,
	SW_ERR_TIMEOUT = -11,
	SW_ERR_RESET = -12,
	SW_ERR_DENIED = -13,		/* policy, ours or the peer's */
	SW_ERR_IN_USE = -14,
	SW_ERR_NO_NAME = -15,		/* the name does not exist */
	SW_ERR_SYS = -16,		/* a system call failed; errno was logged */
	SW_ERR_AUTH = -17,		/* we or the peer could not prove an identity */
	SW_ERR_CONFIG = -18,		/* a flag, file or value is wrong */
	SW_ERR_CLOSED = -19,		/* the object has ended */
	SW_ERR_LIMIT = -20,		/* a stated limit was reached */
	SW_ERR_UNSUPPORTED = -21,
};

/* Short English text for a code, never NULL, static storage. */
const char *sw_strerror(int code);

/* The errno a program should see for `code`; EIO for what has none. */
int sw_errno_from(int code);

/* The code that best describes errno value `e`; SW_ERR_SYS for the rest. */
int sw_err_from_errno(int e);

#endif
