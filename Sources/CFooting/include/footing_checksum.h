#ifndef FOOTING_CHECKSUM_H
#define FOOTING_CHECKSUM_H

#include <stddef.h>
#include <stdint.h>

/* CRC-32C (Castagnoli, RFC 3720 appendix B.4) of `length` bytes, continuing from `seed`
 * (0 for a new sum; the result of an earlier call to append to it). Uses carry-less
 * multiplication in 512-bit registers where the CPU has it, else the SSE4.2 instruction in
 * three interleaved streams where the CPU has it, a table elsewhere. */
uint32_t footing_crc32c(uint32_t seed, const void *data, size_t length);

/* The same without wide registers, for comparison in tests. */
uint32_t footing_crc32c_narrow(uint32_t seed, const void *data, size_t length);

/* The table-driven path, for tests that compare the two. */
uint32_t footing_crc32c_portable(uint32_t seed, const void *data, size_t length);

#endif
