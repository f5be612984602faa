/* The C half of Footing: what Swift cannot express (instructions, variadic and unexported system
 * calls). Every function is prefixed footing_; every fallible one returns a negative errno. */
#ifndef CFOOTING_H
#define CFOOTING_H

#include "footing_checksum.h"
#include "footing_cpuid.h"
#include "footing_crypto.h"
#include "footing_file.h"
#include "footing_memory.h"
#include "footing_ring.h"
#include "footing_secret.h"
#include "footing_socket.h"
#include "footing_unfinished.h"
#include "footing_watch.h"
#include "footing_process.h"

#endif
