/*
 * iroh_upgrade.h - connecting to a relay, up to the websocket.  Blocks.
 */
#ifndef SW_TRANSPORT_IROH_UPGRADE_H
#define SW_TRANSPORT_IROH_UPGRADE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "transport/transport.h"

#define UPGRADE_ANSWER_MAX 8192

struct relay_place {
	char host[256];
	uint16_t port;
	bool tls;
};

/* Take a relay's URL apart.  SW_OK or SW_ERR_FORMAT. */
int relay_place_parse(struct relay_place *p, const char *url) SW_MUST_CHECK;

/*
 * Judge the relay's HTTP answer, `n` bytes up to and with the empty line:
 * SW_OK when it is the websocket that `key` (as sent) asked for, speaking an
 * iroh relay protocol.  SW_ERR_REFUSED or SW_ERR_FORMAT with a line in why[].
 */
int relay_answer_check(const char *answer, size_t n, const char *key,
    char why[static 256]) SW_MUST_CHECK;

/*
 * Connect by `net` (TLS if the place says so) and upgrade.  *fd is blocking, no
 * byte behind the answer has been read; the caller's to close.
 * SW_OK, or an SW_ERR_* and one line in why[].
 */
int relay_connect(struct transport *net, const struct relay_place *p,
    int64_t deadline_ms, int *fd, char why[static TRANSPORT_WHY_LEN])
    SW_MUST_CHECK;

#endif
