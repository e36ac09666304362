#include "CHiredisTLS.h"
#include "CLinux.h"

#include <dlfcn.h>
#include <errno.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <limits.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

// --- OpenSSL, loaded at the first use --------------------------------------------------------------------------------

#define OF_SSL(X) \
  X(OPENSSL_init_ssl) X(TLS_client_method) \
  X(SSL_CTX_new) X(SSL_CTX_free) X(SSL_CTX_ctrl) X(SSL_CTX_set_options) X(SSL_CTX_set_verify) \
  X(SSL_CTX_set_default_verify_dir) X(SSL_CTX_set_default_verify_paths) X(SSL_CTX_load_verify_locations) \
  X(SSL_CTX_use_certificate_chain_file) X(SSL_CTX_use_PrivateKey_file) X(SSL_CTX_check_private_key) \
  X(SSL_CTX_set_default_passwd_cb) X(SSL_CTX_set_default_passwd_cb_userdata) X(SSL_CTX_set_client_cert_cb) \
  X(SSL_new) X(SSL_free) X(SSL_ctrl) X(SSL_set_fd) X(SSL_set1_host) X(SSL_set_hostflags) X(SSL_get0_param) \
  X(SSL_set_ex_data) X(SSL_get_ex_data) X(SSL_get_ex_data_X509_STORE_CTX_idx) \
  X(SSL_connect) X(SSL_read) X(SSL_write) X(SSL_get_error) X(SSL_alert_desc_string_long)

#define OF_CRYPTO(X) \
  X(ERR_clear_error) X(ERR_peek_error) X(ERR_reason_error_string) \
  X(X509_verify_cert_error_string) X(X509_VERIFY_PARAM_set1_ip_asc) \
  X(X509_STORE_CTX_get_ex_data) X(X509_STORE_CTX_get_error) X(X509_STORE_CTX_get_error_depth) \
  X(X509_STORE_CTX_get_current_cert) \
  X(X509_get_subject_name) X(X509_get_issuer_name) X(X509_NAME_oneline) X(X509_get0_notBefore) X(X509_get0_notAfter) \
  X(ASN1_TIME_to_tm) X(X509_get_ext_by_NID) X(X509_get_ext) X(X509V3_EXT_print) \
  X(BIO_new) X(BIO_s_mem) X(BIO_read) X(BIO_free) \
  X(X509_get_default_cert_file) X(X509_get_default_cert_file_env) X(X509_get_default_cert_dir) \
  X(X509_get_default_cert_dir_env)

#define POINTER(name) __typeof__(&name) name;
static struct {
  OF_SSL(POINTER)
  OF_CRYPTO(POINTER)
} openssl;

static const char *absence;
static char absence_text[256];

static void *find(void *library, const char *name) {
  void *function = library ? dlsym(library, name) : NULL;
  if (!function && !absence) {
    const char *text = dlerror();
    strncpy(absence_text, text ? text : name, sizeof absence_text - 1);
    absence = absence_text;
  }
  return function;
}

static void load(void) {
  void *crypto = clinux_open_openssl("libcrypto");
  void *ssl = crypto ? clinux_open_openssl("libssl") : NULL;
#define FROM_SSL(name) openssl.name = (__typeof__(&name))find(ssl, #name);
#define FROM_CRYPTO(name) openssl.name = (__typeof__(&name))find(crypto, #name);
  OF_CRYPTO(FROM_CRYPTO)
  OF_SSL(FROM_SSL)
  if (absence) return;
  // Other threads may be in it while the process ends.
  openssl.OPENSSL_init_ssl(OPENSSL_INIT_NO_ATEXIT, NULL);
}

const char *chiredis_tls_load(void) {
  static pthread_once_t once = PTHREAD_ONCE_INIT;
  pthread_once(&once, load);
  return absence;
}

// --- What went wrong -------------------------------------------------------------------------------------------------

// The first error, which is the cause: those behind it say in what it was noticed.
static chiredis_tls_failure failed(chiredis_tls_fault fault) {
  unsigned long code = openssl.ERR_peek_error();
  const char *words = code ? openssl.ERR_reason_error_string(code) : NULL;
  return (chiredis_tls_failure){ fault, code ? 0 : errno, words ? words : "" };
}

static chiredis_tls_fault fault_of_alert(int alert) {
  switch (alert) {
  case SSL_AD_CERTIFICATE_REQUIRED:
    return CHIREDIS_TLS_CERTIFICATE_WANTED;
  case SSL_AD_BAD_CERTIFICATE:
  case SSL_AD_UNSUPPORTED_CERTIFICATE:
  case SSL_AD_CERTIFICATE_REVOKED:
  case SSL_AD_CERTIFICATE_EXPIRED:
  case SSL_AD_CERTIFICATE_UNKNOWN:
  case SSL_AD_UNKNOWN_CA:
  case SSL_AD_ACCESS_DENIED:
  case SSL_AD_DECRYPT_ERROR:
    return CHIREDIS_TLS_CERTIFICATE_REFUSED;
  case SSL_AD_HANDSHAKE_FAILURE:
  case SSL_AD_PROTOCOL_VERSION:
  case SSL_AD_INSUFFICIENT_SECURITY:
    return CHIREDIS_TLS_NOTHING_IN_COMMON;
  default:
    return CHIREDIS_TLS_OTHER;
  }
}

static chiredis_tls_fault fault_of_reason(int reason) {
  switch (reason) {
  case SSL_R_WRONG_VERSION_NUMBER:
  case SSL_R_HTTP_REQUEST:
  case SSL_R_PACKET_LENGTH_TOO_LONG:
  case SSL_R_BAD_PROTOCOL_VERSION_NUMBER:
    return CHIREDIS_TLS_NO_TLS;
  case SSL_R_UNSUPPORTED_PROTOCOL:
  case SSL_R_NO_PROTOCOLS_AVAILABLE:
  case SSL_R_VERSION_TOO_LOW:
  case SSL_R_VERSION_TOO_HIGH:
    return CHIREDIS_TLS_NOTHING_IN_COMMON;
  case SSL_R_EE_KEY_TOO_SMALL:
  case SSL_R_CA_KEY_TOO_SMALL:
  case SSL_R_CA_MD_TOO_WEAK:
  case SSL_R_DH_KEY_TOO_SMALL:
    return CHIREDIS_TLS_WEAK;
  default:
    return CHIREDIS_TLS_OTHER;
  }
}

static chiredis_tls_fault fault_of_certificate(int error) {
  switch (error) {
  case X509_V_ERR_CERT_HAS_EXPIRED:
    return CHIREDIS_TLS_EXPIRED;
  case X509_V_ERR_CERT_NOT_YET_VALID:
    return CHIREDIS_TLS_NOT_YET_VALID;
  case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT:
  case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY:
  case X509_V_ERR_UNABLE_TO_VERIFY_LEAF_SIGNATURE:
  case X509_V_ERR_SELF_SIGNED_CERT_IN_CHAIN:
    return CHIREDIS_TLS_UNKNOWN_ISSUER;
  case X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT:
    return CHIREDIS_TLS_SELF_SIGNED;
  case X509_V_ERR_HOSTNAME_MISMATCH:
  case X509_V_ERR_IP_ADDRESS_MISMATCH:
    return CHIREDIS_TLS_WRONG_HOST;
  case X509_V_ERR_EE_KEY_TOO_SMALL:
  case X509_V_ERR_CA_KEY_TOO_SMALL:
  case X509_V_ERR_CA_MD_TOO_WEAK:
    return CHIREDIS_TLS_WEAK;
  default:
    return CHIREDIS_TLS_UNFIT;
  }
}

static chiredis_tls_fault fault_of_key(void) {
  unsigned long code = openssl.ERR_peek_error();
  bool is_mismatch;
  if (ERR_GET_LIB(code) == ERR_LIB_SSL) {
    // Of another kind than the certificate's.
    is_mismatch = ERR_GET_REASON(code) == SSL_R_NO_CERTIFICATE_ASSIGNED;
  } else {
    is_mismatch = ERR_GET_LIB(code) == ERR_LIB_X509 &&
      (ERR_GET_REASON(code) == X509_R_KEY_VALUES_MISMATCH || ERR_GET_REASON(code) == X509_R_KEY_TYPE_MISMATCH);
  }
  return is_mismatch ? CHIREDIS_TLS_KEY_MISMATCH : CHIREDIS_TLS_BAD_KEY;
}

// --- A context -------------------------------------------------------------------------------------------------------

struct chiredis_tls {
  SSL *ssl;
  chiredis_tls_failure failure;
  // X509_V_ERR_...
  int verification;
  bool was_asked;
  chiredis_tls_certificate peer;
  char subject[256], issuer[256], names[1024], not_before[32], not_after[32];
};

static chiredis_tls *owner(SSL *ssl) { return openssl.SSL_get_ex_data(ssl, 0); }

static long long date(const ASN1_TIME *time, char text[32]) {
  struct tm tm;
  text[0] = 0;
  if (!openssl.ASN1_TIME_to_tm(time, &tm)) return 0;
  strftime(text, 32, "%Y-%m-%dT%H:%M:%SZ", &tm);
  return timegm(&tm);
}

static void describe(chiredis_tls *tls, X509 *certificate, int depth) {
  openssl.X509_NAME_oneline(openssl.X509_get_subject_name(certificate), tls->subject, sizeof tls->subject);
  openssl.X509_NAME_oneline(openssl.X509_get_issuer_name(certificate), tls->issuer, sizeof tls->issuer);
  long long begin = date(openssl.X509_get0_notBefore(certificate), tls->not_before);
  long long end = date(openssl.X509_get0_notAfter(certificate), tls->not_after);

  tls->names[0] = 0;
  int index = openssl.X509_get_ext_by_NID(certificate, NID_subject_alt_name, -1);
  BIO *text = index >= 0 ? openssl.BIO_new(openssl.BIO_s_mem()) : NULL;
  if (text) {
    openssl.X509V3_EXT_print(text, openssl.X509_get_ext(certificate, index), 0, 0);
    int count = openssl.BIO_read(text, tls->names, sizeof tls->names - 1);
    tls->names[count > 0 ? count : 0] = 0;
    openssl.BIO_free(text);
  }
  tls->peer = (chiredis_tls_certificate){
    depth, tls->subject, tls->issuer, tls->names, tls->not_before, tls->not_after, begin, end,
  };
}

// Called for each certificate of the chain, the server's own last.
static int look(int is_good, X509_STORE_CTX *store) {
  chiredis_tls *tls = owner(openssl.X509_STORE_CTX_get_ex_data(store, openssl.SSL_get_ex_data_X509_STORE_CTX_idx()));
  int depth = openssl.X509_STORE_CTX_get_error_depth(store);
  X509 *certificate = openssl.X509_STORE_CTX_get_current_cert(store);
  if (certificate && (!is_good || depth == 0)) describe(tls, certificate, depth);
  if (!is_good) tls->verification = openssl.X509_STORE_CTX_get_error(store);
  return is_good;
}

// Called where the server asks for a certificate, and there is none.
static int ask(SSL *ssl, X509 **certificate, EVP_PKEY **key) {
  (void)certificate, (void)key;
  owner(ssl)->was_asked = true;
  return 0;
}

// OpenSSL's own asks on the terminal.
static int refuse_password(char *buffer, int size, int is_writing, void *was_asked) {
  (void)buffer, (void)size, (void)is_writing;
  *(bool *)was_asked = true;
  return 0;
}

static bool use_files(
  SSL_CTX *context, const char *ca, const char *certificate, const char *key, chiredis_tls_failure *failure
) {
  if (ca && openssl.SSL_CTX_load_verify_locations(context, ca, NULL) != 1) {
    *failure = failed(CHIREDIS_TLS_BAD_CA);
    return false;
  }
  if (!certificate) return true;
  if (openssl.SSL_CTX_use_certificate_chain_file(context, certificate) != 1) {
    *failure = failed(CHIREDIS_TLS_BAD_CERTIFICATE);
    return false;
  }
  bool was_asked = false;
  openssl.SSL_CTX_set_default_passwd_cb_userdata(context, &was_asked);
  int is_used = openssl.SSL_CTX_use_PrivateKey_file(context, key, SSL_FILETYPE_PEM);
  openssl.SSL_CTX_set_default_passwd_cb_userdata(context, NULL);
  if (is_used == 1 && openssl.SSL_CTX_check_private_key(context) == 1) return true;
  *failure = failed(was_asked ? CHIREDIS_TLS_ENCRYPTED_KEY : fault_of_key());
  return false;
}

chiredis_tls_context *chiredis_tls_context_new(
  const char *ca, bool is_whole, const char *certificate, const char *key, bool is_insecure,
  chiredis_tls_failure *failure
) {
  openssl.ERR_clear_error();
  errno = 0;
  SSL_CTX *context = openssl.SSL_CTX_new(openssl.TLS_client_method());
  if (!context) {
    *failure = failed(CHIREDIS_TLS_OTHER);
    return NULL;
  }
  openssl.SSL_CTX_ctrl(context, SSL_CTRL_SET_MIN_PROTO_VERSION, TLS1_2_VERSION, NULL);
  // The buffer that is being written grows, and may move.
  openssl.SSL_CTX_ctrl(
    context, SSL_CTRL_MODE, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER, NULL
  );
  openssl.SSL_CTX_ctrl(context, SSL_CTRL_SET_READ_AHEAD, 1, NULL);
  // A write never has to wait for something to read.
  openssl.SSL_CTX_set_options(context, SSL_OP_NO_RENEGOTIATION);
  openssl.SSL_CTX_set_verify(context, is_insecure ? SSL_VERIFY_NONE : SSL_VERIFY_PEER, look);
  openssl.SSL_CTX_set_client_cert_cb(context, ask);
  openssl.SSL_CTX_set_default_passwd_cb(context, refuse_password);
  if (!ca && !is_insecure) {
    if (is_whole) {
      openssl.SSL_CTX_set_default_verify_paths(context);
    } else {
      openssl.SSL_CTX_set_default_verify_dir(context);
    }
  }
  if (use_files(context, ca, certificate, key, failure)) return context;
  openssl.SSL_CTX_free(context);
  return NULL;
}

static const char *named(const char *variable, const char *standard) {
  const char *name = getenv(variable);
  return name ? name : standard;
}

const char *chiredis_tls_system_file(void) {
  return named(openssl.X509_get_default_cert_file_env(), openssl.X509_get_default_cert_file());
}

const char *chiredis_tls_system_folder(void) {
  return named(openssl.X509_get_default_cert_dir_env(), openssl.X509_get_default_cert_dir());
}

void chiredis_tls_context_free(chiredis_tls_context *context) { openssl.SSL_CTX_free(context); }

// --- A connection ----------------------------------------------------------------------------------------------------

chiredis_tls *chiredis_tls_new(chiredis_tls_context *context, int descriptor, const char *name, bool is_address) {
  chiredis_tls *tls = calloc(1, sizeof *tls);
  SSL *ssl = tls ? openssl.SSL_new(context) : NULL;
  if (!ssl || openssl.SSL_set_fd(ssl, descriptor) != 1) goto out_of_memory;
  tls->ssl = ssl;
  tls->peer = (chiredis_tls_certificate){ 0, "", "", "", "", "", 0, 0 };
  openssl.SSL_set_ex_data(ssl, 0, tls);
  if (is_address) {
    if (openssl.X509_VERIFY_PARAM_set1_ip_asc(openssl.SSL_get0_param(ssl), name) != 1) goto out_of_memory;
  } else {
    // The names that a certificate is for stand in its subjectAltName, and nowhere else.
    openssl.SSL_set_hostflags(ssl, X509_CHECK_FLAG_NEVER_CHECK_SUBJECT | X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
    if (openssl.SSL_set1_host(ssl, name) != 1) goto out_of_memory;
    openssl.SSL_ctrl(ssl, SSL_CTRL_SET_TLSEXT_HOSTNAME, TLSEXT_NAMETYPE_host_name, (void *)name);
  }
  return tls;

out_of_memory:
  if (ssl) openssl.SSL_free(ssl);
  free(tls);
  return NULL;
}

void chiredis_tls_free(chiredis_tls *tls) {
  openssl.SSL_free(tls->ssl);
  free(tls);
}

static void begin(void) {
  openssl.ERR_clear_error();
  errno = 0;
}

// What an SSL_... returned, as one of ours.
static int outcome(chiredis_tls *tls, int result) {
  if (result > 0) return result;
  int system = errno;
  switch (openssl.SSL_get_error(tls->ssl, result)) {
  case SSL_ERROR_WANT_READ:
    return CHIREDIS_TLS_WANTS_READ;
  case SSL_ERROR_WANT_WRITE:
    return CHIREDIS_TLS_WANTS_WRITE;
  case SSL_ERROR_ZERO_RETURN:
    return CHIREDIS_TLS_END;
  case SSL_ERROR_SYSCALL:
    if (system == 0) return CHIREDIS_TLS_END;
    tls->failure = (chiredis_tls_failure){ CHIREDIS_TLS_SYSTEM, system, "" };
    return CHIREDIS_TLS_FAILED;
  default:
    break;
  }
  unsigned long code = openssl.ERR_peek_error();
  int reason = ERR_GET_LIB(code) == ERR_LIB_SSL ? ERR_GET_REASON(code) : 0;
#ifdef SSL_R_UNEXPECTED_EOF_WHILE_READING
  if (reason == SSL_R_UNEXPECTED_EOF_WHILE_READING) return CHIREDIS_TLS_END;
#endif
  if (reason == SSL_R_CERTIFICATE_VERIFY_FAILED) {
    const char *words = openssl.X509_verify_cert_error_string(tls->verification);
    tls->failure = (chiredis_tls_failure){ fault_of_certificate(tls->verification), 0, words };
  } else if (reason > SSL_AD_REASON_OFFSET) {
    int alert = reason - SSL_AD_REASON_OFFSET;
    tls->failure = (chiredis_tls_failure){ fault_of_alert(alert), 0, openssl.SSL_alert_desc_string_long(alert) };
  } else {
    tls->failure = failed(fault_of_reason(reason));
  }
  return CHIREDIS_TLS_FAILED;
}

int chiredis_tls_handshake(chiredis_tls *tls) {
  begin();
  return outcome(tls, openssl.SSL_connect(tls->ssl));
}

int chiredis_tls_write(chiredis_tls *tls, const void *bytes, size_t count) {
  begin();
  return outcome(tls, openssl.SSL_write(tls->ssl, bytes, count < INT_MAX ? (int)count : INT_MAX));
}

int chiredis_tls_read(chiredis_tls *tls, redisContext *context) {
  char buffer[16 * 1024];
  begin();
  int count = outcome(tls, openssl.SSL_read(tls->ssl, buffer, sizeof buffer));
  // What the reader refuses, it says of the next reply.
  if (count > 0) redisReaderFeed(context->reader, buffer, (size_t)count);
  return count;
}

chiredis_tls_failure chiredis_tls_last_failure(const chiredis_tls *tls) { return tls->failure; }

bool chiredis_tls_was_asked(const chiredis_tls *tls) { return tls->was_asked; }

chiredis_tls_certificate chiredis_tls_peer(const chiredis_tls *tls) { return tls->peer; }
