/* A prober's request: no crash, no path above the root, and what is whole is
 * whole however it is cut. */
#include "tests/fuzz/fuzz.h"

#include <stdlib.h>
#include <string.h>

#include "transport/serve_http.h"

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct serve_http_request r, again;
	char out[SERVE_HTTP_ANSWER_MAX];
	size_t used, n;

	if (len == 0 || len > SERVE_HTTP_HEAD_MAX)
		return 0;
	if (serve_http_parse(&r, (const char *)data, len, &used) != SW_OK)
		return 0;
	if (used == 0 || used > len || (r.status != 400 && strstr(r.path, "/..") != NULL) ||
	    (r.status == 0 && r.path[0] != '/'))
		abort();
	if (r.status == 0 && (serve_http_parse(&again, (const char *)data, used,
	    &n) != SW_OK || n != used || strcmp(again.path, r.path) != 0))
		abort();
	n = serve_http_error(out, r.status != 0 ? r.status : 404, r.note, r.path,
	    r.head, r.keep, 1000);
	if (n >= sizeof(out))
		abort();
	(void)serve_http_type(r.path);
	return 0;
}
