#include "preload/parts.h"

#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

bool
parts_find(char *buf, size_t len, const char *name, const char *installed_dir)
{
	char self[PATH_MAX];
	ssize_t n = readlink("/proc/self/exe", self, sizeof(self) - 1);
	char *slash;
	int used;

	if (n > 0) {
		self[n] = '\0';
		if ((slash = strrchr(self, '/')) != NULL) {
			*slash = '\0';
			used = snprintf(buf, len, "%s/%s", self, name);
			if (used > 0 && (size_t)used < len &&
			    access(buf, F_OK) == 0)
				return true;
		}
	}
	used = snprintf(buf, len, "%s/%s", installed_dir, name);
	return used > 0 && (size_t)used < len;
}
