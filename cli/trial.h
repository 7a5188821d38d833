/* SPDX-License-Identifier: Apache-2.0
 *
 * The `tests:` of a policy on one architecture, as `check` and `test` both try them. Their filters
 * are those of mode enforce, whatever the policy's mode: in mode observe they tell what enforcement
 * would do.
 */
#ifndef LAZ_CLI_TRIAL_H
#define LAZ_CLI_TRIAL_H

#include "filter/filter.h"

struct laz_trial {
    enum laz_arch arch;
    struct laz_filter with_events;
    struct laz_filter plain;
};

/* Compiles. Free with laz_trial_done, whatever came of it. */
LAZ_MUST_CHECK int laz_trial_init(struct laz_trial *ret, const struct laz_policy *policy,
        enum laz_arch arch, struct laz_err *err);
void laz_trial_done(struct laz_trial *trial);
#define laz_cleanup_trial __attribute__((cleanup(laz_trial_done)))

/* ret_seen, unless NOT_HERE: what the workload sees. */
enum laz_filter_test_result laz_trial_try(const struct laz_trial *trial,
        const struct laz_policy_test *test, struct laz_verdict *ret_seen);

#endif
