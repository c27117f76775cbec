/*
 * dns_name.h - a name in a DNS message, and as the text that dns.h describes.
 */
#ifndef SW_STACK_DNS_NAME_H
#define SW_STACK_DNS_NAME_H

#include "base/wire.h"
#include "stack/dns.h"

#define DNS_NAME_WIRE_MAX 255

/*
 * Read the name at the cursor, which moves past it.  With `whole` (the
 * message), pointers are followed; they may only lead backwards, so that they
 * end.  Without, there may be none.
 *
 * SW_OK, or SW_ERR_TRUNCATED, SW_ERR_FORMAT, SW_ERR_TOO_LONG: text[] and the
 * cursor are of no use then.
 */
int dns_get_name(struct rbuf *r, const struct rbuf *whole,
    char text[static DNS_NAME_TEXT_MAX]) SW_MUST_CHECK;

/* Write it without pointers.  SW_OK, SW_ERR_FORMAT: it is no name, or the
 * cursor's error. */
int dns_put_name(struct wbuf *w, const char *text) SW_MUST_CHECK;

#endif
