/*
 * container.h - from a member of a struct back to the struct: what a callback
 * gets is the watcher, timer or hook that its owner embeds.
 */
#ifndef SW_BASE_CONTAINER_H
#define SW_BASE_CONTAINER_H

#include <stddef.h>

#define CONTAINER_OF(ptr, type, member) \
	((type *)(void *)((char *)(ptr) - offsetof(type, member)))

#endif
