/* The plugin for nbdkit: what C asks of Swift, and what Swift asks of nbdkit.
 *
 * nbdkit's own header stays out of it: it has variadic functions and a struct that only C can fill.
 */
#ifndef CNBDKIT_H
#define CNBDKIT_H

#include <stdbool.h>
#include <stdint.h>

#pragma clang assume_nonnull begin

struct nbdkit_exports;
struct nbdkit_extents;

/* Implemented in Swift. Who returns an int gives 0 or -errno, and has told nbdkit the reason. The
 * texts live as long as the process. */

const char *footing_plugin_version(void);
/* A line for each parameter. */
const char *footing_plugin_help(void);
/* Lines of name=value. */
const char *footing_plugin_facts(void);

int footing_plugin_configure(const char *key, const char *value);
int footing_plugin_configured(void);
/* Opens and recovers the disk, without a thread. */
int footing_plugin_open(void);
/* Starts the disk's threads. */
int footing_plugin_start(void);
/* Makes everything durable and marks the container clean. */
void footing_plugin_close(void);

/* The name of the export for who asks for none. */
const char *footing_plugin_export(void);
/* Adds all exports. */
int footing_plugin_exports(struct nbdkit_exports *exports);
/* A connection to the export of that name; NULL if there is none. */
void *_Nullable footing_plugin_connect(const char *name);
void footing_plugin_disconnect(void *connection);
/* NULL where there is no memory for it. */
const char *_Nullable footing_plugin_description(void *connection);

int64_t footing_plugin_size(void *connection);
bool footing_plugin_is_read_only(void *connection);
int footing_plugin_read(void *connection, void *buffer, uint32_t count, uint64_t offset);
int footing_plugin_write(void *connection, const void *buffer, uint32_t count, uint64_t offset,
	bool is_durable);
int footing_plugin_zero(void *connection, uint32_t count, uint64_t offset, bool keeps_space,
	bool must_be_fast, bool is_durable);
int footing_plugin_trim(void *connection, uint32_t count, uint64_t offset, bool is_durable);
int footing_plugin_cache(void *connection, uint32_t count, uint64_t offset);
int footing_plugin_flush(void *connection);
int footing_plugin_extents(void *connection, uint32_t count, uint64_t offset, bool one_is_enough,
	struct nbdkit_extents *extents);

/* Implemented by nbdkit, in a form that Swift can call. */

/* An error for people. */
void footing_nbdkit_error(const char *text);
/* A line that `nbdkit -v` shows. */
void footing_nbdkit_debug(const char *text);
/* The name of a filter in this process that may take all exports for one disk that only its clients
 * change; NULL if there is none. nbdkit has loaded all of them by when it opens the disk. */
const char *_Nullable footing_nbdkit_keeping_filter(void);
/* A copy that nbdkit frees when the connection ends of which a call is being made; NULL where there
 * is no memory for it. */
const char *_Nullable footing_nbdkit_keep(const char *text);
/* An export that clients may ask for; 0 or -errno. */
int footing_nbdkit_add_export(struct nbdkit_exports *exports, const char *name,
	const char *description);
/* A run of bytes that holds data, or else is a hole that reads as zeros; 0 or -errno. */
int footing_nbdkit_add_extent(struct nbdkit_extents *extents, uint64_t offset, uint64_t count,
	bool holds_data);

#pragma clang assume_nonnull end

#endif
