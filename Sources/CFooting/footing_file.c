#define _GNU_SOURCE
#include "footing_file.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/btrfs.h>
#include <linux/fs.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/vfs.h>
#include <unistd.h>

const int footing_o_direct = O_DIRECT;
const int footing_o_path = O_PATH;

static int result_of(int result)
{
	return result < 0 ? -errno : result;
}

int footing_openat(int directory, const char *path, int flags, unsigned int mode)
{
	return result_of(openat(directory, path, flags | O_CLOEXEC, mode));
}

static int open_in_root(int directory, const char *path, int flags)
{
	struct open_how how = {.flags = (uint64_t)(flags | O_CLOEXEC), .resolve = RESOLVE_IN_ROOT};
	/* A rename or a mount anywhere meanwhile, and the kernel cannot tell whether ".." led out:
	 * EAGAIN, to be tried again. One attempt nearly always does; the bound is for a file that
	 * somebody holds a lease on, which gives the same error. */
	int file;
	int attempts = 0;
	do
		file = (int)syscall(SYS_openat2, directory, path, &how, sizeof how);
	while (file < 0 && errno == EAGAIN && ++attempts < 10000);
	return result_of(file);
}

/* The descriptor if it is one of a file or a folder; else it is closed. */
static int refuse_special(int file)
{
	struct stat status;
	if (file < 0)
		return file;
	if (fstat(file, &status) == 0 && (S_ISREG(status.st_mode) || S_ISDIR(status.st_mode)))
		return file;
	close(file);
	return -ENXIO;
}

int footing_open_beneath(int directory, const char *path, int flags, int confined)
{
	if (!confined)
		return footing_openat(directory, path, flags, 0);
	if (flags & (O_PATH | O_DIRECTORY))
		return open_in_root(directory, path, flags);
	/* To open a device node is to ask its driver, so it is looked at first; and again behind
	 * the open, as the tree can change in between. */
	int probe = refuse_special(open_in_root(directory, path, O_PATH));
	if (probe < 0)
		return probe;
	close(probe);
	return refuse_special(open_in_root(directory, path, flags | O_NONBLOCK | O_NOCTTY));
}

ssize_t footing_read_beneath(
	int directory, const char *path, int confined, void *buffer, size_t capacity)
{
	int file = footing_open_beneath(
		directory, path, O_RDONLY | O_NONBLOCK | O_NOCTTY, confined);
	if (file < 0)
		return file;
	ssize_t count;
	do
		count = read(file, buffer, capacity);
	while (count < 0 && errno == EINTR);
	if (count < 0)
		count = -errno;
	close(file);
	return count;
}

static ssize_t read_names(int folder, char *buffer, size_t capacity)
{
	/* getdents64(2) itself: opendir(3) would take 32 KiB from the heap for a dozen names. */
	_Alignas(struct dirent64) char entries[8192];
	size_t used = 0;
	for (;;) {
		long count = syscall(SYS_getdents64, folder, entries, sizeof entries);
		if (count <= 0)
			return count < 0 ? -errno : (ssize_t)used;
		for (long at = 0; at < count;) {
			const struct dirent64 *entry = (const void *)(entries + at);
			at += entry->d_reclen;
			if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0)
				continue;
			size_t length = strlen(entry->d_name) + 1;
			if (length > capacity - used)
				return -ENOBUFS;
			memcpy(buffer + used, entry->d_name, length);
			used += length;
		}
	}
}

ssize_t footing_names_beneath(
	int directory, const char *path, int confined, char *buffer, size_t capacity)
{
	int folder = footing_open_beneath(directory, path, O_RDONLY | O_DIRECTORY, confined);
	if (folder < 0)
		return folder;
	ssize_t used = read_names(folder, buffer, capacity);
	close(folder);
	return used;
}

ssize_t footing_link_beneath(
	int directory, const char *path, int confined, void *buffer, size_t capacity)
{
	ssize_t count;
	if (!confined) {
		count = readlinkat(directory, path, buffer, capacity);
		return count < 0 ? -errno : count;
	}
	int link = footing_open_beneath(directory, path, O_PATH | O_NOFOLLOW, confined);
	if (link < 0)
		return link;
	count = readlinkat(link, "", buffer, capacity);
	/* An empty path on something that is no link says ENOENT, where a path says EINVAL. */
	if (count < 0)
		count = errno == ENOENT ? -EINVAL : -errno;
	close(link);
	return count;
}

ssize_t footing_pread_nowait(int file, void *buffer, size_t length, int64_t offset)
{
	struct iovec vector = {.iov_base = buffer, .iov_len = length};
	ssize_t count = preadv2(file, &vector, 1, offset, RWF_NOWAIT);
	return count < 0 ? -errno : count;
}

ssize_t footing_write_durably(int file, const struct iovec *parts, int count, int64_t offset)
{
	ssize_t written = pwritev2(file, parts, count, offset, RWF_DSYNC);
	return written < 0 ? -errno : written;
}

int footing_allocate(int file, int64_t offset, int64_t length)
{
	return result_of(fallocate(file, 0, offset, length));
}

/* <linux/falloc.h> has it from 6.17 on. */
#ifndef FALLOC_FL_WRITE_ZEROES
#define FALLOC_FL_WRITE_ZEROES 0x80
#endif

int footing_write_zeroes(int file, int64_t offset, int64_t length)
{
	return result_of(fallocate(file, FALLOC_FL_WRITE_ZEROES, offset, length));
}

int footing_punch_hole(int file, int64_t offset, int64_t length)
{
	return result_of(
		fallocate(file, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, offset, length));
}

int footing_next_data(int file, int64_t offset, int64_t *start, int64_t *end)
{
	off_t data = lseek(file, offset, SEEK_DATA);
	if (data < 0)
		return -errno;
	off_t hole = lseek(file, data, SEEK_HOLE);
	if (hole < 0)
		return -errno;
	*start = data;
	*end = hole;
	return 0;
}

int footing_rename_new(const char *from, const char *to)
{
	if (renameat2(AT_FDCWD, from, AT_FDCWD, to, RENAME_NOREPLACE) == 0)
		return 0;
	if (errno != EINVAL && errno != ENOSYS)
		return -errno;
	/* Not every file system has that; a second name is as good, and fails if it is there. */
	if (link(from, to) < 0)
		return -errno;
	return result_of(unlink(from));
}

int footing_block_discard(int file, uint64_t offset, uint64_t length)
{
	uint64_t range[2] = {offset, length};
	return result_of(ioctl(file, BLKDISCARD, range));
}

int footing_block_size(int file, uint64_t *bytes)
{
	return result_of(ioctl(file, BLKGETSIZE64, bytes));
}

int footing_block_sector_size(int file, uint32_t *bytes)
{
	int size = 0;
	int result = result_of(ioctl(file, BLKSSZGET, &size));
	*bytes = (uint32_t)size;
	return result;
}

int footing_lock_exclusive(int file)
{
	struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
	return result_of(fcntl(file, F_OFD_SETLK, &lock));
}

int footing_lock_shared(int file)
{
	struct flock lock = {.l_type = F_RDLCK, .l_whence = SEEK_SET};
	return result_of(fcntl(file, F_OFD_SETLK, &lock));
}

int footing_unlock(int file)
{
	struct flock lock = {.l_type = F_UNLCK, .l_whence = SEEK_SET};
	return result_of(fcntl(file, F_OFD_SETLK, &lock));
}

int footing_is_locked(int file)
{
	struct flock lock = {.l_type = F_RDLCK, .l_whence = SEEK_SET};
	int result = result_of(fcntl(file, F_OFD_GETLK, &lock));
	return result < 0 ? result : lock.l_type != F_UNLCK;
}

int footing_stat(int directory, const char *path, int follow, struct footing_status *status)
{
	struct statx x;
	int flags = AT_EMPTY_PATH | AT_NO_AUTOMOUNT | (follow ? 0 : AT_SYMLINK_NOFOLLOW);
	unsigned int mask = STATX_BASIC_STATS;
#ifdef STATX_DIOALIGN
	mask |= STATX_DIOALIGN;
#endif
	if (statx(directory, path, flags, mask, &x) < 0)
		return -errno;
	memset(status, 0, sizeof *status);
	status->size_bytes = x.stx_size;
	status->blocks_512 = x.stx_blocks;
	status->inode = x.stx_ino;
	status->mode = x.stx_mode;
	status->links = x.stx_nlink;
	status->device_major = x.stx_dev_major;
	status->device_minor = x.stx_dev_minor;
	status->special_major = x.stx_rdev_major;
	status->special_minor = x.stx_rdev_minor;
#ifdef STATX_DIOALIGN
	if (x.stx_mask & STATX_DIOALIGN) {
		status->direct_is_told = 1;
		status->direct_memory_alignment = x.stx_dio_mem_align;
		status->direct_offset_alignment = x.stx_dio_offset_align;
	}
#endif
	return 0;
}

int footing_file_system_of(int file, struct footing_file_system *result)
{
	struct statfs fs;
	if (fstatfs(file, &fs) < 0)
		return -errno;
	result->type = fs.f_type;
	result->block_size_bytes = (uint64_t)fs.f_bsize;
	result->free_bytes = (uint64_t)fs.f_bavail * (uint64_t)fs.f_bsize;
	result->total_bytes = (uint64_t)fs.f_blocks * (uint64_t)fs.f_bsize;
	return 0;
}

int footing_next_name(int directory, void **stream, char name[256], uint8_t *type)
{
	if (!*stream) {
		/* A descriptor of its own: closedir closes it, and the position is not shared. */
		int copy = openat(directory, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		if (copy < 0)
			return -errno;
		*stream = fdopendir(copy);
		if (!*stream) {
			int error = errno;
			close(copy);
			return -error;
		}
	}
	for (;;) {
		errno = 0;
		struct dirent *entry = readdir(*stream);
		if (!entry) {
			int error = errno;
			closedir(*stream);
			*stream = NULL;
			return -error;
		}
		if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0)
			continue;
		strncpy(name, entry->d_name, 255);
		name[255] = 0;
		*type = entry->d_type;
		return 1;
	}
}

int footing_get_file_flags(int file, uint32_t *flags)
{
	/* The kernel takes an int, whatever the number of the call says. */
	int value = 0;
	int result = result_of(ioctl(file, FS_IOC_GETFLAGS, &value));
	*flags = (uint32_t)value;
	return result;
}

int footing_set_file_flags(int file, uint32_t flags)
{
	int value = (int)flags;
	return result_of(ioctl(file, FS_IOC_SETFLAGS, &value));
}

int footing_check_private_folder(const char *path)
{
	struct stat status;
	if (lstat(path, &status) < 0)
		return -errno;
	if (!S_ISDIR(status.st_mode))
		return -ENOTDIR;
	return status.st_uid == geteuid() && (status.st_mode & 077) == 0 ? 0 : -EPERM;
}

int footing_btrfs_devices(int file, uint64_t *count)
{
	struct btrfs_ioctl_fs_info_args information = {0};
	int result = result_of(ioctl(file, BTRFS_IOC_FS_INFO, &information));
	*count = information.num_devices;
	return result;
}

int footing_open_private_folder(const char *path)
{
	struct stat status;
	int folder = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (folder < 0)
		return errno == ELOOP ? -ENOTDIR : -errno;
	int result = result_of(fstat(folder, &status));
	if (result == 0 && (status.st_uid != geteuid() || (status.st_mode & 077) != 0))
		result = -EPERM;
	if (result == 0)
		return folder;
	close(folder);
	return result;
}

int footing_check_own_file(int file)
{
	struct stat status;
	if (fstat(file, &status) < 0)
		return -errno;
	int is_own = S_ISREG(status.st_mode) && status.st_uid == geteuid() &&
		     (status.st_mode & 022) == 0 && status.st_nlink == 1;
	return is_own ? 0 : -EPERM;
}

int footing_duplicate(int descriptor)
{
	return result_of(fcntl(descriptor, F_DUPFD_CLOEXEC, 0));
}
