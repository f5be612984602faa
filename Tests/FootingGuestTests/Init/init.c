/* The first process of a test guest. It mounts what a system mounts, loads the modules that
 * /modules/order names, and then serves the harness on the second serial port, a request a line:
 *
 *   run TAB PROGRAM TAB ARGUMENT...         "exited STATUS BYTES", then what it printed
 *   await TAB SECONDS TAB COUNT TAB PATTERN  "found COUNT", once so many paths match, or in the end
 *
 * STATUS is what a shell would say. What a program writes to its standard error goes to the
 * console, beside the kernel's messages. A shell in this place would cost a fork for every step. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <glob.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <termios.h>
#include <time.h>
#include <unistd.h>

#define ARGUMENTS_MAX 64

static void complain(const char *what)
{
	fprintf(stderr, "init: %s: %s\n", what, strerror(errno));
}

static void mount_all(void)
{
	static const struct {
		const char *type, *path;
	} mounts[] = {
		{"proc", "/proc"}, {"sysfs", "/sys"}, {"devtmpfs", "/dev"}, {"tmpfs", "/run"},
		{"tmpfs", "/tmp"}, {"cgroup2", "/sys/fs/cgroup"},
	};
	for (size_t i = 0; i < sizeof mounts / sizeof mounts[0]; i++) {
		const char *type = mounts[i].type;
		if (mount(type, mounts[i].path, type, 0, "") < 0 && errno != EBUSY)
			complain(mounts[i].path);
	}
}

/* Each line is a path, and after a space the module's parameters. */
static void load_modules(void)
{
	char line[512];
	FILE *order = fopen("/modules/order", "r");
	if (!order)
		return;
	while (fgets(line, sizeof line, order)) {
		line[strcspn(line, "\n")] = 0;
		char *parameters = line + strcspn(line, " ");
		if (*parameters)
			*parameters++ = 0;
		int file = open(line, O_RDONLY | O_CLOEXEC);
		long status = file < 0 ? -1 : syscall(SYS_finit_module, file, parameters, 0);
		/* A module that the kernel brings along is there already. */
		if (status < 0 && errno != EEXIST)
			complain(line);
		if (file >= 0)
			close(file);
	}
	fclose(order);
}

static int open_port(void)
{
	struct termios settings;
	int port = open("/dev/ttyS1", O_RDWR | O_NOCTTY | O_CLOEXEC);
	if (port < 0 || tcgetattr(port, &settings) < 0)
		return -1;
	cfmakeraw(&settings);
	return tcsetattr(port, TCSANOW, &settings) < 0 ? -1 : port;
}

static void send_all(int port, const char *bytes, size_t count)
{
	while (count > 0) {
		ssize_t done = write(port, bytes, count);
		if (done < 0) {
			complain("the port");
			return;
		}
		bytes += done;
		count -= (size_t)done;
	}
}

static int status_of(pid_t child)
{
	int status;
	/* Orphans of earlier programs end here too. */
	for (;;) {
		pid_t ended = wait(&status);
		if (ended == child)
			return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
		if (ended < 0 && errno != EINTR)
			return 255;
	}
}

static void run(int port, char **arguments)
{
	char header[64];
	struct stat output;
	int file = memfd_create("output", MFD_CLOEXEC);
	pid_t child = file < 0 ? -1 : fork();
	if (child == 0) {
		dup2(file, STDOUT_FILENO);
		execv(arguments[0], arguments);
		complain(arguments[0]);
		_exit(127);
	}
	int status = child < 0 ? 255 : status_of(child);
	if (file < 0 || fstat(file, &output) < 0)
		output.st_size = 0;
	size_t size = (size_t)output.st_size;
	snprintf(header, sizeof header, "exited %d %zu\n", status, size);
	send_all(port, header, strlen(header));
	if (size > 0) {
		char *bytes = mmap(NULL, size, PROT_READ, MAP_SHARED, file, 0);
		if (bytes != MAP_FAILED) {
			send_all(port, bytes, size);
			munmap(bytes, size);
		}
	}
	if (file >= 0)
		close(file);
}

static void await(int port, char **arguments)
{
	const struct timespec pause = {.tv_nsec = 20000000};
	size_t wanted = strtoul(arguments[1], NULL, 10), found = 0;
	char answer[64];
	for (long left = strtol(arguments[0], NULL, 10) * 50; left >= 0; left--) {
		glob_t paths;
		found = glob(arguments[2], 0, NULL, &paths) == 0 ? paths.gl_pathc : 0;
		globfree(&paths);
		if (found >= wanted)
			break;
		nanosleep(&pause, NULL);
	}
	snprintf(answer, sizeof answer, "found %zu\n", found);
	send_all(port, answer, strlen(answer));
}

static void serve(int port, char *line)
{
	char *words[ARGUMENTS_MAX + 1], *word = strtok(line, "\t");
	int count = 0;
	for (; word && count < ARGUMENTS_MAX; word = strtok(NULL, "\t"))
		words[count++] = word;
	words[count] = NULL;
	if (count >= 2 && strcmp(words[0], "run") == 0)
		run(port, words + 1);
	else if (count == 4 && strcmp(words[0], "await") == 0)
		await(port, words + 1);
	else
		send_all(port, "unknown request\n", 16);
}

int main(void)
{
	char line[4096];
	size_t used = 0;
	mount_all();
	load_modules();
	setenv("PATH", "/bin", 1);
	int port = open_port();
	if (port < 0) {
		complain("the port");
		return 1;
	}
	send_all(port, "ready\n", 6);
	for (;;) {
		ssize_t count = read(port, line + used, 1);
		if (count < 0 && errno != EINTR) {
			complain("the port");
			return 1;
		}
		if (count <= 0)
			continue;
		if (line[used] == '\n') {
			line[used] = 0;
			used = 0;
			serve(port, line);
		} else if (++used == sizeof line) {
			used = 0;
		}
	}
}
