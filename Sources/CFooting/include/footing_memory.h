#ifndef FOOTING_MEMORY_H
#define FOOTING_MEMORY_H

#include <stddef.h>
#include <stdint.h>

/* mbind(2) of untouched memory: 0, or -errno. `nodes` are bits; `mode` is one of these. */
extern const int footing_memory_anywhere; /* MPOL_DEFAULT, with no node */
extern const int footing_memory_preferred; /* MPOL_PREFERRED, with one node */
extern const int footing_memory_preferred_many; /* MPOL_PREFERRED_MANY, Linux 5.15 */
extern const int footing_memory_bound; /* MPOL_BIND */
int footing_bind_memory(
	void *start, size_t length, int mode, const uint64_t *nodes, size_t words);

/* Gives every page of a range memory, as writing to it would: madvise(2), MADV_POPULATE_WRITE, from
 * Linux 5.14. 0 or -errno; -EINVAL from an older kernel, -EFAULT where a write would be SIGBUS. */
int footing_populate(void *start, size_t length);

/* Asks for transparent huge pages: madvise(2), MADV_HUGEPAGE. 0 or -errno. */
int footing_advise_huge(void *start, size_t length);

/* The node of each page from `start` on, `stride` bytes apart: move_pages(2) of this process, which
 * moves nothing. An entry is the node, or -ENOENT for a page without memory. 0 or -errno. */
int footing_page_nodes(const void *start, size_t stride, size_t count, int *nodes);

/* The node of the page at an address: get_mempolicy(2), MPOL_F_NODE | MPOL_F_ADDR, which gives a
 * page without memory some. Some sandboxes allow it and not move_pages(2). -errno. */
int footing_page_node(const void *address);

/* Reserved huge pages of 2 MiB, none of which is taken yet: mmap(2), MAP_HUGETLB. 0 or -errno. */
int footing_map_reserved(size_t length, void **start);

/* sched_setaffinity(2): the processors that a thread may run on, as bits; 0 is the calling thread.
 * Threads that it starts later inherit them. 0 or -errno. */
int footing_set_affinity(int thread, const uint64_t *words, size_t count);

#endif
