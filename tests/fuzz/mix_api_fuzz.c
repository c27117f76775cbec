/* What a directory service answers, and topology files: no crash, and a
 * topology that is accepted has a way through it. */
#include <stdlib.h>
#include <string.h>

#include "mix/prim.h"
#include "mix/topology_api.h"
#include "tests/fuzz/fuzz.h"

static void
check_file(const char *text, size_t n)
{
	struct topology *t;

	if (topology_parse(&t, text, n) != SW_OK && t != NULL)
		abort();
	topology_free(t);
}

/* Texts are split at NUL bytes: lists, then what describes them, then a set. */
static void
check_api(const char *text, size_t n)
{
	struct topology_api *a = topology_api_new();
	struct topology *t = NULL;
	size_t len, left;

	if (a == NULL)
		abort();
	for (int i = 0; n > 0; i++) {
		len = strnlen(text, n);
		if (i < 2)
			(void)!topology_api_add_nodes(a, text, len, &left);
		else if (i < 4)
			(void)!topology_api_add_described(a, text, len, &left);
		else
			(void)!topology_api_add_set(a, text, len);
		text += len;
		n -= len;
		if (n > 0) {
			text++;
			n--;
		}
	}
	if (topology_api_finish(a, &t) == SW_OK && !topology_is_routable(t))
		abort();
	topology_free(t);
	topology_api_free(a);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	static bool ready;

	if (!ready && prim_init() != SW_OK)
		abort();
	ready = true;
	if (len == 0)
		return 0;
	if (data[0] == '0')
		check_file((const char *)data + 1, len - 1);
	else
		check_api((const char *)data + 1, len - 1);
	return 0;
}
