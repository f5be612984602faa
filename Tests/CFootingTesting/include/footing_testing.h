#ifndef FOOTING_TESTING_H
#define FOOTING_TESTING_H

/* From now on io_uring_setup(2), or with `enter` io_uring_enter(2), fails with EPERM in the calling
 * thread and those it starts (seccomp(2)); for ever. 0 or -errno. */
int footing_testing_forbid_rings(int setup, int enter);

/* From now on io_uring_enter(2) fails with an error in this thread if it is to submit something. */
int footing_testing_refuse_submissions(int error);

/* From now on pwritev2(2) fails with an error in this thread. */
int footing_testing_refuse_durable_writes(int error);

/* Starts a process that asks for a word of at most 16 bytes by footing_read_secret, on a terminal
 * of its own, of which `controller` is the other end; with `blocks` it has blocked the signals that
 * a server waits for; with `stops` the terminal's output is stopped, as by Ctrl-S. `reports` tells
 * "process NUMBER", then "stopped SIGNAL ECHO" whenever it stops (it is told to go on at once), in
 * the end "signal NUMBER ECHO" or "exit STATUS ECHO": 0 if the word was "secret". ECHO is "shown"
 * or "hidden": whether the terminal shows what is typed.
 * Returns the process that reports, or -errno. */
int footing_testing_prompt(int blocks, int stops, int *controller, int *reports);

#endif
