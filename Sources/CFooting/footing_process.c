#define _GNU_SOURCE
#include "footing_process.h"

#include <errno.h>
#include <linux/io_uring.h>
#include <linux/mempolicy.h>
#include <malloc.h>
#include <pthread.h>
#include <signal.h>
#include <fcntl.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

int footing_stop_signals(void)
{
	sigset_t set;
	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGHUP);
	if (sigprocmask(SIG_BLOCK, &set, NULL) < 0 || signal(SIGPIPE, SIG_IGN) == SIG_ERR)
		return -errno;
	int descriptor = signalfd(-1, &set, SFD_CLOEXEC);
	return descriptor < 0 ? -errno : descriptor;
}

int footing_read_signal(int descriptor)
{
	struct signalfd_siginfo information;
	ssize_t count = read(descriptor, &information, sizeof information);
	return count < 0 ? -errno : (int)information.ssi_signo;
}

int footing_terminal_columns(int descriptor)
{
	struct winsize size;
	if (ioctl(descriptor, TIOCGWINSZ, &size) < 0)
		return -errno;
	return size.ws_col;
}

void footing_trim_heap(void)
{
#ifdef __GLIBC__
	malloc_trim(0);
#endif
}

void footing_bound_heap(int kept)
{
#ifdef __GLIBC__
	mallopt(M_MMAP_THRESHOLD, kept);
	mallopt(M_TRIM_THRESHOLD, kept);
	mallopt(M_ARENA_MAX, 4);
#else
	(void)kept;
#endif
}

static int argument_count;
static char **arguments;

/* The C library hands these to every initialiser. */
__attribute__((constructor)) static void keep_arguments(int count, char **values)
{
	argument_count = count;
	arguments = values;
}

/* Two functions of Swift's runtime, in place of its own where that is linked into the program: it
 * is then left out, and with it what it does before main(), asked for or not. Hidden, so that a
 * runtime in a shared library keeps its own. */
#define RUNTIME __attribute__((visibility("hidden")))

/* For CommandLine: Swift would read /proc/self/maps, which takes longer than finding out the
 * hypervisor. */
RUNTIME char **_swift_stdlib_getUnsafeArgvArgc(int *count);

char **_swift_stdlib_getUnsafeArgvArgc(int *count)
{
	static char *none[1];
	*count = argument_count;
	return arguments ? arguments : none;
}

/* Where the program that prints the stack of a crash is, of a name, below the folder this one was
 * installed in: Swift would look at seven places. Nobody installs it with a static program; the
 * environment (SWIFT_BACKTRACE=swift-backtrace=PATH) can name one all the same. */
RUNTIME const char *swift_copyAuxiliaryExecutablePath(const char *folder, const char *name);

const char *swift_copyAuxiliaryExecutablePath(const char *folder, const char *name)
{
	(void)folder;
	(void)name;
	return NULL;
}

int footing_argument_count(void)
{
	return argument_count;
}

const char *footing_argument(int index)
{
	return arguments[index];
}

void footing_touch(void *value)
{
	__asm__ volatile("" : : "r"(value) : "memory");
}

const char *footing_error_name(int error)
{
	return strerrorname_np(error);
}

int footing_name_thread(unsigned long thread, const char *name)
{
	char cut[16];
	snprintf(cut, sizeof cut, "%s", name);
	return -pthread_setname_np((pthread_t)thread, cut);
}

const char *footing_environment(const char *name)
{
	return getenv(name);
}

int footing_probe_ring(void)
{
	struct io_uring_params parameters;
	memset(&parameters, 0, sizeof parameters);
	long ring = syscall(SYS_io_uring_setup, 1, &parameters);
	if (ring < 0)
		return -errno;
	close((int)ring);
	return 0;
}

int footing_allowed_processors(uint64_t *words, size_t count)
{
	memset(words, 0, count * sizeof *words);
	/* The call itself: the C library's would limit the set to its own size. */
	long size = syscall(SYS_sched_getaffinity, 0, count * sizeof *words, words);
	return size < 0 ? -errno : 0;
}

int footing_allowed_nodes(uint64_t *words, size_t count)
{
	memset(words, 0, count * sizeof *words);
	unsigned long bits = count * 64;
	long result = syscall(SYS_get_mempolicy, NULL, words, bits, NULL, MPOL_F_MEMS_ALLOWED);
	return result < 0 ? -errno : 0;
}

int footing_hide_memory(void)
{
	return prctl(PR_SET_DUMPABLE, 0) < 0 ? -errno : 0;
}

int footing_spawn(const char *const words[], int input, int *output)
{
	int ends[2];
	if (pipe2(ends, O_CLOEXEC) < 0)
		return -errno;
	posix_spawn_file_actions_t actions;
	int error = posix_spawn_file_actions_init(&actions);
	if (error == 0) {
		error = posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0);
		if (error == 0)
			error = posix_spawn_file_actions_adddup2(&actions, ends[1], 1);
		if (error == 0)
			error = posix_spawn_file_actions_adddup2(&actions, ends[1], 2);
		/* The last: the pipe may be there. */
		if (error == 0 && input >= 0)
			error = posix_spawn_file_actions_adddup2(&actions, input, 3);
		pid_t process = 0;
		if (error == 0)
			error = posix_spawnp(
				&process, words[0], &actions, NULL, (char *const *)words, environ);
		posix_spawn_file_actions_destroy(&actions);
		if (error == 0) {
			close(ends[1]);
			*output = ends[0];
			return process;
		}
	}
	close(ends[0]);
	close(ends[1]);
	return -error;
}

int footing_await_process(int process)
{
	int status;
	if (waitpid(process, &status, 0) < 0)
		return -errno;
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}
