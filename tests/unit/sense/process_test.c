/* SPDX-License-Identifier: Apache-2.0
 *
 * lib/sense/process: what the kernel prints is read, and what a process calls itself changes
 * nothing of it.
 */
#include "sense/process.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <criterion/criterion.h>

#include "core/buf.h"

#define TEXT_MAX 4096

static const char good[] = "Name:\tsh\n"
                           "Umask:\t0022\n"
                           "State:\tS (sleeping)\n"
                           "Tgid:\t42\n"
                           "Pid:\t42\n"
                           "PPid:\t7\n"
                           "Uid:\t1\t2\t3\t4\n"
                           "Gid:\t5\t6\t7\t4294967295\n"
                           "Groups:\t10 20 \n"
                           "Threads:\t3\n"
                           "CapInh:\t0000000000000001\n"
                           "CapPrm:\t0000000000000002\n"
                           "CapEff:\t0000000000000004\n"
                           "CapBnd:\t000001ffffffffff\n"
                           "CapAmb:\t0000000000000008\n"
                           "NoNewPrivs:\t1\n"
                           "Seccomp:\t2\n"
                           "Seccomp_filters:\t3\n";

static bool parse(const char *text, struct laz_process_status *ret)
{
    return laz_status_parse(text, strlen(text), ret);
}

/* `good` with one part in place of another. */
static const char *with(char *memory, const char *part, const char *other)
{
    const char *at = strstr(good, part);
    cr_assert_not_null(at, "%s", part);
    (void)snprintf(memory, TEXT_MAX, "%.*s%s%s", (int)(at - good), good, other, at + strlen(part));
    return memory;
}

Test(sense_status, reads_every_line)
{
    struct laz_process_status status;
    cr_assert(parse(good, &status));
    cr_expect_str_eq(status.name, "sh");
    cr_expect(status.pid == 42 && status.parent == 7 && !status.is_zombie);
    cr_expect(status.uid[0] == 1 && status.uid[3] == 4);
    cr_expect(status.gid[0] == 5 && status.gid[3] == UINT32_MAX);
    cr_expect(status.n_groups == 2 && status.groups[0] == 10 && status.groups[1] == 20);
    cr_expect(status.cap_inh == 1 && status.cap_prm == 2 && status.cap_eff == 4);
    cr_expect(status.cap_bnd == 0x1ffffffffff && status.cap_amb == 8);
    cr_expect(status.no_new_privs == 1 && status.seccomp == 2 && status.threads == 3);
}

Test(sense_status, reads_the_kernel_s_own)
{
    char text[TEXT_MAX];
    FILE *file = fopen("/proc/self/status", "re");
    cr_assert_not_null(file);
    size_t length = fread(text, 1, sizeof(text), file);
    (void)fclose(file);
    struct laz_process_status status;
    cr_assert(laz_status_parse(text, length, &status));
    cr_expect(status.pid == getpid() && status.parent == getppid() && status.uid[1] == geteuid());
}

Test(sense_status, takes_a_kernel_that_says_less)
{
    struct laz_process_status status;
    char memory[TEXT_MAX];
    cr_assert(parse(with(memory, "NoNewPrivs:\t1\nSeccomp:\t2\n", ""), &status));
    cr_expect(status.no_new_privs == -1 && status.seccomp == -1);
    cr_assert(parse(with(memory, "Groups:\t10 20 \n", "Groups:\t\n"), &status));
    cr_expect_eq(status.n_groups, 0);
}

Test(sense_status, counts_groups_that_it_has_no_room_for)
{
    struct laz_process_status status;
    char memory[TEXT_MAX];
    char groups[600];
    struct laz_buf buf;
    laz_buf_init_fixed(&buf, groups, sizeof(groups));
    laz_buf_str(&buf, "Groups:\t");
    for (unsigned i = 0; i < LAZ_PROCESS_GROUPS_MAX + 3; i++) {
        laz_buf_str(&buf, "7 ");
    }
    laz_buf_char(&buf, '\n');
    cr_assert(parse(with(memory, "Groups:\t10 20 \n", groups), &status));
    cr_expect_eq(status.n_groups, LAZ_PROCESS_GROUPS_MAX + 3);
}

/* The kernel writes a line feed in a name as \n, in two characters. */
Test(sense_status, is_not_told_lies_by_a_name)
{
    struct laz_process_status status;
    char memory[TEXT_MAX];
    cr_assert(parse(with(memory, "Name:\tsh", "Name:\tx\\nUid:\\t0"), &status));
    cr_expect_str_eq(status.name, "x\\nUid:\\t0");
    cr_expect_eq(status.uid[0], 1);
    cr_assert(parse(with(memory, "Name:\tsh", "Name:\tUid:\t0"), &status));
    cr_expect_eq(status.uid[0], 1);
}

Test(sense_status, knows_who_is_dead)
{
    struct laz_process_status status;
    char memory[TEXT_MAX];
    cr_assert(parse(with(memory, "S (sleeping)", "Z (zombie)"), &status));
    cr_expect(status.is_zombie);
}

Test(sense_status, refuses_what_is_no_status)
{
    static const struct {
        const char *part;
        const char *other;
    } rows[] = {{"Pid:\t42\n", ""}, {"PPid:\t7\n", ""}, {"Uid:\t1\t2\t3\t4", "Uid:\t1\t2\t3"},
            {"Uid:\t1\t2\t3\t4", "Uid:\t1\t2\t3\t4\t5"}, {"Uid:\t1", "Uid:\t-1"},
            {"Gid:\t5", "Gid:\t4294967296"}, {"CapEff:\t0000000000000004\n", ""},
            {"CapEff:\t0000000000000004", "CapEff:\t00000000000000004x"},
            {"CapEff:\t0000000000000004", "CapEff:\t10000000000000000"},
            {"PPid:\t7\n", "PPid:\t7\nPPid:\t0\n"}, {"Seccomp:\t2", "Seccomp:\t22"},
            {"Groups:\t10", "Groups:\tx"}, {"Threads:\t3\n", ""}, {"Threads:\t3", "Threads:\t3 4"},
            {"Threads:\t3", "Threads:\t-3"}, {"Name:\tsh\n", ""},
            {"State:\tS (sleeping)", "State:"}, {"Tgid:\t42", "Tgid 42"},
            {"PPid:\t7", "PPid:\t2147483648"}};
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct laz_process_status status = {.pid = 77};
        char memory[TEXT_MAX];
        cr_expect(!parse(with(memory, rows[i].part, rows[i].other), &status), "row %zu: %s", i,
                rows[i].other);
        cr_expect_eq(status.pid, 77, "row %zu: the result is left alone", i);
    }
}

/* What comes behind the last line that is needed may be missing. */
Test(sense_status, refuses_every_truncation_before_that)
{
    struct laz_process_status status;
    size_t needed = (size_t)(strstr(good, "NoNewPrivs") - good);
    for (size_t length = 0; length < needed; length++) {
        cr_assert(!laz_status_parse(good, length, &status), "%zu bytes", length);
    }
    cr_assert(laz_status_parse(good, needed, &status));
}

/* However many groups there are, what stands behind them is read. */
Test(sense_status, is_not_cut_off_by_groups)
{
    static const unsigned counts[] = {0, 64, 65, 700, 2000, 65536};
    for (size_t i = 0; i < sizeof(counts) / sizeof(counts[0]); i++) {
        struct laz_status_text text = {0};
        struct laz_process_status status;
        const char *groups = strstr(good, "10 20 ");
        laz_status_add(&text, good, (size_t)(groups - good));
        for (unsigned k = 0; k < counts[i]; k++) {
            laz_status_add(&text, "4000000000 ", 11);
        }
        laz_status_add(&text, groups + 6, strlen(groups + 6));
        cr_assert(laz_status_parse(text.bytes, text.length, &status), "%u groups", counts[i]);
        cr_expect_eq(status.seccomp, 2);
        cr_expect_eq(status.cap_eff, 4);
        cr_expect_eq(status.n_groups > LAZ_PROCESS_GROUPS_MAX, counts[i] > LAZ_PROCESS_GROUPS_MAX);
        for (unsigned k = 0; k < status.n_groups && k < LAZ_PROCESS_GROUPS_MAX; k++) {
            cr_expect_eq(status.groups[k], 4000000000U);
        }
    }
}

/* Nothing is written beyond the end, and what does not fit is refused, not half believed. */
Test(sense_status, of_endless_lines_has_an_end)
{
    struct laz_status_text text = {0};
    struct laz_process_status status;
    for (unsigned i = 0; i < 3 * LAZ_STATUS_BYTES; i++) {
        laz_status_add(&text, "x:\n", 3);
    }
    cr_expect_eq(text.length, LAZ_STATUS_BYTES);
    laz_status_add(&text, good, strlen(good));
    cr_expect(!laz_status_parse(text.bytes, text.length, &status));
}

/* ---- stat ---- */

#define FIELDS_4_TO_21 "1 42 42 0 -1 4194560 95 0 0 0 0 0 0 0 20 0 1 0"

Test(sense_stat, reads_when_it_was_started)
{
    static const char text[] = "42 (sh) S " FIELDS_4_TO_21 " 12345 2 3\n";
    uint64_t start = 0;
    cr_assert(laz_stat_parse_start(text, strlen(text), &start));
    cr_expect_eq(start, 12345);
}

Test(sense_stat, is_not_told_lies_by_a_name)
{
    static const char text[] =
            "42 (a) S 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 99 9) (b)) S " FIELDS_4_TO_21
            " 12345 2 3\n";
    uint64_t start = 0;
    cr_assert(laz_stat_parse_start(text, strlen(text), &start));
    cr_expect_eq(start, 12345);
}

Test(sense_stat, refuses_what_is_none)
{
    static const char *const rows[] = {"", "42 sh S 1", "42 (sh)", "42 (sh) S " FIELDS_4_TO_21,
            "42 (sh) S " FIELDS_4_TO_21 " ", "42 (sh) S " FIELDS_4_TO_21 " x 1",
            "42 (sh) S " FIELDS_4_TO_21 " 18446744073709551616 1", "42 (sh)S 1 2 3"};
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        uint64_t start = 77;
        cr_expect(!laz_stat_parse_start(rows[i], strlen(rows[i]), &start), "row %zu", i);
        cr_expect_eq(start, 77, "row %zu", i);
    }
}

static bool is_probe(const char *words, size_t size)
{
    return laz_process_is_probe(words, size);
}

/* A literal with its last NUL, as the kernel shows it. */
#define IS_PROBE(words) is_probe((words), sizeof(words))

Test(sense_process, a_probe_is_called_as_a_health_command_is)
{
    cr_expect(IS_PROBE("/usr/libexec/lazaret/lazaret-init\0probe\0live"));
    cr_expect(IS_PROBE("/lazaret-init\0probe\0ready"));
    cr_expect(IS_PROBE("lazaret-init\0probe\0startup\0--timeout\0"
                       "2s"));
    cr_expect_not(IS_PROBE("lazaret-init"));
    cr_expect_not(IS_PROBE("/tmp/lazaret-init\0-i"));
    cr_expect_not(IS_PROBE("lazaret-init\0probe"));
    cr_expect_not(IS_PROBE("lazaret-init\0probe\0alive"));
    cr_expect_not(IS_PROBE("lazaret-init\0-c\0live"));
    cr_expect_not(IS_PROBE("lazaret-init\0probe\0live\0-c"));
    cr_expect_not(IS_PROBE("lazaret-init\0probe\0live\0-c\0rm"));
    cr_expect_not(IS_PROBE("lazaret-init\0probe\0live\0--timeout\0"
                           "2s\0more"));
    cr_expect_not(is_probe("lazaret-init\0probe\0live", sizeof("lazaret-init\0probe\0live") - 1));
    cr_expect_not(is_probe("", 0));
    cr_expect_not(IS_PROBE("\0\0\0\0"));
}
