#define _GNU_SOURCE
#include "footing_unfinished.h"

#include <errno.h>
#include <limits.h>
#include <signal.h>
#include <stdatomic.h>
#include <string.h>
#include <unistd.h>

#define COUNT 16

static struct {
	/* 0 free, 1 being written, 2 a file, 3 a folder. */
	_Atomic int state;
	char path[PATH_MAX];
} unfinished[COUNT];

int footing_add_unfinished(const char *path, int is_folder)
{
	size_t length = strlen(path);
	if (length >= PATH_MAX)
		return -ENAMETOOLONG;
	for (int index = 0; index < COUNT; index++) {
		int none = 0;
		if (!atomic_compare_exchange_strong(&unfinished[index].state, &none, 1))
			continue;
		memcpy(unfinished[index].path, path, length + 1);
		atomic_store(&unfinished[index].state, is_folder ? 3 : 2);
		return index;
	}
	return -ENOSPC;
}

void footing_forget_unfinished(int index)
{
	if (index >= 0 && index < COUNT)
		atomic_store(&unfinished[index].state, 0);
}

/* Only what a handler of signals may call: see signal-safety(7). */
static void end(int number)
{
	for (int index = 0; index < COUNT; index++)
		if (atomic_load(&unfinished[index].state) == 2)
			unlink(unfinished[index].path);
	for (int index = 0; index < COUNT; index++)
		if (atomic_load(&unfinished[index].state) == 3)
			rmdir(unfinished[index].path);
	/* By then it is the kernel's again, and ends the process as it would have. */
	raise(number);
}

int footing_remove_unfinished_on_signals(void)
{
	static const int numbers[] = {SIGINT, SIGTERM, SIGHUP};
	for (unsigned index = 0; index < sizeof numbers / sizeof *numbers; index++) {
		struct sigaction action;
		if (sigaction(numbers[index], NULL, &action) < 0)
			return -errno;
		/* Who started this wants the signal to be ignored, as nohup(1) does. */
		if (action.sa_handler != SIG_DFL)
			continue;
		memset(&action, 0, sizeof action);
		action.sa_handler = end;
		action.sa_flags = SA_RESETHAND | SA_NODEFER;
		if (sigaction(numbers[index], &action, NULL) < 0)
			return -errno;
	}
	return 0;
}
