/*
 * HTTP by libcurl, on the job's thread.
 *
 * Curl goes nowhere by itself and looks no name up: it gets a stream that the
 * transport made, which knows of proxies and other tunnels, and is told an
 * address that nobody has.  Each redirection is a transfer of its own, since
 * the stream has to be one to its host.
 */
#include <curl/curl.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "mix/netdir_job.h"
#include "mix/topology_api.h"

#define CONNECT_MS 10000
#define WHOLE_S 60L
#define REDIRECTS 3

struct netdir_http {
	CURL *curl;
	struct netdir_job *job;
	struct curl_slist *nowhere;	/* what curl takes for the address */
	char host[TRANSPORT_NAME_LEN];	/* of the URL that is asked for */
	uint16_t port;
	int connect_err;		/* of the transport, its why in job */
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

/* A socket for curl, and where it is to connect it. */
static curl_socket_t
open_stream(void *arg, curlsocktype purpose, struct curl_sockaddr *address)
{
	struct netdir_http *h = arg;
	struct sockaddr_un at;
	socklen_t len;
	int fd;

	(void)purpose;
	h->connect_err = transport_connect(h->job->transport, h->host, h->port,
	    clock_now_ms() + CONNECT_MS, &fd, h->job->why);
	if (h->connect_err != SW_OK)
		return CURL_SOCKET_BAD;
	if (netdir_stream_offer(fd, &at, &len) != SW_OK ||
	    len > sizeof(address->addr))
		return CURL_SOCKET_BAD;
	memcpy(&address->addr, &at, len);
	address->family = AF_UNIX;
	address->addrlen = len;
	return socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
}

static void
set_way(struct netdir_http *h)
{
	CURL *c = h->curl;

	curl_easy_setopt(c, CURLOPT_PROXY, "");	/* not the environment's */
	curl_easy_setopt(c, CURLOPT_CONNECT_TO, h->nowhere);
	curl_easy_setopt(c, CURLOPT_OPENSOCKETFUNCTION, open_stream);
	curl_easy_setopt(c, CURLOPT_OPENSOCKETDATA, h);
}

struct netdir_http *
netdir_http_new(struct netdir_job *j)
{
	struct netdir_http *h = calloc(1, sizeof(*h));
	CURL *c;

	if (h == NULL || (c = h->curl = curl_easy_init()) == NULL ||
	    (h->nowhere = curl_slist_append(NULL, "::192.0.2.1:9")) == NULL) {
		netdir_http_free(h);
		return NULL;
	}
	h->job = j;
	set_way(h);
	curl_easy_setopt(c, CURLOPT_NOSIGNAL, 1L);
	curl_easy_setopt(c, CURLOPT_TIMEOUT, WHOLE_S);
	curl_easy_setopt(c, CURLOPT_FAILONERROR, 1L);
	curl_easy_setopt(c, CURLOPT_ACCEPT_ENCODING, "");
	curl_easy_setopt(c, CURLOPT_ERRORBUFFER, h->error);
	curl_easy_setopt(c, CURLOPT_WRITEFUNCTION, take);
	curl_easy_setopt(c, CURLOPT_WRITEDATA, h);
	curl_easy_setopt(c, CURLOPT_XFERINFOFUNCTION, is_cancelled);
	curl_easy_setopt(c, CURLOPT_XFERINFODATA, h);
	curl_easy_setopt(c, CURLOPT_NOPROGRESS, 0L);
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
	curl_slist_free_all(h->nowhere);
	free(h->text);
	free(h);
}

static int
code_of(CURLcode e)
{
	switch (e) {
	case CURLE_OK:
		return SW_OK;
	case CURLE_URL_MALFORMAT:
		return SW_ERR_CONFIG;
	case CURLE_OPERATION_TIMEDOUT:
		return SW_ERR_TIMEOUT;
	case CURLE_PEER_FAILED_VERIFICATION:
	case CURLE_SSL_CACERT_BADFILE:
		return SW_ERR_AUTH;
	case CURLE_WRITE_ERROR:
		return SW_ERR_TOO_LONG;
	case CURLE_HTTP_RETURNED_ERROR:
		return SW_ERR_REFUSED;
	default:
		return SW_ERR_UNREACH_NET;
	}
}

/* Whom the transport is to be asked for.  IPv6 without its brackets. */
static CURLcode
know_host(struct netdir_http *h, const char *url)
{
	CURLU *u = curl_url();
	char *host = NULL, *port = NULL;
	CURLcode e = CURLE_URL_MALFORMAT;
	size_t n;

	if (u != NULL && curl_url_set(u, CURLUPART_URL, url, 0) == CURLUE_OK &&
	    curl_url_get(u, CURLUPART_HOST, &host, 0) == CURLUE_OK &&
	    curl_url_get(u, CURLUPART_PORT, &port, CURLU_DEFAULT_PORT) ==
	    CURLUE_OK && (n = strlen(host)) < sizeof(h->host)) {
		if (host[0] == '[')
			snprintf(h->host, sizeof(h->host), "%.*s", (int)n - 2,
			    host + 1);
		else
			memcpy(h->host, host, n + 1);
		h->port = (uint16_t)strtoul(port, NULL, 10);
		e = CURLE_OK;
	}
	curl_free(host);
	curl_free(port);
	curl_url_cleanup(u);
	return e;
}

static CURLcode
transfer(struct netdir_http *h, const char *url)
{
	CURLcode e = know_host(h, url);

	h->n = 0;
	h->connect_err = SW_OK;
	h->error[0] = '\0';
	if (e == CURLE_OK &&
	    (e = curl_easy_setopt(h->curl, CURLOPT_URL, url)) == CURLE_OK)
		e = curl_easy_perform(h->curl);
	return e;
}

/* Where to go on, a copy; NULL: it was the end.  Not from https to http. */
static char *
next_url(struct netdir_http *h, const char *url, CURLcode *e)
{
	char *next = NULL;

	if (curl_easy_getinfo(h->curl, CURLINFO_REDIRECT_URL, &next) !=
	    CURLE_OK || next == NULL)
		return NULL;
	if (strncmp(url, "https:", 6) == 0 && strncmp(next, "https:", 6) != 0) {
		snprintf(h->error, sizeof(h->error), "it leads from https to "
		    "http");
		*e = CURLE_UNSUPPORTED_PROTOCOL;
		return NULL;
	}
	return strdup(next);
}

int
netdir_http_get(struct netdir_http *h, const char *url, char **text,
    size_t *n)
{
	struct netdir_job *j = h->job;
	CURLcode e = transfer(h, url);
	char *at = NULL, *next;

	for (int i = 0; e == CURLE_OK && (next = next_url(h, at != NULL ? at :
	    url, &e)) != NULL; i++) {
		free(at);
		at = next;
		e = i < REDIRECTS ? transfer(h, at) : CURLE_TOO_MANY_REDIRECTS;
	}
	free(at);
	*text = h->text;
	*n = h->n;
	if (h->connect_err != SW_OK)
		return h->connect_err;	/* and its reason */
	if (e != CURLE_OK)
		snprintf(j->why, sizeof(j->why), "%s", h->error[0] != '\0' ?
		    h->error : curl_easy_strerror(e));
	return code_of(e);
}
