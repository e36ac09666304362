#ifndef CHTTP_SERVE_H
#define CHTTP_SERVE_H

#include <stddef.h>

// Serves HTTP by libmicrohttpd, on one thread. Loaded at the first use, as libcurl is. What is answered is decided in Swift.

// Loads libmicrohttpd. NULL when it is there, or else what could not be loaded.
const char *chttp_serve_load(void);

typedef struct chttp_server chttp_server;

// One request, for as long as the call to chttp_answer lasts.
typedef struct chttp_exchange chttp_exchange;

// Answers a request by one chttp_respond; a request that it does not answer is cut off. No body is read.
typedef void (*chttp_answer)(void *context, chttp_exchange *exchange, const char *method, const char *path);

// Queues an answer. The texts and the body are copied. `type` is its Content-Type.
void chttp_respond(chttp_exchange *exchange, int status, const char *type, const void *body, size_t count);

// Serves what connects to a listening socket, on a thread of that name, which calls `answer`. The socket is the server's from now
// on. NULL when it cannot; the socket is the caller's then.
chttp_server *chttp_server_start(int listening, const char *thread, chttp_answer answer, void *context);

// Ends the thread and all connections, and waits for that.
void chttp_server_stop(chttp_server *server);

#endif
