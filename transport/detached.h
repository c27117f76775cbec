/*
 * detached.h - threads that nobody waits for.  Who shares something with one
 * counts its holders (shared.h), or leaves it to the thread.
 */
#ifndef SW_TRANSPORT_DETACHED_H
#define SW_TRANSPORT_DETACHED_H

#include <stdbool.h>

#include "base/err.h"

/*
 * detached_start() - run(arg) on a thread of its own; what it returns is lost.
 * It has the caller's signal mask.  detached_start_deaf(): it takes no signals,
 * which are the loop's.
 *
 * False when there is no thread to be had: run() is not called then.
 */
bool detached_start(void *(*run)(void *), void *arg) SW_MUST_CHECK;
bool detached_start_deaf(void *(*run)(void *), void *arg) SW_MUST_CHECK;

#endif
