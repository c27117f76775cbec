#include "preload/config.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static char *
trim(char *s)
{
	char *end;

	s += strspn(s, " \t\r");
	end = s + strlen(s);
	while (end > s && strchr(" \t\r", end[-1]) != NULL)
		*--end = '\0';
	return s;
}

/*
 * One pass over a copy-free text: lines of the wanted section (NULL: those
 * before any section) are given to options_set().
 */
static int
pass(struct options *o, char **lines, size_t n, const char *section,
    bool *found, char why[static 256])
{
	bool here = section == NULL;

	for (size_t i = 0; i < n; i++) {
		char *key = lines[i], *value;
		char bad[256];
		bool had_equals;

		if (*key == '\0' || *key == '#')
			continue;
		if (*key == '[') {
			size_t len = strlen(key);

			if (key[len - 1] != ']') {
				snprintf(why, 256, "line %zu: \"[\" without "
				    "\"]\"", i + 1);
				return SW_ERR_CONFIG;
			}
			here = section != NULL &&
			    strlen(section) == len - 2 &&
			    strncmp(key + 1, section, len - 2) == 0;
			*found |= here;
			continue;
		}
		if (!here)
			continue;
		/* An earlier pass may have cut the line already, never this
		 * one: each line belongs to one section. */
		value = key + strcspn(key, " \t=");
		had_equals = *value == '=';
		if (*value != '\0')
			*value++ = '\0';
		value = trim(value);
		if (*value == '=' && !had_equals)
			value = trim(value + 1);
		if (*value == '\0') {
			snprintf(why, 256, "line %zu: key without a value",
			    i + 1);
			return SW_ERR_CONFIG;
		}
		if (options_set(o, key, value, bad) != SW_OK) {
			snprintf(why, 256, "line %zu: %.200s", i + 1, bad);
			return SW_ERR_CONFIG;
		}
	}
	return SW_OK;
}

int
config_parse(struct options *o, char *text, char why[static 256])
{
	char *lines[1024];
	size_t n = 0;
	bool found = false;
	int r;

	while (text != NULL) {
		char *line = strsep(&text, "\n");

		if (n == sizeof(lines) / sizeof(lines[0])) {
			snprintf(why, 256, "more than %zu lines", n);
			return SW_ERR_CONFIG;
		}
		lines[n++] = trim(line);
	}
	if (o->profile != NULL) {
		o->reading = FROM_SECTION;
		if ((r = pass(o, lines, n, o->profile, &found, why)) != SW_OK)
			return r;
		if (!found) {
			snprintf(why, 256, "no section [%.100s]", o->profile);
			return SW_ERR_CONFIG;
		}
		/* Several lines of one part nest; parts do not mix. */
		o->via_is_closed |= o->via_n > 0;
	}
	o->reading = FROM_FILE;
	return pass(o, lines, n, NULL, &found, why);
}

static bool
config_path(char *buf, size_t len)
{
	const char *home = getenv("XDG_CONFIG_HOME");
	int n;

	if (home != NULL && *home == '/')
		n = snprintf(buf, len, "%s/smolwrap/config", home);
	else if ((home = getenv("HOME")) != NULL && *home == '/')
		n = snprintf(buf, len, "%s/.config/smolwrap/config", home);
	else {
		errno = ENOENT;
		return false;
	}
	return n > 0 && (size_t)n < len;
}

int
config_read(struct options *o, char why[static 256])
{
	char path[1024], bad[256];
	char *text;
	size_t used = 0;
	ssize_t n;
	int fd;

	if (!config_path(path, sizeof(path)) ||
	    (fd = open(path, O_RDONLY | O_CLOEXEC)) < 0) {
		if (o->profile == NULL && (errno == ENOENT || errno == ENOTDIR))
			return SW_OK;
		snprintf(why, 256, "could not read the configuration \"%.150s\": "
		    "%s", path, strerror(errno));
		return SW_ERR_CONFIG;
	}
	if ((text = malloc(CONFIG_MAX + 1)) == NULL) {
		close(fd);
		snprintf(why, 256, "out of memory");
		return SW_ERR_CONFIG;
	}
	while ((n = read(fd, text + used, CONFIG_MAX - used)) > 0)
		used += (size_t)n;
	close(fd);
	text[used] = '\0';
	if (n < 0 || used == CONFIG_MAX) {
		snprintf(why, 256, "could not read the configuration \"%.150s\": "
		    "%s", path, n < 0 ? strerror(errno) : "too long");
		free(text);
		return SW_ERR_CONFIG;
	}
	if (config_parse(o, text, bad) != SW_OK) {
		snprintf(why, 256, "configuration \"%.100s\", %.100s", path, bad);
		free(text);
		return SW_ERR_CONFIG;
	}
	return SW_OK;		/* the strings in `o` point into the text */
}
