/* SPDX-License-Identifier: Apache-2.0
 *
 * The `tests:` of a policy, run on the filters that it compiles to, not on the policy: what counts
 * is what the kernel will do. From a test to a struct seccomp_data, and from two answers to one
 * verdict.
 */
#include <linux/audit.h>
#include <stdio.h>

#include "filter/filter.h"

#define X32_BIT    0x40000000U
#define ANSWER_MAX 48

/* false: the architecture has no such call or ABI. */
static bool place_call(
        const struct laz_policy_test *test, enum laz_arch arch, struct seccomp_data *ret)
{
    uint32_t nr = test->nr;
    if (test->call != NULL) {
        int16_t native = test->call->nr[arch];
        if (native < 0 && test->abi == LAZ_ABI_NATIVE) {
            return false;
        }
        nr = native < 0 ? 0 : (uint32_t)native; /* a foreign ABI is refused at any number */
    }
    *ret = (struct seccomp_data){.nr = (int)nr, .arch = laz_arch_audit(arch)};
    for (size_t i = 0; i < LAZ_SYSCALL_ARGS_MAX; i++) {
        ret->args[i] = test->args[i];
    }
    switch (test->abi) {
    case LAZ_ABI_NATIVE:
        return true;
    case LAZ_ABI_I386:
        ret->arch = AUDIT_ARCH_I386;
        return arch == LAZ_ARCH_X86_64;
    case LAZ_ABI_X32:
        ret->nr = (int)(nr | X32_BIT);
        return arch == LAZ_ARCH_X86_64;
    case LAZ_ABI_ARM:
        ret->arch = AUDIT_ARCH_ARM;
        return arch == LAZ_ARCH_AARCH64;
    }
    return false;
}

/* Where the filter with events notifies, the plain one says what init will answer. */
static struct laz_verdict verdict_of(uint32_t with_events, uint32_t plain)
{
    struct laz_verdict verdict = {.action = LAZ_ACTION_KILL};
    switch (plain & SECCOMP_RET_ACTION_FULL) {
    case SECCOMP_RET_ALLOW:
        verdict.action = LAZ_ACTION_ALLOW;
        break;
    case SECCOMP_RET_LOG:
        verdict.action = LAZ_ACTION_LOG;
        break;
    case SECCOMP_RET_ERRNO:
        verdict.action =
                with_events == SECCOMP_RET_USER_NOTIF ? LAZ_ACTION_NOTIFY : LAZ_ACTION_ERRNO;
        verdict.errno_value = (uint16_t)(plain & SECCOMP_RET_DATA);
        break;
    default:
        break;
    }
    return verdict;
}

enum laz_filter_test_result laz_filter_test(const struct laz_filter *with_events,
        const struct laz_filter *plain, enum laz_arch arch, const struct laz_policy_test *test,
        struct laz_verdict *ret_seen)
{
    struct seccomp_data data;
    if (!place_call(test, arch, &data)) {
        return LAZ_FILTER_TEST_NOT_HERE;
    }
    *ret_seen = verdict_of(laz_bpf_evaluate(with_events->insns, with_events->n, &data, NULL),
            laz_bpf_evaluate(plain->insns, plain->n, &data, NULL));
    bool is_met = ret_seen->action == test->expect &&
            (test->expect_errno == 0 || test->expect_errno == ret_seen->errno_value);
    return is_met ? LAZ_FILTER_TEST_MET : LAZ_FILTER_TEST_BROKEN;
}

/* "notify EPERM" */
static void format_verdict(enum laz_action action, uint16_t errno_value, char ret[ANSWER_MAX])
{
    (void)snprintf(ret, ANSWER_MAX, "%s%s%s", laz_action_name(action), errno_value == 0 ? "" : " ",
            errno_value == 0 ? "" : laz_err_errno_name(errno_value));
}

static int report(const struct laz_policy *policy, const struct laz_policy_test *test,
        struct laz_verdict seen, struct laz_err *err)
{
    char where[LAZ_DIAGNOSTIC_FILE_MAX + 32];
    char wanted[ANSWER_MAX];
    char got[ANSWER_MAX];
    laz_policy_pos_format(policy, test->pos, where, sizeof(where));
    format_verdict(test->expect, test->expect_errno, wanted);
    format_verdict(seen.action, seen.errno_value, got);
    if (test->call == NULL) {
        return laz_err_set(err, LAZ_E_TEST_FAILED, 0, "%s: tests: call %u: expected %s, came %s",
                where, test->nr, wanted, got);
    }
    return laz_err_set(err, LAZ_E_TEST_FAILED, 0, "%s: tests: %s: expected %s, came %s", where,
            test->call->name, wanted, got);
}

int laz_filter_run_tests(const struct laz_policy *policy, enum laz_arch arch,
        const struct laz_filter *with_events, const struct laz_filter *plain, struct laz_err *err)
{
    for (size_t i = 0; i < policy->n_tests; i++) {
        struct laz_verdict seen = {0};
        if (laz_filter_test(with_events, plain, arch, &policy->tests[i], &seen) ==
                LAZ_FILTER_TEST_BROKEN) {
            return report(policy, &policy->tests[i], seen, err);
        }
    }
    return 0;
}
