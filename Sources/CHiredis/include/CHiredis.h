#ifndef CHIREDIS_H
#define CHIREDIS_H

#include <hiredis/hiredis.h>

#include "CHiredisTLS.h"

// Only what Swift cannot call or should not see; no logic. The layout of redisContext differs between hiredis 0.14 and
// 1.x, so its fields are read here, where the installed header decides, and never in Swift.

// REDIS_ERR_IO, REDIS_ERR_EOF, ... or 0. Here because the field's offset is not the same in every hiredis.
int chiredis_error(const redisContext *context);

// The error in words, valid until the context is freed. Here because Swift sees a C array as a tuple.
const char *chiredis_error_text(const redisContext *context);

// The socket, for its options and for shutdown(2) from another thread. Here because redisFD is a 1.x idea of `fd`.
int chiredis_descriptor(const redisContext *context);

#endif
