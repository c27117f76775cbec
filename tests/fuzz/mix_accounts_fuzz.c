/* A gateway's file of its clients: what reads is written again so that it reads
 * as the same, and nobody is in it twice. */
#include <stdlib.h>
#include <string.h>

#include "mix/node_private.h"
#include "mix/prim.h"
#include "tests/fuzz/fuzz.h"

static struct loop loop;

static int
read_text(struct node *n, const void *text, size_t len)
{
	FILE *f = fmemopen((void *)(uintptr_t)text, len, "r");
	int r;

	memset(n, 0, sizeof(*n));
	n->loop = &loop;
	if (f == NULL)
		abort();
	r = node_read_accounts(n, f);
	fclose(f);
	return r;
}

static size_t
write_text(const struct node *n, char **text)
{
	size_t len;
	FILE *f = open_memstream(text, &len);

	if (f == NULL || node_write_accounts(n, f) != SW_OK ||
	    fclose(f) != 0)
		abort();
	return len;
}

static void
check_written(const struct node *n)
{
	char *text, *again;
	size_t len = write_text(n, &text);
	struct node back;

	if (read_text(&back, text, len) != SW_OK ||
	    HASH_COUNT(back.accounts) != HASH_COUNT(n->accounts) ||
	    write_text(&back, &again) != len || memcmp(text, again, len) != 0)
		abort();
	node_close_clients(&back);
	free(again);
	free(text);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	static bool ready;
	struct node n;

	if (!ready && prim_init() != SW_OK)
		abort();
	ready = true;
	if (len == 0)
		return 0;
	if (read_text(&n, data, len) == SW_OK)
		check_written(&n);
	node_close_clients(&n);
	return 0;
}
