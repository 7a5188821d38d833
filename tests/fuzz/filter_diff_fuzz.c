/* SPDX-License-Identifier: Apache-2.0
 *
 * Bytes as the choices of a random policy: the compiler against laz_policy_decide, by the proof
 * and, because a proof can be wrong, at random points too. Both architectures, all numbers 0-1023,
 * all ABIs. libseccomp's opinion: tests/unit/filter/differential_test.c.
 */
#include <linux/audit.h>
#include <stdio.h>
#include <stdlib.h>

#include "fuzz.h"
#include "tests/fixture/policy.h"

#define X32_BIT 0x40000000U

static void fail(const struct laz_err *err)
{
    (void)fprintf(stderr, "%s: %s\n", laz_err_name(err->kind), err->message);
    abort();
}

/* An argument near what the policy compares with. */
static uint64_t choose_arg(struct choices *choices, const struct fixture *fixture)
{
    uint64_t arg = choose(choices, 16);
    if (fixture->n_values > 0 && choose(choices, 4) != 0) {
        arg = fixture->values[choose(choices, (uint32_t)fixture->n_values)];
    }
    return arg ^ (choose(choices, 3) == 0 ? 1ULL << choose(choices, 64) : 0);
}

static void compare(const struct fixture *fixture, enum laz_arch arch,
        enum laz_filter_variant variant, const struct laz_filter *filter, struct choices *choices)
{
    static const uint32_t arches[] = {AUDIT_ARCH_X86_64, AUDIT_ARCH_AARCH64, AUDIT_ARCH_I386,
            AUDIT_ARCH_ARM, AUDIT_ARCH_RISCV64};
    for (uint32_t i = 0; i < 5 * 2048; i++) {
        uint32_t nr = i % 1024 | (i / 1024 % 2 == 0 ? 0 : X32_BIT);
        struct seccomp_data data = {.arch = arches[i / 2048], .nr = (int)nr};
        uint64_t args[6];
        for (size_t j = 0; j < 6; j++) {
            args[j] = choose_arg(choices, fixture);
            data.args[j] = args[j];
        }
        bool is_native = data.arch == laz_arch_audit(arch);
        uint32_t wanted = laz_filter_return(&fixture->policy, variant,
                is_native ? laz_syscall_by_nr(arch, nr) : NULL,
                laz_policy_decide(&fixture->policy, arch, data.arch, nr, args));
        if (laz_bpf_evaluate(filter->insns, filter->n, &data, NULL) != wanted) {
            (void)fprintf(stderr, "number %#x of %#x: the proof did not see it\n", nr, data.arch);
            abort();
        }
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct choices choices = {.bytes = data, .n = size};
    cleanup_fixture struct fixture *fixture = fixture_random(&choices);
    enum laz_arch arch = (enum laz_arch)choose(&choices, LAZ_ARCH_COUNT);
    enum laz_filter_variant variant = (enum laz_filter_variant)choose(&choices, 3);
    laz_cleanup_filter struct laz_filter filter = {0};
    struct laz_filter_proof proof;
    struct laz_err err = {0};
    if (laz_filter_compile(&fixture->policy, arch, variant, &filter, &err) < 0 ||
            laz_filter_prove(&fixture->policy, arch, variant, &filter, &proof, &err) < 0) {
        if (err.kind != LAZ_E_POLICY_TOO_LARGE) {
            fail(&err);
        }
        return 0;
    }
    struct choices points = {.seed = size};
    compare(fixture, arch, variant, &filter, &points);
    return 0;
}
