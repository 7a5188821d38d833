/* SPDX-License-Identifier: Apache-2.0
 *
 * What the role `fetch` is told of identities: of a key and the certificates that vouch for it.
 * Whoever needs it includes policy/fetch.h. Keys: docs/reference/policy.md, "tls.identities".
 */
#ifndef LAZ_POLICY_IDENTITY_H
#define LAZ_POLICY_IDENTITY_H

#include <stdint.h>

#define LAZ_FETCH_IDENTITIES_MAX    8
#define LAZ_FETCH_IDENTITY_NAME_MAX 20 /* bytes: its items are called after it */
#define LAZ_FETCH_SANS_MAX          16
#define LAZ_FETCH_SAN_MAX           255      /* bytes of a name in a certificate */
#define LAZ_FETCH_VALIDITY_MIN      300      /* seconds that a certificate is to be good for */
#define LAZ_FETCH_VALIDITY_MAX      34387200 /* 398 days: what browsers take */
/* Per cent of its life after which it is renewed, and of how much of its life that is spread; in
 * any case before the life ends. */
#define LAZ_FETCH_RENEW_MIN    10
#define LAZ_FETCH_RENEW_MAX    85
#define LAZ_FETCH_RENEW_JITTER 10

/* Which part of an identity an item is: "web.chain" is the chain of "web". */
#define LAZ_IDENTITY_PARTS(X)                                                                      \
    X(CERTIFICATE, "cert") /* its certificate alone */                                             \
    X(CHAIN, "chain")      /* and those that lead to its CA, without that */                       \
    X(KEY, "key")                                                                                  \
    X(BUNDLE, "bundle") /* key and chain in one */                                                 \
    X(P12, "p12")       /* the same as PKCS#12 */

enum laz_identity_part {
#define X(id, word) LAZ_IDENTITY_##id,
    LAZ_IDENTITY_PARTS(X)
#undef X
    LAZ_IDENTITY_PART_COUNT
};

#define LAZ_IDENTITY_SOURCES(X)                                                                    \
    X(ITEMS, "secrets")   /* two other items: certificate and key */                               \
    X(ACM_PCA, "acm-pca") /* a key made here, and a certificate of AWS Private CA */               \
    X(VAULT_PKI, "vault-pki")

enum laz_identity_source {
#define X(id, word) LAZ_IDENTITY_FROM_##id,
    LAZ_IDENTITY_SOURCES(X)
#undef X
    LAZ_IDENTITY_SOURCE_COUNT
};

#define LAZ_IDENTITY_KEYS(X)                                                                       \
    X(EC_P256, "ec-p256")                                                                          \
    X(EC_P384, "ec-p384")                                                                          \
    X(RSA_2048, "rsa-2048")                                                                        \
    X(RSA_3072, "rsa-3072")

enum laz_identity_key {
#define X(id, word) LAZ_IDENTITY_KEY_##id,
    LAZ_IDENTITY_KEYS(X)
#undef X
    LAZ_IDENTITY_KEY_COUNT
};

/* With what a CA of AWS signs: as its own key is. */
#define LAZ_SIGNINGS(X)                                                                            \
    X(SHA256WITHECDSA, "SHA256WITHECDSA")                                                          \
    X(SHA384WITHECDSA, "SHA384WITHECDSA")                                                          \
    X(SHA512WITHECDSA, "SHA512WITHECDSA")                                                          \
    X(SHA256WITHRSA, "SHA256WITHRSA")                                                              \
    X(SHA384WITHRSA, "SHA384WITHRSA")                                                              \
    X(SHA512WITHRSA, "SHA512WITHRSA")

enum laz_signing {
#define X(id, word) LAZ_SIGNING_##id,
    LAZ_SIGNINGS(X)
#undef X
    LAZ_SIGNING_COUNT
};

/* What it is good for: bits. */
enum {
    LAZ_PURPOSE_SERVER = 1,
    LAZ_PURPOSE_CLIENT = 2
};

#define LAZ_SAN_TYPES(X)                                                                           \
    X(DNS, "dns")                                                                                  \
    X(IP, "ip")                                                                                    \
    X(URI, "uri")

enum laz_san_type {
#define X(id, word) LAZ_SAN_##id,
    LAZ_SAN_TYPES(X)
#undef X
    LAZ_SAN_TYPE_COUNT
};

struct laz_san {
    enum laz_san_type type;
    const char *text;
};

/* A key and the certificates that vouch for it. Its items carry its number. */
struct laz_fetch_identity {
    const char *name;
    enum laz_identity_source source;
    uint32_t certificate_item; /* ITEMS: whose values they are; before its own items */
    uint32_t key_item;
    const char *from;     /* ACM_PCA: the CA's ARN; VAULT_PKI: the path; ITEMS: "" */
    const char *template; /* ACM_PCA: its ARN */
    enum laz_signing signing;
    enum laz_identity_key key;
    uint32_t validity_s; /* not ITEMS */
    uint32_t renew_at;   /* per cent of its life; not ITEMS */
    uint32_t renew_jitter;
    uint32_t password; /* 1 + the item with that of its PKCS#12; 0: it has no such part */
    const char *ca;    /* PEM: who must have vouched for it; "": the last of its own chain */
    uint32_t purpose;
    uint32_t n_sans; /* 0: its names are not looked at */
    struct laz_san sans[LAZ_FETCH_SANS_MAX];
};

/* The words of the policy; static; "?" beyond the list. */
const char *laz_identity_key_name(enum laz_identity_key value);
const char *laz_signing_name(enum laz_signing value);
const char *laz_identity_source_name(enum laz_identity_source value);
const char *laz_identity_part_name(enum laz_identity_part value);
const char *laz_san_type_name(enum laz_san_type value);

#endif
