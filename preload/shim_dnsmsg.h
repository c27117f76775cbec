/*
 * shim_dnsmsg.h - the few DNS messages the shim itself builds and reads.
 * Pure: bytes in, bytes out.
 */
#ifndef SW_PRELOAD_SHIM_DNSMSG_H
#define SW_PRELOAD_SHIM_DNSMSG_H

#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

#define DNSMSG_HEADER_LEN 12
#define DNSMSG_QUERY_MAX (DNSMSG_HEADER_LEN + 256 + 4)

enum { DNSMSG_IN = 1, DNSMSG_A = 1, DNSMSG_CNAME = 5, DNSMSG_AAAA = 28 };
enum { DNSMSG_NOERROR = 0, DNSMSG_SERVFAIL = 2, DNSMSG_NXDOMAIN = 3 };

/*
 * One question with recursion desired.  `name` is in presentation form: a
 * final dot is optional, "." is the root, "\." and "\DDD" are understood.
 * *len in: room, out: length.  SW_OK, SW_ERR_FORMAT (not a name),
 * SW_ERR_TOO_LONG.
 */
int dnsmsg_put_query(uint8_t *msg, size_t *len, uint16_t id, const char *name,
    int class, int type) SW_MUST_CHECK;

/* rcode and answer count of a response.  SW_OK or SW_ERR_TRUNCATED. */
int dnsmsg_get_result(const uint8_t *msg, size_t len, int *rcode,
    unsigned *answers) SW_MUST_CHECK;

/* The question's name in presentation form, no final dot ("" is the root). */
int dnsmsg_get_question(const uint8_t *msg, size_t len, char *name,
    size_t room) SW_MUST_CHECK;

/* Follow the CNAMEs of the answer from the question's name to their end and
 * store that name.  `name` is untouched unless SW_OK. */
int dnsmsg_get_canon(const uint8_t *msg, size_t len, char *name, size_t room)
    SW_MUST_CHECK;

#endif
