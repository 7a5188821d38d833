/* SPDX-License-Identifier: Apache-2.0
 *
 * Values that are JSON objects of several secrets: each member a text, a number, true or false. In
 * the forms that the workload gets, and one by one. Pure; works in memory that is locked and wiped,
 * and says of a member its number and never its name.
 */
#ifndef LAZ_SECRET_MEMBERS_H
#define LAZ_SECRET_MEMBERS_H

#include "core/buf.h"

/* {"a":"text","n":1.50e+06}: in the order of the source, without blanks, escaped as little as can
 * be. Appended. LAZ_E_SECRET; overflows where there is no room. */
LAZ_MUST_CHECK int laz_members_json(
        const struct laz_buf *object, struct laz_buf *ret, struct laz_err *err);

/* A line NAME='value' for each, which a shell and readers of dotenv files take for the same value.
 * LAZ_E_SECRET for a name that is no variable's, and a value that no quotes make alike to all. */
LAZ_MUST_CHECK int laz_members_dotenv(
        const struct laz_buf *object, struct laz_buf *ret, struct laz_err *err);

/* Each value, its escapes resolved; the first -1 of `take` ends it. */
struct laz_members_visit {
    int (*take)(void *context, const char *bytes, size_t length, struct laz_err *err);
    void *context;
};

LAZ_MUST_CHECK int laz_members_each(
        const struct laz_buf *object, const struct laz_members_visit *visit, struct laz_err *err);

#endif
