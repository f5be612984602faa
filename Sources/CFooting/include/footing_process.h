#ifndef FOOTING_PROCESS_H
#define FOOTING_PROCESS_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/* A descriptor that becomes readable when one of the blocked signals SIGTERM, SIGINT or SIGHUP
 * arrives (signalfd(2)); call it before any thread starts, so that all inherit the mask. SIGPIPE is
 * ignored from then on. */
int footing_stop_signals(void);

/* The signal that a descriptor from footing_stop_signals holds, or -errno. */
int footing_read_signal(int descriptor);

/* Columns of the terminal behind a descriptor, or -errno where it is none. */
int footing_terminal_columns(int descriptor);

/* Does nothing with what it points to; the caller's compiler has to assume that it changed. */
void footing_touch(void *value);

/* Gives free memory of the heap back to the kernel, where the C library can (malloc_trim). */
void footing_trim_heap(void);

/* Keeps the heap from holding on to free memory (mallopt): call it before any thread starts. */
void footing_bound_heap(int kept);

/* The symbolic name of an error number, "ENOSPC", or NULL. */
const char *footing_error_name(int error);

/* pthread_setname_np(3), cut at 15 bytes. */
int footing_name_thread(unsigned long thread, const char *name);

/* Sets up the smallest ring of io_uring_setup(2) and takes it down again: 0 if that is allowed
 * here, -ENOSYS where the kernel has none, -EPERM where it is switched off or forbidden. */
int footing_probe_ring(void);

/* Bits of the processors this process may run on (sched_getaffinity(2)) and of the NUMA nodes it
 * may have memory of (get_mempolicy(2), MPOL_F_MEMS_ALLOWED): 0, or -errno. The kernel's own text
 * of the same, /proc/self/status, takes longer. */
int footing_allowed_processors(uint64_t *words, size_t count);
int footing_allowed_nodes(uint64_t *words, size_t count);

/* The words of the process's command line, the program's name first. */
int footing_argument_count(void);
const char *footing_argument(int index);

/* The calling process's environment variable, or NULL. */
const char *footing_environment(const char *name);

/* Keeps the process's memory out of core dumps, and from debuggers of the same user
 * (PR_SET_DUMPABLE): 0 or -errno. */
int footing_hide_memory(void);

/* Starts a program of PATH with nothing to read; what it writes to its standard output and error
 * goes to a pipe, whose other end is `*output` then. `input` is its descriptor 3, unless it is
 * negative. Returns the process or -errno. */
int footing_spawn(const char *const arguments[], int input, int *output);

/* waitpid(2): the exit status, 128 and the signal's number where one ended it, or -errno. */
int footing_await_process(int process);

#endif
