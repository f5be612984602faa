#define _GNU_SOURCE
#include "footing_ring.h"

#include <errno.h>
#include <liburing.h>
#include <poll.h>
#include <stdlib.h>

struct footing_ring {
	struct io_uring uring;
	int file;
};

/*
 * liburing maps a ring's memory by calls of its own, which the thread sanitizer does not see: to it
 * a new ring where an old one was is the same memory, used by two threads. That the old one was
 * unmapped before the new one came is told here; two threads in one ring are found as before.
 */
#if defined(__has_feature)
#if __has_feature(thread_sanitizer)
#include <sanitizer/tsan_interface.h>
static char mappings;
#define RING_IS_MAPPED() __tsan_acquire(&mappings)
#define RING_IS_UNMAPPED() __tsan_release(&mappings)
#endif
#endif
#ifndef RING_IS_MAPPED
#define RING_IS_MAPPED()
#define RING_IS_UNMAPPED()
#endif

int footing_ring_create(unsigned entries, int one_thread, struct footing_ring **result)
{
	static const unsigned wishes[] = {
		/* 6.1: completions are worked on where they are waited for, and nowhere else. */
		IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN | IORING_SETUP_CLAMP,
		/* 5.19: no interrupt for them. */
		IORING_SETUP_COOP_TASKRUN | IORING_SETUP_CLAMP,
		IORING_SETUP_CLAMP,
	};
	struct footing_ring *ring = calloc(1, sizeof *ring);
	if (!ring)
		return -ENOMEM;
	int status = -EINVAL;
	for (unsigned i = one_thread ? 0 : 1; i < 3 && status == -EINVAL; i++)
		status = io_uring_queue_init(entries, &ring->uring, wishes[i]);
	if (status < 0) {
		free(ring);
		return status;
	}
	/* EXT_ARG (5.11) has a wait's time limit; without it a limit takes a request of its own. */
	if (!(ring->uring.features & IORING_FEAT_EXT_ARG)) {
		io_uring_queue_exit(&ring->uring);
		free(ring);
		return -ENOSYS;
	}
	RING_IS_MAPPED();
	ring->file = -1;
	*result = ring;
	return 0;
}

void footing_ring_destroy(struct footing_ring *ring)
{
	RING_IS_UNMAPPED();
	io_uring_queue_exit(&ring->uring);
	free(ring);
}

void footing_ring_set_file(struct footing_ring *ring, int file)
{
	ring->file = file;
}

int footing_ring_read(
	struct footing_ring *ring,
	const struct iovec *parts,
	unsigned count,
	uint64_t offset,
	uint64_t tag)
{
	struct io_uring_sqe *entry = io_uring_get_sqe(&ring->uring);
	if (!entry)
		return -EBUSY;
	if (count == 1)
		io_uring_prep_read(
			entry, ring->file, parts[0].iov_base, (unsigned)parts[0].iov_len, offset);
	else
		io_uring_prep_readv(entry, ring->file, parts, count, offset);
	io_uring_sqe_set_data64(entry, tag);
	return 0;
}

int footing_ring_write(
	struct footing_ring *ring,
	const void *bytes,
	unsigned count,
	uint64_t offset,
	uint64_t tag)
{
	struct io_uring_sqe *entry = io_uring_get_sqe(&ring->uring);
	if (!entry)
		return -EBUSY;
	io_uring_prep_write(entry, ring->file, bytes, count, offset);
	io_uring_sqe_set_data64(entry, tag);
	return 0;
}

int footing_ring_poll(struct footing_ring *ring, int descriptor, uint64_t tag)
{
	struct io_uring_sqe *entry = io_uring_get_sqe(&ring->uring);
	if (!entry)
		return -EBUSY;
	io_uring_prep_poll_add(entry, descriptor, POLLIN | POLLRDHUP);
	io_uring_sqe_set_data64(entry, tag);
	return 0;
}

int footing_ring_nothing(struct footing_ring *ring, uint64_t tag)
{
	struct io_uring_sqe *entry = io_uring_get_sqe(&ring->uring);
	if (!entry)
		return -EBUSY;
	io_uring_prep_nop(entry);
	io_uring_sqe_set_data64(entry, tag);
	return 0;
}

int footing_ring_submit(struct footing_ring *ring, unsigned count, uint64_t nanoseconds)
{
	if (count == 0)
		return io_uring_submit_and_get_events(&ring->uring);
	if (nanoseconds == 0)
		return io_uring_submit_and_wait(&ring->uring, count);
	struct __kernel_timespec limit = {
		.tv_sec = (long long)(nanoseconds / 1000000000),
		.tv_nsec = (long long)(nanoseconds % 1000000000),
	};
	struct io_uring_cqe *first;
	return io_uring_submit_and_wait_timeout(&ring->uring, &first, count, &limit, NULL);
}

int footing_ring_wait(struct footing_ring *ring, unsigned count)
{
	if (count == 0)
		return io_uring_get_events(&ring->uring);
	struct io_uring_cqe *first;
	return io_uring_wait_cqe_nr(&ring->uring, &first, count);
}

unsigned footing_ring_unsubmitted(const struct footing_ring *ring)
{
	return io_uring_sq_ready(&ring->uring);
}

int footing_ring_next(struct footing_ring *ring, uint64_t *tag, int32_t *result)
{
	struct io_uring_cqe *entry;
	if (io_uring_peek_cqe(&ring->uring, &entry) != 0 || !entry)
		return 0;
	*tag = io_uring_cqe_get_data64(entry);
	*result = entry->res;
	io_uring_cqe_seen(&ring->uring, entry);
	return 1;
}
