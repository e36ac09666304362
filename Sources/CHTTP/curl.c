#include "CHTTP.h"
#include "library.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

// --- A set -------------------------------------------------------------------------------------------------------------

// For each request libcurl looks through its connections for one that is free, one after the other, and with thousands of them in
// flight that takes longer than all the rest. So a set has several multi handles, each for so many requests.
#define MOST_IN_POOL 256
// Sockets that are looked at in one go.
#define MOST_EVENTS 256
#define WAKE UINT32_MAX

typedef struct {
  chttp_set *set;
  uint32_t index;
  CURLM *multi;
  int request_count;
  // When libcurl wants to be called whatever comes, ms of CLOCK_MONOTONIC; -1 for never.
  long long due;
} pool;

// libcurl says which sockets it waits for, and until when: curl_multi_poll would ask for all of them each time, and
// curl_multi_perform look at each request.
struct chttp_set {
  int sockets;  // an epoll
  int wake;  // an eventfd
  pool **pools;
  uint32_t pool_count;
  // The one that is asked first for requests that are over.
  uint32_t turn;
  struct epoll_event events[MOST_EVENTS];
  int event_count;
};

static long long milliseconds_now(void) {
  struct timespec time;
  clock_gettime(CLOCK_MONOTONIC, &time);
  return (long long)time.tv_sec * 1000 + time.tv_nsec / 1000000;
}

static bool watch(chttp_set *set, int socket, uint32_t events, uint32_t index) {
  struct epoll_event event = { .events = events, .data.u64 = (uint64_t)index << 32 | (uint32_t)socket };
  if (events == 0) return epoll_ctl(set->sockets, EPOLL_CTL_DEL, socket, &event) == 0;
  return epoll_ctl(set->sockets, EPOLL_CTL_MOD, socket, &event) == 0 || epoll_ctl(set->sockets, EPOLL_CTL_ADD, socket, &event) == 0;
}

static int watch_socket(CURL *easy, int socket, int what, void *context, void *unused) {
  (void)easy, (void)unused;
  pool *pool = context;
  uint32_t events = (what & CURL_POLL_IN ? EPOLLIN : 0) | (what & CURL_POLL_OUT ? EPOLLOUT : 0);
  watch(pool->set, socket, what == CURL_POLL_REMOVE ? 0 : events, pool->index);
  return 0;
}

static int note_due(CURLM *multi, long milliseconds, void *context) {
  (void)multi;
  ((pool *)context)->due = milliseconds < 0 ? -1 : milliseconds_now() + milliseconds;
  return 0;
}

chttp_set *chttp_set_new(void) {
  chttp_set *set = calloc(1, sizeof *set);
  if (!set) return NULL;
  set->sockets = epoll_create1(EPOLL_CLOEXEC);
  set->wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
  if (set->sockets >= 0 && set->wake >= 0 && watch(set, set->wake, EPOLLIN, WAKE)) return set;
  chttp_set_free(set);
  return NULL;
}

// A pool with room for one more request; NULL when memory is out.
static pool *find_pool(chttp_set *set) {
  for (uint32_t index = 0; index < set->pool_count; index++) {
    if (set->pools[index]->request_count < MOST_IN_POOL) return set->pools[index];
  }
  pool **longer = realloc(set->pools, (set->pool_count + 1) * sizeof *longer);
  if (!longer) return NULL;
  set->pools = longer;
  pool *fresh = calloc(1, sizeof *fresh);
  if (!fresh) return NULL;
  fresh->multi = curl.curl_multi_init();
  if (!fresh->multi) {
    free(fresh);
    return NULL;
  }
  fresh->set = set;
  fresh->due = -1;
  fresh->index = set->pool_count;
  // Else connections are closed as soon as fewer requests are in flight, to be opened again with the next.
  curl.curl_multi_setopt(fresh->multi, CURLMOPT_MAXCONNECTS, 100000L);
  curl.curl_multi_setopt(fresh->multi, CURLMOPT_SOCKETFUNCTION, watch_socket);
  curl.curl_multi_setopt(fresh->multi, CURLMOPT_SOCKETDATA, fresh);
  curl.curl_multi_setopt(fresh->multi, CURLMOPT_TIMERFUNCTION, note_due);
  curl.curl_multi_setopt(fresh->multi, CURLMOPT_TIMERDATA, fresh);
  return set->pools[set->pool_count++] = fresh;
}

void chttp_set_free(chttp_set *set) {
  for (uint32_t index = 0; index < set->pool_count; index++) {
    curl.curl_multi_cleanup(set->pools[index]->multi);
    free(set->pools[index]);
  }
  free(set->pools);
  if (set->sockets >= 0) close(set->sockets);
  if (set->wake >= 0) close(set->wake);
  free(set);
}

void chttp_set_perform(chttp_set *set) {
  int running;
  for (int index = 0; index < set->event_count; index++) {
    struct epoll_event *event = &set->events[index];
    uint32_t place = event->data.u64 >> 32;
    int socket = (int)(uint32_t)event->data.u64, found = 0;
    if (place == WAKE) {
      eventfd_t count;
      eventfd_read(socket, &count);
      continue;
    }
    if (event->events & EPOLLIN) found |= CURL_CSELECT_IN;
    if (event->events & EPOLLOUT) found |= CURL_CSELECT_OUT;
    if (event->events & (EPOLLERR | EPOLLHUP)) found |= CURL_CSELECT_ERR;
    curl.curl_multi_socket_action(set->pools[place]->multi, socket, found, &running);
  }
  set->event_count = 0;
  // What was added since the last time is due as well.
  long long now = milliseconds_now();
  for (uint32_t index = 0; index < set->pool_count; index++) {
    pool *pool = set->pools[index];
    if (pool->due < 0 || pool->due > now) continue;
    pool->due = -1;
    curl.curl_multi_socket_action(pool->multi, CURL_SOCKET_TIMEOUT, 0, &running);
  }
}

void chttp_set_wait(chttp_set *set, int milliseconds) {
  long long now = milliseconds_now();
  for (uint32_t index = 0; index < set->pool_count; index++) {
    long long due = set->pools[index]->due;
    if (due >= 0 && due - now < milliseconds) milliseconds = due > now ? (int)(due - now) : 0;
  }
  int count = epoll_wait(set->sockets, set->events, MOST_EVENTS, milliseconds);
  set->event_count = count > 0 ? count : 0;
}

void chttp_set_wake(chttp_set *set) { eventfd_write(set->wake, 1); }

// --- A request ---------------------------------------------------------------------------------------------------------

// Of an answer's head: more than any server sends that takes itself seriously.
#define MOST_HEAD_BYTES (16 * 1024)

typedef struct {
  char *bytes;
  size_t count;
  size_t capacity;
} buffer;

struct chttp_request {
  CURL *easy;
  // Of the set that it was first begun in, where it stays.
  pool *pool;
  struct curl_slist *headers;
  bool (*may_begin)(void *);
  size_t most_bytes;
  int code;
  chttp_result result;
  buffer sent, head, body;
  // Of `sent`, what libcurl has taken.
  size_t taken;
  char words[CURL_ERROR_SIZE];
};

// False when memory is out.
static bool append(buffer *buffer, const void *bytes, size_t count) {
  if (buffer->count + count > buffer->capacity) {
    size_t capacity = buffer->count + count + 512;
    char *larger = realloc(buffer->bytes, capacity);
    if (!larger) return false;
    buffer->bytes = larger;
    buffer->capacity = capacity;
  }
  if (count > 0) memcpy(buffer->bytes + buffer->count, bytes, count);
  buffer->count += count;
  return true;
}

// libcurl asks for the request's body.
static size_t give_body(char *bytes, size_t size, size_t number, void *context) {
  chttp_request *request = context;
  size_t rest = request->sent.count - request->taken;
  if (request->taken == 0 && !request->may_begin(request->result.context)) {
    request->result.was_kept_back = true;
    return CURL_READFUNC_ABORT;
  }
  // It had all: it begins anew, without saying so.
  if (rest == 0) return CURL_READFUNC_ABORT;
  size_t count = size * number < rest ? size * number : rest;
  memcpy(bytes, request->sent.bytes + request->taken, count);
  request->taken += count;
  return count;
}

// Where a connection that was used before turns out to be closed, libcurl would send the request again on a new one. It may,
// unless the server can have the whole of it.
static int rewind_body(void *context, long long offset, int origin) {
  chttp_request *request = context;
  if (request->taken == request->sent.count || offset != 0 || origin != 0) return CURL_SEEKFUNC_FAIL;
  request->taken = 0;
  return 0;
}

// Gets one line of a head, as it came.
static size_t take_head(char *bytes, size_t size, size_t number, void *context) {
  chttp_request *request = context;
  size_t count = size * number;
  // Another head, as behind "100 Continue": the last one counts.
  if (count >= 5 && memcmp(bytes, "HTTP/", 5) == 0) request->head.count = 0;
  if (request->head.count + count <= MOST_HEAD_BYTES && !append(&request->head, bytes, count)) return 0;
  return count;
}

static size_t take_body(char *bytes, size_t size, size_t number, void *context) {
  chttp_request *request = context;
  size_t count = size * number;
  size_t room = request->most_bytes - request->body.count;
  if (!append(&request->body, bytes, count < room ? count : room)) return 0;
  if (count <= room) return count;
  request->result.is_cut = true;
  // Fewer than there were: that ends it.
  return room;
}

chttp_request *chttp_request_new(const chttp_settings *settings) {
  chttp_request *request = calloc(1, sizeof *request);
  if (!request) return NULL;
  CURL *easy = request->easy = curl.curl_easy_init();
  if (!easy) {
    free(request);
    return NULL;
  }
  request->may_begin = settings->may_begin;
  request->most_bytes = settings->most_bytes;
  bool is_set = true;
// An option that must be known, and one that an older libcurl may not know.
#define SET(option, value) is_set = curl.curl_easy_setopt(easy, option, value) == 0 && is_set
#define PREFER(option, value) (void)curl.curl_easy_setopt(easy, option, value)
  SET(CURLOPT_URL, settings->url);
  if (settings->user) {
    SET(CURLOPT_USERNAME, settings->user);
    SET(CURLOPT_PASSWORD, settings->password);
  }
  SET(CURLOPT_USERAGENT, settings->user_agent);
  if (settings->ca_file) SET(CURLOPT_CAINFO, settings->ca_file);
  // Without a folder the file is read once for all connections, and not once for each, which takes 50 to 130 ms.
  PREFER(CURLOPT_CAPATH, (char *)NULL);
  SET(CURLOPT_TIMEOUT_MS, settings->timeout_ms);
  SET(CURLOPT_CONNECTTIMEOUT_MS, settings->connect_timeout_ms);
  SET(CURLOPT_NOSIGNAL, 1L);
  // A look-up of a name that is given up must not be waited for: it would hold up all others.
  PREFER(CURLOPT_QUICK_EXIT, 1L);
  SET(CURLOPT_POST, 1L);
  PREFER(CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_2TLS);
  // The first connection's handshake tells whether the server takes many requests on one; the others wait for that. Without TLS
  // they would wait for the first answer, which may be late.
  PREFER(CURLOPT_PIPEWAIT, strncasecmp(settings->url, "https:", 6) == 0 ? 1L : 0L);
  // Node.js and Apache close what is idle for 5 s. What a server closes while a request is on its way, may have been sent.
  PREFER(CURLOPT_MAXAGE_CONN, 3L);
  PREFER(CURLOPT_SUPPRESS_CONNECT_HEADERS, 1L);
  // A request and its answer are short, and thousands may be in flight.
  PREFER(CURLOPT_BUFFERSIZE, 4096L);
  PREFER(CURLOPT_UPLOAD_BUFFERSIZE, 16384L);
  SET(CURLOPT_ERRORBUFFER, request->words);
  SET(CURLOPT_PRIVATE, request);
  SET(CURLOPT_READFUNCTION, give_body);
  SET(CURLOPT_READDATA, request);
  SET(CURLOPT_SEEKFUNCTION, rewind_body);
  SET(CURLOPT_SEEKDATA, request);
  SET(CURLOPT_HEADERFUNCTION, take_head);
  SET(CURLOPT_HEADERDATA, request);
  SET(CURLOPT_WRITEFUNCTION, take_body);
  SET(CURLOPT_WRITEDATA, request);
  if (is_set) return request;
  chttp_request_free(request);
  return NULL;
}

void chttp_request_free(chttp_request *request) {
  curl.curl_easy_cleanup(request->easy);
  if (request->pool) request->pool->request_count--;
  if (request->headers) curl.curl_slist_free_all(request->headers);
  free(request->sent.bytes);
  free(request->head.bytes);
  free(request->body.bytes);
  free(request);
}

bool chttp_request_begin(
  chttp_request *request, chttp_set *set, const char *const *headers, size_t header_count, const void *body, size_t count,
  void *context
) {
  if (request->headers) curl.curl_slist_free_all(request->headers);
  // Empty: no "Expect: 100-continue", which many servers do not answer.
  request->headers = curl.curl_slist_append(NULL, "Expect:");
  for (size_t index = 0; index < header_count && request->headers; index++) {
    struct curl_slist *longer = curl.curl_slist_append(request->headers, headers[index]);
    if (!longer) curl.curl_slist_free_all(request->headers);
    request->headers = longer;
  }
  request->sent.count = request->head.count = request->body.count = request->taken = 0;
  request->words[0] = 0;
  request->result = (chttp_result){ .context = context };
  if (!request->pool) {
    if (!(request->pool = find_pool(set))) return false;
    request->pool->request_count++;
  }
  return request->headers && append(&request->sent, body, count) &&
    curl.curl_easy_setopt(request->easy, CURLOPT_HTTPHEADER, request->headers) == 0 &&
    curl.curl_easy_setopt(request->easy, CURLOPT_POSTFIELDSIZE_LARGE, (long long)count) == 0 &&
    curl.curl_multi_add_handle(request->pool->multi, request->easy) == 0;
}

void chttp_request_end(chttp_request *request, chttp_set *set) {
  (void)set;
  curl.curl_multi_remove_handle(request->pool->multi, request->easy);
}

chttp_request *chttp_set_next_over(chttp_set *set) {
  int more;
  CURLMsg *message;
  for (uint32_t asked = 0; asked < set->pool_count; asked++, set->turn = (set->turn + 1) % set->pool_count) {
    while ((message = curl.curl_multi_info_read(set->pools[set->turn]->multi, &more))) {
      if (message->msg != CURLMSG_DONE) continue;
      chttp_request *request = NULL;
      int code = message->data.result;
      curl.curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, &request);
      // What was enough is no failure.
      request->code = code == CURLE_WRITE_ERROR && request->result.is_cut ? 0 : code;
      return request;
    }
  }
  return NULL;
}

chttp_result chttp_request_result(chttp_request *request) {
  long status = 0;
  curl.curl_easy_getinfo(request->easy, CURLINFO_RESPONSE_CODE, &status);
  chttp_result *result = &request->result;
  result->code = request->code;
  result->words = request->words[0] ? request->words : curl.curl_easy_strerror(request->code);
  result->was_handed_over = request->taken == request->sent.count;
  result->status = (int)status;
  result->head = request->head.bytes ? request->head.bytes : "";
  result->head_count = request->head.count;
  result->body = request->body.bytes ? request->body.bytes : "";
  result->body_count = request->body.count;
  return *result;
}
