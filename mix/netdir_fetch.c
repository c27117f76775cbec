/* HTTP by libcurl, on the job's thread. */
#include <curl/curl.h>
#include <stdlib.h>
#include <string.h>

#include "mix/netdir_job.h"
#include "mix/topology_api.h"

#define CONNECT_S 10L
#define WHOLE_S 60L
#define REDIRECTS 3L

struct netdir_http {
	CURL *curl;
	struct netdir_job *job;
	char error[CURL_ERROR_SIZE];
	char *text;
	size_t n, cap;
};

int
netdir_http_init(void)
{
	return curl_global_init(CURL_GLOBAL_DEFAULT) == CURLE_OK ? SW_OK :
	    SW_ERR_SYS;
}

static size_t
take(char *p, size_t size, size_t count, void *arg)
{
	struct netdir_http *h = arg;
	size_t n = size * count, cap = h->cap;
	char *bigger;

	if (n > TOPOLOGY_API_TEXT_MAX - h->n)
		return 0;		/* curl gives up */
	while (cap < h->n + n)
		cap = cap == 0 ? 65536 : 2 * cap;
	if (cap > h->cap) {
		if ((bigger = realloc(h->text, cap)) == NULL)
			return 0;
		h->text = bigger;
		h->cap = cap;
	}
	memcpy(h->text + h->n, p, n);
	h->n += n;
	return n;
}

static int
is_cancelled(void *arg, curl_off_t a, curl_off_t b, curl_off_t c,
    curl_off_t d)
{
	struct netdir_http *h = arg;

	(void)a;
	(void)b;
	(void)c;
	(void)d;
	return atomic_load(&h->job->cancelled);
}

struct netdir_http *
netdir_http_new(struct netdir_job *j)
{
	struct netdir_http *h = calloc(1, sizeof(*h));
	CURL *c;

	if (h == NULL || (c = h->curl = curl_easy_init()) == NULL) {
		free(h);
		return NULL;
	}
	h->job = j;
	curl_easy_setopt(c, CURLOPT_NOSIGNAL, 1L);
	curl_easy_setopt(c, CURLOPT_CONNECTTIMEOUT, CONNECT_S);
	curl_easy_setopt(c, CURLOPT_TIMEOUT, WHOLE_S);
	curl_easy_setopt(c, CURLOPT_FAILONERROR, 1L);
	curl_easy_setopt(c, CURLOPT_PROTOCOLS_STR, "http,https");
	curl_easy_setopt(c, CURLOPT_FOLLOWLOCATION, 1L);
	curl_easy_setopt(c, CURLOPT_MAXREDIRS, REDIRECTS);
	curl_easy_setopt(c, CURLOPT_ACCEPT_ENCODING, "");
	curl_easy_setopt(c, CURLOPT_ERRORBUFFER, h->error);
	curl_easy_setopt(c, CURLOPT_WRITEFUNCTION, take);
	curl_easy_setopt(c, CURLOPT_WRITEDATA, h);
	curl_easy_setopt(c, CURLOPT_XFERINFOFUNCTION, is_cancelled);
	curl_easy_setopt(c, CURLOPT_XFERINFODATA, h);
	curl_easy_setopt(c, CURLOPT_NOPROGRESS, 0L);
	if (j->proxy != NULL)
		curl_easy_setopt(c, CURLOPT_PROXY, j->proxy);
	if (j->ca_file != NULL) {
		curl_easy_setopt(c, CURLOPT_CAINFO, j->ca_file);
		curl_easy_setopt(c, CURLOPT_CAPATH, NULL);
	}
	return h;
}

void
netdir_http_free(struct netdir_http *h)
{
	if (h == NULL)
		return;
	curl_easy_cleanup(h->curl);
	free(h->text);
	free(h);
}

static int
code_of(CURLcode e)
{
	switch (e) {
	case CURLE_COULDNT_RESOLVE_HOST:
	case CURLE_COULDNT_RESOLVE_PROXY:
		return SW_ERR_NO_NAME;
	case CURLE_OPERATION_TIMEDOUT:
		return SW_ERR_TIMEOUT;
	case CURLE_PEER_FAILED_VERIFICATION:
	case CURLE_SSL_CACERT_BADFILE:
		return SW_ERR_AUTH;
	case CURLE_WRITE_ERROR:
		return SW_ERR_TOO_LONG;
	case CURLE_HTTP_RETURNED_ERROR:
	case CURLE_COULDNT_CONNECT:
		return SW_ERR_REFUSED;
	default:
		return SW_ERR_UNREACH_NET;
	}
}

int
netdir_http_get(struct netdir_http *h, const char *url, char **text,
    size_t *n)
{
	struct netdir_job *j = h->job;
	CURLcode e;

	h->n = 0;
	h->error[0] = '\0';
	/* Nobody may lead us from https to http. */
	curl_easy_setopt(h->curl, CURLOPT_REDIR_PROTOCOLS_STR,
	    strncmp(url, "https:", 6) == 0 ? "https" : "http,https");
	curl_easy_setopt(h->curl, CURLOPT_URL, url);
	e = curl_easy_perform(h->curl);
	*text = h->text;
	*n = h->n;
	if (e == CURLE_OK)
		return SW_OK;
	snprintf(j->why, sizeof(j->why), "%s", h->error[0] != '\0' ?
	    h->error : curl_easy_strerror(e));
	return code_of(e);
}
