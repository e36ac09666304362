#ifndef CHIREDIS_TLS_H
#define CHIREDIS_TLS_H

#include <hiredis/hiredis.h>
#include <stdbool.h>

// OpenSSL's reading and writing on the socket of a redisContext, beside hiredis' reader: hiredis of Debian 12 has no TLS of
// its own. OpenSSL is loaded at the first use, so that who does not use it neither waits for it nor need have it. Here and
// not in Swift, because OpenSSL's calls are macros, and its numbers those of the installed header. What a fault means, and
// how long to wait, is decided in Swift.

// What goes wrong, as far as it can be told apart.
typedef enum {
  // The server's certificate.
  CHIREDIS_TLS_EXPIRED,
  CHIREDIS_TLS_NOT_YET_VALID,
  CHIREDIS_TLS_UNKNOWN_ISSUER,
  CHIREDIS_TLS_SELF_SIGNED,
  CHIREDIS_TLS_WRONG_HOST,
  CHIREDIS_TLS_WEAK,
  CHIREDIS_TLS_UNFIT,
  // What the server says of ours: an alert that speaks of a certificate.
  CHIREDIS_TLS_CERTIFICATE_WANTED,
  CHIREDIS_TLS_CERTIFICATE_REFUSED,
  // Another alert of the server's that ends the handshake, or no version in common.
  CHIREDIS_TLS_NOTHING_IN_COMMON,
  // The other side does not speak TLS.
  CHIREDIS_TLS_NO_TLS,
  // The socket failed: see `system`.
  CHIREDIS_TLS_SYSTEM,
  // Our own files.
  CHIREDIS_TLS_BAD_CA,
  CHIREDIS_TLS_BAD_CERTIFICATE,
  CHIREDIS_TLS_BAD_KEY,
  CHIREDIS_TLS_ENCRYPTED_KEY,
  CHIREDIS_TLS_KEY_MISMATCH,
  CHIREDIS_TLS_OTHER,
} chiredis_tls_fault;

typedef struct {
  chiredis_tls_fault fault;
  // errno, or 0.
  int system;
  // OpenSSL's words; never NULL, and never freed.
  const char *words;
} chiredis_tls_failure;

// OpenSSL's SSL_CTX: what all connections to one endpoint have in common.
typedef struct ssl_ctx_st chiredis_tls_context;

// One connection.
typedef struct chiredis_tls chiredis_tls;

// Loads OpenSSL. NULL when it is there, or else what could not be loaded.
const char *chiredis_tls_load(void);

// A context of TLS 1.2 and 1.3; NULL if it cannot be made. Nobody is ever asked for the password of an encrypted key.
//
// - ca: a PEM file, or NULL for the system's certificates.
// - is_whole: of the system's, the file that has all of them is read, too, which takes some 100 ms. In the folder one is found
//   by its name.
// - certificate, key: PEM files, or both NULL.
// - is_insecure: the server's certificate is not looked at.
chiredis_tls_context *chiredis_tls_context_new(
  const char *ca, bool is_whole, const char *certificate, const char *key, bool is_insecure,
  chiredis_tls_failure *failure
);

// Connections that are open go on with it.
void chiredis_tls_context_free(chiredis_tls_context *context);

// The file and the folder that the system's certificates are in.
const char *chiredis_tls_system_file(void);
const char *chiredis_tls_system_folder(void);

// A connection on the socket, which must not block. `name` is what the server's certificate is to have: a host name, which is
// sent to the server as well (SNI), or an IP address. NULL when memory is out.
chiredis_tls *chiredis_tls_new(chiredis_tls_context *context, int descriptor, const char *name, bool is_address);

// The socket stays open.
void chiredis_tls_free(chiredis_tls *tls);

// What the next three return where they return no number of bytes.
#define CHIREDIS_TLS_END 0
#define CHIREDIS_TLS_WANTS_READ (-1)
#define CHIREDIS_TLS_WANTS_WRITE (-2)
#define CHIREDIS_TLS_FAILED (-3)

// 1 when it is done.
int chiredis_tls_handshake(chiredis_tls *tls);

int chiredis_tls_write(chiredis_tls *tls, const void *bytes, size_t count);

// Reads what is here, some 16 KB at most, and feeds it to hiredis' reader.
int chiredis_tls_read(chiredis_tls *tls, redisContext *context);

// What went wrong when one of those returned CHIREDIS_TLS_FAILED.
chiredis_tls_failure chiredis_tls_last_failure(const chiredis_tls *tls);

// Whether the server asked for a certificate, and we have none.
bool chiredis_tls_was_asked(const chiredis_tls *tls);

// The server's certificate, or the one of its chain that has a fault. Texts are "" where there are none.
typedef struct {
  // How far it is from the server's own, which is 0.
  int depth;
  // As in "/O=Shop/CN=redis".
  const char *subject;
  const char *issuer;
  // subjectAltName, as in "DNS:a.example, IP Address:10.0.0.1".
  const char *names;
  // RFC 3339.
  const char *not_before;
  const char *not_after;
  // The same, Unix s.
  long long begin;
  long long end;
} chiredis_tls_certificate;

// Valid until the connection is freed.
chiredis_tls_certificate chiredis_tls_peer(const chiredis_tls *tls);

#endif
