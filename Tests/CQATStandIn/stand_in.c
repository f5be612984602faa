/* Control, the device's memory, starting and stopping. */
#define _GNU_SOURCE
#include "stand_in.h"

#include <fcntl.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

const char *qat_standin_marker = "stand-in";

struct stand_in stand_in = {
	.plan = {
		.is_available = 1, .dc_instances = 1, .sym_instances = 1, .depth = 4,
		.has_decompression = 1, .has_verify = 1, .has_recovery = 1, .has_gcm = 1,
	},
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

void stand_in_lock(void)
{
	pthread_mutex_lock(&lock);
}

void stand_in_unlock(void)
{
	pthread_mutex_unlock(&lock);
}

#define FIELD(type, field) { #field, offsetof(struct type, field) }

struct field {
	const char *name;
	size_t offset;
};

static const struct field plan_fields[] = {
	FIELD(stand_in_plan, is_available), FIELD(stand_in_plan, start_status),
	FIELD(stand_in_plan, dc_instances), FIELD(stand_in_plan, sym_instances),
	FIELD(stand_in_plan, depth), FIELD(stand_in_plan, is_down),
	FIELD(stand_in_plan, has_decompression), FIELD(stand_in_plan, has_verify),
	FIELD(stand_in_plan, has_recovery), FIELD(stand_in_plan, has_gcm),
	FIELD(stand_in_plan, intermediate), FIELD(stand_in_plan, is_out_of_order),
	FIELD(stand_in_plan, fault), FIELD(stand_in_plan, fault_after),
	FIELD(stand_in_plan, fault_count), FIELD(stand_in_plan, stalled_requests), { NULL, 0 },
};

static const struct field count_fields[] = {
	FIELD(stand_in_counts, descriptor), FIELD(stand_in_counts, starts),
	FIELD(stand_in_counts, stops),
	FIELD(stand_in_counts, requests), FIELD(stand_in_counts, retries),
	FIELD(stand_in_counts, answers), FIELD(stand_in_counts, polls),
	FIELD(stand_in_counts, idle_polls), FIELD(stand_in_counts, live_sessions),
	FIELD(stand_in_counts, live_instances), FIELD(stand_in_counts, live_memory),
	FIELD(stand_in_counts, foreign_pointers), FIELD(stand_in_counts, freed_in_flight),
	FIELD(stand_in_counts, nested_polls), FIELD(stand_in_counts, unverified),
	FIELD(stand_in_counts, misuses), FIELD(stand_in_counts, kept_secrets), { NULL, 0 },
};

static uint32_t *find(const struct field *fields, void *start, const char *name)
{
	while (fields->name && strcmp(fields->name, name) != 0)
		fields++;
	if (!fields->name)
		abort();
	return (uint32_t *)(void *)((char *)start + fields->offset);
}

void stand_in_set(const char *name, uint32_t value)
{
	stand_in_lock();
	*find(plan_fields, &stand_in.plan, name) = value;
	stand_in_unlock();
}

uint32_t stand_in_get(const char *name)
{
	stand_in_lock();
	uint32_t value = *find(count_fields, &stand_in.counts, name);
	stand_in_unlock();
	return value;
}

void stand_in_notify(uint32_t event)
{
	stand_in_lock();
	stand_in.pending_event = event;
	stand_in.has_event = true;
	stand_in_unlock();
}

uint32_t stand_in_next_fault(void)
{
	struct stand_in_plan *plan = &stand_in.plan;
	if (plan->fault == STAND_IN_NO_FAULT || plan->fault_count == 0)
		return STAND_IN_NO_FAULT;
	if (plan->fault_after > 0) {
		plan->fault_after--;
		return STAND_IN_NO_FAULT;
	}
	plan->fault_count--;
	return plan->fault;
}

/* Memory */

#define MEMORY_MAX 256

static struct {
	char *address;
	size_t size;
} memory[MEMORY_MAX];

void stand_in_touch(const void *address, size_t size)
{
	const char *start = address;
	for (int index = 0; index < MEMORY_MAX; index++) {
		if (memory[index].address && start >= memory[index].address
			&& start + size <= memory[index].address + memory[index].size)
			return;
	}
	stand_in.counts.foreign_pointers++;
}

void *qaeMemAllocNUMA(size_t size, int node, size_t alignment)
{
	void *address = NULL;
	(void)node;
	/* As where the memory lies in huge pages. */
	if (size == 0 || size > 2 << 20 || posix_memalign(&address, alignment, size) != 0)
		return NULL;
	memset(address, 0xa5, size);
	stand_in_lock();
	for (int index = 0; index < MEMORY_MAX; index++) {
		if (!memory[index].address) {
			memory[index].address = address;
			memory[index].size = size;
			stand_in.counts.live_memory++;
			stand_in_unlock();
			return address;
		}
	}
	stand_in_unlock();
	free(address);
	return NULL;
}

void qaeMemFreeNUMA(void **address)
{
	stand_in_lock();
	for (int index = 0; index < MEMORY_MAX; index++) {
		if (memory[index].address != *address)
			continue;
		stand_in.counts.kept_secrets += stand_in.has_secret
			&& memmem(memory[index].address, memory[index].size, stand_in.secret,
				sizeof stand_in.secret) != NULL;
		/* Counted, and kept, so that a test ends with a number, not with a crash. */
		if (stand_in_is_in_flight(memory[index].address, memory[index].size)) {
			stand_in.counts.freed_in_flight++;
		} else {
			free(memory[index].address);
		}
		memory[index].address = NULL;
		stand_in.counts.live_memory--;
		*address = NULL;
		stand_in_unlock();
		return;
	}
	stand_in.counts.foreign_pointers++;
	stand_in_unlock();
}

uint64_t qaeVirtToPhysNUMA(void *address)
{
	return (uint64_t)(uintptr_t)address;
}

/* The process */

uint32_t icp_sal_userIsQatAvailable(void)
{
	stand_in_lock();
	uint32_t is_available = stand_in.plan.is_available;
	stand_in_unlock();
	return is_available;
}

int32_t icp_sal_userStart(const char *section)
{
	(void)section;
	stand_in_lock();
	int32_t status = (int32_t)stand_in.plan.start_status;
	stand_in.counts.starts++;
	/* As the library does: left open for every program that is executed later. */
	if (status == QAT_SUCCESS)
		stand_in.counts.descriptor = (uint32_t)open("/dev/null", O_RDONLY);
	if (status == QAT_SUCCESS) {
		stand_in.counts.misuses += stand_in.is_running;
		stand_in.is_running = true;
		for (int index = 0; index < INSTANCES_MAX; index++) {
			bool is_dc = index < INSTANCES_MAX / 2;
			stand_in.instances[index].service = is_dc ? 1 : QAT_SERVICE_SYMMETRIC;
		}
	}
	stand_in_unlock();
	return status;
}

int32_t icp_sal_userStop(void)
{
	stand_in_lock();
	stand_in.counts.stops++;
	/* All that was begun has to be ended first. */
	stand_in.counts.misuses += !stand_in.is_running;
	stand_in.counts.misuses += stand_in.counts.live_instances + stand_in.counts.live_sessions;
	stand_in.is_running = false;
	close((int)stand_in.counts.descriptor);
	stand_in_unlock();
	return QAT_SUCCESS;
}

int32_t icp_sal_poll_device_events(void)
{
	struct instance told[INSTANCES_MAX];
	stand_in_lock();
	bool has_event = stand_in.has_event;
	uint32_t event = stand_in.pending_event;
	stand_in.has_event = false;
	memcpy(told, stand_in.instances, sizeof told);
	stand_in_unlock();
	for (int index = 0; has_event && index < INSTANCES_MAX; index++) {
		if (told[index].notification)
			told[index].notification(
				&stand_in.instances[index], told[index].notification_tag, event);
	}
	return QAT_SUCCESS;
}
