/* SPDX-License-Identifier: Apache-2.0
 *
 * Which calls our own programs need is said once, by the lists that their filters are made of.
 */
#include "shim/profile.h"

#include "init/filter_words.h"

static const struct laz_profile_call own[] = {
#define LAZ_CALL(name, reason) {#name, NULL, 0, 0},
#define LAZ_CALL_IF(name, arg, mask, value, reason)                                                \
    {#name, #arg, (uint32_t)(mask), (uint32_t)(value)},
#include "init/begin.def"
#include "init/fetch/filter.def"
#include "init/health/filter.def"
#include "init/pid1/filter.def"
#include "init/sense/filter.def"
#include "init/setup/filter.def"
#include "init/ship/filter.def"
#include "init/tunnel/filter.def"
};

const struct laz_profile_call *laz_profile_own(size_t *ret_n)
{
    *ret_n = sizeof(own) / sizeof(own[0]);
    return own;
}

int laz_profile_make(const struct laz_policy *policy, struct laz_buf *ret, struct laz_err *err)
{
    bool is_narrow = policy->host.seccomp == LAZ_HOST_SECCOMP_NARROW;
    struct laz_profile_outer outer = {
            .is_loose = policy->mode == LAZ_MODE_OBSERVE ||
                    (!is_narrow && laz_host_confines_execs(&policy->host)),
    };
    laz_cleanup_buf struct laz_buf text;
    laz_buf_init_heap(&text, LAZ_PROFILE_SIZE_MAX);
    struct laz_profile_losses losses = {.text = &text}; /* the filter inside has no losses */
    outer.calls = laz_profile_own(&outer.n);
    return laz_profile_export(policy, laz_arch_native(), &outer, ret, &losses, err);
}
