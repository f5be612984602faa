#ifndef FOOTING_CRYPTO_H
#define FOOTING_CRYPTO_H

/* Lets libcrypto find out what the processor can do; before anything else of it is called. */
void footing_crypto_setup(void);

#endif
