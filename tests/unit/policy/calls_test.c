/* SPDX-License-Identifier: Apache-2.0
 *
 * The meaning of `syscalls`, `network` and `events.quiet`: what laz_policy_decide says about single
 * calls.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "loading.h"

#define LENGTH(array) (sizeof(array) / sizeof((array)[0]))
#define HIGH          UINT64_C(0xFFFFFFFF00000000) /* bits that the kernel ignores in an int */

struct row {
    const char *name;
    const char *yaml; /* after MINIMAL */
    const char *call;
    uint64_t args[6];
    enum laz_action action;
    int number; /* errno */
};

static struct laz_verdict decide(
        const struct laz_policy *policy, const char *name, const uint64_t args[6])
{
    const struct laz_syscall *call = laz_syscall_by_name(name, strlen(name));
    cr_assert_not_null(call, "%s", name);
    enum laz_arch arch = call->nr[LAZ_ARCH_X86_64] >= 0 ? LAZ_ARCH_X86_64 : LAZ_ARCH_AARCH64;
    return laz_policy_decide(policy, arch, laz_arch_audit(arch), (uint32_t)call->nr[arch], args);
}

static void check_rows(const struct row *rows, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        char text[LAZ_POLICY_SCALAR_MAX];
        struct laz_buf buf;
        laz_buf_init_fixed(&buf, text, sizeof(text));
        laz_buf_printf(&buf, "%s%s", MINIMAL, rows[i].yaml);
        cr_assert(!buf.overflow);
        struct laz_policy *policy = must_load(text);
        struct laz_verdict verdict = decide(policy, rows[i].call, rows[i].args);
        cr_expect_eq(verdict.action, rows[i].action, "%s: %s", rows[i].name,
                laz_action_name(verdict.action));
        cr_expect_eq(verdict.errno_value, rows[i].number, "%s: errno %d", rows[i].name,
                verdict.errno_value);
        laz_policy_free(policy);
    }
}

#define ALLOW        LAZ_ACTION_ALLOW, 0
#define LOG          LAZ_ACTION_LOG, 0
#define KILL         LAZ_ACTION_KILL, 0
#define REFUSE(name) LAZ_ACTION_ERRNO, name
#define NOTIFY(name) LAZ_ACTION_NOTIFY, name

Test(policy_calls, one_document)
{
    static const struct row rows[] = {
            {"default", "syscalls: {allow: [read]}\n", "getpid", {0}, NOTIFY(EPERM)},
            {"allow", "syscalls: {allow: [read]}\n", "read", {0}, ALLOW},
            {"own default", "syscalls: {allow: [read], default: {action: errno, errno: EACCES}}\n",
                    "getpid", {0}, REFUSE(EACCES)},
            {"default without errno", "syscalls: {allow: [read], default: {action: errno}}\n",
                    "getpid", {0}, REFUSE(EPERM)},
            {"default kill", "syscalls: {allow: [read], default: {action: kill}}\n", "getpid", {0},
                    KILL},
            {"group", "syscalls: {groups: [basic-io]}\n", "pwritev2", {0}, ALLOW},
            {"group less remove", "syscalls: {groups: [basic-io], remove: [write]}\n", "write", {0},
                    NOTIFY(EPERM)},
            {"rule beats group",
                    "syscalls: {groups: [basic-io], rules: [{names: [write], action: kill}]}\n",
                    "write", {0}, KILL},
            {"rule beats allow",
                    "syscalls: {allow: [read, write], rules: [{names: [write], action: errno}]}\n",
                    "write", {0}, REFUSE(EPERM)},
            {"rule log", "syscalls: {allow: [read], rules: [{names: [write], action: log}]}\n",
                    "write", {0}, LOG},
            {"execve is the budget's", "syscalls: {allow: [read]}\n", "execve", {0}, ALLOW},
            {"execve in a group is not", "syscalls: {groups: [default], allow: [read]}\n", "execve",
                    {0}, ALLOW},
            {"execveat is like others", "syscalls: {allow: [read]}\n", "execveat", {0},
                    NOTIFY(EPERM)},
    };
    check_rows(rows, LENGTH(rows));
}

#define RULE(names, action, when)                                                                  \
    "syscalls: {groups: [basic-io], allow: [mmap, clone, socket], rules: [{names: [" names         \
    "], action: " action ", when: " when "}]}\n"

Test(policy_calls, conditions)
{
    static const struct row rows[] = {
            {"eq holds", RULE("ioctl", "allow", "{arg: cmd, eq: 5}"), "ioctl", {0, 5}, ALLOW},
            {"eq fails", RULE("ioctl", "allow", "{arg: cmd, eq: 5}"), "ioctl", {0, 6},
                    NOTIFY(EPERM)},
            {"upper half of an int is nothing", RULE("ioctl", "allow", "{arg: cmd, eq: 5}"),
                    "ioctl", {0, 5 | HIGH}, ALLOW},
            {"all of a long counts", RULE("ioctl", "allow", "{arg: arg, eq: 5}"), "ioctl",
                    {0, 0, 5 | HIGH}, NOTIFY(EPERM)},
            {"a mode is 16 bits", RULE("chmod", "allow", "{arg: mode, eq: 0x1ff}"), "chmod",
                    {0, 0xFFFF01FF}, ALLOW},
            {"in", RULE("ioctl", "allow", "{arg: cmd, in: [TIOCSTI, 7]}"), "ioctl", {0, 7}, ALLOW},
            {"not-in holds", RULE("ioctl", "allow", "{arg: cmd, not-in: [1, 2]}"), "ioctl", {0, 3},
                    ALLOW},
            {"not-in fails", RULE("ioctl", "allow", "{arg: cmd, not-in: [1, 2]}"), "ioctl", {0, 2},
                    NOTIFY(EPERM)},
            {"any-flags refuses", RULE("mmap", "errno", "{arg: prot, any-flags: [1, 4]}"), "mmap",
                    {0, 0, 6}, REFUSE(EPERM)},
            {"any-flags lets pass", RULE("mmap", "errno", "{arg: prot, any-flags: [1, 4]}"), "mmap",
                    {0, 0, 2}, ALLOW},
            {"no-flags holds", RULE("ioctl", "allow", "{arg: cmd, no-flags: 4}"), "ioctl", {0, 3},
                    ALLOW},
            {"no-flags fails", RULE("ioctl", "allow", "{arg: cmd, no-flags: 4}"), "ioctl", {0, 5},
                    NOTIFY(EPERM)},
            {"subset holds", RULE("ioctl", "allow", "{arg: cmd, flags-subset-of: [1, 2]}"), "ioctl",
                    {0, 3 | HIGH}, ALLOW},
            {"subset fails", RULE("ioctl", "allow", "{arg: cmd, flags-subset-of: [1, 2]}"), "ioctl",
                    {0, 0x80000001}, NOTIFY(EPERM)},
            {"both must hold", RULE("ioctl", "allow", "[{arg: cmd, eq: 5}, {arg: fd, in: [1, 2]}]"),
                    "ioctl", {1, 5}, ALLOW},
            {"one of two fails",
                    RULE("ioctl", "allow", "[{arg: cmd, eq: 5}, {arg: fd, in: [1, 2]}]"), "ioctl",
                    {3, 5}, NOTIFY(EPERM)},
            {"two about one argument",
                    RULE("mmap", "kill", "[{arg: prot, any-flags: 2}, {arg: prot, any-flags: 4}]"),
                    "mmap", {0, 0, 6}, KILL},
            {"one of two about one argument",
                    RULE("mmap", "kill", "[{arg: prot, any-flags: 2}, {arg: prot, any-flags: 4}]"),
                    "mmap", {0, 0, 4}, ALLOW},
            {"by number", RULE("ioctl", "allow", "{arg: arg1, eq: 5}"), "ioctl", {0, 5}, ALLOW},
            {"a condition replaces the group", RULE("write", "allow", "{arg: fd, eq: 1}"), "write",
                    {2}, NOTIFY(EPERM)},
            {"several names", RULE("ioctl, fcntl", "allow", "{arg: cmd, eq: 5}"), "fcntl", {0, 5},
                    ALLOW},
    };
    check_rows(rows, LENGTH(rows));
}

Test(policy_calls, the_strictest_refusal_answers)
{
    static const char yaml[] =
            "syscalls:\n"
            "  allow: [read, ioctl]\n"
            "  rules:\n"
            "    - {names: [ioctl], action: errno, errno: EINVAL, when: {arg: cmd, in: [1, 2, "
            "3]}}\n"
            "    - {names: [ioctl], action: kill, when: {arg: cmd, in: [2, 3]}}\n"
            "    - {names: [ioctl], action: notify, errno: EIO, when: {arg: cmd, in: [3, 1]}}\n";
    static const struct row rows[] = {
            {"errno and notify", yaml, "ioctl", {0, 1}, NOTIFY(EIO)},
            {"errno and kill", yaml, "ioctl", {0, 2}, KILL},
            {"all three", yaml, "ioctl", {0, 3}, KILL},
            {"none", yaml, "ioctl", {0, 4}, ALLOW},
    };
    check_rows(rows, LENGTH(rows));
}

#define TYPED(action, when)                                                                        \
    "network: {families: [unix]}\nsyscalls: {allow: [read, socketpair], rules: [{names: "          \
    "[socketpair], action: " action ", when: " when "}]}\n"

/* A flag beside the type makes no other type of it, and is no way past a rule. */
Test(policy_calls, types_of_sockets_are_compared_without_flags)
{
    enum {
        CLOEXEC = 02000000
    };
    static const struct row rows[] = {
            {"eq", TYPED("kill", "{arg: type, eq: SOCK_DGRAM}"), "socketpair", {1, 2}, KILL},
            {"eq, with a flag", TYPED("kill", "{arg: type, eq: SOCK_DGRAM}"), "socketpair",
                    {1, 2 | CLOEXEC}, KILL},
            {"eq, of another", TYPED("kill", "{arg: type, eq: SOCK_DGRAM}"), "socketpair",
                    {1, 1 | CLOEXEC}, ALLOW},
            {"in, with a flag", TYPED("kill", "{arg: type, in: [SOCK_RAW, 2]}"), "socketpair",
                    {1, 3 | CLOEXEC}, KILL},
            {"not-in, with a flag", TYPED("kill", "{arg: type, not-in: [SOCK_STREAM]}"),
                    "socketpair", {1, 1 | CLOEXEC}, ALLOW},
            {"not-in, of another", TYPED("kill", "{arg: type, not-in: [SOCK_STREAM]}"),
                    "socketpair", {1, 5 | CLOEXEC}, KILL},
            {"a flag itself", TYPED("kill", "{arg: type, any-flags: SOCK_CLOEXEC}"), "socketpair",
                    {1, 2 | CLOEXEC}, KILL},
            {"no flag", TYPED("kill", "{arg: type, any-flags: SOCK_CLOEXEC}"), "socketpair", {1, 2},
                    ALLOW},
    };
    check_rows(rows, LENGTH(rows));
}

#define NET(network)                                                                               \
    "syscalls: {allow: [read, socket, socketpair, sendto, sendmsg]}\nnetwork: " network "\n"

Test(policy_calls, families_guard_sockets)
{
    static const struct row rows[] = {
            {"no network at all", "syscalls: {allow: [read, socket]}\n", "socket", {1, 1},
                    NOTIFY(EPERM)},
            {"empty families", NET("{families: []}"), "socket", {2, 1}, NOTIFY(EPERM)},
            {"a guard allows nothing by itself",
                    "syscalls: {allow: [read]}\nnetwork: {families: [unix]}\n", "socket", {1, 1},
                    NOTIFY(EPERM)},
            {"unix, any type", NET("{families: [unix]}"), "socket", {1, 5 | 02000000, 7}, ALLOW},
            {"inet is not unix", NET("{families: [unix]}"), "socket", {2, 1}, NOTIFY(EPERM)},
            {"inet stream", NET("{families: [inet]}"), "socket", {2, 1 | 04000, 0}, ALLOW},
            {"inet stream TCP", NET("{families: [inet]}"), "socket", {2, 1, 6}, ALLOW},
            {"inet datagram", NET("{families: [inet]}"), "socket", {2, 2, 17}, ALLOW},
            {"inet6 stream", NET("{families: [inet, inet6]}"), "socket", {10, 1}, ALLOW},
            {"inet6 without it", NET("{families: [inet]}"), "socket", {10, 1}, NOTIFY(EPERM)},
            {"inet raw", NET("{families: [inet]}"), "socket", {2, 3, 1}, NOTIFY(EPERM)},
            {"inet raw allowed", NET("{families: [inet], raw: allow}"), "socket", {2, 3, 1}, ALLOW},
            {"MPTCP", NET("{families: [inet]}"), "socket", {2, 1, 262}, NOTIFY(EPERM)},
            {"MPTCP allowed", NET("{families: [inet], multipath-tcp: allow}"), "socket",
                    {2, 1, 262}, ALLOW},
            {"SCTP is a stream that Landlock does not see", NET("{families: [inet]}"), "socket",
                    {2, 1, 132}, NOTIFY(EPERM)},
            {"SMC too", NET("{families: [inet6]}"), "socket", {10, 1, 256}, NOTIFY(EPERM)},
            {"upper halves are nothing", NET("{families: [inet]}"), "socket",
                    {2 | HIGH, 1 | HIGH, 6 | HIGH}, ALLOW},
            {"vsock with upper half", NET("{families: [inet]}"), "socket", {40 | HIGH, 1},
                    NOTIFY(EPERM)},
            {"netlink-route", NET("{families: [netlink-route]}"), "socket", {16, 3, 0}, ALLOW},
            {"netlink-audit", NET("{families: [netlink-route]}"), "socket", {16, 3, 9},
                    NOTIFY(EPERM)},
            {"all of netlink", NET("{families: [netlink]}"), "socket", {16, 3, 9}, ALLOW},
            {"socketpair unix", NET("{families: [unix, inet]}"), "socketpair", {1, 1}, ALLOW},
            {"socketpair inet", NET("{families: [unix, inet]}"), "socketpair", {2, 1},
                    NOTIFY(EPERM)},
            {"socketpair without unix", NET("{families: [inet]}"), "socketpair", {1, 1},
                    NOTIFY(EPERM)},
            {"fast open by sendto", NET("{families: [inet]}"), "sendto", {0, 0, 0, 0x20000000},
                    NOTIFY(EPERM)},
            {"fast open by sendmsg", NET("{families: [inet]}"), "sendmsg", {0, 0, 0x20004000},
                    NOTIFY(EPERM)},
            {"fast open allowed", NET("{families: [inet], fast-open: allow}"), "sendmsg",
                    {0, 0, 0x20004000}, ALLOW},
            {"sendto", NET("{families: [inet]}"), "sendto", {0, 0, 0, 0x4000}, ALLOW},
    };
    check_rows(rows, LENGTH(rows));
}

Test(policy_calls, quiet_calls_are_refused_by_errno)
{
    static const char yaml[] =
            "syscalls:\n"
            "  allow: [read, socket, ioctl]\n"
            "  rules:\n"
            "    - {names: [ioctl], action: notify, errno: EIO, when: {arg: cmd, eq: 1}}\n"
            "    - {names: [prctl], action: allow, when: {arg: option, eq: PR_SET_NAME}}\n"
            "    - {names: [bpf], action: kill}\n"
            "network: {families: [unix]}\n"
            "events: {quiet: [socket, ioctl, prctl, tee]}\n";
    static const struct row rows[] = {
            {"default", yaml, "tee", {0}, REFUSE(EPERM)},
            {"not quiet", yaml, "splice", {0}, NOTIFY(EPERM)},
            {"guard", yaml, "socket", {2, 1}, REFUSE(EPERM)},
            {"refusing condition", yaml, "ioctl", {0, 1}, REFUSE(EIO)},
            {"allowing condition", yaml, "prctl", {1}, REFUSE(EPERM)},
            {"what is allowed stays", yaml, "prctl", {15}, ALLOW},
            {"kill stays", yaml, "bpf", {0}, KILL},
    };
    check_rows(rows, LENGTH(rows));
}

/* ---- Several documents ---- */

/* A directory of two files; the child is loaded. */
static struct laz_policy *load_two(const char *parent, const char *child)
{
    char folder[] = "/tmp/lazaret-calls-XXXXXX";
    cr_assert_not_null(mkdtemp(folder));
    char path[sizeof(folder) + sizeof("/parent.yaml")];
    const char *const names[] = {"parent", "child"};
    const char *const texts[] = {parent, child};
    for (size_t i = 0; i < 2; i++) {
        struct laz_buf buf;
        laz_buf_init_fixed(&buf, path, sizeof(path));
        laz_buf_printf(&buf, "%s/%s.yaml", folder, names[i]);
        FILE *file = fopen(path, "we");
        cr_assert_not_null(file);
        cr_assert_geq(fputs(texts[i], file), 0);
        cr_assert_eq(fclose(file), 0);
    }
    struct loaded loaded = load_path(path);
    cr_assert_eq(loaded.result, 0, "%s", loaded.err.message);
    free(loaded.diagnostics);
    cr_assert_eq(unlink(path), 0);
    struct laz_buf buf;
    laz_buf_init_fixed(&buf, path, sizeof(path));
    laz_buf_printf(&buf, "%s/parent.yaml", folder);
    cr_assert_eq(unlink(path), 0);
    cr_assert_eq(rmdir(folder), 0);
    return loaded.policy;
}

struct inherited {
    const char *name;
    const char *parent; /* syscalls, after version */
    const char *child;
    const char *call;
    uint64_t args[6];
    enum laz_action action;
    int number;
};

#define COND "rules: [{names: [prctl], action: allow, when: {arg: option, eq: 15}}]"

Test(policy_calls, later_documents_win_but_conditions_stay)
{
    static const struct inherited rows[] = {
            {"allow after kill", "rules: [{names: [tee], action: kill}]", "allow: [tee]", "tee",
                    {0}, ALLOW},
            {"group after kill", "rules: [{names: [write], action: kill}]", "groups: [basic-io]",
                    "write", {0}, ALLOW},
            {"kill after allow", "allow: [tee]", "rules: [{names: [tee], action: kill}]", "tee",
                    {0}, KILL},
            {"remove after allow", "allow: [tee]", "remove: [tee]", "tee", {0}, NOTIFY(EPERM)},
            {"remove after kill", "rules: [{names: [tee], action: kill}]", "remove: [tee]", "tee",
                    {0}, NOTIFY(EPERM)},
            {"the child's default", "default: {action: kill}", "default: {action: errno}", "tee",
                    {0}, REFUSE(EPERM)},
            {"a group lifts no condition", COND, "groups: [process]", "prctl", {1}, NOTIFY(EPERM)},
            {"a name does", COND, "allow: [prctl]", "prctl", {1}, ALLOW},
            {"a rule does", COND, "rules: [{names: [prctl], action: log}]", "prctl", {1}, LOG},
            {"remove takes the condition away", COND, "remove: [prctl]", "prctl", {15},
                    NOTIFY(EPERM)},
            {"kill takes the condition away", COND, "rules: [{names: [prctl], action: kill}]",
                    "prctl", {15}, KILL},
            {"conditions add up", COND,
                    "rules: [{names: [prctl], action: allow, when: {arg: option, eq: 16}}]",
                    "prctl", {16}, ALLOW},
            {"and the parent's is kept", COND,
                    "rules: [{names: [prctl], action: allow, when: {arg: option, eq: 16}}]",
                    "prctl", {15}, ALLOW},
            {"remove and a new condition", COND,
                    "remove: [prctl]\n  rules: [{names: [prctl], action: allow, when: {arg: "
                    "option, "
                    "eq: 16}}]",
                    "prctl", {15}, NOTIFY(EPERM)},
            {"a condition narrows an allow", "allow: [prctl]", COND, "prctl", {1}, NOTIFY(EPERM)},
            {"a refusing condition outlives allow",
                    "rules: [{names: [ioctl], action: errno, when: {arg: cmd, eq: 1}}]",
                    "allow: [ioctl]", "ioctl", {0, 1}, REFUSE(EPERM)},
            {"and remove", "rules: [{names: [ioctl], action: kill, when: {arg: cmd, eq: 1}}]",
                    "remove: [ioctl]", "ioctl", {0, 1}, KILL},
            {"of equals the child's answers",
                    "rules: [{names: [ioctl], action: errno, errno: EIO, when: {arg: cmd, eq: 1}}]",
                    "rules: [{names: [ioctl], action: errno, errno: EINVAL, when: {arg: cmd, in: "
                    "[1, 2]}}]",
                    "ioctl", {0, 1}, REFUSE(EINVAL)},
            {"the stricter one of the parent answers",
                    "rules: [{names: [ioctl], action: kill, when: {arg: cmd, eq: 1}}]",
                    "rules: [{names: [ioctl], action: errno, when: {arg: cmd, in: [1, 2]}}]",
                    "ioctl", {0, 1}, KILL},
    };
    for (size_t i = 0; i < LENGTH(rows); i++) {
        char parent[LAZ_POLICY_SCALAR_MAX];
        char child[LAZ_POLICY_SCALAR_MAX];
        struct laz_buf buf;
        laz_buf_init_fixed(&buf, parent, sizeof(parent));
        laz_buf_printf(&buf, "version: 1\nsyscalls:\n  %s\n", rows[i].parent);
        laz_buf_init_fixed(&buf, child, sizeof(child));
        laz_buf_printf(&buf, "%sextends: [parent.yaml, builtin/python]\nsyscalls:\n  %s\n", MINIMAL,
                rows[i].child);
        /* read is what every policy needs; it is no business of these rows. */
        if (strstr(rows[i].child, "allow: [") == rows[i].child) {
            buf.len -= 2;
            laz_buf_str(&buf, ", read]\n");
        } else if (strstr(rows[i].child, "groups: [basic-io") == NULL) {
            laz_buf_str(&buf, "  allow: [read]\n");
        }
        struct laz_policy *policy = load_two(parent, child);
        struct laz_verdict verdict = decide(policy, rows[i].call, rows[i].args);
        cr_expect_eq(verdict.action, rows[i].action, "%s: %s", rows[i].name,
                laz_action_name(verdict.action));
        cr_expect_eq(verdict.errno_value, rows[i].number, "%s: errno %d", rows[i].name,
                verdict.errno_value);
        laz_policy_free(policy);
    }
}

/* ---- Other ABIs and unknown numbers ---- */

Test(policy_calls, numbers_and_abis)
{
    struct laz_policy *policy = must_load(
            MINIMAL "syscalls: {allow: [read], unknown: {action: errno, errno: ENOSYS}, "
                    "foreign-abi: {action: kill}, default: {action: errno, errno: EACCES}}\n");
    static const struct {
        const char *name;
        enum laz_arch native;
        uint32_t arch;
        uint32_t nr;
        enum laz_action action;
        int number;
    } rows[] = {
            {"read", LAZ_ARCH_X86_64, 0xC000003E, 0, ALLOW},
            {"read on aarch64", LAZ_ARCH_AARCH64, 0xC00000B7, 63, ALLOW},
            {"write", LAZ_ARCH_X86_64, 0xC000003E, 1, REFUSE(EACCES)},
            {"a hole in the numbers", LAZ_ARCH_X86_64, 0xC000003E, 400, REFUSE(ENOSYS)},
            {"beyond the table", LAZ_ARCH_X86_64, 0xC000003E, 999, REFUSE(ENOSYS)},
            {"x32 numbers without the bit", LAZ_ARCH_X86_64, 0xC000003E, 512, REFUSE(ENOSYS)},
            {"x32", LAZ_ARCH_X86_64, 0xC000003E, 0x40000000, KILL},
            {"x32 beyond", LAZ_ARCH_X86_64, 0xC000003E, 0x7FFFFFFF, KILL},
            {"the sign bit", LAZ_ARCH_X86_64, 0xC000003E, 0x80000000, REFUSE(ENOSYS)},
            {"the sign bit and x32's", LAZ_ARCH_X86_64, 0xC000003E, 0xC0000000, REFUSE(ENOSYS)},
            {"minus one", LAZ_ARCH_X86_64, 0xC000003E, 0xFFFFFFFF, REFUSE(ENOSYS)},
            {"aarch64 has no x32", LAZ_ARCH_AARCH64, 0xC00000B7, 0x4000003F, REFUSE(ENOSYS)},
            {"i386", LAZ_ARCH_X86_64, 0x40000003, 3, KILL},
            {"arm", LAZ_ARCH_AARCH64, 0x40000028, 3, KILL},
            {"the other 64-bit machine", LAZ_ARCH_X86_64, 0xC00000B7, 63, KILL},
            {"and the other way round", LAZ_ARCH_AARCH64, 0xC000003E, 0, KILL},
            {"no machine", LAZ_ARCH_X86_64, 0, 0, KILL},
    };
    static const uint64_t args[6] = {0};
    for (size_t i = 0; i < LENGTH(rows); i++) {
        struct laz_verdict verdict =
                laz_policy_decide(policy, rows[i].native, rows[i].arch, rows[i].nr, args);
        cr_expect_eq(verdict.action, rows[i].action, "%s: %s", rows[i].name,
                laz_action_name(verdict.action));
        cr_expect_eq(
                verdict.errno_value, rows[i].number, "%s: %d", rows[i].name, verdict.errno_value);
    }
    laz_policy_free(policy);
}

/* ---- Positions ---- */

Test(policy_calls, verdicts_say_where_they_come_from)
{
    struct laz_policy *policy = must_load("version: 1\n"
                                          "workload: {user: \"10001:10001\"}\n"
                                          "filesystem: {read-exec: [/usr]}\n"
                                          "extends: [builtin/static]\n"
                                          "syscalls:\n"
                                          "  allow: [tee]\n"
                                          "  remove: [listen]\n"
                                          "  rules: [{names: [bpf], action: kill}]\n"
                                          "events: {quiet: [mount]}\n");
    static const struct {
        const char *call;
        const char *wanted;
    } rows[] = {
            {"tee", "/nowhere/test.yaml:6:11"},
            {"listen", "/nowhere/test.yaml:7:12"},
            {"bpf", "/nowhere/test.yaml:8:20"},
            {"mount", "/nowhere/test.yaml:9:18"},
            {"read", "builtin/static:"},
            {"swapon", "builtin/static:"},
            {"execve", "builtin/static:"},
    };
    static const uint64_t args[6] = {0};
    for (size_t i = 0; i < LENGTH(rows); i++) {
        char text[LAZ_DIAGNOSTIC_FILE_MAX];
        laz_policy_pos_format(policy, decide(policy, rows[i].call, args).pos, text, sizeof(text));
        cr_expect(strncmp(text, rows[i].wanted, strlen(rows[i].wanted)) == 0, "%s: %s",
                rows[i].call, text);
    }
    char text[LAZ_DIAGNOSTIC_FILE_MAX];
    laz_policy_pos_format(policy, (struct laz_pos){0}, text, sizeof(text));
    cr_expect_str_eq(text, "default");
    laz_policy_free(policy);
}
