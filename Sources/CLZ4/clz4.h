/* LZ4 (Debian: liblz4-dev), for blocks that are compressed while somebody waits. */
#include <lz4.h>
