/* SPDX-License-Identifier: Apache-2.0
 *
 * The compiler against laz_policy_decide and against libseccomp, on random policies with fixed
 * seeds, both architectures, all numbers 0-1023, all ABIs. The long run of the same is
 * tests/fuzz/filter_diff_fuzz.c.
 */
#include <errno.h>
#include <linux/audit.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include <criterion/criterion.h>
#include <seccomp.h>

#include "tests/fixture/policy.h"

#define POLICIES         60
#define LIBSECCOMP_TIMES 25
#define X32_BIT          0x40000000U

static const uint32_t arches[] = {
        AUDIT_ARCH_X86_64, AUDIT_ARCH_AARCH64, AUDIT_ARCH_I386, AUDIT_ARCH_ARM, AUDIT_ARCH_RISCV64};
#define ARCHES (sizeof(arches) / sizeof(arches[0]))

/* Arguments near what policies compare with. */
static void random_args(struct choices *choices, const struct fixture *fixture, uint64_t args[6])
{
    for (size_t i = 0; i < 6; i++) {
        args[i] = choose(choices, 4) == 0 || fixture->n_values == 0
                ? choose(choices, 20)
                : fixture->values[choose(choices, (uint32_t)fixture->n_values)];
        args[i] += choose(choices, 6) == 0 ? 1 : 0;
        args[i] ^= choose(choices, 6) == 0 ? 1ULL << choose(choices, 64) : 0;
    }
}

static void compare_with_policy(struct choices *choices, const struct fixture *fixture,
        enum laz_arch arch, enum laz_filter_variant variant, const struct laz_filter *filter)
{
    for (size_t i = 0; i < ARCHES; i++) {
        for (uint32_t nr = 0; nr < 2048; nr++) {
            struct seccomp_data data = {
                    .arch = arches[i], .nr = (int)(nr < 1024 ? nr : (nr - 1024) | X32_BIT)};
            uint64_t args[6];
            random_args(choices, fixture, args);
            for (size_t j = 0; j < 6; j++) {
                data.args[j] = args[j];
            }
            bool is_native = data.arch == laz_arch_audit(arch);
            const struct laz_syscall *call =
                    is_native ? laz_syscall_by_nr(arch, (uint32_t)data.nr) : NULL;
            uint32_t wanted = laz_filter_return(&fixture->policy, variant, call,
                    laz_policy_decide(&fixture->policy, arch, data.arch, (uint32_t)data.nr, args));
            cr_assert_eq(laz_bpf_evaluate(filter->insns, filter->n, &data, NULL), wanted,
                    "number %#x of %#x", (unsigned)data.nr, data.arch);
        }
    }
}

Test(filter_differential, random_policies_mean_what_is_decided)
{
    for (uint64_t seed = 0; seed < POLICIES; seed++) {
        struct choices choices = {.seed = seed};
        cleanup_fixture struct fixture *fixture = fixture_random(&choices);
        enum laz_arch arch = seed % 2 == 0 ? LAZ_ARCH_X86_64 : LAZ_ARCH_AARCH64;
        enum laz_filter_variant variant = seed % 4 < 2 ? LAZ_FILTER_WITH_EVENTS : LAZ_FILTER_PLAIN;
        laz_cleanup_filter struct laz_filter filter = {0};
        struct laz_filter_proof proof;
        struct laz_err err = {0};
        cr_assert_eq(laz_filter_compile(&fixture->policy, arch, variant, &filter, &err), 0,
                "seed %llu: %s", (unsigned long long)seed, err.message);
        cr_assert_eq(laz_filter_prove(&fixture->policy, arch, variant, &filter, &proof, &err), 0,
                "seed %llu: %s", (unsigned long long)seed, err.message);
        compare_with_policy(&choices, fixture, arch, variant, &filter);
    }
}

/* ---- libseccomp: names, numbers, equality and masked equality ---- */

/* What libseccomp can say without being trusted with an order of rules: a call is refused by the
 * default, or has one answer, or has it for certain arguments and the default for the others. */
static struct fixture *make_comparable(struct choices *choices)
{
    struct fixture *fixture = fixture_new();
    struct laz_verdict refused = verdict_of(LAZ_ACTION_ERRNO, ENOSYS);
    struct laz_verdict answers[] = {verdict_of(LAZ_ACTION_ALLOW, 0),
            verdict_of(LAZ_ACTION_ERRNO, EPERM), verdict_of(LAZ_ACTION_LOG, 0),
            verdict_of(LAZ_ACTION_KILL, 0)};
    fixture->policy.unknown_verdict = refused;
    fixture->policy.foreign_abi_verdict = verdict_of(LAZ_ACTION_KILL, 0);
    for (size_t i = 0; i < laz_syscall_count(); i++) {
        struct laz_decision *decision = &fixture->decisions[i];
        decision->base = refused;
        decision->otherwise = refused;
        struct laz_verdict answer = answers[choose(choices, 8) % 4];
        bool is_known = seccomp_syscall_resolve_name(laz_syscall_at(i)->name) != __NR_SCMP_ERROR;
        uint32_t kind = is_known ? choose(choices, 16) : 16; /* newer than libseccomp: refused */
        if (kind < 8) {
            decision->base = answer;
        } else if (kind == 8) {
            struct laz_clause *clause = add_clause(fixture, &decision->allow, answer);
            static const uint64_t masks[] = {UINT32_MAX, 0xf, 0x7e020000, UINT64_MAX};
            uint64_t mask = masks[choose(choices, 4)];
            const struct laz_cond cond = {.arg = (uint8_t)choose(choices, 6),
                    .width_bits = mask == UINT64_MAX ? 64 : 32,
                    .mask = mask};
            uint64_t values[3];
            for (size_t j = 0; j < 3; j++) {
                values[j] = (choose(choices, 64) | (uint64_t)choose(choices, 2) << 33) & mask;
            }
            (void)add_cond(fixture, clause, cond, values, 1 + choose(choices, 3));
            struct laz_cond more = cond;
            more.arg = (uint8_t)((cond.arg + 1) % 6);
            if (choose(choices, 2) == 0) {
                (void)add_cond(fixture, clause, more, values, 1);
            }
        }
    }
    return fixture;
}

static uint32_t scmp_action(struct laz_verdict verdict)
{
    switch (verdict.action) {
    case LAZ_ACTION_ALLOW:
        return SCMP_ACT_ALLOW;
    case LAZ_ACTION_LOG:
        return SCMP_ACT_LOG;
    case LAZ_ACTION_KILL:
        return SCMP_ACT_KILL_PROCESS;
    case LAZ_ACTION_ERRNO:
    case LAZ_ACTION_NOTIFY:
    case LAZ_ACTION_COUNT:
        break;
    }
    return SCMP_ACT_ERRNO(verdict.errno_value);
}

/* One rule for each value of the first condition; a second condition has one value. */
static int add_rules(scmp_filter_ctx context, int nr, const struct laz_clause *clause)
{
    const struct laz_cond *first = &clause->conds[0];
    int result = 0;
    for (size_t i = 0; i < first->n_values && result == 0; i++) {
        struct scmp_arg_cmp tests[2] = {
                {first->arg, SCMP_CMP_MASKED_EQ, first->mask, first->values[i]}};
        if (clause->n_conds == 2) {
            const struct laz_cond *second = &clause->conds[1];
            tests[1] = (struct scmp_arg_cmp){
                    second->arg, SCMP_CMP_MASKED_EQ, second->mask, second->values[0]};
        }
        result = seccomp_rule_add_exact_array(
                context, scmp_action(clause->verdict), nr, (unsigned)clause->n_conds, tests);
    }
    return result;
}

static size_t export_libseccomp(const struct fixture *fixture, enum laz_arch arch, unsigned tree,
        struct sock_filter insns[BPF_MAXINSNS])
{
    uint32_t token = arch == LAZ_ARCH_X86_64 ? SCMP_ARCH_X86_64 : SCMP_ARCH_AARCH64;
    uint32_t by_default = scmp_action(fixture->policy.unknown_verdict);
    scmp_filter_ctx context = seccomp_init(by_default);
    cr_assert_not_null(context);
    if (token != seccomp_arch_native()) {
        cr_assert_eq(seccomp_arch_add(context, token), 0);
        cr_assert_eq(seccomp_arch_remove(context, SCMP_ARCH_NATIVE), 0);
    }
    cr_assert_eq(seccomp_attr_set(context, SCMP_FLTATR_ACT_BADARCH,
                         scmp_action(fixture->policy.foreign_abi_verdict)),
            0);
    cr_assert_eq(seccomp_attr_set(context, SCMP_FLTATR_CTL_OPTIMIZE, tree), 0);
    for (size_t i = 0; i < laz_syscall_count(); i++) {
        const struct laz_decision *decision = &fixture->decisions[i];
        if (laz_syscall_at(i)->nr[arch] < 0) {
            continue;
        }
        /* The native number, which libseccomp translates: so its tables are asked, not ours. */
        int nr = seccomp_syscall_resolve_name(laz_syscall_at(i)->name);
        if (decision->allow.n > 0) {
            cr_assert_eq(add_rules(context, nr, &decision->allow.items[0]), 0);
        } else if (scmp_action(decision->base) != by_default) {
            int result = seccomp_rule_add_exact(context, scmp_action(decision->base), nr, 0);
            cr_assert_eq(result, 0, "%s: %d", laz_syscall_at(i)->name, result);
        }
    }
    int fd = memfd_create("bpf", MFD_CLOEXEC);
    cr_assert_geq(fd, 0);
    cr_assert_eq(seccomp_export_bpf(context, fd), 0);
    ssize_t size = pread(fd, insns, BPF_MAXINSNS * sizeof(*insns), 0);
    cr_assert_gt(size, 0);
    (void)close(fd);
    seccomp_release(context);
    return (size_t)size / sizeof(*insns);
}

Test(filter_differential, libseccomp_is_of_the_same_opinion, .timeout = 120)
{
    static struct sock_filter theirs[BPF_MAXINSNS];
    uint64_t n_compared = 0;
    for (uint64_t seed = 0; seed < LIBSECCOMP_TIMES; seed++) {
        struct choices choices = {.seed = 1000 + seed};
        cleanup_fixture struct fixture *fixture = make_comparable(&choices);
        enum laz_arch arch = seed % 2 == 0 ? LAZ_ARCH_X86_64 : LAZ_ARCH_AARCH64;
        laz_cleanup_filter struct laz_filter ours = {0};
        struct laz_err err = {0};
        cr_assert_eq(laz_filter_compile(&fixture->policy, arch, LAZ_FILTER_OWN, &ours, &err), 0,
                "%s", err.message);
        size_t n = export_libseccomp(fixture, arch, seed % 4 < 2 ? 1 : 2, theirs);
        cr_assert(laz_bpf_is_valid(theirs, n));
        for (uint32_t i = 0; i < ARCHES * 2048 * 4; i++) {
            uint32_t nr = i / 4 % 2048;
            struct seccomp_data data = {
                    .arch = arches[i / 8192], .nr = (int)(nr < 1024 ? nr : (nr - 1024) | X32_BIT)};
            if (arch == LAZ_ARCH_AARCH64 && nr >= 1024) {
                continue; /* aarch64 has no x32 */
            }
            uint64_t args[6];
            random_args(&choices, fixture, args);
            for (size_t j = 0; j < 6; j++) {
                data.args[j] = args[j];
            }
            cr_assert_eq(laz_bpf_evaluate(ours.insns, ours.n, &data, NULL),
                    laz_bpf_evaluate(theirs, n, &data, NULL), "seed %llu: number %#x of %#x",
                    (unsigned long long)seed, (unsigned)data.nr, data.arch);
            n_compared++;
        }
    }
    cr_log_info("%llu points compared with libseccomp", (unsigned long long)n_compared);
}
