/*
 * arch/cc.h - what lwIP asks of its platform.
 */
#ifndef SW_LWIP_ARCH_CC_H
#define SW_LWIP_ARCH_CC_H

#include <stdint.h>

#define LWIP_NO_UNISTD_H	1
#define LWIP_NO_CTYPE_H		1	/* ctype depends on the host's locale */
#define LWIP_PROVIDE_ERRNO	0
#define LWIP_ERRNO_STDINCLUDE	1

/* A broken assumption inside lwIP must not abort somebody else's program:
 * log it; the owner gives up its flows at the end of the turn (stack.c). */
void stack_assert_failed(const char *what, int line);
#define LWIP_PLATFORM_ASSERT(what)	stack_assert_failed(what, __LINE__)
#define LWIP_PLATFORM_DIAG(x)		do { } while (0)

uint32_t stack_random(void);
#define LWIP_RAND()			stack_random()

#endif
