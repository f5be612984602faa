/* Durable writes of 4 KiB, by several writers at a time, each at places of its own.
 *
 *   durable PATH WRITERS COUNT MIB
 *
 * PATH is an NBD server's socket: a connection for each writer, and FUA with every write. Or it is
 * a file: a write and fdatasync(2), which is what a naive server makes of that. COUNT writes in
 * all, in the first MIB (a power of two): a writer goes through its part with a stride, and through
 * all of it before it comes to a block again. Prints "done COUNT SECONDS", and fails at the first
 * error. */
#define _GNU_SOURCE
#include <fcntl.h>
#include <pthread.h>
#include <sys/stat.h>
#include <time.h>

#include "nbd.h"

#define BLOCK 4096
#define WRITERS_MAX 64

static const char *path;
static unsigned writers;
static unsigned long count, blocks;

static void write_durably(int file, uint64_t offset, const char *data)
{
	send_request(file, WRITE, FUA, 0, offset, BLOCK);
	send_all(file, data, BLOCK);
	errno = (int)be32toh(receive_reply(file).error);
	if (errno)
		fail("reply");
}

static void *write_all(void *argument)
{
	unsigned writer = (unsigned)(uintptr_t)argument;
	unsigned long part = blocks / writers;
	struct stat status;
	int is_file = stat(path, &status) == 0 && S_ISREG(status.st_mode);
	int file = is_file ? open(path, O_RDWR | O_CLOEXEC) : connect_to(path);
	char data[BLOCK];
	if (file < 0)
		fail(path);
	for (unsigned long i = 0; i < count / writers; i++) {
		/* 89 has no divisor in common with a part that is a power of two. */
		memset(data, (int)(i + writer + 1), sizeof data);
		uint64_t offset = (writer * part + i * 89 % part) * BLOCK;
		if (!is_file)
			write_durably(file, offset, data);
		else if (pwrite(file, data, BLOCK, (off_t)offset) != BLOCK || fdatasync(file) < 0)
			fail("write");
	}
	close(file);
	return NULL;
}

int main(int words, char **word)
{
	pthread_t threads[WRITERS_MAX];
	struct timespec start, end;
	if (words != 5) {
		puts("unknown words");
		return 64;
	}
	path = word[1];
	writers = (unsigned)strtoul(word[2], NULL, 10);
	count = strtoul(word[3], NULL, 10);
	blocks = strtoul(word[4], NULL, 10) << 8;
	if (writers < 1 || writers > WRITERS_MAX || blocks < writers) {
		puts("impossible numbers");
		return 64;
	}
	clock_gettime(CLOCK_MONOTONIC, &start);
	for (unsigned i = 0; i < writers; i++)
		if (pthread_create(&threads[i], NULL, write_all, (void *)(uintptr_t)i))
			fail("thread");
	for (unsigned i = 0; i < writers; i++)
		pthread_join(threads[i], NULL);
	clock_gettime(CLOCK_MONOTONIC, &end);
	double seconds = (double)(end.tv_sec - start.tv_sec) +
			 (double)(end.tv_nsec - start.tv_nsec) * 1e-9;
	printf("done %lu %.2f\n", count / writers * writers, seconds);
	return 0;
}
