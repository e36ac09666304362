#ifndef CHTTP_H
#define CHTTP_H

#include <stdbool.h>
#include <stddef.h>

#include "CHTTPServe.h"

// libcurl's POSTs, many in flight on one thread. libcurl is loaded at the first use, so that who does not use it neither waits
// for it nor need have it. Here and not in Swift, because curl_easy_setopt takes any type behind its dots, and because libcurl
// calls back. What an answer means, and what to do about it, is decided in Swift.

// Loads libcurl. NULL when it is there, or else what could not be loaded.
const char *chttp_load(void);

// The file of authorities that libcurl was built to use, or NULL.
const char *chttp_system_ca(void);

// --- A set of requests, which share connections (a multi handle) -------------------------------------------------------

typedef struct chttp_set chttp_set;

// NULL when memory is out.
chttp_set *chttp_set_new(void);

// Closes its connections. Its requests have been taken out before.
void chttp_set_free(chttp_set *set);

// Reads and writes what can be.
void chttp_set_perform(chttp_set *set);

// Waits for something to do, or for chttp_set_wake, for so many milliseconds at most.
void chttp_set_wait(chttp_set *set, int milliseconds);

// Ends a wait, the present one or the next. The only call that another thread may make.
void chttp_set_wake(chttp_set *set);

// --- A request (an easy handle), used again and again ------------------------------------------------------------------

typedef struct {
  const char *url;
  // NULL for none.
  const char *user;
  const char *password;
  // A PEM file of authorities; NULL for libcurl's own.
  const char *ca_file;
  const char *user_agent;
  // From the beginning to the end, and to a connection.
  long timeout_ms;
  long connect_timeout_ms;
  // Of an answer's body; more is not read.
  size_t most_bytes;
  // Asked with the request's context as the last thing before its body is written: false keeps it back.
  bool (*may_begin)(void *context);
} chttp_settings;

typedef struct chttp_request chttp_request;

// The strings are copied. NULL when memory is out.
chttp_request *chttp_request_new(const chttp_settings *settings);
void chttp_request_free(chttp_request *request);

// Begins a POST in the set. Headers are "name: value"; both they and the body are copied. False when memory is out.
bool chttp_request_begin(
  chttp_request *request, chttp_set *set, const char *const *headers, size_t header_count, const void *body, size_t count,
  void *context
);

// Takes it out of the set: it is over, or given up. Its connection is closed if it was not over.
void chttp_request_end(chttp_request *request, chttp_set *set);

// One that is over and still in the set, or NULL.
chttp_request *chttp_set_next_over(chttp_set *set);

typedef struct {
  void *context;
  // CURLE_...; 0 for a whole answer, or as much of it as was wanted.
  int code;
  // What went wrong, in libcurl's words.
  const char *words;
  // libcurl has taken the body's last byte: the server may have the whole request. False: it surely has not.
  bool was_handed_over;
  // may_begin said no.
  bool was_kept_back;
  // HTTP's, or 0.
  int status;
  // The lines of its head.
  const char *head;
  size_t head_count;
  const char *body;
  size_t body_count;
  // There was more of the body.
  bool is_cut;
} chttp_result;

// Valid until the next call about this request.
chttp_result chttp_request_result(chttp_request *request);

// --- Signatures, by OpenSSL, which libcurl brings ----------------------------------------------------------------------

// Loads OpenSSL's libcrypto. NULL when it is there, or else what could not be loaded.
const char *chttp_crypto_load(void);

// HMAC-SHA256 in Base64, 44 characters and NUL. False when memory is out.
bool chttp_sign(const void *key, size_t key_count, const void *bytes, size_t count, char signature[45]);

// Decodes Base64 into `bytes`, which takes three for four characters. The number of bytes; -1 for what is no Base64.
long chttp_decode_base64(const char *text, size_t count, unsigned char *bytes);

#endif
