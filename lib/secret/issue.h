/* SPDX-License-Identifier: Apache-2.0
 *
 * What is asked of a CA, and what its answers have to be: IssueCertificate and GetCertificate of
 * AWS Private CA (JSON 1.1), and "sign" of Vault's PKI. Whether the certificate is one that was
 * asked for, chain.h says. Pure.
 * https://docs.aws.amazon.com/privateca/latest/APIReference/API_IssueCertificate.html
 * https://developer.hashicorp.com/vault/api-docs/secret/pki#sign-certificate
 */
#ifndef LAZ_SECRET_ISSUE_H
#define LAZ_SECRET_ISSUE_H

#include "core/buf.h"
#include "policy/fetch.h"

#define LAZ_ISSUE_TOKEN_MAX  32     /* characters of an IdempotencyToken, of 36 */
#define LAZ_ISSUE_ARN_MAX    512    /* bytes of a certificate's */
#define LAZ_ISSUE_ANSWER_MAX 131072 /* bytes of an answer */

/* Append the body of a request. `token` is the same for what is the same request. */
void laz_issue_ask_pca(const struct laz_fetch_identity *identity, const struct laz_buf *request,
        const char *token, int64_t now, struct laz_buf *ret);
void laz_issue_ask_pca_for(
        const struct laz_fetch_identity *identity, const char *arn, struct laz_buf *ret);
void laz_issue_ask_vault(const struct laz_fetch_identity *identity, const struct laz_buf *request,
        struct laz_buf *ret);

/* The ARN of what was issued: of that CA. LAZ_E_SECRET. */
LAZ_MUST_CHECK int laz_issue_read_arn(const struct laz_fetch_identity *identity, const char *text,
        size_t length, char ret[LAZ_ISSUE_ARN_MAX + 1], struct laz_err *err);
/* Append the certificate, and then those above it, as they came. LAZ_E_SECRET. */
LAZ_MUST_CHECK int laz_issue_read_pca(
        const char *text, size_t length, struct laz_buf *ret, struct laz_err *err);
LAZ_MUST_CHECK int laz_issue_read_vault(
        const char *text, size_t length, struct laz_buf *ret, struct laz_err *err);

#endif
