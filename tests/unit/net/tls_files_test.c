/* SPDX-License-Identifier: Apache-2.0
 *
 * lib/net/tls: which files a context is made of, and what is said of one that is none. Keys and
 * certificates are made here.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <criterion/criterion.h>
#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>

#include "net/tls.h"

#define MINE 54321 /* the workload */

static char root[] = "/tmp/lazaret-tls-XXXXXX";

static const char *at(const char *name)
{
    static char whole[64][PATH_MAX];
    static unsigned turn;
    char *ret = whole[turn++ % 64];
    (void)snprintf(
            ret, PATH_MAX, "%s%s%s", name[0] == '\0' ? "" : root, name[0] == '\0' ? "" : "/", name);
    return ret;
}

static void put(const char *name, const char *text)
{
    FILE *file = fopen(at(name), "w");
    cr_assert(file != NULL && fputs(text, file) >= 0 && fclose(file) == 0, "%s", name);
}

/* A certificate of its own key; `behind` is text after it. */
static void put_pair(const char *certificate, const char *key, const char *behind)
{
    EVP_PKEY *pair = EVP_EC_gen("P-256");
    X509 *made = X509_new();
    FILE *file = fopen(at(certificate), "w");
    cr_assert(pair != NULL && made != NULL && file != NULL);
    cr_assert_eq(X509_set_version(made, 2), 1);
    cr_assert_eq(ASN1_INTEGER_set(X509_get_serialNumber(made), 7), 1);
    cr_assert(X509_gmtime_adj(X509_getm_notBefore(made), -60) != NULL &&
            X509_gmtime_adj(X509_getm_notAfter(made), 3600) != NULL);
    cr_assert_eq(X509_set_pubkey(made, pair), 1);
    cr_assert_gt(X509_sign(made, pair, EVP_sha256()), 0);
    cr_assert_eq(PEM_write_X509(file, made), 1);
    cr_assert(fputs(behind, file) >= 0 && fclose(file) == 0);
    file = fopen(at(key), "w");
    cr_assert(file != NULL && PEM_write_PrivateKey(file, pair, NULL, NULL, 0, NULL, NULL) == 1);
    cr_assert_eq(fclose(file), 0);
    X509_free(made);
    EVP_PKEY_free(pair);
}

static void set_up(void)
{
    (void)umask(022);
    cr_assert_not_null(mkdtemp(root));
    cr_assert_eq(chmod(root, 0755), 0);
    put_pair("own.pem", "own.key", "");
    put_pair("other.pem", "other.key", "");
    put_pair("torn.pem", "torn.key", "-----BEGIN CERTIFICATE-----\nAAAA\n");
    put("text", "no PEM at all\n");
    put("empty", "");
}

static void tear_down(void)
{
    static const char *const names[] = {"own.pem", "own.key", "other.pem", "other.key", "torn.pem",
            "torn.key", "text", "empty", "fifo", "large"};
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        (void)unlink(at(names[i]));
    }
    cr_expect_eq(rmdir(root), 0);
}

TestSuite(tls_files, .init = set_up, .fini = tear_down);

static struct laz_tls_plan plan_of(const char *ca, const char *cert, const char *key)
{
    return (struct laz_tls_plan){
            .ca = at(ca), .cert = at(cert), .key = at(key), .peer = "server.test"};
}

static unsigned count_open(void)
{
    unsigned n = 0;
    for (int fd = 0; fd < 256; fd++) {
        n += fcntl(fd, F_GETFD) >= 0;
    }
    return n;
}

Test(tls_files, makes_a_context_of_these_and_says_what_is_wrong_with_others)
{
    static const struct {
        const char *ca;
        const char *cert;
        const char *key;
        const char *why; /* NULL: it is made */
    } rows[] = {
            {"own.pem", "", "", NULL},
            {"own.pem", "own.pem", "own.key", NULL},
            {"absent", "", "", "absent: No such file or directory"},
            {"own.pem", "absent", "own.key", "absent: No such file or directory"},
            {"own.pem", "own.pem", "absent", "absent: No such file or directory"},
            {"text", "", "", "text: no certificate in it: no start line"},
            {"empty", "", "", "empty: no certificate in it"},
            {"own.key", "", "", "own.key: no certificate in it"},
            {"torn.pem", "", "", "torn.pem: a certificate in it: "},
            {"own.pem", "text", "own.key", "text: it is no certificate to show: no start line"},
            {"own.pem", "torn.pem", "torn.key", "torn.pem: it is no certificate to show: "},
            {"own.pem", "own.pem", "text", "text: it is not the certificate's key: "},
            {"own.pem", "own.pem", "other.key", "other.key: it is not the certificate's key: "},
            {"own.pem", "own.pem", "own.pem", "own.pem: it is not the certificate's key: "},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        const struct laz_tls_plan plan = plan_of(rows[i].ca, rows[i].cert, rows[i].key);
        struct laz_err err = {0};
        struct laz_tls *tls = NULL;
        unsigned before = count_open();
        int result = laz_tls_new(&plan, &tls, &err);
        cr_expect_eq(result, rows[i].why == NULL ? 0 : -1, "row %zu: %s", i, err.message);
        if (rows[i].why != NULL) {
            cr_expect(tls == NULL && err.kind == LAZ_E_SINK, "row %zu: kind %d", i, (int)err.kind);
            cr_expect_not_null(strstr(err.message, rows[i].why), "row %zu: %s", i, err.message);
            cr_expect_eq(strncmp(err.message, root, strlen(root)), 0, "row %zu: the path", i);
        }
        cr_expect_eq(ERR_peek_error(), 0, "row %zu: the queue of errors is not empty", i);
        cr_expect_eq(count_open(), before, "row %zu: a file is open", i);
        laz_tls_free(tls);
    }
}

Test(tls_files, is_not_larger_than_a_file_may_be)
{
    const struct laz_tls_plan plan = plan_of("large", "", "");
    struct laz_err err = {0};
    struct laz_tls *tls = NULL;
    put("large", "x");
    cr_assert_eq(truncate(at("large"), LAZ_TLS_FILE_MAX + 1), 0);
    cr_expect_eq(laz_tls_new(&plan, &tls, &err), -1);
    cr_expect_not_null(strstr(err.message, "large: "), "%s", err.message);
}

Test(tls_files, opens_all_of_them_or_none)
{
    static const struct laz_party everybody = {0};
    struct laz_tls_files files;
    struct laz_err err = {0};
    struct laz_tls_plan plan = plan_of("own.pem", "own.pem", "absent");
    unsigned before = count_open();
    cr_expect_eq(laz_tls_files_open(&plan, NULL, &files, &err), -1);
    cr_expect(files.ca == -1 && files.cert == -1 && files.key == -1);
    err = (struct laz_err){0};
    cr_expect_eq(laz_tls_files_open(&plan, &everybody, &files, &err), -1);
    cr_expect_eq(err.sys_errno, ENOENT);
    cr_expect_eq(count_open(), before, "a file is open");
    plan.key = at("own.key");
    cr_expect_eq(laz_tls_files_open(&plan, &everybody, &files, &err), 0, "%s", err.message);
    cr_expect(files.ca >= 0 && files.cert >= 0 && files.key >= 0);
    plan.files = &files;
    struct laz_tls *tls = NULL;
    for (int i = 0; i < 2; i++) { /* another context of the same files */
        cr_expect_eq(laz_tls_new(&plan, &tls, &err), 0, "%s", err.message);
        laz_tls_free(tls);
    }
    laz_tls_files_close(&files);
    plan = plan_of("", "", "");
    cr_expect_eq(laz_tls_files_open(&plan, &everybody, &files, &err), 0, "%s", err.message);
    cr_expect(files.ca == -1 && files.cert == -1 && files.key == -1, "none is named");
}

Test(tls_files, opens_none_in_which_the_party_has_a_hand)
{
    static const struct laz_party party = {.uid = MINE, .gid = MINE};
    static const char *const names[] = {"own.pem", "other.pem", "own.key"};
    const struct laz_tls_plan plan = plan_of("own.pem", "other.pem", "own.key");
    struct laz_tls_files files;
    struct laz_err err = {0};
    cr_assert_eq(geteuid(), 0, "files are given away here");
    cr_assert_eq(laz_tls_files_open(&plan, &party, &files, &err), 0, "%s", err.message);
    laz_tls_files_close(&files);
    for (size_t i = 0; i < 3; i++) {
        char wanted[PATH_MAX];
        (void)snprintf(wanted, sizeof(wanted), "%s: %s belongs to the workload, user %d",
                at(names[i]), at(names[i]), MINE);
        err = (struct laz_err){0};
        cr_assert_eq(chown(at(names[i]), MINE, 0), 0);
        cr_expect_eq(laz_tls_files_open(&plan, &party, &files, &err), -1, "%s", names[i]);
        cr_expect_str_eq(err.message, wanted);
        cr_expect(err.kind == LAZ_E_SINK && err.sys_errno == 0);
        cr_expect_eq(laz_tls_files_open(&plan, NULL, &files, &err), 0, "nobody is kept apart");
        laz_tls_files_close(&files);
        cr_assert_eq(chown(at(names[i]), 0, 0), 0);
    }
    cr_assert_eq(mkfifo(at("fifo"), 0600), 0);
    const struct laz_tls_plan pipe_plan = plan_of("fifo", "", "");
    err = (struct laz_err){0};
    cr_expect_eq(laz_tls_files_open(&pipe_plan, &party, &files, &err), -1);
    cr_expect_eq(err.sys_errno, EINVAL, "it is no regular file: %s", err.message);
}

/* ---- where keys are ---- */

#define KEYS 65536

/* Bytes among them that each context takes for itself. */
static size_t of_context(void)
{
    size_t before = CRYPTO_secure_used();
    SSL_CTX *context = SSL_CTX_new(TLS_client_method());
    size_t used = CRYPTO_secure_used() - before;
    SSL_CTX_free(context);
    return used;
}

static struct laz_tls *made_like(const struct laz_tls *like, const char *key, struct laz_err *err)
{
    struct laz_tls_plan plan = plan_of("own.pem", "own.pem", key);
    struct laz_tls *tls = NULL;
    plan.like = like;
    *err = (struct laz_err){0};
    cr_expect_eq(laz_tls_new(&plan, &tls, err), tls == NULL ? -1 : 0);
    return tls;
}

Test(tls_files, one_key_is_there_once_for_all_contexts_that_have_it)
{
    struct laz_err err = {0};
    cr_assert_neq(CRYPTO_secure_malloc_init(KEYS, 32), 0);
    struct laz_tls *first = made_like(NULL, "own.key", &err);
    cr_assert_not_null(first, "%s", err.message);
    size_t before = CRYPTO_secure_used();
    struct laz_tls *alike = made_like(first, "own.key", &err);
    cr_assert_not_null(alike, "%s", err.message);
    size_t shared = CRYPTO_secure_used() - before;
    struct laz_tls *own = made_like(NULL, "own.key", &err);
    cr_expect_gt(CRYPTO_secure_used() - before, 2 * shared, "the control: a key takes room");
    cr_expect_eq(shared, of_context(), "%zu", shared);
    laz_tls_free(first);
    laz_tls_free(own);
    SSL *session = laz_tls_session(alike);
    cr_expect_eq(SSL_check_private_key(session), 1, "it is there as long as one has it");
    SSL_free(session);
    laz_tls_free(alike);
}

Test(tls_files, want_of_memory_for_a_key_is_not_taken_for_a_bad_key)
{
    static void *taken[KEYS / 32];
    static const char why[] = "own.key: no memory for a key: open connections hold those of before";
    struct laz_err err = {0};
    size_t n = 0;
    cr_assert_neq(CRYPTO_secure_malloc_init(KEYS, 32), 0);
    laz_tls_free(made_like(NULL, "own.key", &err)); /* what libcrypto keeps there for itself */
    void *rest = OPENSSL_secure_malloc(of_context());
    void *hole = OPENSSL_secure_malloc(LAZ_TLS_KEY_MAX); /* for the file, and nothing else */
    for (size_t size = KEYS / 4; size >= 32; size /= 2) {
        while ((taken[n] = OPENSSL_secure_malloc(size)) != NULL) {
            n++;
        }
    }
    OPENSSL_secure_free(rest);
    for (int i = 0; i < 2; i++) {
        cr_expect_null(made_like(NULL, "own.key", &err), "%d", i);
        cr_expect_eq(err.kind, LAZ_E_MEMORY, "%d: kind %d", i, (int)err.kind);
        cr_expect_not_null(strstr(err.message, why), "%d: %s", i, err.message);
        cr_expect_eq(ERR_peek_error(), 0, "%d: the queue of errors is not empty", i);
        OPENSSL_secure_free(hole);
        hole = NULL;
    }
    OPENSSL_secure_free(taken[0]);
    struct laz_tls *tls = made_like(NULL, "own.key", &err);
    cr_expect_not_null(tls, "the control: with room it is good: %s", err.message);
    cr_expect_null(made_like(NULL, "other.key", &err));
    cr_expect_eq(err.kind, LAZ_E_SINK, "and another is not");
    laz_tls_free(tls);
    for (size_t i = 1; i < n; i++) {
        OPENSSL_secure_free(taken[i]);
    }
}
