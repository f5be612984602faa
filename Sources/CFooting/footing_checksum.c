#include "footing_checksum.h"

#include <pthread.h>
#include <string.h>
#if defined(__x86_64__)
#include <cpuid.h>
#include <immintrin.h>
#endif

/* The Castagnoli polynomial, bit-reflected. */
#define POLYNOMIAL 0x82f63b78u

/* Bytes of each of the three streams. 3 x 1360 = 4080 covers a 4 KiB block but for two words: one
 * pass a block, and the crc32 instruction's latency of three cycles is hidden. */
#define STREAM 1360

static uint32_t byte_table[256];
/* shift_table[k][b]: what byte k of a sum, holding b, becomes after STREAM zero bytes. */
static uint32_t shift_table[4][256];
#if defined(__x86_64__)
/* Which of the ways below the processor has. */
static int has_crc32;
static int has_wide_multiply;
#endif
static int is_prepared;
static pthread_once_t preparation = PTHREAD_ONCE_INIT;

static uint32_t portable_update(uint32_t sum, const unsigned char *bytes, size_t length)
{
	while (length--)
		sum = byte_table[(sum ^ *bytes++) & 0xff] ^ (sum >> 8);
	return sum;
}

#if defined(__x86_64__)
/* The lanes of a 512-bit register are 16 bytes; those of four registers are folded at a time. */
#define STRIDE 256

/* Multipliers that move a lane by a number of bytes: for its first and for its second half. */
static uint64_t fold_by_64[2], fold_by_128[2], fold_by_192[2], fold_by_256[2];

/* x^n modulo the polynomial, bit-reflected, as the carry-less product of reflected numbers needs
 * it: one bit further up. */
static uint64_t power(int n)
{
	uint32_t sum = 0x80000000u;
	while (n--)
		sum = (sum >> 1) ^ ((sum & 1) ? POLYNOMIAL : 0);
	return (uint64_t)sum << 1;
}

/* Gopal et al., "Fast CRC Computation for Generic Polynomials Using PCLMULQDQ Instruction" (Intel,
 * 2009): a half that is moved by n bits is multiplied by x^(n + 32) or x^(n - 32). */
static void prepare_fold(uint64_t multipliers[2], int bytes)
{
	multipliers[0] = power(bytes * 8 + 32);
	multipliers[1] = power(bytes * 8 - 32);
}
#endif

#if defined(__x86_64__)
/* Not __builtin_cpu_supports(): what answers it asks CPUID a dozen times before main(), each a trip
 * to the hypervisor, in a program that never sums anything as well. */
static void ask_processor(void)
{
	unsigned int eax, ebx, ecx, edx;
	if (!__get_cpuid(1, &eax, &ebx, &ecx, &edx))
		return;
	has_crc32 = (ecx & bit_SSE4_2) != 0;
	if (!has_crc32 || !(ecx & bit_OSXSAVE))
		return;
	/* What the kernel saves for a thread (Intel SDM volume 1, 15.2): the registers of SSE and
	 * of AVX (bits 1 and 2), and the masks, upper halves and upper registers of AVX-512 (5 to
	 * 7). */
	uint32_t saved, upper;
	__asm__ __volatile__("xgetbv" : "=a"(saved), "=d"(upper) : "c"(0));
	if ((saved & 0xe6) != 0xe6 || !__get_cpuid_count(7, 0, &eax, &ebx, &ecx, &edx))
		return;
	has_wide_multiply = (ebx & bit_AVX512F) && (ecx & bit_VPCLMULQDQ);
}
#endif

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
	ask_processor();
	prepare_fold(fold_by_64, 64);
	prepare_fold(fold_by_128, 128);
	prepare_fold(fold_by_192, 192);
	prepare_fold(fold_by_256, 256);
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

#define WIDE __attribute__((target("avx512f,vpclmulqdq,sse4.2")))

WIDE static __m512i multipliers(const uint64_t fold[2])
{
	return _mm512_broadcast_i32x4(_mm_set_epi64x((long long)fold[1], (long long)fold[0]));
}

/* `sum` moved, plus what is there. 0x96: the exclusive or of all three. */
WIDE static __m512i fold(__m512i sum, __m512i by, __m512i into)
{
	__m512i first = _mm512_clmulepi64_epi128(sum, by, 0x00);
	__m512i second = _mm512_clmulepi64_epi128(sum, by, 0x11);
	return _mm512_ternarylogic_epi64(first, second, into, 0x96);
}

/* Four registers go through the bytes side by side; what they hold at the end has the sum that all
 * of it has. `length` is at least STRIDE. */
WIDE static uint32_t wide_update(uint32_t seed, const unsigned char *bytes, size_t length)
{
	__m512i a = _mm512_loadu_si512(bytes), b = _mm512_loadu_si512(bytes + 64);
	__m512i c = _mm512_loadu_si512(bytes + 128), d = _mm512_loadu_si512(bytes + 192);
	a = _mm512_xor_si512(a, _mm512_zextsi128_si512(_mm_cvtsi32_si128((int)seed)));
	const __m512i by = multipliers(fold_by_256);
	for (bytes += STRIDE, length -= STRIDE; length >= STRIDE;
	     bytes += STRIDE, length -= STRIDE) {
		a = fold(a, by, _mm512_loadu_si512(bytes));
		b = fold(b, by, _mm512_loadu_si512(bytes + 64));
		c = fold(c, by, _mm512_loadu_si512(bytes + 128));
		d = fold(d, by, _mm512_loadu_si512(bytes + 192));
	}
	d = fold(a, multipliers(fold_by_192), d);
	d = fold(b, multipliers(fold_by_128), d);
	d = fold(c, multipliers(fold_by_64), d);
	unsigned char rest[64];
	_mm512_storeu_si512(rest, d);
	return hardware_update(hardware_update(0, rest, sizeof rest), bytes, length);
}
#endif

uint32_t footing_crc32c_narrow(uint32_t seed, const void *data, size_t length)
{
	ensure_prepared();
#if defined(__x86_64__)
	if (has_crc32)
		return ~hardware_update(~seed, data, length);
#endif
	return footing_crc32c_portable(seed, data, length);
}

uint32_t footing_crc32c(uint32_t seed, const void *data, size_t length)
{
	ensure_prepared();
#if defined(__x86_64__)
	if (has_wide_multiply && length >= STRIDE)
		return ~wide_update(~seed, data, length);
#endif
	return footing_crc32c_narrow(seed, data, length);
}
