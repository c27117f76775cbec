#include "base/log.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/sys.h"

static struct {
	int fd;
	enum log_level level;
	const char *tag;
} state = { .fd = -1 };

void
log_open(int fd, enum log_level level, const char *tag)
{
	state.fd = fd;
	state.level = level;
	state.tag = tag;
}

int
log_level_parse(const char *word)
{
	static const char *const names[] = { "err", "warn", "info", "debug" };

	for (int i = 0; i < 4; i++)
		if (strcmp(word, names[i]) == 0)
			return i;
	return -1;
}

void
log_line(enum log_level level, const char *fmt, ...)
{
	char line[512];
	va_list ap;
	int saved = errno;
	int used, n;

	if (state.fd < 0 || level > state.level)
		return;
	used = snprintf(line, sizeof(line), "%s: ", state.tag);
	if (used < 0 || (size_t)used >= sizeof(line) - 1)
		used = 0;
	va_start(ap, fmt);
	n = vsnprintf(line + used, sizeof(line) - (size_t)used - 1, fmt, ap);
	va_end(ap);
	if (n > 0) {
		size_t end = (size_t)used + (size_t)n;

		if (end > sizeof(line) - 2)
			end = sizeof(line) - 2;
		line[end++] = '\n';
		(void)sys_write(state.fd, line, end);
	}
	errno = saved;
}
