/*
 * records.h - what a program has written to a pair that carries datagrams, one
 * record each.
 */
#ifndef SW_STACK_RECORDS_H
#define SW_STACK_RECORDS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/loop.h"
#include "stack/owner_proto.h"

#define RECORD_MAX (65536 + sizeof(struct owner_frame))

/* One record, borrowed until return. */
typedef void record_fn(void *arg, const uint8_t *rec, size_t len);

/*
 * Read from our end of the pair, `limit` records at most, and hand each to
 * take().  `events` as the end polls, 0 when it was not asked.
 *
 * False: the program is gone, and all it wrote was taken.  True otherwise; when
 * it only will not write any more, the loop watches the end no longer.
 */
bool records_drain(struct loop *l, struct loop_fd *w, uint32_t events,
    int limit, record_fn *take, void *arg);

#endif
