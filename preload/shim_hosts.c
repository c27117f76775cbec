#include "preload/shim_hosts.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

#include "base/sys.h"

#define READ_STEP 8192
#define READ_MAX (16u << 20)	/* block lists reach a few MiB */

int
hosts_open(struct hosts *h, const char *path)
{
	size_t room = READ_STEP;
	long fd;

	*h = (struct hosts){ 0 };
	fd = sys_call6(SYS_openat, AT_FDCWD, (long)path, O_RDONLY | O_CLOEXEC,
	    0, 0, 0);
	if (fd < 0)
		return SW_OK;
	if ((h->text = malloc(room + 1)) == NULL)
		goto nomem;
	for (;;) {
		ssize_t n = sys_read((int)fd, h->text + h->len, room - h->len);

		if (n <= 0)
			break;
		h->len += (size_t)n;
		if (h->len == room) {
			char *more;

			if (room >= READ_MAX)
				break;
			if ((more = realloc(h->text, room * 2 + 1)) == NULL)
				goto nomem;
			h->text = more;
			room *= 2;
		}
	}
	sys_close((int)fd);
	return SW_OK;
nomem:
	sys_close((int)fd);
	hosts_close(h);
	return SW_ERR_NOMEM;
}

void
hosts_open_text(struct hosts *h, char *text, size_t len)
{
	*h = (struct hosts){ .text = text, .len = len };
}

void
hosts_close(struct hosts *h)
{
	free(h->text);
	*h = (struct hosts){ 0 };
}

const char *
hosts_name_after(const char *name)
{
	return name + strlen(name) + 1;
}

static char
lower(char c)
{
	return c >= 'A' && c <= 'Z' ? (char)(c + ('a' - 'A')) : c;
}

bool
hosts_same_name(const char *a, const char *b)
{
	while (*a != '\0' && lower(*a) == lower(*b)) {
		a++;
		b++;
	}
	if (*a == '.' && a[1] == '\0')
		a++;
	if (*b == '.' && b[1] == '\0')
		b++;
	return *a == '\0' && *b == '\0';
}

bool
hosts_line_names(const struct hosts_line *line, const char *name)
{
	const char *s = line->names;

	for (size_t i = 0; i < line->n; i++, s = hosts_name_after(s))
		if (hosts_same_name(s, name))
			return true;
	return false;
}

static bool
is_blank(char c)
{
	return c == ' ' || c == '\t' || c == '\r' || c == '\v' || c == '\f';
}

/* Cut text[at..] up to the newline into words, packed at the line's start. */
static bool
next_words(struct hosts *h, char **words, size_t *n)
{
	char *out, *p, *end;

	if (h->text == NULL || h->at >= h->len)
		return false;
	p = out = *words = h->text + h->at;
	end = memchr(p, '\n', h->len - h->at);
	if (end == NULL)
		end = h->text + h->len;
	h->at = (size_t)(end - h->text) + 1;

	*n = 0;
	while (p < end && *p != '#' && *p != '\0') {
		if (is_blank(*p)) {
			p++;
			continue;
		}
		while (p < end && !is_blank(*p) && *p != '#' && *p != '\0')
			*out++ = *p++;
		/* A comment may touch a word: "name#note" has no room for a
		 * NUL besides the '#' itself, which must then end the line. */
		if (p < end && (*p == '#' || *p == '\0'))
			end = p;
		*out++ = '\0';
		(*n)++;
		p++;
	}
	return true;
}

bool
hosts_next_words(struct hosts *h, const char **words, size_t *n)
{
	char *w;

	while (next_words(h, &w, n)) {
		*words = w;
		if (*n > 0)
			return true;
	}
	return false;
}

bool
hosts_next(struct hosts *h, struct hosts_line *line)
{
	const char *words;
	size_t n;

	while (hosts_next_words(h, &words, &n)) {
		if (n < 2 || addr_parse_ip(&line->addr, words) != SW_OK)
			continue;
		line->names = hosts_name_after(words);
		line->n = n - 1;
		return true;
	}
	return false;
}
