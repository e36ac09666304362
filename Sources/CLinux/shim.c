#define _GNU_SOURCE
#include "CLinux.h"

#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <openssl/opensslv.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

ssize_t clinux_getrandom(void *buffer, size_t size) { return getrandom(buffer, size, 0); }

int clinux_pipe2(int ends[2], int flags) { return pipe2(ends, flags); }

int clinux_set_pipe_size(int descriptor, int size) { return fcntl(descriptor, F_SETPIPE_SZ, size); }

int clinux_open_path(const char *path) { return open(path, O_PATH | O_CLOEXEC); }

struct thread {
  void (*run)(void *);
  void *context;
  char name[16];
};

static void *run_thread(void *argument) {
  struct thread thread = *(struct thread *)argument;
  free(argument);
  if (thread.name[0]) pthread_setname_np(pthread_self(), thread.name);
  thread.run(thread.context);
  return NULL;
}

int clinux_start_thread(const char *name, void (*run)(void *context), void *context) {
  struct thread *thread = calloc(1, sizeof *thread);
  if (!thread) return ENOMEM;
  thread->run = run;
  thread->context = context;
  if (name) strncpy(thread->name, name, sizeof thread->name - 1);
  pthread_t id;
  int code = pthread_create(&id, NULL, run_thread, thread);
  if (code == 0) pthread_detach(id);
  else free(thread);
  return code;
}

#define TEXT(number) TEXT_OF(number)
#define TEXT_OF(number) #number
#if defined(OPENSSL_SHLIB_VERSION)
#define SUFFIX ".so." TEXT(OPENSSL_SHLIB_VERSION)
#else
#define SUFFIX ".so." SHLIB_VERSION_NUMBER
#endif

void *clinux_open_openssl(const char *library) {
  char name[64];
  snprintf(name, sizeof name, "%s" SUFFIX, library);
  return dlopen(name, RTLD_NOW | RTLD_LOCAL);
}
