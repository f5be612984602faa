#include "cqat.h"

#include <string.h>

/* A line of the cache: no two requests share one with the device. */
static size_t round_up(size_t size)
{
	return (size + 63) & ~(size_t)63;
}

size_t qat_request_size(size_t meta_size, size_t input_size, size_t output_size)
{
	return round_up(sizeof(struct qat_request)) + 2 * round_up(meta_size) + round_up(input_size)
		+ round_up(output_size);
}

struct qat_request *qat_prepare(
	void *memory, size_t meta_size, size_t input_size, size_t output_size)
{
	struct qat_request *request = memory;
	uint8_t *next = (uint8_t *)memory + round_up(sizeof *request);
	memset(request, 0, sizeof *request);
	request->source.meta = next;
	next += round_up(meta_size);
	request->destination.meta = next;
	next += round_up(meta_size);
	request->input = next;
	request->output = output_size > 0 ? next + round_up(input_size) : next;
	request->source.buffer_count = 1;
	request->source.buffers = &request->source_buffer;
	request->source_buffer.bytes = request->input;
	request->destination.buffer_count = 1;
	request->destination.buffers = &request->destination_buffer;
	request->destination_buffer.bytes = request->output;
	return request;
}

static void deflate_answered(void *tag, int32_t status)
{
	struct qat_request *request = tag;
	request->status = status;
	request->is_done = 1;
}

static void cipher_answered(void *tag, int32_t status, uint32_t operation, void *data,
	struct qat_buffer_list *destination, uint32_t verified)
{
	struct qat_request *request = tag;
	(void)operation;
	(void)data;
	(void)destination;
	request->status = status;
	request->verified = verified;
	request->is_done = 1;
}

static struct qat_dc_setup deflate_setup(const struct qat_description *description)
{
	struct qat_dc_setup setup = {
		.level = 1,
		.type = QAT_DEFLATE,
		.huffman = description->huffman,
		.direction = description->decompresses ? QAT_COMBINED : QAT_COMPRESS,
		.state = QAT_STATELESS,
	};
	return setup;
}

int32_t qat_deflate_size(const struct qat_functions *functions, qat_instance instance,
	const struct qat_description *description, uint32_t *size)
{
	struct qat_dc_setup setup = deflate_setup(description);
	uint32_t context;
	return functions->dc_session_size(instance, &setup, size, &context);
}

int32_t qat_begin_deflate(const struct qat_functions *functions, qat_instance instance,
	const struct qat_description *description, void *session)
{
	struct qat_dc_setup setup = deflate_setup(description);
	return functions->dc_begin(instance, session, &setup, NULL, deflate_answered);
}

int32_t qat_submit_deflate(const struct qat_functions *functions, qat_instance instance,
	const struct qat_description *description, void *session, struct qat_request *request,
	int decompresses, uint32_t count, uint32_t room)
{
	qat_dc_perform perform = decompresses ? functions->dc_decompress : functions->dc_compress;
	request->source_buffer.byte_count = count;
	request->destination_buffer.byte_count = room;
	memset(&request->results, 0, sizeof request->results);
	memset(&request->compression, 0, sizeof request->compression);
	request->compression.flush = QAT_FLUSH_FINAL;
	request->compression.verify = !decompresses;
	request->compression.verify_and_recover = !decompresses && description->recovers;
	return perform(instance, session, &request->source, &request->destination,
		&request->compression, &request->results, request);
}

static struct qat_sym_setup gcm_setup(const void *key, int encrypts, uint32_t associated_count)
{
	struct qat_sym_setup setup = {
		.priority = QAT_PRIORITY_NORMAL,
		.operation = QAT_OPERATION_CHAIN,
		.cipher = {
			.algorithm = QAT_CIPHER_AES_GCM,
			.key_byte_count = 32,
			.key = (uint8_t *)(uintptr_t)key,
			.direction = encrypts ? QAT_ENCRYPT : QAT_DECRYPT,
		},
		.hash = {
			.algorithm = QAT_HASH_AES_GCM,
			.mode = QAT_HASH_MODE_AUTHENTICATE,
			.digest_byte_count = 16,
			.authentication = { .associated_byte_count = associated_count },
		},
		.order = encrypts ? QAT_CIPHER_THEN_HASH : QAT_HASH_THEN_CIPHER,
		.digest_is_appended = 1,
		.verify_digest = !encrypts,
		.partials_not_required = 1,
	};
	return setup;
}

int32_t qat_gcm_size(const struct qat_functions *functions, qat_instance instance, const void *key,
	int encrypts, uint32_t associated_count, uint32_t *size)
{
	struct qat_sym_setup setup = gcm_setup(key, encrypts, associated_count);
	return functions->sym_session_size(instance, &setup, size);
}

int32_t qat_begin_gcm(const struct qat_functions *functions, qat_instance instance, const void *key,
	int encrypts, uint32_t associated_count, void *session)
{
	struct qat_sym_setup setup = gcm_setup(key, encrypts, associated_count);
	return functions->sym_begin(instance, cipher_answered, &setup, session);
}

int32_t qat_submit_gcm(const struct qat_functions *functions, qat_instance instance, void *session,
	struct qat_request *request, uint32_t count, const void *nonce, const void *associated,
	size_t associated_count)
{
	request->source_buffer.byte_count = count + 16;
	memset(&request->cipher, 0, sizeof request->cipher);
	/* The device wants whole AES blocks, so the rest is zeros. */
	memset(request->vector, 0, sizeof request->vector);
	memset(request->associated, 0, sizeof request->associated);
	memcpy(request->vector, nonce, 12);
	if (associated_count > 0)
		memcpy(request->associated, associated, associated_count);
	request->cipher.session = session;
	request->cipher.packet = QAT_PACKET_FULL;
	request->cipher.vector = request->vector;
	request->cipher.vector_byte_count = 12;
	request->cipher.cipher_byte_count = count;
	request->cipher.associated = request->associated;
	return functions->sym_perform(
		instance, request, &request->cipher, &request->source, &request->source, NULL);
}
