/* SPDX-License-Identifier: Apache-2.0
 *
 * lib/filter/compile and emit: what the programs look like, and what single calls are answered.
 * That they mean the policy everywhere is the proof's business: prove_test.c, differential_test.c.
 */
#include <errno.h>
#include <linux/audit.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include <criterion/criterion.h>

#include "core/bpf.h"
#include "filter/filter.h"
#include "policy/image.h"
#include "tests/fixture/policy.h"

#define ALLOW  SECCOMP_RET_ALLOW
#define NOTIFY SECCOMP_RET_USER_NOTIF
#define REFUSE (SECCOMP_RET_ERRNO | EPERM)

static struct laz_filter compile(
        const struct fixture *fixture, enum laz_arch arch, enum laz_filter_variant variant)
{
    struct laz_filter filter = {0};
    struct laz_err err = {0};
    cr_assert_eq(laz_filter_compile(&fixture->policy, arch, variant, &filter, &err), 0, "%s",
            err.message);
    return filter;
}

static uint32_t ask(const struct laz_filter *filter, uint32_t arch, uint32_t nr, uint64_t arg0,
        uint64_t arg1, uint64_t arg2)
{
    const struct seccomp_data data = {
            .arch = arch, .nr = (int)nr, .args = {arg0, arg1, arg2, 0, 0, 0}};
    return laz_bpf_evaluate(filter->insns, filter->n, &data, NULL);
}

static void assert_listing(const struct laz_filter *filter, const char *wanted)
{
    char listing[4096] = "";
    size_t at = 0;
    for (size_t i = 0; i < filter->n; i++) {
        const struct sock_filter *insn = &filter->insns[i];
        const char *name = insn->code == (BPF_LD | BPF_W | BPF_ABS) ? "load"
                : insn->code == (BPF_ALU | BPF_AND | BPF_K)         ? "and"
                : insn->code == (BPF_RET | BPF_K)                   ? "return"
                : insn->code == (BPF_JMP | BPF_JEQ | BPF_K)         ? "if =="
                : insn->code == (BPF_JMP | BPF_JGE | BPF_K)         ? "if >="
                : insn->code == (BPF_JMP | BPF_JSET | BPF_K)        ? "if &"
                                                                    : "?";
        char jump[32] = "";
        if (BPF_CLASS(insn->code) == BPF_JMP) {
            (void)snprintf(
                    jump, sizeof(jump), " goto %zu else %zu", i + 1 + insn->jt, i + 1 + insn->jf);
        }
        at += (size_t)snprintf(
                listing + at, sizeof(listing) - at, "%zu %s %#x%s\n", i, name, insn->k, jump);
    }
    cr_assert_str_eq(listing, wanted);
}

/* The page that explains filters shows this listing, each line behind four blanks. */
static void assert_documented(const char *listing)
{
    static char page[32768];
    char block[2048] = "\n";
    FILE *file = fopen("docs/explanation/filters.md", "re");
    cr_assert_not_null(file, "tests run in the source tree");
    size_t length = fread(page, 1, sizeof(page) - 1, file);
    (void)fclose(file);
    page[length] = '\0';
    size_t at = 1;
    for (const char *line = listing; *line != '\0'; line = strchr(line, '\n') + 1) {
        int size = (int)(strchr(line, '\n') - line);
        at += (size_t)snprintf(block + at, sizeof(block) - at, "    %.*s\n", size, line);
    }
    cr_assert_not_null(strstr(page, block), "%s", block);
}

static void refuse_all(struct fixture *fixture)
{
    struct laz_verdict refused = verdict_of(LAZ_ACTION_ERRNO, EPERM);
    fixture->policy.unknown_verdict = refused;
    fixture->policy.foreign_abi_verdict = refused;
    for (size_t i = 0; i < laz_syscall_count(); i++) {
        fixture->decisions[i].base = refused;
        fixture->decisions[i].otherwise = refused;
    }
}

/* ---- Programs, instruction by instruction ---- */

Test(filter_compile, refuses_everything_in_one_instruction)
{
    cleanup_fixture struct fixture *fixture = fixture_new();
    refuse_all(fixture);
    laz_cleanup_filter struct laz_filter filter = compile(fixture, LAZ_ARCH_X86_64, LAZ_FILTER_OWN);
    assert_listing(&filter, "0 return 0x50001\n");
    cr_assert_eq(filter.longest_path, 1);
}

Test(filter_compile, looks_at_the_architecture_first)
{
    cleanup_fixture struct fixture *fixture = fixture_new();
    refuse_all(fixture);
    decision_of(fixture, "brk")->base.action = LAZ_ACTION_ALLOW; /* 12 */
    laz_cleanup_filter struct laz_filter filter = compile(fixture, LAZ_ARCH_X86_64, LAZ_FILTER_OWN);
    assert_listing(&filter,
            "0 load 0x4\n"
            "1 if == 0xc000003e goto 2 else 4\n"
            "2 load 0\n"
            "3 if == 0xc goto 5 else 4\n"
            "4 return 0x50001\n"
            "5 return 0x7fff0000\n");
    cr_assert_eq(filter.longest_path, 5);
}

Test(filter_compile, bisects_numbers_and_compares_int_arguments_by_their_low_word)
{
    cleanup_fixture struct fixture *fixture = fixture_new();
    refuse_all(fixture);
    static const char *const names[] = {"close", "stat", "fstat", "lstat", "mmap"}; /* 3-6, 9 */
    for (size_t i = 0; i < 5; i++) {
        decision_of(fixture, names[i])->base.action = LAZ_ACTION_ALLOW;
    }
    struct laz_decision *ioctl = decision_of(fixture, "ioctl"); /* 16 */
    ioctl->base.action = LAZ_ACTION_ALLOW;
    (void)add_cond(fixture, add_clause(fixture, &ioctl->refuse, verdict_of(LAZ_ACTION_KILL, 0)),
            IS(1), (uint64_t[]){0x5412, 0x541c}, 2);
    laz_cleanup_filter struct laz_filter filter = compile(fixture, LAZ_ARCH_X86_64, LAZ_FILTER_OWN);
    static const char listing[] = "0 load 0x4\n"
                                  "1 if == 0xc000003e goto 2 else 7\n"
                                  "2 load 0\n"
                                  "3 if >= 0x7 goto 5 else 4\n"
                                  "4 if >= 0x3 goto 11 else 7\n"
                                  "5 if == 0x9 goto 11 else 6\n"
                                  "6 if == 0x10 goto 8 else 7\n"
                                  "7 return 0x50001\n"
                                  "8 load 0x18\n"
                                  "9 if == 0x5412 goto 12 else 10\n"
                                  "10 if == 0x541c goto 12 else 11\n"
                                  "11 return 0x7fff0000\n"
                                  "12 return 0x80000000\n";
    assert_listing(&filter, listing);
    assert_documented(listing);
}

Test(filter_compile, tests_flags_with_one_instruction)
{
    cleanup_fixture struct fixture *fixture = fixture_new();
    refuse_all(fixture);
    struct laz_decision *clone = decision_of(fixture, "clone"); /* 56 */
    clone->base.action = LAZ_ACTION_ALLOW;
    (void)add_cond(fixture,
            add_clause(fixture, &clone->refuse, verdict_of(LAZ_ACTION_ERRNO, EPERM)),
            HAS_ANY(0, 0x7e020000), (uint64_t[]){0}, 1);
    laz_cleanup_filter struct laz_filter filter = compile(fixture, LAZ_ARCH_X86_64, LAZ_FILTER_OWN);
    assert_listing(&filter,
            "0 load 0x4\n"
            "1 if == 0xc000003e goto 2 else 7\n"
            "2 load 0\n"
            "3 if == 0x38 goto 4 else 7\n"
            "4 load 0x10\n"
            "5 if & 0x7e020000 goto 7 else 6\n"
            "6 return 0x7fff0000\n"
            "7 return 0x50001\n");
}

/* Two clauses look at the domain, one of them also at the protocol: one branch on the domain
 * decides. */
Test(filter_compile, melts_clauses_about_one_argument_and_shares_equal_blocks)
{
    cleanup_fixture struct fixture *fixture = fixture_new();
    refuse_all(fixture);
    static const char *const names[] = {"socket", "socketpair"}; /* 41, 53 */
    for (size_t i = 0; i < 2; i++) {
        struct laz_decision *decision = decision_of(fixture, names[i]);
        decision->base.action = LAZ_ACTION_ALLOW;
        struct laz_clause *clause = add_clause(fixture, &decision->guard, decision->base);
        (void)add_cond(fixture, clause, IS(0), (uint64_t[]){AF_UNIX, AF_INET}, 2);
        clause = add_clause(fixture, &decision->guard, decision->base);
        (void)add_cond(fixture, clause, IS(0), (uint64_t[]){AF_NETLINK}, 1);
        (void)add_cond(fixture, clause, IS(2), (uint64_t[]){0}, 1);
    }
    laz_cleanup_filter struct laz_filter filter = compile(fixture, LAZ_ARCH_X86_64, LAZ_FILTER_OWN);
    assert_listing(&filter,
            "0 load 0x4\n"
            "1 if == 0xc000003e goto 2 else 12\n"
            "2 load 0\n"
            "3 if == 0x29 goto 5 else 4\n"
            "4 if == 0x35 goto 5 else 12\n"
            "5 load 0x10\n"
            "6 if >= 0x3 goto 8 else 7\n"
            "7 if >= 0x1 goto 11 else 12\n"
            "8 if == 0x10 goto 9 else 12\n"
            "9 load 0x20\n"
            "10 if >= 0x1 goto 12 else 11\n"
            "11 return 0x7fff0000\n"
            "12 return 0x50001\n");
}

/* ---- Answers ---- */

Test(filter_return, is_what_the_variant_makes_of_a_verdict)
{
    const struct laz_syscall *read = laz_syscall_by_name("read", 4);
    const struct laz_syscall *execve = laz_syscall_by_name("execve", 6);
    const struct laz_syscall *execveat = laz_syscall_by_name("execveat", 8);
    const uint32_t kill = SECCOMP_RET_KILL_PROCESS;
    const uint32_t log = SECCOMP_RET_LOG;
    const struct {
        const char *name;
        const struct laz_syscall *call;
        enum laz_mode mode;
        enum laz_filter_variant variant;
        uint32_t wanted[LAZ_ACTION_COUNT]; /* allow, errno, notify, kill, log */
    } rows[] = {
            {"events", read, LAZ_MODE_ENFORCE, LAZ_FILTER_WITH_EVENTS,
                    {ALLOW, REFUSE, NOTIFY, kill, log}},
            {"plain", read, LAZ_MODE_ENFORCE, LAZ_FILTER_PLAIN, {ALLOW, REFUSE, REFUSE, kill, log}},
            {"own", read, LAZ_MODE_ENFORCE, LAZ_FILTER_OWN, {ALLOW, REFUSE, REFUSE, kill, log}},
            {"unknown", NULL, LAZ_MODE_ENFORCE, LAZ_FILTER_WITH_EVENTS,
                    {ALLOW, REFUSE, NOTIFY, kill, log}},
            {"observe", read, LAZ_MODE_OBSERVE, LAZ_FILTER_WITH_EVENTS,
                    {ALLOW, NOTIFY, NOTIFY, NOTIFY, log}},
            {"observe, unknown", NULL, LAZ_MODE_OBSERVE, LAZ_FILTER_WITH_EVENTS,
                    {ALLOW, NOTIFY, NOTIFY, NOTIFY, log}},
            {"observe, plain: what it would have been", read, LAZ_MODE_OBSERVE, LAZ_FILTER_PLAIN,
                    {ALLOW, REFUSE, REFUSE, kill, log}},
            {"execve is the gate", execve, LAZ_MODE_ENFORCE, LAZ_FILTER_WITH_EVENTS,
                    {NOTIFY, NOTIFY, NOTIFY, NOTIFY, NOTIFY}},
            {"execve without events", execve, LAZ_MODE_ENFORCE, LAZ_FILTER_PLAIN,
                    {ALLOW, ALLOW, ALLOW, ALLOW, ALLOW}},
            {"execve of our own processes", execve, LAZ_MODE_ENFORCE, LAZ_FILTER_OWN,
                    {ALLOW, REFUSE, REFUSE, kill, log}},
            {"execveat is counted", execveat, LAZ_MODE_ENFORCE, LAZ_FILTER_WITH_EVENTS,
                    {NOTIFY, REFUSE, NOTIFY, kill, NOTIFY}},
            {"execveat without events", execveat, LAZ_MODE_ENFORCE, LAZ_FILTER_PLAIN,
                    {ALLOW, REFUSE, REFUSE, kill, log}},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        static struct laz_policy policy;
        policy.mode = rows[i].mode;
        for (int action = 0; action < LAZ_ACTION_COUNT; action++) {
            cr_expect_eq(laz_filter_return(&policy, rows[i].variant, rows[i].call,
                                 verdict_of((enum laz_action)action, EPERM)),
                    rows[i].wanted[action], "%s: %s", rows[i].name,
                    laz_action_name((enum laz_action)action));
        }
    }
}

/* glibc falls back to clone after ENOSYS: what mode observe sees is what mode enforce would. */
Test(filter_return, leaves_a_silent_enosys_alone_in_mode_observe)
{
    const uint32_t absent = SECCOMP_RET_ERRNO | ENOSYS;
    cleanup_fixture struct fixture *fixture = fixture_new();
    fixture->policy.mode = LAZ_MODE_OBSERVE;
    decision_of(fixture, "clone3")->base = verdict_of(LAZ_ACTION_ERRNO, ENOSYS);
    decision_of(fixture, "io_uring_setup")->base = verdict_of(LAZ_ACTION_NOTIFY, ENOSYS);
    decision_of(fixture, "getcpu")->base = verdict_of(LAZ_ACTION_ERRNO, EPERM);
    fixture->policy.foreign_abi_verdict = verdict_of(LAZ_ACTION_ERRNO, ENOSYS);
    const struct {
        const char *name;
        uint32_t arch;
        uint32_t nr;
        uint32_t wanted;
    } rows[] = {
            {"silent", AUDIT_ARCH_X86_64, 435, absent},
            {"an unknown number", AUDIT_ARCH_X86_64, 999, absent},
            {"a foreign ABI", AUDIT_ARCH_I386, 435, absent},
            {"with an event", AUDIT_ARCH_X86_64, 425, NOTIFY},
            {"another errno", AUDIT_ARCH_X86_64, 309, NOTIFY},
            {"the default", AUDIT_ARCH_X86_64, 0, NOTIFY},
    };
    struct laz_err err;
    struct laz_filter_proof proof;
    laz_cleanup_filter struct laz_filter filter =
            compile(fixture, LAZ_ARCH_X86_64, LAZ_FILTER_WITH_EVENTS);
    cr_expect_eq(laz_filter_prove(&fixture->policy, LAZ_ARCH_X86_64, LAZ_FILTER_WITH_EVENTS,
                         &filter, &proof, &err),
            0, "%s", err.message);
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        cr_expect_eq(ask(&filter, rows[i].arch, rows[i].nr, 0, 0, 0), rows[i].wanted, "%s",
                rows[i].name);
    }
}

Test(filter_compile, tells_abis_apart)
{
    cleanup_fixture struct fixture *fixture = fixture_new();
    decision_of(fixture, "getpid")->base = verdict_of(LAZ_ACTION_ALLOW, 0);
    fixture->policy.foreign_abi_verdict = verdict_of(LAZ_ACTION_KILL, 0);
    const uint32_t kill = SECCOMP_RET_KILL_PROCESS;
    const uint32_t unknown = SECCOMP_RET_ERRNO | ENOSYS;
    laz_cleanup_filter struct laz_filter filter =
            compile(fixture, LAZ_ARCH_X86_64, LAZ_FILTER_PLAIN);
    const struct {
        const char *name;
        uint32_t arch;
        uint32_t nr;
        uint32_t wanted;
    } rows[] = {
            {"native", AUDIT_ARCH_X86_64, 39, ALLOW},
            {"another native call", AUDIT_ARCH_X86_64, 40, REFUSE},
            {"x32", AUDIT_ARCH_X86_64, 39 | 0x40000000, kill},
            {"the last of x32", AUDIT_ARCH_X86_64, 0x7fffffff, kill},
            {"negative", AUDIT_ARCH_X86_64, 0x80000000, unknown},
            {"minus one", AUDIT_ARCH_X86_64, UINT32_MAX, unknown},
            {"below x32", AUDIT_ARCH_X86_64, 0x3fffffff, unknown},
            {"a gap in the table", AUDIT_ARCH_X86_64, 400, unknown},
            {"x32's numbers without its bit", AUDIT_ARCH_X86_64, 512, unknown},
            {"i386's getpid", AUDIT_ARCH_I386, 20, kill},
            {"the native number under i386", AUDIT_ARCH_I386, 39, kill},
            {"the other architecture", AUDIT_ARCH_AARCH64, 172, kill},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        cr_expect_eq(ask(&filter, rows[i].arch, rows[i].nr, 0, 0, 0), rows[i].wanted, "%s",
                rows[i].name);
    }
    laz_filter_done(&filter);
    filter = compile(fixture, LAZ_ARCH_AARCH64, LAZ_FILTER_PLAIN);
    cr_assert_eq(ask(&filter, AUDIT_ARCH_AARCH64, 172, 0, 0, 0), ALLOW);
    cr_assert_eq(ask(&filter, AUDIT_ARCH_AARCH64, 172 | 0x40000000, 0, 0, 0), unknown);
    cr_assert_eq(ask(&filter, AUDIT_ARCH_ARM, 20, 0, 0, 0), kill);
}

/* The kernel takes an int from the low half of the register, so what is in the other half is
 * nothing. */
Test(filter_compile, ignores_the_upper_half_of_an_int_and_only_of_an_int)
{
    cleanup_fixture struct fixture *fixture = fixture_new();
    struct laz_verdict allowed = verdict_of(LAZ_ACTION_ALLOW, 0);
    struct laz_decision *socket_call = decision_of(fixture, "socket");
    (void)add_cond(fixture, add_clause(fixture, &socket_call->allow, allowed), IS(0),
            (uint64_t[]){AF_INET}, 1);
    const struct laz_cond length = {.arg = 1, .width_bits = 64, .mask = UINT64_MAX};
    (void)add_cond(fixture, add_clause(fixture, &decision_of(fixture, "munmap")->allow, allowed),
            length, (uint64_t[]){4096, 0x100001000}, 2);
    laz_cleanup_filter struct laz_filter filter =
            compile(fixture, LAZ_ARCH_X86_64, LAZ_FILTER_PLAIN);
    const uint32_t native = AUDIT_ARCH_X86_64;
    cr_expect_eq(ask(&filter, native, 41, AF_INET, 0, 0), ALLOW);
    cr_expect_eq(ask(&filter, native, 41, 0xdead00000000 | AF_INET, 0, 0), ALLOW);
    cr_expect_eq(ask(&filter, native, 41, 0x100000000 | AF_VSOCK, 0, 0), REFUSE);
    cr_expect_eq(ask(&filter, native, 11, 0, 4096, 0), ALLOW);
    cr_expect_eq(ask(&filter, native, 11, 0, 0x100001000, 0), ALLOW);
    cr_expect_eq(ask(&filter, native, 11, 0, 0x200001000, 0), REFUSE);
    cr_expect_eq(ask(&filter, native, 11, 0, 0x100000000, 0), REFUSE);
}

Test(filter_compile, asks_refuse_then_guard_then_allow_then_base)
{
    cleanup_fixture struct fixture *fixture = fixture_new();
    struct laz_decision *call = decision_of(fixture, "prctl");
    call->base = verdict_of(LAZ_ACTION_KILL, 0);
    call->otherwise = verdict_of(LAZ_ACTION_ERRNO, ENOSYS);
    (void)add_cond(fixture,
            add_clause(fixture, &call->refuse, verdict_of(LAZ_ACTION_ERRNO, EACCES)), IS(0),
            (uint64_t[]){1}, 1);
    (void)add_cond(fixture, add_clause(fixture, &call->guard, (struct laz_verdict){0}), IS(1),
            (uint64_t[]){7}, 1);
    (void)add_cond(fixture, add_clause(fixture, &call->allow, verdict_of(LAZ_ACTION_ALLOW, 0)),
            IS(0), (uint64_t[]){1, 2}, 2);
    (void)add_cond(fixture, add_clause(fixture, &call->allow, verdict_of(LAZ_ACTION_LOG, 0)), IS(0),
            (uint64_t[]){2, 3}, 2);
    laz_cleanup_filter struct laz_filter filter =
            compile(fixture, LAZ_ARCH_X86_64, LAZ_FILTER_PLAIN);
    const uint32_t native = AUDIT_ARCH_X86_64;
    cr_expect_eq(ask(&filter, native, 157, 1, 7, 0), SECCOMP_RET_ERRNO | EACCES, "refuse wins");
    cr_expect_eq(ask(&filter, native, 157, 2, 8, 0), SECCOMP_RET_ERRNO | ENOSYS, "guard");
    cr_expect_eq(ask(&filter, native, 157, 2, 7, 0), ALLOW, "the first of allow");
    cr_expect_eq(ask(&filter, native, 157, 3, 7, 0), SECCOMP_RET_LOG, "the second of allow");
    cr_expect_eq(ask(&filter, native, 157, 4, 7, 0), SECCOMP_RET_ERRNO | ENOSYS, "otherwise");
    call->allow.n = 0;
    laz_filter_done(&filter);
    filter = compile(fixture, LAZ_ARCH_X86_64, LAZ_FILTER_PLAIN);
    cr_expect_eq(ask(&filter, native, 157, 4, 7, 0), SECCOMP_RET_KILL_PROCESS, "base");
}

Test(filter_compile, takes_empty_lists_and_empty_masks_literally)
{
    cleanup_fixture struct fixture *fixture = fixture_new();
    struct laz_verdict allowed = verdict_of(LAZ_ACTION_ALLOW, 0);
    const struct laz_cond none = {.arg = 0, .width_bits = 64, .mask = UINT64_MAX};
    const struct laz_cond nothing = {.arg = 0, .width_bits = 32, .mask = 0};
    struct laz_cond any = none;
    any.negate = true;
    (void)add_cond(fixture, add_clause(fixture, &decision_of(fixture, "dup")->allow, allowed), none,
            NULL, 0);
    (void)add_cond(fixture, add_clause(fixture, &decision_of(fixture, "dup2")->allow, allowed), any,
            NULL, 0);
    (void)add_cond(fixture, add_clause(fixture, &decision_of(fixture, "dup3")->allow, allowed),
            nothing, (uint64_t[]){0}, 1);
    (void)add_clause(fixture, &decision_of(fixture, "pipe")->allow, allowed);
    laz_cleanup_filter struct laz_filter filter =
            compile(fixture, LAZ_ARCH_X86_64, LAZ_FILTER_PLAIN);
    cr_expect_eq(ask(&filter, AUDIT_ARCH_X86_64, 32, 5, 0, 0), REFUSE, "in nothing");
    cr_expect_eq(ask(&filter, AUDIT_ARCH_X86_64, 33, 5, 0, 0), ALLOW, "not in nothing");
    cr_expect_eq(ask(&filter, AUDIT_ARCH_X86_64, 292, 5, 0, 0), ALLOW, "no bit is zero");
    cr_expect_eq(ask(&filter, AUDIT_ARCH_X86_64, 22, 5, 0, 0), ALLOW, "no condition");
}

/* ---- Ceilings and mistakes ---- */

/* Lists that nothing can be made shorter by: 60 values apart from each other. */
static void add_long_list(struct fixture *fixture, const char *name, uint64_t offset)
{
    uint64_t values[60];
    for (uint64_t i = 0; i < 60; i++) {
        values[i] = offset + 17 * i;
    }
    struct laz_decision *decision = decision_of(fixture, name);
    (void)add_cond(fixture, add_clause(fixture, &decision->allow, verdict_of(LAZ_ACTION_ALLOW, 0)),
            IS(1), values, 60);
}

Test(filter_compile, jumps_further_than_eight_bits_reach)
{
    cleanup_fixture struct fixture *fixture = fixture_new();
    for (uint64_t i = 0; i < 12; i++) { /* read, write, ...: the first twelve numbers */
        add_long_list(fixture, laz_syscall_by_nr(LAZ_ARCH_X86_64, (uint32_t)i)->name, 100 * i);
    }
    laz_cleanup_filter struct laz_filter filter =
            compile(fixture, LAZ_ARCH_X86_64, LAZ_FILTER_PLAIN);
    cr_assert_gt(filter.n, 700);
    for (uint32_t nr = 0; nr < 12; nr++) {
        for (uint64_t value = 0; value < 2500; value++) {
            bool is_in =
                    value >= 100 * nr && value < 100 * nr + 17 * 60 && (value - 100 * nr) % 17 == 0;
            cr_assert_eq(ask(&filter, AUDIT_ARCH_X86_64, nr, 0, value, 0), is_in ? ALLOW : REFUSE,
                    "call %u, value %llu", nr, (unsigned long long)value);
        }
    }
}

/* Each call answers with an errno of its own, and so many of them: at some count, a target lies as
 * far as eight bits reach, and moves away by an instruction while the other one is brought near. */
Test(filter_compile, jumps_as_far_as_eight_bits_reach)
{
    for (size_t n = 60; n <= 360; n++) {
        cleanup_fixture struct fixture *fixture = fixture_new();
        for (size_t i = 0; i < n && i < laz_syscall_count(); i++) {
            uint16_t error = (uint16_t)(1 + i);
            fixture->decisions[i].base = verdict_of(LAZ_ACTION_ERRNO, error);
        }
        laz_cleanup_filter struct laz_filter filter =
                compile(fixture, LAZ_ARCH_X86_64, LAZ_FILTER_OWN);
        struct laz_filter_proof proof;
        struct laz_err err = {0};
        cr_expect_eq(laz_filter_prove(&fixture->policy, LAZ_ARCH_X86_64, LAZ_FILTER_OWN, &filter,
                             &proof, &err),
                0, "%zu calls: %s", n, err.message);
    }
}

Test(filter_compile, says_when_the_filter_grows_too_large)
{
    cleanup_fixture struct fixture *fixture = fixture_new();
    for (uint64_t i = 0; i < 30; i++) {
        add_long_list(fixture, laz_syscall_by_nr(LAZ_ARCH_X86_64, (uint32_t)i)->name, 1000 * i);
    }
    laz_cleanup_filter struct laz_filter filter = {0};
    struct laz_err err = {0};
    cr_assert_eq(
            laz_filter_compile(&fixture->policy, LAZ_ARCH_X86_64, LAZ_FILTER_PLAIN, &filter, &err),
            -1);
    cr_assert_eq(err.kind, LAZ_E_POLICY_TOO_LARGE);
    cr_assert_str_eq(err.message,
            "the system-call filter needs more than 2048 instructions: use fewer conditions");
    cr_assert_null(filter.insns);
}

/* Clauses that melt grow a branch with each step; there is an end to it. */
Test(filter_compile, says_when_the_graph_grows_too_large)
{
    cleanup_fixture struct fixture *fixture = fixture_new();
    struct laz_decision *decision = decision_of(fixture, "ioctl");
    for (uint64_t i = 0; i < 200; i++) {
        uint64_t values[60];
        for (uint64_t j = 0; j < 60; j++) {
            values[j] = 1000 * i + 3 * j;
        }
        struct laz_verdict verdict = verdict_of(LAZ_ACTION_ERRNO, 1 + (int)i);
        (void)add_cond(fixture, add_clause(fixture, &decision->refuse, verdict), IS(1), values, 60);
    }
    laz_cleanup_filter struct laz_filter filter = {0};
    struct laz_err err = {0};
    cr_assert_eq(
            laz_filter_compile(&fixture->policy, LAZ_ARCH_X86_64, LAZ_FILTER_PLAIN, &filter, &err),
            -1);
    cr_assert_eq(err.kind, LAZ_E_POLICY_TOO_LARGE);
}

Test(filter_compile, refuses_a_policy_that_no_loader_makes)
{
    static const char *const rows[] = {"errno 0", "errno 4096", "no such action", "argument 6",
            "8 bits", "values out of order", "a mask of 33 bits", "a value behind the mask",
            "a default without errno"};
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        cleanup_fixture struct fixture *fixture = fixture_new();
        struct laz_decision *call = decision_of(fixture, "ioctl");
        struct laz_clause *clause =
                add_clause(fixture, &call->refuse, verdict_of(LAZ_ACTION_ERRNO, EPERM));
        struct laz_cond *cond = add_cond(fixture, clause, IS(1), (uint64_t[]){1, 2}, 2);
        const char *wanted = "the decision about ioctl is malformed";
        switch (i) {
        case 0:
            clause->verdict.errno_value = 0;
            break;
        case 1:
            call->otherwise = verdict_of(LAZ_ACTION_NOTIFY, 4096);
            break;
        case 2:
            call->base.action = LAZ_ACTION_COUNT;
            break;
        case 3:
            cond->arg = 6;
            break;
        case 4:
            cond->width_bits = 8;
            break;
        case 5:
            cond->values[1] = 1;
            break;
        case 6:
            cond->mask = UINT64_C(0x1ffffffff);
            break;
        case 7:
            cond->mask = 1;
            break;
        default:
            fixture->policy.unknown_verdict.errno_value = 0;
            wanted = "a default of the policy is malformed";
            break;
        }
        laz_cleanup_filter struct laz_filter filter = {0};
        struct laz_err err = {0};
        cr_expect_eq(laz_filter_compile(
                             &fixture->policy, LAZ_ARCH_X86_64, LAZ_FILTER_PLAIN, &filter, &err),
                -1, "%s", rows[i]);
        cr_expect_eq(err.kind, LAZ_E_INTERNAL, "%s", rows[i]);
        cr_expect_str_eq(err.message, wanted, "%s", rows[i]);
    }
}

/* The worst that names alone can do: every second number is allowed. */
Test(filter_compile, stays_small_and_shallow)
{
    for (int arch = 0; arch < LAZ_ARCH_COUNT; arch++) {
        cleanup_fixture struct fixture *fixture = fixture_new();
        for (uint32_t nr = 0; nr <= LAZ_SYSCALL_NR_MAX; nr += 2) {
            const struct laz_syscall *call = laz_syscall_by_nr((enum laz_arch)arch, nr);
            if (call != NULL) {
                fixture->decisions[laz_syscall_index(call)].base = verdict_of(LAZ_ACTION_ALLOW, 0);
            }
        }
        laz_cleanup_filter struct laz_filter filter =
                compile(fixture, (enum laz_arch)arch, LAZ_FILTER_WITH_EVENTS);
        cr_expect_lt(filter.n, 320, "%zu instructions", filter.n);
        cr_expect_lt(filter.longest_path, 16, "%u", filter.longest_path);
    }
}
