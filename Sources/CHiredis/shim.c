#define _GNU_SOURCE
#include "CHiredis.h"

#include <pthread.h>

int chiredis_error(const redisContext *context) { return context->err; }

const char *chiredis_error_text(const redisContext *context) { return context->errstr; }

int chiredis_descriptor(const redisContext *context) { return context->fd; }

void chiredis_name_thread(const char *name) { pthread_setname_np(pthread_self(), name); }
