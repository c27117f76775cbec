/* Every text and message the launcher and the session parse. */
#include "tests/fuzz/fuzz.h"

#include <stdlib.h>
#include <string.h>

#include "preload/config.h"
#include "preload/session_control.h"
#include "preload/session_hop.h"
#include "preload/start_proto.h"

static void
texts(char *text)
{
	static struct options o;
	static struct resolv r;
	struct options_publish p;
	struct tunnel_url u;
	struct forward_spec f;
	char why[256];

	if (options_parse_publish(&p, text) == SW_OK && p.port == 0)
		abort();
	if (tunnel_url_parse(&u, text, why) == SW_OK && u.host[0] == '\0' &&
	    u.kind != TUNNEL_MIX && u.kind != TUNNEL_MIX_LOCAL)
		abort();
	(void)!forward_spec_parse(&f, text, false);
	(void)!forward_spec_parse(&f, text, true);
	(void)options_is_name(text);
	resolv_parse(&r, text);
	memset(&o, 0, sizeof(o));
	(void)!config_parse(&o, text, why);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	static struct start st;
	struct control_msg m = { .fd_n = (int)(len % 5) };
	struct link_config c;
	char *text;

	for (int i = 0; i < m.fd_n; i++)
		m.fds[i] = 100 + i;
	if (control_parse(&m, data, len) == SW_OK &&
	    sizeof(m.head) + m.head.len != len)
		abort();
	memset(&c, 0, sizeof(c));
	if (len > 20 && data[0] >> 4 == 4) {
		c.inner4 = addr_v4(0, 0);
		memcpy(c.inner4.ip + 12, data + 12, 4);
	}
	(void)hop_is_honest(&c, data, len);
	(void)!start_read(&st, (const char *)data, len);
	if ((text = malloc(len + 1)) == NULL)
		return 0;
	memcpy(text, data, len);
	text[len] = '\0';
	texts(text);
	free(text);
	return 0;
}
