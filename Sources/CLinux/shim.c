#define _GNU_SOURCE
#include "CLinux.h"

#include <fcntl.h>
#include <pthread.h>
#include <sys/random.h>
#include <unistd.h>

ssize_t clinux_getrandom(void *buffer, size_t size) { return getrandom(buffer, size, 0); }

int clinux_pipe2(int ends[2], int flags) { return pipe2(ends, flags); }

int clinux_set_pipe_size(int descriptor, int size) { return fcntl(descriptor, F_SETPIPE_SZ, size); }

int clinux_open_path(const char *path) { return open(path, O_PATH | O_CLOEXEC); }

void clinux_name_thread(const char *name) { pthread_setname_np(pthread_self(), name); }
