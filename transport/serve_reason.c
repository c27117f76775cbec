#include "transport/serve.h"

static const struct {
	int err;
	enum serve_reason why;
	const char *words;
} reasons[] = {
	/* The words are libc's: clients know them. */
	{ SW_ERR_REFUSED, SERVE_CONNECT_FAILED, "Connection refused" },
	{ SW_ERR_UNREACH_HOST, SERVE_CONNECT_FAILED, "No route to host" },
	{ SW_ERR_UNREACH_NET, SERVE_CONNECT_FAILED, "Network is unreachable" },
	{ SW_ERR_TIMEOUT, SERVE_CONNECT_FAILED, "Connection timed out" },
	{ SW_ERR_RESET, SERVE_CONNECT_FAILED, "Connection reset by peer" },
	{ SW_ERR_NO_NAME, SERVE_CONNECT_FAILED, "Name or service not known" },
	{ SW_ERR_DENIED, SERVE_PROHIBITED, "administratively prohibited" },
	{ SW_ERR_LIMIT, SERVE_SHORTAGE, "too many open files or look-ups" },
	{ SW_ERR_NOMEM, SERVE_SHORTAGE, "out of memory" },
};

enum serve_reason
serve_reason_of(int err, const char **words)
{
	for (size_t i = 0; i < sizeof(reasons) / sizeof(reasons[0]); i++)
		if (reasons[i].err == err) {
			*words = reasons[i].words;
			return reasons[i].why;
		}
	*words = "could not connect";
	return SERVE_CONNECT_FAILED;
}
