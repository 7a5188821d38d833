/* SPDX-License-Identifier: Apache-2.0
 *
 * What the role `fetch` is told: which secrets there are, where each comes from and what form it is
 * to have. A section of the compiled policy that PID 1 carries and does not read; lazaret-helper
 * decodes it. There is no field for a value: a policy cannot hold one. Keys:
 * docs/reference/policy.md, "secrets".
 */
#ifndef LAZ_POLICY_FETCH_H
#define LAZ_POLICY_FETCH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/buf.h"
#include "core/tls_words.h"
#include "core/trusted.h"
#include "policy/identity.h"

#define LAZ_FETCH_MAX       12288 /* bytes of the section: one message to the helper */
#define LAZ_FETCH_ITEMS_MAX 32
#define LAZ_FETCH_NAME_MAX  32 /* bytes of an item's name; letters as LAZ_SHIP_NAME_LETTERS */
#define LAZ_FETCH_PREVIOUS                                                                         \
    ".previous"                     /* the end of the name of the item with the key of before      \
                                     */
#define LAZ_FETCH_VALUE_MAX   65536 /* bytes of a value: what Secrets Manager takes */
#define LAZ_FETCH_EXPOSED_MAX 32768 /* bytes of one in an environment: it holds them all */
#define LAZ_FETCH_FROM_MAX    2048  /* bytes of an ARN or a name */
#define LAZ_FETCH_PATH_MAX    256   /* bytes of a path of Vault, and of its other names */
#define LAZ_FETCH_CONTEXT_MAX 8     /* pairs of an encryption context */
#define LAZ_FETCH_WAIT_MIN    1000  /* ms until the first generation has to be there */
#define LAZ_FETCH_WAIT_MAX    600000

/* X(ENUM, "its key") */
#define LAZ_SECRET_SOURCES(X)                                                                      \
    X(FILE, "file")                       /* an absolute path */                                   \
    X(VARIABLE, "variable")               /* of the container's environment, then gone from it */  \
    X(SECRETS_MANAGER, "secrets-manager") /* GetSecretValue */                                     \
    X(PARAMETER, "parameter")             /* SSM GetParameter, decrypted */                        \
    X(VAULT, "vault")                     /* KV version 2: the path below /v1/ */                  \
    X(IDENTITY, "identity")               /* a part of one of tls.identities */                    \
    X(PARAMETERS, "parameters")           /* all that are right below a path, as an object */      \
    X(PARAMETER_TREE, "parameter-tree")   /* and those further down */

enum laz_secret_source {
#define X(id, word) LAZ_SECRET_##id,
    LAZ_SECRET_SOURCES(X)
#undef X
    LAZ_SECRET_SOURCE_COUNT
};

/* How bytes are written as text: what a source may have, and a workload may get. */
#define LAZ_SECRET_CODINGS(X)                                                                      \
    X(RAW, "raw") /* as they are */                                                                \
    X(BASE64, "base64")                                                                            \
    X(BASE64URL, "base64url") /* without padding */                                                \
    X(HEX, "hex")
#define LAZ_SECRET_CODING_LAST LAZ_SECRET_FORM_HEX

/* What a workload may get besides: of a value that is a JSON object. */
#define LAZ_SECRET_FORMS(X)                                                                        \
    LAZ_SECRET_CODINGS(X)                                                                          \
    X(JSON, "json")                                                                                \
    X(DOTENV, "dotenv") /* a line NAME='value' for each member */                                  \
    X(JWK, "jwk")       /* the value is a symmetric key */                                         \
    X(JWKS, "jwks")     /* a set of one, or with the key of before */                              \
    X(PEM, "pem")       /* the value is a private key, or certificates */

enum laz_secret_form {
#define X(id, word) LAZ_SECRET_FORM_##id,
    LAZ_SECRET_FORMS(X)
#undef X
    LAZ_SECRET_FORM_COUNT
};

/* What a key is for, as JOSE calls it, and how many bytes it has: those, or for HS at least those.
 * X(ENUM, "its name", BYTES, MOST) */
#define LAZ_SECRET_ALGS(X)                                                                         \
    X(NONE, "", 1, LAZ_FETCH_VALUE_MAX)                                                            \
    X(A128GCM, "A128GCM", 16, 16)                                                                  \
    X(A192GCM, "A192GCM", 24, 24)                                                                  \
    X(A256GCM, "A256GCM", 32, 32)                                                                  \
    X(A128CBC, "A128CBC-HS256", 32, 32)                                                            \
    X(A192CBC, "A192CBC-HS384", 48, 48)                                                            \
    X(A256CBC, "A256CBC-HS512", 64, 64)                                                            \
    X(A128KW, "A128KW", 16, 16)                                                                    \
    X(A192KW, "A192KW", 24, 24)                                                                    \
    X(A256KW, "A256KW", 32, 32)                                                                    \
    X(HS256, "HS256", 32, LAZ_FETCH_VALUE_MAX)                                                     \
    X(HS384, "HS384", 48, LAZ_FETCH_VALUE_MAX)                                                     \
    X(HS512, "HS512", 64, LAZ_FETCH_VALUE_MAX)

enum laz_secret_alg {
#define X(id, word, least, most) LAZ_SECRET_ALG_##id,
    LAZ_SECRET_ALGS(X)
#undef X
    LAZ_SECRET_ALG_COUNT
};

/* How Vault comes to know us. */
enum laz_fetch_login {
    LAZ_FETCH_LOGIN_NONE, /* there is no Vault */
    LAZ_FETCH_LOGIN_TOKEN,
    LAZ_FETCH_LOGIN_AWS,
    LAZ_FETCH_LOGIN_COUNT
};

/* Names and paths are LAZ_FETCH_PATH_LETTERS, without empty parts and dots alone. */
#define LAZ_FETCH_PATH_LETTERS "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-/"

struct laz_fetch_vault {
    const char *address; /* https URL of a host; "": there is none, and nothing else counts */
    const char *ca;      /* PEM; "": as for the services of AWS */
    const char *name_space;
    enum laz_fetch_login login;
    const char *token_file;     /* TOKEN: its path, */
    const char *token_variable; /* or the variable of the environment that it is */
    const char *role;           /* AWS: this and what follows */
    const char *mount;
    const char *server_id;
    const char *region; /* of STS; "": the global endpoint */
};

enum laz_fetch_service {
    LAZ_FETCH_SECRETS_MANAGER,
    LAZ_FETCH_PARAMETERS,
    LAZ_FETCH_KMS,
    LAZ_FETCH_PCA,
    LAZ_FETCH_SERVICE_COUNT
};

/* Strings are borrowed from the block, which must outlive this; "" where nothing was said. In this
 * order a value comes about: fetched, a member of it taken (json_key), its text decoded, decrypted,
 * its length checked, written in its form. */
struct laz_fetch_item {
    const char *name;
    bool is_key; /* one of `keys` */
    bool optional;
    enum laz_secret_source source;
    const char *from;     /* path, variable, ARN or name; of an ARN without what ECS adds to it */
    const char *region;   /* of the ARN; of an identity, of its CA's, if AWS has it */
    const char *json_key; /* the member of the value, which is then a JSON object */
    const char *stage;    /* secrets-manager: of the version */
    const char *version;  /* secrets-manager: its id; vault: its number */
    enum laz_secret_form decode; /* what the source has; RAW: bytes as they are */
    const char *kms_key;         /* "": it is not encrypted; else the one key that may decrypt it */
    uint32_t n_context;
    const char *context_name[LAZ_FETCH_CONTEXT_MAX];
    const char *context_value[LAZ_FETCH_CONTEXT_MAX];
    uint32_t min_bytes; /* before it gets its form */
    uint32_t max_bytes;
    enum laz_secret_form form;
    enum laz_secret_alg alg;     /* of a JWK */
    bool newline;                /* a line feed behind it */
    uint32_t previous;           /* JWKS: 1 + the item with the key of before; 0: there is none */
    bool is_exposed;             /* it must be text that can be in an environment */
    uint32_t identity;           /* IDENTITY: whose part it is, */
    enum laz_identity_part part; /* and which */
};

struct laz_fetch_config {
    const char *region;                            /* "": as the environment says */
    const char *endpoint[LAZ_FETCH_SERVICE_COUNT]; /* URL; "": the region's own */
    const char *ca;                                /* PEM; "": the system's */
    bool fips;
    bool imds; /* the instance's credentials, if the task has none */
    enum laz_tls_profile tls_profile;
    enum laz_tls_fips tls_fips;
    uint32_t wait_ms;
    struct laz_fetch_vault vault;
    uint32_t n_items;
    struct laz_fetch_item items[LAZ_FETCH_ITEMS_MAX];
    uint32_t n_identities;
    struct laz_fetch_identity identities[LAZ_FETCH_IDENTITIES_MAX];
    struct laz_party workload; /* who may have no hand in the files that are read for it */
};

/* Append the section. LAZ_E_POLICY_TOO_LARGE. */
LAZ_MUST_CHECK int laz_fetch_encode(
        const struct laz_fetch_config *config, struct laz_buf *ret, struct laz_err *err);

/* LAZ_E_IMAGE_CORRUPT, with what is wrong, unless every field is in range, every string ends inside
 * the block and no byte is left over. What it takes, laz_fetch_encode writes again byte for byte.
 */
LAZ_MUST_CHECK int laz_fetch_decode(
        const void *block, size_t length, struct laz_fetch_config *ret, struct laz_err *err);

/* A path or a name of Vault, as LAZ_FETCH_PATH_LETTERS says. */
bool laz_fetch_is_path(const char *text);

/* The words of the policy; static; "?" beyond the list. */
const char *laz_secret_source_name(enum laz_secret_source value);
const char *laz_secret_form_name(enum laz_secret_form value);
/* Where the policy says an item: "secrets.items", "keys", "tls.identities". */
const char *laz_fetch_list_name(const struct laz_fetch_item *item);
const char *laz_secret_alg_name(enum laz_secret_alg value);
/* How many bytes a key for it has. */
void laz_secret_alg_bytes(enum laz_secret_alg value, uint32_t *ret_least, uint32_t *ret_most);

#endif
