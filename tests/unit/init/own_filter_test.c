/* SPDX-License-Identifier: Apache-2.0
 *
 * The filters of lazaret-init, lazaret-setup and lazaret-helper, as this build has them: they allow
 * their lists and nothing else. What a sanitizer's runtime needs is in them where the build is
 * instrumented, and never in what ships.
 */
#include <fcntl.h>
#include <linux/audit.h>
#include <linux/seccomp.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/socket.h>

#include <criterion/criterion.h>

#include "core/bpf.h"
#include "init/fetch/filter.h"
#include "init/health/filter.h"
#include "init/pid1/filter.h"
#include "init/sense/filter.h"
#include "init/setup/filter.h"
#include "init/ship/filter.h"
#include "init/tunnel/filter.h"
#include "policy/tables/tables.h"

#ifndef SECCOMP_IOCTL_NOTIF_SET_FLAGS
#define SECCOMP_IOCTL_NOTIF_SET_FLAGS SECCOMP_IOW(4, __u64)
#endif
#define READ_MASK  (O_ACCMODE | O_CREAT | O_TRUNC | O_APPEND)
#define NUMBERS    1024
#define COUNT(all) (sizeof(all) / sizeof((all)[0]))

#ifdef __x86_64__
#define ARCH    AUDIT_ARCH_X86_64
#define FOREIGN AUDIT_ARCH_I386
#else
#define ARCH    AUDIT_ARCH_AARCH64
#define FOREIGN AUDIT_ARCH_ARM
#endif

struct line {
    const char *call;
    const char *arg; /* NULL: in any case */
    uint64_t mask;
    uint64_t value;
};

#define LAZ_CALL(name, reason) {#name, NULL, 0, 0},
#define LAZ_CALL_IF(name, arg, mask, value, reason)                                                \
    {#name, #arg, (uint32_t)(mask), (uint32_t)(value)},
static const struct line pid1_lines[] = {
#include "init/pid1/filter.def"
};
static const struct line setup_lines[] = {
#include "init/setup/filter.def"
};
static const struct line ship_lines[] = {
#include "init/ship/filter.def"
};
static const struct line sense_lines[] = {
#include "init/sense/filter.def"
};
static const struct line fetch_lines[] = {
#include "init/fetch/filter.def"
};
static const struct line tunnel_lines[] = {
#include "init/tunnel/filter.def"
};
static const struct line health_lines[] = {
#include "init/health/filter.def"
};

#define LAZ_SETUP(name, reason)
#define LAZ_HELPER(name, reason)
#define LAZ_PID1(name, reason) #name,
static const char *const pid1_runtime[] = {
#include "init/instrumented_filter.def"
};
#undef LAZ_SETUP
#undef LAZ_PID1
#define LAZ_SETUP(name, reason) #name,
#define LAZ_PID1(name, reason)
static const char *const setup_runtime[] = {
#include "init/instrumented_filter.def"
};
#undef LAZ_SETUP
#undef LAZ_HELPER
#define LAZ_SETUP(name, reason)
#define LAZ_HELPER(name, reason) #name,
static const char *const helper_runtime[] = {
#include "init/instrumented_filter.def"
};

static const struct subject {
    const char *name;
    const struct sock_filter *insns;
    size_t n_insns;
    const struct line *lines;
    size_t n_lines;
    const char *const *runtime;
    size_t n_runtime;
    bool borrows; /* the runtime's list is another program's */
} subjects[] = {
        {"pid1", laz_pid1_filter, COUNT(laz_pid1_filter), pid1_lines, COUNT(pid1_lines),
                pid1_runtime, COUNT(pid1_runtime), false},
        {"setup", laz_setup_filter, COUNT(laz_setup_filter), setup_lines, COUNT(setup_lines),
                setup_runtime, COUNT(setup_runtime), false},
        {"ship", laz_ship_filter, COUNT(laz_ship_filter), ship_lines, COUNT(ship_lines),
                helper_runtime, COUNT(helper_runtime), true},
        {"sense", laz_sense_filter, COUNT(laz_sense_filter), sense_lines, COUNT(sense_lines),
                helper_runtime, COUNT(helper_runtime), true},
        {"fetch", laz_fetch_filter, COUNT(laz_fetch_filter), fetch_lines, COUNT(fetch_lines),
                helper_runtime, COUNT(helper_runtime), true},
        {"tunnel", laz_tunnel_filter, COUNT(laz_tunnel_filter), tunnel_lines, COUNT(tunnel_lines),
                helper_runtime, COUNT(helper_runtime), true},
        {"health", laz_health_filter, COUNT(laz_health_filter), health_lines, COUNT(health_lines),
                helper_runtime, COUNT(helper_runtime), true},
};

static const struct laz_syscall *call_of(const char *name)
{
    const struct laz_syscall *call = laz_syscall_by_name(name, strlen(name));
    cr_assert_not_null(call, "no system call %s", name);
    return call;
}

static int number_of(const char *name)
{
    return call_of(name)->nr[laz_arch_native()];
}

static bool is_allowed(
        const struct subject *subject, int nr, uint32_t arch, const uint64_t *args, size_t n_args)
{
    struct seccomp_data data = {.nr = nr, .arch = arch};
    for (size_t i = 0; i < n_args; i++) {
        data.args[i] = args[i];
    }
    uint32_t answer = laz_bpf_evaluate(subject->insns, subject->n_insns, &data, NULL);
    cr_assert(answer == SECCOMP_RET_ALLOW || answer == SECCOMP_RET_KILL_PROCESS, "%s: %d: %#x",
            subject->name, nr, answer);
    return answer == SECCOMP_RET_ALLOW;
}

static bool is_allowed_anyhow(const struct subject *subject, int nr)
{
    const uint64_t zeros[6] = {0};
    const uint64_t ones[6] = {
            UINT64_MAX, UINT64_MAX, UINT64_MAX, UINT64_MAX, UINT64_MAX, UINT64_MAX};
    return is_allowed(subject, nr, ARCH, zeros, 6) && is_allowed(subject, nr, ARCH, ones, 6);
}

static bool is_runtime(const struct subject *subject, int nr)
{
    for (size_t i = 0; i < subject->n_runtime; i++) {
        if (number_of(subject->runtime[i]) == nr) {
            return true;
        }
    }
    return false;
}

/* Whether the list names the call without a condition. */
static bool is_listed(const struct subject *subject, int nr)
{
    for (size_t i = 0; i < subject->n_lines; i++) {
        const struct line *line = &subject->lines[i];
        if (line->arg == NULL && number_of(line->call) == nr) {
            return true;
        }
    }
    return false;
}

static bool has_condition(const struct subject *subject, int nr)
{
    for (size_t i = 0; i < subject->n_lines; i++) {
        const struct line *line = &subject->lines[i];
        if (line->arg != NULL && number_of(line->call) == nr) {
            return true;
        }
    }
    return false;
}

Test(own_filter, allows_its_list_and_kills_for_every_other_number)
{
    for (const struct subject *subject = subjects; subject < subjects + COUNT(subjects);
            subject++) {
        cr_assert(laz_bpf_is_valid(subject->insns, subject->n_insns));
        for (int nr = 0; nr < NUMBERS; nr++) {
            bool wanted = is_listed(subject, nr) || (LAZ_INSTRUMENTED && is_runtime(subject, nr));
            if (!has_condition(subject, nr)) {
                cr_expect_eq(
                        is_allowed_anyhow(subject, nr), wanted, "%s: number %d", subject->name, nr);
            }
            const uint64_t none[6] = {0};
            cr_expect(!is_allowed(subject, nr, FOREIGN, none, 6), "%s: number %d of another ABI",
                    subject->name, nr);
            cr_expect(!is_allowed(subject, nr | 0x40000000, ARCH, none, 6), "%s: x32 number %d",
                    subject->name, nr);
        }
    }
}

/* Each line with a condition: the value is allowed, and no bit of the mask may differ from it,
 * unless another line says so. */
Test(own_filter, allows_a_call_with_a_condition_only_as_listed)
{
    for (const struct subject *subject = subjects; subject < subjects + COUNT(subjects);
            subject++) {
        for (size_t i = 0; i < subject->n_lines; i++) {
            const struct line *line = &subject->lines[i];
            int nr = number_of(line->call);
            bool is_open = LAZ_INSTRUMENTED && is_runtime(subject, nr);
            if (line->arg == NULL || nr < 0 || is_open) {
                continue;
            }
            const struct laz_syscall *call = call_of(line->call);
            int arg = laz_syscall_arg_by_name(call, line->arg, strlen(line->arg));
            cr_assert(arg >= 0, "%s has no argument %s", line->call, line->arg);
            uint64_t args[6] = {0};
            args[arg] = line->value;
            cr_expect(is_allowed(subject, nr, ARCH, args, 6), "%s: %s", subject->name, line->call);
            cr_expect_not(is_allowed_anyhow(subject, nr), "%s: %s in any case", subject->name,
                    line->call);
            for (int bit = 0; bit < 32; bit++) {
                uint64_t changed = line->value ^ UINT64_C(1) << bit;
                bool wanted = (line->mask >> bit & 1) == 0;
                for (size_t j = 0; j < subject->n_lines; j++) {
                    const struct line *other = &subject->lines[j];
                    wanted = wanted ||
                            (strcmp(other->call, line->call) == 0 &&
                                    (changed & other->mask) == other->value);
                }
                args[arg] = changed;
                cr_expect_eq(is_allowed(subject, nr, ARCH, args, 6), wanted, "%s: %s %#llx",
                        subject->name, line->call, (unsigned long long)changed);
            }
        }
    }
}

Test(own_filter, has_the_calls_of_the_runtimes_only_where_it_is_instrumented)
{
    for (const struct subject *subject = subjects; subject < subjects + COUNT(subjects);
            subject++) {
        cr_assert(subject->n_runtime > 0);
        for (size_t i = 0; i < subject->n_runtime; i++) {
            const char *name = subject->runtime[i];
            int nr = number_of(name);
            if (nr < 0 ||
                    (subject->borrows && (is_listed(subject, nr) || has_condition(subject, nr)))) {
                continue; /* not on this architecture, or its own */
            }
            cr_expect(!is_listed(subject, nr), "%s: %s is in its own list already", subject->name,
                    name);
            cr_expect_eq(is_allowed_anyhow(subject, nr), LAZ_INSTRUMENTED, "%s: %s", subject->name,
                    name);
        }
    }
}
