#ifndef FOOTING_CPUID_H
#define FOOTING_CPUID_H

#include <stdint.h>

/* One CPUID leaf: registers[0..3] become eax, ebx, ecx, edx. Returns 0, or -ENOSYS where the CPU
 * has no such instruction (anything but x86-64). The leaf is not bounded here: the caller compares
 * with the maximum that leaf 0, 0x40000000 or 0x80000000 reports. */
int footing_cpuid(uint32_t leaf, uint32_t subleaf, uint32_t registers[4]);

#endif
