#include "preload/start_proto.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The members that are yes or no, by their key. */
static const struct {
	const char *key;
	size_t at;
} flags[] = {
	{ "stay", offsetof(struct start, stay) },
	{ "no-drain", offsetof(struct start, no_drain) },
	{ "no-loopback", offsetof(struct start, no_loopback) },
	{ "listen-open", offsetof(struct start, listen_open) },
	{ "wait", offsetof(struct start, wait) },
	{ "verbose", offsetof(struct start, verbose) },
	{ "insecure", offsetof(struct start, insecure) },
};

#define N(a) (sizeof(a) / sizeof((a)[0]))

static bool
add(char *buf, size_t len, size_t *used, const char *key, const char *value)
{
	int n = snprintf(buf + *used, len - *used, "%s %s\n", key, value);

	if (n < 0 || (size_t)n >= len - *used || strchr(value, '\n') != NULL)
		return false;
	*used += (size_t)n;
	return true;
}

size_t
start_write(const struct start *s, char *buf, size_t len)
{
	char value[128];
	size_t used = 0;
	bool ok = true;

	for (size_t i = 0; i < s->via_n; i++)
		ok = ok && add(buf, len, &used, "via", s->via[i]);
	for (int i = 0; i < OPTIONS_TEXTS; i++)
		if (*s->texts[i] != '\0')
			ok = ok && add(buf, len, &used, options_texts[i].name,
			    s->texts[i]);
	if (*s->name != '\0')
		ok = ok && add(buf, len, &used, "name", s->name);
	for (size_t i = 0; i < s->local_n; i++)
		ok = ok && add(buf, len, &used, "local", s->local[i]);
	for (size_t i = 0; i < s->remote_n; i++)
		ok = ok && add(buf, len, &used, "remote", s->remote[i]);
	for (size_t i = 0; i < N(flags); i++) {
		bool on;

		memcpy(&on, (const char *)s + flags[i].at, sizeof(on));
		if (on)
			ok = ok && add(buf, len, &used, flags[i].key, "1");
	}
	snprintf(value, sizeof(value), "%d", s->pid);
	ok = ok && add(buf, len, &used, "pid", value);
	for (size_t i = 0; i < s->publish_n; i++) {
		const struct options_publish *p = &s->publish[i];
		bool v6 = strchr(p->bind, ':') != NULL;

		snprintf(value, sizeof(value), "%s%s%s%s%u:%u", v6 ? "[" : "",
		    p->bind, v6 ? "]" : "", *p->bind != '\0' ? ":" : "",
		    p->port, p->local);
		ok = ok && add(buf, len, &used, "publish", value);
	}
	return ok ? used : 0;
}

static int
copy(char *dst, size_t cap, const char *value)
{
	size_t n = strlen(value);

	if (n >= cap)
		return SW_ERR_FORMAT;
	memcpy(dst, value, n + 1);
	return SW_OK;
}

static int
add_via(struct start *s, const char *value)
{
	char why[128];

	if (s->via_n == OPTIONS_VIA_MAX ||
	    copy(s->via[s->via_n], sizeof(s->via[0]), value) != SW_OK ||
	    tunnel_url_parse(&s->url[s->via_n], value, why) != SW_OK)
		return SW_ERR_FORMAT;
	s->via_n++;
	return SW_OK;
}

static int
add_forward(char list[OPTIONS_FORWARD_MAX][FORWARD_TEXT_MAX], size_t *n,
    const char *value, bool remote)
{
	struct forward_spec f;

	if (*n == OPTIONS_FORWARD_MAX ||
	    forward_spec_parse(&f, value, remote) != SW_OK ||
	    copy(list[*n], FORWARD_TEXT_MAX, value) != SW_OK)
		return SW_ERR_FORMAT;
	(*n)++;
	return SW_OK;
}

static int
set(struct start *s, const char *key, const char *value)
{
	for (int i = 0; i < OPTIONS_TEXTS; i++)
		if (strcmp(key, options_texts[i].name) == 0)
			return copy(s->texts[i], sizeof(s->texts[i]), value);
	if (strcmp(key, "via") == 0)
		return add_via(s, value);
	if (strcmp(key, "name") == 0)
		return copy(s->name, sizeof(s->name), value);
	if (strcmp(key, "local") == 0)
		return add_forward(s->local, &s->local_n, value, false);
	if (strcmp(key, "remote") == 0)
		return add_forward(s->remote, &s->remote_n, value, true);
	for (size_t i = 0; i < N(flags); i++)
		if (strcmp(key, flags[i].key) == 0) {
			bool on = strcmp(value, "1") == 0;

			memcpy((char *)s + flags[i].at, &on, sizeof(on));
			return SW_OK;
		}
	if (strcmp(key, "pid") == 0) {
		char *end;
		long pid = strtol(value, &end, 10);

		if (*end != '\0' || pid < 0 || pid > INT32_MAX)
			return SW_ERR_FORMAT;
		s->pid = (int32_t)pid;
		return SW_OK;
	}
	if (strcmp(key, "publish") == 0) {
		if (s->publish_n == OPTIONS_PUBLISH_MAX ||
		    options_parse_publish(&s->publish[s->publish_n], value) !=
		    SW_OK)
			return SW_ERR_FORMAT;
		s->publish_n++;
		return SW_OK;
	}
	return SW_ERR_FORMAT;
}

int
start_read(struct start *s, const char *text, size_t len)
{
	const char *end = text + len;

	memset(s, 0, sizeof(*s));
	while (text < end) {
		char line[START_MSG_MAX];
		const char *nl = memchr(text, '\n', (size_t)(end - text));
		char *value;

		if (nl == NULL || (size_t)(nl - text) >= sizeof(line))
			return SW_ERR_FORMAT;
		memcpy(line, text, (size_t)(nl - text));
		line[nl - text] = '\0';
		text = nl + 1;
		if ((value = strchr(line, ' ')) == NULL)
			return SW_ERR_FORMAT;
		*value++ = '\0';
		if (set(s, line, value) != SW_OK)
			return SW_ERR_FORMAT;
	}
	return s->via_n > 0 ? SW_OK : SW_ERR_FORMAT;
}
