/* A client that keeps a disk busy: NBD over a Unix socket, one connection, many requests at a time.
 *
 *   load SOCKET write MIB           writes the first MIB of the disk once, in order, and flushes
 *   load SOCKET scan MIB            reads them once, in order
 *   load SOCKET read MIB SECONDS    reads blocks of 4 KiB of it at random, nine of ten of them from
 *                                   the first tenth
 *   load SOCKET mix MIB SECONDS     the same, but every tenth request is a write
 *   load SOCKET crowd COUNT         connects so many clients and keeps them; prints for each
 *                                   "client NUMBER served", or "refused" with what it was told
 *
 * Every block carries its own number, or zeros as long as nobody wrote it: a read of anything else
 * is an error. Each quarter of a second it prints "at SECONDS REQUESTS", and in the end
 * "done REQUESTS errors ERRORS longest MILLISECONDS", the last being the longest time without any
 * answer. SIGTERM ends the last two before their time, as if that were over. */
#define _GNU_SOURCE
#include <signal.h>
#include <time.h>

#include "nbd.h"

#define BLOCK 4096
#define DEPTH 16
#define PIECE (256 << 10)

static int disk;
static volatile sig_atomic_t has_to_end;
static unsigned long requests, errors;
static char data[PIECE];
/* What is under way, by cookie. */
static struct {
	int type;
	uint64_t block;
	uint32_t length;
} pending[DEPTH];

static void end_early(int number)
{
	(void)number;
	has_to_end = 1;
}

static double now(void)
{
	struct timespec time;
	clock_gettime(CLOCK_MONOTONIC, &time);
	return time.tv_sec + time.tv_nsec * 1e-9;
}

/* NBD_OPT_GO, which can be refused in words. */
static void join_crowd(const char *path, unsigned long number)
{
	struct {
		uint32_t flags;
		uint64_t magic;
		uint32_t option, length, name_length;
		uint16_t informations;
	} __attribute__((packed)) choice = {
		htobe32(3), htobe64(0x49484156454f5054), htobe32(7), htobe32(6), 0, 0,
	};
	struct {
		uint64_t magic;
		uint32_t option, kind, length;
	} __attribute__((packed)) reply;
	disk = open_socket(path);
	send_all(disk, &choice, sizeof choice);
	do {
		receive_all(disk, &reply, sizeof reply);
		uint32_t length = be32toh(reply.length);
		if (length >= sizeof data) {
			errno = EPROTO;
			fail("option");
		}
		receive_all(disk, data, length);
		data[length] = 0;
	} while (be32toh(reply.kind) == 3);
	if (be32toh(reply.kind) == 1)
		printf("client %lu served\n", number);
	else
		printf("client %lu refused: %s\n", number, data);
}

static void mark(char *block, uint64_t number)
{
	uint64_t *words = (uint64_t *)(void *)block;
	for (size_t i = 0; i < BLOCK / sizeof *words; i++)
		words[i] = number + 1;
}

static int is_right(const char *block, uint64_t number)
{
	const uint64_t *words = (const uint64_t *)(const void *)block;
	for (size_t i = 0; i < BLOCK / sizeof *words; i++)
		if (words[i] != words[0] || (words[i] != 0 && words[i] != number + 1))
			return 0;
	return 1;
}

static void ask(uint64_t cookie, int type, uint64_t block, uint32_t length)
{
	pending[cookie].type = type;
	pending[cookie].block = block;
	pending[cookie].length = length;
	send_request(disk, type, 0, cookie, block * BLOCK, length);
	if (type == WRITE) {
		for (uint32_t at = 0; at < length; at += BLOCK)
			mark(data + at, block + at / BLOCK);
		send_all(disk, data, length);
	}
}

/* The cookie of the next answer. */
static uint64_t answer(void)
{
	struct reply reply = receive_reply(disk);
	if (reply.cookie >= DEPTH) {
		errno = EPROTO;
		fail("reply");
	}
	int is_wrong = reply.error != 0;
	if (!is_wrong && pending[reply.cookie].type == READ) {
		receive_all(disk, data, pending[reply.cookie].length);
		for (uint32_t at = 0; at < pending[reply.cookie].length; at += BLOCK)
			is_wrong |= !is_right(data + at, pending[reply.cookie].block + at / BLOCK);
	}
	errors += (unsigned long)is_wrong;
	requests++;
	return reply.cookie;
}

static void pass(uint64_t bytes, int type)
{
	for (uint64_t at = 0; at < bytes; at += PIECE) {
		ask(0, type, at / BLOCK, PIECE);
		answer();
	}
	ask(0, FLUSH, 0, 0);
	answer();
}

/* xorshift64: the same blocks on every run. */
static uint64_t next_number(void)
{
	static uint64_t state = 88172645463325252;
	state ^= state << 13;
	state ^= state >> 7;
	return state ^= state << 17;
}

static void ask_next(uint64_t cookie, uint64_t blocks, int writes)
{
	uint64_t number = next_number();
	int type = writes && number % 10 == 0 ? WRITE : READ;
	uint64_t range = (number >> 40) % 10 == 0 ? blocks : blocks / 10;
	ask(cookie, type, (number >> 8) % range, BLOCK);
}

static double work(uint64_t blocks, double seconds, int writes)
{
	double start = now(), last = start, longest = 0, tick = start + 0.25;
	unsigned long before = 0;
	for (uint64_t cookie = 0; cookie < DEPTH; cookie++)
		ask_next(cookie, blocks, writes);
	while (last < start + seconds && !has_to_end) {
		uint64_t cookie = answer();
		double time = now();
		if (time - last > longest)
			longest = time - last;
		last = time;
		for (; time >= tick; tick += 0.25) {
			printf("at %.2f %lu\n", tick - start, requests - before);
			fflush(stdout);
			before = requests;
		}
		ask_next(cookie, blocks, writes);
	}
	for (int left = 0; left < DEPTH; left++)
		answer();
	return longest;
}

int main(int count, char **words)
{
	double longest = 0;
	if (count < 4) {
		puts("unknown words");
		return 64;
	}
	/* What waits for an answer goes on waiting. */
	struct sigaction action = {.sa_handler = end_early, .sa_flags = SA_RESTART};
	if (sigaction(SIGTERM, &action, NULL) < 0)
		fail("sigaction");
	if (count == 4 && !strcmp(words[2], "crowd")) {
		for (unsigned long number = 1; number <= strtoul(words[3], NULL, 10); number++)
			join_crowd(words[1], number);
		return 0;
	}
	disk = connect_to(words[1]);
	uint64_t bytes = strtoull(words[3], NULL, 10) << 20;
	if (count == 4 && !strcmp(words[2], "write"))
		pass(bytes, WRITE);
	else if (count == 4 && !strcmp(words[2], "scan"))
		pass(bytes, READ);
	else if (count == 5)
		longest = work(bytes / BLOCK, atof(words[4]), !strcmp(words[2], "mix"));
	printf("done %lu errors %lu longest %.0f\n", requests, errors, longest * 1000);
	return errors > 0;
}
