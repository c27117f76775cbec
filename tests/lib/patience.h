/*
 * patience.h - bounds on waiting that know how slow the build is.
 *
 * SLOW=n says that everything takes n times as long: the Makefile sets it where
 * a sanitizer or valgrind runs the tests.  For scripts, `within` knows it too.
 */
#ifndef TESTS_LIB_PATIENCE_H
#define TESTS_LIB_PATIENCE_H

#include <stdlib.h>

/* The longest to wait for what takes an ordinary build less than `ms`. */
static inline int
patient_ms(int ms)
{
	const char *slow = getenv("SLOW");
	long times = slow == NULL ? 1 : strtol(slow, NULL, 10);

	return times > 1 ? ms * (int)times : ms;
}
#endif
