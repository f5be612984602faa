#define _GNU_SOURCE
#include "footing_secret.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <termios.h>
#include <unistd.h>

#define COUNT 5

static const int numbers[COUNT] = {SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGTSTP};

/* What is put back before the process ends, stops or goes on. */
struct before {
	struct sigaction actions[COUNT];
	int is_taken[COUNT];
	sigset_t mask;
	/* While the line is waited for. */
	sigset_t waiting;
	struct termios terminal;
	/* The terminal is not as it was. */
	int is_quiet;
};

static volatile sig_atomic_t arrived;

static void note(int number)
{
	arrived = number;
}

/* From here on signals come only where they are looked for. */
static void take_signals(struct before *before)
{
	struct sigaction action;
	sigset_t taken;

	memset(&action, 0, sizeof action);
	action.sa_handler = note;
	sigemptyset(&taken);
	for (int index = 0; index < COUNT; index++) {
		sigaction(numbers[index], NULL, &before->actions[index]);
		/* Who started this wants it so, as nohup(1) does. */
		before->is_taken[index] = before->actions[index].sa_handler != SIG_IGN;
		if (before->is_taken[index])
			sigaddset(&taken, numbers[index]);
	}
	pthread_sigmask(SIG_BLOCK, &taken, &before->mask);
	before->waiting = before->mask;
	arrived = 0;
	for (int index = 0; index < COUNT; index++) {
		if (!before->is_taken[index])
			continue;
		sigdelset(&before->waiting, numbers[index]);
		sigaction(numbers[index], &action, NULL);
	}
}

static void give_signals_back(const struct before *before)
{
	for (int index = 0; index < COUNT; index++)
		if (before->is_taken[index])
			sigaction(numbers[index], &before->actions[index], NULL);
	/* What came since goes to who had the signals before. */
	pthread_sigmask(SIG_SETMASK, &before->mask, NULL);
}

static int hide_input(int terminal, struct before *before)
{
	struct termios quiet;

	if (tcgetattr(terminal, &before->terminal) < 0)
		return -errno;
	quiet = before->terminal;
	quiet.c_lflag &= ~(tcflag_t)(ECHO | ECHONL);
	quiet.c_lflag |= ICANON | ISIG;
	/* In the background this stops the process until it is called to the front, or ended. */
	pthread_sigmask(SIG_SETMASK, &before->waiting, NULL);
	int result = tcsetattr(terminal, TCSANOW, &quiet) < 0 ? -errno : 0;
	/* A signal may have come when it was done. */
	before->is_quiet = result == 0;
	/* What was typed while it was shown; TCSAFLUSH would wait for the terminal's output. */
	if (result == 0 && tcflush(terminal, TCIFLUSH) < 0)
		result = -errno;
	sigset_t taken;
	sigemptyset(&taken);
	for (int index = 0; index < COUNT; index++)
		if (before->is_taken[index])
			sigaddset(&taken, numbers[index]);
	pthread_sigmask(SIG_BLOCK, &taken, NULL);
	return result;
}

static void show_input(int terminal, struct before *before)
{
	/* In the background the terminal is another's by now. */
	if (!before->is_quiet || tcgetpgrp(terminal) != getpgrp())
		return;
	before->is_quiet = 0;
	tcflush(terminal, TCIFLUSH);
	tcsetattr(terminal, TCSANOW, &before->terminal);
	/* The end of the line, which was not shown; not if the terminal takes nothing now. */
	if (write(terminal, "\n", 1) < 0)
		return;
}

/* Waits until the terminal takes or has bytes; -EINTR for a signal that ends this. */
static int wait_for(int terminal, short events, const sigset_t *waiting)
{
	struct pollfd request = {.fd = terminal, .events = events};

	while (!arrived) {
		if (ppoll(&request, 1, NULL, waiting) >= 0)
			return 0;
		/* A signal that is none of these is no reason to give up. */
		if (errno != EINTR)
			return -errno;
	}
	return -EINTR;
}

/* Whether a call is to be made again once the terminal is ready. */
static int is_early(ssize_t result)
{
	return result < 0 && (errno == EINTR || errno == EAGAIN);
}

static ssize_t show_prompt(int terminal, const sigset_t *waiting, const char *prompt)
{
	size_t rest = strlen(prompt);

	while (rest > 0) {
		/* It may be stopped, as by Ctrl-S. */
		int result = wait_for(terminal, POLLOUT, waiting);
		if (result < 0)
			return result;
		ssize_t count = write(terminal, prompt, rest);
		if (is_early(count))
			continue;
		if (count < 0)
			return -errno;
		prompt += count;
		rest -= (size_t)count;
	}
	return 0;
}

static ssize_t read_line(int terminal, const sigset_t *waiting, char *line, size_t size)
{
	size_t count = 0;

	for (;;) {
		char byte = 0;
		int result = wait_for(terminal, POLLIN, waiting);
		if (result < 0)
			return result;
		ssize_t got = read(terminal, &byte, 1);
		/* Another process may have read the line. */
		if (is_early(got))
			continue;
		if (got < 0)
			return -errno;
		if (got == 0 || byte == '\n')
			return (ssize_t)count;
		if (count == size)
			return -EMSGSIZE;
		line[count++] = byte;
	}
}

/* Lets a signal do what it would have done; returns if that is not the end. */
static void let_through(int number)
{
	sigset_t one, before;

	sigemptyset(&one);
	sigaddset(&one, number);
	raise(number);
	pthread_sigmask(SIG_UNBLOCK, &one, &before);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
}

ssize_t footing_read_secret(int terminal, const char *prompt, char *line, size_t size)
{
	for (;;) {
		struct before before;
		memset(&before, 0, sizeof before);
		take_signals(&before);
		ssize_t result = hide_input(terminal, &before);
		if (result == 0)
			result = show_prompt(terminal, &before.waiting, prompt);
		if (result == 0)
			result = read_line(terminal, &before.waiting, line, size);
		show_input(terminal, &before);
		int number = arrived;
		give_signals_back(&before);
		if (number == 0)
			return result;
		explicit_bzero(line, size);
		let_through(number);
		/* It goes on after a stop, and whatever was typed before is forgotten. */
		if (number != SIGTSTP)
			return -EINTR;
	}
}
