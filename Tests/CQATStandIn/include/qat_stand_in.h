#ifndef QAT_STAND_IN_H
#define QAT_STAND_IN_H

#include <stdint.h>

/* A stand-in for libqat.so.4 and libusdm.so.0 in one library, for tests only: it has their
 * functions and layouts, and does the work with zlib and OpenSSL. It is not named as they are, it
 * exports a marker (qat_standin_marker), and only a test can load it. Nothing that it shows is a
 * property of hardware.
 *
 * What it is strict about: a request is only queued when it is handed over, and a full queue says
 * RETRY; work is done and answers are given only inside a poll, on the polling thread; what a
 * device would touch must lie in memory taken from it, and not be given back before the answer. */

/* What goes wrong with a request. */
enum stand_in_fault {
	STAND_IN_NO_FAULT,
	STAND_IN_OVERFLOW,
	STAND_IN_VERIFY_ERROR,
	STAND_IN_RESTARTING,    /* refused when it is handed over */
	STAND_IN_FAILED,        /* answered with FAIL */
	STAND_IN_LOST,          /* never answered */
	STAND_IN_LATE,          /* answered after stand_in_release */
	STAND_IN_CORRUPT,       /* one bit of the output is wrong */
	STAND_IN_WRONG_DIGEST,  /* one bit of the tag is wrong, or a good one is refused */
	STAND_IN_SHORT,         /* says it produced less than it did */
};

struct stand_in_plan {
	uint32_t is_available;
	uint32_t start_status;        /* a CpaStatus */
	uint32_t dc_instances;
	uint32_t sym_instances;
	uint32_t depth;
	uint32_t is_down;             /* instances say that they are not up */
	uint32_t has_decompression;
	uint32_t has_verify;
	uint32_t has_recovery;        /* compress, verify and recover: not before QAT 6 */
	uint32_t has_gcm;
	uint32_t intermediate;        /* buffers that an old generation wants */
	uint32_t is_out_of_order;
	uint32_t fault;
	uint32_t fault_after;         /* requests that go well first */
	uint32_t fault_count;
	uint32_t stalled_requests;    /* no answers before so many more came in */
};

struct stand_in_counts {
	uint32_t starts, stops, descriptor;
	uint32_t requests, retries, answers, polls, idle_polls;
	uint32_t live_sessions, live_instances, live_memory;
	/* Mistakes of the caller. */
	uint32_t foreign_pointers, freed_in_flight, nested_polls, unverified, misuses, kept_secrets;
};

/* By name, so that who loads it needs no header: sets a field of the plan, or reads a field of the
 * counts; an unknown name ends the process. */
void stand_in_set(const char *field, uint32_t value);
uint32_t stand_in_get(const char *field);
/* Late answers come with the next poll. */
void stand_in_release(void);
/* Tells those who asked of an event, at their next poll for events. */
void stand_in_notify(uint32_t event);

#endif
