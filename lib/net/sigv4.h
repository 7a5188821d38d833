/* SPDX-License-Identifier: Apache-2.0
 *
 * AWS Signature Version 4 for requests with a body and without a query, as all of AWS's JSON
 * services take them. Pure: the time comes from the caller.
 * https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html
 */
#ifndef LAZ_NET_SIGV4_H
#define LAZ_NET_SIGV4_H

#include <stddef.h>

#include "core/buf.h"

#define LAZ_SIGV4_HEADERS_MAX 16
#define LAZ_SIGV4_DATE_SIZE   17  /* 20261122T114243Z and a NUL */
#define LAZ_SIGV4_MAX         512 /* bytes of the Authorization header's value, at most */

struct laz_header {
    const char *name;
    const char *value;
};

/* What is signed. Header names in lower case, each once; all of them are signed, and `host` and
 * `x-amz-date` have to be among them. */
struct laz_sigv4_request {
    const char *method;
    const char *path; /* of letters, digits, / - . _ ~, without // or dot segments */
    const struct laz_header *headers;
    size_t n_headers;
    const void *body;
    size_t body_length;
};

/* By whom, for whom and when. The secret is not kept. */
struct laz_sigv4_key {
    const char *access_key;
    const char *secret_key;
    const char *region;
    const char *service;
    const char *date; /* as x-amz-date */
};

/* "20261122T114243Z" of seconds since 1970. */
void laz_sigv4_date(int64_t seconds, char ret[LAZ_SIGV4_DATE_SIZE]);

/* Append the value of the header Authorization. LAZ_E_INTERNAL for a request of another form, or
 * where libcrypto refuses. */
LAZ_MUST_CHECK int laz_sigv4_sign(const struct laz_sigv4_request *request,
        const struct laz_sigv4_key *key, struct laz_buf *ret, struct laz_err *err);

#endif
