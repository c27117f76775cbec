/*
 * names_dialer.h - dials by name over a dialer that knows addresses only, and
 * sends datagrams so.
 *
 * Names are resolved by the names service; addresses are tried one after the
 * other, in its order.
 */
#ifndef SW_TRANSPORT_NAMES_DIALER_H
#define SW_TRANSPORT_NAMES_DIALER_H

#include "base/loop.h"
#include "stack/datagram.h"
#include "stack/dialer.h"
#include "transport/names_service.h"

struct names_dialer;

/* All borrowed for life.  NULL: no memory. */
struct names_dialer *names_dialer_new(struct loop *l, struct names_service *s,
    struct dialer *below, const struct dialer_ops *ops);
/* What it opened must have ended.  NULL is fine. */
void names_dialer_free(struct names_dialer *n);
struct dialer *names_dialer_dialer(struct names_dialer *n);
extern const struct dialer_ops names_dialer_ops;

struct names_datagrams;

/* The same for datagrams. */
struct names_datagrams *names_datagrams_new(struct names_service *s,
    struct datagrams *below, const struct datagram_ops *ops);
void names_datagrams_free(struct names_datagrams *n);
struct datagrams *names_datagrams_datagrams(struct names_datagrams *n);
extern const struct datagram_ops names_datagram_ops;

#endif
