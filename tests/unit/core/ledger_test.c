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

static void put_bytes(const char *bytes, size_t length)
{
    int fd = open(file, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0600);
    cr_assert(fd >= 0 && write(fd, bytes, length) == (ssize_t)length);
    (void)close(fd);
}

static void put(const char *text)
{
    put_bytes(text, strlen(text));
}

/* All lines are records, each made of the one before; ret: and numbered from there, one behind the
 * other. Becomes the next number. */
static void check_lines(const char *text, uint64_t *ret)
{
    char want[160];
    char prev[LAZ_LEDGER_HASH_SIZE] = ZEROS;
    uint8_t hash[LAZ_SHA256_SIZE];
    const char *end = NULL;
    for (const char *line = text; (end = strchr(line, '\n')) != NULL; line = end + 1) {
        if (ret != NULL) {
            (void)snprintf(want, sizeof(want), "\"seq\":%llu,", (unsigned long long)(*ret)++);
            cr_assert(memmem(line, (size_t)(end - line), want, strlen(want)) != NULL, "%s: %s",
                    want, line);
        }
        (void)snprintf(want, sizeof(want), "\"prev\":\"%s\"", prev);
        cr_assert(memmem(line, (size_t)(end - line), want, strlen(want)) != NULL, "%s: %s", want,
                line);
        laz_sha256_of(line, (size_t)(end + 1 - line), hash);
        laz_format_hex(hash, sizeof(hash), prev);
    }
}

/* Of the file; how many there are. */
static uint64_t check_row(void)
{
    static char text[1 << 20];
    uint64_t n = 0;
    (void)read_file(text, sizeof(text));
    check_lines(text, &n);
    return n;
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
    cr_assert_eq(check_row(), WRITERS * EACH);
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

/* What may be behind the last record after a kill or a power cut; then the next record says so, and
 * goes on behind it. */
Test(ledger, says_what_is_torn_and_goes_on)
{
    static const char zeros[3 * LAZ_RECORD_MAX];
    static char text[1 << 20];
    static const struct {
        const char *what;
        const char *tail;
        size_t length; /* 0: of the text */
    } rows[] = {
            {"a line that was begun", "{\"lz\":1,\"ev\":\"torn", 0},
            {"and ended by somebody who was killed then", "{\"lz\":1,\"ev\":\"torn\n", 0},
            {"and another", "{\"lz\":1,\"ev\":\"torn\n{\"lz\":1,\"ev\":\"x", 0},
            {"zeros", zeros, 100},
            {"a page of them", zeros, LAZ_RECORD_MAX},
            {"more than two records of them", zeros, sizeof(zeros)},
            {"text", "words\nand more\n", 0},
            {"a line that looks like a record", "{\"lz\":1,\"ev\":\"x\",\"seq\":7,\"a\":1\n", 0},
            {"one with another number",
                    "{\"lz\":1,\"ev\":\"x\",\"seq\":-1,\"a\":1}}\n{\"lz\":2,\"ev\":\"x\",\"seq\":1,"
                    "\"a\":1}}\n",
                    0},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        char want[200];
        size_t length = rows[i].length > 0 ? rows[i].length : strlen(rows[i].tail);
        (void)unlink(file);
        append_well("first");
        size_t before = read_file(text, sizeof(text));
        put_bytes(rows[i].tail, length);
        append_well("second");
        append_well("third");
        size_t after = read_file(text, sizeof(text));
        bool is_ended = rows[i].tail[length - 1] == '\n';
        const char *said = text + before + length + (is_ended ? 0 : 1);
        cr_assert_eq(memcmp(text + before, rows[i].tail, length), 0, "%s: it stays", rows[i].what);
        cr_assert(is_ended || said[-1] == '\n', "%s", rows[i].what);
        cr_expect_eq(strncmp(said, "{\"lz\":1,\"ev\":\"ledger.tear\",\"sev\":6,\"seq\":2,", 42), 0,
                "%s: %s", rows[i].what, said);
        (void)snprintf(want, sizeof(want), ",\"d\":{\"from\":%zu,\"bytes\":%zu}}\n{\"lz\":1,",
                before, length);
        cr_expect(strstr(said, want) != NULL, "%s: no %s in %s", rows[i].what, want, said);
        cr_expect(strstr(said, "\"ev\":\"second\",\"sev\":0,\"seq\":3,") != NULL, "%s: %s",
                rows[i].what, said);
        cr_expect(strstr(said, "\"ev\":\"third\",\"sev\":0,\"seq\":4,") != NULL, "%s: %s",
                rows[i].what, said);
        /* without what is torn, it is one chain */
        (void)memmove(text + before, said, after - (size_t)(said - text) + 1);
        check_lines(text, NULL);
    }
}

/* A page ended there, or the disk was full by one byte: nothing is lost, and nothing is said. */
Test(ledger, of_which_the_last_newline_alone_is_missing_is_one_chain)
{
    static char text[1 << 20];
    for (unsigned n = 1; n < 4; n++) {
        (void)unlink(file);
        for (unsigned i = 0; i < n; i++) {
            append_well("first");
        }
        cr_assert_eq(truncate(file, (off_t)read_file(text, sizeof(text)) - 1), 0);
        append_well("second");
        append_well("third");
        (void)read_file(text, sizeof(text));
        cr_expect(strstr(text, "ledger.tear") == NULL, "%s", text);
        check_lines(text, NULL);
    }
}

/* Wherever the last record ends: a piece that is looked at may begin and end anywhere in a line. */
Test(ledger, finds_the_last_record_wherever_it_is)
{
    static const char zeros[5 * LAZ_RECORD_MAX];
    static char text[1 << 20];
    for (size_t length = 1; length < sizeof(zeros); length += 61) {
        (void)unlink(file);
        append_well("first");
        append_well("second");
        put_bytes(zeros, length);
        append_well("third");
        size_t size = read_file(text, sizeof(text));
        cr_assert(memmem(text, size, "\"ev\":\"third\",\"sev\":0,\"seq\":4,", 29) != NULL, "%zu",
                length);
    }
}

Test(ledger, of_which_nothing_but_a_beginning_is_there_is_continued)
{
    static const char zeros[LAZ_RECORD_MAX];
    static char text[1 << 20];
    cr_assert_eq(mkdir(folder, 0700), 0);
    put_bytes(zeros, sizeof(zeros));
    append_well("first");
    (void)read_file(text, sizeof(text));
    cr_expect(strstr(text + sizeof(zeros), "\"seq\":1,") != NULL, "%s", text + sizeof(zeros));
    cr_expect(strstr(text + sizeof(zeros), "\"ev\":\"first\",\"sev\":0,\"seq\":2,") != NULL, "%s",
            text + sizeof(zeros));
}

/* Of something else, or so much is gone that it is no tear. */
Test(ledger, is_not_continued_where_no_record_is)
{
    static char zeros[LAZ_LEDGER_LOOK_BACK + 2 * LAZ_RECORD_MAX];
    struct laz_err err;
    cr_assert_eq(mkdir(folder, 0700), 0);
    put("words\nof another program\n");
    cr_expect_eq(append("first", &err), -1);
    cr_expect_eq(err.kind, LAZ_E_LEDGER);
    cr_expect(strstr(err.message, "host.jsonl: no record is in its last 25 bytes") != NULL, "%s",
            err.message);
    (void)unlink(file);
    append_well("first");
    put_bytes(zeros, sizeof(zeros));
    cr_expect_eq(append("second", &err), -1);
    cr_expect_eq(err.kind, LAZ_E_LEDGER);
    cr_expect(strstr(err.message, "no record is in its last 10") != NULL, "%s", err.message);
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
    cr_expect_eq(check_row(), 2);
}

/* Until the process has the file open, and so asks for its lock. */
static void await_asking(pid_t pid)
{
    char link[64];
    char target[PATH_MAX];
    for (bool asks = false; !asks && waitpid(pid, NULL, WNOHANG) == 0;) {
        for (int fd = 3; fd < 32 && !asks; fd++) {
            (void)snprintf(link, sizeof(link), "/proc/%d/fd/%d", (int)pid, fd);
            ssize_t length = readlink(link, target, sizeof(target) - 1);
            target[length < 0 ? 0 : length] = '\0';
            asks = strcmp(target, file) == 0;
        }
    }
}

/* Who has the lock may be stopped, for ever. */
Test(ledger, is_not_waited_for_without_end)
{
    struct laz_ledger held;
    struct laz_err err = {0};
    append_well("first");
    cr_assert_eq(laz_ledger_open(file, &held, &err), 0, "%s", err.message);
    cr_expect_eq(append("second", &err), -1);
    cr_expect_eq(err.kind, LAZ_E_BUSY);
    cr_expect(strstr(err.message,
                      "host.jsonl: another process has had the lock of host.jsonl for 5 seconds") !=
                    NULL,
            "%s", err.message);
    laz_ledger_close(&held);
    append_well("second");
    cr_expect_eq(check_row(), 2);
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
    await_asking(pid);
    cr_assert_eq(rename(file, old), 0);
    put("");
    laz_ledger_close(&held);
    int status = 0;
    cr_assert(waitpid(pid, &status, 0) == pid && status == 0, "%d", status);
    cr_expect_eq(check_row(), 1);
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
