#include "mix/mixclient_priv.h"

#include <string.h>

#include "base/log.h"
#include "base/wipe.h"
#include "mix/nymseal.h"

#define ACK_WAIT_MS 1500		/* besides 1.5 times the delays, */
#define ACK_WAIT_MORE_MS 1000		/* or this and twice what acks wait */
#define ACK_WAIT_MAX_MS 10000
#define STALE_MAX 16			/* thrown away in a row, of what is ready */

/* The table of a recipient's encryption key, if it has one. */
static const struct comb *
table_of(const struct mixclient *c, const struct recipient *to)
{
	if (to == &c->self)
		return c->self_table;
	for (size_t i = 0; i < CORRESPONDENTS; i++)
		if (c->known[i].used &&
		    memcmp(&c->known[i].to, to, sizeof(*to)) == 0)
			return c->known[i].table;
	return NULL;
}

/* One that is ready, and does not lead by a node that we avoid. */
static bool
take_ready(struct mixclient *c, const struct prepare_job *job,
    struct prepared *out)
{
	struct prepared_source *ahead = c->cfg.ahead;

	for (int i = 0; ahead != NULL && i < STALE_MAX; i++) {
		if (!ahead->take(ahead, job, out))
			return false;
		if (c->health == NULL ||
		    !health_shuns(c->health, out->node, c->now_ms))
			return true;
		sw_wipe(out, sizeof(*out));
	}
	return false;
}

int
mixclient_prepare(struct mixclient *c, struct prepared *out,
    struct prepare_job *job, size_t n)
{
	uint16_t by[SPHINX_BATCH][TOPOLOGY_LAYERS];
	size_t had = 0;
	int r;

	if (c->topology == NULL || !topology_is_routable(c->topology))
		return SW_ERR_UNREACH_NET;
	while (had < n && take_ready(c, &job[had], &out[had]))
		had++;
	for (size_t i = had; c->health != NULL && i < n; i++) {
		health_draw(c->health, c->cfg.rng, c->now_ms, by[i]);
		job[i].node = by[i];
	}
	r = prepare_make(out + had, job + had, n - had, c->topology,
	    c->cfg.profile->hop_ns, c->cfg.rng);
	for (size_t i = had; i < n; i++)
		job[i].node = NULL;
	return r;
}

struct prepare_job
mixclient_job_self(const struct mixclient *c)
{
	return (struct prepare_job){ .to = &c->self };
}

uint8_t *
mixclient_plaintext(struct mixclient *c)
{
	return c->pkt + SPHINX_HEADER_LEN + 16;
}

void
mixclient_put_ack(struct mixclient *c, const struct prepared *p,
    const struct frag_id *id)
{
	ack_put(mixclient_plaintext(c), &p->header, p->first, c->cfg.keys.ack, id,
	    c->cfg.rng);
}

int
mixclient_transmit(struct mixclient *c,
    const uint8_t addr[static SPHINX_ADDR_LEN], uint8_t rotation)
{
	struct sw_addr first;
	int r;

	if ((r = nymaddr_get_padded(addr, SPHINX_ADDR_LEN, &first)) != SW_OK)
		return r;
	r = c->cfg.events->transmit(c->cfg.arg, &first, rotation, c->pkt,
	    NYMPKT_LEN(c->plain_len));
	c->blocked = r == SW_AGAIN;
	return r;
}

/* Where packets wait for each other, their acks are late and not lost: to send
 * them again would only make it worse. */
static int64_t
patience_ms(const struct mixclient *c)
{
	int64_t ms = ACK_WAIT_MORE_MS + 2 * slotrate_wait_ms(&c->pace);

	if (ms < ACK_WAIT_MS)
		return ACK_WAIT_MS;
	return ms < ACK_WAIT_MAX_MS ? ms : ACK_WAIT_MAX_MS;
}

/* Pack what lies behind the ack and the key in the plaintext, and send it;
 * `what`: zero for cover.  *out: the packet that left. */
static int
send_sealed(struct mixclient *c, const struct recipient *to,
    const struct frag_id *what, struct flight *out)
{
	struct frag_id name = { .set = flights_next(c->flights) };
	struct prepare_job job[2] = { { .to = to, .table = table_of(c, to),
	    .seal = true }, mixclient_job_self(c) };
	struct prepared p[2];		/* the packet's and its ack's */
	int64_t asked_ms;
	int r;

	if ((r = mixclient_prepare(c, p, job, 2)) != SW_OK)
		goto out;
	mixclient_put_ack(c, &p[1], &name);
	nymseal_put(mixclient_plaintext(c) + ACK_LEN, c->room, &p[0].seal);
	memcpy(c->pkt, p[0].header.bytes, SPHINX_HEADER_LEN);
	if ((r = sphinx_put_payload(&p[0].header, c->pkt + SPHINX_HEADER_LEN,
	    NYMPKT_LEN(c->plain_len) - SPHINX_HEADER_LEN, mixclient_plaintext(c),
	    c->plain_len)) != SW_OK)
		goto out;
	if ((r = mixclient_transmit(c, p[0].first,
	    nympkt_rotation_of(c->topology->rotation_id))) != SW_OK)
		goto out;
	asked_ms = (int64_t)((p[0].delay_ns + p[1].delay_ns) / 1000000);
	*out = (struct flight){ .what = *what, .sent_ms = c->now_ms,
	    .due_ms = c->now_ms + patience_ms(c) + asked_ms * 3 / 2,
	    .asked_ms = asked_ms,
	    .network = c->health != NULL ? c->network : 0 };
	memcpy(out->path.node, p[0].node, sizeof(p[0].node));
	memcpy(out->path.node + TOPOLOGY_LAYERS, p[1].node,
	    sizeof(p[1].node));
	flights_add(c->flights, out);
out:
	sw_wipe(p, sizeof(p));
	return r;
}

int
mixclient_send_next(struct mixclient *c)
{
	struct pending_item *it = pending_head(c->pending);
	struct flight f;
	int r;

	memcpy(mixclient_plaintext(c) + NYMSEAL_OVERHEAD, it->frag, c->room);
	if ((r = send_sealed(c, &it->to, &it->id, &f)) == SW_AGAIN)
		return r;
	if (r != SW_OK) {
		log_debug("mixclient: dropped a fragment: %s", sw_strerror(r));
		pending_drop(c->pending, it);
		return SW_OK;
	}
	if (it->tries > 0)
		c->stats.resent++;
	else
		c->stats.sent++;
	pending_sent(c->pending, it, f.due_ms);
	if (f.due_ms < c->next_due_ms)
		c->next_due_ms = f.due_ms;
	return SW_OK;
}

int
mixclient_send_cover(struct mixclient *c)
{
	static const struct frag_id none;
	struct flight f;
	int r;

	nymseal_put_cover(mixclient_plaintext(c) + NYMSEAL_OVERHEAD, c->room);
	if ((r = send_sealed(c, &c->self, &none, &f)) == SW_OK)
		c->stats.cover++;
	return r;
}
