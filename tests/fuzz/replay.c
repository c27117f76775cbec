/* Runs a fuzz target over files, for machines without libFuzzer and as a
 * regression test: each file of the corpus must pass. */
#include <stdio.h>

#include "tests/fuzz/fuzz.h"

int
main(int argc, char **argv)
{
	static uint8_t buf[1 << 20];
	FILE *f;
	size_t n;

	printf("1..%d\n", argc - 1);
	for (int i = 1; i < argc; i++) {
		if ((f = fopen(argv[i], "rbe")) == NULL) {
			printf("not ok %d - %s: cannot open\n", i, argv[i]);
			continue;
		}
		n = fread(buf, 1, sizeof(buf), f);
		fclose(f);
		LLVMFuzzerTestOneInput(buf, n);
		printf("ok %d - %s\n", i, argv[i]);
	}
	return 0;
}
