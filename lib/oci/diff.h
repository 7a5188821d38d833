/* SPDX-License-Identifier: Apache-2.0
 *
 * What is different between two JSON values, for people: a line for each place, "+ path: value",
 * "- path: value" or "~ path: old -> new". How a value is written counts, the blanks between values
 * do not. No line: the two are the same.
 */
#ifndef LAZ_OCI_DIFF_H
#define LAZ_OCI_DIFF_H

#include "core/json_read.h"

/* Appended to `ret`; long values are cut, and what a terminal could obey is a '?'. LAZ_E_OCI where
 * it does not fit. */
LAZ_MUST_CHECK int laz_oci_diff(const struct laz_json_doc *before, const struct laz_json_doc *after,
        struct laz_buf *ret, struct laz_err *err);

#endif
