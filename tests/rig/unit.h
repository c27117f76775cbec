/*
 * unit.h - cmocka, behind the headers that it wants; first in every unit test.
 */
#ifndef SW_TESTS_UNIT_H
#define SW_TESTS_UNIT_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* Behind them: */
#include <cmocka.h>

/* For cmocka_run_group_tests(): the mixnet's primitives are ready. */
int unit_prim_init(void **state);

#endif
