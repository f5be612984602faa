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
	int result = tcsetattr(terminal, TCSAFLUSH, &quiet) < 0 ? -errno : 0;
	/* A signal may have come when it was done. */
	before->is_quiet = result == 0;
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
	tcsetattr(terminal, TCSAFLUSH, &before->terminal);
	/* The end of the line, which was not shown. */
	if (write(terminal, "\n", 1) < 0)
		return;
}

static ssize_t read_line(int terminal, const sigset_t *waiting, char *line, size_t size)
{
	size_t count = 0;

	for (;;) {
		struct pollfd request = {.fd = terminal, .events = POLLIN};
		char byte = 0;
		if (arrived)
			return -EINTR;
		if (ppoll(&request, 1, NULL, waiting) < 0) {
			/* A signal that is none of these is no reason to give up. */
			if (errno == EINTR)
				continue;
			return -errno;
		}
		ssize_t got = read(terminal, &byte, 1);
		if (got < 0 && errno == EINTR)
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
		if (result == 0 && write(terminal, prompt, strlen(prompt)) < 0)
			result = -errno;
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
