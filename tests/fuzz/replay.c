/*
 * replay.c - runs a fuzz target over files: the regression half of fuzzing,
 * which any compiler and valgrind can run.  Without files: over a few seeded
 * random inputs, so that a target without a corpus is still exercised.
 */
#include "tests/fuzz/fuzz.h"

#include <stdio.h>
#include <stdlib.h>

#define INPUT_MAX 65536
#define RANDOM_RUNS 2000

static uint8_t buf[INPUT_MAX];

static int
run_file(const char *path)
{
	FILE *f = fopen(path, "rb");
	size_t n;

	if (f == NULL) {
		perror(path);
		return 1;
	}
	n = fread(buf, 1, sizeof(buf), f);
	fclose(f);
	LLVMFuzzerTestOneInput(buf, n);
	return 0;
}

int
main(int argc, char **argv)
{
	uint32_t x = 1;
	int bad = 0;

	for (int i = 1; i < argc; i++)
		bad |= run_file(argv[i]);
	for (int i = 0; i < RANDOM_RUNS; i++) {
		size_t n;

		x = x * 1664525u + 1013904223u;
		n = (x >> 16) % 512;
		for (size_t j = 0; j < n; j++) {
			x = x * 1664525u + 1013904223u;
			buf[j] = (uint8_t)(x >> 24);
		}
		LLVMFuzzerTestOneInput(buf, n);
	}
	return bad;
}
