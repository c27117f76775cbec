#include "transport/serve_keyfile.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/log.h"

/* How ssh-keygen -k begins a file. */
static const char krl_magic[] = "SSHKRL\n";

static void
on_line(void *arg, unsigned line, bool is_error, const char *words)
{
	if (is_error)
		log_err("%s:%u: %s", (const char *)arg, line, words);
	else
		log_warn("%s:%u: %s", (const char *)arg, line, words);
}

static int
add_file(struct serve_keys *k, const struct serve_keys_file *f)
{
	int fd = open(f->path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
	struct stat st;
	char *text = NULL;
	ssize_t n = -1;
	int r = SW_ERR_SYS;

	if (fd >= 0 && fstat(fd, &st) == 0 &&
	    st.st_size <= (off_t)SERVE_AUTHKEYS_MAX &&
	    (text = malloc((size_t)st.st_size + 1)) != NULL)
		n = read(fd, text, (size_t)st.st_size);
	if (n < 0)
		log_err("could not read \"%s\": %s", f->path,
		    fd < 0 ? strerror(errno) : "too large");
	else if ((size_t)n >= sizeof(krl_magic) - 1 &&
	    memcmp(text, krl_magic, sizeof(krl_magic) - 1) == 0)
		log_err("\"%s\" is a binary list of revocations; give a file "
		    "with the keys, one a line", f->path);
	else
		r = serve_keys_add(k, text, (size_t)n, f->kind, on_line, f->path);
	free(text);
	if (fd >= 0)
		close(fd);
	return r;
}

static bool
lets_nobody_in(const struct serve_keys *k)
{
	for (size_t i = 0; i < k->n; i++)
		if (!k->grant[i].is_revoked)
			return false;
	return true;
}

struct serve_keys *
serve_keys_read(const struct serve_keys_file *files, size_t n)
{
	struct serve_keys *k = serve_keys_new();
	int r = k == NULL ? SW_ERR_NOMEM : SW_OK;

	for (size_t i = 0; i < n && r == SW_OK; i++)
		r = add_file(k, &files[i]);
	if (r != SW_OK) {
		serve_keys_unref(k);
		return NULL;
	}
	if (lets_nobody_in(k))
		log_warn("no key may log in");
	return k;
}
