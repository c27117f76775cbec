/*
 * vec.h - reads the files of tests/vectors: records of "name = value" lines, parted
 * by empty lines; # starts a comment line.  Values are hex, or decimal.
 * Any oddity of the file is a failed test.
 */
#ifndef SW_TESTS_VEC_H
#define SW_TESTS_VEC_H

#include <assert.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define VEC_FIELDS 64

struct vec {
	FILE *f;
	size_t n;			/* fields of the present record */
	char *line[VEC_FIELDS];		/* name, NUL, value, NUL */
	char *value[VEC_FIELDS];
};

static inline void
vec_open(struct vec *v, const char *name)
{
	char path[256];

	memset(v, 0, sizeof(*v));
	snprintf(path, sizeof(path), "tests/vectors/%s", name);
	v->f = fopen(path, "re");
	if (v->f == NULL) {
		perror(path);
		abort();
	}
}

static inline void
vec_clear(struct vec *v)
{
	for (size_t i = 0; i < v->n; i++)
		free(v->line[i]);
	v->n = 0;
}

static inline void
vec_close(struct vec *v)
{
	vec_clear(v);
	fclose(v->f);
}

/* Read the next record; false at the end of the file. */
static inline bool
vec_next(struct vec *v)
{
	char *line = NULL, *eq;
	size_t cap = 0;
	ssize_t n;

	vec_clear(v);
	while ((n = getline(&line, &cap, v->f)) > 0) {
		if (line[n - 1] == '\n')
			line[n - 1] = '\0';
		if (line[0] == '#')
			continue;
		if (line[0] == '\0') {
			if (v->n > 0)
				break;
			continue;
		}
		eq = strstr(line, " =");
		assert(eq != NULL && v->n < VEC_FIELDS);
		*eq = '\0';
		v->line[v->n] = line;
		v->value[v->n++] = eq + (eq[2] == ' ' ? 3 : 2);
		line = NULL;
		cap = 0;
	}
	free(line);
	return v->n > 0;
}

/* The text of a field; NULL if the record has none of that name. */
static inline const char *
vec_text(const struct vec *v, const char *name)
{
	for (size_t i = 0; i < v->n; i++)
		if (strcmp(v->line[i], name) == 0)
			return v->value[i];
	return NULL;
}

static inline uint64_t
vec_num(const struct vec *v, const char *name)
{
	const char *s = vec_text(v, name);

	if (s == NULL) {
		fprintf(stderr, "vector has no \"%s\"\n", name);
		abort();
	}
	return strtoull(s, NULL, 10);
}

/* Decode a hex field into `out`; its length. */
static inline size_t
vec_bytes(const struct vec *v, const char *name, void *out, size_t cap)
{
	const char *s = vec_text(v, name);
	uint8_t *p = out;
	unsigned byte;
	size_t n;

	if (s == NULL) {
		fprintf(stderr, "vector has no \"%s\"\n", name);
		abort();
	}
	n = strlen(s) / 2;
	assert(strlen(s) % 2 == 0 && n <= cap);
	for (size_t i = 0; i < n; i++) {
		if (sscanf(s + 2 * i, "%2x", &byte) != 1)
			abort();
		p[i] = (uint8_t)byte;
	}
	return n;
}

/* The same from a string in the test's own text. */
static inline size_t
vec_hex(const char *hex, void *out, size_t cap)
{
	struct vec v = { .n = 1 };
	char name[] = "x";

	v.line[0] = name;
	v.value[0] = (char *)(uintptr_t)hex;
	return vec_bytes(&v, "x", out, cap);
}

/* Go on to the next record of this kind, if there is one. */
static inline bool
vec_next_kind(struct vec *v, const char *kind)
{
	while (vec_next(v))
		if (strcmp(vec_text(v, "kind"), kind) == 0)
			return true;
	return false;
}

/* The message of n bytes that the vectors' program takes where it has to have
 * any. */
static inline void
vec_pattern(uint8_t *m, size_t n)
{
	for (size_t i = 0; i < n; i++)
		m[i] = (uint8_t)(31 * i + 7);
}

#endif
