/* A prober's request: no crash, no path above the root, ranges within the file,
 * and what is whole is whole however it is cut. */
#include "tests/fuzz/fuzz.h"

#include <stdlib.h>
#include <string.h>

#include "transport/serve_http.h"

/* Fed in two pieces it says the same. */
static void
check_split(const struct serve_http_request *r, const char *p, size_t len,
    size_t used)
{
	static struct serve_http_request again;
	size_t n, half = len / 2;

	serve_http_begin(&again);
	if (serve_http_take(&again, p, half, &n) == SW_OK) {
		if (r->status == 0 && n != used)
			abort();
		return;
	}
	if (serve_http_take(&again, p, len, &n) != SW_OK || n != used ||
	    again.status != r->status || strcmp(again.path, r->path) != 0 ||
	    again.body.kind != r->body.kind)
		abort();
}

static void
check_answers(const struct serve_http_request *r)
{
	static const struct serve_http_file f = { "text/html", 46, 1700000000 };
	const struct serve_http_error e = { .status = r->status != 0 ? r->status :
	    404, .note = r->note, .to = r->path, .size = 46, .keep = r->keep,
	    .bare = r->bare };
	struct serve_http_parts parts;
	char out[SERVE_HTTP_ANSWER_MAX];
	uint64_t sum = 0;
	int status;

	if (serve_http_error(out, &e, 1000) >= sizeof(out))
		abort();
	status = serve_http_match(r, &f, &parts);
	if ((status == 206) != (parts.n > 0) || parts.n > SERVE_HTTP_RANGES_MAX)
		abort();
	parts.boundary = 7;
	for (size_t i = 0; i < parts.n; i++) {
		if (parts.at[i].from >= parts.at[i].to || parts.at[i].to > f.size ||
		    serve_http_part_head(out, &f, &parts, i) >= 256)
			abort();
		sum += parts.at[i].to - parts.at[i].from;
	}
	if (sum > f.size || serve_http_file_head(out, status, &f, &parts, true,
	    1000) >= 1024)
		abort();
	(void)serve_http_type(r->path);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	static struct serve_http_request r;
	const char *p = (const char *)data;
	struct serve_http_body body;
	size_t used, n;

	if (len > SERVE_HTTP_HEAD_MAX)
		return 0;
	serve_http_begin(&r);
	if (serve_http_take(&r, p, len, &used) != SW_OK)
		return 0;
	if (used > len || strstr(r.path, "/../") != NULL ||
	    (r.status == 0 && r.path[0] != '/'))
		abort();
	check_split(&r, p, len, used);
	check_answers(&r);
	body = r.body;
	if (body.kind != SERVE_HTTP_NO_BODY && (serve_http_body_skip(&body,
	    p + used, len - used, &n) == SW_OK && n > len - used))
		abort();
	return 0;
}
