/*
 * What lwIP asks of its platform (arch/cc.h, lwipopts.h).
 */
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/sys.h"
#include "stack/stack_priv.h"

#include "lwip/sys.h"

u32_t
sys_now(void)
{
	return (u32_t)(stack.loop != NULL ? stack.loop->now_ms : 0);
}

struct netif *
stack_route(void)
{
	return stack.route != NULL ? &stack.route->netif : NULL;
}

static uint64_t
mix64(uint64_t x)
{
	x ^= x >> 30;
	x *= 0xbf58476d1ce4e5b9u;
	x ^= x >> 27;
	x *= 0x94d049bb133111ebu;
	return x ^ x >> 31;
}

uint32_t
stack_random(void)
{
	stack.random += 0x9e3779b97f4a7c15u;
	return (uint32_t)mix64(stack.random ^ stack.secret[0]);
}

/* RFC 6528: a clock of 4 microseconds plus a keyed hash of the connection. */
uint32_t
stack_isn(const struct ip_addr *local, uint16_t local_port,
    const struct ip_addr *remote, uint16_t remote_port)
{
	struct sw_addr a[2];
	uint64_t words[6], h = stack.secret[0];

	if (stack.force_isn) {
		stack.force_isn = false;
		return stack.forced_isn;
	}
	a[0] = stack_addr(local, local_port);
	a[1] = stack_addr(remote, remote_port);
	_Static_assert(sizeof(a) == sizeof(words), "hashed whole");
	memcpy(words, a, sizeof(words));
	for (unsigned i = 0; i < 6; i++)
		h = mix64(h ^ words[i]) + stack.secret[1];
	return (uint32_t)mix64(h) + (uint32_t)(stack.loop->now_ms * 250);
}

void
stack_force_isn(const uint32_t *isn)
{
	stack.force_isn = isn != NULL;
	if (isn != NULL)
		stack.forced_isn = *isn;
}

void
stack_assert_failed(const char *what, int line)
{
	if (!stack.broken)
		log_err("stack: lwIP assumption broken, line %d: %s", line,
		    what);
	stack.broken = true;
}

void
stack_seed(void)
{
	if (sys_call3(SYS_getrandom, (long)stack.secret, sizeof(stack.secret),
	    0) != (long)sizeof(stack.secret))
		stack.secret[0] = stack.secret[1] =
		    mix64((uint64_t)clock_now_ms());
	stack.random = stack.secret[1];
}
