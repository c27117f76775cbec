/* fuzz.h - what a fuzz target is.  Its input is any bytes; a crash, a
 * sanitizer's report or abort() is a finding. */
#ifndef SW_TESTS_FUZZ_H
#define SW_TESTS_FUZZ_H

#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

#endif
