/* The plugin as nbdkit sees it; nbdkit-plugin(3). The rest is in the module FootingNBDKit. */
#define _GNU_SOURCE
#define NBDKIT_API_VERSION 2
#include <nbdkit-plugin.h>

#include <link.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "CNBDKit.h"

#define THREAD_MODEL NBDKIT_THREAD_MODEL_PARALLEL

/* What a client may send in one request, as `footing serve` has it. */
#define REQUEST_BYTES_MAX (32u << 20)

/* Turns 0 or -errno into what nbdkit wants. */
static int answer(int result)
{
	if (result == 0)
		return 0;
	nbdkit_set_error(-result);
	return -1;
}

void footing_nbdkit_error(const char *text)
{
	nbdkit_error("%s", text);
}

void footing_nbdkit_debug(const char *text)
{
	nbdkit_debug("%s", text);
}

/* Filters that hold neither bytes nor sizes of an export longer than its connection, and do not end
 * that behind the client's back. Any other may take all exports for one, or a disk for what it was:
 * cache and cow know blocks by their number alone, gzip and tar keep one size, retry reconnects. */
static const char *const plain_filters[] = {
	"blocksize", "blocksize-policy", "checkwrite", "count", "delay", "error", "exitlast",
	"exitwhen", "exportname", "fua", "ip", "limit", "log", "multi-conn", "nocache",
	"noextents", "nofilter", "noparallel", "nozero", "offset", "partition", "pause", "protect",
	"rate", "retry-request", "stats", "swab", "tls-fallback", "truncate",
};

static bool is_plain(const char *name)
{
	for (size_t index = 0; index < sizeof plain_filters / sizeof *plain_filters; index++)
		if (strcmp(name, plain_filters[index]) == 0)
			return true;
	return false;
}

/* The name of the filter that was found first. */
static char keeping_filter[64];

/* Called for each library in the process, until it returns another number than 0. */
static int find_keeper(struct dl_phdr_info *library, size_t size, void *unused)
{
	static const char before[] = "nbdkit-", after[] = "-filter.so";
	const char *slash = strrchr(library->dlpi_name, '/');
	const char *file = slash ? slash + 1 : library->dlpi_name;
	size_t around = sizeof before + sizeof after - 2, length = strlen(file);

	(void)size;
	(void)unused;
	if (length <= around || strncmp(file, before, sizeof before - 1) != 0
	    || strcmp(file + length - (sizeof after - 1), after) != 0)
		return 0;
	snprintf(keeping_filter, sizeof keeping_filter, "%.*s", (int)(length - around),
		file + sizeof before - 1);
	return !is_plain(keeping_filter);
}

const char *footing_nbdkit_keeping_filter(void)
{
	return dl_iterate_phdr(find_keeper, NULL) ? keeping_filter : NULL;
}

/* nbdkit's functions need not say why they failed. */
static int refusal(void)
{
	return errno > 0 ? -errno : -EIO;
}

const char *footing_nbdkit_keep(const char *text)
{
	return nbdkit_strdup_intern(text);
}

int footing_nbdkit_add_export(struct nbdkit_exports *exports, const char *name,
	const char *description)
{
	return nbdkit_add_export(exports, name, description) < 0 ? refusal() : 0;
}

int footing_nbdkit_add_extent(struct nbdkit_extents *extents, uint64_t offset, uint64_t count,
	bool holds_data)
{
	uint32_t type = holds_data ? 0 : NBDKIT_EXTENT_HOLE | NBDKIT_EXTENT_ZERO;
	return nbdkit_add_extent(extents, offset, count, type) < 0 ? refusal() : 0;
}

/* The life of the process. */

static void plugin_dump(void)
{
	fputs(footing_plugin_facts(), stdout);
}

static int plugin_config(const char *key, const char *value)
{
	return answer(footing_plugin_configure(key, value));
}

static int plugin_config_complete(void)
{
	return answer(footing_plugin_configured());
}

static int plugin_get_ready(void)
{
	return answer(footing_plugin_open());
}

/* nbdkit has become a daemon, where it does: threads that are started now stay. */
static int plugin_after_fork(void)
{
	/* Signals are for nbdkit's own threads. */
	sigset_t all, before;
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	int result = footing_plugin_start();
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	return answer(result);
}

static void plugin_cleanup(void)
{
	footing_plugin_close();
}

/* Exports and connections. */

static const char *plugin_default_export(int is_read_only, int is_tls)
{
	(void)is_read_only;
	(void)is_tls;
	return footing_plugin_export();
}

static int plugin_list_exports(int is_read_only, int is_tls, struct nbdkit_exports *exports)
{
	(void)is_read_only;
	(void)is_tls;
	return answer(footing_plugin_exports(exports));
}

static void *plugin_open(int is_read_only)
{
	/* None where a filter connects on its own behalf. */
	const char *name = nbdkit_export_name();

	(void)is_read_only;
	return name ? footing_plugin_connect(name) : NULL;
}

static void plugin_close(void *connection)
{
	footing_plugin_disconnect(connection);
}

static const char *plugin_description(void *connection)
{
	return footing_plugin_description(connection);
}

static int64_t plugin_size(void *connection)
{
	return footing_plugin_size(connection);
}

static int plugin_block_size(void *connection, uint32_t *least, uint32_t *best, uint32_t *most)
{
	(void)connection;
	*least = 512;
	*best = 4096;
	*most = REQUEST_BYTES_MAX;
	return 0;
}

static int plugin_can_write(void *connection)
{
	return !footing_plugin_is_read_only(connection);
}

static int plugin_can(void *connection)
{
	(void)connection;
	return 1;
}

static int plugin_is_rotational(void *connection)
{
	(void)connection;
	return 0;
}

static int plugin_can_fua(void *connection)
{
	(void)connection;
	return NBDKIT_FUA_NATIVE;
}

static int plugin_can_cache(void *connection)
{
	(void)connection;
	return NBDKIT_CACHE_NATIVE;
}

/* Requests. */

static int plugin_pread(void *connection, void *buffer, uint32_t count, uint64_t offset,
	uint32_t flags)
{
	(void)flags;
	return answer(footing_plugin_read(connection, buffer, count, offset));
}

static int plugin_pwrite(void *connection, const void *buffer, uint32_t count, uint64_t offset,
	uint32_t flags)
{
	return answer(footing_plugin_write(connection, buffer, count, offset,
		flags & NBDKIT_FLAG_FUA));
}

static int plugin_zero(void *connection, uint32_t count, uint64_t offset, uint32_t flags)
{
	return answer(footing_plugin_zero(connection, count, offset,
		!(flags & NBDKIT_FLAG_MAY_TRIM), flags & NBDKIT_FLAG_FAST_ZERO,
		flags & NBDKIT_FLAG_FUA));
}

static int plugin_trim(void *connection, uint32_t count, uint64_t offset, uint32_t flags)
{
	return answer(footing_plugin_trim(connection, count, offset, flags & NBDKIT_FLAG_FUA));
}

static int plugin_flush(void *connection, uint32_t flags)
{
	(void)flags;
	return answer(footing_plugin_flush(connection));
}

static int plugin_cache(void *connection, uint32_t count, uint64_t offset, uint32_t flags)
{
	(void)flags;
	return answer(footing_plugin_cache(connection, count, offset));
}

static int plugin_extents(void *connection, uint32_t count, uint64_t offset, uint32_t flags,
	struct nbdkit_extents *extents)
{
	return answer(footing_plugin_extents(connection, count, offset, flags & NBDKIT_FLAG_REQ_ONE,
		extents));
}

static struct nbdkit_plugin plugin = {
	.name = "footing",
	.longname = "Footing disk",
	.description = "Serves a crash-safe disk in one file or block device.",
	.magic_config_key = "disk",
	.errno_is_preserved = 0,
	.dump_plugin = plugin_dump,
	.config = plugin_config,
	.config_complete = plugin_config_complete,
	.get_ready = plugin_get_ready,
	.after_fork = plugin_after_fork,
	.cleanup = plugin_cleanup,
	.default_export = plugin_default_export,
	.list_exports = plugin_list_exports,
	.export_description = plugin_description,
	.open = plugin_open,
	.close = plugin_close,
	.get_size = plugin_size,
	.block_size = plugin_block_size,
	.can_write = plugin_can_write,
	.can_flush = plugin_can,
	.can_trim = plugin_can,
	.can_zero = plugin_can,
	.can_fast_zero = plugin_can,
	.can_extents = plugin_can,
	.can_multi_conn = plugin_can,
	.can_fua = plugin_can_fua,
	.can_cache = plugin_can_cache,
	.is_rotational = plugin_is_rotational,
	.pread = plugin_pread,
	.pwrite = plugin_pwrite,
	.zero = plugin_zero,
	.trim = plugin_trim,
	.flush = plugin_flush,
	.cache = plugin_cache,
	.extents = plugin_extents,
};

/* The table with the texts that Swift knows: nbdkit copies it before it calls anything in it. */
static struct nbdkit_plugin *table(void)
{
	plugin.version = footing_plugin_version();
	plugin.config_help = footing_plugin_help();
	return &plugin;
}

struct nbdkit_plugin *plugin_init(void);
NBDKIT_REGISTER_PLUGIN(*table())
