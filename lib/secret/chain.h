/* SPDX-License-Identifier: Apache-2.0
 *
 * Is this certificate what was asked for: ours, whole up to somebody who is trusted, with these
 * names, for this purpose, now? Whoever issued it is not believed a word. Pure but for the time,
 * which is given.
 */
#ifndef LAZ_SECRET_CHAIN_H
#define LAZ_SECRET_CHAIN_H

#include <openssl/evp.h>
#include <openssl/x509.h>

#include "core/err.h"
#include "policy/fetch.h"

#define LAZ_CHAIN_CLOCK_S 300 /* how far our clock may be behind that of a CA */
#define LAZ_CHAIN_EXTRA_S 600 /* how much longer than asked it may be good for */

struct laz_chain_wish {
    const struct laz_fetch_identity *identity;
    const STACK_OF(X509) * cas; /* who is trusted; NULL: the last of its own chain */
    const EVP_PKEY *key;        /* whose public half it must have */
    uint32_t validity_s;        /* how long it was asked to be good for; 0: not asked */
    int64_t now;                /* seconds of Unix time */
};

/* Of what was given, the leaf first: the leaf and those that lead to one of the trusted, in this
 * order, without that one and without any other. Free with sk_X509_pop_free. LAZ_E_SECRET, a
 * sentence about "it", which is the certificate; LAZ_E_MEMORY. */
LAZ_MUST_CHECK int laz_chain_check(const struct laz_chain_wish *wish, const STACK_OF(X509) * given,
        STACK_OF(X509) * *ret, struct laz_err *err);

/* Is it strong enough, and one that TLS is spoken with here: RSA of 2048 to 8192 bits, P-256,
 * P-384, P-521? And do its two halves belong together? */
LAZ_MUST_CHECK int laz_chain_check_key(EVP_PKEY *key, struct laz_err *err);

/* Its serial number in hex. LAZ_E_SECRET where it is longer than `size` takes. */
LAZ_MUST_CHECK int laz_chain_serial(
        const X509 *certificate, char *ret, size_t size, struct laz_err *err);
/* Seconds of Unix time; 0 where they cannot be read. */
int64_t laz_chain_not_before(const X509 *certificate);
int64_t laz_chain_not_after(const X509 *certificate);

#endif
