#ifndef STAND_IN_H
#define STAND_IN_H

#include <cqat.h>
#include "include/qat_stand_in.h"

#include <stdbool.h>

#define QUEUE_MAX 256
#define INSTANCES_MAX 8

/* What lies at the start of a session's memory. */
struct session {
	uint32_t magic;
	bool is_cipher;
	uint32_t in_flight;
	uint8_t key[32];
	struct qat_dc_setup dc;
	struct qat_sym_setup sym;
	qat_dc_callback dc_callback;
	qat_sym_callback sym_callback;
};

#define SESSION_MAGIC 0x51415453u

struct work {
	struct session *session;
	struct qat_buffer_list *source, *destination;
	bool is_decompression;
	struct qat_dc_results *results;
	struct qat_sym_operation sym;
	void *tag;
	uint32_t fault;
};

struct instance {
	uint32_t service; /* 1 for compression, or QAT_SERVICE_SYMMETRIC */
	bool is_started, has_translation, is_polling;
	struct work queue[QUEUE_MAX];
	uint32_t count;
	qat_notification notification;
	void *notification_tag;
};

/* All of it is guarded by one lock, which callers of these functions hold. */
struct stand_in {
	struct stand_in_plan plan;
	struct stand_in_counts counts;
	struct instance instances[INSTANCES_MAX];
	/* Late and lost work, which the device may still write for. */
	struct work held[QUEUE_MAX];
	uint32_t held_count;
	uint32_t pending_event;
	bool has_event, is_running, has_secret;
	/* The key that was used last: memory that is given back must not hold it. */
	uint8_t secret[32];
};

extern struct stand_in stand_in;
void stand_in_lock(void);
void stand_in_unlock(void);

/* Counts a pointer that the device could not reach. */
void stand_in_touch(const void *address, size_t size);
/* Whether work that was not answered yet refers to this memory. */
bool stand_in_is_in_flight(const void *address, size_t size);
/* Whether the next request goes wrong, and how. */
uint32_t stand_in_next_fault(void);

/* Does what was asked, into its destination; gives the status for the answer. */
int32_t stand_in_compress(struct work *work);
int32_t stand_in_cipher(struct work *work, uint32_t *verified);

#endif
