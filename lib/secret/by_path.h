/* SPDX-License-Identifier: Apache-2.0
 *
 * GetParametersByPath of Systems Manager: pages of parameters become one JSON object, whose members
 * are their names below the path, in order, and their values. Asks nobody; no value, and no name of
 * a parameter, is ever in a message. The values of earlier pages are in memory that is locked and
 * wiped.
 * https://docs.aws.amazon.com/systems-manager/latest/APIReference/API_GetParametersByPath.html
 */
#ifndef LAZ_SECRET_BY_PATH_H
#define LAZ_SECRET_BY_PATH_H

#include "secret/service.h"

#define LAZ_BY_PATH_MAX       512  /* parameters */
#define LAZ_BY_PATH_PAGES_MAX 256  /* of ten, some of them empty */
#define LAZ_BY_PATH_TOKEN_MAX 4096 /* bytes of what the next page is asked for with */

struct laz_by_path_entry {
    uint32_t start; /* of "name":"value" in `held` */
    uint32_t length;
};

/* Invariant: entries are in the order of their names, each name once. */
struct laz_by_path {
    const struct laz_fetch_item *item; /* borrowed */
    struct laz_buf held;
    struct laz_buf token; /* empty: there is no further page */
    struct laz_by_path_entry entries[LAZ_BY_PATH_MAX];
    uint32_t n;
    unsigned pages;
};

/* Free with laz_by_path_done; also where it fails. */
LAZ_MUST_CHECK int laz_by_path_init(
        struct laz_by_path *ret, const struct laz_fetch_item *item, struct laz_err *err);
void laz_by_path_done(struct laz_by_path *by_path);

/* Append the body of the request for the next page; overflows where there is no room. */
void laz_by_path_ask(const struct laz_by_path *by_path, struct laz_buf *ret);

/* A page. If by_path->token is empty after it, that was the last one, and ret->value has the
 * object. LAZ_E_SECRET and ret->fault; ABSENT where there is no parameter at all. */
LAZ_MUST_CHECK int laz_by_path_take(struct laz_by_path *by_path, const char *text, size_t length,
        struct laz_secret_reading *ret, struct laz_err *err);

#endif
