/* SPDX-License-Identifier: Apache-2.0
 *
 * The names in a certificate (RFC 5280, 4.2.1.6), against those that were asked for. Pure.
 */
#ifndef LAZ_SECRET_NAMES_H
#define LAZ_SECRET_NAMES_H

#include <openssl/x509v3.h>

#include "core/buf.h"
#include "policy/fetch.h"

/* What the names of an identity are as OpenSSL has them. Free with GENERAL_NAMES_free. */
LAZ_MUST_CHECK int laz_names_make(
        const struct laz_fetch_identity *identity, GENERAL_NAMES **ret, struct laz_err *err);

/* LAZ_E_SECRET unless it has each name that was asked for, and no other of any kind. */
LAZ_MUST_CHECK int laz_names_check(
        const struct laz_fetch_identity *identity, const X509 *certificate, struct laz_err *err);

/* The common name that goes with them: the first DNS name, or what the identity is called. */
const char *laz_names_common(const struct laz_fetch_identity *identity);

/* Append at most 64 bytes of a text that others wrote, in quotes, with '?' for what is not
 * printable. */
void laz_names_quote(const void *text, size_t length, struct laz_buf *ret);

#endif
