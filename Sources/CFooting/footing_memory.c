#define _GNU_SOURCE
#include "footing_memory.h"

#include <errno.h>
#include <linux/mempolicy.h>
#include <linux/mman.h>
#include <stdint.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

const int footing_memory_anywhere = MPOL_DEFAULT;
const int footing_memory_preferred = MPOL_PREFERRED;
/* 5: an enumerator since Linux 5.15. */
const int footing_memory_preferred_many = 5;
const int footing_memory_bound = MPOL_BIND;

/* Since Linux 5.14; older headers lack it. */
#ifndef MADV_POPULATE_WRITE
#define MADV_POPULATE_WRITE 23
#endif

int footing_bind_memory(
	void *start, size_t length, int mode, const uint64_t *nodes, size_t words)
{
	/* The kernel takes one bit less than it is told of. */
	unsigned long bits = words * 64 + 1;
	if (mode == MPOL_DEFAULT) {
		nodes = NULL;
		bits = 0;
	}
	return syscall(SYS_mbind, start, length, mode, nodes, bits, 0) < 0 ? -errno : 0;
}

int footing_populate(void *start, size_t length)
{
	while (madvise(start, length, MADV_POPULATE_WRITE) < 0)
		if (errno != EINTR && errno != EAGAIN)
			return -errno;
	return 0;
}

int footing_advise_huge(void *start, size_t length)
{
	return madvise(start, length, MADV_HUGEPAGE) < 0 ? -errno : 0;
}

int footing_page_nodes(const void *start, size_t stride, size_t count, int *nodes)
{
	enum { BATCH = 256 };
	const void *pages[BATCH];
	const char *address = start;
	for (size_t done = 0; done < count; done += BATCH) {
		size_t now = count - done < BATCH ? count - done : BATCH;
		for (size_t i = 0; i < now; i++)
			pages[i] = address + (done + i) * stride;
		if (syscall(SYS_move_pages, 0, now, pages, NULL, nodes + done, 0) < 0)
			return -errno;
	}
	return 0;
}

int footing_page_node(const void *address)
{
	int node = -1;
	long status =
		syscall(SYS_get_mempolicy, &node, NULL, 0, address, MPOL_F_NODE | MPOL_F_ADDR);
	return status < 0 ? -errno : node;
}

int footing_map_reserved(size_t length, void **start)
{
	int flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_HUGETLB | MAP_HUGE_2MB;
	void *address = mmap(NULL, length, PROT_READ | PROT_WRITE, flags, -1, 0);
	if (address == MAP_FAILED)
		return -errno;
	*start = address;
	return 0;
}

int footing_set_affinity(int thread, const uint64_t *words, size_t count)
{
	long status = syscall(SYS_sched_setaffinity, thread, count * sizeof *words, words);
	return status < 0 ? -errno : 0;
}
