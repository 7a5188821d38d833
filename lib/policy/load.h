/* SPDX-License-Identifier: Apache-2.0
 *
 * What the steps of one load share. Order: documents.c reads and checks the files, merge.c and its
 * sections make one policy of them, complete.c judges the result.
 */
#ifndef LAZ_POLICY_LOAD_H
#define LAZ_POLICY_LOAD_H

#include "policy/check.h"

struct laz_load {
    const struct laz_policy_source *source; /* borrowed */
    struct laz_arena arena;
    struct laz_report report;
    struct laz_policy *policy; /* owned until handed over; files[] are filled first */
    size_t total_bytes;        /* of all files */
    struct laz_document documents[LAZ_POLICY_FILES_MAX]; /* by file */
    uint16_t order[LAZ_POLICY_FILES_MAX]; /* files as they apply: parents first, the named one last
                                           */
    size_t n_order;
};

/* Read the named file and all that it extends; check each. What is wrong is reported. -1 only if
 * the named file cannot be had at all (err says why, as a diagnostic too) or memory ran out. */
LAZ_MUST_CHECK int laz_documents_load(struct laz_load *load, struct laz_err *err);

#endif
