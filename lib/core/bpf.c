/* SPDX-License-Identifier: Apache-2.0
 *
 * The checker and the interpreter of the classic BPF that our filters are made of. libc only:
 * linked into PID 1, which runs it on every refused call. Must never run a program that the checker
 * did not take.
 */
#include "core/bpf.h"

#include <assert.h>
#include <string.h>

/* The kernel loads words in the machine's own byte order, and so do we. */
static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "seccomp_data is read as little-endian");

/* `rest`: how many instructions follow. */
static bool is_known(const struct sock_filter *insn, size_t rest)
{
    switch (insn->code) {
    case BPF_LD | BPF_W | BPF_ABS:
        return insn->k % sizeof(uint32_t) == 0 && insn->k < sizeof(struct seccomp_data);
    case BPF_ALU | BPF_AND | BPF_K:
    case BPF_RET | BPF_K:
        return true;
    case BPF_JMP | BPF_JA:
        return insn->k < rest;
    case BPF_JMP | BPF_JEQ | BPF_K:
    case BPF_JMP | BPF_JGT | BPF_K:
    case BPF_JMP | BPF_JGE | BPF_K:
    case BPF_JMP | BPF_JSET | BPF_K:
        return insn->jt < rest && insn->jf < rest;
    default:
        return false;
    }
}

bool laz_bpf_is_valid(const struct sock_filter *insns, size_t n)
{
    if (n == 0 || n > BPF_MAXINSNS || insns[n - 1].code != (BPF_RET | BPF_K)) {
        return false;
    }
    for (size_t i = 0; i < n; i++) {
        if (!is_known(&insns[i], n - 1 - i)) {
            return false;
        }
    }
    return true;
}

uint32_t laz_bpf_evaluate(const struct sock_filter *insns, size_t n,
        const struct seccomp_data *data, struct laz_bpf_trace *ret_trace)
{
    uint32_t a = 0; /* the accumulator; the kernel clears it, too */
    uint32_t answer = SECCOMP_RET_KILL_PROCESS;
    struct laz_bpf_trace trace = {0};
    for (size_t pc = 0; pc < n; pc++) { /* jumps only go forward: this ends */
        const struct sock_filter *insn = &insns[pc];
        trace.steps++;
        if (insn->code == (BPF_RET | BPF_K)) {
            answer = insn->k;
            break;
        }
        switch (insn->code) {
        case BPF_LD | BPF_W | BPF_ABS:
            (void)memcpy(&a, (const uint8_t *)data + insn->k, sizeof(a));
            trace.words |= 1U << (insn->k / sizeof(a));
            break;
        case BPF_ALU | BPF_AND | BPF_K:
            a &= insn->k;
            break;
        case BPF_JMP | BPF_JA:
            pc += insn->k;
            break;
        case BPF_JMP | BPF_JEQ | BPF_K:
            pc += a == insn->k ? insn->jt : insn->jf;
            break;
        case BPF_JMP | BPF_JGT | BPF_K:
            pc += a > insn->k ? insn->jt : insn->jf;
            break;
        case BPF_JMP | BPF_JGE | BPF_K:
            pc += a >= insn->k ? insn->jt : insn->jf;
            break;
        case BPF_JMP | BPF_JSET | BPF_K:
            pc += (a & insn->k) != 0 ? insn->jt : insn->jf;
            break;
        default: /* not checked: fail closed */
            pc = n;
            break;
        }
    }
    if (ret_trace != NULL) {
        *ret_trace = trace;
    }
    return answer;
}
