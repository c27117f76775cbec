#include "stack/names.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Index 0 is 198.18.0.1 and fd73:6d6f:6c77:1::1. */
#define V4_FIRST 0xc6120000u		/* 198.18.0.0 */
#define V4_LAST 0xc613ffffu		/* 198.19.255.255 */

static const uint8_t v6_prefix[8] = {
	0xfd, 0x73, 0x6d, 0x6f, 0x6c, 0x77, 0x00, 0x01
};

#define NONE UINT32_MAX

struct entry {
	char *name;
	uint32_t hash;
	uint32_t chain;		/* next with the same bucket */
	uint32_t older, newer;	/* the order of use */
};

struct names {
	struct entry *entry;
	uint32_t used, room, max;
	uint32_t *bucket;	/* heads of chains; a power of two */
	uint32_t buckets;
	uint32_t oldest, newest;
};

struct names *
names_new(uint32_t max)
{
	struct names *m = calloc(1, sizeof(*m));

	if (m == NULL)
		return NULL;
	m->max = max == 0 || max > NAMES_MAX ? NAMES_MAX : max;
	m->oldest = m->newest = NONE;
	return m;
}

void
names_free(struct names *m)
{
	if (m == NULL)
		return;
	for (uint32_t i = 0; i < m->used; i++)
		free(m->entry[i].name);
	free(m->entry);
	free(m->bucket);
	free(m);
}

static bool
is_label_byte(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' ||
	    c == '_';
}

int
names_normalise(const char *name, size_t len,
    char out[static DIAL_HOST_MAX + 1])
{
	size_t label = 0;

	out[0] = '\0';
	if (len > 0 && name[len - 1] == '.')
		len--;
	if (len == 0 || len > 253)
		return SW_ERR_FORMAT;
	for (size_t i = 0; i < len; i++) {
		char c = name[i];

		if (c >= 'A' && c <= 'Z')
			c = (char)(c - 'A' + 'a');
		if (c == '.' ? label == 0 : !is_label_byte(c))
			goto bad;
		if (c == '-' && label == 0)
			goto bad;
		label = c == '.' ? 0 : label + 1;
		if (label > 63)
			goto bad;
		out[i] = c;
	}
	if (label == 0)
		goto bad;
	out[len] = '\0';
	return SW_OK;
bad:
	out[0] = '\0';
	return SW_ERR_FORMAT;
}

/* FNV-1a: names come from programs of the user's own, not from attackers who
 * could profit from collisions. */
static uint32_t
hash_name(const char *s)
{
	uint32_t h = 2166136261u;

	for (; *s != '\0'; s++)
		h = (h ^ (uint8_t)*s) * 16777619u;
	return h;
}

static void
use_unlink(struct names *m, uint32_t i)
{
	struct entry *e = &m->entry[i];

	if (e->older != NONE)
		m->entry[e->older].newer = e->newer;
	else
		m->oldest = e->newer;
	if (e->newer != NONE)
		m->entry[e->newer].older = e->older;
	else
		m->newest = e->older;
}

static void
use_append(struct names *m, uint32_t i)
{
	struct entry *e = &m->entry[i];

	e->older = m->newest;
	e->newer = NONE;
	if (m->newest != NONE)
		m->entry[m->newest].newer = i;
	else
		m->oldest = i;
	m->newest = i;
}

static void
touch(struct names *m, uint32_t i)
{
	if (m->newest == i)
		return;
	use_unlink(m, i);
	use_append(m, i);
}

static void
chain_add(struct names *m, uint32_t i)
{
	uint32_t *head = &m->bucket[m->entry[i].hash & (m->buckets - 1)];

	m->entry[i].chain = *head;
	*head = i;
}

static void
chain_remove(struct names *m, uint32_t i)
{
	uint32_t *at = &m->bucket[m->entry[i].hash & (m->buckets - 1)];

	while (*at != i)
		at = &m->entry[*at].chain;
	*at = m->entry[i].chain;
}

/* Room for one more entry, and at least as many buckets as entries. */
static int
grow(struct names *m)
{
	uint32_t room = m->room == 0 ? 64 : m->room * 2;
	struct entry *entry = realloc(m->entry, room * sizeof(*entry));
	uint32_t *bucket;

	if (entry == NULL)
		return SW_ERR_NOMEM;
	m->entry = entry;
	if ((bucket = realloc(m->bucket, room * sizeof(*bucket))) == NULL)
		return SW_ERR_NOMEM;
	m->bucket = bucket;
	m->room = m->buckets = room;
	memset(bucket, 0xff, room * sizeof(*bucket));
	for (uint32_t i = 0; i < m->used; i++)
		chain_add(m, i);
	return SW_OK;
}

static uint32_t
find_name(const struct names *m, const char *name, uint32_t hash)
{
	uint32_t i;

	if (m->buckets == 0)
		return NONE;
	for (i = m->bucket[hash & (m->buckets - 1)]; i != NONE;
	    i = m->entry[i].chain)
		if (m->entry[i].hash == hash &&
		    strcmp(m->entry[i].name, name) == 0)
			break;
	return i;
}

static int
add(struct names *m, const char *name, uint32_t hash, uint32_t *at)
{
	char *copy;
	uint32_t i;

	if (m->used < m->max && m->used == m->room && grow(m) != SW_OK)
		return SW_ERR_NOMEM;
	if ((copy = strdup(name)) == NULL)
		return SW_ERR_NOMEM;
	if (m->used < m->max) {
		i = m->used++;
	} else {
		i = m->oldest;
		use_unlink(m, i);
		chain_remove(m, i);
		free(m->entry[i].name);
	}
	m->entry[i].name = copy;
	m->entry[i].hash = hash;
	chain_add(m, i);
	use_append(m, i);
	*at = i;
	return SW_OK;
}

int
names_get(struct names *m, const char *name, struct sw_addr *v4,
    struct sw_addr *v6)
{
	char text[DIAL_HOST_MAX + 1];
	uint32_t i, hash;
	int r;

	if ((r = names_normalise(name, strlen(name), text)) != SW_OK)
		return r;
	hash = hash_name(text);
	if ((i = find_name(m, text, hash)) != NONE)
		touch(m, i);
	else if ((r = add(m, text, hash, &i)) != SW_OK)
		return r;
	if (v4 != NULL)
		*v4 = addr_v4(V4_FIRST + 1 + i, 0);
	if (v6 != NULL) {
		memset(v6, 0, sizeof(*v6));
		memcpy(v6->ip, v6_prefix, sizeof(v6_prefix));
		for (int k = 0; k < 4; k++)
			v6->ip[12 + k] = (uint8_t)((i + 1) >> (24 - 8 * k));
	}
	return SW_OK;
}

static uint32_t
low_32(const struct sw_addr *a)
{
	return (uint32_t)a->ip[12] << 24 | (uint32_t)a->ip[13] << 16 |
	    (uint32_t)a->ip[14] << 8 | a->ip[15];
}

bool
names_is_virtual(const struct sw_addr *a)
{
	if (addr_is_v4(a))
		return low_32(a) >= V4_FIRST && low_32(a) <= V4_LAST;
	return memcmp(a->ip, v6_prefix, sizeof(v6_prefix)) == 0;
}

const char *
names_find(struct names *m, const struct sw_addr *a)
{
	static const uint8_t zero[4];
	uint32_t i;

	if (!names_is_virtual(a))
		return NULL;
	if (addr_is_v4(a))
		i = low_32(a) - V4_FIRST - 1;
	else if (memcmp(a->ip + 8, zero, sizeof(zero)) == 0)
		i = low_32(a) - 1;
	else
		return NULL;
	if (i >= m->used)	/* the range's own first address wraps to here */
		return NULL;
	touch(m, i);
	return m->entry[i].name;
}

int
names_target(struct names *m, const struct sw_addr *dst,
    struct dial_target *out)
{
	const char *name = names_find(m, dst);
	char text[SW_ADDR_TEXT_LEN];

	memset(out, 0, sizeof(*out));
	if (name == NULL) {
		if (names_is_virtual(dst))
			return SW_ERR_UNREACH_HOST;
		name = addr_ip_text(dst, text);
	}
	snprintf(out->host, sizeof(out->host), "%s", name);
	out->port = dst->port;
	return SW_OK;
}

size_t
names_count(const struct names *m)
{
	return m->used;
}
