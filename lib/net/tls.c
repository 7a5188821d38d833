/* SPDX-License-Identifier: Apache-2.0
 *
 * TLS contexts from PEM files. Private keys are in memory only inside OpenSSL's own objects.
 */
#include "net/tls.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <time.h>
#include <unistd.h>

#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>

#include "core/fd.h"
#include "net/tls_profile.h"

#define CLOCK_TEXT 64
#define NO_ROOM    "%s: no memory for a key: open connections hold those of before"
#define KEY_ROOM   (LAZ_TLS_KEY_MAX / 2) /* bytes in which there is room for any key */

struct laz_tls {
    SSL_CTX *context;
    char *peer;
    bool peer_is_address;
    bool serves;
};

struct pem {
    char *bytes; /* of OpenSSL's, and where keys are, if the process has made such a place */
    size_t size;
    size_t length;
    BIO *bio;
};

static void close_pem(struct pem *pem)
{
    BIO_free(pem->bio);
    if (pem->bytes != NULL) {
        OPENSSL_secure_clear_free(pem->bytes, pem->size);
    }
    *pem = (struct pem){0};
}

/* -1, and its message. */
static int open_file(const char *path, struct laz_err *err)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK); /* it may be anything */
    if (fd < 0) {
        (void)laz_err_set(err, LAZ_E_SINK, errno, "%s: %s", path, strerror(errno));
    }
    return fd;
}

static int open_unless_none(
        const char *path, const struct laz_party *party, int *ret, struct laz_err *err)
{
    struct laz_err why = {0};
    *ret = -1;
    if (path[0] == '\0') {
        return 0;
    }
    if (party == NULL) {
        *ret = open_file(path, err);
        return *ret < 0 ? -1 : 0;
    }
    if (laz_trusted_open(path, party, ret, &why) != 0) {
        return laz_err_set(err, LAZ_E_SINK, why.sys_errno, "%s: %s", path, why.message);
    }
    return 0;
}

int laz_tls_files_open(const struct laz_tls_plan *plan, const struct laz_party *party,
        struct laz_tls_files *ret, struct laz_err *err)
{
    *ret = (struct laz_tls_files){.ca = -1, .cert = -1, .key = -1};
    if (open_unless_none(plan->ca, party, &ret->ca, err) != 0 ||
            open_unless_none(plan->cert, party, &ret->cert, err) != 0 ||
            open_unless_none(plan->key, party, &ret->key, err) != 0) {
        laz_tls_files_close(ret);
        return -1;
    }
    return 0;
}

const char *laz_tls_system_ca(void)
{
    static const char *const bundles[] = {
            "/etc/ssl/certs/ca-certificates.crt", /* Debian, Alpine, distroless */
            "/etc/pki/tls/certs/ca-bundle.crt",   /* Amazon Linux, Fedora */
            "/etc/ssl/ca-bundle.pem",             /* SUSE */
            "/etc/ssl/cert.pem",
    };
    for (size_t i = 0; i < sizeof(bundles) / sizeof(bundles[0]); i++) {
        if (access(bundles[i], R_OK) == 0) {
            return bundles[i];
        }
    }
    return bundles[0]; /* that it is not there will be said */
}

void laz_tls_files_close(struct laz_tls_files *files)
{
    laz_fd_close(&files->ca);
    laz_fd_close(&files->cert);
    laz_fd_close(&files->key);
}

static int read_pem(int fd, const char *path, bool is_key, struct pem *ret, struct laz_err *err)
{
    struct pem pem = {.size = is_key ? LAZ_TLS_KEY_MAX : LAZ_TLS_FILE_MAX};
    pem.bytes = is_key ? OPENSSL_secure_malloc(pem.size) : OPENSSL_malloc(pem.size);
    /* Another context may have been made of the same file; a pipe has no second time. */
    (void)lseek(fd, 0, SEEK_SET);
    if (pem.bytes == NULL) {
        ERR_clear_error();
        return laz_err_set(err, LAZ_E_MEMORY, 0, is_key ? NO_ROOM : "%s: no memory", path);
    }
    if (laz_fd_read_all(fd, pem.bytes, pem.size, &pem.length, err) != 0) {
        close_pem(&pem);
        return laz_err_context(err, "%s", path);
    }
    pem.bio = BIO_new_mem_buf(pem.bytes, (int)pem.length);
    if (pem.bio == NULL) {
        close_pem(&pem);
        return laz_err_set(err, LAZ_E_MEMORY, 0, "%s: no memory", path);
    }
    *ret = pem;
    return 0;
}

static const char *reason(void)
{
    unsigned long error = ERR_peek_last_error();
    const char *text = ERR_reason_error_string(error);
    return text == NULL ? "unknown" : text;
}

/* Its message; the queue is left empty, because the next failure is another. */
static int set_reason(struct laz_err *err, const char *path, const char *what)
{
    (void)laz_err_set(err, LAZ_E_SINK, 0, "%s: %s: %s", path, what, reason());
    ERR_clear_error();
    return -1;
}

/* Nobody is asked for a passphrase. */
static int no_passphrase(char *text, int size, int writing, void *context)
{
    if (size > 0) {
        text[0] = '\0';
    }
    (void)writing;
    (void)context;
    return -1;
}

static int load_authorities(SSL_CTX *context, int fd, const char *path, struct laz_err *err)
{
    struct pem pem = {0};
    int n = 0;
    bool is_good = true;
    if (read_pem(fd, path, false, &pem, err) != 0) {
        return -1;
    }
    for (X509 *found = NULL; is_good; n++) {
        found = PEM_read_bio_X509(pem.bio, NULL, no_passphrase, NULL);
        if (found == NULL) {
            break;
        }
        is_good = X509_STORE_add_cert(SSL_CTX_get_cert_store(context), found) == 1;
        X509_free(found);
    }
    close_pem(&pem);
    is_good = is_good && n > 0 && ERR_GET_REASON(ERR_peek_last_error()) == PEM_R_NO_START_LINE;
    if (!is_good) {
        return set_reason(err, path, n == 0 ? "no certificate in it" : "a certificate in it");
    }
    ERR_clear_error();
    return 0;
}

/* The first certificate is ours, the others lead to an authority. */
static int load_certificate(SSL_CTX *context, int fd, const char *path, struct laz_err *err)
{
    struct pem pem = {0};
    if (read_pem(fd, path, false, &pem, err) != 0) {
        return -1;
    }
    X509 *own = PEM_read_bio_X509(pem.bio, NULL, no_passphrase, NULL);
    bool is_good = own != NULL && SSL_CTX_use_certificate(context, own) == 1;
    X509_free(own);
    while (is_good) {
        X509 *next = PEM_read_bio_X509(pem.bio, NULL, no_passphrase, NULL);
        if (next == NULL) {
            is_good = ERR_GET_REASON(ERR_peek_last_error()) == PEM_R_NO_START_LINE;
            break;
        }
        is_good = SSL_CTX_add0_chain_cert(context, next) == 1;
        if (!is_good) {
            X509_free(next);
        }
    }
    close_pem(&pem);
    if (!is_good) {
        return set_reason(err, path, "it is no certificate to show");
    }
    ERR_clear_error();
    return 0;
}

/* A decoder that had no room says what it says of junk. Asked while the text is still there. */
static bool has_room(void)
{
    void *room = OPENSSL_secure_malloc(KEY_ROOM);
    OPENSSL_secure_free(room);
    return room != NULL;
}

/* NULL: there is none in it. */
static int read_key(int fd, const char *path, EVP_PKEY **ret, struct laz_err *err)
{
    struct pem pem = {0};
    if (read_pem(fd, path, true, &pem, err) != 0) {
        return -1;
    }
    EVP_PKEY *key = PEM_read_bio_PrivateKey(pem.bio, NULL, no_passphrase, NULL);
    bool is_short = key == NULL && !has_room();
    close_pem(&pem);
    if (is_short) {
        ERR_clear_error();
        return laz_err_set(err, LAZ_E_MEMORY, 0, NO_ROOM, path);
    }
    *ret = key;
    return 0;
}

static int load_key(SSL_CTX *context, const struct laz_tls_plan *plan, int fd, struct laz_err *err)
{
    EVP_PKEY *key = NULL;
    if (plan->like != NULL) {
        key = SSL_CTX_get0_privatekey(plan->like->context);
        (void)EVP_PKEY_up_ref(key);
    } else if (read_key(fd, plan->key, &key, err) != 0) {
        return -1;
    }
    bool is_good = key != NULL && SSL_CTX_use_PrivateKey(context, key) == 1 &&
            SSL_CTX_check_private_key(context) == 1;
    EVP_PKEY_free(key);
    return is_good ? 0 : set_reason(err, plan->key, "it is not the certificate's key");
}

static int set_up(SSL_CTX *context, const struct laz_tls_plan *plan,
        const struct laz_tls_files *files, struct laz_err *err)
{
    if (laz_tls_harden(context, plan->profile, err) != 0) {
        return -1;
    }
    if (plan->serves && plan->ca[0] == '\0') {
        SSL_CTX_set_verify(context, SSL_VERIFY_NONE, NULL);
    } else if (load_authorities(context, files->ca, plan->ca, err) != 0) {
        return -1;
    } else if (plan->serves) {
        int mode = SSL_VERIFY_PEER | (plan->requires_client ? SSL_VERIFY_FAIL_IF_NO_PEER_CERT : 0);
        SSL_CTX_set_verify(context, mode, SSL_CTX_get_verify_callback(context));
    }
    if (plan->cert[0] == '\0') {
        return 0;
    }
    if (load_certificate(context, files->cert, plan->cert, err) != 0) {
        return -1;
    }
    return load_key(context, plan, files->key, err);
}

static int set_up_by_path(SSL_CTX *context, const struct laz_tls_plan *plan, struct laz_err *err)
{
    struct laz_tls_files files;
    if (laz_tls_files_open(plan, NULL, &files, err) != 0) {
        return -1;
    }
    int result = set_up(context, plan, &files, err);
    laz_tls_files_close(&files);
    return result;
}

int laz_tls_new(const struct laz_tls_plan *plan, struct laz_tls **ret, struct laz_err *err)
{
    uint8_t address[sizeof(struct in6_addr)];
    struct laz_tls *tls = calloc(1, sizeof(*tls));
    ERR_clear_error();
    if (tls != NULL) {
        tls->peer = strdup(plan->peer);
        tls->serves = plan->serves;
        tls->context = SSL_CTX_new(plan->serves ? TLS_server_method() : TLS_client_method());
        tls->peer_is_address = inet_pton(AF_INET, plan->peer, address) == 1 ||
                inet_pton(AF_INET6, plan->peer, address) == 1;
    }
    if (tls == NULL || tls->peer == NULL || tls->context == NULL) {
        laz_tls_free(tls);
        return laz_err_set(err, LAZ_E_MEMORY, 0, "no memory for TLS");
    }
    int result = plan->files == NULL ? set_up_by_path(tls->context, plan, err)
                                     : set_up(tls->context, plan, plan->files, err);
    if (result != 0) {
        laz_tls_free(tls);
        return -1;
    }
    *ret = tls;
    return 0;
}

void laz_tls_free(struct laz_tls *tls)
{
    if (tls != NULL) {
        SSL_CTX_free(tls->context);
        free(tls->peer);
        free(tls);
    }
}

SSL *laz_tls_session(const struct laz_tls *tls)
{
    SSL *session = SSL_new(tls->context);
    if (session == NULL) {
        return NULL;
    }
    if (tls->serves) {
        return session;
    }
    X509_VERIFY_PARAM *wanted = SSL_get0_param(session);
    bool is_good = false;
    X509_VERIFY_PARAM_set_hostflags(
            wanted, X509_CHECK_FLAG_NEVER_CHECK_SUBJECT | X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
    if (tls->peer_is_address) {
        is_good = X509_VERIFY_PARAM_set1_ip_asc(wanted, tls->peer) == 1;
    } else {
        is_good = X509_VERIFY_PARAM_set1_host(wanted, tls->peer, 0) == 1 &&
                SSL_set_tlsext_host_name(session, tls->peer) == 1;
    }
    if (!is_good) {
        ERR_clear_error();
        SSL_free(session);
        return NULL;
    }
    return session;
}

static bool is_text(const ASN1_STRING *text, const char *wanted, bool folds)
{
    size_t length = strlen(wanted);
    const char *bytes = (const char *)ASN1_STRING_get0_data(text);
    if (ASN1_STRING_length(text) != (int)length) { /* a NUL within it is a byte like others */
        return false;
    }
    return folds ? strncasecmp(bytes, wanted, length) == 0 : memcmp(bytes, wanted, length) == 0;
}

bool laz_tls_has_name(SSL *session, const char *name)
{
    static const char dns[] = "dns:";
    bool is_dns = strncmp(name, dns, sizeof(dns) - 1) == 0;
    const char *wanted = is_dns ? name + sizeof(dns) - 1 : name;
    X509 *certificate = SSL_get0_peer_certificate(session);
    GENERAL_NAMES *names = certificate == NULL
            ? NULL
            : X509_get_ext_d2i(certificate, NID_subject_alt_name, NULL, NULL);
    bool has = false;
    for (int i = 0; names != NULL && i < sk_GENERAL_NAME_num(names) && !has; i++) {
        const GENERAL_NAME *one = sk_GENERAL_NAME_value(names, i);
        has = (one->type == GEN_DNS && is_dns && is_text(one->d.dNSName, wanted, true)) ||
                (one->type == GEN_URI && !is_dns &&
                        is_text(one->d.uniformResourceIdentifier, wanted, false));
    }
    GENERAL_NAMES_free(names);
    ERR_clear_error();
    return has;
}

bool laz_tls_is_verified(SSL *session)
{
    return SSL_get0_peer_certificate(session) != NULL &&
            SSL_get_verify_result(session) == X509_V_OK && laz_tls_is_bound(session);
}

bool laz_tls_is_untrusted(SSL *session)
{
    long verdict = SSL_get_verify_result(session);
    bool is_ours = verdict == X509_V_ERR_OUT_OF_MEM || verdict == X509_V_ERR_UNSPECIFIED;
    return (verdict != X509_V_OK && !is_ours) ||
            (SSL_is_init_finished(session) == 1 && !laz_tls_is_bound(session));
}

/* It may be ours that is wrong. */
static void put_clock(long verdict, char *ret, size_t size)
{
    time_t now = time(NULL);
    struct tm parts;
    ret[0] = '\0';
    if ((verdict == X509_V_ERR_CERT_HAS_EXPIRED || verdict == X509_V_ERR_CERT_NOT_YET_VALID) &&
            gmtime_r(&now, &parts) != NULL) {
        (void)strftime(ret, size, " (the clock here says %Y-%m-%dT%H:%M:%SZ)", &parts);
    }
}

void laz_tls_why(SSL *session, unsigned long error, char *ret, size_t size)
{
    long verdict = SSL_get_verify_result(session);
    const char *text = ERR_reason_error_string(error);
    char clock[CLOCK_TEXT];
    if (verdict != X509_V_OK) {
        put_clock(verdict, clock, sizeof(clock));
        (void)snprintf(ret, size, "the peer's certificate: %s%s",
                X509_verify_cert_error_string(verdict), clock);
    } else if (SSL_is_init_finished(session) == 1 && !laz_tls_is_bound(session)) {
        (void)snprintf(ret, size, "the peer has TLS 1.2 without the extended master secret");
    } else if (ERR_GET_REASON(error) == SSL_R_UNEXPECTED_EOF_WHILE_READING) {
        (void)snprintf(ret, size, "the peer closed the connection");
    } else if (ERR_SYSTEM_ERROR(error)) {
        (void)snprintf(ret, size, "%s", strerror(ERR_GET_REASON(error)));
    } else if (ERR_GET_LIB(error) != 0) { /* or it is of SSL_get_error, and the reason in errno */
        (void)snprintf(ret, size, "TLS: %s", text == NULL ? "unknown error" : text);
    } else {
        ret[0] = '\0';
    }
}
