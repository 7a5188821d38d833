/* SPDX-License-Identifier: Apache-2.0
 *
 * GetSecretValue of Secrets Manager, GetParameter of Systems Manager and Decrypt of KMS (JSON 1.1):
 * what is asked, and what an answer has to be to count as one. An answer about something else than
 * was asked for is none. Pure; no value, and nothing of one, is ever in a message.
 * https://docs.aws.amazon.com/secretsmanager/latest/apireference/API_GetSecretValue.html
 * https://docs.aws.amazon.com/systems-manager/latest/APIReference/API_GetParameter.html
 * https://docs.aws.amazon.com/kms/latest/APIReference/API_Decrypt.html
 */
#ifndef LAZ_SECRET_SERVICE_H
#define LAZ_SECRET_SERVICE_H

#include "policy/fetch.h"

#define LAZ_SECRET_VERSION_MAX    64     /* bytes of a version's id */
#define LAZ_SECRET_CIPHERTEXT_MAX 6144   /* bytes that KMS decrypts */
#define LAZ_SECRET_REQUEST_MAX    32768  /* bytes of the longest request */
#define LAZ_SECRET_ANSWER_MAX     524288 /* of an answer: each byte of a value as \u00xx, and more */

/* X(ENUM, "what a message begins with") */
#define LAZ_SECRET_FAULTS(X)                                                                       \
    X(ABSENT, "not-found") /* the source has none: an optional item may be */                      \
    X(DENIED, "denied")                                                                            \
    X(REFUSED, "refused")                                                                          \
    X(UNTRUSTED, "untrusted")     /* whoever is there is not the service */                        \
    X(UNAVAILABLE, "unavailable") /* until the deadline */                                         \
    X(CREDENTIALS, "credentials")                                                                  \
    X(MALFORMED, "malformed")                                                                      \
    X(OTHER_KEY, "other-key") /* decrypted with another than the pinned one */                     \
    X(UNDECRYPTABLE, "not-decrypted")                                                              \
    X(CERTIFICATE, "certificate") /* or its key: not what was asked for */                         \
    X(LENGTH, "length")                                                                            \
    X(SYSTEM, "system")

enum laz_secret_fault {
#define X(id, word) LAZ_SECRET_FAULT_##id,
    LAZ_SECRET_FAULTS(X)
#undef X
    LAZ_SECRET_FAULT_COUNT
};

const char *laz_secret_fault_name(enum laz_secret_fault fault); /* static */

/* Of X-Amz-Target, and of the scope of a signature; static. */
const char *laz_secret_target(enum laz_fetch_service service);
const char *laz_secret_signing_name(enum laz_fetch_service service);

/* Append the body of the request for an item; overflows where there is no room. */
void laz_secret_ask_secret(const struct laz_fetch_item *item, struct laz_buf *ret);
void laz_secret_ask_parameter(const struct laz_fetch_item *item, struct laz_buf *ret);
void laz_secret_ask_decrypt(const struct laz_fetch_item *item, const void *ciphertext,
        size_t length, struct laz_buf *ret);

/* The value is appended to `value`, the version copied. LAZ_E_SECRET, and *ret_fault which kind. */
struct laz_secret_reading {
    struct laz_buf *value;
    char version[LAZ_SECRET_VERSION_MAX + 1];
    enum laz_secret_fault fault; /* where reading failed */
};

LAZ_MUST_CHECK int laz_secret_read_secret(const struct laz_fetch_item *item, const char *text,
        size_t length, struct laz_secret_reading *ret, struct laz_err *err);
LAZ_MUST_CHECK int laz_secret_read_parameter(const struct laz_fetch_item *item, const char *text,
        size_t length, struct laz_secret_reading *ret, struct laz_err *err);
/* The version is left as it is: the ciphertext has it. */
LAZ_MUST_CHECK int laz_secret_read_decrypted(const struct laz_fetch_item *item, const char *text,
        size_t length, struct laz_secret_reading *ret, struct laz_err *err);

#endif
