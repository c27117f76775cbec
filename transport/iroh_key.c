#include "transport/iroh_key.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/wipe.h"
#include "transport/iroh_id.h"

#define FILE_MAX 128		/* 64 digits, and room for blanks */

/* A seed is written and read like an id: the texts are the same. */
static int
parse(uint8_t seed[static IROH_SEED_LEN], char *text, size_t n)
{
	struct iroh_id id;
	int r;

	while (n > 0 && strchr(" \t\r\n", text[n - 1]) != NULL)
		n--;
	r = iroh_id_parse(&id, text, n);
	memcpy(seed, id.key, IROH_SEED_LEN);
	sw_wipe(&id, sizeof(id));
	return r;
}

static int
make(uint8_t seed[static IROH_SEED_LEN], const char *file, char why[static 256])
{
	char text[IROH_ID_TEXT_LEN + 1];
	struct iroh_id id;
	int fd, e = 0;

	if (getrandom(seed, IROH_SEED_LEN, 0) != IROH_SEED_LEN) {
		snprintf(why, 256, "could not draw a key: %s", strerror(errno));
		return SW_ERR_SYS;
	}
	fd = open(file, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (fd < 0) {
		snprintf(why, 256, "could not make key file \"%.100s\": %s",
		    file, strerror(errno));
		return SW_ERR_CONFIG;
	}
	memcpy(id.key, seed, sizeof(id.key));
	iroh_id_text(&id, text);
	text[IROH_ID_TEXT_LEN - 1] = '\n';
	if (write(fd, text, IROH_ID_TEXT_LEN) != IROH_ID_TEXT_LEN ||
	    fsync(fd) != 0)
		e = errno == 0 ? EIO : errno;
	close(fd);
	sw_wipe(&id, sizeof(id));
	sw_wipe(text, sizeof(text));
	if (e == 0)
		return SW_OK;
	unlink(file);
	snprintf(why, 256, "could not write key file \"%.100s\": %s", file,
	    strerror(e));
	return SW_ERR_SYS;
}

static int
read_file(int fd, uint8_t seed[static IROH_SEED_LEN], const char *file,
    char why[static 256])
{
	char text[FILE_MAX];
	struct stat st;
	ssize_t n;
	int r;

	if (fstat(fd, &st) != 0 || (n = read(fd, text, sizeof(text))) < 0) {
		snprintf(why, 256, "could not read key file \"%.100s\": %s",
		    file, strerror(errno));
		return SW_ERR_CONFIG;
	}
	if (S_ISREG(st.st_mode) && (st.st_mode & 077) != 0) {
		snprintf(why, 256, "others may read key file \"%.100s\"; "
		    "chmod 600 it", file);
		r = SW_ERR_CONFIG;
	} else if ((r = parse(seed, text, (size_t)n)) != SW_OK) {
		snprintf(why, 256, "key file \"%.100s\" holds no iroh key: 64 "
		    "hex digits", file);
		r = SW_ERR_CONFIG;
	}
	sw_wipe(text, sizeof(text));
	return r;
}

int
iroh_key_load(uint8_t seed[static IROH_SEED_LEN], const char *file,
    char why[static 256])
{
	int fd, r = SW_OK;

	why[0] = '\0';
	fd = open(file, O_RDONLY | O_CLOEXEC | O_NOCTTY);
	if (fd >= 0) {
		r = read_file(fd, seed, file, why);
		close(fd);
	} else if (errno == ENOENT)
		r = make(seed, file, why);
	else {
		snprintf(why, 256, "could not open key file \"%.100s\": %s",
		    file, strerror(errno));
		r = SW_ERR_CONFIG;
	}
	if (r != SW_OK)
		sw_wipe(seed, IROH_SEED_LEN);
	return r;
}
