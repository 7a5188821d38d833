/* SPDX-License-Identifier: Apache-2.0
 *
 * Certificates and private keys in PEM (RFC 7468), read strictly and written anew: nothing of what
 * was read is ever passed on as it came. Messages have lines and kinds, and nothing of a key.
 */
#ifndef LAZ_SECRET_PEM_H
#define LAZ_SECRET_PEM_H

#include <openssl/evp.h>
#include <openssl/x509.h>

#include "core/buf.h"

#define LAZ_PEM_CERTIFICATES_MAX 16
#define LAZ_PEM_CAS_MAX          512   /* of a file of CAs */
#define LAZ_PEM_BLOCK_MAX        16384 /* bytes of a certificate or a key, without its coding */

/* 1 to `max` certificates and nothing else but empty lines. Free with sk_X509_pop_free. -1 with
 * LAZ_E_SECRET, or LAZ_E_MEMORY. */
LAZ_MUST_CHECK int laz_pem_read_certificates(
        const char *text, size_t length, size_t max, STACK_OF(X509) * *ret, struct laz_err *err);

/* One private key: PKCS#8, or RSA and EC in forms of their own; none with a passphrase. Free with
 * EVP_PKEY_free. */
LAZ_MUST_CHECK int laz_pem_read_key(
        const char *text, size_t length, EVP_PKEY **ret, struct laz_err *err);

/* Append it; what does not fit overflows. A key becomes PKCS#8. */
LAZ_MUST_CHECK int laz_pem_write_certificate(
        const X509 *certificate, struct laz_buf *ret, struct laz_err *err);
LAZ_MUST_CHECK int laz_pem_write_request(
        const X509_REQ *request, struct laz_buf *ret, struct laz_err *err);
LAZ_MUST_CHECK int laz_pem_write_key(const EVP_PKEY *key, struct laz_buf *ret, struct laz_err *err);
/* What is one private key or nothing but certificates, read as above and written as above: of the
 * text itself nothing is passed on. -1 as where it is read. */
LAZ_MUST_CHECK int laz_pem_rewrite(
        const char *text, size_t length, struct laz_buf *ret, struct laz_err *err);
/* PKCS#8, DER. */
LAZ_MUST_CHECK int laz_pem_key_bytes(const EVP_PKEY *key, struct laz_buf *ret, struct laz_err *err);

#endif
