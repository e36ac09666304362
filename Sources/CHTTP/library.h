#ifndef CHTTP_LIBRARY_H
#define CHTTP_LIBRARY_H

// libcurl's interface, as far as it is used.
//
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
  X(int, curl_multi_socket_action, (CURLM *, int, int, int *)) \
  X(CURLMsg *, curl_multi_info_read, (CURLM *, int *))

#define POINTER(type, name, parameters) type(*name) parameters;
struct chttp_library {
  OF_CURL(POINTER)
};
// Filled by chttp_load.
extern struct chttp_library curl __attribute__((visibility("hidden")));

#endif
