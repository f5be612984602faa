/* Requests: queued when they are handed over, done and answered inside a poll. */
#include "stand_in.h"

#include <string.h>

static bool overlaps(const struct work *work, const char *start, const char *end)
{
	const char *places[] = {
		(const char *)work->session, (const char *)work->source->buffers[0].bytes,
		(const char *)work->destination->buffers[0].bytes, (const char *)work->source->meta,
		(const char *)work->destination->meta, (const char *)work->sym.vector,
	};
	for (size_t index = 0; index < sizeof places / sizeof *places; index++) {
		if (places[index] >= start && places[index] < end)
			return true;
	}
	return false;
}

bool stand_in_is_in_flight(const void *address, size_t size)
{
	const char *start = address;
	for (uint32_t index = 0; index < stand_in.held_count; index++) {
		if (overlaps(&stand_in.held[index], start, start + size))
			return true;
	}
	for (int number = 0; number < INSTANCES_MAX; number++) {
		const struct instance *instance = &stand_in.instances[number];
		for (uint32_t index = 0; index < instance->count; index++) {
			if (overlaps(&instance->queue[index], start, start + size))
				return true;
		}
	}
	return false;
}

static void touch_list(const struct qat_buffer_list *list)
{
	stand_in.counts.misuses += list->buffer_count != 1;
	stand_in_touch(list->meta, 80);
	stand_in_touch(list->buffers[0].bytes, list->buffers[0].byte_count);
}

static int32_t submit(struct instance *instance, struct work work)
{
	int32_t status = QAT_SUCCESS;
	stand_in_lock();
	if (stand_in.plan.stalled_requests > 0)
		stand_in.plan.stalled_requests--;
	if (instance->count >= stand_in.plan.depth || instance->count >= QUEUE_MAX) {
		stand_in.counts.retries++;
		status = QAT_RETRY;
	} else if ((work.fault = stand_in_next_fault()) == STAND_IN_RESTARTING) {
		status = QAT_RESTARTING;
	} else {
		stand_in.counts.misuses += !instance->is_started;
		stand_in.counts.misuses += work.session->magic != SESSION_MAGIC;
		stand_in_touch(work.session, sizeof *work.session);
		touch_list(work.source);
		touch_list(work.destination);
		stand_in.counts.requests++;
		work.session->in_flight++;
		instance->queue[instance->count++] = work;
	}
	stand_in_unlock();
	return status;
}

static int32_t submit_dc(struct instance *instance, struct work work,
	const struct qat_dc_operation *operation)
{
	stand_in_lock();
	stand_in.counts.unverified += !work.is_decompression && !operation->verify;
	bool is_refused = operation->flush != QAT_FLUSH_FINAL
		|| (operation->verify_and_recover && !stand_in.plan.has_recovery);
	stand_in_unlock();
	return is_refused ? QAT_FAIL : submit(instance, work);
}

int32_t cpaDcCompressData2(struct instance *instance, struct session *session,
	struct qat_buffer_list *source, struct qat_buffer_list *destination,
	struct qat_dc_operation *operation, struct qat_dc_results *results, void *tag)
{
	struct work work = {
		.session = session, .source = source, .destination = destination,
		.results = results, .tag = tag,
	};
	return submit_dc(instance, work, operation);
}

int32_t cpaDcDecompressData2(struct instance *instance, struct session *session,
	struct qat_buffer_list *source, struct qat_buffer_list *destination,
	struct qat_dc_operation *operation, struct qat_dc_results *results, void *tag)
{
	struct work work = {
		.session = session, .source = source, .destination = destination,
		.results = results, .is_decompression = true, .tag = tag,
	};
	return submit_dc(instance, work, operation);
}

int32_t cpaCySymPerformOp(struct instance *instance, void *tag,
	const struct qat_sym_operation *operation, const struct qat_buffer_list *source,
	struct qat_buffer_list *destination, uint32_t *verified)
{
	struct work work = {
		.session = operation->session, .source = (struct qat_buffer_list *)source,
		.destination = destination, .sym = *operation, .tag = tag,
	};
	(void)verified;
	stand_in_lock();
	stand_in_touch(operation->vector, 16);
	stand_in_touch(operation->associated, 16);
	stand_in_unlock();
	return submit(instance, work);
}

/* The next work to be answered, or false. */
static bool take(struct instance *instance, struct work *work)
{
	while (instance->count > 0) {
		uint32_t index = stand_in.plan.is_out_of_order ? instance->count - 1 : 0;
		*work = instance->queue[index];
		instance->count--;
		memmove(&instance->queue[index], &instance->queue[index + 1],
			(instance->count - index) * sizeof *work);
		if (work->fault != STAND_IN_LOST && work->fault != STAND_IN_LATE)
			return true;
		if (stand_in.held_count < QUEUE_MAX)
			stand_in.held[stand_in.held_count++] = *work;
	}
	return false;
}

static void answer(struct work *work)
{
	uint32_t verified = 0;
	bool is_cipher = work->session->is_cipher;
	qat_dc_callback dc_callback = work->session->dc_callback;
	qat_sym_callback sym_callback = work->session->sym_callback;
	int32_t status = work->fault == STAND_IN_FAILED ? QAT_FAIL
		: is_cipher ? stand_in_cipher(work, &verified) : stand_in_compress(work);
	stand_in_lock();
	work->session->in_flight--;
	stand_in.counts.answers++;
	stand_in_unlock();
	if (is_cipher)
		sym_callback(
			work->tag, status, QAT_OPERATION_CHAIN, NULL, work->destination, verified);
	else
		dc_callback(work->tag, status);
}

static int32_t poll(struct instance *instance, uint32_t quota)
{
	struct work work;
	uint32_t answered = 0;
	stand_in_lock();
	stand_in.counts.nested_polls += instance->is_polling;
	instance->is_polling = true;
	stand_in.counts.polls++;
	while (stand_in.plan.stalled_requests == 0 && (quota == 0 || answered < quota)
		&& take(instance, &work)) {
		stand_in_unlock();
		answer(&work);
		answered++;
		stand_in_lock();
	}
	stand_in.counts.idle_polls += answered == 0;
	instance->is_polling = false;
	stand_in_unlock();
	return answered > 0 ? QAT_SUCCESS : QAT_RETRY;
}

int32_t icp_sal_DcPollInstance(struct instance *instance, uint32_t quota)
{
	return poll(instance, quota);
}

int32_t icp_sal_CyPollSymRing(struct instance *instance, uint32_t quota)
{
	return poll(instance, quota);
}

void stand_in_release(void)
{
	stand_in_lock();
	uint32_t kept = 0;
	for (uint32_t index = 0; index < stand_in.held_count; index++) {
		struct work work = stand_in.held[index];
		if (work.fault == STAND_IN_LOST) {
			stand_in.held[kept++] = work;
			continue;
		}
		work.fault = STAND_IN_NO_FAULT;
		int first = work.session->is_cipher ? INSTANCES_MAX / 2 : 0;
		struct instance *instance = &stand_in.instances[first];
		if (instance->count < QUEUE_MAX)
			instance->queue[instance->count++] = work;
	}
	stand_in.held_count = kept;
	stand_in_unlock();
}
