#define _GNU_SOURCE
#include "footing_gcm.h"

#include <stdlib.h>
#include <string.h>

#if defined(__x86_64__)

#include <cpuid.h>
#if __has_include(<intel-ipsec-mb.h>)
#include <intel-ipsec-mb.h>
#else
#error "Intel's IPsec-MB is missing: run 'make deps', or install libipsec-mb-dev"
#endif

_Static_assert(sizeof(struct gcm_key_data) <= FOOTING_GCM_KEY_BYTES, "a larger expanded key");
_Static_assert(_Alignof(struct gcm_key_data) <= FOOTING_GCM_KEY_ALIGNMENT, "a wider alignment");

/* The library's manager would reach these by its tables, which refer to every algorithm of it: 13
 * MiB of the program. So they are called by name, of which its header has that of AVX2 alone. A
 * library without them does not link, and one where they are something else does not give
 * libcrypto's answers, without which it is not used. */
extern void aes_gcm_precomp_256_avx_gen4(struct gcm_key_data *key);
extern void aes_gcm_precomp_256_vaes_avx512(struct gcm_key_data *key);
extern void aes_gcm_enc_256_vaes_avx512(const struct gcm_key_data *, struct gcm_context_data *,
	uint8_t *, const uint8_t *, uint64_t, const uint8_t *, const uint8_t *, uint64_t, uint8_t *,
	uint64_t);
extern void aes_gcm_dec_256_vaes_avx512(const struct gcm_key_data *, struct gcm_context_data *,
	uint8_t *, const uint8_t *, uint64_t, const uint8_t *, const uint8_t *, uint64_t, uint8_t *,
	uint64_t);

/* One bit of a register that CPUID fills (Intel SDM, volume 2, CPUID; AMD APM, volume 3, E.3). */
static int has(uint32_t value, int bit) { return value >> bit & 1; }

/* What of the wide registers the kernel keeps for each thread (Intel SDM, volume 1, 13.3). */
static uint64_t kept_registers(void)
{
	uint32_t low, high;
	__asm__ __volatile__("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
	return (uint64_t)high << 32 | low;
}

enum footing_gcm_kind footing_gcm_kind(void)
{
	const uint64_t avx_state = 0x06, avx512_state = 0xe6;
	uint32_t a, b, c, d, basic;
	uint64_t kept;

	if (!__get_cpuid(1, &a, &b, &basic, &d) || !has(basic, 27) /* OSXSAVE */)
		return FOOTING_GCM_NONE;
	kept = kept_registers();
	if ((kept & avx_state) != avx_state || !__get_cpuid_count(7, 0, &a, &b, &c, &d))
		return FOOTING_GCM_NONE;
	/* PCLMULQDQ, SSSE3, SSE4.1, MOVBE, AES, AVX; BMI1, AVX2, BMI2. */
	if (!(has(basic, 1) && has(basic, 9) && has(basic, 19) && has(basic, 22) && has(basic, 25)
	      && has(basic, 28) && has(b, 3) && has(b, 5) && has(b, 8)))
		return FOOTING_GCM_NONE;
	/* AVX-512 F, DQ, IFMA, CD, BW, VL, VBMI2; GFNI, VAES, VPCLMULQDQ: more than the functions
	 * use, about what the library's own choice asks for. */
	if ((kept & avx512_state) == avx512_state && has(b, 16) && has(b, 17) && has(b, 21)
	    && has(b, 28) && has(b, 30) && has(b, 31) && has(c, 6) && has(c, 8) && has(c, 9)
	    && has(c, 10))
		return FOOTING_GCM_AVX512;
	return FOOTING_GCM_AVX2;
}

const char *footing_gcm_version(void) { return imb_get_version_str(); }

void footing_gcm_expand(enum footing_gcm_kind kind, const void *key, void *expanded)
{
	struct gcm_key_data *data = expanded;
	/* Of GCM's two directions both encrypt with AES: the key for its inverse is not needed. */
	uint8_t inverse[sizeof data->expanded_keys] __attribute__((aligned(16)));

	if (kind == FOOTING_GCM_AVX512) {
		aes_keyexp_256_avx512(key, data->expanded_keys, inverse);
		aes_gcm_precomp_256_vaes_avx512(data);
	} else {
		aes_keyexp_256_avx2(key, data->expanded_keys, inverse);
		aes_gcm_precomp_256_avx_gen4(data);
	}
	explicit_bzero(inverse, sizeof inverse);
}

/* The library refuses NULL, also where there is nothing to read. */
static const uint8_t nothing[1];

static const uint8_t *present(const void *bytes) { return bytes ? bytes : nothing; }

/* What it refuses it leaves as it is, plain, and nobody would know. */
static void check(const void *expanded, const struct footing_gcm_block *block, const void *source,
	const void *target, size_t size)
{
	if (!expanded || !block->nonce || (block->associated_size > 0 && !block->associated)
	    || (size > 0 && (!source || !target)))
		abort();
}

void footing_gcm_seal(enum footing_gcm_kind kind, const void *expanded,
	const struct footing_gcm_block *block, const void *source, void *target, size_t size,
	uint8_t tag[16])
{
	struct gcm_context_data context;
	uint8_t room[1];
	uint8_t *to = target ? target : room;
	const uint8_t *beside = present(block->associated);

	check(expanded, block, source, target, size);
	if (kind == FOOTING_GCM_AVX512)
		aes_gcm_enc_256_vaes_avx512(expanded, &context, to, present(source), size,
			block->nonce, beside, block->associated_size, tag, 16);
	else
		aes_gcm_enc_256_avx_gen4(expanded, &context, to, present(source), size,
			block->nonce, beside, block->associated_size, tag, 16);
	/* It holds a part of the key stream. */
	explicit_bzero(&context, sizeof context);
}

int footing_gcm_open(enum footing_gcm_kind kind, const void *expanded,
	const struct footing_gcm_block *block, const void *source, void *target, size_t size,
	const uint8_t tag[16])
{
	struct gcm_context_data context;
	uint8_t room[1], found[16], difference = 0;
	uint8_t *to = target ? target : room;
	const uint8_t *beside = present(block->associated);

	check(expanded, block, source, target, size);
	if (kind == FOOTING_GCM_AVX512)
		aes_gcm_dec_256_vaes_avx512(expanded, &context, to, present(source), size,
			block->nonce, beside, block->associated_size, found, 16);
	else
		aes_gcm_dec_256_avx_gen4(expanded, &context, to, present(source), size,
			block->nonce, beside, block->associated_size, found, 16);
	explicit_bzero(&context, sizeof context);
	/* In a time that does not tell where they differ. */
	for (int index = 0; index < 16; index++)
		difference |= found[index] ^ tag[index];
	/* The right tag of what somebody made up is nobody's business either. */
	explicit_bzero(found, sizeof found);
	if (difference == 0)
		return 1;
	if (size > 0)
		explicit_bzero(target, size);
	return 0;
}

#else

enum footing_gcm_kind footing_gcm_kind(void) { return FOOTING_GCM_NONE; }

const char *footing_gcm_version(void) { return NULL; }

/* Nobody has a kind to call these with. */
void footing_gcm_expand(enum footing_gcm_kind kind, const void *key, void *expanded)
{
	(void)kind, (void)key, (void)expanded;
	abort();
}

void footing_gcm_seal(enum footing_gcm_kind kind, const void *expanded,
	const struct footing_gcm_block *block, const void *source, void *target, size_t size,
	uint8_t tag[16])
{
	(void)kind, (void)expanded, (void)block, (void)source, (void)target, (void)size, (void)tag;
	abort();
}

int footing_gcm_open(enum footing_gcm_kind kind, const void *expanded,
	const struct footing_gcm_block *block, const void *source, void *target, size_t size,
	const uint8_t tag[16])
{
	(void)kind, (void)expanded, (void)block, (void)source, (void)target, (void)size, (void)tag;
	abort();
}

#endif
