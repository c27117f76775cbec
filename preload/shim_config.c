/*
 * shim_config.c - what the launcher wrote into the environment, read once, at
 * the first call that needs it, and copied: the program may do with its
 * environment what it likes, its children still get ours.
 *
 * Nothing here runs before it is asked: a program without network pays nothing.
 */
#include "preload/shim.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>

enum { ENV_PRELOAD, ENV_CTL, ENV_PATH, ENV_POLICY, ENV_LOG,
	ENV_LOG_FILE };

static const char *const env_name[SHIM_ENV_MAX] = {
	[ENV_PRELOAD] = "LD_PRELOAD",
	[ENV_CTL] = "SMOLWRAP_CTL",
	[ENV_PATH] = "SMOLWRAP_PATH",
	[ENV_POLICY] = "SMOLWRAP_POLICY",
	[ENV_LOG] = "SMOLWRAP_LOG",
	[ENV_LOG_FILE] = "SMOLWRAP_LOG_FILE",
};

static struct shim_config config;
static char text[SHIM_ENV_MAX][640];
static atomic_bool ready;

/* The value of `name` as the process was given it.  The strings lie one after
 * another below the file name that the kernel put at the very top of the
 * stack; where that layout does not hold nothing is found. */
static const char *
initial_value(const char *name)
{
	const char *p = (const char *)getauxval(AT_EXECFN);
	size_t n = strlen(name);

	if (p == NULL || getauxval(AT_SECURE) != 0)
		return NULL;
	for (unsigned i = 0; i < 4096 && p[-1] == '\0'; i++) {
		const char *start = p - 1;

		while (p - start < 131072 && start[-1] != '\0')
			start--;
		if (strchr(start, '=') == NULL)
			return NULL;	/* the arguments begin */
		if (strncmp(start, name, n) == 0 && start[n] == '=')
			return start + n + 1;
		p = start;
	}
	return NULL;
}

/* "NAME=value" into text[i]; for LD_PRELOAD only the first entry, ours. */
static bool
keep_string(unsigned i, bool initial)
{
	const char *v = initial ? initial_value(env_name[i]) :
	    secure_getenv(env_name[i]);
	size_t at = strlen(env_name[i]), n;

	if (v == NULL)
		return false;
	n = i == ENV_PRELOAD ? strcspn(v, ": ") : strlen(v);
	if (at + 1 + n >= sizeof(text[i]))
		return false;
	memcpy(text[i], env_name[i], at);
	text[i][at] = '=';
	memcpy(text[i] + at + 1, v, n);
	text[i][at + 1 + n] = '\0';
	return true;
}

static const char *
value_of(unsigned i)
{
	return text[i] + strlen(env_name[i]) + 1;
}

/* Decimal digits at *s; moves *s past them.  False when there are none. */
static bool
take_number(const char **s, uint64_t *out)
{
	const char *p = *s;

	*out = 0;
	for (; *p >= '0' && *p <= '9'; p++)
		*out = *out * 10 + (uint64_t)(*p - '0');
	if (p == *s)
		return false;
	*s = p;
	return true;
}

static bool
word_is(const char *s, size_t n, const char *word)
{
	return strlen(word) == n && memcmp(s, word, n) == 0;
}

static void
take_policy(struct shim_config *c, const char *s, size_t n)
{
	if (word_is(s, n, "listen=deny"))
		c->listen = SHIM_LISTEN_DENY;
	else if (word_is(s, n, "listen=tunnel"))
		c->listen = SHIM_LISTEN_TUNNEL;
	else if (word_is(s, n, "listen=open"))
		c->listen = SHIM_LISTEN_OPEN;
	else if (word_is(s, n, "stack=session"))
		c->stack = SHIM_STACK_SESSION;
	else if (word_is(s, n, "stack=thread"))
		c->stack = SHIM_STACK_THREAD;
	else if (word_is(s, n, "udp=dns"))
		c->udp = false;
	else if (word_is(s, n, "ipv6=0"))
		c->ipv6 = false;
	else if (word_is(s, n, "loopback=0"))
		c->loopback = false;
	else if (word_is(s, n, "strict=1"))
		c->strict = true;
	else if (word_is(s, n, "isolated=1"))
		c->isolated = true;
	else if (word_is(s, n, "labels=1"))
		c->single_labels = true;
}

static void
read_environment(void)
{
	struct shim_config c = { .ctl_fd = -1, .udp = true, .ipv6 = true,
		.loopback = true };
	unsigned kept = 0;
	bool initial;
	const char *s;
	uint64_t fd;

	/* A program may have cleared its environment before the first call
	 * that brings us here. */
	initial = secure_getenv(env_name[ENV_CTL]) == NULL;
	for (unsigned i = 0; i < SHIM_ENV_MAX; i++)
		if (keep_string(i, initial))
			c.env[kept++] = text[i];
	if (text[ENV_CTL][0] != '\0') {
		s = value_of(ENV_CTL);
		if (take_number(&s, &fd) && *s++ == ':' && fd < INT32_MAX &&
		    take_number(&s, &c.ctl_inode)) {
			c.ctl_fd = (int)fd;
			c.wrapped = true;
		}
	}
	if (text[ENV_PATH][0] != '\0' &&
	    strlen(value_of(ENV_PATH)) < sizeof(c.path))
		memcpy(c.path, value_of(ENV_PATH),
		    strlen(value_of(ENV_PATH)));
	if (text[ENV_POLICY][0] != '\0')
		for (s = value_of(ENV_POLICY); *s != '\0';) {
			size_t n = strcspn(s, ",");

			take_policy(&c, s, n);
			s += n + (s[n] == ',');
		}
	config = c;
}

const struct shim_config *
shim_config(void)
{
	/* Two early threads may both read; they write the same values. */
	if (!atomic_load_explicit(&ready, memory_order_acquire)) {
		read_environment();
		atomic_store_explicit(&ready, true, memory_order_release);
	}
	return &config;
}
