#include "preload/environ.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

static bool
is_var(const char *entry, const char *name)
{
	size_t n = strlen(name);

	return strncmp(entry, name, n) == 0 && entry[n] == '=';
}

bool
environ_may_preload(const char *path)
{
	/* '$' would be taken for a token such as $LIB. */
	return strpbrk(path, " :\t\n$") == NULL;
}

/* The user's list without our library, which leads the new one. */
static char *
preload_list(const char *ours, const char *theirs)
{
	size_t room = strlen("LD_PRELOAD=") + strlen(ours) + 2 + strlen(theirs);
	char *list = malloc(room), *end;

	if (list == NULL)
		return NULL;
	end = list + sprintf(list, "LD_PRELOAD=%s", ours);
	while (*theirs != '\0') {
		size_t n = strcspn(theirs, " :");

		if (n > 0 && (n != strlen(ours) ||
		    strncmp(theirs, ours, n) != 0)) {
			*end++ = ':';
			memcpy(end, theirs, n);
			end += n;
		}
		theirs += n;
		theirs += strspn(theirs, " :");
	}
	*end = '\0';
	return list;
}

static const char *
word_of_listen(enum options_listen l)
{
	switch (l) {
	case LISTEN_DENY: return "deny";
	case LISTEN_TUNNEL: return "tunnel";
	case LISTEN_OPEN: return "open";
	case LISTEN_LOOPBACK: break;
	}
	return "loopback";
}

static const char *
word_of_stack(enum options_stack k)
{
	switch (k) {
	case STACK_THREAD: return "thread";
	case STACK_SESSION: return "session";
	case STACK_AUTO: break;
	}
	return "auto";
}

char **
environ_build(char *const *old, const struct environ_facts *f)
{
	static const char *const ours[] = {
		"LD_PRELOAD", "SMOLWRAP_CTL", "SMOLWRAP_PATH",
		"SMOLWRAP_POLICY",
	};
	const char *theirs = "";
	const struct options *o = f->options;
	char *ctl = NULL, *path = NULL, *policy = NULL, *list;
	char **new;
	size_t n = 0, at = 0;

	while (old[n] != NULL)
		n++;
	new = malloc((n + 5) * sizeof(*new));
	if (new == NULL)
		return NULL;
	for (size_t i = 0; i < n; i++) {
		bool skip = false;

		for (size_t k = 0; k < sizeof(ours) / sizeof(ours[0]); k++)
			skip |= is_var(old[i], ours[k]);
		if (is_var(old[i], "LD_PRELOAD"))
			theirs = old[i] + strlen("LD_PRELOAD=");
		if (!skip)
			new[at++] = old[i];
	}
	list = f->library != NULL ? preload_list(f->library, theirs) : NULL;
	if ((list == NULL && f->library != NULL) ||
	    asprintf(&ctl, "SMOLWRAP_CTL=%d:%llu", f->ctl_fd,
		(unsigned long long)f->ctl_ino) < 0 ||
	    asprintf(&path, "SMOLWRAP_PATH=%s", f->path) < 0 ||
	    asprintf(&policy, "SMOLWRAP_POLICY=listen=%s,stack=%s,"
		"ipv6=1,labels=1,loopback=%d%s%s", word_of_listen(o->listen),
		word_of_stack(o->stack),
		!o->no_loopback, o->strict ? ",strict=1" : "",
		f->isolated ? ",isolated=1" : "") < 0) {
		/* What asprintf() could not write stays NULL or is left over
		 * for a caller that gives up anyway. */
		free(list);
		free(new);
		return NULL;
	}
	if (list != NULL)
		new[at++] = list;
	new[at++] = ctl;
	new[at++] = path;
	new[at++] = policy;
	new[at] = NULL;
	return new;
}

static bool
is_here(const char *url)
{
	const char *scheme = strstr(url, "://");
	const char *host = scheme != NULL ? scheme + 3 : url;
	size_t n = strcspn(host, "/");
	const char *at = memrchr(host, '@', n);

	if (at != NULL)
		host = at + 1;
	return strncmp(host, "127.", 4) == 0 ||
	    strncmp(host, "[::1]", 5) == 0 ||
	    (strncasecmp(host, "localhost", 9) == 0 &&
	    strchr(":/", host[9]) != NULL);
}

const char *
environ_local_proxy(char *const *env)
{
	for (; *env != NULL; env++) {
		const char *value = strchr(*env, '=');

		if (value != NULL && value - *env > 6 &&
		    strncasecmp(value - 6, "_proxy", 6) == 0 &&
		    strncasecmp(*env, "no_proxy=", 9) != 0 &&
		    is_here(value + 1))
			return *env;
	}
	return NULL;
}
