#include "mix/identity.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/wipe.h"

#define PATH_LEN 4096

static int
complain(char why[static IDENTITY_WHY_LEN], int code, const char *what,
    const char *path, const char *reason)
{
	snprintf(why, IDENTITY_WHY_LEN, "%s identity file \"%.120s\": %s",
	    what, path, reason);
	return code;
}

static int
check(int fd, const char *path, char why[static IDENTITY_WHY_LEN])
{
	struct stat st;

	if (fstat(fd, &st) != 0 || !S_ISREG(st.st_mode))
		return complain(why, SW_ERR_DENIED, "cannot use", path,
		    "it is not a file");
	if (st.st_uid != geteuid())
		return complain(why, SW_ERR_DENIED, "cannot use", path,
		    "it belongs to another user");
	if ((st.st_mode & (S_IRWXG | S_IRWXO)) != 0)
		return complain(why, SW_ERR_DENIED, "cannot use", path,
		    "others may read it; run chmod 600 on it");
	return SW_OK;
}

static int
load(int fd, struct identity *id, const char *path,
    char why[static IDENTITY_WHY_LEN])
{
	char text[IDENTITY_TEXT_MAX];
	size_t n = 0;
	ssize_t got;
	int r;

	while (n < sizeof(text) &&
	    (got = read(fd, text + n, sizeof(text) - n)) > 0)
		n += (size_t)got;
	r = identity_parse(id, text, n);
	sw_wipe(text, sizeof(text));
	return r == SW_OK ? r : complain(why, r, "cannot use", path,
	    "it is not one that smolwrap wrote");
}

int
identity_load(struct identity *id, const char *path,
    char why[static IDENTITY_WHY_LEN])
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK), r;

	memset(id, 0, sizeof(*id));
	if (fd < 0 && errno == ENOENT)
		return SW_ERR_NO_NAME;
	if (fd < 0)
		return complain(why, SW_ERR_SYS, "could not read", path,
		    strerror(errno));
	if ((r = check(fd, path, why)) == SW_OK)
		r = load(fd, id, path, why);
	close(fd);
	return r;
}

/* Beside it first; mkostemp() makes files that are ours alone. */
static bool
write_beside(char *beside, const char *text, size_t n)
{
	int fd = mkostemp(beside, O_CLOEXEC);
	bool ok;

	if (fd < 0)
		return false;
	ok = write(fd, text, n) == (ssize_t)n && fsync(fd) == 0;
	return close(fd) == 0 && ok;
}

int
identity_store(const struct identity *id, const char *path,
    char why[static IDENTITY_WHY_LEN])
{
	char text[IDENTITY_TEXT_MAX], beside[PATH_LEN];
	int n = snprintf(beside, sizeof(beside), "%s.XXXXXX", path), e = 0;

	if (n < 0 || (size_t)n >= sizeof(beside))
		return complain(why, SW_ERR_SYS, "could not write", path,
		    "its path is too long");
	if (!write_beside(beside, text, identity_format(id, text)) ||
	    rename(beside, path) != 0) {
		e = errno;
		unlink(beside);
	}
	sw_wipe(text, sizeof(text));
	return e == 0 ? SW_OK : complain(why, SW_ERR_SYS, "could not write",
	    path, strerror(e));
}
