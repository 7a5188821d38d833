/* SPDX-License-Identifier: Apache-2.0
 *
 * lib/core/ledger and roots: records of many writers are one row without a gap, each with the hash
 * of the one before; and nothing is kept where others than root could have a hand in it.
 */
#include "core/ledger.h"

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <criterion/criterion.h>

#include "core/fd.h"
#include "core/num.h"
#include "core/record.h"
#include "core/roots.h"

#define ZEROS   "0000000000000000000000000000000000000000000000000000000000000000"
#define WRITERS 8
#define EACH    50

static char root[] = "/tmp/lazaret-ledger-XXXXXX";
static char folder[64];
static char file[64];

static void set_up(void)
{
    (void)umask(077);
    cr_assert_not_null(mkdtemp(root));
    (void)snprintf(folder, sizeof(folder), "%s/log", root);
    (void)snprintf(file, sizeof(file), "%s/log/host.jsonl", root);
}

static int remove_one(const char *path, const struct stat *status, int kind, struct FTW *where)
{
    (void)status;
    (void)kind;
    (void)where;
    return remove(path);
}

static void tear_down(void)
{
    cr_expect_eq(nftw(root, remove_one, 8, FTW_DEPTH | FTW_PHYS), 0);
}

TestSuite(ledger, .init = set_up, .fini = tear_down);

static int append(const char *name, struct laz_err *err)
{
    char line[LAZ_RECORD_MAX + 1];
    struct laz_buf text;
    struct laz_json json;
    struct laz_ledger ledger;
    *err = (struct laz_err){0};
    if (laz_ledger_open(file, &ledger, err) < 0) {
        return -1;
    }
    const struct laz_record record = {.ev = name,
            .seq = ledger.seq,
            .task = "",
            .ctr = "",
            .exe = "",
            .obj = "",
            .act = "",
            .prev = ledger.prev};
    laz_buf_init_fixed(&text, line, sizeof(line));
    laz_record_begin(&json, &text, &record);
    cr_expect(laz_record_end(&json));
    int result = laz_ledger_append(&ledger, text.data, text.len, err);
    laz_ledger_close(&ledger);
    return result;
}

static void append_well(const char *name)
{
    struct laz_err err;
    cr_assert_eq(append(name, &err), 0, "%s: %s", name, err.message);
}

static size_t read_file(char *ret, size_t size)
{
    struct laz_err err = {0};
    size_t length = 0;
    int fd = open(file, O_RDONLY | O_CLOEXEC);
    cr_assert_eq(laz_fd_read_all(fd, ret, size - 1, &length, &err), 0, "%s", err.message);
    ret[length] = '\0';
    (void)close(fd);
    return length;
}

static void put(const char *text)
{
    int fd = open(file, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0600);
    cr_assert(fd >= 0 && write(fd, text, strlen(text)) == (ssize_t)strlen(text));
    (void)close(fd);
}

/* All lines are records, one behind the other; how many. */
static uint64_t check_row(uint64_t first)
{
    static char text[1 << 20];
    char want[160];
    char prev[LAZ_LEDGER_HASH_SIZE] = ZEROS;
    uint8_t hash[LAZ_SHA256_SIZE];
    uint64_t n = first;
    (void)read_file(text, sizeof(text));
    for (char *line = text, *end = NULL; (end = strchr(line, '\n')) != NULL; line = end + 1, n++) {
        (void)snprintf(want, sizeof(want), "\"seq\":%llu,", (unsigned long long)n);
        cr_assert(memmem(line, (size_t)(end - line), want, strlen(want)) != NULL, "%s: %s", want,
                line);
        (void)snprintf(want, sizeof(want), "\"prev\":\"%s\"", prev);
        cr_assert(memmem(line, (size_t)(end - line), want, strlen(want)) != NULL, "%s: %s", want,
                line);
        laz_sha256_of(line, (size_t)(end + 1 - line), hash);
        laz_format_hex(hash, sizeof(hash), prev);
    }
    return n - first;
}

Test(ledger, of_many_writers_is_one_row_without_a_gap)
{
    for (int i = 0; i < WRITERS; i++) {
        pid_t pid = fork();
        cr_assert_geq(pid, 0);
        for (int k = 0; pid == 0 && k < EACH; k++) {
            struct laz_err err;
            if (append("a.record", &err) < 0) {
                _exit(1);
            }
        }
        if (pid == 0) {
            _exit(0);
        }
    }
    int status = 0;
    for (int i = 0; i < WRITERS; i++) {
        cr_assert(wait(&status) > 0 && status == 0, "%d", status);
    }
    cr_assert_eq(check_row(0), WRITERS * EACH);
}

Test(ledger, is_made_for_root_alone)
{
    struct stat status;
    append_well("first");
    cr_assert_eq(stat(folder, &status), 0);
    cr_expect_eq(status.st_mode & 07777, 0700);
    cr_assert_eq(stat(file, &status), 0);
    cr_expect_eq(status.st_mode & 07777, 0600);
}

Test(ledger, counts_what_a_killed_writer_began_as_lost)
{
    static char text[8192];
    append_well("first");
    put("{\"lz\":1,\"ev\":\"torn");
    append_well("second");
    append_well("third");
    (void)read_file(text, sizeof(text));
    cr_expect(strstr(text, "torn\n{\"lz\":1,\"ev\":\"second\",\"sev\":0,\"seq\":2,") != NULL, "%s",
            text);
    cr_expect(strstr(text, "\"ev\":\"third\",\"sev\":0,\"seq\":3,") != NULL, "%s", text);
}

Test(ledger, is_not_continued_behind_what_is_no_record)
{
    struct laz_err err;
    static const char *const last[] = {"\n", "text\n", "{\"lz\":1,\"ev\":\"x\"}\n",
            "{\"lz\":1,\"ev\":\"x\",\"seq\":-1,\"a\":1}\n",
            "{\"lz\":2,\"ev\":\"x\",\"seq\":1,\"a\":1}\n"};
    for (size_t i = 0; i < sizeof(last) / sizeof(last[0]); i++) {
        (void)unlink(file);
        append_well("first");
        put(last[i]);
        cr_expect_eq(append("second", &err), -1, "%s", last[i]);
        cr_expect_eq(err.kind, LAZ_E_LEDGER, "%s", last[i]);
        cr_expect(strstr(err.message, "host.jsonl: its last line is no record") != NULL, "%s",
                err.message);
    }
}

/* The whole line or nothing of it: RLIMIT_FSIZE stands for a disk that is full. */
Test(ledger, has_nothing_of_a_record_that_does_not_fit)
{
    static char before[8192];
    static char after[8192];
    struct laz_err err;
    append_well("first");
    size_t length = read_file(before, sizeof(before));
    const struct rlimit little = {.rlim_cur = length + 20, .rlim_max = RLIM_INFINITY};
    const struct rlimit much = {.rlim_cur = RLIM_INFINITY, .rlim_max = RLIM_INFINITY};
    cr_assert_eq(setrlimit(RLIMIT_FSIZE, &little), 0);
    int result = append("second", &err);
    cr_assert_eq(setrlimit(RLIMIT_FSIZE, &much), 0);
    cr_expect_eq(result, -1);
    cr_expect_eq(err.kind, LAZ_E_LEDGER);
    cr_expect_str_eq(err.message, "write: ENOSPC");
    cr_expect_eq(read_file(after, sizeof(after)), length);
    cr_expect_str_eq(after, before);
    append_well("third");
    cr_expect_eq(check_row(0), 2);
}

/* Until the kernel shows that it waits for a lock. */
static void await_waiting(pid_t pid)
{
    static char text[1 << 16];
    char want[64];
    struct laz_err err = {0};
    (void)snprintf(want, sizeof(want), "-> FLOCK  ADVISORY  WRITE %d ", (int)pid);
    for (bool waits = false; !waits && waitpid(pid, NULL, WNOHANG) == 0;) {
        size_t length = 0;
        int fd = open("/proc/locks", O_RDONLY | O_CLOEXEC);
        cr_assert_eq(laz_fd_read_all(fd, text, sizeof(text) - 1, &length, &err), 0);
        (void)close(fd);
        text[length] = '\0';
        waits = strstr(text, want) != NULL;
    }
}

/* Rotation: who waits for the lock of the file of before comes to the new one. */
Test(ledger, goes_on_in_the_file_of_the_name)
{
    char old[80];
    struct laz_ledger held;
    struct laz_err err = {0};
    (void)snprintf(old, sizeof(old), "%s.1", file);
    append_well("first");
    cr_assert_eq(laz_ledger_open(file, &held, &err), 0, "%s", err.message);
    pid_t pid = fork();
    if (pid == 0) {
        laz_ledger_close(&held); /* the lock is of what both hold open */
        (void)alarm(60);
        _exit(append("second", &err) < 0);
    }
    await_waiting(pid);
    cr_assert_eq(rename(file, old), 0);
    put("");
    laz_ledger_close(&held);
    int status = 0;
    cr_assert(waitpid(pid, &status, 0) == pid && status == 0, "%d", status);
    cr_expect_eq(check_row(0), 1);
}

Test(ledger, is_never_where_others_have_a_hand_in_it)
{
    static const struct {
        const char *what;
        const char *words;
        enum laz_err_kind kind;
    } rows[] = {
            {"a file of another's", "host.jsonl belongs to user 54321, not to root",
                    LAZ_E_HOST_UNSAFE},
            {"a file that others write", "host.jsonl others than root may write, mode 0620",
                    LAZ_E_HOST_UNSAFE},
            {"a second name", "host.jsonl has 2 names, and may have one", LAZ_E_HOST_UNSAFE},
            {"a link", "host.jsonl: ELOOP", LAZ_E_LEDGER},
            {"a FIFO", "host.jsonl is no regular file", LAZ_E_HOST_UNSAFE},
            {"a folder of another's", "log belongs to user 54321, not to root", LAZ_E_HOST_UNSAFE},
            {"a folder that all write", "log others than root may write, mode 1777",
                    LAZ_E_HOST_UNSAFE},
            {"a folder above that others write",
                    "log is in a folder that others than root may write, mode 0720",
                    LAZ_E_HOST_UNSAFE},
    };
    char other[80];
    struct laz_err err;
    (void)snprintf(other, sizeof(other), "%s/other", root);
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        append_well("first");
        int done = -1;
        if (i == 0) {
            done = chown(file, 54321, 0);
        } else if (i == 1) {
            done = chmod(file, 0620);
        } else if (i == 2) {
            done = link(file, other);
        } else if (i == 3) {
            done = rename(file, other) < 0 ? -1 : symlink(other, file);
        } else if (i == 4) {
            done = unlink(file) < 0 ? -1 : mkfifo(file, 0600);
        } else if (i == 5) {
            done = chown(folder, 54321, 0);
        } else if (i == 6) {
            done = chmod(folder, 01777);
        } else {
            done = chmod(root, 0720);
        }
        cr_assert_eq(done, 0, "%s", rows[i].what);
        cr_expect_eq(append("second", &err), -1, "%s", rows[i].what);
        cr_expect_eq(err.kind, rows[i].kind, "%s: %s", rows[i].what, err.message);
        cr_expect(strstr(err.message, rows[i].words) != NULL, "%s: %s", rows[i].what, err.message);
        (void)chmod(root, 0700);
        cr_assert_eq(chown(folder, 0, 0), 0);
        (void)chmod(folder, 0700);
        (void)unlink(file);
        (void)unlink(other);
    }
}

Test(ledger, has_a_path_from_the_root)
{
    struct laz_err err = {0};
    struct laz_ledger ledger;
    static const char *const paths[] = {"", "x", "log/x", "/x", "/tmp/"};
    for (size_t i = 0; i < sizeof(paths) / sizeof(paths[0]); i++) {
        err = (struct laz_err){0};
        cr_expect_eq(laz_ledger_open(paths[i], &ledger, &err), -1);
        cr_expect_eq(err.kind, LAZ_E_LEDGER);
        cr_expect(
                strstr(err.message, "is no path of a file in a folder") != NULL, "%s", err.message);
    }
}
