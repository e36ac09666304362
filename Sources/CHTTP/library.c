#include "CHTTP.h"
#include "library.h"

#include <dlfcn.h>
#include <openssl/crypto.h>
#include <pthread.h>
#include <stdint.h>
#include <string.h>

struct chttp_library curl;

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
