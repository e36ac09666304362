#include "CHiredis.h"

int chiredis_error(const redisContext *context) { return context->err; }

const char *chiredis_error_text(const redisContext *context) { return context->errstr; }

int chiredis_descriptor(const redisContext *context) { return context->fd; }
