#include "preload/session_resolv.h"

#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define FILE_MAX 16384

/* A line of `len` bytes; nothing comes of one that is not for us. */
static void
take_line(struct resolv *r, const char *line, size_t len)
{
	static const char word[] = "nameserver";
	const char *p = line + sizeof(word) - 1;
	char value[SW_ADDR_TEXT_LEN];
	size_t n;

	if (len <= sizeof(word) || memcmp(line, word, sizeof(word) - 1) != 0 ||
	    (*p != ' ' && *p != '\t'))
		return;
	p += strspn(p, " \t");
	n = strcspn(p, " \t\r\n%#;");		/* '%': a zone */
	if (n == 0 || n >= sizeof(value) || r->n == RESOLV_SERVERS_MAX)
		return;
	memcpy(value, p, n);
	value[n] = '\0';
	if (addr_parse_ip(&r->servers[r->n], value) == SW_OK)
		r->n++;
}

void
resolv_parse(struct resolv *r, const char *text)
{
	r->n = 0;
	while (*text != '\0') {
		size_t len = strcspn(text, "\n");

		take_line(r, text, len);
		text += len;
		text += *text == '\n';
	}
}

static void
look(struct resolv *r)
{
	char text[FILE_MAX];
	struct stat st;
	ssize_t n;
	int fd;

	if (stat(RESOLV_FILE, &st) != 0) {
		r->n = 0;
		return;
	}
	if (r->ino == st.st_ino && r->mtime.tv_sec == st.st_mtim.tv_sec &&
	    r->mtime.tv_nsec == st.st_mtim.tv_nsec)
		return;
	fd = open(RESOLV_FILE, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	if (fd < 0)
		return;
	n = read(fd, text, sizeof(text) - 1);
	close(fd);
	if (n < 0)
		return;
	text[n] = '\0';
	resolv_parse(r, text);
	r->ino = st.st_ino;
	r->mtime = st.st_mtim;
}

bool
resolv_has(struct resolv *r, const struct sw_addr *a, int64_t now_ms)
{
	if (r->looked_ms == 0 || now_ms - r->looked_ms >= 1000) {
		r->looked_ms = now_ms;
		look(r);
	}
	for (size_t i = 0; i < r->n; i++)
		if (addr_same_ip(&r->servers[i], a))
			return true;
	return false;
}
