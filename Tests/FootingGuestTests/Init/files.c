/* A client of a file system that knows what fsync(2) has promised it.
 *
 *   files load FOLDER WRITER STEP     changes files, and goes on behind STEP until an error
 *   files verify FOLDER WRITER STEP   compares, after a crash, what was kept with what is there
 *   files noise FOLDER                changes other files all the time and never asks for anything
 *
 * What a step does follows from the writer's number and its own, so what there must be after STEP
 * can be told without having seen it. Each step changes one of several files: replaces it by
 * another, appends, writes in its middle, cuts it off, writes far behind its end, punches a hole,
 * moves it to a new folder, or removes it. When fsync(2) of what it takes has succeeded, a line
 * "kept WRITER STEP" goes to standard error, and the next one begins once that is sent. sync(2)
 * would not do: it succeeds while writes of data fail. */
#define _GNU_SOURCE
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <termios.h>
#include <unistd.h>

#define SLOTS 16
#define SIZE_MAX_BYTES (192 << 10)
/* The step behind the last that was told of may be done, and another be begun. */
#define STEPS_OPEN 2

enum kind { REPLACE, APPEND, OVERWRITE, TRUNCATE, SPARSE, PUNCH, MOVE, REMOVE, KINDS };

/* What must be there: a file "file" in a folder of its own, whose number grows. */
struct slot {
	int exists;
	unsigned long folder;
	size_t size;
	unsigned char bytes[SIZE_MAX_BYTES];
};

struct change {
	enum kind kind;
	size_t offset, count;
};

static struct slot slots[SLOTS];
static unsigned long writer;
/* The writer's own folder. */
static char home[256];

static void fail(const char *what)
{
	printf("%s: %s\n", what, strerror(errno));
	fflush(stdout);
	exit(1);
}

static int check(int status, const char *what)
{
	if (status < 0)
		fail(what);
	return status;
}

static uint64_t mix(uint64_t value)
{
	/* splitmix64's last steps. */
	value += 0x9e3779b97f4a7c15;
	value = (value ^ value >> 30) * 0xbf58476d1ce4e5b9;
	value = (value ^ value >> 27) * 0x94d049bb133111eb;
	return value ^ value >> 31;
}

/* Half of what is written can be compressed. */
static void fill(unsigned char *bytes, size_t count, unsigned long step)
{
	char text[64];
	size_t length = (size_t)snprintf(text, sizeof text, "writer %lu, step %lu\n", writer, step);
	for (size_t i = 0; i < count; i++)
		bytes[i] = step % 2 ? (unsigned char)text[i % length]
				    : (unsigned char)mix(step << 32 | writer << 24 | i);
}

/* What a step does to a slot, and to what must be in it then. */
static struct change advance(struct slot *slot, unsigned long step)
{
	uint64_t random = mix(writer << 32 | step);
	size_t large = random >> 8 & 0xffff, small = random >> 24 & 0x3fff;
	struct change change = {slot->exists ? (enum kind)(random % KINDS) : REPLACE, 0, 0};
	/* One that has become long is cut off. */
	if (slot->size + large + small > SIZE_MAX_BYTES && change.kind < MOVE)
		change.kind = TRUNCATE;
	switch (change.kind) {
	case REPLACE:
		change.count = large;
		slot->folder += !slot->exists;
		slot->exists = 1;
		slot->size = 0;
		break;
	case APPEND:
		change.offset = slot->size;
		change.count = small + 1;
		break;
	case OVERWRITE:
	case PUNCH:
		change.offset = slot->size ? large % slot->size : 0;
		change.count = small + 1;
		break;
	case TRUNCATE:
		change.offset = slot->size ? large % slot->size : 0;
		memset(slot->bytes + change.offset, 0, SIZE_MAX_BYTES - change.offset);
		slot->size = change.offset;
		return change;
	case SPARSE:
		change.offset = slot->size + large;
		change.count = small / 4 + 1;
		break;
	case REMOVE:
		slot->exists = 0;
		slot->size = 0;
		return change;
	case MOVE:
	case KINDS:
		slot->folder++;
		return change;
	}
	if (change.kind == REPLACE || change.kind == SPARSE)
		memset(slot->bytes + slot->size, 0, SIZE_MAX_BYTES - slot->size);
	if (change.kind == PUNCH) {
		/* Its size stays. */
		if (change.count > slot->size - change.offset)
			change.count = slot->size - change.offset;
		memset(slot->bytes + change.offset, 0, change.count);
		return change;
	}
	fill(slot->bytes + change.offset, change.count, step);
	if (slot->size < change.offset + change.count)
		slot->size = change.offset + change.count;
	return change;
}

static const char *folder_of(unsigned long number, unsigned long folder)
{
	static char paths[2][300];
	static int turn;
	turn = !turn;
	snprintf(paths[turn], sizeof paths[turn], "%s/s%lu-%lu", home, number, folder);
	return paths[turn];
}

static const char *in_folder(const char *folder, const char *name)
{
	static char paths[2][320];
	static int turn;
	turn = !turn;
	snprintf(paths[turn], sizeof paths[turn], "%s/%s", folder, name);
	return paths[turn];
}

static void sync_and_close(int file)
{
	check(fsync(file), "fsync");
	check(close(file), "close");
}

static void sync_folder(const char *path)
{
	sync_and_close(check(open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC), path));
}

static void write_all(int file, const unsigned char *bytes, size_t count, size_t offset)
{
	while (count > 0) {
		ssize_t written = pwrite(file, bytes, count, (off_t)offset);
		if (written <= 0)
			fail("write");
		bytes += written;
		offset += (size_t)written;
		count -= (size_t)written;
	}
}

/* Makes the file anew beside the old one, and puts it in its place. */
static void replace(const struct slot *slot, unsigned long number)
{
	const char *folder = folder_of(number, slot->folder);
	if (mkdir(folder, 0700) < 0 && errno != EEXIST)
		fail("mkdir");
	const char *made = in_folder(folder, "new");
	int file = check(open(made, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600), "open");
	write_all(file, slot->bytes, slot->size, 0);
	sync_and_close(file);
	check(rename(made, in_folder(folder, "file")), "rename");
	sync_folder(folder);
	sync_folder(home);
}

static void move(const struct slot *slot, unsigned long number)
{
	const char *from = folder_of(number, slot->folder - 1);
	const char *to = folder_of(number, slot->folder);
	check(mkdir(to, 0700), "mkdir");
	const char *old = in_folder(from, "file");
	check(rename(old, in_folder(to, "file")), "rename");
	sync_folder(to);
	check(rmdir(from), "rmdir");
	sync_folder(home);
}

static void erase(unsigned long number, unsigned long folder)
{
	const char *path = folder_of(number, folder);
	check(unlink(in_folder(path, "file")), "unlink");
	check(rmdir(path), "rmdir");
	sync_folder(home);
}

static void perform(const struct slot *slot, unsigned long number, struct change change)
{
	if (change.kind == REPLACE)
		return replace(slot, number);
	if (change.kind == MOVE)
		return move(slot, number);
	if (change.kind == REMOVE)
		return erase(number, slot->folder);
	const char *path = in_folder(folder_of(number, slot->folder), "file");
	int file = check(open(path, O_RDWR | O_CLOEXEC), "open");
	int mode = FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE;
	if (change.kind == TRUNCATE)
		check(ftruncate(file, (off_t)change.offset), "truncate");
	else if (change.kind != PUNCH)
		write_all(file, slot->bytes + change.offset, change.count, change.offset);
	else if (change.count > 0)
		check(fallocate(file, mode, (off_t)change.offset, (off_t)change.count), "punch");
	sync_and_close(file);
}

static void load(unsigned long step)
{
	check(mkdir(home, 0700) < 0 && errno != EEXIST ? -1 : 0, home);
	sync_folder(in_folder(home, ".."));
	for (;;) {
		step++;
		struct slot *slot = &slots[step % SLOTS];
		perform(slot, step % SLOTS, advance(slot, step));
		dprintf(STDERR_FILENO, "kept %lu %lu\n", writer, step);
		check(tcdrain(STDERR_FILENO), "console");
	}
}

/* Whether a slot has no folder but the one it must have; removes them all if asked to. */
static int has_no_other(unsigned long number, int removes)
{
	char prefix[32], expected[64];
	int is_right = 1;
	const struct slot *slot = &slots[number];
	snprintf(prefix, sizeof prefix, "s%lu-", number);
	snprintf(expected, sizeof expected, "s%lu-%lu", number, slot->folder);
	DIR *folder = opendir(home);
	if (!folder)
		fail(home);
	for (struct dirent *entry; (entry = readdir(folder));) {
		if (strncmp(entry->d_name, prefix, strlen(prefix)) != 0)
			continue;
		if (!slot->exists || strcmp(entry->d_name, expected) != 0)
			is_right = 0;
		if (!removes)
			continue;
		char path[600];
		snprintf(path, sizeof path, "%s/%s", home, entry->d_name);
		unlink(in_folder(path, "file"));
		unlink(in_folder(path, "new"));
		check(rmdir(path), path);
	}
	closedir(folder);
	return is_right;
}

static int is_right(unsigned long number)
{
	static unsigned char found[SIZE_MAX_BYTES + 1];
	const struct slot *slot = &slots[number];
	if (!has_no_other(number, 0))
		return 0;
	if (!slot->exists)
		return 1;
	const char *folder = folder_of(number, slot->folder);
	int file = open(in_folder(folder, "file"), O_RDONLY | O_CLOEXEC);
	if (file < 0 || access(in_folder(folder, "new"), F_OK) == 0)
		return 0;
	size_t size = 0;
	for (ssize_t count; (count = read(file, found + size, sizeof found - size)) > 0;)
		size += (size_t)count;
	close(file);
	return size == slot->size && memcmp(found, slot->bytes, size) == 0;
}

static int verify(unsigned long step)
{
	int is_whole = 1;
	if (step == 0)
		return 0;
	for (unsigned long number = 0; number < SLOTS; number++) {
		unsigned long behind = (number + SLOTS - (step + 1) % SLOTS) % SLOTS;
		if (behind >= STEPS_OPEN && !is_right(number)) {
			const struct slot *slot = &slots[number];
			printf("writer %lu, step %lu: %s/file is not as kept: %s, %zu bytes\n",
				writer, step, folder_of(number, slot->folder),
				slot->exists ? "there" : "removed", slot->size);
			is_whole = 0;
		} else if (behind < STEPS_OPEN) {
			/* From here on it is known again. */
			has_no_other(number, 1);
			if (slots[number].exists)
				replace(&slots[number], number);
		}
	}
	sync_folder(home);
	return !is_whole;
}

static void make_noise(void)
{
	static unsigned char bytes[1 << 17];
	if (mkdir(home, 0700) < 0 && errno != EEXIST)
		fail(home);
	for (unsigned long step = 0;; step++) {
		char name[32], other[32];
		uint64_t random = mix(step);
		snprintf(name, sizeof name, "n%lu", (unsigned long)(random % 40));
		snprintf(other, sizeof other, "n%lu", (unsigned long)(random >> 8) % 40);
		int flags = O_RDWR | O_CREAT | O_CLOEXEC | (random >> 16 & 1 ? O_TRUNC : O_APPEND);
		int file = check(open(in_folder(home, name), flags, 0600), "open");
		fill(bytes, random >> 20 & 0xffff, step);
		if (write(file, bytes, random >> 20 & 0xffff) < 0 || close(file) < 0)
			fail("noise");
		const char *from = in_folder(home, name);
		if (random >> 40 & 1)
			rename(from, in_folder(home, other));
		else if (random >> 41 & 1)
			unlink(in_folder(home, other));
		usleep(20000);
	}
}

int main(int count, char **words)
{
	int is_noise = count == 3 && strcmp(words[1], "noise") == 0;
	if (!is_noise && count != 5) {
		puts("unknown words");
		return 64;
	}
	writer = is_noise ? 0 : strtoul(words[3], NULL, 10);
	snprintf(home, sizeof home, "%s/w%lu", words[2], writer);
	if (is_noise)
		make_noise();
	unsigned long last = strtoul(words[4], NULL, 10);
	for (unsigned long step = 1; step <= last; step++)
		advance(&slots[step % SLOTS], step);
	if (strcmp(words[1], "verify") == 0)
		return verify(last);
	load(last);
}
