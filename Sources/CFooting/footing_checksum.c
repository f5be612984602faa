#include "footing_checksum.h"

#include <pthread.h>
#include <string.h>
#if defined(__x86_64__)
#include <nmmintrin.h>
#endif

/* The Castagnoli polynomial, bit-reflected. */
#define POLYNOMIAL 0x82f63b78u

/* Bytes of each of the three streams. 3 x 1360 = 4080 covers a 4 KiB block but for two words: one
 * pass a block, and the crc32 instruction's latency of three cycles is hidden. */
#define STREAM 1360

static uint32_t byte_table[256];
/* shift_table[k][b]: what byte k of a sum, holding b, becomes after STREAM zero bytes. */
static uint32_t shift_table[4][256];
static int hardware;
static int is_prepared;
static pthread_once_t preparation = PTHREAD_ONCE_INIT;

static uint32_t portable_update(uint32_t sum, const unsigned char *bytes, size_t length)
{
	while (length--)
		sum = byte_table[(sum ^ *bytes++) & 0xff] ^ (sum >> 8);
	return sum;
}

/* Not a constructor: it takes 0.1 ms, a tenth of a program that never sums anything. */
static void prepare(void)
{
	for (uint32_t byte = 0; byte < 256; byte++) {
		uint32_t sum = byte;
		for (int bit = 0; bit < 8; bit++)
			sum = (sum >> 1) ^ ((sum & 1) ? POLYNOMIAL : 0);
		byte_table[byte] = sum;
	}
	/* The shift is linear: each bit of the sum is carried over STREAM zero bytes once, and a
	 * table entry is the exclusive or of its bits. */
	uint32_t shifted_bit[32];
	for (int bit = 0; bit < 32; bit++) {
		uint32_t sum = (uint32_t)1 << bit;
		for (int byte = 0; byte < STREAM; byte++)
			sum = byte_table[sum & 0xff] ^ (sum >> 8);
		shifted_bit[bit] = sum;
	}
	for (int position = 0; position < 4; position++)
		for (int byte = 0; byte < 256; byte++) {
			uint32_t sum = 0;
			for (int bit = 0; bit < 8; bit++)
				if (byte & (1 << bit))
					sum ^= shifted_bit[8 * position + bit];
			shift_table[position][byte] = sum;
		}
#if defined(__x86_64__)
	__builtin_cpu_init();
	hardware = __builtin_cpu_supports("sse4.2");
#endif
	__atomic_store_n(&is_prepared, 1, __ATOMIC_RELEASE);
}

static void ensure_prepared(void)
{
	if (__builtin_expect(!__atomic_load_n(&is_prepared, __ATOMIC_ACQUIRE), 0))
		pthread_once(&preparation, prepare);
}

uint32_t footing_crc32c_portable(uint32_t seed, const void *data, size_t length)
{
	ensure_prepared();
	return ~portable_update(~seed, data, length);
}

#if defined(__x86_64__)
static uint32_t shift(uint32_t sum)
{
	return shift_table[0][sum & 0xff] ^ shift_table[1][(sum >> 8) & 0xff] ^
	       shift_table[2][(sum >> 16) & 0xff] ^ shift_table[3][sum >> 24];
}

static uint64_t word(const unsigned char *bytes)
{
	uint64_t value;
	memcpy(&value, bytes, sizeof value);
	return value;
}

__attribute__((target("sse4.2"))) static uint32_t hardware_update(uint32_t seed,
								   const unsigned char *bytes,
								   size_t length)
{
	uint64_t first = seed;
	while (length >= 3 * STREAM) {
		uint64_t second = 0, third = 0;
		for (size_t at = 0; at < STREAM; at += 8) {
			first = _mm_crc32_u64(first, word(bytes + at));
			second = _mm_crc32_u64(second, word(bytes + STREAM + at));
			third = _mm_crc32_u64(third, word(bytes + 2 * STREAM + at));
		}
		first = shift((uint32_t)first) ^ second;
		first = shift((uint32_t)first) ^ third;
		bytes += 3 * STREAM;
		length -= 3 * STREAM;
	}
	for (; length >= 8; length -= 8, bytes += 8)
		first = _mm_crc32_u64(first, word(bytes));
	uint32_t sum = (uint32_t)first;
	for (; length; length--)
		sum = _mm_crc32_u8(sum, *bytes++);
	return sum;
}
#endif

uint32_t footing_crc32c(uint32_t seed, const void *data, size_t length)
{
	ensure_prepared();
#if defined(__x86_64__)
	if (hardware)
		return ~hardware_update(~seed, data, length);
#endif
	return footing_crc32c_portable(seed, data, length);
}
