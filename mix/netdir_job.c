/* The thread that looks the network up: file, cache, service. */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "mix/netdir_job.h"
#include "mix/topology_api.h"
#include "transport/detached.h"

#define PAGES_MAX 64
#define PATH_LEN 2048

static void
free_texts(struct netdir_job *j)
{
	free(j->file);
	free(j->cache);
	free(j->ca_file);
	for (size_t i = 0; i < j->n_urls; i++)
		free(j->url[i]);
}

static bool
copy_text(char **out, const char *text)
{
	*out = text != NULL ? strdup(text) : NULL;
	return text == NULL || *out != NULL;
}

struct netdir_job *
netdir_job_new(const struct netdir_config *cfg)
{
	struct netdir_job *j = calloc(1, sizeof(*j));
	bool ok;

	if (j == NULL)
		return NULL;
	atomic_init(&j->refs, 1);
	j->notify_fd = -1;
	if (cfg->transport != NULL)
		j->transport = transport_ref(cfg->transport);
	ok = copy_text(&j->file, cfg->file) &&
	    copy_text(&j->cache, cfg->cache) &&
	    copy_text(&j->ca_file, cfg->ca_file);
	while (ok && j->n_urls < NETDIR_URLS && cfg->url[j->n_urls] != NULL) {
		ok = copy_text(&j->url[j->n_urls], cfg->url[j->n_urls]);
		j->n_urls++;
	}
	if (ok)
		return j;
	netdir_job_unref(j);
	return NULL;
}

void
netdir_job_unref(struct netdir_job *j)
{
	if (j == NULL || atomic_fetch_sub(&j->refs, 1) > 1)
		return;
	free_texts(j);
	transport_unref(j->transport);
	topology_free(j->topology);
	if (j->notify_fd >= 0)
		close(j->notify_fd);
	free(j);
}

/* A whole file into malloced memory. */
static int
read_file(const char *path, char **text, size_t *n, int64_t *age_s)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	struct stat st;
	ssize_t got = 0;

	*text = NULL;
	*n = 0;
	if (fd < 0)
		return SW_ERR_CONFIG;
	if (fstat(fd, &st) == 0 && S_ISREG(st.st_mode) &&
	    st.st_size <= (off_t)TOPOLOGY_API_TEXT_MAX &&
	    (*text = malloc((size_t)st.st_size + 1)) != NULL)
		while ((got = read(fd, *text + *n,
		    (size_t)st.st_size + 1 - *n)) > 0 &&
		    *n <= (size_t)st.st_size)
			*n += (size_t)got;
	close(fd);
	if (*text != NULL && got == 0 && *n == (size_t)st.st_size) {
		*age_s = time(NULL) - st.st_mtime;
		return SW_OK;
	}
	free(*text);
	*text = NULL;
	return SW_ERR_CONFIG;
}

static int
load(struct netdir_job *j, const char *path, int64_t max_age_s)
{
	int64_t age_s;
	char *text;
	size_t n;
	int r;

	if ((r = read_file(path, &text, &n, &age_s)) != SW_OK) {
		snprintf(j->why, sizeof(j->why), "could not read the file "
		    "\"%.128s\"; give one that smolnode or nym wrote", path);
		return r;
	}
	if (max_age_s >= 0 && (age_s < 0 || age_s > max_age_s)) {
		free(text);
		return SW_ERR_TIMEOUT;
	}
	r = topology_parse(&j->topology, text, n);
	free(text);
	if (r == SW_OK && !topology_is_routable(j->topology)) {
		topology_free(j->topology);
		j->topology = NULL;
		r = SW_ERR_FORMAT;
	}
	if (r != SW_OK)
		snprintf(j->why, sizeof(j->why), "the file \"%.128s\" is not "
		    "a network's topology", path);
	j->age_s = max_age_s >= 0 ? age_s : 0;
	return r;
}

/* Beside the cache, then in its place: never half of it. */
static void
store(const struct netdir_job *j)
{
	char path[PATH_LEN], *text;
	int fd, n = snprintf(path, sizeof(path), "%s.XXXXXX", j->cache);
	bool ok;
	size_t len;

	if (n < 0 || (size_t)n >= sizeof(path) ||
	    topology_write(j->topology, &text) != SW_OK)
		return;
	len = strlen(text);
	if ((fd = mkostemp(path, O_CLOEXEC)) >= 0) {	/* mode 0600 */
		ok = write(fd, text, len) == (ssize_t)len;
		if (close(fd) != 0 || !ok || rename(path, j->cache) != 0)
			unlink(path);
	}
	free(text);
}

typedef int (*add_fn)(struct topology_api *a, const char *text, size_t n,
    size_t *left);

/* All pages of one list. */
static int
get_list(struct netdir_job *j, struct netdir_http *h, const char *base,
    const char *path, struct topology_api *a, add_fn add)
{
	const char *slash = base[strlen(base) - 1] == '/' ? "" : "/";
	char url[PATH_LEN], *text;
	size_t n, left = 1;
	int r;

	for (int page = 0; left > 0; page++) {
		if (page == PAGES_MAX)
			return SW_ERR_TOO_LONG;
		r = snprintf(url, sizeof(url), "%s%s%s?page=%d", base, slash,
		    path, page);
		if (r < 0 || (size_t)r >= sizeof(url))
			return SW_ERR_CONFIG;
		if ((r = netdir_http_get(h, url, &text, &n)) != SW_OK)
			return r;
		if ((r = add(a, text, n, &left)) != SW_OK) {
			snprintf(j->why, sizeof(j->why),
			    "it answers, but not as a nym-api does");
			return r;
		}
	}
	return SW_OK;
}

static int
ask(struct netdir_job *j, struct netdir_http *h, const char *base)
{
	struct topology_api *a = topology_api_new();
	int r = SW_ERR_NOMEM;

	if (a != NULL &&
	    (r = get_list(j, h, base, "v2/unstable/nym-nodes/skimmed", a,
	    topology_api_add_nodes)) == SW_OK) {
		/* Without it exits have to be given by address. */
		if (get_list(j, h, base, "v2/nym-nodes/described", a,
		    topology_api_add_described) != SW_OK)
			j->why[0] = '\0';
		if ((r = topology_api_finish(a, &j->topology)) ==
		    SW_ERR_FORMAT)
			snprintf(j->why, sizeof(j->why),
			    "it knows no three layers of mixes");
	}
	topology_api_free(a);
	return r;
}

/* Each address in turn, beginning with the one that answered last time. */
static int
ask_all(struct netdir_job *j)
{
	struct netdir_http *h = netdir_http_new(j);
	int r = SW_ERR_NOMEM;

	for (size_t i = 0; h != NULL && i < j->n_urls &&
	    !atomic_load(&j->cancelled); i++) {
		size_t k = (j->first_url + i) % j->n_urls;

		if ((r = ask(j, h, j->url[k])) == SW_OK) {
			j->last_url = k;
			break;
		}
	}
	netdir_http_free(h);
	return r;
}

static int
look_up(struct netdir_job *j)
{
	char why[NETDIR_WHY_LEN];
	int r;

	if (j->file != NULL)
		return load(j, j->file, -1);
	if (j->cache != NULL && j->cache_max_s > 0 &&
	    load(j, j->cache, j->cache_max_s) == SW_OK)
		return SW_OK;
	j->why[0] = '\0';
	if ((r = ask_all(j)) == SW_OK) {
		j->age_s = 0;
		if (j->cache != NULL)
			store(j);
		return SW_OK;
	}
	memcpy(why, j->why, sizeof(why));
	if (j->cache != NULL && !atomic_load(&j->cancelled) &&
	    load(j, j->cache, j->stale_max_s) == SW_OK)
		return SW_OK;
	snprintf(j->why, sizeof(j->why), "the directory of the mixnet could "
	    "not be asked: %.128s; %s", why[0] != '\0' ? why : sw_strerror(r),
	    r == SW_ERR_AUTH ? "give its authority with --tls-ca FILE" :
	    "try again, or name another with --directory URL");
	return r;
}

static void *
run(void *arg)
{
	struct netdir_job *j = arg;
	const uint64_t one = 1;

	j->err = look_up(j);
	atomic_store(&j->done, true);
	(void)!write(j->notify_fd, &one, sizeof(one));
	netdir_job_unref(j);
	return NULL;
}

int
netdir_job_start(struct netdir_job *j)
{
	atomic_fetch_add(&j->refs, 1);
	if (detached_start_deaf(run, j))
		return SW_OK;
	atomic_fetch_sub(&j->refs, 1);
	return SW_ERR_SYS;
}
