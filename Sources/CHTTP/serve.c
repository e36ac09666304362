#define _GNU_SOURCE
#include "CHTTPServe.h"

#include <dlfcn.h>
#include <poll.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

// --- libmicrohttpd's interface, as far as it is used -------------------------------------------------------------------

// Its numbers and types do not change as long as the library is libmicrohttpd.so.12, so its headers are not needed to build.
// From microhttpd.h of 0.9.75.
struct MHD_Daemon;
struct MHD_Connection;
struct MHD_Response;

enum {
  MHD_NO = 0,
  MHD_YES = 1,

  MHD_USE_EPOLL = 512,

  MHD_OPTION_END = 0,
  MHD_OPTION_CONNECTION_MEMORY_LIMIT = 1,
  MHD_OPTION_CONNECTION_LIMIT = 2,
  MHD_OPTION_CONNECTION_TIMEOUT = 3,
  MHD_OPTION_NOTIFY_COMPLETED = 4,
  MHD_OPTION_LISTEN_SOCKET = 12,
  MHD_OPTION_NOTIFY_CONNECTION = 27,
  MHD_OPTION_STRICT_FOR_CLIENT = 29,

  MHD_CONNECTION_INFO_CONNECTION_FD = 6,
  MHD_CONNECTION_INFO_SOCKET_CONTEXT = 7,
  MHD_DAEMON_INFO_EPOLL_FD = 3,

  MHD_CONNECTION_NOTIFY_STARTED = 0,
  MHD_RESPMEM_MUST_COPY = 2,
};

// The first member of both unions that are returned, as far as they are asked for.
typedef union {
  int descriptor;
  void *socket_context;
} MHD_Info;

typedef int (*MHD_AccessHandler)(
  void *, struct MHD_Connection *, const char *, const char *, const char *, const char *, size_t *, void **
);

#define OF_MICROHTTPD(X) \
  X(struct MHD_Daemon *, MHD_start_daemon, (unsigned, uint16_t, void *, void *, MHD_AccessHandler, void *, ...)) \
  X(void, MHD_stop_daemon, (struct MHD_Daemon *)) \
  X(int, MHD_run, (struct MHD_Daemon *)) \
  X(int, MHD_get_timeout, (struct MHD_Daemon *, unsigned long long *)) \
  X(const MHD_Info *, MHD_get_daemon_info, (struct MHD_Daemon *, int, ...)) \
  X(const MHD_Info *, MHD_get_connection_info, (struct MHD_Connection *, int, ...)) \
  X(struct MHD_Response *, MHD_create_response_from_buffer, (size_t, void *, int)) \
  X(int, MHD_add_response_header, (struct MHD_Response *, const char *, const char *)) \
  X(int, MHD_queue_response, (struct MHD_Connection *, unsigned, struct MHD_Response *)) \
  X(void, MHD_destroy_response, (struct MHD_Response *))

#define POINTER(type, name, parameters) type(*name) parameters;
static struct {
  OF_MICROHTTPD(POINTER)
} mhd;

static const char *absence;
static char absence_text[256];

static void note_absence(const char *name) {
  const char *text = dlerror();
  if (absence) return;
  strncpy(absence_text, text ? text : name, sizeof absence_text - 1);
  absence = absence_text;
}

static void load(void) {
  void *library = dlopen("libmicrohttpd.so.12", RTLD_NOW | RTLD_LOCAL);
  if (!library) {
    note_absence("libmicrohttpd.so.12");
    return;
  }
#define FIND(type, name, parameters) \
  if (!(mhd.name = (type(*) parameters)dlsym(library, #name))) note_absence(#name);
  OF_MICROHTTPD(FIND)
}

const char *chttp_serve_load(void) {
  static pthread_once_t once = PTHREAD_ONCE_INIT;
  pthread_once(&once, load);
  return absence;
}

// --- A server ----------------------------------------------------------------------------------------------------------

// Ours: enough for those who look, and little for those who only hold connections open.
static const unsigned most_connections = 64;
static const size_t most_head = 16 * 1024;
// A connection without a word is closed after so many seconds, by libmicrohttpd; one that drips its request, by us.
static const unsigned patience = 10;

// A connection, in a list of all.
typedef struct connection {
  struct connection *next, *previous;
  int descriptor;
  // Seconds, of the monotonic clock: when it was opened, or its last request was over.
  time_t since;
} connection;

struct chttp_server {
  struct MHD_Daemon *daemon;
  connection connections;
  pthread_t thread;
  int stop;
  chttp_answer answer;
  void *context;
};

struct chttp_exchange {
  struct MHD_Connection *connection;
  bool is_answered;
};

static time_t now(void) {
  struct timespec time;
  clock_gettime(CLOCK_MONOTONIC, &time);
  return time.tv_sec;
}

static void noticed(void *context, struct MHD_Connection *mhd_connection, void **socket_context, int code) {
  chttp_server *server = context;
  connection *it = *socket_context;
  if (code == MHD_CONNECTION_NOTIFY_STARTED) {
    if (!(it = malloc(sizeof *it))) return;
    it->descriptor = mhd.MHD_get_connection_info(mhd_connection, MHD_CONNECTION_INFO_CONNECTION_FD)->descriptor;
    it->since = now();
    it->next = server->connections.next;
    it->previous = &server->connections;
    it->next->previous = it->previous->next = it;
    *socket_context = it;
  } else if (it) {
    it->next->previous = it->previous;
    it->previous->next = it->next;
    free(it);
  }
}

static void completed(void *context, struct MHD_Connection *mhd_connection, void **request, int code) {
  (void)context, (void)request, (void)code;
  const MHD_Info *info = mhd.MHD_get_connection_info(mhd_connection, MHD_CONNECTION_INFO_SOCKET_CONTEXT);
  connection *it = info ? info->socket_context : NULL;
  if (it) it->since = now();
}

// Called as soon as the head of a request is here. It is answered then: libmicrohttpd closes a connection whose body was not read.
static int asked(
  void *context, struct MHD_Connection *connection, const char *path, const char *method, const char *version,
  const char *data, size_t *size, void **request
) {
  (void)version, (void)data, (void)size, (void)request;
  chttp_server *server = context;
  chttp_exchange exchange = {connection, false};
  server->answer(server->context, &exchange, method, path);
  return exchange.is_answered ? MHD_YES : MHD_NO;
}

void chttp_respond(chttp_exchange *exchange, int status, const char *type, const void *body, size_t count) {
  struct MHD_Response *response = mhd.MHD_create_response_from_buffer(count, (void *)body, MHD_RESPMEM_MUST_COPY);
  if (!response) return;
  mhd.MHD_add_response_header(response, "Content-Type", type);
  mhd.MHD_add_response_header(response, "Cache-Control", "no-store");
  mhd.MHD_add_response_header(response, "X-Content-Type-Options", "nosniff");
  exchange->is_answered = mhd.MHD_queue_response(exchange->connection, (unsigned)status, response) == MHD_YES;
  mhd.MHD_destroy_response(response);
}

// Cuts off those that have taken too long for their request.
static void end_slow(chttp_server *server) {
  time_t limit = now() - patience;
  for (connection *it = server->connections.next; it != &server->connections; it = it->next) {
    if (it->since < limit) shutdown(it->descriptor, SHUT_RDWR);
  }
}

static void *run(void *context) {
  chttp_server *server = context;
  int epoll = mhd.MHD_get_daemon_info(server->daemon, MHD_DAEMON_INFO_EPOLL_FD)->descriptor;
  struct pollfd polled[] = {{.fd = epoll, .events = POLLIN}, {.fd = server->stop, .events = POLLIN}};
  bool was_used = false;
  while (!polled[1].revents) {
    bool is_used = server->connections.next != &server->connections;
    unsigned long long timeout = 0;
    // Once more when the last one is gone: at its limit libmicrohttpd listens no more until it is run again.
    int wait = is_used || was_used ? 1000 : -1;
    was_used = is_used;
    if (mhd.MHD_get_timeout(server->daemon, &timeout) == MHD_YES && (wait < 0 || timeout < 1000)) wait = (int)timeout;
    if (poll(polled, 2, wait) < 0) polled[1].revents = 0;
    mhd.MHD_run(server->daemon);
    end_slow(server);
  }
  mhd.MHD_stop_daemon(server->daemon);
  return NULL;
}

chttp_server *chttp_server_start(int listening, const char *thread, chttp_answer answer, void *context) {
  chttp_server *server = calloc(1, sizeof *server);
  if (!server) return NULL;
  server->answer = answer;
  server->context = context;
  server->connections.next = server->connections.previous = &server->connections;
  server->stop = eventfd(0, EFD_CLOEXEC);
  server->daemon = server->stop < 0 ? NULL
                                    : mhd.MHD_start_daemon(
                                        MHD_USE_EPOLL, 0, NULL, NULL, asked, server, MHD_OPTION_LISTEN_SOCKET, listening,
                                        MHD_OPTION_CONNECTION_LIMIT, most_connections,
                                        MHD_OPTION_CONNECTION_MEMORY_LIMIT, most_head, MHD_OPTION_CONNECTION_TIMEOUT,
                                        patience, MHD_OPTION_STRICT_FOR_CLIENT, 1, MHD_OPTION_NOTIFY_CONNECTION, noticed,
                                        server, MHD_OPTION_NOTIFY_COMPLETED, completed, server, MHD_OPTION_END
                                      );
  if (server->daemon && pthread_create(&server->thread, NULL, run, server) == 0) {
    pthread_setname_np(server->thread, thread);
    return server;
  }
  if (server->daemon) mhd.MHD_stop_daemon(server->daemon);
  if (server->stop >= 0) close(server->stop);
  free(server);
  return NULL;
}

void chttp_server_stop(chttp_server *server) {
  uint64_t one = 1;
  (void)!write(server->stop, &one, sizeof one);
  pthread_join(server->thread, NULL);
  close(server->stop);
  free(server);
}
