#include "CHTTP.h"
#include "CLinux.h"

#include <dlfcn.h>
#include <limits.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <pthread.h>
#include <string.h>

#define OF_CRYPTO(X) X(EVP_sha256) X(HMAC) X(EVP_EncodeBlock) X(EVP_DecodeBlock)

#define POINTER(name) __typeof__(&name) name;
static struct {
  OF_CRYPTO(POINTER)
} crypto;

static const char *absence;
static char absence_text[256];

static void load(void) {
  void *library = clinux_open_openssl("libcrypto");
#define FIND(name) \
  if (!absence && (!library || !(crypto.name = (__typeof__(&name))dlsym(library, #name)))) { \
    const char *text = dlerror(); \
    strncpy(absence_text, text ? text : #name, sizeof absence_text - 1); \
    absence = absence_text; \
  }
  OF_CRYPTO(FIND)
}

const char *chttp_crypto_load(void) {
  static pthread_once_t once = PTHREAD_ONCE_INIT;
  pthread_once(&once, load);
  return absence;
}

bool chttp_sign(const void *key, size_t key_count, const void *bytes, size_t count, char signature[45]) {
  unsigned char digest[EVP_MAX_MD_SIZE];
  unsigned int length = 0;
  if (key_count > INT_MAX) return false;
  if (!crypto.HMAC(crypto.EVP_sha256(), key, (int)key_count, bytes, count, digest, &length)) return false;
  crypto.EVP_EncodeBlock((unsigned char *)signature, digest, (int)length);
  return true;
}

long chttp_decode_base64(const char *text, size_t count, unsigned char *bytes) {
  if (count == 0 || count % 4 != 0 || count > INT_MAX) return -1;
  int padding = (text[count - 1] == '=') + (text[count - 1] == '=' && text[count - 2] == '=');
  // OpenSSL takes more of it, and in between.
  if (memchr(text, '=', count - (size_t)padding)) return -1;
  int length = crypto.EVP_DecodeBlock(bytes, (const unsigned char *)text, (int)count);
  // It counts the padding as bytes.
  return length < 0 ? -1 : length - padding;
}
