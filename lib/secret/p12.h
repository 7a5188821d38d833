/* SPDX-License-Identifier: Apache-2.0
 *
 * A key and its chain as PKCS#12 (RFC 7292), as Java 17 writes it and OpenSSL reads it: AES-256-CBC
 * and PBKDF2 with HMAC-SHA256. Each writing has salts of its own: whether it is another one is told
 * by what it is made of.
 */
#ifndef LAZ_SECRET_P12_H
#define LAZ_SECRET_P12_H

#include "core/buf.h"
#include "core/err.h"

#define LAZ_P12_PASSWORD_MAX 128 /* characters that can be typed */

/* Is it a password that every reader takes for the same? */
bool laz_p12_is_password(const char *text, size_t length);

/* `from` is the password, a line feed, the key and the chain, as identity.c has written them;
 * `name` is what the entry is called. Append; overflows where there is no room. LAZ_E_SECRET,
 * LAZ_E_MEMORY, or LAZ_E_SYSTEM. */
LAZ_MUST_CHECK int laz_p12_put(
        const char *name, const struct laz_buf *from, struct laz_buf *ret, struct laz_err *err);

#endif
