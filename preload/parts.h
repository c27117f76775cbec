/*
 * parts.h - where smolwrap's other programs and its library are.
 */
#ifndef SW_PRELOAD_PARTS_H
#define SW_PRELOAD_PARTS_H

#include <stdbool.h>
#include <stddef.h>

/* `name` next to this program (a build folder), else in installed_dir.  False:
 * the path does not fit. */
bool parts_find(char *buf, size_t len, const char *name,
    const char *installed_dir);

#endif
