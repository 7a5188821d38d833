/* SPDX-License-Identifier: Apache-2.0
 *
 * Reading a process back, and finding every single field that differs from the policy.
 */
#include "confine/attest.h"

#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include <criterion/criterion.h>

static const char good[] = "Name:\tapp one\n"
                           "Umask:\t0027\n"
                           "Tgid:\t41\n"
                           "Uid:\t10001\t10001\t10001\t10001\n"
                           "Gid:\t10002\t10002\t10002\t10002\n"
                           "Groups:\t5 6 \n"
                           "CapInh:\t0000000000000000\n"
                           "CapPrm:\t0000000000000000\n"
                           "CapEff:\t0000000000000000\n"
                           "CapBnd:\t0000000000000000\n"
                           "CapAmb:\t0000000000000000\n"
                           "SigBlk:\t0000000000000000\n"
                           "SigIgn:\t0000000000000000\n"
                           "SigCgt:\t0000000180000000\n"
                           "NoNewPrivs:\t1\n"
                           "Seccomp:\t2\n"
                           "Seccomp_filters:\t2\n";

static const struct laz_image image = {
        .uid = 10001, .gid = 10002, .n_groups = 2, .groups = {5, 6}, .umask = 027};
static const struct laz_probe probe = {.outer_filters = 1};
static const struct laz_decided decided = {.change_user = true, .drop_bounding = true};

static struct laz_process_state parsed(const char *text)
{
    struct laz_process_state state;
    struct laz_err err = {0};
    cr_assert_eq(laz_attest_parse(text, strlen(text), &state, &err), 0, "%s", err.message);
    return state;
}

Test(attest, reads_a_status_file)
{
    struct laz_process_state state = parsed(good);
    cr_assert_eq(state.tgid, 41);
    cr_assert_eq(state.umask, 027);
    cr_assert_eq(state.uid[3], 10001);
    cr_assert_eq(state.n_groups, 2);
    cr_assert_eq(state.groups[1], 6);
    cr_assert_eq(state.sig_block, 0);
    cr_assert_eq(state.sig_ignore, 0);
    cr_assert_eq(state.sig_catch, UINT64_C(0x180000000));
    cr_assert_eq(state.seccomp_filters, 2);
}

Test(attest, accepts_a_state_that_equals_the_policy)
{
    struct laz_process_state state = parsed(good);
    struct laz_err err = {0};
    cr_assert_eq(laz_attest_check(&state, &image, &probe, &decided, &err), 0, "%s", err.message);
}

/* Replace one word of the good file; the check must name the field. */
Test(attest, finds_every_single_difference)
{
    static const struct {
        const char *from;
        const char *to;
        const char *expected;
    } rows[] = {
            {"Uid:\t10001", "Uid:\t10000", "Uid is 0x2710, the policy wants 0x2711"},
            {"10001\t10001\n", "10001\t0\n", "Uid is 0, "},
            {"Gid:\t10002\t10002", "Gid:\t10002\t0", "Gid is 0, "},
            {"Groups:\t5 6 ", "Groups:\t5 ", "the number of Groups is 0x1, the policy wants 0x2"},
            {"Groups:\t5 6 ", "Groups:\t5 6 7 ", "the number of Groups is 0x3"},
            {"Groups:\t5 6 ", "Groups:\t5 7 ", "Groups is 0x7"},
            {"CapInh:\t0", "CapInh:\t8", "CapInh is 0x8000000000000000"},
            {"CapPrm:\t0", "CapPrm:\t8", "CapPrm is "},
            {"CapEff:\t0", "CapEff:\t8", "CapEff is "},
            {"CapBnd:\t0", "CapBnd:\t8", "CapBnd is "},
            {"CapAmb:\t0", "CapAmb:\t8", "CapAmb is "},
            {"Umask:\t0027", "Umask:\t0022", "Umask is 0x12, the policy wants 0x17"},
            {"Umask:\t0027", "Umask:\t0000", "Umask is 0, the policy wants 0x17"},
            {"SigBlk:\t0", "SigBlk:\t8", "SigBlk is 0x8000000000000000, the policy wants 0"},
            {"SigIgn:\t0", "SigIgn:\t8", "SigIgn is 0x8000000000000000, the policy wants 0"},
            {"NoNewPrivs:\t1", "NoNewPrivs:\t0", "NoNewPrivs is 0, the policy wants 0x1"},
            {"Seccomp:\t2", "Seccomp:\t0", "Seccomp is 0"},
            {"filters:\t2", "filters:\t1", "Seccomp_filters is 0x1, the policy wants 0x2"},
            {"filters:\t2", "filters:\t3", "Seccomp_filters is 0x3"},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        char text[sizeof(good) + 16];
        const char *at = strstr(good, rows[i].from);
        cr_assert_not_null(at, "row %zu", i);
        int n = snprintf(text, sizeof(text), "%.*s%s%s", (int)(at - good), good, rows[i].to,
                at + strlen(rows[i].from));
        cr_assert(n > 0 && (size_t)n < sizeof(text));
        struct laz_process_state state = parsed(text);
        struct laz_err err = {0};
        cr_assert_eq(laz_attest_check(&state, &image, &probe, &decided, &err), -1, "row %zu", i);
        cr_assert_eq(err.kind, LAZ_E_ATTEST, "row %zu", i);
        cr_assert_not_null(strstr(err.message, rows[i].expected), "row %zu: %s", i, err.message);
    }
}

Test(attest, refuses_a_file_that_lacks_a_line_or_has_a_bad_one)
{
    static const char *const lines[] = {"Uid:", "Gid:", "Groups:", "CapInh:", "CapPrm:", "CapEff:",
            "CapBnd:", "CapAmb:", "NoNewPrivs:", "Seccomp:", "SigBlk:", "SigIgn:", "SigCgt:"};
    for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++) {
        char text[sizeof(good)];
        (void)memcpy(text, good, sizeof(good));
        char *at = strstr(text, lines[i]);
        cr_assert_not_null(at);
        *at = 'X';
        struct laz_process_state state;
        struct laz_err err = {0};
        cr_assert_eq(laz_attest_parse(text, strlen(text), &state, &err), -1, "%s", lines[i]);
        cr_assert_eq(err.kind, LAZ_E_ENVIRONMENT);
        cr_assert_not_null(strstr(err.message, "lines are missing"));
    }
    static const char *const bad[] = {"CapEff:\t00zz\n", "CapEff:\n", "Uid:\t1\t2\t3\n",
            "Uid:\t1\t2\t3\t4294967296\n", "Gid:\tx\n", "Groups:\t5 x 6\n",
            "Groups:\t5 4294967296\n", "NoNewPrivs:\t\n", "Seccomp:\t2147483648\n", "Tgid:\t-1\n",
            "Umask:\t8\n", "Umask:\t00777\n", "Umask:\n"};
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        struct laz_process_state state;
        struct laz_err err = {0};
        cr_expect_eq(laz_attest_parse(bad[i], strlen(bad[i]), &state, &err), -1, "%s", bad[i]);
        char expected[64];
        (void)snprintf(expected, sizeof(expected), "status: cannot read the line %.*s",
                (int)strcspn(bad[i], ":"), bad[i]);
        cr_expect_str_eq(err.message, expected, "%s: %s", bad[i], err.message);
    }
}

/* As many groups as the kernel shows are counted, however many there is room for. */
Test(attest, counts_groups_that_it_has_no_room_for)
{
    char text[sizeof(good) + 1024];
    const char *at = strstr(good, "6 \n");
    int n = snprintf(text, sizeof(text), "%.*s", (int)(at - good), good);
    for (int i = 0; i < LAZ_ATTEST_GROUPS_MAX; i++) {
        n += snprintf(text + n, sizeof(text) - (size_t)n, "%d ", 1000 + i);
    }
    (void)snprintf(text + n, sizeof(text) - (size_t)n, "%s", at);
    struct laz_process_state state = parsed(text);
    cr_assert_eq(state.n_groups, LAZ_ATTEST_GROUPS_MAX + 2);
    struct laz_err err = {0};
    cr_assert_eq(laz_attest_check(&state, &image, &probe, &decided, &err), -1);
}

/* A kernel before 5.9 shows no count of filters: a named degradation elsewhere, not a difference.
 */
Test(attest, takes_a_kernel_that_does_not_count_filters)
{
    char text[sizeof(good)];
    (void)memcpy(text, good, sizeof(good));
    *strstr(text, "Seccomp_filters") = 'X';
    struct laz_process_state state = parsed(text);
    struct laz_err err = {0};
    cr_assert_eq(state.seccomp_filters, -1);
    cr_assert_eq(laz_attest_check(&state, &image, &probe, &decided, &err), 0, "%s", err.message);
}

/* Nor does one before 4.7 show the mask of files. */
Test(attest, takes_a_kernel_that_shows_no_mask)
{
    char text[sizeof(good)];
    (void)memcpy(text, good, sizeof(good));
    *strstr(text, "Umask") = 'X';
    struct laz_process_state state = parsed(text);
    struct laz_err err = {0};
    cr_assert_eq(state.umask, -1);
    cr_assert_eq(laz_attest_check(&state, &image, &probe, &decided, &err), 0, "%s", err.message);
}

Test(attest, reads_its_own_process_as_system_calls_show_it)
{
    struct laz_process_state state;
    struct laz_err err = {0};
    cr_assert_eq(laz_attest_read(0, &state, &err), 0, "%s", err.message);
    cr_assert_eq(state.uid[0], getuid());
    cr_assert_eq(state.gid[1], getegid());
    cr_assert_eq(state.tgid, getpid());
}

Test(attest, limits_are_compared_soft_and_hard)
{
    struct rlimit limit = {.rlim_cur = 100, .rlim_max = 100};
    cr_assert_eq(setrlimit(RLIMIT_NOFILE, &limit), 0);
    struct laz_image wanted = {.n_limits = 1, .limits = {{RLIMIT_NOFILE, 100}}};
    struct laz_decided decision = {.limits = {100}};
    struct laz_err err = {0};
    cr_assert_eq(laz_attest_limits(getpid(), &wanted, &decision, &err), 0, "%s", err.message);
    decision.limits[0] = 101;
    cr_assert_eq(laz_attest_limits(getpid(), &wanted, &decision, &err), -1);
    cr_assert_eq(err.kind, LAZ_E_ATTEST);
    cr_assert_str_eq(err.message, "Max open files is 0x64, the policy wants 0x65");
    limit.rlim_cur = 50;
    cr_assert_eq(setrlimit(RLIMIT_NOFILE, &limit), 0);
    decision.limits[0] = 50;
    err = (struct laz_err){0};
    cr_assert_eq(
            laz_attest_limits(getpid(), &wanted, &decision, &err), -1, "the hard limit counts too");
    wanted.limits[0].resource = RLIMIT_RTTIME; /* nobody limits it */
    err = (struct laz_err){0};
    cr_assert_eq(laz_attest_limits(getpid(), &wanted, &decision, &err), -1);
    cr_assert_str_eq(err.message, "limits: \"Max realtime timeout\" is unlimited or unreadable");
}
