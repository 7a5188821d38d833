/* SPDX-License-Identifier: Apache-2.0
 *
 * A new private key, and the request for its certificate (PKCS#10, RFC 2986). The key stays in
 * OpenSSL's secure heap, where there is one; the request has its public half alone. Asks nobody.
 */
#ifndef LAZ_SECRET_REQUEST_H
#define LAZ_SECRET_REQUEST_H

#include <openssl/evp.h>

#include "core/buf.h"
#include "policy/fetch.h"

/* Free with EVP_PKEY_free. */
LAZ_MUST_CHECK int laz_request_make_key(
        enum laz_identity_key kind, EVP_PKEY **ret, struct laz_err *err);

/* Append the request in PEM: common name, names, key usage and extended key usage as the identity
 * says them, signed by the key. */
LAZ_MUST_CHECK int laz_request_make(const struct laz_fetch_identity *identity, EVP_PKEY *key,
        struct laz_buf *ret, struct laz_err *err);

#endif
