/* SPDX-License-Identifier: Apache-2.0
 *
 * Bytes as text and back (RFC 4648): one spelling for each value, and every other one refused. No
 * table is indexed by a secret. Pure.
 */
#ifndef LAZ_SECRET_CODING_H
#define LAZ_SECRET_CODING_H

#include "policy/fetch.h"

/* Append the bytes in this form; what does not fit overflows. */
void laz_secret_encode(
        enum laz_secret_form form, const void *bytes, size_t length, struct laz_buf *ret);

/* Append what the text stands for; what does not fit overflows. base64 with its padding, base64url
 * without; hex in either case; no blank, no line feed, no bit that is left over. LAZ_E_SECRET:
 * where, and never what. */
LAZ_MUST_CHECK int laz_secret_decode(enum laz_secret_form form, const char *text, size_t length,
        struct laz_buf *ret, struct laz_err *err);

#endif
