/*
 * Requests of the session (RFC 4254, 7.1): ports where clients want the server
 * to listen.
 */
#include "transport/serve_ssh_private.h"

static int
take_listen(struct serve_ssh *s, struct rbuf *r, bool begin, uint16_t *bound)
{
	char bind[DIAL_HOST_MAX + 1];
	uint32_t port;

	*bound = 0;
	if (serve_get_text(r, bind, sizeof(bind)) != SW_OK ||
	    wire_get_u32be(r, &port) != SW_OK || port > 65535)
		return SW_ERR_FORMAT;
	if (!begin)
		return s->ev->unlisten(s->arg, bind, (uint16_t)port);
	if (port != 0) {
		uint16_t same;

		return s->ev->listen(s->arg, bind, (uint16_t)port, &same);
	}
	return s->ev->listen(s->arg, bind, 0, bound);
}

bool
serve_global_take(struct serve_ssh *s, struct rbuf *r)
{
	struct serve_bytes name;
	uint16_t bound = 0;
	int err = SW_ERR_UNSUPPORTED;
	uint8_t wants;
	struct wbuf w;

	if (serve_get_string(r, &name) != SW_OK ||
	    wire_get_u8(r, &wants) != SW_OK)
		return false;
	if (serve_is_text(name, "tcpip-forward"))
		err = take_listen(s, r, true, &bound);
	else if (serve_is_text(name, "cancel-tcpip-forward"))
		err = take_listen(s, r, false, &bound);
	if (wants == 0)
		return true;
	w = serve_packet_begin(s, err == SW_OK ? MSG_REQUEST_SUCCESS :
	    MSG_REQUEST_FAILURE, 4);
	if (err == SW_OK && bound != 0)
		add_u32(&w, bound);
	serve_packet_end(s, &w);
	return true;
}
