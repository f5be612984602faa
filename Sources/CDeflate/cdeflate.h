/* libdeflate (Debian: libdeflate-dev), for blocks that are compressed once and kept. */
#include <libdeflate.h>
