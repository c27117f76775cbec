/* TCP by io_uring, which is no system call that a library could catch. */
#include <errno.h>
#include <stdint.h>
#include <linux/io_uring.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>

#include "tests/leak/ways/ways.h"

struct ring {
	int fd;
	struct io_uring_params p;
	uint8_t *sq, *cq;
	struct io_uring_sqe *sqe;
};

static int
ring_open(struct ring *r)
{
	size_t sq_len, cq_len;

	memset(r, 0, sizeof(*r));
	r->fd = (int)raw(SYS_io_uring_setup, 4, (long)&r->p, 0, 0, 0, 0);
	if (r->fd < 0) {
		errno = -r->fd;
		return -1;
	}
	sq_len = r->p.sq_off.array + r->p.sq_entries * 4;
	cq_len = r->p.cq_off.cqes +
	    r->p.cq_entries * sizeof(struct io_uring_cqe);
	r->sq = mmap(NULL, sq_len, PROT_READ | PROT_WRITE, MAP_SHARED, r->fd,
	    IORING_OFF_SQ_RING);
	r->cq = mmap(NULL, cq_len, PROT_READ | PROT_WRITE, MAP_SHARED, r->fd,
	    IORING_OFF_CQ_RING);
	r->sqe = mmap(NULL, r->p.sq_entries * sizeof(*r->sqe),
	    PROT_READ | PROT_WRITE, MAP_SHARED, r->fd, IORING_OFF_SQES);
	return r->sq == MAP_FAILED || r->cq == MAP_FAILED ||
	    r->sqe == MAP_FAILED ? -1 : 0;
}

static int
ring_run(struct ring *r, const struct io_uring_sqe *sqe)
{
	const struct io_uring_cqe *cqe;
	uint32_t *tail, *head, slot;

	tail = (uint32_t *)(void *)(r->sq + r->p.sq_off.tail);
	slot = *tail & (r->p.sq_entries - 1);
	r->sqe[slot] = *sqe;
	((uint32_t *)(void *)(r->sq + r->p.sq_off.array))[slot] = slot;
	__atomic_store_n(tail, *tail + 1, __ATOMIC_RELEASE);
	if (raw(SYS_io_uring_enter, r->fd, 1, 1, IORING_ENTER_GETEVENTS, 0,
	    0) < 0)
		return -1;
	head = (uint32_t *)(void *)(r->cq + r->p.cq_off.head);
	cqe = (const struct io_uring_cqe *)(void *)
	    (r->cq + r->p.cq_off.cqes) + (*head & (r->p.cq_entries - 1));
	__atomic_store_n(head, *head + 1, __ATOMIC_RELEASE);
	return cqe->res;
}

static void
t_uring_connect(void)
{
	struct io_uring_sqe sqe = { .opcode = IORING_OP_CONNECT };
	struct ring r;

	sqe.fd = socket(AF_INET, SOCK_STREAM, 0);
	sqe.addr = (uintptr_t)&at.sin4;
	sqe.off = sizeof(at.sin4);
	say("ring", ring_open(&r) < 0 ? -1 : ring_run(&r, &sqe));
}

static void
t_uring_socket(void)
{
	struct io_uring_sqe sqe = { .opcode = 45 /* IORING_OP_SOCKET */ };
	struct ring r;
	int fd;

	if (ring_open(&r) < 0) {
		say("ring", -1);
		return;
	}
	sqe.fd = AF_INET;
	sqe.off = SOCK_STREAM;
	fd = ring_run(&r, &sqe);
	memset(&sqe, 0, sizeof(sqe));
	sqe.opcode = IORING_OP_CONNECT;
	sqe.fd = fd;
	sqe.addr = (uintptr_t)&at.sin4;
	sqe.off = sizeof(at.sin4);
	say("ring", ring_run(&r, &sqe));
}

const struct probe ways_uring[] = {
	{ "uring-connect", "port", t_uring_connect },
	{ "uring-socket", "port", t_uring_socket },
	{ .name = NULL },
};
