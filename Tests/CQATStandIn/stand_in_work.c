/* The work itself, in software. */
#include "stand_in.h"

#include <openssl/evp.h>
#include <string.h>
#include <zlib.h>

static int32_t run_zlib(struct work *work, struct qat_flat_buffer *from, struct qat_flat_buffer *to)
{
	z_stream stream;
	int status;
	memset(&stream, 0, sizeof stream);
	stream.next_in = from->bytes;
	stream.avail_in = from->byte_count;
	stream.next_out = to->bytes;
	stream.avail_out = to->byte_count;
	if (work->is_decompression) {
		inflateInit2(&stream, -15);
		status = inflate(&stream, Z_FINISH);
		inflateEnd(&stream);
	} else {
		deflateInit2(&stream, 1, Z_DEFLATED, -15, 8, Z_DEFAULT_STRATEGY);
		status = deflate(&stream, Z_FINISH);
		deflateEnd(&stream);
	}
	work->results->produced = to->byte_count - stream.avail_out;
	work->results->consumed = from->byte_count - stream.avail_in;
	if (status == Z_STREAM_END)
		return QAT_RESULT_OK;
	return stream.avail_out == 0 ? QAT_RESULT_OVERFLOW : -1;
}

int32_t stand_in_compress(struct work *work)
{
	struct qat_flat_buffer *to = work->destination->buffers;
	memset(work->results, 0, sizeof *work->results);
	if (work->fault == STAND_IN_OVERFLOW || work->fault == STAND_IN_VERIFY_ERROR) {
		work->results->status = work->fault == STAND_IN_OVERFLOW
			? QAT_RESULT_OVERFLOW : QAT_RESULT_VERIFY_ERROR;
		return QAT_FAIL;
	}
	work->results->status = run_zlib(work, work->source->buffers, to);
	if (work->results->status != QAT_RESULT_OK)
		return QAT_FAIL;
	if (work->fault == STAND_IN_CORRUPT)
		to->bytes[work->results->produced / 2] ^= 4;
	if (work->fault == STAND_IN_SHORT)
		work->results->produced /= 2;
	return QAT_SUCCESS;
}

int32_t stand_in_cipher(struct work *work, uint32_t *verified)
{
	const struct session *session = work->session;
	const struct qat_sym_operation *operation = &work->sym;
	bool encrypts = session->sym.cipher.direction == QAT_ENCRYPT;
	int count = (int)operation->cipher_byte_count, part = 0;
	uint8_t *from = work->source->buffers[0].bytes, *to = work->destination->buffers[0].bytes;
	EVP_CIPHER_CTX *context = EVP_CIPHER_CTX_new();
	EVP_CipherInit_ex(context, EVP_aes_256_gcm(), NULL, session->key,
		operation->vector, encrypts);
	EVP_CipherUpdate(context, NULL, &part, operation->associated,
		(int)session->sym.hash.authentication.associated_byte_count);
	if (!encrypts)
		EVP_CIPHER_CTX_ctrl(context, EVP_CTRL_GCM_SET_TAG, 16, from + count);
	EVP_CipherUpdate(context, to, &part, from, count);
	*verified = EVP_CipherFinal_ex(context, to + part, &part) == 1;
	if (encrypts)
		EVP_CIPHER_CTX_ctrl(context, EVP_CTRL_GCM_GET_TAG, 16, to + count);
	EVP_CIPHER_CTX_free(context);
	if (work->fault == STAND_IN_CORRUPT)
		to[count / 2] ^= 4;
	if (work->fault == STAND_IN_WRONG_DIGEST) {
		if (encrypts)
			to[count] ^= 1;
		*verified = 0;
	}
	return QAT_SUCCESS;
}
