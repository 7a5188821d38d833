/* SPDX-License-Identifier: Apache-2.0
 *
 * What the sources of identities share: a key, certificates, what is given of them. Only
 * identity.c and issuer.c need this.
 */
#ifndef LAZ_SECRET_IDENTITY_H
#define LAZ_SECRET_IDENTITY_H

#include <openssl/x509.h>

#include "secret/source.h"

struct laz_identity {
    struct laz_source source; /* first */
    struct laz_reach *reach;
    uint32_t index;
    const struct laz_fetch_identity *wish; /* borrowed */
    EVP_PKEY *key;
    STACK_OF(X509) * chain; /* what is given: the leaf first */
    const char *id;         /* what the CA calls the request; borrowed */
};

/* `ret` is all zero. */
void laz_identity_init(struct laz_identity *ret, struct laz_reach *reach, uint32_t item,
        const struct laz_source_kind *kind, const struct laz_source_owner *owner);
void laz_identity_done(struct laz_identity *identity);

/* "what: why"; `what` may be "". */
void laz_identity_fail(const struct laz_identity *identity, enum laz_secret_fault fault,
        const char *what, const char *why);
/* What an error of the code that reads and judges is. */
enum laz_secret_fault laz_identity_fault(const struct laz_err *err);
/* It is judged, and given or failed; the key is wiped. */
void laz_identity_take(struct laz_identity *identity, const STACK_OF(X509) * given);

/* ---- issuer.c ---- */

/* With a key that is made here, and a certificate that a CA gives for it. */
LAZ_MUST_CHECK int laz_source_new_issuer(struct laz_reach *reach, uint32_t item,
        const struct laz_source_owner *owner, struct laz_source **ret, struct laz_err *err);

#endif
