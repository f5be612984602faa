#ifndef CQAT_H
#define CQAT_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/* The part of Intel QuickAssist's published interface that Footing uses: libqat.so.4 (QATlib 23.08
 * and later) and libusdm.so.0. Nothing is linked; qat_load looks the functions up at run time.
 * Names are ours, layouts are theirs, so each size and offset is stated again below. */

typedef void *qat_instance;

/* CpaStatus. */
#define QAT_SUCCESS 0
#define QAT_FAIL (-1)
#define QAT_RETRY (-2)
#define QAT_RESOURCE (-3)
#define QAT_RESTARTING (-7)

/* CpaDcReqStatus. */
#define QAT_RESULT_OK 0
#define QAT_RESULT_OVERFLOW (-11)
#define QAT_RESULT_VERIFY_ERROR (-18)

/* CpaInstanceEvent. */
#define QAT_EVENT_RESTARTING 0
#define QAT_EVENT_RESTARTED 1
#define QAT_EVENT_FATAL_ERROR 2

/* CpaAccelerationServiceType, CpaOperationalState. */
#define QAT_SERVICE_SYMMETRIC 6
#define QAT_STATE_UP 1

/* CpaDcCompType, CpaDcHuffType, CpaDcSessionDir, CpaDcSessionState, CpaDcFlush. */
#define QAT_DEFLATE 3
#define QAT_HUFFMAN_STATIC 0
#define QAT_HUFFMAN_DYNAMIC 2
#define QAT_COMPRESS 0
#define QAT_DECOMPRESS 1
#define QAT_COMBINED 2
#define QAT_STATELESS 1
#define QAT_FLUSH_FINAL 1

/* CpaCySym: operation, cipher and hash (also bits of qat_sym_capabilities), order, packet. */
#define QAT_OPERATION_CHAIN 3
#define QAT_CIPHER_AES_GCM 7
#define QAT_HASH_AES_GCM 9
#define QAT_HASH_MODE_AUTHENTICATE 2
#define QAT_HASH_THEN_CIPHER 1
#define QAT_CIPHER_THEN_HASH 2
#define QAT_ENCRYPT 1
#define QAT_DECRYPT 2
#define QAT_PACKET_FULL 1
#define QAT_PRIORITY_NORMAL 1

/* CpaFlatBuffer. */
struct qat_flat_buffer {
	uint32_t byte_count;
	uint8_t *bytes;
};

/* CpaBufferList. */
struct qat_buffer_list {
	uint32_t buffer_count;
	struct qat_flat_buffer *buffers;
	void *user_data;
	void *meta;
};

/* CpaDcSessionSetupData. */
struct qat_dc_setup {
	uint32_t level;
	uint32_t type;
	uint32_t huffman;
	uint32_t auto_select;
	uint32_t direction;
	uint32_t state;
	uint32_t window_size;
	uint32_t minimum_match;
	uint32_t lz4_block_size;
	uint32_t lz4_block_checksum;
	uint32_t lz4_independent;
	uint32_t checksum;
	uint32_t accumulate_xxhash;
};

/* CpaDcRqResults. */
struct qat_dc_results {
	int32_t status;
	uint32_t produced;
	uint32_t consumed;
	uint32_t checksum;
	uint32_t end_of_last_block;
	uint32_t stored_plain;
};

/* CpaDcOpData. */
struct qat_dc_operation {
	uint32_t flush;
	uint32_t verify;
	uint32_t verify_and_recover;
	uint32_t integrity_check;
	uint32_t verify_integrity;
	uint32_t integrity_size;
	uint32_t input_skip[4];
	uint32_t output_skip[4];
	void *crc_data;
};

/* CpaDcInstanceCapabilities: what is not asked about is left unnamed. */
struct qat_dc_capabilities {
	uint8_t before_deflate[56];
	uint32_t deflate_compression;
	uint32_t deflate_decompression;
	uint8_t before_huffman[28];
	uint32_t dynamic_huffman;
	uint8_t before_verify[32];
	uint32_t verify;
	uint32_t verify_strict;
	uint32_t verify_and_recover;
	uint8_t after_verify[12];
};

/* CpaInstanceInfo2. */
struct qat_instance_information {
	uint32_t type;
	char vendor[64];
	char part[64];
	char software_version[64];
	char name[64];
	uint8_t identity[140];
	uint8_t cores[512];
	uint32_t node;
	uint32_t state;
	uint32_t needs_contiguous;
	uint32_t is_polled;
	uint32_t is_offloaded;
};

/* CpaCySymCapabilitiesInfo. */
struct qat_sym_capabilities {
	uint32_t ciphers;
	uint32_t hashes;
	uint32_t partial_packets;
};

/* CpaCySymSessionSetupData. */
struct qat_sym_setup {
	uint32_t priority;
	uint32_t operation;
	struct {
		uint32_t algorithm;
		uint32_t key_byte_count;
		uint8_t *key;
		uint32_t direction;
	} cipher;
	struct {
		uint32_t algorithm;
		uint32_t mode;
		uint32_t digest_byte_count;
		struct {
			uint8_t *key;
			uint32_t key_byte_count;
			uint32_t associated_byte_count;
		} authentication;
		uint8_t nested[32];
	} hash;
	uint32_t order;
	uint32_t digest_is_appended;
	uint32_t verify_digest;
	uint32_t partials_not_required;
};

/* CpaCySymOpData. */
struct qat_sym_operation {
	void *session;
	uint32_t packet;
	uint8_t *vector;
	uint32_t vector_byte_count;
	uint32_t cipher_offset;
	uint32_t cipher_byte_count;
	uint32_t hash_offset;
	uint32_t hash_byte_count;
	uint8_t *digest;
	uint8_t *associated;
};

#define QAT_LAYOUT(type, size) _Static_assert(sizeof(struct type) == size, #type)
#define QAT_OFFSET(type, field, offset) \
	_Static_assert(offsetof(struct type, field) == offset, #type "." #field)

#if defined(__LP64__)
QAT_LAYOUT(qat_flat_buffer, 16);
QAT_LAYOUT(qat_buffer_list, 32);
QAT_LAYOUT(qat_dc_setup, 52);
QAT_LAYOUT(qat_dc_results, 24);
QAT_LAYOUT(qat_dc_operation, 64);
QAT_LAYOUT(qat_dc_capabilities, 152);
QAT_LAYOUT(qat_instance_information, 932);
QAT_LAYOUT(qat_sym_capabilities, 12);
QAT_LAYOUT(qat_sym_setup, 112);
QAT_LAYOUT(qat_sym_operation, 64);
QAT_OFFSET(qat_dc_operation, crc_data, 56);
QAT_OFFSET(qat_dc_capabilities, deflate_compression, 56);
QAT_OFFSET(qat_dc_capabilities, dynamic_huffman, 92);
QAT_OFFSET(qat_dc_capabilities, verify, 128);
QAT_OFFSET(qat_dc_capabilities, verify_and_recover, 136);
QAT_OFFSET(qat_instance_information, name, 196);
QAT_OFFSET(qat_instance_information, node, 912);
QAT_OFFSET(qat_instance_information, state, 916);
QAT_OFFSET(qat_instance_information, is_polled, 924);
QAT_OFFSET(qat_sym_setup, cipher, 8);
QAT_OFFSET(qat_sym_setup, cipher.direction, 24);
QAT_OFFSET(qat_sym_setup, hash, 32);
QAT_OFFSET(qat_sym_setup, hash.authentication, 48);
QAT_OFFSET(qat_sym_setup, order, 96);
QAT_OFFSET(qat_sym_setup, verify_digest, 104);
QAT_OFFSET(qat_sym_operation, vector_byte_count, 24);
QAT_OFFSET(qat_sym_operation, digest, 48);
QAT_OFFSET(qat_sym_operation, associated, 56);
#endif

typedef uint64_t (*qat_translation)(void *address);
typedef void (*qat_dc_callback)(void *tag, int32_t status);
typedef void (*qat_sym_callback)(void *tag, int32_t status, uint32_t operation, void *data,
	struct qat_buffer_list *destination, uint32_t verified);
typedef void (*qat_notification)(qat_instance instance, void *tag, uint32_t event);
typedef int32_t (*qat_dc_perform)(qat_instance, void *session, struct qat_buffer_list *source,
	struct qat_buffer_list *destination, struct qat_dc_operation *, struct qat_dc_results *,
	void *tag);

/* Every function that is called; those at the end may be NULL. */
struct qat_functions {
	uint32_t (*is_available)(void);
	int32_t (*start)(const char *section);
	int32_t (*stop)(void);

	int32_t (*dc_count)(uint16_t *count);
	int32_t (*dc_instances)(uint16_t count, qat_instance *instances);
	int32_t (*dc_information)(qat_instance, struct qat_instance_information *);
	int32_t (*dc_capabilities)(qat_instance, struct qat_dc_capabilities *);
	int32_t (*dc_translate)(qat_instance, qat_translation);
	int32_t (*dc_intermediate_count)(qat_instance, uint16_t *count);
	int32_t (*dc_start)(qat_instance, uint16_t count, struct qat_buffer_list **intermediate);
	int32_t (*dc_stop)(qat_instance);
	int32_t (*dc_meta_size)(qat_instance, uint32_t buffer_count, uint32_t *byte_count);
	int32_t (*dc_session_size)(qat_instance, struct qat_dc_setup *, uint32_t *session,
		uint32_t *context);
	int32_t (*dc_begin)(qat_instance, void *session, struct qat_dc_setup *,
		struct qat_buffer_list *context, qat_dc_callback);
	int32_t (*dc_end)(qat_instance, void *session);
	qat_dc_perform dc_compress;
	qat_dc_perform dc_decompress;
	int32_t (*dc_bound)(qat_instance, uint32_t huffman, uint32_t input, uint32_t *output);
	int32_t (*dc_poll)(qat_instance, uint32_t quota);

	int32_t (*count)(uint32_t service, uint16_t *count);
	int32_t (*instances)(uint32_t service, uint16_t count, qat_instance *instances);
	int32_t (*cy_information)(qat_instance, struct qat_instance_information *);
	int32_t (*sym_capabilities)(qat_instance, struct qat_sym_capabilities *);
	int32_t (*cy_translate)(qat_instance, qat_translation);
	int32_t (*cy_start)(qat_instance);
	int32_t (*cy_stop)(qat_instance);
	int32_t (*cy_meta_size)(qat_instance, uint32_t buffer_count, uint32_t *byte_count);
	int32_t (*sym_session_size)(qat_instance, const struct qat_sym_setup *, uint32_t *);
	int32_t (*sym_begin)(
		qat_instance, qat_sym_callback, const struct qat_sym_setup *, void *session);
	int32_t (*sym_end)(qat_instance, void *session);
	int32_t (*sym_perform)(qat_instance, void *tag, const struct qat_sym_operation *,
		const struct qat_buffer_list *source, struct qat_buffer_list *destination,
		uint32_t *verified);
	int32_t (*sym_poll)(qat_instance, uint32_t quota);

	void *(*memory_take)(size_t byte_count, int node, size_t alignment);
	void (*memory_give)(void **address);
	qat_translation memory_address;

	int32_t (*dc_notify)(qat_instance, qat_notification, void *tag);
	int32_t (*cy_notify)(qat_instance, qat_notification, void *tag);
	int32_t (*poll_events)(void);

	/* Not a device: the stand-in of the tests, which says so by a symbol of its own. */
	int is_stand_in;
};

/* What one request needs, at the start of its piece of the device's memory: the library may write
 * to any of it until it has answered. `status`, `verified` and `is_done` are set by the answer,
 * which the library gives on the thread that polls. */
struct qat_request {
	struct qat_buffer_list source;
	struct qat_buffer_list destination;
	struct qat_flat_buffer source_buffer;
	struct qat_flat_buffer destination_buffer;
	struct qat_dc_operation compression;
	struct qat_dc_results results;
	struct qat_sym_operation cipher;
	uint8_t *input;
	uint8_t *output;
	int32_t status;
	uint32_t verified;
	uint32_t is_done;
	uint8_t vector[16];
	uint8_t associated[64];
};

/* Bytes of a request's piece of memory: itself, the lists' own data, input and output. */
size_t qat_request_size(size_t meta_size, size_t input_size, size_t output_size);

/* Divides such a piece of memory. */
struct qat_request *qat_prepare(
	void *memory, size_t meta_size, size_t input_size, size_t output_size);

/* The following give a CpaStatus; the service is that of cpaGetNumInstances. */

/* What an instance is and can do. */
struct qat_description {
	char name[64];
	int32_t node;
	uint32_t is_up;
	uint32_t is_polled;
	/* Deflate with verification, or AES-GCM. */
	uint32_t is_able;
	uint32_t decompresses;
	uint32_t recovers;
	uint32_t huffman;
	/* Buffers that only devices before 4xxx want. */
	uint16_t intermediate;
	uint32_t meta_size;
};

int32_t qat_describe(const struct qat_functions *functions, qat_instance instance,
	uint32_t service, struct qat_description *description);

/* Starts an instance and registers for its events, where the library has any. */
int32_t qat_start(const struct qat_functions *functions, qat_instance instance, uint32_t service);
int32_t qat_listen(const struct qat_functions *functions, qat_instance instance, uint32_t service,
	qat_notification notification, void *tag);
int32_t qat_stop(const struct qat_functions *functions, qat_instance instance, uint32_t service);
int32_t qat_poll(const struct qat_functions *functions, qat_instance instance, uint32_t service);

/* A session for deflate of level 1, without state. */
int32_t qat_deflate_size(const struct qat_functions *functions, qat_instance instance,
	const struct qat_description *description, uint32_t *size);
int32_t qat_begin_deflate(const struct qat_functions *functions, qat_instance instance,
	const struct qat_description *description, void *session);

/* Hands over `count` bytes of the request's input. */
int32_t qat_submit_deflate(const struct qat_functions *functions, qat_instance instance,
	const struct qat_description *description, void *session, struct qat_request *request,
	int decompresses, uint32_t count, uint32_t room);

/* A session for AES-256-GCM with one key, direction and size of the associated data. */
int32_t qat_gcm_size(const struct qat_functions *functions, qat_instance instance, const void *key,
	int encrypts, uint32_t associated_count, uint32_t *size);
int32_t qat_begin_gcm(const struct qat_functions *functions, qat_instance instance, const void *key,
	int encrypts, uint32_t associated_count, void *session);

/* Hands over `count` bytes of the request's input, which the tag or the room for it follows; they
 * are replaced. The nonce has twelve bytes. */
int32_t qat_submit_gcm(const struct qat_functions *functions, qat_instance instance, void *session,
	struct qat_request *request, uint32_t count, const void *nonce, const void *associated,
	size_t associated_count);

/* Loads both libraries for good, with their names kept to themselves (RTLD_LOCAL), and fills in the
 * functions: 0, or -1 with a text in `problem` that says what is missing. */
int qat_load(const char *memory_library, const char *driver_library,
	struct qat_functions *functions, char *problem, size_t problem_size);

/* Whether this process was started by a dynamic loader: a static one cannot load libraries. */
int qat_can_load(void);

/* The first bytes that a program prints for one argument, at most `size`, or -errno; it is ended
 * then. Each piece may take so many milliseconds. */
ssize_t qat_output(
	const char *path, const char *argument, char *buffer, size_t size, int milliseconds);

/* Goes on as another program (execve(2)); returns only to say why not. */
int qat_become(const char *path, char *const *arguments);

#endif
