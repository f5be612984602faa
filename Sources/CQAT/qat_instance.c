#include "cqat.h"

#include <stdbool.h>
#include <string.h>

static int32_t describe_compression(const struct qat_functions *functions, qat_instance instance,
	struct qat_description *description)
{
	struct qat_dc_capabilities able;
	memset(&able, 0, sizeof able);
	int32_t status = functions->dc_capabilities(instance, &able);
	if (status == QAT_SUCCESS)
		status = functions->dc_intermediate_count(instance, &description->intermediate);
	if (status == QAT_SUCCESS)
		status = functions->dc_meta_size(instance, 1, &description->meta_size);
	description->is_able = able.deflate_compression && able.verify;
	description->decompresses = able.deflate_decompression;
	description->recovers = able.verify_and_recover;
	description->huffman = able.dynamic_huffman ? QAT_HUFFMAN_DYNAMIC : QAT_HUFFMAN_STATIC;
	return status;
}

static int32_t describe_encryption(const struct qat_functions *functions, qat_instance instance,
	struct qat_description *description)
{
	struct qat_sym_capabilities able;
	memset(&able, 0, sizeof able);
	int32_t status = functions->sym_capabilities(instance, &able);
	if (status == QAT_SUCCESS)
		status = functions->cy_meta_size(instance, 1, &description->meta_size);
	description->is_able = able.ciphers >> QAT_CIPHER_AES_GCM & 1;
	return status;
}

int32_t qat_describe(const struct qat_functions *functions, qat_instance instance,
	uint32_t service, struct qat_description *description)
{
	bool is_cipher = service == QAT_SERVICE_SYMMETRIC;
	struct qat_instance_information information;
	memset(&information, 0, sizeof information);
	memset(description, 0, sizeof *description);
	int32_t status = is_cipher ? functions->cy_information(instance, &information)
		: functions->dc_information(instance, &information);
	memcpy(description->name, information.name, sizeof description->name);
	description->name[sizeof description->name - 1] = 0;
	description->node = (int32_t)information.node;
	description->is_up = information.state == QAT_STATE_UP;
	description->is_polled = information.is_polled;
	if (status != QAT_SUCCESS)
		return status;
	return is_cipher ? describe_encryption(functions, instance, description)
		: describe_compression(functions, instance, description);
}

int32_t qat_start(const struct qat_functions *functions, qat_instance instance, uint32_t service)
{
	int32_t status;
	if (service == QAT_SERVICE_SYMMETRIC) {
		status = functions->cy_translate(instance, functions->memory_address);
		return status == QAT_SUCCESS ? functions->cy_start(instance) : status;
	}
	status = functions->dc_translate(instance, functions->memory_address);
	return status == QAT_SUCCESS ? functions->dc_start(instance, 0, NULL) : status;
}

int32_t qat_listen(const struct qat_functions *functions, qat_instance instance, uint32_t service,
	qat_notification notification, void *tag)
{
	int32_t (*notify)(qat_instance, qat_notification, void *) =
		service == QAT_SERVICE_SYMMETRIC ? functions->cy_notify : functions->dc_notify;
	return notify && functions->poll_events ? notify(instance, notification, tag) : QAT_FAIL;
}

int32_t qat_stop(const struct qat_functions *functions, qat_instance instance, uint32_t service)
{
	return service == QAT_SERVICE_SYMMETRIC
		? functions->cy_stop(instance) : functions->dc_stop(instance);
}

int32_t qat_poll(const struct qat_functions *functions, qat_instance instance, uint32_t service)
{
	return service == QAT_SERVICE_SYMMETRIC
		? functions->sym_poll(instance, 0) : functions->dc_poll(instance, 0);
}
