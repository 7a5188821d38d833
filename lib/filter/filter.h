/* SPDX-License-Identifier: Apache-2.0
 *
 * Policy to BPF, and the proof that it is the policy. Used at build time, by lazaret-setup and by
 * lazaret; never by PID 1.
 */
#ifndef LAZ_FILTER_FILTER_H
#define LAZ_FILTER_FILTER_H

#include "core/bpf.h"
#include "policy/policy.h"

/* Which program: one of the two of a policy image, or that of one of our own processes. */
enum laz_filter_variant {
    LAZ_FILTER_WITH_EVENTS, /* notify is USER_NOTIF; execve is notified (the gate and the budget);
                             * in observe mode everything that is refused is, but ENOSYS that the
                             * policy gives without an event */
    LAZ_FILTER_PLAIN,       /* notify is ERRNO; execve is allowed */
    LAZ_FILTER_OWN, /* notify is ERRNO; execve is what the policy says: nobody waits to start */
};

/* Invariant: laz_bpf_is_valid(insns, n). */
struct laz_filter {
    size_t n;
    struct sock_filter *insns; /* owned; free with laz_filter_done */
    uint32_t longest_path;     /* instructions */
};

/* LAZ_E_POLICY_TOO_LARGE above LAZ_IMAGE_BPF_MAX instructions. */
LAZ_MUST_CHECK int laz_filter_compile(const struct laz_policy *policy, enum laz_arch arch,
        enum laz_filter_variant variant, struct laz_filter *ret, struct laz_err *err);
void laz_filter_done(struct laz_filter *filter);
#define laz_cleanup_filter __attribute__((cleanup(laz_filter_done)))

/* The SECCOMP_RET_* value that a verdict becomes in a variant for a call (NULL: unknown or
 * foreign). */
uint32_t laz_filter_return(const struct laz_policy *policy, enum laz_filter_variant variant,
        const struct laz_syscall *call, struct laz_verdict verdict);

struct laz_filter_proof {
    uint64_t n_checked;                     /* points at which filter and policy were compared */
    uint32_t n_by_action[LAZ_ACTION_COUNT]; /* native calls of the table by base action; conditional
                                             * ones count once, as allow */
    uint32_t n_conditional;
};

/* Points that one proof may take; a call whose conditions need more is LAZ_E_POLICY_TOO_LARGE,
 * never a smaller proof. 4 million take less than a second; the built-in policies take 5 thousand.
 */
#define LAZ_PROOF_POINTS_MAX 4000000

/* Run the program against laz_policy_decide. What this proves:
 *   architectures, numbers: for all 2^64 pairs. Tried are, under each architecture that Linux calls
 *     ours or foreign, the numbers 0..1023, natively also x32's, the edges of the ABIs, and what
 * lies around each constant of the program; and the program is seen to test nothing but ranges;
 *   arguments: for all 2^384 combinations. Of the values that neither the conditions of the policy
 *     nor the tests of the program tell apart, one is tried, in all combinations over the
 * arguments. A call without conditions at which the program reads no argument takes one point.
 * Assumed are laz_policy_decide, laz_filter_return, and that the kernel runs BPF as
 * laz_bpf_evaluate does. LAZ_E_PROOF with the first disagreement: call, arguments, both answers; or
 * if the program tests in a way that the compiler never does and the proof does not cover. */
LAZ_MUST_CHECK int laz_filter_prove(const struct laz_policy *policy, enum laz_arch arch,
        enum laz_filter_variant variant, const struct laz_filter *filter,
        struct laz_filter_proof *ret, struct laz_err *err);

enum laz_filter_test_result {
    LAZ_FILTER_TEST_MET,
    LAZ_FILTER_TEST_BROKEN,
    LAZ_FILTER_TEST_NOT_HERE, /* the architecture has no such call or ABI */
};

/* Run a test of a policy on its two filters, compiled for mode enforce: in mode observe they let
 * through what the test is about. ret_seen, unless NOT_HERE: what the workload sees. execve is
 * always allowed here, because only init counts it. */
enum laz_filter_test_result laz_filter_test(const struct laz_filter *with_events,
        const struct laz_filter *plain, enum laz_arch arch, const struct laz_policy_test *test,
        struct laz_verdict *ret_seen);

/* Run all tests of the policy, likewise. LAZ_E_TEST_FAILED with the position and both answers of
 * the first one that is broken. */
LAZ_MUST_CHECK int laz_filter_run_tests(const struct laz_policy *policy, enum laz_arch arch,
        const struct laz_filter *with_events, const struct laz_filter *plain, struct laz_err *err);

/* Compile, prove and encode a policy into a block, if its tests pass: what lazaret-setup and
 * `policy compile` both do. */
LAZ_MUST_CHECK int laz_filter_build_image(const struct laz_policy *policy, enum laz_arch arch,
        struct laz_buf *ret, struct laz_err *err);

#endif
