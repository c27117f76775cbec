#include "preload/forward_spec.h"

#include <stdbool.h>
#include <string.h>

#define FIELDS_MAX 4

/* A field between colons; brackets are taken off, and make it an address. */
struct field {
	const char *at;
	size_t len;
	bool bracketed;
};

static bool
is_path(const struct field *f)
{
	return !f->bracketed && memchr(f->at, '/', f->len) != NULL;
}

int
forward_is_path(const struct forward_end *e)
{
	return strchr(e->host, '/') != NULL;
}

/* Cut `text` at its colons; the number of fields, 0 when that cannot be. */
static size_t
split(struct field f[static FIELDS_MAX], const char *text)
{
	size_t n = 0;

	for (;;) {
		if (n == FIELDS_MAX)
			return 0;
		f[n].bracketed = *text == '[';
		if (f[n].bracketed) {
			f[n].at = ++text;
			f[n].len = strcspn(text, "]");
			text += f[n].len;
			if (*text++ != ']')
				return 0;
		} else {
			f[n].at = text;
			f[n].len = strcspn(text, ":");
			text += f[n].len;
		}
		n++;
		if (*text == '\0')
			return n;
		if (*text++ != ':')
			return 0;
	}
}

static bool
take_port(uint16_t *out, const struct field *f, unsigned least)
{
	unsigned v = 0;

	if (f->bracketed || f->len == 0 || f->len > 5)
		return false;
	for (size_t i = 0; i < f->len; i++) {
		if (f->at[i] < '0' || f->at[i] > '9')
			return false;
		v = v * 10 + (unsigned)(f->at[i] - '0');
	}
	*out = (uint16_t)v;
	return v >= least && v <= 65535;
}

/* A host name, an address or a path: printable, of some length. */
static bool
take_host(struct forward_end *out, const struct field *f)
{
	if (f->len == 0 || f->len >= sizeof(out->host) || *f->at == '-')
		return false;
	for (size_t i = 0; i < f->len; i++)
		if ((unsigned char)f->at[i] <= ' ' || f->at[i] == 0x7f)
			return false;
	memcpy(out->host, f->at, f->len);
	out->host[f->len] = '\0';
	return true;
}

/* [BIND:]PORT or a path, in n fields. */
static bool
take_listen(struct forward_end *out, const struct field *f, size_t n,
    unsigned least_port)
{
	memset(out, 0, sizeof(*out));
	if (n == 1 && is_path(&f[0]))
		return take_host(out, &f[0]);
	if (n < 1 || n > 2 || !take_port(&out->port, &f[n - 1], least_port))
		return false;
	if (n == 1)
		memcpy(out->host, "localhost", sizeof("localhost"));
	else if (f[0].len == 0 || (f[0].len == 1 && *f[0].at == '*'))
		out->host[0] = '\0';
	else if (is_path(&f[0]) || !take_host(out, &f[0]))
		return false;
	return true;
}

int
forward_spec_parse(struct forward_spec *out, const char *text, int remote)
{
	struct field f[FIELDS_MAX];
	size_t n = split(f, text), target;

	memset(out, 0, sizeof(*out));
	if (remote && (n == 1 || n == 2) && !is_path(&f[n - 1]))
		return take_listen(&out->listen, f, n, 0) ? SW_OK :
		    SW_ERR_CONFIG;
	if (n < 2)
		return SW_ERR_CONFIG;
	/* The target is a path, or a host and its port. */
	if (is_path(&f[n - 1])) {
		target = 1;
		if (!take_host(&out->target, &f[n - 1]))
			return SW_ERR_CONFIG;
	} else {
		target = 2;
		if (n < 3 || is_path(&f[n - 2]) ||
		    !take_host(&out->target, &f[n - 2]) ||
		    !take_port(&out->target.port, &f[n - 1], 1))
			return SW_ERR_CONFIG;
	}
	return take_listen(&out->listen, f, n - target, remote ? 0 : 1) ?
	    SW_OK : SW_ERR_CONFIG;
}

int
forward_listen_parse(struct forward_end *out, const char *text)
{
	struct field f[FIELDS_MAX];
	size_t n = split(f, text);

	return n > 0 && take_listen(out, f, n, 1) ? SW_OK : SW_ERR_CONFIG;
}
