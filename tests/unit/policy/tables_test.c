/* SPDX-License-Identifier: Apache-2.0
 *
 * The tables against three witnesses: themselves, libseccomp (numbers), and the running kernel (how
 * many bits of an argument it looks at). Their agreement with the kernel's headers, on both
 * architectures, is tests/lint/check_tables.py.
 */
#include "policy/tables/tables.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/audit.h>
#include <linux/capability.h>
#include <linux/netlink.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/personality.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <criterion/criterion.h>
#include <seccomp.h>

#include "policy/tables/sysname.h"

#define LENGTH(array) (sizeof(array) / sizeof((array)[0]))

static const struct laz_syscall *call_named(const char *name)
{
    const struct laz_syscall *call = laz_syscall_by_name(name, strlen(name));
    cr_assert_not_null(call, "%s", name);
    return call;
}

static const struct laz_group *group_named(const char *name)
{
    const struct laz_group *group = laz_group_by_name(name, strlen(name));
    cr_assert_not_null(group, "%s", name);
    return group;
}

/* ---- System calls ---- */

Test(policy_tables, arch_values_are_the_kernels)
{
    cr_assert_eq(laz_arch_audit(LAZ_ARCH_X86_64), AUDIT_ARCH_X86_64);
    cr_assert_eq(laz_arch_audit(LAZ_ARCH_AARCH64), AUDIT_ARCH_AARCH64);
    cr_assert_str_eq(laz_arch_name(LAZ_ARCH_X86_64), "x86-64");
    cr_assert_str_eq(laz_arch_name(LAZ_ARCH_AARCH64), "aarch64");
    cr_assert_eq(call_named("openat")->nr[laz_arch_native()], SYS_openat);
}

Test(policy_tables, numbers_agree_with_libseccomp)
{
    static const uint32_t scmp_arch[LAZ_ARCH_COUNT] = {SCMP_ARCH_X86_64, SCMP_ARCH_AARCH64};
    for (enum laz_arch arch = 0; arch < LAZ_ARCH_COUNT; arch++) {
        size_t n_compared = 0;
        for (size_t i = 0; i < laz_syscall_count(); i++) {
            const struct laz_syscall *call = laz_syscall_at(i);
            int nr = seccomp_syscall_resolve_name_arch(scmp_arch[arch], call->name);
            if (nr == __NR_SCMP_ERROR) {
                continue; /* newer than libseccomp */
            }
            n_compared++;
            cr_expect_eq(nr < 0 ? -1 : nr, call->nr[arch], "%s on %s: %d here, %d in libseccomp",
                    call->name, laz_arch_name(arch), call->nr[arch], nr);
        }
        cr_assert_gt(n_compared, 350, "%zu compared on %s", n_compared, laz_arch_name(arch));
        for (int nr = 0; nr <= LAZ_SYSCALL_NR_MAX; nr++) {
            char *name = seccomp_syscall_resolve_num_arch(scmp_arch[arch], nr);
            if (name) {
                const struct laz_syscall *call = laz_syscall_by_nr(arch, (uint32_t)nr);
                cr_expect(call && strcmp(call->name, name) == 0, "%d on %s is %s in libseccomp", nr,
                        laz_arch_name(arch), name);
            }
            free(name);
        }
    }
}

Test(policy_tables, lookups_return_where_they_came_from)
{
    cr_assert_leq(laz_syscall_count(), LAZ_SYSCALL_TABLE_MAX);
    for (size_t i = 0; i < laz_syscall_count(); i++) {
        const struct laz_syscall *call = laz_syscall_at(i);
        cr_expect_eq(laz_syscall_index(call), i);
        cr_expect_leq(strlen(call->name), LAZ_NAME_LENGTH_MAX, "%s", call->name);
        cr_expect_eq(laz_syscall_by_name(call->name, strlen(call->name)), call, "%s", call->name);
        cr_expect(i == 0 || strcmp(laz_syscall_at(i - 1)->name, call->name) < 0,
                "%s is out of order", call->name);
        for (enum laz_arch arch = 0; arch < LAZ_ARCH_COUNT; arch++) {
            cr_expect_leq(call->nr[arch], LAZ_SYSCALL_NR_MAX, "%s", call->name);
            cr_expect(
                    call->nr[arch] < 0 || laz_syscall_by_nr(arch, (uint32_t)call->nr[arch]) == call,
                    "%s: somebody else has number %d on %s", call->name, call->nr[arch],
                    laz_arch_name(arch));
        }
    }
}

Test(policy_tables, unknown_calls_are_absent)
{
    static const char *const names[] = {"", "a", "ope", "openatx", "OPENAT", "zzz", "open at", "_"};
    for (size_t i = 0; i < LENGTH(names); i++) {
        cr_expect_null(laz_syscall_by_name(names[i], strlen(names[i])), "\"%s\"", names[i]);
    }
    cr_assert_eq(laz_syscall_by_name("openat2", 6), call_named("openat")); /* not terminated */
    static const uint32_t numbers[] = {337, LAZ_SYSCALL_NR_MAX, LAZ_SYSCALL_NR_MAX + 1,
            LAZ_SYSCALL_NR_MAX + 2, 0x40000000, UINT32_MAX};
    for (size_t i = 0; i < LENGTH(numbers); i++) {
        cr_expect_null(laz_syscall_by_nr(LAZ_ARCH_X86_64, numbers[i]), "%u", numbers[i]);
        cr_expect_null(laz_syscall_by_nr(LAZ_ARCH_AARCH64, numbers[i]), "%u", numbers[i]);
        cr_expect_null(laz_sysname(numbers[i]), "%u", numbers[i]);
    }
}

Test(policy_tables, sysname_is_the_native_column)
{
    size_t n_named = 0;
    for (uint32_t nr = 0; nr <= LAZ_SYSCALL_NR_MAX + 2; nr++) {
        const struct laz_syscall *call = laz_syscall_by_nr(laz_arch_native(), nr);
        const char *name = laz_sysname(nr);
        cr_expect_eq(call == NULL, name == NULL, "%u", nr);
        cr_expect(!call || !name || strcmp(call->name, name) == 0, "%u is %s, not %s", nr,
                call ? call->name : "", name);
        n_named += name != NULL;
    }
    cr_assert_gt(n_named, 300);
}

Test(policy_tables, arguments_have_names_and_kinds)
{
    for (size_t i = 0; i < laz_syscall_count(); i++) {
        const struct laz_syscall *call = laz_syscall_at(i);
        cr_assert_leq(call->n_args, LAZ_SYSCALL_ARGS_MAX, "%s", call->name);
        for (int arg = 0; arg < LAZ_SYSCALL_ARGS_MAX; arg++) {
            const char *name = call->args[arg].name;
            if (arg >= call->n_args) {
                cr_expect(!name && call->args[arg].kind == LAZ_ARG_NONE, "%s", call->name);
                continue;
            }
            cr_expect_neq(call->args[arg].kind, LAZ_ARG_NONE, "%s %s", call->name, name);
            cr_expect_eq(laz_syscall_arg_by_name(call, name, strlen(name)), arg,
                    "%s has two arguments called %s", call->name, name);
        }
    }
}

Test(policy_tables, arguments_are_found_by_name_and_by_position)
{
    const struct laz_syscall *ioctl_call = call_named("ioctl");
    cr_assert_eq(laz_syscall_arg_by_name(ioctl_call, "cmd", 3), 1);
    cr_assert_eq(laz_syscall_arg_by_name(ioctl_call, "cmdx", 3), 1);
    cr_assert_eq(laz_syscall_arg_by_name(ioctl_call, "cm", 2), -1);
    cr_assert_eq(laz_syscall_arg_by_name(ioctl_call, "arg", 3), 2);
    cr_assert_eq(laz_syscall_arg_by_name(ioctl_call, "arg2", 4), 2);
    cr_assert_eq(laz_syscall_arg_by_name(ioctl_call, "arg3", 4), -1);
    cr_assert_eq(laz_syscall_arg_by_name(call_named("getpid"), "arg0", 4), -1);
    /* The kernel counts prctl's arguments from one, so here a name beats a position. */
    cr_assert_eq(laz_syscall_arg_by_name(call_named("prctl"), "arg2", 4), 1);
    cr_assert_eq(laz_syscall_arg_by_name(call_named("prctl"), "arg0", 4), 0);
}

Test(policy_tables, versions_are_plausible)
{
    for (size_t i = 0; i < laz_syscall_count(); i++) {
        const struct laz_syscall *call = laz_syscall_at(i);
        bool is_new = call->nr[LAZ_ARCH_X86_64] >= 424; /* where the architectures' numbers meet */
        cr_expect(!is_new || call->since >= LAZ_KERNEL_VERSION(5, 1), "%s", call->name);
        cr_expect(!is_new || call->nr[LAZ_ARCH_X86_64] == call->nr[LAZ_ARCH_AARCH64], "%s",
                call->name);
    }
    cr_assert_eq(call_named("landlock_restrict_self")->since, LAZ_KERNEL_VERSION(5, 13));
}

/* ---- Widths: the kernel ignores the bits that laz_arg_mask() leaves out ---- */

static uint64_t junk_for(const char *name, unsigned arg)
{
    return ~laz_arg_mask((enum laz_arg_kind)call_named(name)->args[arg].kind);
}

Test(policy_tables, mask_is_the_width)
{
    cr_assert_eq(laz_arg_mask(LAZ_ARG_NONE), 0);
    cr_assert_eq(laz_arg_mask(LAZ_ARG_INT16), 0xffff);
    cr_assert_eq(laz_arg_mask(LAZ_ARG_INT32), 0xffffffff);
    cr_assert_eq(laz_arg_mask(LAZ_ARG_INT64), UINT64_MAX);
    cr_assert_eq(laz_arg_mask(LAZ_ARG_POINTER), 0);
}

Test(policy_tables, kernel_takes_16_bits_of_a_mode)
{
    cr_assert_eq(junk_for("fchmod", 1), ~UINT64_C(0xffff));
    int fd = memfd_create("mode", MFD_CLOEXEC);
    cr_assert_geq(fd, 0);
    cr_assert_eq(syscall(SYS_fchmod, fd, 0640 | junk_for("fchmod", 1)), 0);
    struct stat status;
    cr_assert_eq(fstat(fd, &status), 0);
    cr_assert_eq(status.st_mode & 07777, 0640);
    close(fd);
}

Test(policy_tables, kernel_takes_32_bits_of_an_int)
{
    long fd = syscall(SYS_socket, AF_UNIX | junk_for("socket", 0),
            SOCK_DGRAM | junk_for("socket", 1), junk_for("socket", 2));
    cr_assert_geq(fd, 0);
    cr_assert_eq(syscall(SYS_fcntl, fd | (long)junk_for("fcntl", 0), F_SETFL | junk_for("fcntl", 1),
                         O_NONBLOCK | junk_for("fcntl", 2)),
            0);
    cr_assert(fcntl((int)fd, F_GETFL) & O_NONBLOCK);
    close((int)fd);
}

Test(policy_tables, kernel_ignores_the_upper_half_of_protection_and_flags)
{
    cr_assert_eq(junk_for("mmap", 2), ~UINT64_C(0xffffffff));
    size_t size = (size_t)sysconf(_SC_PAGESIZE);
    char *page = (char *)syscall(SYS_mmap, NULL, size, PROT_READ | PROT_WRITE | junk_for("mmap", 2),
            MAP_PRIVATE | MAP_ANONYMOUS | junk_for("mmap", 3), -1, 0);
    cr_assert_neq(page, MAP_FAILED);
    page[0] = 1; /* it is as writable as its lower half says */
    cr_assert_eq(munmap(page, size), 0);
    /* mprotect, declared alike, refuses them: all 64 bits count. */
    cr_assert_eq(junk_for("mprotect", 2), 0);
    cr_assert_eq(syscall(SYS_mprotect, page, size, PROT_READ | UINT64_C(1) << 40), -1);
    cr_assert_eq(errno, EINVAL);
}

Test(policy_tables, kernel_takes_32_bits_of_clone_flags)
{
    cr_assert_eq(junk_for("clone", 0), ~UINT64_C(0xffffffff));
    long pid = syscall(SYS_clone, SIGCHLD | junk_for("clone", 0), 0, 0, 0, 0);
    if (pid == 0) {
        _exit(7);
    }
    cr_assert_gt(pid, 0);
    int status = 0;
    cr_assert_eq(syscall(SYS_wait4, pid, &status, 0, NULL), pid);
    cr_assert_eq(status, 7 << 8);
    /* The last two change places between the architectures: no condition may look at them. */
    cr_assert_eq(call_named("clone")->args[3].kind, LAZ_ARG_POINTER);
    cr_assert_eq(call_named("clone")->args[4].kind, LAZ_ARG_POINTER);
}

/* ---- Groups ---- */

struct count {
    size_t n;
    uint8_t seen[LAZ_SYSCALL_TABLE_MAX];
};

static int count_call(void *context, const struct laz_syscall *call)
{
    struct count *count = context;
    count->n++;
    count->seen[laz_syscall_index(call)]++;
    return 0;
}

static size_t depth_below(const struct laz_group *group, size_t depth)
{
    cr_assert_leq(depth, LAZ_GROUP_DEPTH_MAX, "%s", group->name);
    size_t deepest = depth;
    for (size_t i = 0; i < group->n_members; i++) {
        const char *member = group->members[i];
        if (member[0] != '@') {
            (void)call_named(member);
            continue;
        }
        size_t below = depth_below(group_named(member + 1), depth + 1);
        deepest = below > deepest ? below : deepest;
    }
    return deepest;
}

Test(policy_tables, group_members_are_known)
{
    for (size_t i = 0; i < laz_group_count(); i++) {
        const struct laz_group *group = laz_group_at(i);
        cr_expect_eq(laz_group_by_name(group->name, strlen(group->name)), group, "%s", group->name);
        cr_expect_gt(strlen(group->help), 10, "%s", group->name);
        cr_expect_geq(depth_below(group, 1), 1);
        struct count count = {0};
        cr_expect_eq(laz_group_each(group, count_call, &count), 0);
        cr_expect_gt(count.n, 0, "%s", group->name);
        for (size_t j = 0; j < laz_syscall_count(); j++) {
            cr_expect_leq(count.seen[j], 1, "%s: %s twice", group->name, laz_syscall_at(j)->name);
            cr_expect_eq(count.seen[j] == 1, laz_group_contains(group, laz_syscall_at(j)));
        }
    }
    cr_assert_eq(laz_group_by_name("defaults", 7), group_named("default"));
    cr_assert_null(laz_group_by_name("defaults", 8));
    cr_assert_null(laz_group_by_name("@default", 8));
}

/* The first dangerous group that has this call, or NULL. */
static const struct laz_group *forbidding(const struct laz_syscall *call)
{
    for (size_t i = 0; i < laz_group_count(); i++) {
        const struct laz_group *group = laz_group_at(i);
        if (group->kind == LAZ_GROUP_NEVER && laz_group_contains(group, call)) {
            return group;
        }
    }
    return NULL;
}

Test(policy_tables, no_granted_group_reaches_a_forbidden_call)
{
    size_t n_never = 0;
    for (size_t i = 0; i < laz_syscall_count(); i++) {
        const struct laz_syscall *call = laz_syscall_at(i);
        const struct laz_group *never = forbidding(call);
        n_never += never != NULL;
        for (size_t j = 0; never && j < laz_group_count(); j++) {
            const struct laz_group *group = laz_group_at(j);
            cr_expect(group->kind != LAZ_GROUP_GRANT || !laz_group_contains(group, call),
                    "%s grants %s, which is in %s", group->name, call->name, never->name);
        }
    }
    cr_assert_gt(n_never, 60);
    static const char *const never[] = {"module", "raw-io", "reboot", "swap", "mount", "clock",
            "keyring", "obsolete", "cpu-emulation", "io-uring", "bpf", "perf", "userfaultfd",
            "kexec", "debug", "namespaces", "privileged"};
    for (size_t i = 0; i < LENGTH(never); i++) {
        cr_expect_eq(group_named(never[i])->kind, LAZ_GROUP_NEVER, "%s", never[i]);
    }
    static const char *const grant[] = {"default", "basic-io", "file-system", "network-io",
            "process", "signal", "chown", "setuid", "web-service", "jvm"};
    for (size_t i = 0; i < LENGTH(grant); i++) {
        cr_expect_eq(group_named(grant[i])->kind, LAZ_GROUP_GRANT, "%s", grant[i]);
    }
    cr_assert_str_eq(forbidding(call_named("kexec_load"))->name, "kexec");
    cr_assert_null(forbidding(call_named("read")));
}

Test(policy_tables, walk_expands_groups_and_visits_once)
{
    static const char *const members[] = {"read", "@swap", "swapon", "read", "@swap"};
    struct laz_group group = {.name = "own", .n_members = LENGTH(members), .members = members};
    struct count count = {0};
    cr_assert_eq(laz_group_each(&group, count_call, &count), 0);
    cr_assert_eq(count.n, 3, "%zu", count.n);
    cr_assert(laz_group_contains(group_named("debug"), call_named("perf_event_open")));
    cr_assert(laz_group_contains(group_named("privileged"), call_named("kexec_load")));
    cr_assert_not(laz_group_contains(group_named("privileged"), call_named("chown")));
}

Test(policy_tables, every_call_has_a_group_or_a_reason)
{
    struct count count = {0};
    for (size_t i = 0; i < laz_group_count(); i++) {
        cr_expect_eq(laz_group_each(laz_group_at(i), count_call, &count), 0);
    }
    static const struct {
        const char *name;
        const char *reason;
    } ungrouped[] = {
#define LAZ_UNGROUPED(name, reason) {#name, reason},
#include "policy/tables/groups.def"
    };
    for (size_t i = 0; i < LENGTH(ungrouped); i++) {
        size_t index = laz_syscall_index(call_named(ungrouped[i].name));
        cr_expect_eq(count.seen[index], 0, "%s is in a group after all", ungrouped[i].name);
        cr_expect_gt(strlen(ungrouped[i].reason), 10, "%s", ungrouped[i].name);
        count.seen[index] = 1;
    }
    for (size_t i = 0; i < laz_syscall_count(); i++) {
        cr_expect_gt(count.seen[i], 0, "%s is in no group", laz_syscall_at(i)->name);
    }
}

Test(policy_tables, web_service_is_the_measured_list)
{
    const struct laz_group *web = group_named("web-service");
    cr_assert(web->composite);
    size_t n[LAZ_ARCH_COUNT] = {0};
    for (size_t i = 0; i < laz_syscall_count(); i++) {
        const struct laz_syscall *call = laz_syscall_at(i);
        for (enum laz_arch arch = 0; arch < LAZ_ARCH_COUNT; arch++) {
            n[arch] += laz_group_contains(web, call) && call->nr[arch] >= 0;
        }
    }
    cr_assert_eq(n[LAZ_ARCH_X86_64], 262, "%zu", n[LAZ_ARCH_X86_64]);
    cr_assert_eq(n[LAZ_ARCH_AARCH64], 224, "%zu", n[LAZ_ARCH_AARCH64]);
    static const char *const in[] = {"openat", "execve", "futex", "mmap", "ioctl", "prctl",
            "accept4", "exit_group", "rt_sigreturn", "statmount", "mseal"};
    for (size_t i = 0; i < LENGTH(in); i++) {
        cr_expect(laz_group_contains(web, call_named(in[i])), "%s", in[i]);
    }
    static const char *const out[] = {"clone", "clone3", "socket", "ptrace", "chown", "setuid",
            "adjtimex", "clock_adjtime", "mknod", "unshare", "io_uring_setup", "memfd_create"};
    for (size_t i = 0; i < LENGTH(out); i++) {
        cr_expect_not(laz_group_contains(web, call_named(out[i])), "%s", out[i]);
    }
}

/* ---- Constants ---- */

static enum laz_constant_found lookup(
        const char *call, const char *arg, const char *name, uint64_t *ret_value)
{
    if (!call) {
        return laz_constant_lookup(NULL, 0, name, strlen(name), ret_value);
    }
    int index = laz_syscall_arg_by_name(call_named(call), arg, strlen(arg));
    cr_assert_geq(index, 0, "%s has no argument %s", call, arg);
    return laz_constant_lookup(call_named(call), (unsigned)index, name, strlen(name), ret_value);
}

Test(policy_tables, constants_have_one_meaning)
{
    static const struct {
        const char *name;
        uint64_t value;
    } rows[] = {
#define LAZ_CONSTANT(family, name, value) {#name, UINT64_C(value)},
#include "policy/tables/constants.def"
    };
    for (size_t i = 0; i < LENGTH(rows); i++) {
        uint64_t value = ~rows[i].value;
        cr_expect_eq(lookup(NULL, NULL, rows[i].name, &value), LAZ_CONSTANT_SCOPED);
        cr_expect_eq(value, rows[i].value, "%s is there twice", rows[i].name);
        cr_expect_leq(strlen(rows[i].name), LAZ_NAME_LENGTH_MAX, "%s", rows[i].name);
    }
}

/* A value that means two things in one family would be printed by the wrong name. */
Test(policy_tables, families_hold_no_value_twice_but_for_synonyms)
{
    static const struct {
        const char *family;
        const char *name;
        uint64_t value;
    } rows[] = {
#define LAZ_CONSTANT(family, name, value) {#family, #name, UINT64_C(value)},
#include "policy/tables/constants.def"
    };
    for (size_t i = 0; i < LENGTH(rows); i++) {
        bool is_synonym = strcmp(rows[i].name, "AF_LOCAL") == 0 ||
                strcmp(rows[i].name, "NETLINK_INET_DIAG") == 0;
        /* What prctl's second argument means depends on the first: it is never printed by name. */
        bool is_open = strcmp(rows[i].family, "PRCTL_VALUE") == 0;
        for (size_t j = 0; !is_synonym && !is_open && j < i; j++) {
            cr_expect(rows[i].value != rows[j].value || strcmp(rows[i].family, rows[j].family) != 0,
                    "%s and %s", rows[i].name, rows[j].name);
        }
    }
    cr_assert_null(laz_constant_name(call_named("prctl"), 1, 1));
    cr_assert_str_eq(laz_constant_name(call_named("unlinkat"), 2, 0x200), "AT_REMOVEDIR");
    cr_assert_str_eq(laz_constant_name(call_named("faccessat2"), 3, 0x200), "AT_EACCESS");
}

Test(policy_tables, constants_belong_to_arguments_that_exist)
{
    static const struct {
        const char *call;
        const char *arg;
    } bindings[] = {
#define LAZ_CONSTANT_BINDING(call, arg, families) {#call, #arg},
#include "policy/tables/constants.def"
    };
    for (size_t i = 0; i < LENGTH(bindings); i++) {
        const struct laz_syscall *call = call_named(bindings[i].call);
        int arg = laz_syscall_arg_by_name(call, bindings[i].arg, strlen(bindings[i].arg));
        cr_assert_geq(arg, 0, "%s has no %s", bindings[i].call, bindings[i].arg);
        cr_expect_neq(laz_arg_mask((enum laz_arg_kind)call->args[arg].kind), 0, "%s %s",
                bindings[i].call, bindings[i].arg);
        for (size_t j = 0; j < i; j++) {
            cr_expect(strcmp(bindings[i].call, bindings[j].call) != 0 ||
                            strcmp(bindings[i].arg, bindings[j].arg) != 0,
                    "%s %s is bound twice", bindings[i].call, bindings[i].arg);
        }
    }
}

#define ROW(call, arg, name)                                                                       \
    {                                                                                              \
        call, arg, #name, (uint64_t)(name)                                                         \
    }

Test(policy_tables, constants_are_the_headers)
{
    static const struct {
        const char *call;
        const char *arg;
        const char *name;
        uint64_t value;
    } rows[] = {
            ROW("socket", "domain", AF_VSOCK),
            ROW("socket", "domain", AF_NETLINK),
            ROW("socket", "type", SOCK_RAW),
            ROW("socket", "type", SOCK_CLOEXEC),
            ROW("socket", "protocol", NETLINK_AUDIT),
            ROW("socketpair", "domain", AF_LOCAL),
            ROW("ioctl", "cmd", TIOCSTI),
            ROW("ioctl", "cmd", TIOCLINUX),
            ROW("ioctl", "cmd", TIOCSETD),
            ROW("ioctl", "cmd", TCGETS),
            ROW("ioctl", "cmd", SECCOMP_IOCTL_NOTIF_SEND),
            ROW("prctl", "option", PR_SET_NO_NEW_PRIVS),
            ROW("prctl", "option", PR_SET_VMA),
            ROW("prctl", "arg2", PR_CAP_AMBIENT_RAISE),
            ROW("prctl", "arg2", CAP_SYS_ADMIN),
            ROW("prctl", "arg3", CAP_NET_BIND_SERVICE),
            ROW("clone", "flags", CLONE_NEWUSER),
            ROW("clone", "flags", SIGCHLD),
            ROW("unshare", "flags", CLONE_NEWNS),
            ROW("mmap", "prot", PROT_EXEC),
            ROW("mmap", "flags", MAP_FIXED_NOREPLACE),
            ROW("mprotect", "prot", PROT_WRITE),
            ROW("madvise", "advice", MADV_HWPOISON),
            ROW("fcntl", "cmd", F_ADD_SEALS),
            ROW("fcntl", "arg", O_NONBLOCK),
            ROW("openat", "flags", O_CREAT),
            ROW("chmod", "mode", S_ISUID),
            ROW("mknod", "mode", S_IFCHR),
            ROW("personality", "persona", ADDR_NO_RANDOMIZE),
            ROW("personality", "persona", READ_IMPLIES_EXEC),
            ROW("personality", "persona", UNAME26),
            ROW("personality", "persona", ADDR_COMPAT_LAYOUT),
            ROW("personality", "persona", MMAP_PAGE_ZERO),
            ROW("sendto", "flags", MSG_FASTOPEN),
            ROW("seccomp", "operation", SECCOMP_SET_MODE_FILTER),
            ROW("seccomp", "flags", SECCOMP_FILTER_FLAG_NEW_LISTENER),
            ROW("setsockopt", "optname", SO_ATTACH_BPF),
            ROW("sched_setscheduler", "policy", SCHED_FIFO),
            ROW("prlimit64", "resource", RLIMIT_NOFILE),
            ROW("kill", "sig", SIGKILL),
    };
    for (size_t i = 0; i < LENGTH(rows); i++) {
        uint64_t value = 0;
        cr_expect_eq(lookup(rows[i].call, rows[i].arg, rows[i].name, &value), LAZ_CONSTANT_SCOPED,
                "%s %s %s", rows[i].call, rows[i].arg, rows[i].name);
        cr_expect_eq(value, rows[i].value, "%s", rows[i].name);
    }
}

Test(policy_tables, constants_of_other_arguments_are_recognised_as_such)
{
    uint64_t value = 99;
    cr_assert_eq(lookup("ioctl", "cmd", "AF_INET", &value), LAZ_CONSTANT_ELSEWHERE);
    cr_assert_eq(value, AF_INET);
    cr_assert_eq(lookup("close", "fd", "AF_INET", &value), LAZ_CONSTANT_ELSEWHERE);
    value = 99;
    /* These differ between the architectures, so a policy cannot name them. */
    static const char *const absent[] = {
            "O_DIRECTORY", "O_NOFOLLOW", "O_DIRECT", "O_TMPFILE", "AF_", "", "AF_INETX", "af_inet"};
    for (size_t i = 0; i < LENGTH(absent); i++) {
        cr_expect_eq(lookup("openat", "flags", absent[i], &value), LAZ_CONSTANT_UNKNOWN, "%s",
                absent[i]);
    }
    cr_assert_eq(value, 99);
    cr_assert_eq(laz_constant_lookup(call_named("socket"), 5, "AF_INET", 7, &value),
            LAZ_CONSTANT_ELSEWHERE);
}

Test(policy_tables, values_are_named_only_where_they_mean_one_thing)
{
    const struct laz_syscall *call = call_named("socket");
    cr_assert_str_eq(laz_constant_name(call, 0, AF_UNIX), "AF_UNIX"); /* not AF_LOCAL */
    cr_assert_str_eq(laz_constant_name(call, 1, SOCK_STREAM), "SOCK_STREAM");
    cr_assert_null(laz_constant_name(call, 0, 4711));
    cr_assert_null(laz_constant_name(call, 2, 6)); /* IPPROTO_TCP and NETLINK_XFRM */
    cr_assert_str_eq(laz_constant_name(call, 2, 262), "IPPROTO_MPTCP");
    cr_assert_null(laz_constant_name(call_named("close"), 0, 1));
}
