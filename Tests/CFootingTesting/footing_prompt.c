#define _GNU_SOURCE
#include "footing_testing.h"

#include "CFooting.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <termios.h>
#include <unistd.h>

static void report(int reports, const char *format, ...)
{
	char line[64];
	va_list values;
	va_start(values, format);
	int count = vsnprintf(line, sizeof line, format, values);
	va_end(values);
	if (write(reports, line, (size_t)count) < 0)
		_exit(2);
}

static const char *echo(int terminal)
{
	struct termios state;
	if (tcgetattr(terminal, &state) < 0)
		return "lost";
	return state.c_lflag & ECHO ? "shown" : "hidden";
}

static void ask(int blocks)
{
	char line[16];
	const struct rlimit none = {0, 0};
	setrlimit(RLIMIT_CORE, &none);
	int terminal = open("/dev/tty", O_RDWR | O_NONBLOCK);
	if (terminal < 0)
		_exit(2);
	if (blocks && footing_stop_signals() < 0)
		_exit(2);
	ssize_t count = footing_read_secret(terminal, "word: ", line, sizeof line);
	_exit(count == 6 && memcmp(line, "secret", 6) == 0 ? 0 : 1);
}

/* The kernel takes what was typed in its own time. */
static void wait_until_stopped(int terminal)
{
	for (int attempt = 0; attempt < 10000; attempt++) {
		struct pollfd request = {.fd = terminal, .events = POLLOUT};
		if (poll(&request, 1, 0) == 0)
			return;
		usleep(1000);
	}
	_exit(2);
}

/* What a shell does: it stays while the one that asks comes and goes. */
static void lead(const char *path, int blocks, int stops, int reports)
{
	if (setsid() < 0)
		_exit(2);
	int terminal = open(path, O_RDWR);
	if (terminal < 0 || ioctl(terminal, TIOCSCTTY, 0) < 0)
		_exit(2);
	if (stops)
		wait_until_stopped(terminal);
	/* Another thread of the tests may wait for system(3), which has two of them ignored. */
	static const int numbers[] = {SIGINT, SIGQUIT, SIGTERM, SIGHUP, SIGTSTP};
	for (unsigned index = 0; index < sizeof numbers / sizeof *numbers; index++)
		signal(numbers[index], SIG_DFL);
	signal(SIGTTOU, SIG_IGN);
	pid_t process = fork();
	if (process == 0) {
		setpgid(0, 0);
		tcsetpgrp(terminal, getpid());
		signal(SIGTTOU, SIG_DFL);
		ask(blocks);
	}
	setpgid(process, process);
	report(reports, "process %d\n", (int)process);
	for (;;) {
		int status;
		if (waitpid(process, &status, WUNTRACED) < 0)
			_exit(2);
		if (WIFSTOPPED(status)) {
			report(reports, "stopped %d %s\n", WSTOPSIG(status), echo(terminal));
			kill(process, SIGCONT);
			continue;
		}
		if (WIFSIGNALED(status))
			report(reports, "signal %d %s\n", WTERMSIG(status), echo(terminal));
		else
			report(reports, "exit %d %s\n", WEXITSTATUS(status), echo(terminal));
		_exit(0);
	}
}

int footing_testing_prompt(int blocks, int stops, int *controller, int *reports)
{
	char path[64];
	int ends[2];
	*controller = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC);
	if (*controller < 0 || grantpt(*controller) < 0 || unlockpt(*controller) < 0 ||
	    ptsname_r(*controller, path, sizeof path) != 0 || pipe2(ends, O_CLOEXEC) < 0)
		return -errno;
	if (stops && write(*controller, "\x13", 1) != 1)
		return -errno;
	pid_t process = fork();
	if (process == 0)
		lead(path, blocks, stops, ends[1]);
	close(ends[1]);
	*reports = ends[0];
	return process < 0 ? -errno : process;
}
