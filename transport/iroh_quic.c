#include <ngtcp2/ngtcp2_crypto.h>
#include <string.h>

#include "transport/iroh_private.h"

#define DCID_LEN 18

static ngtcp2_conn *
get_conn(ngtcp2_crypto_conn_ref *ref)
{
	return ((struct iroh_conn *)ref->user_data)->q;
}

static void
random_cb(uint8_t *out, size_t n, const ngtcp2_rand_ctx *ctx)
{
	(void)ctx;
	iroh_random(out, n);
}

static int
new_cid(ngtcp2_conn *q, ngtcp2_cid *cid, uint8_t *token, size_t len, void *arg)
{
	struct iroh_conn *c = arg;
	struct iroh_endpoint *ep = c->ep;

	(void)q;
	cid->datalen = len;
	iroh_random(cid->data, len);
	if (ngtcp2_crypto_generate_stateless_reset_token(token,
	    ep->reset_secret, sizeof(ep->reset_secret), cid) != 0 ||
	    iroh_cid_add(&ep->cids, cid->data, len, c) != SW_OK)
		return NGTCP2_ERR_CALLBACK_FAILURE;
	return 0;
}

static int
old_cid(ngtcp2_conn *q, const ngtcp2_cid *cid, void *arg)
{
	struct iroh_conn *c = arg;

	(void)q;
	iroh_cid_remove(&c->ep->cids, cid->data, cid->datalen);
	return 0;
}

static int
stream_opened(ngtcp2_conn *q, int64_t id, void *arg)
{
	struct iroh_conn *c = arg;

	/* The peer may open no more than one, as the parameters say. */
	if (c->server && c->stream.id < 0 && ngtcp2_is_bidi_stream(id) &&
	    !ngtcp2_conn_is_local_stream(q, id))
		c->stream.id = id;
	return 0;
}

static int
stream_data(ngtcp2_conn *q, uint32_t flags, int64_t id, uint64_t offset,
    const uint8_t *p, size_t n, void *arg, void *stream_arg)
{
	struct iroh_conn *c = arg;

	(void)q;
	(void)offset;
	(void)stream_arg;
	if (id != c->stream.id)
		return 0;
	return iroh_stream_received(c, p, n,
	    (flags & NGTCP2_STREAM_DATA_FLAG_FIN) != 0) == SW_OK ? 0 :
	    NGTCP2_ERR_CALLBACK_FAILURE;
}

static int
stream_data_acked(ngtcp2_conn *q, int64_t id, uint64_t offset, uint64_t n,
    void *arg, void *stream_arg)
{
	struct iroh_conn *c = arg;

	(void)q;
	(void)stream_arg;
	if (id == c->stream.id)
		iroh_stream_acked(c, offset + n);
	return 0;
}

static int
stream_closed(ngtcp2_conn *q, uint32_t flags, int64_t id, uint64_t code,
    void *arg, void *stream_arg)
{
	struct iroh_conn *c = arg;

	(void)q;
	(void)flags;
	(void)code;
	(void)stream_arg;
	if (id == c->stream.id)
		c->told_stream_done = true;
	return 0;
}

/* RESET_STREAM.  It is the polite answer when we have let go of the stream. */
static int
stream_was_reset(ngtcp2_conn *q, int64_t id, uint64_t final, uint64_t code,
    void *arg, void *stream_arg)
{
	struct iroh_conn *c = arg;

	(void)q;
	(void)final;
	(void)code;
	(void)stream_arg;
	if (id == c->stream.id && !c->stream.rx_discard)
		c->told_reset = true;
	return 0;
}

static int
completed(ngtcp2_conn *q, void *arg)
{
	(void)q;
	((struct iroh_conn *)arg)->told_completed = true;
	return 0;
}

static int
confirmed(ngtcp2_conn *q, void *arg)
{
	(void)q;
	((struct iroh_conn *)arg)->told_confirmed = true;
	return 0;
}

static int
path_checked(ngtcp2_conn *q, uint32_t flags, const ngtcp2_path *path,
    ngtcp2_path_validation_result result, void *arg)
{
	struct iroh_conn *c = arg;

	(void)q;
	(void)flags;
	if (iroh_path_is_first(path))
		return 0;
	if (result == NGTCP2_PATH_VALIDATION_RESULT_SUCCESS)
		c->moved = true;
	else
		c->told_confirmed = true;	/* try the next address */
	return 0;
}

static const ngtcp2_callbacks callbacks = {
	.client_initial = ngtcp2_crypto_client_initial_cb,
	.recv_client_initial = ngtcp2_crypto_recv_client_initial_cb,
	.recv_crypto_data = ngtcp2_crypto_recv_crypto_data_cb,
	.handshake_completed = completed,
	.encrypt = ngtcp2_crypto_encrypt_cb,
	.decrypt = ngtcp2_crypto_decrypt_cb,
	.hp_mask = ngtcp2_crypto_hp_mask_cb,
	.recv_stream_data = stream_data,
	.acked_stream_data_offset = stream_data_acked,
	.stream_open = stream_opened,
	.stream_close = stream_closed,
	.recv_retry = ngtcp2_crypto_recv_retry_cb,
	.rand = random_cb,
	.get_new_connection_id = new_cid,
	.remove_connection_id = old_cid,
	.update_key = ngtcp2_crypto_update_key_cb,
	.path_validation = path_checked,
	.stream_reset = stream_was_reset,
	.handshake_confirmed = confirmed,
	.delete_crypto_aead_ctx = ngtcp2_crypto_delete_crypto_aead_ctx_cb,
	.delete_crypto_cipher_ctx = ngtcp2_crypto_delete_crypto_cipher_ctx_cb,
	.get_path_challenge_data = ngtcp2_crypto_get_path_challenge_data_cb,
	.version_negotiation = ngtcp2_crypto_version_negotiation_cb,
};

/* Windows never grow by themselves: RX_RING is all the memory there is. */
static void
set_up(ngtcp2_settings *s, ngtcp2_transport_params *p, bool server)
{
	ngtcp2_settings_default(s);
	s->initial_ts = iroh_now_ns();
	s->handshake_timeout = UINT64_MAX;	/* `limit` watches */
	ngtcp2_transport_params_default(p);
	p->initial_max_data = RX_RING;
	p->initial_max_stream_data_bidi_local = RX_RING;
	p->initial_max_stream_data_bidi_remote = RX_RING;
	p->initial_max_streams_bidi = server ? 1 : 0;
	p->max_idle_timeout = IDLE_MS * NS_PER_MS;
	p->active_connection_id_limit = 7;
}

static int
start_tls(struct iroh_conn *c)
{
	c->tls.ref = (ngtcp2_crypto_conn_ref){ get_conn, c };
	if (iroh_tls_start(&c->tls, c->ep->identity, c->ep->alpn, !c->server) !=
	    SW_OK)
		return SW_ERR_NOMEM;
	ngtcp2_conn_set_tls_native_handle(c->q, c->tls.session);
	return SW_OK;
}

static void
random_cid(ngtcp2_cid *cid, size_t len)
{
	cid->datalen = len;
	iroh_random(cid->data, len);
}

int
iroh_quic_client(struct iroh_conn *c)
{
	const struct iroh_origin nowhere = { .relay = NULL };
	ngtcp2_path_storage ps;
	ngtcp2_settings settings;
	ngtcp2_transport_params params;
	ngtcp2_cid dcid, scid;

	set_up(&settings, &params, false);
	random_cid(&dcid, DCID_LEN);
	random_cid(&scid, CID_LEN);
	iroh_path_of(c, &nowhere, &ps);
	if (ngtcp2_conn_client_new(&c->q, &dcid, &scid, &ps.path,
	    NGTCP2_PROTO_VER_V1, &callbacks, &settings, &params, NULL, c) != 0)
		return SW_ERR_NOMEM;
	if (iroh_cid_add(&c->ep->cids, scid.data, scid.datalen, c) != SW_OK)
		return SW_ERR_NOMEM;
	c->tls.peer = c->peer.id;
	return start_tls(c);
}

int
iroh_quic_server(struct iroh_conn *c, const ngtcp2_pkt_hd *hd,
    const ngtcp2_cid *odcid, const struct iroh_origin *from)
{
	struct iroh_endpoint *ep = c->ep;
	ngtcp2_path_storage ps;
	ngtcp2_settings settings;
	ngtcp2_transport_params params;
	ngtcp2_cid scid;

	set_up(&settings, &params, true);
	random_cid(&scid, CID_LEN);
	params.original_dcid = odcid != NULL ? *odcid : hd->dcid;
	if (odcid != NULL) {
		params.retry_scid = hd->dcid;
		params.retry_scid_present = 1;
		settings.token = hd->token;
	}
	if (ngtcp2_crypto_generate_stateless_reset_token(
	    params.stateless_reset_token, ep->reset_secret,
	    sizeof(ep->reset_secret), &scid) == 0)
		params.stateless_reset_token_present = 1;
	iroh_path_of(c, from, &ps);
	if (ngtcp2_conn_server_new(&c->q, &hd->scid, &scid, &ps.path,
	    hd->version, &callbacks, &settings, &params, NULL, c) != 0)
		return SW_ERR_NOMEM;
	if (iroh_cid_add(&ep->cids, scid.data, scid.datalen, c) != SW_OK ||
	    iroh_cid_add(&ep->cids, hd->dcid.data, hd->dcid.datalen,
	    c) != SW_OK)
		return SW_ERR_NOMEM;
	return start_tls(c);
}
