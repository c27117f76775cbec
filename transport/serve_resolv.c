#include "transport/serve_resolv.h"

#include <stdio.h>
#include <string.h>

void
serve_nameservers_read(struct serve_nameservers *out, const char *path)
{
	char line[256], word[SW_ADDR_TEXT_LEN];
	FILE *f = fopen(path, "re");

	memset(out, 0, sizeof(*out));
	if (f == NULL)
		return;
	while (out->n < SERVE_NAMESERVERS_MAX &&
	    fgets(line, sizeof(line), f) != NULL)
		if (sscanf(line, " nameserver %63s", word) == 1 &&
		    addr_parse_ip(&out->at[out->n], word) == SW_OK)
			out->n++;
	fclose(f);
}
