/*
 * The shim's readers of foreign text: answers of DNS servers, of which it
 * takes the canonical name, and files like /etc/hosts.
 */
#include <stdlib.h>
#include <string.h>

#include "preload/shim_dnsmsg.h"
#include "preload/shim_hosts.h"
#include "tests/fuzz/fuzz.h"

/* A name that was read can be asked for and is then read the same; unless it
 * grew too long by its pointers, or is the root, it can always be asked for. */
static void
ask_back(const char *name)
{
	uint8_t query[DNSMSG_QUERY_MAX];
	size_t len = sizeof(query);
	char again[1025];

	if (dnsmsg_put_query(query, &len, 7, name, 1, 1) != SW_OK)
		return;
	if (dnsmsg_get_question(query, len, again, sizeof(again)) != SW_OK ||
	    strcmp(name, again) != 0)
		abort();
}

static void
read_answer(const uint8_t *data, size_t len)
{
	char name[1025] = "untouched", small[8] = "small";
	unsigned answers;
	int rcode;

	if (dnsmsg_get_result(data, len, &rcode, &answers) != SW_OK &&
	    (rcode != 0 || answers != 0))
		abort();
	if (dnsmsg_get_question(data, len, name, sizeof(name)) == SW_OK)
		ask_back(name);
	strcpy(name, "untouched");
	if (dnsmsg_get_canon(data, len, name, sizeof(name)) != SW_OK &&
	    strcmp(name, "untouched") != 0)
		abort();
	if (dnsmsg_get_canon(data, len, small, sizeof(small)) == SW_OK &&
	    strlen(small) >= sizeof(small))
		abort();
}

static void
read_hosts(const uint8_t *data, size_t len)
{
	char *text = malloc(len + 1);
	struct hosts_line line;
	struct hosts h;

	if (text == NULL)
		return;
	memcpy(text, data, len);
	hosts_open_text(&h, text, len);
	while (hosts_next(&h, &line)) {
		const char *s = line.names;

		for (size_t i = 0; i < line.n; i++, s = hosts_name_after(s))
			if (*s == '\0' || s < text || s > text + len)
				abort();
		if (!hosts_line_names(&line, line.names))
			abort();
	}
	hosts_close(&h);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	if (len == 0)
		return 0;
	if (data[0] & 1)
		read_answer(data + 1, len - 1);
	else
		read_hosts(data + 1, len - 1);
	return 0;
}
