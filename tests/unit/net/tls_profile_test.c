/* SPDX-License-Identifier: Apache-2.0
 *
 * What a server sees of each profile: the suites, groups and signatures of the first message, read
 * from its bytes; and which servers and chains are no partners.
 */
#include "net/tls_profile.h"

#include <string.h>

#include <criterion/criterion.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>

#define HELLO_MAX 1024
#define LIST_MAX  24

struct hello {
    uint8_t bytes[HELLO_MAX];
    size_t length;
    size_t at;
};

static SSL_CTX *must_harden(const SSL_METHOD *method, enum laz_tls_profile profile)
{
    struct laz_err err = {0};
    SSL_CTX *context = SSL_CTX_new(method);
    cr_assert_not_null(context);
    cr_assert_eq(laz_tls_harden(context, profile, &err), 0, "%s", err.message);
    return context;
}

/* ---- the first message ---- */

static unsigned take(struct hello *hello, size_t n)
{
    unsigned value = 0;
    cr_assert(hello->at + n <= hello->length);
    while (n-- > 0) {
        value = value << 8 | hello->bytes[hello->at++];
    }
    return value;
}

static struct hello record_hello(enum laz_tls_profile profile)
{
    struct hello hello = {0};
    SSL_CTX *context = must_harden(TLS_client_method(), profile);
    SSL *session = SSL_new(context);
    BIO *out = BIO_new(BIO_s_mem());
    cr_assert(session != NULL && out != NULL);
    SSL_set_bio(session, BIO_new(BIO_s_mem()), out);
    SSL_set_connect_state(session);
    cr_assert_eq(SSL_do_handshake(session), -1);
    int n = BIO_read(out, hello.bytes, HELLO_MAX);
    cr_assert(n > 0 && n < HELLO_MAX);
    hello.length = (size_t)n;
    SSL_free(session);
    SSL_CTX_free(context);
    ERR_clear_error();
    return hello;
}

/* Behind the record's head, the message's, version, random and session. */
static void to_suites(struct hello *hello)
{
    hello->at = 5 + 4 + 2 + 32;
    hello->at += take(hello, 1);
}

static bool to_extension(struct hello *hello, unsigned wanted)
{
    to_suites(hello);
    hello->at += take(hello, 2);
    hello->at += take(hello, 1); /* compression */
    size_t end = take(hello, 2);
    end += hello->at;
    while (hello->at < end) {
        unsigned type = take(hello, 2);
        unsigned length = take(hello, 2);
        if (type == wanted) {
            return true;
        }
        hello->at += length;
    }
    return false;
}

static void expect_list(const char *name, struct hello *hello, const unsigned *wanted)
{
    size_t n = take(hello, 2) / 2;
    for (size_t i = 0; i < n; i++) {
        unsigned value = take(hello, 2);
        cr_expect_eq(value, wanted[i], "%s[%zu]: %04x, wanted %04x", name, i, value, wanted[i]);
    }
    cr_expect_eq(wanted[n], 0, "%s: %04x is missing", name, wanted[n]);
}

Test(tls_profile, offers_this_and_nothing_else)
{
    enum {
        RENEGOTIATION_INFO = 0x00ff
    };
    static const struct {
        const char *name;
        unsigned suites[LIST_MAX];
        unsigned groups[LIST_MAX];
        unsigned signatures[LIST_MAX];
    } rows[LAZ_TLS_PROFILE_COUNT] = {
            {"sp800-52r2", {0x1302, 0x1301, 0xc02c, 0xc030, 0xc02b, 0xc02f, RENEGOTIATION_INFO},
                    {23, 24, 25},
                    {0x0403, 0x0503, 0x0603, 0x0804, 0x0805, 0x0806, 0x0809, 0x080a, 0x080b, 0x0401,
                            0x0501, 0x0601}},
            {"modern",
                    {0x1302, 0x1301, 0x1303, 0xc02c, 0xc030, 0xc02b, 0xc02f, 0xcca9, 0xcca8,
                            RENEGOTIATION_INFO},
                    {29, 23, 24, 25},
                    {0x0403, 0x0503, 0x0603, 0x0804, 0x0805, 0x0806, 0x0809, 0x080a, 0x080b, 0x0401,
                            0x0501, 0x0601, 0x0807}},
    };
    for (int i = 0; i < LAZ_TLS_PROFILE_COUNT; i++) {
        struct hello hello = record_hello((enum laz_tls_profile)i);
        to_suites(&hello);
        expect_list("suites", &hello, rows[i].suites);
        cr_expect_eq(take(&hello, 1), 1, "one method of compression");
        cr_expect_eq(take(&hello, 1), 0, "which is none");
        cr_assert(to_extension(&hello, 10));
        expect_list("groups", &hello, rows[i].groups);
        cr_assert(to_extension(&hello, 13));
        expect_list("signatures", &hello, rows[i].signatures);
        cr_assert(to_extension(&hello, 43)); /* versions */
        cr_expect_eq(take(&hello, 1), 4);
        cr_expect_eq(take(&hello, 2), 0x0304);
        cr_expect_eq(take(&hello, 2), 0x0303);
        cr_expect(to_extension(&hello, 23), "the extended master secret is asked for");
        cr_expect_not(to_extension(&hello, 35), "no ticket is asked for");
        cr_expect_not(to_extension(&hello, 41), "no session is resumed");
        cr_expect_not(to_extension(&hello, 42), "nothing is sent early");
    }
}

/* ---- chains ---- */

struct link {
    EVP_PKEY *key;
    X509 *certificate;
};

static void add_extension(X509 *certificate, X509 *issuer, int id, const char *text)
{
    X509V3_CTX context;
    X509V3_set_ctx(&context, issuer, certificate, NULL, NULL, 0);
    X509_EXTENSION *extension = X509V3_EXT_conf_nid(NULL, &context, id, text);
    cr_assert(extension != NULL && X509_add_ext(certificate, extension, -1) == 1);
    X509_EXTENSION_free(extension);
}

static struct link make_link(
        EVP_PKEY *key, const char *name, const struct link *issuer, const EVP_MD *digest)
{
    struct link link = {.key = key, .certificate = X509_new()};
    X509_NAME *subject = X509_NAME_new();
    cr_assert(link.key != NULL && link.certificate != NULL && subject != NULL);
    cr_assert_eq(X509_NAME_add_entry_by_txt(
                         subject, "CN", MBSTRING_ASC, (const unsigned char *)name, -1, -1, 0),
            1);
    (void)X509_set_version(link.certificate, X509_VERSION_3);
    (void)ASN1_INTEGER_set(X509_get_serialNumber(link.certificate), name[0]);
    (void)X509_gmtime_adj(X509_getm_notBefore(link.certificate), -60);
    (void)X509_gmtime_adj(X509_getm_notAfter(link.certificate), 3600);
    (void)X509_set_subject_name(link.certificate, subject);
    (void)X509_set_issuer_name(link.certificate,
            issuer == NULL ? subject : X509_get_subject_name(issuer->certificate));
    (void)X509_set_pubkey(link.certificate, link.key);
    X509 *by = issuer == NULL ? link.certificate : issuer->certificate;
    bool is_authority = strcmp(name, "leaf") != 0;
    add_extension(link.certificate, by, NID_basic_constraints,
            is_authority ? "critical,CA:TRUE" : "critical,CA:FALSE");
    if (!is_authority) {
        add_extension(link.certificate, by, NID_subject_alt_name, "DNS:peer.internal");
    }
    cr_assert(X509_sign(link.certificate, issuer == NULL ? key : issuer->key, digest) > 0);
    X509_NAME_free(subject);
    return link;
}

struct chain {
    const char *name;
    EVP_PKEY *keys[3]; /* root, issuer, leaf */
    const EVP_MD *digests[3];
    long verdict;
    enum laz_tls_profile profile;
};

static long verify(const struct chain *chain)
{
    SSL_CTX *server = SSL_CTX_new(TLS_server_method());
    SSL_CTX *client = must_harden(TLS_client_method(), chain->profile);
    struct link root = make_link(chain->keys[0], "root", NULL, chain->digests[0]);
    struct link issuer = make_link(chain->keys[1], "issuer", &root, chain->digests[1]);
    struct link leaf = make_link(chain->keys[2], "leaf", &issuer, chain->digests[2]);
    BIO *left = NULL;
    BIO *right = NULL;
    SSL_CTX_set_security_level(server, 0);
    cr_assert_eq(SSL_CTX_use_certificate(server, leaf.certificate), 1, "%s", chain->name);
    cr_assert_eq(SSL_CTX_use_PrivateKey(server, leaf.key), 1, "%s", chain->name);
    cr_assert_eq(SSL_CTX_add1_chain_cert(server, issuer.certificate), 1, "%s", chain->name);
    cr_assert_eq(X509_STORE_add_cert(SSL_CTX_get_cert_store(client), root.certificate), 1);
    SSL *serving = SSL_new(server);
    SSL *asking = SSL_new(client);
    cr_assert_eq(BIO_new_bio_pair(&left, 0, &right, 0), 1);
    SSL_set_bio(serving, left, left);
    SSL_set_bio(asking, right, right);
    SSL_set_accept_state(serving);
    SSL_set_connect_state(asking);
    for (int i = 0; i < 8; i++) {
        (void)SSL_do_handshake(asking);
        (void)SSL_do_handshake(serving);
    }
    bool is_done = SSL_is_init_finished(asking) == 1;
    long verdict = SSL_get_verify_result(asking);
    cr_expect_eq(is_done, chain->verdict == X509_V_OK, "%s", chain->name);
    SSL_free(serving);
    SSL_free(asking);
    SSL_CTX_free(server);
    SSL_CTX_free(client);
    X509_free(root.certificate);
    X509_free(issuer.certificate);
    X509_free(leaf.certificate);
    ERR_clear_error();
    return verdict;
}

Test(tls_profile, takes_no_chain_with_a_weak_link)
{
    EVP_PKEY *ec = EVP_EC_gen("P-256");
    EVP_PKEY *koblitz = EVP_EC_gen("secp256k1");
    EVP_PKEY *small = EVP_EC_gen("P-224");
    EVP_PKEY *rsa = EVP_RSA_gen(2048);
    EVP_PKEY *weak = EVP_RSA_gen(1024);
    EVP_PKEY *edwards = EVP_PKEY_Q_keygen(NULL, NULL, "ED25519");
    const EVP_MD *good = EVP_sha256();
    const struct chain rows[] = {
            {"good", {ec, rsa, ec}, {good, good, good}, X509_V_OK, LAZ_TLS_SP800_52R2},
            {"a root is not asked how it was signed", {rsa, ec, rsa}, {EVP_sha1(), good, good},
                    X509_V_OK, LAZ_TLS_SP800_52R2},
            {"sha-1", {ec, rsa, ec}, {good, EVP_sha1(), good}, X509_V_ERR_CA_MD_TOO_WEAK,
                    LAZ_TLS_SP800_52R2},
            {"sha-224", {ec, rsa, ec}, {good, good, EVP_sha224()}, X509_V_ERR_CA_MD_TOO_WEAK,
                    LAZ_TLS_SP800_52R2},
            {"1024 bits", {ec, weak, ec}, {good, good, good}, X509_V_ERR_CA_KEY_TOO_SMALL,
                    LAZ_TLS_SP800_52R2},
            {"1024 bits of the root", {weak, ec, ec}, {good, good, good},
                    X509_V_ERR_CA_KEY_TOO_SMALL, LAZ_TLS_SP800_52R2},
            {"1024 bits of the peer", {ec, ec, weak}, {good, good, good},
                    X509_V_ERR_EE_KEY_TOO_SMALL, LAZ_TLS_SP800_52R2},
            {"another curve", {ec, koblitz, ec}, {good, good, good}, X509_V_ERR_CA_KEY_TOO_SMALL,
                    LAZ_TLS_SP800_52R2},
            {"a small curve", {ec, small, ec}, {good, good, good}, X509_V_ERR_CA_KEY_TOO_SMALL,
                    LAZ_TLS_SP800_52R2},
            {"ed25519", {ec, edwards, ec}, {good, good, NULL}, X509_V_ERR_CA_KEY_TOO_SMALL,
                    LAZ_TLS_SP800_52R2},
            {"ed25519 of modern", {ec, edwards, edwards}, {good, good, NULL}, X509_V_OK,
                    LAZ_TLS_MODERN},
            {"1024 bits of modern", {ec, weak, ec}, {good, good, good}, X509_V_ERR_CA_KEY_TOO_SMALL,
                    LAZ_TLS_MODERN},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        long verdict = verify(&rows[i]);
        cr_expect_eq(verdict, rows[i].verdict, "%s: %s", rows[i].name,
                X509_verify_cert_error_string(verdict));
    }
    EVP_PKEY_free(ec);
    EVP_PKEY_free(koblitz);
    EVP_PKEY_free(small);
    EVP_PKEY_free(rsa);
    EVP_PKEY_free(weak);
    EVP_PKEY_free(edwards);
}
