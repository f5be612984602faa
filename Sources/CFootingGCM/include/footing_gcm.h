#ifndef FOOTING_GCM_H
#define FOOTING_GCM_H

#include <stddef.h>
#include <stdint.h>

/* AES-256-GCM by Intel's Multi-Buffer Crypto for IPsec (Debian: libipsec-mb-dev, x86-64 alone),
 * which takes a third of the time of Debian 12's libcrypto where the processor encrypts 64 bytes at
 * once (docs/BENCHMARKS.md). Where the instructions are missing there is none. */
enum footing_gcm_kind {
	FOOTING_GCM_NONE = 0,
	/* AES-NI and AVX2: 16 bytes at once, Haswell and Zen and later. */
	FOOTING_GCM_AVX2 = 1,
	/* VAES and AVX-512: Ice Lake, Zen 4 and later. */
	FOOTING_GCM_AVX512 = 2,
};

/* Room for an expanded key (1008 bytes in version 1.3, 1264 in 2.0), and what it is aligned to. */
enum { FOOTING_GCM_KEY_BYTES = 2048, FOOTING_GCM_KEY_ALIGNMENT = 64 };

/* The best that this processor can do. Asks it some four questions, each of which is a trip to the
 * hypervisor in a virtual machine: to be called once. */
enum footing_gcm_kind footing_gcm_kind(void);

/* The library's version; NULL without it. */
const char *footing_gcm_version(void);

/* Expands 32 bytes into FOOTING_GCM_KEY_BYTES, for calls of the same kind. */
void footing_gcm_expand(enum footing_gcm_kind kind, const void *key, void *expanded);

/* What belongs to one block: twelve bytes that are never used again with the key, and bytes that
 * are proved but not encrypted. */
struct footing_gcm_block {
	const void *nonce;
	const void *associated;
	size_t associated_size;
};

/* Encrypts, in place or to other memory, and makes the tag of 16 bytes. Any number of threads may
 * use one expanded key; the library's own error number, which they all write to and nobody reads,
 * is one line of cache between them. What no caller may ask for ends the process. */
void footing_gcm_seal(enum footing_gcm_kind kind, const void *expanded,
	const struct footing_gcm_block *block, const void *source, void *target, size_t size,
	uint8_t tag[16]);

/* Decrypts. 0 if the tag is another: the target is zeros then. */
int footing_gcm_open(enum footing_gcm_kind kind, const void *expanded,
	const struct footing_gcm_block *block, const void *source, void *target, size_t size,
	const uint8_t tag[16]);

#endif
