#ifndef FOOTING_TESTING_H
#define FOOTING_TESTING_H

/* From now on io_uring_setup(2), or with `enter` io_uring_enter(2), fails with EPERM in the calling
 * thread and those it starts (seccomp(2)); for ever. 0 or -errno. */
int footing_testing_forbid_rings(int setup, int enter);

/* From now on io_uring_enter(2) fails with an error in this thread if it is to submit something. */
int footing_testing_refuse_submissions(int error);

/* From now on pwritev2(2) fails with an error in this thread. */
int footing_testing_refuse_durable_writes(int error);

#endif
