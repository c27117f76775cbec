#include "preload/start_proto.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The members that are plain text or yes/no, by their key. */
static const struct {
	const char *key;
	size_t at, size;
} texts[] = {
	{ "via", offsetof(struct start, via), sizeof(((struct start *)0)->via) },
	{ "identity", offsetof(struct start, identity),
	    sizeof(((struct start *)0)->identity) },
	{ "known-hosts", offsetof(struct start, known_hosts),
	    sizeof(((struct start *)0)->known_hosts) },
	{ "dns", offsetof(struct start, dns), sizeof(((struct start *)0)->dns) },
	{ "name", offsetof(struct start, name),
	    sizeof(((struct start *)0)->name) },
};
static const struct {
	const char *key;
	size_t at;
} flags[] = {
	{ "stay", offsetof(struct start, stay) },
	{ "no-drain", offsetof(struct start, no_drain) },
	{ "no-loopback", offsetof(struct start, no_loopback) },
	{ "wait", offsetof(struct start, wait) },
	{ "verbose", offsetof(struct start, verbose) },
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

	for (size_t i = 0; i < N(texts); i++) {
		const char *v = (const char *)s + texts[i].at;

		if (*v != '\0')
			ok = ok && add(buf, len, &used, texts[i].key, v);
	}
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
set(struct start *s, const char *key, const char *value)
{
	for (size_t i = 0; i < N(texts); i++)
		if (strcmp(key, texts[i].key) == 0) {
			size_t n = strlen(value);

			if (n >= texts[i].size)
				return SW_ERR_FORMAT;
			memcpy((char *)s + texts[i].at, value, n + 1);
			return SW_OK;
		}
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
	char why[128];

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
	return tunnel_url_parse(&s->url, s->via, why) == SW_OK ? SW_OK :
	    SW_ERR_FORMAT;
}
