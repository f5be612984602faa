/* What a guest does with memory beside the program that is tested. It says a line when it is ready,
 * and what it did in the end.
 *
 *   memory fill NODE LEFT       takes a node's memory up to so many free MiB, and keeps it
 *   memory hold MIB             a cache that never gives back: touches its memory all the time
 *   memory nodes PROCESS        on which node every page of a process's private memory lies
 *   memory watch PROCESS SECONDS  every 20 ms: milliseconds, what the process has in KiB, pages in
 *                               the balloon, available KiB, microseconds of stall
 *   memory read FILE SECONDS    a neighbour that reads a file over and over, through the page cache
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/mempolicy.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#define MEBIBYTE (1UL << 20)
#define PAGE 4096UL

static void fail(const char *what)
{
	printf("%s: %s\n", what, strerror(errno));
	exit(1);
}

static void say(const char *line)
{
	puts(line);
	fflush(stdout);
}

static double now(void)
{
	struct timespec time;
	clock_gettime(CLOCK_MONOTONIC, &time);
	return time.tv_sec + time.tv_nsec * 1e-9;
}

static char *take(size_t bytes)
{
	char *start = mmap(NULL, bytes, PROT_READ | PROT_WRITE,
			   MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (start == MAP_FAILED)
		fail("mmap");
	return start;
}

/* MemFree of a node in MiB. */
static long free_mebibytes(int node)
{
	char path[64], line[256];
	long kibibytes = -1;
	snprintf(path, sizeof path, "/sys/devices/system/node/node%d/meminfo", node);
	FILE *file = fopen(path, "r");
	if (!file)
		fail(path);
	while (fgets(line, sizeof line, file))
		if (sscanf(line, "Node %*d MemFree: %ld kB", &kibibytes) == 1)
			break;
	fclose(file);
	return kibibytes / 1024;
}

static void fill(int node, long left)
{
	unsigned long nodes[16] = {0};
	nodes[node / 64] = 1UL << node % 64;
	long taken = 0;
	/* A MiB at a time: at a bound node's end the kernel would kill somebody. */
	for (; free_mebibytes(node) > left; taken++) {
		char *start = take(MEBIBYTE);
		if (syscall(SYS_mbind, start, MEBIBYTE, MPOL_BIND, nodes, sizeof nodes * 8, 0) < 0)
			fail("mbind");
		memset(start, 1, MEBIBYTE);
	}
	printf("filled %ld\n", taken);
	fflush(stdout);
	for (;;)
		pause();
}

static void hold(size_t mebibytes)
{
	char *start = take(mebibytes * MEBIBYTE);
	memset(start, 1, mebibytes * MEBIBYTE);
	say("ready");
	for (;;) {
		for (size_t at = 0; at < mebibytes * MEBIBYTE; at += PAGE)
			((volatile char *)start)[at]++;
		usleep(100000);
	}
}

/* move_pages(2) of another process, asked without a list of nodes: moves nothing. */
static void nodes(int process)
{
	enum { BATCH = 1024, NODES = 64 };
	static const void *pages[BATCH];
	static int status[BATCH];
	unsigned long found[NODES] = {0}, start, end;
	char path[64], line[512], mode[8], name[256];
	snprintf(path, sizeof path, "/proc/%d/maps", process);
	FILE *maps = fopen(path, "r");
	if (!maps)
		fail(path);
	while (fgets(line, sizeof line, maps)) {
		name[0] = 0;
		if (sscanf(line, "%lx-%lx %7s %*s %*s %*s %255s", &start, &end, mode, name) < 3)
			continue;
		/* Slabs have neither a file nor a name, and are whole huge pages. */
		if (name[0] || strcmp(mode, "rw-p") || start % (2 * MEBIBYTE) ||
		    end - start < 2 * MEBIBYTE)
			continue;
		while (start < end) {
			size_t count = 0;
			for (; count < BATCH && start < end; start += PAGE)
				pages[count++] = (const void *)start;
			if (syscall(SYS_move_pages, process, count, pages, NULL, status, 0) < 0)
				fail("move_pages");
			for (size_t i = 0; i < count; i++)
				if (status[i] >= 0 && status[i] < NODES)
					found[status[i]]++;
		}
	}
	fclose(maps);
	for (int node = 0; node < NODES; node++)
		if (found[node])
			printf("%d %lu\n", node, found[node] * PAGE);
}

/* The number behind a name in a file of /proc; -1 if it is not there. */
static long number(const char *path, const char *name)
{
	static char text[16384];
	int file = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t count = file < 0 ? 0 : read(file, text, sizeof text - 1);
	if (file >= 0)
		close(file);
	text[count > 0 ? count : 0] = 0;
	const char *found = strstr(text, name);
	return found ? atol(found + strlen(name)) : -1;
}

static void watch(const char *process, double seconds)
{
	char path[64];
	snprintf(path, sizeof path, "/proc/%s/status", process);
	double start = now(), time = start;
	for (; time < start + seconds; time = now()) {
		long inflated = number("/proc/vmstat", "balloon_inflate ");
		long deflated = number("/proc/vmstat", "balloon_deflate ");
		/* -1 once it was killed. */
		printf("%.0f %ld %ld %ld %ld\n", (time - start) * 1000, number(path, "VmRSS:"),
		       inflated - deflated, number("/proc/meminfo", "MemAvailable:"),
		       number("/proc/pressure/memory", "total="));
		usleep(20000);
	}
}

static void read_over(const char *path, double seconds)
{
	static char buffer[256 << 10];
	unsigned long total = 0;
	int file = open(path, O_RDONLY | O_CLOEXEC);
	if (file < 0)
		fail(path);
	say("ready");
	double end = now() + seconds;
	off_t at = 0;
	while (now() < end) {
		ssize_t count = pread(file, buffer, sizeof buffer, at);
		if (count < 0)
			fail("pread");
		at = count == 0 ? 0 : at + count;
		total += (size_t)count;
	}
	printf("read %lu\n", total);
}

int main(int count, char **words)
{
	if (count == 4 && !strcmp(words[1], "fill"))
		fill(atoi(words[2]), atol(words[3]));
	else if (count == 3 && !strcmp(words[1], "hold"))
		hold(strtoul(words[2], NULL, 10));
	else if (count == 3 && !strcmp(words[1], "nodes"))
		nodes(atoi(words[2]));
	else if (count == 4 && !strcmp(words[1], "watch"))
		watch(words[2], atof(words[3]));
	else if (count == 4 && !strcmp(words[1], "read"))
		read_over(words[2], atof(words[3]));
	else {
		say("unknown words");
		return 64;
	}
	return 0;
}
