/* SPDX-License-Identifier: Apache-2.0
 *
 * The lists of both profiles, and what OpenSSL has no list for: the keys and signatures within a
 * chain, and the extended master secret.
 */
#include "net/tls_profile.h"

#include <stdint.h>

#include <openssl/err.h>
#include <openssl/obj_mac.h>
#include <openssl/ssl.h>
#include <openssl/x509_vfy.h>

#define SECURITY_LEVEL 2   /* OpenSSL's: 112 bits, RSA of 2048 */
#define SIGNATURE_BITS 128 /* SHA-256 */

#define SUITES_13 "TLS_AES_256_GCM_SHA384:TLS_AES_128_GCM_SHA256"
#define SUITES_12                                                                                  \
    "ECDHE-ECDSA-AES256-GCM-SHA384:ECDHE-RSA-AES256-GCM-SHA384:"                                   \
    "ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-RSA-AES128-GCM-SHA256"
#define GROUPS "P-256:P-384:P-521"
#define SIGNATURES                                                                                 \
    "ECDSA+SHA256:ECDSA+SHA384:ECDSA+SHA512:"                                                      \
    "rsa_pss_rsae_sha256:rsa_pss_rsae_sha384:rsa_pss_rsae_sha512:"                                 \
    "rsa_pss_pss_sha256:rsa_pss_pss_sha384:rsa_pss_pss_sha512:"                                    \
    "RSA+SHA256:RSA+SHA384:RSA+SHA512"

/* In the order of preference. */
struct lists {
    const char *suites_13;
    const char *suites_12;
    const char *groups;
    const char *signatures;
};

static const struct lists lists_of[LAZ_TLS_PROFILE_COUNT] = {
        [LAZ_TLS_SP800_52R2] = {SUITES_13, SUITES_12, GROUPS, SIGNATURES},
        /* AES stays in front: it has instructions of its own wherever we run. */
        [LAZ_TLS_MODERN] = {SUITES_13 ":TLS_CHACHA20_POLY1305_SHA256",
                SUITES_12 ":ECDHE-ECDSA-CHACHA20-POLY1305:ECDHE-RSA-CHACHA20-POLY1305",
                "X25519:" GROUPS, SIGNATURES ":ed25519"},
};

/* What a key of a chain may be: OpenSSL asks for their size, and of the peer alone for its curve.
 */
static bool is_strong_key(X509 *certificate, enum laz_tls_profile profile)
{
    const EVP_PKEY *key = X509_get0_pubkey(certificate);
    char group[32];
    size_t length = 0;
    if (key == NULL) {
        return false;
    }
    if (EVP_PKEY_is_a(key, "RSA") || EVP_PKEY_is_a(key, "RSA-PSS")) {
        return EVP_PKEY_get_bits(key) >= 2048;
    }
    if (EVP_PKEY_is_a(key, "ED25519")) {
        return profile == LAZ_TLS_MODERN;
    }
    if (!EVP_PKEY_is_a(key, "EC") ||
            EVP_PKEY_get_group_name(key, group, sizeof(group), &length) != 1) {
        return false;
    }
    int id = OBJ_txt2nid(group);
    return id == NID_X9_62_prime256v1 || id == NID_secp384r1 || id == NID_secp521r1;
}

static bool is_strong_signature(X509 *certificate)
{
    int digest = 0;
    int key = 0;
    int bits = 0;
    uint32_t flags = 0;
    return X509_get_signature_info(certificate, &digest, &key, &bits, &flags) == 1 &&
            bits >= SIGNATURE_BITS;
}

static int check_link(int is_good, X509_STORE_CTX *chain, enum laz_tls_profile profile)
{
    X509 *certificate = X509_STORE_CTX_get_current_cert(chain);
    if (is_good != 1 || certificate == NULL) {
        return is_good;
    }
    int depth = X509_STORE_CTX_get_error_depth(chain);
    const STACK_OF(X509) *links = X509_STORE_CTX_get0_chain(chain);
    /* Nobody checks the signature of the anchor: it is good because the policy says so. */
    bool is_anchor = links != NULL && depth == sk_X509_num(links) - 1;
    if (!is_strong_key(certificate, profile)) {
        X509_STORE_CTX_set_error(
                chain, depth == 0 ? X509_V_ERR_EE_KEY_TOO_SMALL : X509_V_ERR_CA_KEY_TOO_SMALL);
        return 0;
    }
    if (!is_anchor && !is_strong_signature(certificate)) {
        X509_STORE_CTX_set_error(chain, X509_V_ERR_CA_MD_TOO_WEAK);
        return 0;
    }
    return 1;
}

static int check_link_of_sp800_52r2(int is_good, X509_STORE_CTX *chain)
{
    return check_link(is_good, chain, LAZ_TLS_SP800_52R2);
}

static int check_link_of_modern(int is_good, X509_STORE_CTX *chain)
{
    return check_link(is_good, chain, LAZ_TLS_MODERN);
}

int laz_tls_harden(SSL_CTX *context, enum laz_tls_profile profile, struct laz_err *err)
{
    const struct lists *lists = &lists_of[profile < LAZ_TLS_PROFILE_COUNT ? profile : 0];
    SSL_CTX_set_security_level(context, SECURITY_LEVEL);
    (void)SSL_CTX_clear_options(context,
            SSL_OP_LEGACY_SERVER_CONNECT | SSL_OP_ALLOW_UNSAFE_LEGACY_RENEGOTIATION |
                    SSL_OP_NO_EXTENDED_MASTER_SECRET | SSL_OP_IGNORE_UNEXPECTED_EOF);
    (void)SSL_CTX_set_options(context,
            SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION | SSL_OP_NO_TICKET |
                    SSL_OP_CIPHER_SERVER_PREFERENCE |
                    SSL_OP_CLEANSE_PLAINTEXT); /* of its own buffers, once it has been read */
    (void)SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_OFF);
    SSL_CTX_set_verify(context, SSL_VERIFY_PEER,
            profile == LAZ_TLS_MODERN ? check_link_of_modern : check_link_of_sp800_52r2);
    /* OpenSSL's macros cast constness away, which clang refuses. */
    bool is_good = SSL_CTX_set_min_proto_version(context, TLS1_2_VERSION) == 1 &&
            SSL_CTX_set_max_proto_version(context, 0) == 1 &&
            SSL_CTX_set_ciphersuites(context, lists->suites_13) == 1 &&
            SSL_CTX_set_cipher_list(context, lists->suites_12) == 1 &&
            SSL_CTX_set1_groups_list(context, laz_unconst(lists->groups)) == 1 &&
            SSL_CTX_set1_sigalgs_list(context, laz_unconst(lists->signatures)) == 1 &&
            SSL_CTX_set1_client_sigalgs_list(context, laz_unconst(lists->signatures)) == 1 &&
            SSL_CTX_set_num_tickets(context, 0) == 1 && SSL_CTX_set_max_early_data(context, 0) == 1;
    if (!is_good) {
        const char *why = ERR_reason_error_string(ERR_peek_last_error());
        (void)laz_err_set(err, LAZ_E_INTERNAL, 0, "OpenSSL has no such profile of TLS: %s",
                why == NULL ? "unknown" : why);
        ERR_clear_error();
        return -1;
    }
    return 0;
}

bool laz_tls_is_bound(SSL *session)
{
    return SSL_version(session) != TLS1_2_VERSION || SSL_get_extms_support(session) == 1;
}
