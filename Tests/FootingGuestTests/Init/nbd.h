/* What the guests' clients of an NBD server have in common. Every failure ends the program.
 * The protocol: https://github.com/NetworkBlockDevice/nbd/blob/master/doc/proto.md */
#ifndef NBD_H
#define NBD_H

#include <endian.h>
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

enum { READ = 0, WRITE = 1, FLUSH = 3 };
enum { FUA = 1 };

struct request {
	uint32_t magic;
	uint16_t flags, type;
	uint64_t cookie, offset;
	uint32_t length;
} __attribute__((packed));

struct reply {
	uint32_t magic, error;
	uint64_t cookie;
} __attribute__((packed));

static inline void fail(const char *what)
{
	printf("%s: %s\n", what, strerror(errno));
	exit(1);
}

static inline void send_all(int file, const void *bytes, size_t count)
{
	for (size_t done = 0; done < count;) {
		ssize_t now = send(file, (const char *)bytes + done, count - done, MSG_NOSIGNAL);
		if (now < 0)
			fail("send");
		done += (size_t)now;
	}
}

static inline void receive_all(int file, void *bytes, size_t count)
{
	for (size_t done = 0; done < count;) {
		ssize_t now = recv(file, (char *)bytes + done, count - done, 0);
		if (now == 0)
			errno = ECONNRESET;
		if (now <= 0)
			fail("recv");
		done += (size_t)now;
	}
}

/* A connection whose server has greeted. */
static inline int open_socket(const char *path)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	char greeting[18];
	snprintf(address.sun_path, sizeof address.sun_path, "%s", path);
	int file = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (file < 0)
		fail(path);
	/* A server has the socket's name before it listens. */
	const struct sockaddr *server = (const struct sockaddr *)&address;
	for (int tries = 0; connect(file, server, sizeof address) < 0; tries++) {
		if (errno != ECONNREFUSED || tries == 500)
			fail(path);
		usleep(10000);
	}
	receive_all(file, greeting, sizeof greeting);
	return file;
}

/* A connection to the export without a name. */
static inline int connect_to(const char *path)
{
	/* Fixed newstyle without zeroes, and NBD_OPT_EXPORT_NAME with no name. */
	struct {
		uint32_t flags;
		uint64_t magic;
		uint32_t option, length;
	} __attribute__((packed)) choice = {
		htobe32(3), htobe64(0x49484156454f5054), htobe32(1), 0,
	};
	/* Its size and its flags. */
	char export[10];
	int file = open_socket(path);
	send_all(file, &choice, sizeof choice);
	receive_all(file, export, sizeof export);
	return file;
}

/* Sends a request; of a write the data follow. */
static inline void send_request(
	int file, int type, int flags, uint64_t cookie, uint64_t offset, uint32_t length)
{
	struct request request = {
		.magic = htobe32(0x25609513),
		.flags = htobe16((uint16_t)flags),
		.type = htobe16((uint16_t)type),
		.cookie = cookie,
		.offset = htobe64(offset),
		.length = htobe32(length),
	};
	send_all(file, &request, sizeof request);
}

/* The head of the next answer; of a read the data follow, unless there is an error. */
static inline struct reply receive_reply(int file)
{
	struct reply reply;
	receive_all(file, &reply, sizeof reply);
	if (be32toh(reply.magic) != 0x67446698) {
		errno = EPROTO;
		fail("reply");
	}
	return reply;
}

#endif
