#include "CHTTP.h"

#include <dlfcn.h>
#include <openssl/crypto.h>
#include <pthread.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

// --- libcurl's interface, as far as it is used -------------------------------------------------------------------------

// Its numbers and types do not change as long as the library is libcurl.so.4 (curl.se/libcurl/abi.html), so its headers are not
// needed to build. From curl/curl.h and curl/multi.h of 7.88.
#include "libcurl.h"

typedef void CURL;
typedef void CURLM;
struct curl_slist;

typedef struct {
  int msg;
  CURL *easy_handle;
  union {
    void *whatever;
    int result;
  } data;
} CURLMsg;

#define OF_CURL(X) \
  X(int, curl_global_init, (long)) \
  X(CURL *, curl_easy_init, (void)) \
  X(void, curl_easy_cleanup, (CURL *)) \
  X(int, curl_easy_setopt, (CURL *, int, ...)) \
  X(int, curl_easy_getinfo, (CURL *, int, ...)) \
  X(const char *, curl_easy_strerror, (int)) \
  X(struct curl_slist *, curl_slist_append, (struct curl_slist *, const char *)) \
  X(void, curl_slist_free_all, (struct curl_slist *)) \
  X(CURLM *, curl_multi_init, (void)) \
  X(int, curl_multi_cleanup, (CURLM *)) \
  X(int, curl_multi_setopt, (CURLM *, int, ...)) \
  X(int, curl_multi_add_handle, (CURLM *, CURL *)) \
  X(int, curl_multi_remove_handle, (CURLM *, CURL *)) \
  X(int, curl_multi_perform, (CURLM *, int *)) \
  X(int, curl_multi_poll, (CURLM *, void *, unsigned int, int, int *)) \
  X(int, curl_multi_wakeup, (CURLM *)) \
  X(CURLMsg *, curl_multi_info_read, (CURLM *, int *))

#define POINTER(type, name, parameters) type(*name) parameters;
static struct {
  OF_CURL(POINTER)
} curl;

static const char *absence;
static char absence_text[256];

static void note_absence(const char *name) {
  const char *text = dlerror();
  if (absence) return;
  strncpy(absence_text, text ? text : name, sizeof absence_text - 1);
  absence = absence_text;
}

static void load(void) {
  void *library = dlopen("libcurl.so.4", RTLD_NOW | RTLD_LOCAL);
  if (!library) {
    note_absence("libcurl.so.4");
    return;
  }
#define FIND(type, name, parameters) \
  if (!(curl.name = (type(*) parameters)dlsym(library, #name))) note_absence(#name);
  OF_CURL(FIND)
  if (absence) return;
  // OpenSSL first, where libcurl has it: other threads may be in it while the process ends, so it must not clean up then.
  int (*init)(uint64_t, const void *) = (int (*)(uint64_t, const void *))dlsym(library, "OPENSSL_init_ssl");
  if (init) init(OPENSSL_INIT_NO_ATEXIT, NULL);
  if (curl.curl_global_init(CURL_GLOBAL_DEFAULT) != 0) absence = "curl_global_init failed";
}

const char *chttp_load(void) {
  static pthread_once_t once = PTHREAD_ONCE_INIT;
  pthread_once(&once, load);
  return absence;
}

const char *chttp_system_ca(void) {
  CURL *easy = curl.curl_easy_init();
  char *path = NULL;
  if (easy && curl.curl_easy_getinfo(easy, CURLINFO_CAINFO, &path) != 0) path = NULL;
  // The text is libcurl's own, and stays.
  if (easy) curl.curl_easy_cleanup(easy);
  return path;
}

// --- A set -------------------------------------------------------------------------------------------------------------

struct chttp_set {
  CURLM *multi;
};

chttp_set *chttp_set_new(void) {
  chttp_set *set = calloc(1, sizeof *set);
  if (!set) return NULL;
  set->multi = curl.curl_multi_init();
  if (!set->multi) {
    free(set);
    return NULL;
  }
  // Else connections are closed as soon as fewer requests are in flight, to be opened again with the next.
  curl.curl_multi_setopt(set->multi, CURLMOPT_MAXCONNECTS, 100000L);
  return set;
}

void chttp_set_free(chttp_set *set) {
  curl.curl_multi_cleanup(set->multi);
  free(set);
}

void chttp_set_perform(chttp_set *set) {
  int running;
  curl.curl_multi_perform(set->multi, &running);
}

void chttp_set_wait(chttp_set *set, int milliseconds) {
  curl.curl_multi_poll(set->multi, NULL, 0, milliseconds, NULL);
}

void chttp_set_wake(chttp_set *set) { curl.curl_multi_wakeup(set->multi); }

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
  return request->headers && append(&request->sent, body, count) &&
    curl.curl_easy_setopt(request->easy, CURLOPT_HTTPHEADER, request->headers) == 0 &&
    curl.curl_easy_setopt(request->easy, CURLOPT_POSTFIELDSIZE_LARGE, (long long)count) == 0 &&
    curl.curl_multi_add_handle(set->multi, request->easy) == 0;
}

void chttp_request_end(chttp_request *request, chttp_set *set) {
  curl.curl_multi_remove_handle(set->multi, request->easy);
}

chttp_request *chttp_set_next_over(chttp_set *set) {
  int more;
  CURLMsg *message;
  while ((message = curl.curl_multi_info_read(set->multi, &more))) {
    if (message->msg != CURLMSG_DONE) continue;
    chttp_request *request = NULL;
    int code = message->data.result;
    curl.curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, &request);
    // What was enough is no failure.
    request->code = code == CURLE_WRITE_ERROR && request->result.is_cut ? 0 : code;
    return request;
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
