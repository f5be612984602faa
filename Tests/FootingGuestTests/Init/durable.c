/* Durable writes of 4 KiB, by several writers at a time, each at places of its own.
 *
 *   durable PATH WRITERS COUNT MIB
 *
 * PATH is an NBD server's socket: a connection for each writer, and FUA with every write. Or it is
 * a file: a write and fdatasync(2), which is what a naive server makes of that. COUNT writes in
 * all, in the first MIB (a power of two): a writer goes through its part with a stride, and through
 * all of it before it comes to a block again. Prints "done COUNT SECONDS", and fails at the first
 * error.
 * The protocol: https://github.com/NetworkBlockDevice/nbd/blob/master/doc/proto.md */
#define _GNU_SOURCE
#include <endian.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#define BLOCK 4096
#define WRITERS_MAX 64

struct request {
	uint32_t magic;
	uint16_t flags, type;
	uint64_t cookie, offset;
	uint32_t length;
} __attribute__((packed));

static const char *path;
static unsigned writers;
static unsigned long count, blocks;

static void fail(const char *what)
{
	printf("%s: %s\n", what, strerror(errno));
	exit(1);
}

static void send_all(int file, const void *bytes, size_t length)
{
	for (size_t done = 0; done < length;) {
		ssize_t now = send(file, (const char *)bytes + done, length - done, MSG_NOSIGNAL);
		if (now < 0)
			fail("send");
		done += (size_t)now;
	}
}

static void receive_all(int file, void *bytes, size_t length)
{
	for (size_t done = 0; done < length;) {
		ssize_t now = recv(file, (char *)bytes + done, length - done, 0);
		if (now == 0)
			errno = ECONNRESET;
		if (now <= 0)
			fail("recv");
		done += (size_t)now;
	}
}

static int connect_to(const char *socket_path)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	char greeting[18], export[10];
	/* Fixed newstyle without zeroes, and NBD_OPT_EXPORT_NAME with no name. */
	struct {
		uint32_t flags;
		uint64_t magic;
		uint32_t option, length;
	} __attribute__((packed)) choice = {
		htobe32(3), htobe64(0x49484156454f5054), htobe32(1), 0,
	};
	snprintf(address.sun_path, sizeof address.sun_path, "%s", socket_path);
	int file = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (file < 0)
		fail(socket_path);
	/* A server has the socket's name before it listens. */
	const struct sockaddr *server = (const struct sockaddr *)&address;
	for (int tries = 0; connect(file, server, sizeof address) < 0; tries++) {
		if (errno != ECONNREFUSED || tries == 500)
			fail(socket_path);
		usleep(10000);
	}
	receive_all(file, greeting, sizeof greeting);
	send_all(file, &choice, sizeof choice);
	receive_all(file, export, sizeof export);
	return file;
}

static void write_durably(int file, uint64_t offset, const char *data)
{
	/* NBD_CMD_WRITE with NBD_CMD_FLAG_FUA. */
	struct request request = {
		.magic = htobe32(0x25609513),
		.flags = htobe16(1),
		.type = htobe16(1),
		.offset = htobe64(offset),
		.length = htobe32(BLOCK),
	};
	char reply[16];
	uint32_t error;
	send_all(file, &request, sizeof request);
	send_all(file, data, BLOCK);
	receive_all(file, reply, sizeof reply);
	memcpy(&error, reply + 4, sizeof error);
	errno = (int)be32toh(error);
	if (error)
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
