#define _GNU_SOURCE
#include "cqat.h"

#include <dlfcn.h>
#include <stdio.h>
#include <sys/auxv.h>

#define ENTRY(field, symbol) { offsetof(struct qat_functions, field), symbol }

static const struct entry {
	size_t offset;
	const char *symbol;
} memory_entries[] = {
	ENTRY(memory_take, "qaeMemAllocNUMA"),
	ENTRY(memory_give, "qaeMemFreeNUMA"),
	ENTRY(memory_address, "qaeVirtToPhysNUMA"),
}, driver_entries[] = {
	ENTRY(is_available, "icp_sal_userIsQatAvailable"),
	ENTRY(start, "icp_sal_userStart"),
	ENTRY(stop, "icp_sal_userStop"),
	ENTRY(dc_count, "cpaDcGetNumInstances"),
	ENTRY(dc_instances, "cpaDcGetInstances"),
	ENTRY(dc_information, "cpaDcInstanceGetInfo2"),
	ENTRY(dc_capabilities, "cpaDcQueryCapabilities"),
	ENTRY(dc_translate, "cpaDcSetAddressTranslation"),
	ENTRY(dc_intermediate_count, "cpaDcGetNumIntermediateBuffers"),
	ENTRY(dc_start, "cpaDcStartInstance"),
	ENTRY(dc_stop, "cpaDcStopInstance"),
	ENTRY(dc_meta_size, "cpaDcBufferListGetMetaSize"),
	ENTRY(dc_session_size, "cpaDcGetSessionSize"),
	ENTRY(dc_begin, "cpaDcInitSession"),
	ENTRY(dc_end, "cpaDcRemoveSession"),
	ENTRY(dc_compress, "cpaDcCompressData2"),
	ENTRY(dc_decompress, "cpaDcDecompressData2"),
	ENTRY(dc_bound, "cpaDcDeflateCompressBound"),
	ENTRY(dc_poll, "icp_sal_DcPollInstance"),
	ENTRY(count, "cpaGetNumInstances"),
	ENTRY(instances, "cpaGetInstances"),
	ENTRY(cy_information, "cpaCyInstanceGetInfo2"),
	ENTRY(sym_capabilities, "cpaCySymQueryCapabilities"),
	ENTRY(cy_translate, "cpaCySetAddressTranslation"),
	ENTRY(cy_start, "cpaCyStartInstance"),
	ENTRY(cy_stop, "cpaCyStopInstance"),
	ENTRY(cy_meta_size, "cpaCyBufferListGetMetaSize"),
	ENTRY(sym_session_size, "cpaCySymSessionCtxGetSize"),
	ENTRY(sym_begin, "cpaCySymInitSession"),
	ENTRY(sym_end, "cpaCySymRemoveSession"),
	ENTRY(sym_perform, "cpaCySymPerformOp"),
	ENTRY(sym_poll, "icp_sal_CyPollSymRing"),
}, optional_entries[] = {
	ENTRY(dc_notify, "cpaDcInstanceSetNotificationCb"),
	ENTRY(cy_notify, "cpaCyInstanceSetNotificationCb"),
	ENTRY(poll_events, "icp_sal_poll_device_events"),
};

#define COUNT(entries) (sizeof entries / sizeof *entries)

/* The symbol that is missing, or NULL. */
static const char *fill(void *library, const struct entry *entries, size_t count,
	struct qat_functions *functions)
{
	const char *missing = NULL;
	for (size_t index = 0; index < count; index++) {
		void *address = dlsym(library, entries[index].symbol);
		*(void **)((char *)functions + entries[index].offset) = address;
		if (!address && !missing)
			missing = entries[index].symbol;
	}
	return missing;
}

int qat_load(const char *memory_library, const char *driver_library,
	struct qat_functions *functions, char *problem, size_t problem_size)
{
	const char *missing = NULL;
	const char *reason;
	void *memory = dlopen(memory_library, RTLD_NOW | RTLD_LOCAL);
	void *driver = memory ? dlopen(driver_library, RTLD_NOW | RTLD_LOCAL) : NULL;
	if (!driver) {
		reason = dlerror();
		snprintf(problem, problem_size, "%s", reason ? reason : "cannot be loaded");
		return -1;
	}
	missing = fill(memory, memory_entries, COUNT(memory_entries), functions);
	if (!missing)
		missing = fill(driver, driver_entries, COUNT(driver_entries), functions);
	if (missing) {
		snprintf(problem, problem_size, "it has no %s", missing);
		return -1;
	}
	fill(driver, optional_entries, COUNT(optional_entries), functions);
	functions->is_stand_in = dlsym(driver, "qat_standin_marker") != NULL;
	return 0;
}

int qat_can_load(void)
{
	return getauxval(AT_BASE) != 0;
}
