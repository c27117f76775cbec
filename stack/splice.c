#include "stack/splice.h"

#include <string.h>

#include "base/clock.h"
#include "base/container.h"
#include "base/log.h"
#include "stack/arena.h"
#include "stack/splice_priv.h"

#include "lwip/priv/tcp_priv.h"

static struct splice *the_splice;	/* lwIP is one per process, so is this */

static int
output(const struct packet *head, const struct iovec *iov, int n)
{
	struct splice *s = the_splice;

	return s == NULL ? SW_OK : s->ops->output(s->arg, &head->dst, iov, n);
}

static void
send_made(struct splice *s, const struct sw_addr *to, const uint8_t *p,
    size_t len)
{
	struct iovec iov = { .iov_len = len };

	memcpy(&iov.iov_base, &p, sizeof(p));
	if (len > 0)
		(void)s->ops->output(s->arg, to, &iov, 1);
}

void
splice_refuse(struct splice *s, const struct packet *head, const uint8_t *p,
    size_t len, int code)
{
	uint8_t out[PACKET_ICMP_LEN];
	size_t n;

	if (code == SW_ERR_REFUSED || code == SW_ERR_RESET)
		n = packet_make_rst(out, head);
	else
		n = packet_make_error(out, p, len, code);
	send_made(s, &head->src, out, n);
}

void
splice_refuse_udp(struct splice *s, const struct sw_addr *src,
    const struct sw_addr *dst, int err)
{
	uint8_t out[PACKET_ICMP_LEN];

	send_made(s, src, out, packet_make_udp_error(out, src, dst, err));
}

static void
got_udp(const struct packet *head, const struct pbuf *p)
{
	struct splice *s = the_splice;
	uint8_t out[PACKET_ICMP_LEN];
	uint8_t *flat = NULL;
	const uint8_t *data = (const uint8_t *)"";
	size_t len = 0;
	int r;

	if (p != NULL && p->next == NULL) {
		data = p->payload;
		len = p->len;
	} else if (p != NULL) {
		if ((flat = arena_get(p->tot_len)) == NULL)
			return;
		len = pbuf_copy_partial(p, flat, p->tot_len, 0);
		data = flat;
	}
	r = s->ops->udp(s->arg, &head->src, &head->dst, data, len);
	if (r != SW_OK && r != SW_AGAIN)
		send_made(s, &head->src, out, packet_make_udp_error(out,
		    &head->src, &head->dst, r));
	arena_put(flat);
}

static void
got_icmp(const struct packet *quoted, int err)
{
	/* A program's stack sends none that matter to an established flow. */
	(void)quoted;
	(void)err;
}

static void
stack_broke(void)
{
	for (struct joint *j = the_splice->joints; j != NULL; j = j->next) {
		j->pcb = NULL;
		j->reset = true;
		joint_touch(j);
	}
}

static const struct stack_ops far_ops = {
	.output = output,
	.udp = got_udp,
	.icmp = got_icmp,
	.broken = stack_broke,
};

/* Some joints have work.  Never from within lwIP: a dialer may answer at once,
 * and end the very connection lwIP is looking at. */
static void
work_soon(struct loop_timer *t)
{
	struct splice *s = CONTAINER_OF(t, struct splice, soon);
	struct joint *j;

	while ((j = s->dirty) != NULL) {
		s->dirty = j->dirty_next;
		j->dirty = false;
		joint_work(j);
	}
}

static struct tcp_pcb *
listen_any(void)
{
	struct tcp_pcb *pcb = stack_tcp_new(STACK_FAR), *l;

	if (pcb == NULL)
		return NULL;
	pcb->local_port = 1;		/* set for each SYN: joint_accept() */
	l = tcp_listen_with_backlog(pcb, 255);
	if (l == NULL) {
		pcb->local_port = 0;
		tcp_abort(pcb);
		return NULL;
	}
	tcp_accept(l, joint_accepted);
	return l;
}

struct splice *
splice_new(struct loop *l, const struct splice_ops *ops, void *arg)
{
	struct splice *s;

	if (the_splice != NULL || stack_open(l, STACK_FAR, &far_ops) != SW_OK)
		return NULL;
	if ((s = arena_get_zeroed(1, sizeof(*s))) == NULL) {
		stack_close(STACK_FAR);
		return NULL;
	}
	s->loop = l;
	s->ops = ops;
	s->arg = arg;
	s->soon.fire = work_soon;
	the_splice = s;
	if ((s->listener = listen_any()) == NULL) {
		splice_free(s);
		return NULL;
	}
	return s;
}

void
splice_free(struct splice *s)
{
	if (s == NULL)
		return;
	while (s->joints != NULL)
		joint_free(s->joints);
	if (s->listener != NULL && !stack_is_broken())
		(void)tcp_close(s->listener);
	loop_set_timer(s->loop, &s->soon, SW_NEVER);
	stack_close(STACK_FAR);
	the_splice = NULL;
	arena_put(s);
}

void
splice_set_dialer(struct splice *s, struct dialer *d,
    const struct dialer_ops *ops)
{
	s->dialer = d;
	s->dialer_ops = ops;
	s->by_host = false;
}

void
splice_set_path(struct splice *s, uint16_t mtu)
{
	s->far_path = true;
	stack_set_mtu(STACK_FAR, mtu);
	stack_set_checksums(STACK_FAR, true);
}

void
splice_forget_all(void)
{
	the_splice = NULL;
}

/* True when the packet is dealt with and lwIP must not see it. */
static bool
intercept(struct splice *s, const struct packet *head, const uint8_t *p,
    size_t len)
{
	struct joint *j;

	if (head->proto != PACKET_TCP || head->fragment ||
	    (head->tcp_flags & (PACKET_SYN | PACKET_RST)) == 0)
		return false;
	j = joint_find(s, &head->src, &head->dst);
	if (j == NULL) {
		if ((head->tcp_flags & (PACKET_SYN | PACKET_ACK |
		    PACKET_RST)) != PACKET_SYN)
			return false;
		joint_begin(s, head, p, len);
		return true;
	}
	if (j->state != DIALING)
		return false;
	if ((head->tcp_flags & PACKET_RST) != 0) {
		j->reset = true;		/* the program gave up */
		joint_touch(j);
	}
	return true;				/* or said the same again */
}

void
splice_input(struct splice *s, struct link_frame *f)
{
	const uint8_t *p = f->data;
	size_t left = f->len, n;
	struct packet head;

	for (; left > 0 && (n = packet_len(p, left)) > 0; p += n, left -= n)
		if (packet_parse(&head, p, n) == SW_OK &&
		    !intercept(s, &head, p, n))
			stack_input(STACK_FAR, f, p, n);
}

void
splice_writable(struct splice *s, const struct sw_addr *inner)
{
	(void)s;
	stack_kick(STACK_FAR, inner);
}

void
splice_send_udp(struct splice *s, const struct sw_addr *src,
    const struct sw_addr *dst, const uint8_t *data, size_t len)
{
	struct iovec iov = { .iov_len = len };

	(void)s;
	memcpy(&iov.iov_base, &data, sizeof(data));
	(void)!stack_send_udp(STACK_FAR, src, dst, &iov, 1, 0, 0);
}

void
splice_forget(struct splice *s, const struct sw_addr *inner)
{
	for (struct joint *j = s->joints, *next; j != NULL; j = next) {
		next = j->next;
		if (addr_same_ip(&j->src, inner))
			joint_orphan(j);
	}
}

size_t
splice_count_flows(const struct splice *s)
{
	return s->count;
}
