/* SPDX-License-Identifier: Apache-2.0
 *
 * Policy to BPF, and the proof that it is the policy. Used at build time, by lazaret-setup and by
 * lazaret; never by PID 1.
 */
#ifndef LAZ_FILTER_FILTER_H
#define LAZ_FILTER_FILTER_H

#include "filter/evaluate.h"
#include "policy/policy.h"

/* Which of the two programs of a policy image. */
enum laz_filter_variant {
    LAZ_FILTER_WITH_EVENTS, /* notify is USER_NOTIF; execve is notified (the gate and the budget);
                             * in observe mode everything that is refused is */
    LAZ_FILTER_PLAIN,       /* notify is ERRNO; execve is allowed */
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

/* Evaluate the program against laz_policy_decide: every number 0..1023 and the edges beyond under
 * the native ABI, x32, i386 or arm, the other 64-bit architecture and an unknown one; for calls
 * with conditions every combination of the values that can make a difference (each value, its
 * neighbours, each with the upper half set). LAZ_E_PROOF with the first disagreement: call,
 * arguments, both answers. */
LAZ_MUST_CHECK int laz_filter_prove(const struct laz_policy *policy, enum laz_arch arch,
        enum laz_filter_variant variant, const struct laz_filter *filter,
        struct laz_filter_proof *ret, struct laz_err *err);

/* Compile, prove and encode a policy into a block: what lazaret-setup and `policy compile` both do.
 */
LAZ_MUST_CHECK int laz_filter_build_image(const struct laz_policy *policy, enum laz_arch arch,
        struct laz_buf *ret, struct laz_err *err);

#endif
