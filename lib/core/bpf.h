/* SPDX-License-Identifier: Apache-2.0
 *
 * Runs a classic BPF program over one struct seccomp_data, exactly as the kernel's seccomp does.
 * libc only: PID 1 uses it to learn what a refused call answers, setup and cli to prove a filter.
 */
#ifndef LAZ_CORE_BPF_H
#define LAZ_CORE_BPF_H

#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>

#include "core/err.h"

/* What the kernel's checker (seccomp_check_filter, bpf_check_classic) accepts, as far as our
 * compiler uses it: known opcodes, forward jumps inside the program, aligned loads inside
 * seccomp_data, a return at the end of every path. Anything else is refused: the evaluator runs
 * only checked programs. */
LAZ_MUST_CHECK bool laz_bpf_is_valid(const struct sock_filter *insns, size_t n);

/* What one run did. */
struct laz_bpf_trace {
    uint32_t steps; /* instructions */
    uint32_t words; /* bit n: the answer may depend on the 32-bit word at 4 * n; no other word was
                       read */
};

/* The 32-bit SECCOMP_RET_* value of a valid program. ret_trace may be NULL. */
uint32_t laz_bpf_evaluate(const struct sock_filter *insns, size_t n,
        const struct seccomp_data *data, struct laz_bpf_trace *ret_trace);

#endif
