#include "footing_cpuid.h"

#include <errno.h>
#if defined(__x86_64__)
#include <cpuid.h>
#endif

int footing_cpuid(uint32_t leaf, uint32_t subleaf, uint32_t registers[4])
{
#if defined(__x86_64__)
	__cpuid_count(leaf, subleaf, registers[0], registers[1], registers[2], registers[3]);
	return 0;
#else
	(void)leaf;
	(void)subleaf;
	(void)registers;
	return -ENOSYS;
#endif
}
