#ifndef FOOTING_RING_H
#define FOOTING_RING_H

#include <stdint.h>
#include <sys/uio.h>

/* An io_uring(7), by liburing. One thread at a time may use one. */
struct footing_ring;

/* A ring with room for `entries` requests. With `one_thread` only the calling thread may use it,
 * which costs the kernel less (IORING_SETUP_SINGLE_ISSUER and DEFER_TASKRUN, Linux 6.1); older
 * kernels ignore it. 0 or -errno: -ENOSYS and -EPERM where io_uring is forbidden. */
int footing_ring_create(unsigned entries, int one_thread, struct footing_ring **result);

/* Ends it. Requests under way must have ended. */
void footing_ring_destroy(struct footing_ring *ring);

/* Sets the one file that is read and written. It is not registered: the kernel ends rings some
 * time after their process, and would have it open until then. */
void footing_ring_set_file(struct footing_ring *ring, int file);

/* Prepares a read of the file, IORING_OP_READ, or READV where there is more than one part; the
 * parts must stay where they are until it is submitted. -EBUSY if too many are prepared. */
int footing_ring_read(
	struct footing_ring *ring,
	const struct iovec *parts,
	unsigned count,
	uint64_t offset,
	uint64_t tag);

/* Prepares a write of the file, IORING_OP_WRITE. -EBUSY if too many are prepared. */
int footing_ring_write(
	struct footing_ring *ring,
	const void *bytes,
	unsigned count,
	uint64_t offset,
	uint64_t tag);

/* Prepares IORING_OP_POLL_ADD: one completion when the descriptor is readable or has failed. */
int footing_ring_poll(struct footing_ring *ring, int descriptor, uint64_t tag);

/* Prepares IORING_OP_NOP, which completes at once. -EBUSY if too many are prepared. */
int footing_ring_nothing(struct footing_ring *ring, uint64_t tag);

/* Submits what is prepared, and waits until `count` completions are there, at most
 * `nanoseconds` (0: without limit). 0 or more, or -errno; -ETIME only if nothing was submitted and
 * the time ran out. */
int footing_ring_submit(struct footing_ring *ring, unsigned count, uint64_t nanoseconds);

/* Waits until `count` completions are there, without submitting anything; with 0 only lets the
 * kernel post those that have ended. 0 or -errno. */
int footing_ring_wait(struct footing_ring *ring, unsigned count);

/* How many prepared requests the kernel has not taken yet: the last ones. */
unsigned footing_ring_unsubmitted(const struct footing_ring *ring);

/* Takes the next completion: 1, or 0 if there is none. `result` is what the call would have
 * returned, or -errno. */
int footing_ring_next(struct footing_ring *ring, uint64_t *tag, int32_t *result);

#endif
