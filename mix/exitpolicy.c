#include "mix/exitpolicy.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define LINE_LEN 256

struct rule {
	bool accept;
	enum { ANY, ANY4, ANY6, NET } what;
	struct sw_addr net;		/* NET: of these leading bits */
	unsigned bits;			/* of the 128 of struct sw_addr */
	uint16_t from, to;
};

struct exitpolicy {
	bool local;
	struct rule *rule;
	size_t n;
};

struct exitpolicy *
exitpolicy_new(bool local)
{
	struct exitpolicy *p = calloc(1, sizeof(*p));

	if (p != NULL)
		p->local = local;
	return p;
}

void
exitpolicy_free(struct exitpolicy *p)
{
	if (p == NULL)
		return;
	free(p->rule);
	free(p);
}

/* Decimal, nothing but digits, at most `max`. */
static int
get_number(const char *text, unsigned long max, unsigned long *v)
{
	char *end;

	if (text[0] < '0' || text[0] > '9' || strlen(text) > 5)
		return SW_ERR_FORMAT;
	*v = strtoul(text, &end, 10);
	return *end == '\0' && *v <= max ? SW_OK : SW_ERR_FORMAT;
}

static int
get_ports(char *text, struct rule *r)
{
	char *dash = strchr(text, '-');
	unsigned long from = 0, to = UINT16_MAX;
	int err = SW_OK;

	if (strcmp(text, "*") != 0) {
		if (dash != NULL)
			*dash = '\0';
		err = get_number(text, UINT16_MAX, &from);
		to = from;
		if (err == SW_OK && dash != NULL)
			err = get_number(dash + 1, UINT16_MAX, &to);
	}
	if (err != SW_OK || from > to)
		return SW_ERR_FORMAT;
	r->from = (uint16_t)from;
	r->to = (uint16_t)to;
	return SW_OK;
}

static int
get_net(char *text, struct rule *r)
{
	char *slash = strchr(text, '/'), *close;
	unsigned long bits, most;

	r->what = NET;
	if (slash != NULL)
		*slash = '\0';
	if (text[0] == '[') {
		close = strchr(++text, ']');
		if (close == NULL || close[1] != '\0')
			return SW_ERR_FORMAT;
		*close = '\0';
	}
	if (addr_parse_ip(&r->net, text) != SW_OK)
		return SW_ERR_FORMAT;
	most = addr_is_v4(&r->net) ? 32 : 128;
	bits = most;
	if (slash != NULL && get_number(slash + 1, most, &bits) != SW_OK)
		return SW_ERR_FORMAT;
	r->bits = (unsigned)(128 - most + bits);
	return SW_OK;
}

static int
get_pattern(char *text, struct rule *r)
{
	char *colon = strrchr(text, ':');

	if (colon == NULL)
		return SW_ERR_FORMAT;
	*colon = '\0';
	if (get_ports(colon + 1, r) != SW_OK)
		return SW_ERR_FORMAT;
	if (strcmp(text, "*") == 0)
		r->what = ANY;
	else if (strcmp(text, "*4") == 0)
		r->what = ANY4;
	else if (strcmp(text, "*6") == 0)
		r->what = ANY6;
	else
		return get_net(text, r);
	return SW_OK;
}

/* SW_AGAIN for a line without a rule. */
static int
get_rule(char *line, struct rule *r)
{
	char *save, *word;
	bool six;

	*r = (struct rule){ .accept = false };
	line[strcspn(line, "#\r")] = '\0';
	if ((word = strtok_r(line, " \t", &save)) == NULL)
		return SW_AGAIN;
	if (strcasecmp(word, "ExitPolicy") == 0 &&
	    (word = strtok_r(NULL, " \t", &save)) == NULL)
		return SW_ERR_FORMAT;
	six = strlen(word) == 7 && word[6] == '6';
	if (six)
		word[6] = '\0';
	r->accept = strcasecmp(word, "accept") == 0;
	if (!r->accept && strcasecmp(word, "reject") != 0)
		return SW_ERR_FORMAT;
	if ((word = strtok_r(NULL, " \t", &save)) == NULL ||
	    get_pattern(word, r) != SW_OK ||
	    strtok_r(NULL, " \t", &save) != NULL)
		return SW_ERR_FORMAT;
	if (six && r->what == ANY)
		r->what = ANY6;
	return SW_OK;
}

int
exitpolicy_parse(struct exitpolicy *p, const char *text, size_t n,
    unsigned *line)
{
	struct rule *rule = NULL, *more, r;
	size_t count = 0, len;
	const char *end;
	char buf[LINE_LEN];
	int err = SW_OK;

	for (*line = 1; n > 0 && err == SW_OK; ++*line) {
		end = memchr(text, '\n', n);
		len = end != NULL ? (size_t)(end - text) : n;
		if (len >= sizeof(buf) || memchr(text, '\0', len) != NULL) {
			err = SW_ERR_FORMAT;
			break;
		}
		memcpy(buf, text, len);
		buf[len] = '\0';
		len += end != NULL;
		text += len;
		n -= len;
		if ((err = get_rule(buf, &r)) == SW_AGAIN) {
			err = SW_OK;
			continue;
		}
		if (err != SW_OK)
			break;
		if (p->n + count == EXITPOLICY_RULES_MAX) {
			err = SW_ERR_LIMIT;
			break;
		}
		more = realloc(rule, (count + 1) * sizeof(*rule));
		if (more == NULL) {
			err = SW_ERR_NOMEM;
			break;
		}
		rule = more;
		rule[count++] = r;
	}
	if (err == SW_OK && count > 0) {
		more = realloc(p->rule, (p->n + count) * sizeof(*more));
		if (more == NULL) {
			err = SW_ERR_NOMEM;
		} else {
			memcpy(more + p->n, rule, count * sizeof(*more));
			p->rule = more;
			p->n += count;
		}
	}
	free(rule);
	return err;
}

/* Are the first `bits` of a and b the same? */
static bool
same_net(const uint8_t a[static 16], const uint8_t b[static 16],
    unsigned bits)
{
	unsigned whole = bits / 8, rest = bits % 8;

	return memcmp(a, b, whole) == 0 &&
	    (rest == 0 || (a[whole] ^ b[whole]) >> (8 - rest) == 0);
}

static bool
fits(const struct rule *r, const struct sw_addr *dst)
{
	if (dst->port != 0 && (dst->port < r->from || dst->port > r->to))
		return false;
	switch (r->what) {
	case ANY4:
		return addr_is_v4(dst);
	case ANY6:
		return !addr_is_v4(dst);
	case NET:
		return addr_is_v4(dst) == addr_is_v4(&r->net) &&
		    same_net(dst->ip, r->net.ip, r->bits);
	case ANY:
	default:
		return true;
	}
}

/* Is it a public unicast address? */
static bool
is_global(const struct sw_addr *a)
{
	/* Beside what base/addr.h knows: this network, protocol assignments,
	 * three documentation nets, benchmarks, the old 6to4 relays. */
	static const struct {
		uint8_t net[4];
		unsigned bits;
	} closed[] = {
		{ { 0 }, 8 }, { { 192, 0, 0 }, 24 }, { { 192, 0, 2 }, 24 },
		{ { 198, 51, 100 }, 24 }, { { 203, 0, 113 }, 24 },
		{ { 198, 18 }, 15 }, { { 192, 88, 99 }, 24 },
	};
	struct sw_addr net = addr_v4(0, 0);
	const uint8_t *b = a->ip;

	if (addr_is_any(a) || addr_is_loopback(a) || addr_is_private(a) ||
	    addr_is_multicast(a))
		return false;
	if (!addr_is_v4(a))
		/* 2000::/3 is all that is routed; tunnels and examples in it
		 * (6to4, 2001::/23, 2001:db8::/32, 3fff::/20) are not. */
		return (b[0] & 0xe0) == 0x20 &&
		    !(b[0] == 0x20 && b[1] == 0x02) &&
		    !(b[0] == 0x20 && b[1] == 0x01 && b[2] < 2) &&
		    !(b[0] == 0x20 && b[1] == 0x01 && b[2] == 0x0d &&
		    b[3] == 0xb8) &&
		    !(b[0] == 0x3f && b[1] == 0xff && b[2] < 0x10);
	for (size_t i = 0; i < sizeof(closed) / sizeof(*closed); i++) {
		memcpy(net.ip + 12, closed[i].net, 4);
		if (same_net(a->ip, net.ip, 96 + closed[i].bits))
			return false;
	}
	return true;
}

bool
exitpolicy_allows(const struct exitpolicy *p, const struct sw_addr *dst)
{
	if ((p == NULL || !p->local) && !is_global(dst))
		return false;
	if (p == NULL)
		return true;
	for (size_t i = 0; i < p->n; i++)
		if (fits(&p->rule[i], dst))
			return p->rule[i].accept;
	return p->n == 0;
}
