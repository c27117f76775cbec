/*
 * The multiplication by a table once more, compiled for processors with AVX2
 * and BMI2: wider looks at the table, products without flags.
 */
#include <stdbool.h>
#include <stdlib.h>

#if defined(__x86_64__)

#if defined(__clang__)
#pragma clang attribute push(__attribute__((target("avx2,bmi2"))), \
    apply_to = function)
#else
#pragma GCC push_options
#pragma GCC target("avx2,bmi2")
#endif

#include "mix/comb_mul.h"

int
comb_mul_x86(struct comb_job *job, size_t n)
{
	return multiply_many(job, n);
}

#if defined(__clang__)
#pragma clang attribute pop
#else
#pragma GCC pop_options
#endif

bool
comb_x86_works(void)
{
	__builtin_cpu_init();
	return __builtin_cpu_supports("avx2") != 0 &&
	    __builtin_cpu_supports("bmi2") != 0;
}

#else

#include "mix/comb_mul.h"

int
comb_mul_x86(struct comb_job *job, size_t n)
{
	return multiply_many(job, n);
}

bool
comb_x86_works(void)
{
	return false;
}

#endif
