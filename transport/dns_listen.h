/*
 * dns_listen.h - DNS over TCP that ends in the names service; see
 * names_service_dialer().  Private to the service.
 */
#ifndef SW_TRANSPORT_DNS_LISTEN_H
#define SW_TRANSPORT_DNS_LISTEN_H

#include "base/loop.h"
#include "stack/dialer.h"
#include "transport/names_service.h"

/* NULL without memory.  Freeing ends every stream without a word. */
struct dialer *dns_listen_new(struct loop *l, struct names_service *s);
void dns_listen_free(struct dialer *o);

#endif
