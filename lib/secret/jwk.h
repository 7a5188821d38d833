/* SPDX-License-Identifier: Apache-2.0
 *
 * Symmetric keys as JSON Web Keys (RFC 7517, RFC 7518 6.4), and sets of them: who writes takes the
 * first, who reads any. Pure; works in the caller's buffers.
 */
#ifndef LAZ_SECRET_JWK_H
#define LAZ_SECRET_JWK_H

#include "policy/fetch.h"

/* Append {"kty":"oct","k":...,"kid":...,"alg":...}, and for a set what is around it, with the key
 * of `before` behind it, unless that is NULL or the same. `kid` is the beginning of the key's
 * SHA-256, 16 digits of hex: of a random key it tells nothing. LAZ_E_SYSTEM; overflows where there
 * is no room. */
LAZ_MUST_CHECK int laz_secret_put_jwk(const struct laz_fetch_item *item, const struct laz_buf *key,
        const struct laz_buf *before, struct laz_buf *ret, struct laz_err *err);

#endif
