#ifndef FOOTING_SECRET_H
#define FOOTING_SECRET_H

#include <stddef.h>
#include <sys/types.h>

/* Shows a prompt on a terminal, opened with O_NONBLOCK, and reads a line without showing it: its
 * bytes without the line feed, or -errno; -EMSGSIZE if it is longer than the memory.
 *
 * Meanwhile SIGINT (as by Ctrl-C), SIGTERM, SIGHUP and SIGQUIT end the process, once the terminal
 * is again as it was, even if this thread has blocked them; those that are ignored stay so. Where
 * the process has a handler it is called, and the answer is -EINTR if it returns. After SIGTSTP
 * (as by Ctrl-Z) and SIGCONT the line is asked for anew. For one thread at a time, and one whose
 * process has no other that would take these signals; two processes that ask at once on one
 * terminal take each other's state for the one before. */
ssize_t footing_read_secret(int terminal, const char *prompt, char *line, size_t size);

#endif
