#include "preload/say.h"

#include <errno.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>

#include "base/sys.h"

void
say(const char *fmt, ...)
{
	static const char prefix[] = "smolwrap: ";
	char line[SAY_MAX];
	size_t end = sizeof(prefix) - 1;
	int saved = errno, n;
	va_list ap;

	for (size_t i = 0; i < end; i++)
		line[i] = prefix[i];
	va_start(ap, fmt);
	n = vsnprintf(line + end, sizeof(line) - end - 1, fmt, ap);
	va_end(ap);
	if (n < 0)
		return;
	end += (size_t)n;
	if (end > sizeof(line) - 2)
		end = sizeof(line) - 2;
	for (size_t i = 0; i < end; i++)
		if ((unsigned char)line[i] < ' ' || line[i] == 0x7f)
			line[i] = '?';
	line[end++] = '\n';
	(void)sys_write(2, line, end);
	errno = saved;
}
