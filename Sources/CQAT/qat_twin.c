#define _GNU_SOURCE
#include "cqat.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static ssize_t read_output(int descriptor, char *buffer, size_t size, int milliseconds)
{
	size_t count = 0;
	while (count < size) {
		struct pollfd wait = { .fd = descriptor, .events = POLLIN };
		int ready = poll(&wait, 1, milliseconds);
		if (ready < 0 && errno == EINTR)
			continue;
		if (ready <= 0)
			return ready < 0 ? -errno : -ETIMEDOUT;
		ssize_t more = read(descriptor, buffer + count, size - count);
		if (more < 0)
			return -errno;
		if (more == 0)
			break;
		count += (size_t)more;
	}
	return (ssize_t)count;
}

ssize_t qat_output(
	const char *path, const char *argument, char *buffer, size_t size, int milliseconds)
{
	int ends[2];
	pid_t child;
	posix_spawn_file_actions_t actions;
	char *arguments[] = { (char *)(uintptr_t)path, (char *)(uintptr_t)argument, NULL };
	if (pipe2(ends, O_CLOEXEC) < 0)
		return -errno;
	posix_spawn_file_actions_init(&actions);
	posix_spawn_file_actions_adddup2(&actions, ends[1], STDOUT_FILENO);
	int status = posix_spawn(&child, path, &actions, NULL, arguments, environ);
	posix_spawn_file_actions_destroy(&actions);
	close(ends[1]);
	ssize_t count = -status;
	if (status == 0) {
		count = read_output(ends[0], buffer, size, milliseconds);
		kill(child, SIGKILL);
		waitpid(child, NULL, 0);
	}
	close(ends[0]);
	return count;
}

int qat_become(const char *path, char *const *arguments)
{
	execve(path, arguments, environ);
	return -errno;
}
