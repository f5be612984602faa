/* OpenSSL's libcrypto (Debian: libssl-dev), for AES-256-GCM, scrypt and HMAC. */
#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/params.h>
#include <openssl/provider.h>
