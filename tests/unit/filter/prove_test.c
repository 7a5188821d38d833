/* SPDX-License-Identifier: Apache-2.0
 *
 * lib/filter/prove: it accepts what the compiler emits, and finds every way in which that could be
 * wrong.
 */
#include <errno.h>
#include <linux/audit.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <criterion/criterion.h>

#include "filter/survey.h"
#include "tests/fixture/policy.h"

#define NATIVE LAZ_ARCH_X86_64
#define EVENTS LAZ_FILTER_WITH_EVENTS

/* Something of everything: ranges, single numbers, flags, masks, lists, both widths, order of
 * clauses. */
static struct fixture *make_policy(void)
{
    struct fixture *fixture = fixture_new();
    struct laz_verdict allowed = verdict_of(LAZ_ACTION_ALLOW, 0);
    struct laz_verdict refused = fixture->policy.default_verdict;
    for (uint32_t nr = 0; nr <= LAZ_SYSCALL_NR_MAX; nr++) {
        const struct laz_syscall *call = laz_syscall_by_nr(NATIVE, nr);
        if (call != NULL && nr % 11 < 7) {
            fixture->decisions[laz_syscall_index(call)].base = allowed;
        }
    }
    decision_of(fixture, "ptrace")->base = verdict_of(LAZ_ACTION_KILL, 0);
    decision_of(fixture, "clone3")->base = verdict_of(LAZ_ACTION_ERRNO, ENOSYS);
    decision_of(fixture, "execveat")->base = allowed;
    decision_of(fixture, "dup3")->base = allowed;
    struct laz_decision *call = decision_of(fixture, "ioctl");
    call->base = allowed;
    (void)add_cond(fixture, add_clause(fixture, &call->refuse, refused), IS(1),
            (uint64_t[]){0x5412, 0x541c, 0x5423}, 3);
    call = decision_of(fixture, "clone");
    call->base = allowed;
    (void)add_cond(fixture, add_clause(fixture, &call->refuse, refused), HAS_ANY(0, 0x7e020000),
            (uint64_t[]){0}, 1);
    call = decision_of(fixture, "socket");
    call->base = allowed;
    const struct laz_cond type = {.arg = 1, .width_bits = 32, .mask = 0xf};
    (void)add_cond(fixture, add_clause(fixture, &call->refuse, refused), type, (uint64_t[]){3}, 1);
    struct laz_clause *clause =
            add_clause(fixture, &call->refuse, verdict_of(LAZ_ACTION_ERRNO, EACCES));
    (void)add_cond(fixture, clause, IS(0), (uint64_t[]){2, 10}, 2);
    (void)add_cond(fixture, clause, IS(2), (uint64_t[]){262}, 1);
    (void)add_cond(
            fixture, add_clause(fixture, &call->guard, allowed), IS(0), (uint64_t[]){1, 2, 10}, 3);
    clause = add_clause(fixture, &call->guard, allowed);
    (void)add_cond(fixture, clause, IS(0), (uint64_t[]){16}, 1);
    (void)add_cond(fixture, clause, IS(2), (uint64_t[]){0}, 1);
    call = decision_of(fixture, "prctl");
    (void)add_cond(fixture, add_clause(fixture, &call->allow, allowed), IS(0),
            (uint64_t[]){3, 15, 16, 38, 39}, 5);
    call = decision_of(fixture, "munmap");
    const struct laz_cond length = {.arg = 1, .width_bits = 64, .mask = UINT64_MAX, .negate = true};
    (void)add_cond(fixture, add_clause(fixture, &call->allow, allowed), length,
            (uint64_t[]){0, 0x100000000}, 2);
    return fixture;
}

static struct laz_filter compile(const struct fixture *fixture, enum laz_filter_variant variant)
{
    struct laz_filter filter = {0};
    struct laz_err err = {0};
    cr_assert_eq(laz_filter_compile(&fixture->policy, NATIVE, variant, &filter, &err), 0, "%s",
            err.message);
    return filter;
}

static int prove(const struct fixture *fixture, enum laz_filter_variant variant,
        const struct laz_filter *filter, struct laz_err *err)
{
    struct laz_filter_proof proof;
    *err = (struct laz_err){0};
    return laz_filter_prove(&fixture->policy, NATIVE, variant, filter, &proof, err);
}

Test(filter_prove, accepts_the_compilers_work_and_counts)
{
    cleanup_fixture struct fixture *fixture = make_policy();
    laz_cleanup_filter struct laz_filter filter = compile(fixture, EVENTS);
    struct laz_filter_proof proof;
    struct laz_err err = {0};
    cr_assert_eq(laz_filter_prove(&fixture->policy, NATIVE, EVENTS, &filter, &proof, &err), 0, "%s",
            err.message);
    cr_assert_gt(proof.n_checked, 5000);
    cr_assert_lt(proof.n_checked, 20000);
    cr_assert_eq(proof.n_conditional, 5);
    cr_assert_eq(proof.n_by_action[LAZ_ACTION_KILL], 1);
    cr_assert_eq(proof.n_by_action[LAZ_ACTION_ERRNO], 1);
    cr_assert_eq(proof.n_by_action[LAZ_ACTION_LOG], 0);
    uint32_t sum = 0;
    uint32_t n_native = 0;
    for (size_t i = 0; i < LAZ_ACTION_COUNT; i++) {
        sum += proof.n_by_action[i];
    }
    for (size_t i = 0; i < laz_syscall_count(); i++) {
        n_native += laz_syscall_at(i)->nr[NATIVE] >= 0;
    }
    cr_assert_eq(sum, n_native);
}

/* Which policy a filter is compiled from, and which it is said to be: the proof must see the
 * difference. */
Test(filter_prove, finds_what_differs_and_says_where)
{
    static const struct {
        const char *name;
        const char *wanted;
    } rows[] = {
            {"another action", "dup (number 0x20, "},
            {"another errno",
                    "clone3 (number 0x1b3, architecture 0xc000003e, arguments 0xffffffffffffffff"},
            {"one flag less", "clone (number 0x38, "},
            {"one value more", "ioctl (number 0x10, "},
            {"64 bits of an int", "socket (number 0x29, "},
            {"32 bits of a size", "munmap (number 0xb, "},
            {"unknown numbers", "a call without a name (number 0x"},
            {"foreign ABIs", "a call without a name (number 0x7fffffff, architecture 0xc000003e, "},
            {"a guard", "dup3 (number 0x124, "},
            {"clauses in another order", "socket (number 0x29, "},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        cleanup_fixture struct fixture *fixture = make_policy();
        struct laz_decision *call = decision_of(fixture, "socket");
        laz_cleanup_filter struct laz_filter filter = compile(fixture, LAZ_FILTER_PLAIN);
        uint64_t other[] = {0x5412, 0x541c, 0x5423, 0x5424};
        struct laz_clause swap = call->refuse.items[0];
        struct laz_clause *clause = NULL;
        switch (i) {
        case 0:
            decision_of(fixture, "dup")->base = verdict_of(LAZ_ACTION_LOG, 0);
            break;
        case 1:
            decision_of(fixture, "clone3")->base.errno_value = EPERM;
            break;
        case 2:
            decision_of(fixture, "clone")->refuse.items[0].conds[0].mask = 0x7e000000;
            break;
        case 3:
            decision_of(fixture, "ioctl")->refuse.items[0].conds[0].values = other;
            decision_of(fixture, "ioctl")->refuse.items[0].conds[0].n_values = 4;
            break;
        case 4:
            call->guard.items[1].conds[0].mask = UINT64_MAX;
            call->guard.items[1].conds[0].width_bits = 64;
            break;
        case 5:
            decision_of(fixture, "munmap")->allow.items[0].conds[0].mask = UINT32_MAX;
            decision_of(fixture, "munmap")->allow.items[0].conds[0].n_values = 1;
            break;
        case 6:
            fixture->policy.unknown_verdict.errno_value = EPERM;
            break;
        case 7:
            fixture->policy.foreign_abi_verdict.errno_value = EPERM;
            break;
        case 8:
            clause = add_clause(
                    fixture, &decision_of(fixture, "dup3")->guard, (struct laz_verdict){0});
            add_cond(fixture, clause, IS(0), (uint64_t[]){5}, 1)->negate = true;
            break;
        default:
            call->refuse.items[0] = call->refuse.items[1];
            call->refuse.items[1] = swap;
            break;
        }
        struct laz_err err;
        cr_expect_eq(prove(fixture, LAZ_FILTER_PLAIN, &filter, &err), -1, "%s", rows[i].name);
        cr_expect_eq(err.kind, LAZ_E_PROOF, "%s", rows[i].name);
        cr_expect(strncmp(err.message, rows[i].wanted, strlen(rows[i].wanted)) == 0, "%s: %s",
                rows[i].name, err.message);
    }
}

Test(filter_prove, says_both_answers)
{
    cleanup_fixture struct fixture *fixture = make_policy();
    laz_cleanup_filter struct laz_filter filter = compile(fixture, LAZ_FILTER_PLAIN);
    decision_of(fixture, "dup")->base = verdict_of(LAZ_ACTION_ERRNO, EACCES);
    struct laz_err err;
    cr_assert_eq(prove(fixture, LAZ_FILTER_PLAIN, &filter, &err), -1);
    cr_assert_str_eq(err.message,
            "dup (number 0x20, architecture 0xc000003e, arguments 0xffffffffffffffff "
            "0xffffffffffffffff 0xffffffffffffffff 0xffffffffffffffff 0xffffffffffffffff "
            "0xffffffffffffffff): the policy says errno EACCES, the filter errno EPERM");
}

/* Put a few instructions in front of a filter: holes that a compiler could make, far from any
 * table. */
static struct laz_filter with_hole(
        const struct laz_filter *filter, const struct sock_filter *insns, size_t n)
{
    struct laz_filter ret = {.n = filter->n + n};
    ret.insns = calloc(ret.n, sizeof(*ret.insns));
    cr_assert_not_null(ret.insns);
    (void)memcpy(ret.insns, insns, n * sizeof(*insns));
    (void)memcpy(ret.insns + n, filter->insns, filter->n * sizeof(*insns));
    cr_assert(laz_bpf_is_valid(ret.insns, ret.n));
    return ret;
}

Test(filter_prove, finds_holes_of_one_input)
{
    const struct {
        const char *name;
        uint32_t offset;
        uint16_t operation;
        uint32_t k;
    } rows[] = {
            {"one number out of four billion", 0, BPF_JEQ, 0x12345678},
            {"the last numbers", 0, BPF_JGE, 0xfffffff0},
            {"one architecture", 4, BPF_JEQ, 0xdeadbeef},
            {"the last architectures", 4, BPF_JGT, 0xfffffff0},
            {"one address of the caller", 8, BPF_JEQ, 0x400000},
            {"the upper half of addresses", 12, BPF_JSET, 0x8000},
            {"one value of an argument", 16, BPF_JEQ, 0x1000},
            {"large values of an argument", 24, BPF_JGT, 0xfffffffe},
            {"one bit of an upper half", 20, BPF_JSET, 0x10000},
            {"the last argument", 60, BPF_JEQ, 7},
            {"bits of the number", 0, BPF_JSET, 0x10000000},
            {"bits of the architecture", 4, BPF_JSET, 0x1000},
    };
    cleanup_fixture struct fixture *fixture = make_policy();
    laz_cleanup_filter struct laz_filter filter = compile(fixture, LAZ_FILTER_PLAIN);
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        const struct sock_filter hole[] = {
                BPF_STMT(BPF_LD | BPF_W | BPF_ABS, rows[i].offset),
                BPF_JUMP(BPF_JMP | rows[i].operation | BPF_K, rows[i].k, 0, 1),
                BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
        };
        laz_cleanup_filter struct laz_filter open = with_hole(&filter, hole, 3);
        struct laz_err err;
        cr_expect_eq(prove(fixture, LAZ_FILTER_PLAIN, &open, &err), -1, "%s", rows[i].name);
        cr_expect_eq(err.kind, LAZ_E_PROOF, "%s: %s", rows[i].name, err.message);
    }
}

/* Under an architecture that only the program knows, a number that only the program knows. */
Test(filter_prove, finds_a_hole_behind_a_strange_architecture)
{
    cleanup_fixture struct fixture *fixture = make_policy();
    laz_cleanup_filter struct laz_filter filter = compile(fixture, LAZ_FILTER_PLAIN);
    const struct sock_filter hole[] = {
            BPF_STMT(BPF_LD | BPF_W | BPF_ABS, 4),
            BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, 0x1234, 0, 3),
            BPF_STMT(BPF_LD | BPF_W | BPF_ABS, 0),
            BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, 7, 0, 1),
            BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
    };
    laz_cleanup_filter struct laz_filter open = with_hole(&filter, hole, 5);
    struct laz_err err;
    cr_assert_eq(prove(fixture, LAZ_FILTER_PLAIN, &open, &err), -1);
    cr_assert(
            strncmp(err.message, "a call without a name (number 0x7, architecture 0x1234", 54) == 0,
            "%s", err.message);
}

/* One answer for all of our own architecture, and it is right for every number without a name. */
Test(filter_prove, finds_a_filter_that_knows_no_calls)
{
    cleanup_fixture struct fixture *fixture = make_policy();
    laz_cleanup_filter struct laz_filter filter = compile(fixture, LAZ_FILTER_PLAIN);
    const struct sock_filter hole[] = {
            BPF_STMT(BPF_LD | BPF_W | BPF_ABS, 4),
            BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, AUDIT_ARCH_X86_64, 0, 1),
            BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | ENOSYS),
    };
    laz_cleanup_filter struct laz_filter deaf = with_hole(&filter, hole, 3);
    struct laz_err err;
    cr_assert_eq(prove(fixture, LAZ_FILTER_PLAIN, &deaf, &err), -1);
    cr_assert_eq(err.kind, LAZ_E_PROOF, "%s", err.message);
}

/* The same instructions in front, but they answer what the policy does: nothing to find. */
Test(filter_prove, accepts_any_program_that_means_the_policy)
{
    cleanup_fixture struct fixture *fixture = make_policy();
    laz_cleanup_filter struct laz_filter filter = compile(fixture, LAZ_FILTER_PLAIN);
    const struct sock_filter detour[] = {
            BPF_STMT(BPF_LD | BPF_W | BPF_ABS, 0),
            BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, 0x12345, 0, 3),
            BPF_STMT(BPF_LD | BPF_W | BPF_ABS, 4),
            BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, AUDIT_ARCH_X86_64, 0, 1),
            BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | ENOSYS),
    };
    laz_cleanup_filter struct laz_filter longer = with_hole(&filter, detour, 5);
    struct laz_err err;
    cr_assert_eq(prove(fixture, LAZ_FILTER_PLAIN, &longer, &err), 0, "%s", err.message);
}

/* The policy's own filter with these instructions in front. */
static void assert_refused(const struct sock_filter *front, size_t n, const char *message)
{
    cleanup_fixture struct fixture *fixture = make_policy();
    laz_cleanup_filter struct laz_filter filter = compile(fixture, LAZ_FILTER_PLAIN);
    laz_cleanup_filter struct laz_filter odd = with_hole(&filter, front, n);
    struct laz_err err;
    cr_assert_eq(prove(fixture, LAZ_FILTER_PLAIN, &odd, &err), -1);
    cr_assert_eq(err.kind, LAZ_E_PROOF);
    cr_assert_str_eq(err.message, message);
}

Test(filter_prove, refuses_tests_of_it_knows_not_what)
{
    const struct sock_filter mixed[] = {
            BPF_STMT(BPF_LD | BPF_W | BPF_ABS, 16), BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, 1, 1, 0),
            BPF_STMT(BPF_LD | BPF_W | BPF_ABS, 24),
            BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, 2, 0, 0), /* either argument */
    };
    assert_refused(
            mixed, 4, "the filter has a test that looks at different words, or too many of them");
}

/* One bit set and another one not: no constant says where to look. */
Test(filter_prove, refuses_tests_of_bits_of_the_number)
{
    const struct sock_filter bits[] = {
            BPF_STMT(BPF_LD | BPF_W | BPF_ABS, 0),
            BPF_JUMP(BPF_JMP | BPF_JSET | BPF_K, 0x10000000, 0, 2),
            BPF_JUMP(BPF_JMP | BPF_JSET | BPF_K, 0x08000000, 1, 0),
            BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
    };
    assert_refused(bits, 4, "the filter tests single bits of the number or the architecture");
}

/* More instructions than a compiled policy holds are not looked at, so nothing is proved. */
Test(filter_prove, refuses_a_program_that_is_too_long)
{
    static struct sock_filter front[LAZ_IMAGE_BPF_MAX];
    for (size_t i = 0; i < LAZ_IMAGE_BPF_MAX; i++) {
        front[i] = (struct sock_filter)BPF_STMT(BPF_LD | BPF_W | BPF_ABS, 0);
    }
    assert_refused(front, LAZ_IMAGE_BPF_MAX,
            "the filter has a test that looks at different words, or too many of them");
}

Test(survey, says_when_it_is_full)
{
    static struct laz_survey full;
    static struct laz_values list;
    const struct laz_word_test test = {.offset = 16, .mask = UINT32_MAX};
    laz_survey_init(&full);
    for (uint32_t i = 0; i < LAZ_SURVEY_TESTS_MAX; i++) {
        laz_survey_add(&full, test);
        cr_assert_not(full.is_full);
    }
    laz_survey_add(&full, test);
    cr_expect(full.is_full);
    laz_values_init(&list);
    for (uint32_t i = 0; i < LAZ_VALUES_MAX; i++) {
        laz_values_add(&list, i);
        cr_assert_not(list.is_full);
    }
    laz_values_add(&list, 1); /* is there */
    cr_expect_not(list.is_full);
    laz_values_add(&list, LAZ_VALUES_MAX);
    cr_expect(list.is_full);
}

Test(filter_prove, refuses_rather_than_trying_less)
{
    cleanup_fixture struct fixture *fixture = fixture_new();
    struct laz_decision *call = decision_of(fixture, "mmap");
    struct laz_clause *clause = add_clause(fixture, &call->allow, verdict_of(LAZ_ACTION_ALLOW, 0));
    for (uint8_t arg = 0; arg < 6; arg++) {
        uint64_t values[30];
        for (uint64_t i = 0; i < 30; i++) {
            values[i] = 3 * i;
        }
        (void)add_cond(fixture, clause, IS(arg), values, 30);
    }
    laz_cleanup_filter struct laz_filter filter = compile(fixture, LAZ_FILTER_PLAIN);
    struct laz_err err;
    cr_assert_eq(prove(fixture, LAZ_FILTER_PLAIN, &filter, &err), -1);
    cr_assert_eq(err.kind, LAZ_E_POLICY_TOO_LARGE);
    cr_assert_str_eq(err.message,
            "the conditions on mmap can be combined in more ways than can be proved (4000000)");
}

/* ---- Which values tell the tests of a word apart ---- */

static struct laz_survey survey;
static struct laz_values values;

/* Every value of 16 bits has one in the list that answers all tests alike. */
static void assert_covers(const char *name)
{
    laz_survey_values(&survey, 16, &values);
    cr_expect_not(values.is_full, "%s", name);
    for (uint32_t value = 0; value < 0x10000; value++) {
        bool is_covered = false;
        for (size_t i = 0; i < values.n && !is_covered; i++) {
            is_covered = true;
            for (size_t j = 0; j < survey.n; j++) {
                is_covered = is_covered &&
                        laz_word_test_holds(&survey.tests[j], value) ==
                                laz_word_test_holds(&survey.tests[j], values.items[i]);
            }
        }
        cr_assert(is_covered, "%s: nothing stands for %#x", name, value);
    }
}

Test(survey_values, stand_for_all_values)
{
    static const uint32_t masks[] = {UINT32_MAX, 0xffff, 0xf, 0x1, 0x8421, 0xff00, 0x0ff0, 0x5555};
    struct choices choices = {.seed = 1};
    for (int round = 0; round < 60; round++) {
        char name[32];
        (void)snprintf(name, sizeof(name), "round %d", round);
        laz_survey_init(&survey);
        for (uint32_t n = 1 + choose(&choices, 6); n > 0; n--) {
            uint32_t mask = masks[choose(&choices, 8)];
            uint32_t k = choose(&choices, 0x10000) & (choose(&choices, 4) > 0 ? mask : UINT32_MAX);
            laz_survey_add(&survey,
                    (struct laz_word_test){.offset = 16,
                            .mask = mask,
                            .k = k,
                            .is_order = choose(&choices, 2) == 0});
        }
        assert_covers(name);
        cr_expect_lt(values.n, 200, "%s: %zu values", name, values.n);
    }
}

Test(survey_values, are_one_where_nobody_looks)
{
    laz_survey_init(&survey);
    laz_survey_values(&survey, 16, &values);
    cr_assert_eq(values.n, 1);
    cr_assert_eq(values.items[0], UINT32_MAX);
}

/* ---- Mutations ---- */

#define MUTATIONS 26

/* false: it is no change, or no valid program. */
static bool mutate(struct sock_filter *insn, int mutation)
{
    const struct sock_filter before = *insn;
    static const uint16_t jumps[] = {BPF_JEQ, BPF_JGT, BPF_JGE, BPF_JSET};
    switch (mutation) {
    case 0:
    case 1:
    case 2:
    case 3:
        if (BPF_CLASS(insn->code) == BPF_JMP && insn->code != (BPF_JMP | BPF_JA)) {
            insn->code = (uint16_t)(BPF_JMP | jumps[mutation] | BPF_K);
        }
        break;
    case 4:
        insn->jt = before.jf;
        insn->jf = before.jt;
        break;
    case 5:
        insn->jt++;
        break;
    case 6:
        insn->jf++;
        break;
    case 7:
        insn->jt--;
        break;
    case 8:
        insn->jf--;
        break;
    case 9:
        insn->k++;
        break;
    case 10:
        insn->k--;
        break;
    case 11:
        insn->k += 4; /* a neighbouring word */
        break;
    case 12:
        insn->k -= 4;
        break;
    case 13:
        insn->code = BPF_RET | BPF_K; /* of whatever k is */
        break;
    case 14:
        *insn = (struct sock_filter)BPF_STMT(BPF_JMP | BPF_JA, 0); /* left out */
        break;
    case 15:
        *insn = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW);
        break;
    default:
        insn->k ^= 1U << (3 * (mutation - 16));
        break;
    }
    return memcmp(&before, insn, sizeof(before)) != 0;
}

/* Would anybody notice? Many random inputs, most of them near the constants of the program. */
static bool is_same_program(const struct laz_filter *a, const struct laz_filter *b)
{
    static const uint32_t arches[] = {AUDIT_ARCH_X86_64, AUDIT_ARCH_X86_64, AUDIT_ARCH_I386};
    struct choices choices = {.seed = 7};
    for (int round = 0; round < 50000; round++) {
        struct seccomp_data data = {.arch = arches[choose(&choices, 3)],
                .nr = (int)choose(&choices, 600),
                .instruction_pointer = choose(&choices, UINT32_MAX)};
        if (choose(&choices, 8) == 0) {
            data.arch = a->insns[choose(&choices, (uint32_t)a->n)].k + choose(&choices, 3) - 1;
            data.nr = (int)(a->insns[choose(&choices, (uint32_t)a->n)].k + choose(&choices, 3) - 1);
        }
        for (size_t i = 0; i < 6; i++) {
            uint32_t near = a->insns[choose(&choices, (uint32_t)a->n)].k;
            data.args[i] = choose(&choices, 3) == 0 ? choose(&choices, 64)
                                                    : near + choose(&choices, 3) - 1;
            data.args[i] |= choose(&choices, 3) == 0 ? 0x100000000 : 0;
            data.args[i] ^= choose(&choices, 4) == 0 ? 1ULL << choose(&choices, 32) : 0;
        }
        if (laz_bpf_evaluate(a->insns, a->n, &data, NULL) !=
                laz_bpf_evaluate(b->insns, b->n, &data, NULL)) {
            return false;
        }
    }
    return true;
}

/* Change each instruction in each way. The proof must refuse the program, or it is the same
 * program. */
Test(filter_prove, finds_every_changed_instruction)
{
    cleanup_fixture struct fixture *fixture = make_policy();
    laz_cleanup_filter struct laz_filter filter = compile(fixture, EVENTS);
    laz_cleanup_filter struct laz_filter mutant = compile(fixture, EVENTS);
    unsigned n_mutants = 0;
    unsigned n_disagreements = 0;
    unsigned n_unprovable = 0;
    unsigned n_equivalent = 0;
    for (size_t i = 0; i < filter.n; i++) {
        for (int mutation = 0; mutation < MUTATIONS; mutation++) {
            mutant.insns[i] = filter.insns[i];
            if (!mutate(&mutant.insns[i], mutation) || !laz_bpf_is_valid(mutant.insns, mutant.n)) {
                continue;
            }
            n_mutants++;
            struct laz_err err;
            if (prove(fixture, EVENTS, &mutant, &err) < 0) {
                cr_assert_eq(err.kind, LAZ_E_PROOF, "%s", err.message);
                bool is_unprovable = strncmp(err.message, "the filter", 10) == 0;
                n_unprovable += is_unprovable;
                n_disagreements += !is_unprovable;
                continue;
            }
            n_equivalent++;
            cr_assert(is_same_program(&filter, &mutant),
                    "mutation %d of instruction %zu was not found", mutation, i);
        }
        mutant.insns[i] = filter.insns[i];
    }
    cr_log_info("%u mutants of %zu instructions: %u disagree, %u are not provable, %u are the same",
            n_mutants, filter.n, n_disagreements, n_unprovable, n_equivalent);
    cr_assert_gt(n_mutants, 2000);
    cr_assert_lt(n_equivalent * 10, n_mutants);
}
