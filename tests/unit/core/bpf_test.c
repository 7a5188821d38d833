/* SPDX-License-Identifier: Apache-2.0
 *
 * lib/filter/evaluate: which programs are taken, and what they answer.
 */
#include "core/bpf.h"

#include <string.h>

#include <criterion/criterion.h>

#define LD(offset) BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offset)
#define RET(k)     BPF_STMT(BPF_RET | BPF_K, k)
#define PROGRAM(...)                                                                               \
    (const struct sock_filter[])                                                                   \
    {                                                                                              \
        __VA_ARGS__                                                                                \
    }

Test(bpf_is_valid, takes_what_the_compiler_emits)
{
    const struct sock_filter insns[] = {
            LD(0),
            BPF_STMT(BPF_ALU | BPF_AND | BPF_K, 0xff),
            BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, 1, 4, 0),
            BPF_JUMP(BPF_JMP | BPF_JGT | BPF_K, 1, 3, 0),
            BPF_JUMP(BPF_JMP | BPF_JGE | BPF_K, 1, 2, 0),
            BPF_JUMP(BPF_JMP | BPF_JSET | BPF_K, 1, 1, 0),
            BPF_STMT(BPF_JMP | BPF_JA, 0),
            RET(SECCOMP_RET_ALLOW),
    };
    cr_assert(laz_bpf_is_valid(insns, sizeof(insns) / sizeof(insns[0])));
}

Test(bpf_is_valid, refuses_what_the_kernel_would_and_what_nobody_emits)
{
    const struct {
        const char *name;
        size_t n;
        const struct sock_filter *insns;
    } rows[] = {
            {"empty", 0, PROGRAM(RET(0))},
            {"no return at the end", 1, PROGRAM(LD(0))},
            {"jump at the end", 1, PROGRAM(BPF_STMT(BPF_JMP | BPF_JA, 0))},
            {"misaligned load", 2, PROGRAM(LD(2), RET(0))},
            {"load behind the input", 2, PROGRAM(LD(sizeof(struct seccomp_data)), RET(0))},
            {"load far behind", 2, PROGRAM(LD(0xfffffffc), RET(0))},
            {"half-word load", 2, PROGRAM(BPF_STMT(BPF_LD | BPF_H | BPF_ABS, 0), RET(0))},
            {"indirect load", 2, PROGRAM(BPF_STMT(BPF_LD | BPF_W | BPF_IND, 0), RET(0))},
            {"load of the length", 2, PROGRAM(BPF_STMT(BPF_LD | BPF_W | BPF_LEN, 0), RET(0))},
            {"scratch memory", 2, PROGRAM(BPF_STMT(BPF_ST, 0), RET(0))},
            {"index register", 2, PROGRAM(BPF_STMT(BPF_MISC | BPF_TAX, 0), RET(0))},
            {"addition", 2, PROGRAM(BPF_STMT(BPF_ALU | BPF_ADD | BPF_K, 1), RET(0))},
            {"return of the accumulator", 2, PROGRAM(LD(0), BPF_STMT(BPF_RET | BPF_A, 0))},
            {"comparison of registers", 2,
                    PROGRAM(BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_X, 0, 0, 0), RET(0))},
            {"true branch past the end", 2,
                    PROGRAM(BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, 0, 1, 0), RET(0))},
            {"false branch past the end", 2,
                    PROGRAM(BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, 0, 0, 1), RET(0))},
            {"long jump past the end", 2, PROGRAM(BPF_STMT(BPF_JMP | BPF_JA, 1), RET(0))},
            {"long jump around the end", 2,
                    PROGRAM(BPF_STMT(BPF_JMP | BPF_JA, 0xffffffff), RET(0))},
            {"unknown code", 2, PROGRAM({0xffff, 0, 0, 0}, RET(0))},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        cr_expect_not(laz_bpf_is_valid(rows[i].insns, rows[i].n), "%s", rows[i].name);
    }
}

Test(bpf_is_valid, takes_no_more_instructions_than_the_kernel)
{
    static struct sock_filter insns[BPF_MAXINSNS + 1];
    for (size_t i = 0; i <= BPF_MAXINSNS; i++) {
        insns[i] = (struct sock_filter)RET(0);
    }
    cr_assert(laz_bpf_is_valid(insns, BPF_MAXINSNS));
    cr_assert_not(laz_bpf_is_valid(insns, BPF_MAXINSNS + 1));
}

Test(bpf_evaluate, jumps_as_the_accumulator_compares)
{
    const struct {
        const char *name;
        uint16_t operation;
        uint32_t a;
        uint32_t k;
        bool is_taken;
    } rows[] = {
            {"equal", BPF_JEQ, 7, 7, true},
            {"not equal", BPF_JEQ, 7, 8, false},
            {"equal is not greater", BPF_JGT, 7, 7, false},
            {"greater", BPF_JGT, 8, 7, true},
            {"greater, without a sign", BPF_JGT, 0x80000000, 0x7fffffff, true},
            {"equal is greater or equal", BPF_JGE, 7, 7, true},
            {"less", BPF_JGE, 6, 7, false},
            {"greater or equal, without a sign", BPF_JGE, 0xffffffff, 0x80000000, true},
            {"one common bit", BPF_JSET, 6, 12, true},
            {"no common bit", BPF_JSET, 3, 12, false},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        const struct sock_filter insns[] = {
                LD(0),
                BPF_JUMP(BPF_JMP | rows[i].operation | BPF_K, rows[i].k, 1, 0),
                RET(SECCOMP_RET_ERRNO),
                RET(SECCOMP_RET_ALLOW),
        };
        const struct seccomp_data data = {.nr = (int)rows[i].a};
        uint32_t wanted = rows[i].is_taken ? SECCOMP_RET_ALLOW : SECCOMP_RET_ERRNO;
        cr_expect(laz_bpf_is_valid(insns, 4), "%s", rows[i].name);
        cr_expect_eq(laz_bpf_evaluate(insns, 4, &data, NULL), wanted, "%s", rows[i].name);
    }
}

Test(bpf_evaluate, loads_each_word_and_says_so)
{
    uint8_t bytes[sizeof(struct seccomp_data)];
    struct seccomp_data data;
    for (size_t i = 0; i < sizeof(bytes); i++) {
        bytes[i] = (uint8_t)(i + 1);
    }
    (void)memcpy(&data, bytes, sizeof(data));
    for (uint32_t offset = 0; offset < sizeof(data); offset += 4) {
        uint32_t word = 0;
        (void)memcpy(&word, bytes + offset, sizeof(word));
        const struct sock_filter insns[] = {
                LD(offset),
                BPF_STMT(BPF_ALU | BPF_AND | BPF_K, 0x00ffff00),
                BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, word & 0x00ffff00, 0, 1),
                BPF_STMT(BPF_JMP | BPF_JA, 1),
                RET(SECCOMP_RET_KILL_PROCESS),
                RET(SECCOMP_RET_ALLOW),
        };
        struct laz_bpf_trace trace;
        cr_expect_eq(laz_bpf_evaluate(insns, 6, &data, &trace), SECCOMP_RET_ALLOW, "%u", offset);
        cr_expect_eq(trace.steps, 5, "%u", offset);
        cr_expect_eq(trace.words, 1U << (offset / 4), "%u", offset);
    }
}

Test(bpf_evaluate, remembers_all_words_that_it_read)
{
    const struct seccomp_data data = {.arch = 5};
    const struct sock_filter insns[] = {LD(4), LD(60), RET(0)};
    struct laz_bpf_trace trace;
    (void)laz_bpf_evaluate(insns, 3, &data, &trace);
    cr_assert_eq(trace.words, 1U << 1 | 1U << 15);
    cr_assert_eq(trace.steps, 3);
}

Test(bpf_evaluate, starts_from_zero_and_fails_closed)
{
    const struct seccomp_data data = {.nr = 1};
    const struct sock_filter zero[] = {
            BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, 0, 1, 0), RET(SECCOMP_RET_KILL_PROCESS), RET(7)};
    cr_assert_eq(laz_bpf_evaluate(zero, 3, &data, NULL), 7);
    const struct sock_filter unknown[] = {{0xffff, 0, 0, 0}, RET(SECCOMP_RET_ALLOW)};
    cr_assert_eq(laz_bpf_evaluate(unknown, 2, &data, NULL), SECCOMP_RET_KILL_PROCESS);
    cr_assert_eq(laz_bpf_evaluate(zero, 0, &data, NULL), SECCOMP_RET_KILL_PROCESS);
}
