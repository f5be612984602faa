#ifndef FOOTING_FILE_H
#define FOOTING_FILE_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>
#include <sys/uio.h>

/* The flags that <fcntl.h> hides without _GNU_SOURCE. */
extern const int footing_o_direct;
extern const int footing_o_path;

/* openat(2) with O_CLOEXEC always set; returns the descriptor or -errno. */
int footing_openat(int directory, const char *path, int flags, unsigned int mode);

/* openat(2) for a path that must stay below `directory`; with `confined`, absolute links and ".."
 * are resolved as if `directory` were the root (openat2(2), RESOLVE_IN_ROOT), and only files and
 * folders are opened (-ENXIO), unless `flags` has O_PATH. */
int footing_open_beneath(int directory, const char *path, int flags, int confined);

/* The first `capacity` bytes of a file below `directory`, read at once, as a sysfs attribute is.
 * Returns the count or -errno. */
ssize_t footing_read_beneath(
	int directory, const char *path, int confined, void *buffer, size_t capacity);

/* The target of a symbolic link below `directory`, not terminated; the count or -errno. */
ssize_t footing_link_beneath(
	int directory, const char *path, int confined, void *buffer, size_t capacity);

/* The names in a directory below `directory`, each ended by a NUL, in the kernel's order; "." and
 * ".." are left out. Returns the bytes used, -ENOBUFS if they do not fit, or -errno. */
ssize_t footing_names_beneath(
	int directory, const char *path, int confined, char *buffer, size_t capacity);

/* preadv2(2) of one buffer with RWF_NOWAIT: what the page cache holds, without waiting for the
 * device. Returns the count, -EAGAIN where it would wait, or -errno. */
ssize_t footing_pread_nowait(int file, void *buffer, size_t length, int64_t offset);

/* pwritev2(2) with RWF_DSYNC: durable when it returns. Count, possibly less than all, or -errno. */
ssize_t footing_write_durably(int file, const struct iovec *parts, int count, int64_t offset);

/* fallocate(2), mode 0: the range has space behind it from now on. */
int footing_allocate(int file, int64_t offset, int64_t length);

/* fallocate(2) with FALLOC_FL_WRITE_ZEROES (Linux 6.17): the range reads as zeros and counts as
 * written, without zeros being sent to the device. -EOPNOTSUPP where the kernel, the file system or
 * the device has no such thing. */
int footing_write_zeroes(int file, int64_t offset, int64_t length);

/* fallocate(2) with FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE. */
int footing_punch_hole(int file, int64_t offset, int64_t length);

/* lseek(2) with SEEK_DATA and SEEK_HOLE: where the next data begins from `offset` on, and where
 * they end. 0, or -ENXIO if there are none, or -errno. */
int footing_next_data(int file, int64_t offset, int64_t *start, int64_t *end);

/* renameat2(2) with RENAME_NOREPLACE: -EEXIST if there is something of the new name. */
int footing_rename_new(const char *from, const char *to);

/* BLKDISCARD and BLKZEROOUT: the same for a block device. */
int footing_block_discard(int file, uint64_t offset, uint64_t length);

/* BLKGETSIZE64: size of a block device in bytes. */
int footing_block_size(int file, uint64_t *bytes);

/* BLKSSZGET: logical sector size of a block device in bytes. */
int footing_block_sector_size(int file, uint32_t *bytes);

/* An exclusive whole-file lock of the open file description (F_OFD_SETLK); -EAGAIN if another
 * description holds one. It ends with the last descriptor, also by kill -9. */
int footing_lock_exclusive(int file);

/* The same, but several descriptions may hold one at a time, and nobody an exclusive one. */
int footing_lock_shared(int file);

/* Gives the lock up (F_OFD_SETLK). */
int footing_unlock(int file);

/* 1 if an exclusive lock of another description is there, 0 if not, or -errno (F_OFD_GETLK). */
int footing_is_locked(int file);

/* What statx(2) and statfs(2) tell of a path relative to `directory` ("" is the directory). */
struct footing_status {
	uint64_t size_bytes;
	uint64_t blocks_512;
	uint64_t inode;
	uint32_t mode;
	uint32_t links;
	uint32_t device_major; /* of the file system that holds it */
	uint32_t device_minor;
	uint32_t special_major; /* of a device node */
	uint32_t special_minor;
	uint32_t direct_is_told; /* whether the kernel told the next two, STATX_DIOALIGN */
	uint32_t direct_memory_alignment; /* 0: no direct I/O here */
	uint32_t direct_offset_alignment;
};
int footing_stat(int directory, const char *path, int follow, struct footing_status *status);

/* f_type and free space of the file system behind a descriptor (fstatfs(2)). */
struct footing_file_system {
	int64_t type;
	uint64_t block_size_bytes;
	uint64_t free_bytes; /* for an unprivileged user */
	uint64_t total_bytes;
};
int footing_file_system_of(int file, struct footing_file_system *result);

/* One name of an open directory at a time, "." and ".." left out. `stream` starts as NULL and is
 * closed by the call that returns 0 (end) or -errno. */
int footing_next_name(int directory, void **stream, char name[256], uint8_t *type);

/* FS_IOC_GETFLAGS and FS_IOC_SETFLAGS: what chattr(1) shows and sets, as FS_*_FL bits. */
int footing_get_file_flags(int file, uint32_t *flags);
int footing_set_file_flags(int file, uint32_t flags);

/* BTRFS_IOC_FS_INFO: on how many devices the btrfs of an open file is. */
int footing_btrfs_devices(int file, uint64_t *count);

/* fcntl(2), F_DUPFD_CLOEXEC: the new number or -errno. */
int footing_duplicate(int descriptor);

/* 0 if a path is a folder of the calling user that nobody else may enter or write; -EPERM, -ENOTDIR
 * or -errno if not. A link is not followed. */
int footing_check_private_folder(const char *path);

/* Opens such a folder, and looks at what was opened; a descriptor, or an error as above. */
int footing_open_private_folder(const char *path);

/* 0 if an open file is a regular one of the calling user, with one name, that nobody else may
 * write; -EPERM if not. */
int footing_check_own_file(int file);

#endif
