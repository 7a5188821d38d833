/* SPDX-License-Identifier: Apache-2.0
 *
 * The tests of a policy, tried on the filters that it compiles to.
 */
#include "cli/trial.h"

#include <errno.h>
#include <stdlib.h>

int laz_trial_init(struct laz_trial *ret, const struct laz_policy *policy, enum laz_arch arch,
        struct laz_err *err)
{
    *ret = (struct laz_trial){.arch = arch};
    struct laz_policy *enforced = malloc(sizeof(*enforced)); /* too large for the stack */
    if (enforced == NULL) {
        return laz_err_set(err, LAZ_E_MEMORY, ENOMEM, "no memory for the tests of the policy");
    }
    *enforced = *policy; /* borrows everything */
    enforced->mode = LAZ_MODE_ENFORCE;
    int result = laz_filter_compile(enforced, arch, LAZ_FILTER_WITH_EVENTS, &ret->with_events, err);
    if (result == 0) {
        result = laz_filter_compile(enforced, arch, LAZ_FILTER_PLAIN, &ret->plain, err);
    }
    free(enforced);
    return result;
}

void laz_trial_done(struct laz_trial *trial)
{
    laz_filter_done(&trial->with_events);
    laz_filter_done(&trial->plain);
}

enum laz_filter_test_result laz_trial_try(const struct laz_trial *trial,
        const struct laz_policy_test *test, struct laz_verdict *ret_seen)
{
    return laz_filter_test(&trial->with_events, &trial->plain, trial->arch, test, ret_seen);
}
