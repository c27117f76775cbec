/*
 * libssh asks OpenSSL for the padding of every packet, a dozen bytes at a time:
 * 3 us each, of the 10 or so that a short packet costs.  The loop's thread takes
 * such small amounts from what the kernel gave in one piece; each byte is used
 * once and wiped.  Larger ones, and all of the login's, are OpenSSL's own.
 */
#include "transport/ssh_wire.h"

#include <dlfcn.h>
#include <string.h>
#include <sys/random.h>

#include "base/wipe.h"

#define SEEN_BY_LIBRARIES __attribute__((visibility("default")))
#define SMALL 32			/* padding is 4 to 19 bytes for all ciphers */

int RAND_bytes(unsigned char *buf, int n);

static int
ask_openssl(unsigned char *buf, int n)
{
	static int (*real)(unsigned char *, int);
	void *found;

	if (real == NULL) {
		if ((found = dlsym(RTLD_NEXT, "RAND_bytes")) == NULL)
			return 0;		/* OpenSSL's "failed" */
		memcpy(&real, &found, sizeof(real));
	}
	return real(buf, n);
}

SEEN_BY_LIBRARIES int
RAND_bytes(unsigned char *buf, int n)
{
	static _Thread_local uint8_t pool[4096];
	static _Thread_local size_t left;
	uint8_t *from;

	if (!ssh_wire_is_attached() || n < 0 || n > SMALL)
		return ask_openssl(buf, n);
	if (left < (size_t)n) {
		if (getrandom(pool, sizeof(pool), 0) != (ssize_t)sizeof(pool))
			return ask_openssl(buf, n);
		left = sizeof(pool);
	}
	left -= (size_t)n;
	from = pool + left;
	memcpy(buf, from, (size_t)n);
	sw_wipe(from, (size_t)n);
	return 1;
}
