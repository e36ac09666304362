#ifndef CLINUX_H
#define CLINUX_H

#include <stddef.h>
#include <sys/types.h>

// What Linux and glibc have and Swift's Glibc module does not show; no logic. What fails says why in errno.

// getrandom(2) without flags. Here because the module leaves out sys/random.h.
ssize_t clinux_getrandom(void *buffer, size_t size);

// pipe2(2). Here because it is a GNU extension. Without it a pipe is made first and closed to child processes second, and
// a child that is started in between keeps it open.
int clinux_pipe2(int ends[2], int flags);

// fcntl(2)'s F_SETPIPE_SZ: how many bytes a pipe holds. Here because the command's number is a GNU extension.
int clinux_set_pipe_size(int descriptor, int size);

// open(2) with O_PATH and O_CLOEXEC: neither for reading nor for writing. Here because O_PATH is a GNU extension.
int clinux_open_path(const char *path);

// Starts a thread that nobody waits for, and names it by the first 15 bytes; NULL leaves it the process' name. 0, or the number of
// the error for which the system refused it. Here because pthread_setname_np is a GNU extension.
int clinux_start_thread(const char *name, void (*run)(void *context), void *context);

// dlopen(3) of one of OpenSSL's libraries, as "libcrypto", of the version that this was built with. Here because the version is a
// macro of OpenSSL's headers.
void *clinux_open_openssl(const char *library);

#endif
