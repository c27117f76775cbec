#include "transport/hosts.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "stack/names.h"

#define HOSTS_MAX 65536

struct entry {
	char *name;
	struct sw_addr addr;
};

struct hosts {
	struct entry *entry;
	size_t n, room;
};

static void
add(struct hosts *h, const char *word, const struct sw_addr *a)
{
	char name[DIAL_HOST_MAX + 1];

	if (names_normalise(word, strlen(word), name) != SW_OK ||
	    h->n >= HOSTS_MAX)
		return;
	if (h->n == h->room) {
		size_t room = h->room == 0 ? 32 : h->room * 2;
		struct entry *e = realloc(h->entry, room * sizeof(*e));

		if (e == NULL)
			return;
		h->entry = e;
		h->room = room;
	}
	if ((h->entry[h->n].name = strdup(name)) != NULL)
		h->entry[h->n++].addr = *a;
}

static void
add_line(struct hosts *h, char *line)
{
	char *save = NULL, *word;
	struct sw_addr a;

	line[strcspn(line, "#\r\n")] = '\0';
	word = strtok_r(line, " \t", &save);
	if (word == NULL || addr_parse_ip(&a, word) != SW_OK)
		return;
	while ((word = strtok_r(NULL, " \t", &save)) != NULL)
		add(h, word, &a);
}

struct hosts *
hosts_new(const char *path)
{
	struct hosts *h = calloc(1, sizeof(*h));
	FILE *f = path == NULL ? NULL : fopen(path, "re");
	char *line = NULL;
	size_t room = 0;

	if (f != NULL) {
		while (h != NULL && getline(&line, &room, f) > 0)
			add_line(h, line);
		free(line);
		fclose(f);
	}
	return h;
}

void
hosts_free(struct hosts *h)
{
	if (h == NULL)
		return;
	for (size_t i = 0; i < h->n; i++)
		free(h->entry[i].name);
	free(h->entry);
	free(h);
}

size_t
hosts_find(const struct hosts *h, const char *name, struct sw_addr *out,
    size_t max)
{
	size_t n = 0;

	for (size_t i = 0; i < h->n && n < max; i++)
		if (strcmp(h->entry[i].name, name) == 0)
			out[n++] = h->entry[i].addr;
	return n;
}
