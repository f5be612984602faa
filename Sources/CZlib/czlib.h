/* zlib (Debian: zlib1g-dev), for the compressed form of recordings. */
#include <zlib.h>
