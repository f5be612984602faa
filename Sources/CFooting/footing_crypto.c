#include "footing_crypto.h"

/* libcrypto asks the processor some twenty questions before main(), each of which is a trip to the
 * hypervisor in a virtual machine: 50 us of a start of 1500, also where nothing is encrypted. Its
 * function cannot be left out of a static program, but replaced: Scripts/release.sh links with
 * --wrap=OPENSSL_cpuid_setup, which makes calls of it calls of the function below, and its own name
 * __real_OPENSSL_cpuid_setup. Where a program is linked otherwise, nothing calls what is here. */
extern void __real_OPENSSL_cpuid_setup(void) __attribute__((weak));
void __wrap_OPENSSL_cpuid_setup(void);

static int is_wanted;

void __wrap_OPENSSL_cpuid_setup(void)
{
	if (is_wanted && __real_OPENSSL_cpuid_setup)
		__real_OPENSSL_cpuid_setup();
}

void footing_crypto_setup(void)
{
	is_wanted = 1;
	__wrap_OPENSSL_cpuid_setup();
}
