/* Instances and sessions. */
#include "stand_in.h"

#include <stdio.h>
#include <string.h>

#define DC_SERVICE 1

static int32_t give_instances(uint32_t service, uint16_t count, qat_instance *instances)
{
	struct instance *first = stand_in.instances;
	if (service == QAT_SERVICE_SYMMETRIC)
		first += INSTANCES_MAX / 2;
	for (uint16_t index = 0; index < count; index++)
		instances[index] = first + index;
	return stand_in.is_running ? QAT_SUCCESS : QAT_FAIL;
}

int32_t cpaDcGetNumInstances(uint16_t *count)
{
	/* The library answers so where there are none, and leaves the number alone. */
	if (stand_in.plan.dc_instances == 0)
		return QAT_RESOURCE;
	*count = (uint16_t)stand_in.plan.dc_instances;
	return QAT_SUCCESS;
}

int32_t cpaDcGetInstances(uint16_t count, qat_instance *instances)
{
	return give_instances(DC_SERVICE, count, instances);
}

int32_t cpaGetNumInstances(uint32_t service, uint16_t *count)
{
	if (service != QAT_SERVICE_SYMMETRIC)
		return QAT_RESOURCE;
	*count = (uint16_t)stand_in.plan.sym_instances;
	return QAT_SUCCESS;
}

int32_t cpaGetInstances(uint32_t service, uint16_t count, qat_instance *instances)
{
	return give_instances(service, count, instances);
}

static int32_t inform(struct instance *instance, struct qat_instance_information *information)
{
	memset(information, 0, sizeof *information);
	snprintf(information->vendor, sizeof information->vendor, "stand-in");
	snprintf(information->part, sizeof information->part, "stand-in");
	snprintf(information->name, sizeof information->name, "stand-in %d",
		(int)(instance - stand_in.instances));
	information->state = stand_in.plan.is_down ? 0 : QAT_STATE_UP;
	information->is_polled = 1;
	information->needs_contiguous = 1;
	return QAT_SUCCESS;
}

int32_t cpaDcInstanceGetInfo2(qat_instance instance, struct qat_instance_information *information)
{
	return inform(instance, information);
}

int32_t cpaCyInstanceGetInfo2(qat_instance instance, struct qat_instance_information *information)
{
	return inform(instance, information);
}

int32_t cpaDcQueryCapabilities(qat_instance instance, struct qat_dc_capabilities *capabilities)
{
	(void)instance;
	memset(capabilities, 0, sizeof *capabilities);
	capabilities->deflate_compression = 1;
	capabilities->deflate_decompression = stand_in.plan.has_decompression;
	capabilities->dynamic_huffman = 1;
	capabilities->verify = stand_in.plan.has_verify;
	capabilities->verify_and_recover = stand_in.plan.has_recovery;
	return QAT_SUCCESS;
}

int32_t cpaCySymQueryCapabilities(qat_instance instance, struct qat_sym_capabilities *capabilities)
{
	(void)instance;
	memset(capabilities, 0, sizeof *capabilities);
	capabilities->ciphers = stand_in.plan.has_gcm ? 1u << QAT_CIPHER_AES_GCM : 0;
	capabilities->hashes = stand_in.plan.has_gcm ? 1u << QAT_HASH_AES_GCM : 0;
	return QAT_SUCCESS;
}

int32_t cpaDcSetAddressTranslation(struct instance *instance, qat_translation translation)
{
	instance->has_translation = translation != NULL;
	return QAT_SUCCESS;
}

int32_t cpaCySetAddressTranslation(struct instance *instance, qat_translation translation)
{
	instance->has_translation = translation != NULL;
	return QAT_SUCCESS;
}

int32_t cpaDcGetNumIntermediateBuffers(qat_instance instance, uint16_t *count)
{
	(void)instance;
	*count = (uint16_t)stand_in.plan.intermediate;
	return QAT_SUCCESS;
}

static int32_t begin(struct instance *instance)
{
	stand_in_lock();
	stand_in.counts.misuses += instance->is_started || !stand_in.is_running;
	instance->is_started = true;
	stand_in.counts.live_instances++;
	stand_in_unlock();
	return QAT_SUCCESS;
}

static int32_t end(struct instance *instance)
{
	stand_in_lock();
	stand_in.counts.misuses += !instance->is_started;
	instance->is_started = false;
	instance->notification = NULL;
	stand_in.counts.live_instances--;
	stand_in_unlock();
	return QAT_SUCCESS;
}

int32_t cpaDcStartInstance(
	struct instance *instance, uint16_t count, struct qat_buffer_list **intermediate)
{
	(void)intermediate;
	return count == stand_in.plan.intermediate ? begin(instance) : QAT_FAIL;
}

int32_t cpaCyStartInstance(struct instance *instance)
{
	return begin(instance);
}

int32_t cpaDcStopInstance(struct instance *instance)
{
	return end(instance);
}

int32_t cpaCyStopInstance(struct instance *instance)
{
	return end(instance);
}

static int32_t listen(struct instance *instance, qat_notification notification, void *tag)
{
	stand_in_lock();
	instance->notification = notification;
	instance->notification_tag = tag;
	stand_in_unlock();
	return QAT_SUCCESS;
}

int32_t cpaDcInstanceSetNotificationCb(
	struct instance *instance, qat_notification notification, void *tag)
{
	return listen(instance, notification, tag);
}

int32_t cpaCyInstanceSetNotificationCb(
	struct instance *instance, qat_notification notification, void *tag)
{
	return listen(instance, notification, tag);
}

int32_t cpaDcBufferListGetMetaSize(qat_instance instance, uint32_t count, uint32_t *size)
{
	(void)instance;
	*size = count * 16 + 64;
	return QAT_SUCCESS;
}

int32_t cpaCyBufferListGetMetaSize(qat_instance instance, uint32_t count, uint32_t *size)
{
	return cpaDcBufferListGetMetaSize(instance, count, size);
}

int32_t cpaDcDeflateCompressBound(
	qat_instance instance, uint32_t huffman, uint32_t input, uint32_t *output)
{
	(void)instance;
	(void)huffman;
	*output = (uint32_t)(((uint64_t)9 * input + 7) / 8) + 55;
	return QAT_SUCCESS;
}

int32_t cpaDcGetSessionSize(
	qat_instance instance, struct qat_dc_setup *setup, uint32_t *session, uint32_t *context)
{
	(void)instance;
	(void)setup;
	*session = sizeof(struct session);
	*context = 0;
	return QAT_SUCCESS;
}

int32_t cpaCySymSessionCtxGetSize(
	qat_instance instance, const struct qat_sym_setup *setup, uint32_t *size)
{
	(void)instance;
	(void)setup;
	*size = sizeof(struct session);
	return QAT_SUCCESS;
}

static void begin_session(struct instance *instance, struct session *session)
{
	stand_in_touch(session, sizeof *session);
	stand_in.counts.misuses += !instance->is_started || !instance->has_translation;
	stand_in.counts.live_sessions++;
	memset(session, 0, sizeof *session);
	session->magic = SESSION_MAGIC;
}

int32_t cpaDcInitSession(struct instance *instance, struct session *session,
	struct qat_dc_setup *setup, struct qat_buffer_list *context, qat_dc_callback callback)
{
	(void)context;
	if (setup->type != QAT_DEFLATE || setup->state != QAT_STATELESS || !callback)
		return QAT_FAIL;
	if (setup->direction != QAT_COMPRESS && !stand_in.plan.has_decompression)
		return QAT_FAIL;
	stand_in_lock();
	begin_session(instance, session);
	session->dc = *setup;
	session->dc_callback = callback;
	stand_in_unlock();
	return QAT_SUCCESS;
}

int32_t cpaCySymInitSession(struct instance *instance, qat_sym_callback callback,
	const struct qat_sym_setup *setup, struct session *session)
{
	bool is_gcm = setup->cipher.algorithm == QAT_CIPHER_AES_GCM && stand_in.plan.has_gcm
		&& setup->operation == QAT_OPERATION_CHAIN
		&& setup->hash.algorithm == QAT_HASH_AES_GCM
		&& setup->hash.mode == QAT_HASH_MODE_AUTHENTICATE
		&& setup->hash.digest_byte_count == 16 && setup->digest_is_appended
		&& setup->order == (setup->cipher.direction == QAT_ENCRYPT
			? QAT_CIPHER_THEN_HASH : QAT_HASH_THEN_CIPHER);
	if (!callback || setup->cipher.key_byte_count != 32 || !is_gcm)
		return QAT_FAIL;
	stand_in_lock();
	begin_session(instance, session);
	session->is_cipher = true;
	session->sym = *setup;
	memcpy(session->key, setup->cipher.key, sizeof session->key);
	stand_in.has_secret = true;
	memcpy(stand_in.secret, setup->cipher.key, sizeof stand_in.secret);
	session->sym_callback = callback;
	stand_in_unlock();
	return QAT_SUCCESS;
}

static int32_t end_session(struct session *session)
{
	stand_in_lock();
	int32_t status = session->in_flight > 0 ? QAT_RETRY : QAT_SUCCESS;
	if (status == QAT_SUCCESS) {
		stand_in.counts.misuses += session->magic != SESSION_MAGIC;
		stand_in.counts.live_sessions--;
		session->magic = 0;
	}
	stand_in_unlock();
	return status;
}

int32_t cpaDcRemoveSession(qat_instance instance, struct session *session)
{
	(void)instance;
	return end_session(session);
}

int32_t cpaCySymRemoveSession(qat_instance instance, struct session *session)
{
	(void)instance;
	return end_session(session);
}
