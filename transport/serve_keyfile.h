/*
 * serve_keyfile.h - the files that say who may log in.
 */
#ifndef SW_TRANSPORT_SERVE_KEYFILE_H
#define SW_TRANSPORT_SERVE_KEYFILE_H

#include <stddef.h>

#include "transport/serve_authkeys.h"

struct serve_keys_file {
	char *path;
	enum serve_keys_kind kind;
};

/* All of them, as one set with one reference.  NULL when one cannot be read or
 * makes no sense; the log says which and where.  Warns when nobody may log in. */
struct serve_keys *serve_keys_read(const struct serve_keys_file *files, size_t n);

#endif
