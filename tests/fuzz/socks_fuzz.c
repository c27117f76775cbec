/* Clients of the proxy: any bytes, cut anywhere. */
#include "tests/fuzz/fuzz.h"

#include <stdlib.h>
#include <string.h>

#include "transport/socks_parse.h"

static bool
check(void *arg, const char *user, const char *password)
{
	(void)arg;
	return strlen(user) <= strlen(password);
}

static void
must_be_a_host(const struct dial_target *to)
{
	size_t n = strnlen(to->host, sizeof(to->host));

	if (n == 0 || n == sizeof(to->host) || to->port == 0 ||
	    strpbrk(to->host, "/ \r\n") != NULL)
		abort();
}

static void
requests(const uint8_t *data, size_t len, bool asked)
{
	struct socks_parser p = { .check = asked ? check : NULL };
	size_t have = 1, used;

	while (have <= len) {
		/* A copy of the exact size lets the sanitizer see too far. */
		uint8_t *part = malloc(have);
		enum socks_step s;

		if (part == NULL)
			return;
		memcpy(part, data, have);
		s = socks_parse(&p, part, have, &used);
		free(part);
		if (used > have || p.say_len > sizeof(p.say) ||
		    (s == SOCKS_MORE && used != 0))
			abort();
		if (s == SOCKS_CONNECT)
			must_be_a_host(&p.to);
		if (s == SOCKS_CONNECT || s == SOCKS_UDP) {
			for (int e = 0; e > -22; e--)
				socks_answer(&p, e, NULL);
			return;
		}
		if (s == SOCKS_REFUSE)
			return;
		data += used;
		len -= used;
		have = s == SOCKS_SAY ? 1 : have + 1 + have / 8;
	}
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	uint8_t header[SOCKS_UDP_HEADER_MAX];
	struct dial_target to;
	struct sw_addr a;
	size_t at;

	if (len == 0)
		return 0;
	requests(data + 1, len - 1, data[0] & 1);
	if (socks_udp_parse(data, len, &to, &at) == SW_OK) {
		must_be_a_host(&to);
		if (at > len)
			abort();
		if (addr_parse_ip(&a, to.host) == SW_OK) {
			a.port = to.port;
			/* An address reads back as it was written. */
			if (data[3] != 3 && (socks_udp_header(header, NULL,
			    &a) != at || memcmp(header, data, at) != 0) &&
			    !(data[3] == 4 && addr_is_v4(&a)))
				abort();
		}
	}
	return 0;
}
