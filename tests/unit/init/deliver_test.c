/* SPDX-License-Identifier: Apache-2.0
 *
 * Generations of files, in a folder of this test's own, as whoever runs it.
 */
#include "init/pid1/deliver.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <criterion/criterion.h>

#include "core/fd.h"

static char folder_path[] = "/tmp/laz-deliver-XXXXXX";
static int folder = -1;
static struct laz_deliver deliver;
static struct laz_err err;

static int value_of(const char *text)
{
    int fd = memfd_create("value", MFD_CLOEXEC);
    cr_assert_eq(write(fd, text, strlen(text)), (ssize_t)strlen(text));
    return fd;
}

static void begin(void)
{
    cr_assert_not_null(mkdtemp(folder_path));
    folder = open(folder_path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    cr_assert_geq(folder, 0);
    laz_deliver_init(&deliver);
    int result = laz_deliver_begin(&deliver, fcntl(folder, F_DUPFD_CLOEXEC, 3), 1, &err);
    cr_assert_eq(result, 0, "%s", err.message);
}

static void end(void)
{
    struct laz_err ignored = {0};
    laz_ignore(laz_deliver_wipe(folder, &ignored));
    (void)rmdir(folder_path);
}

TestSuite(deliver, .init = begin, .fini = end);

static int put(const char *path, const char *text)
{
    const struct laz_deliver_as as = {
            .mode = 0440, .uid = geteuid(), .gid = getegid(), .path = path};
    laz_cleanup_fd int value = value_of(text);
    err = (struct laz_err){0};
    return laz_deliver_put(&deliver, value, &as, &err);
}

static void check_content(const char *path, const char *expected)
{
    char text[64] = "";
    laz_cleanup_fd int fd = openat(folder, path, O_RDONLY | O_CLOEXEC);
    cr_assert_geq(fd, 0, "%s", path);
    cr_assert_geq(read(fd, text, sizeof(text) - 1), 0);
    cr_expect_str_eq(text, expected, "%s", path);
}

static bool exists(const char *path)
{
    struct stat status;
    return fstatat(folder, path, &status, AT_SYMLINK_NOFOLLOW) == 0;
}

Test(deliver, shows_nothing_before_the_swap_and_all_of_it_after)
{
    struct stat status;
    cr_assert_eq(put("db/deep/password", "one"), 0, "%s", err.message);
    cr_assert_eq(put("db/user", "two"), 0, "%s", err.message);
    cr_assert_eq(put("token", ""), 0, "%s", err.message);
    cr_expect(!exists("db") && !exists("token") && !exists("..data"));
    cr_assert_eq(laz_deliver_swap(&deliver, 1, &err), 0, "%s", err.message);
    check_content("db/deep/password", "one");
    check_content("db/user", "two");
    check_content("token", "");
    cr_assert_eq(fstatat(folder, "db/user", &status, 0), 0);
    cr_expect_eq(status.st_mode & 07777, 0440);
    cr_assert_eq(fstatat(folder, "db/deep", &status, 0), 0);
    cr_expect_eq(status.st_mode & 07777, 0755, "whatever the umask is");
}

Test(deliver, swaps_to_a_second_generation_and_wipes_both)
{
    cr_assert_eq(put("key", "old"), 0, "%s", err.message);
    cr_assert_eq(laz_deliver_swap(&deliver, 1, &err), 0, "%s", err.message);
    int again = fcntl(folder, F_DUPFD_CLOEXEC, 3);
    cr_assert_eq(laz_deliver_begin(&deliver, again, 2, &err), 0, "%s", err.message);
    cr_assert_eq(put("key", "new"), 0, "%s", err.message);
    check_content("key", "old");
    cr_assert_eq(laz_deliver_swap(&deliver, 2, &err), 0, "%s", err.message);
    check_content("key", "new");
    cr_assert_eq(laz_deliver_wipe(folder, &err), 0, "%s", err.message);
    cr_expect(!exists("key") && !exists("..data") && !exists("..g1") && !exists("..g2"));
}

Test(deliver, goes_nowhere_else_by_a_path)
{
    static const char *const paths[] = {"..", "../up", "a/../b", "./a", "a//b", "/a", "a/", "."};
    for (size_t i = 0; i < sizeof(paths) / sizeof(paths[0]); i++) {
        cr_expect_eq(put(paths[i], "x"), -1, "%s", paths[i]);
        cr_expect_eq(err.sys_errno, EINVAL, "%s: %s", paths[i], err.message);
        cr_expect_str_eq(err.message, "make the folders of the file", "%s", paths[i]);
    }
}

Test(deliver, follows_no_link_and_writes_over_nothing)
{
    cr_assert_eq(symlinkat("/tmp", deliver.generation, "away"), 0);
    cr_expect_eq(put("away/file", "x"), -1);
    cr_expect_str_eq(err.message, "make the folders of the file");
    cr_assert_eq(symlinkat("/tmp/laz-not-there", deliver.generation, "leaf"), 0);
    cr_expect_eq(put("leaf", "x"), -1);
    cr_expect_eq(err.sys_errno, EEXIST);
    cr_assert_eq(put("twice", "x"), 0, "%s", err.message);
    cr_expect_eq(put("twice", "y"), -1);
    cr_expect_eq(err.sys_errno, EEXIST);
    cr_expect_str_eq(err.message, "make the file");
    cr_expect_neq(access("/tmp/laz-not-there", F_OK), 0);
}

/* The limit lets the kernel write a part of it, as a full tmpfs does. */
Test(deliver, leaves_no_part_of_a_file)
{
    const struct rlimit few = {.rlim_cur = 4, .rlim_max = RLIM_INFINITY};
    struct stat status;
    const struct sigaction ignored = {.sa_handler = SIG_IGN};
    cr_assert_eq(sigaction(SIGXFSZ, &ignored, NULL), 0);
    laz_cleanup_fd int value = value_of("0123456789");
    const struct laz_deliver_as as = {
            .mode = 0400, .uid = geteuid(), .gid = getegid(), .path = "k"};
    cr_assert_eq(setrlimit(RLIMIT_FSIZE, &few), 0);
    cr_expect_eq(laz_deliver_put(&deliver, value, &as, &err), -1);
    cr_expect_eq(err.sys_errno, EFBIG, "%s", err.message);
    cr_expect_str_eq(err.message, "write the file");
    cr_expect_eq(fstatat(deliver.generation, "k", &status, AT_SYMLINK_NOFOLLOW), -1);
}

Test(deliver, gives_a_memory_file_away_as_it_is)
{
    struct stat status;
    const struct laz_deliver_as as = {.mode = 0400, .uid = geteuid(), .gid = getegid(), .path = ""};
    laz_cleanup_fd int value = value_of("0123456789");
    cr_assert_eq(laz_deliver_put(&deliver, value, &as, &err), 0, "%s", err.message);
    cr_assert_eq(fstat(value, &status), 0);
    cr_expect_eq(status.st_mode & 07777, 0400);
}

Test(deliver, wipes_what_is_its_own_and_nothing_else)
{
    cr_assert_eq(put("a/b/c/d", "secret"), 0, "%s", err.message);
    cr_assert_eq(put("a/e", "secret"), 0, "%s", err.message);
    cr_assert_eq(laz_deliver_swap(&deliver, 1, &err), 0, "%s", err.message);
    cr_assert_eq(mkdirat(folder, "..g12x", 0700), 0);
    cr_assert_eq(symlinkat("..database/x", folder, "theirs"), 0);
    cr_assert_eq(symlinkat("..data", folder, "whole"), 0);
    laz_cleanup_fd int held = openat(folder, "a/e", O_RDONLY | O_CLOEXEC);
    cr_assert_eq(laz_deliver_wipe(folder, &err), 0, "%s", err.message);
    cr_expect(!exists("a") && !exists("..data") && !exists("..g1"));
    cr_expect(exists("..g12x") && exists("theirs") && exists("whole"));
    char text[8] = "";
    cr_assert_eq(pread(held, text, 6, 0), 6);
    cr_expect_eq(memcmp(text, "\0\0\0\0\0\0", 6), 0, "whoever has it open reads zeros");
    (void)unlinkat(folder, "..g12x", AT_REMOVEDIR);
    (void)unlinkat(folder, "theirs", 0);
    (void)unlinkat(folder, "whole", 0);
}

/* What a program has sent on without a copy is a page of the file itself, and its reader's by then;
 * what it has mapped is still there, and no fault. */
Test(deliver, changes_nothing_of_what_a_program_has_sent_on)
{
    char text[13] = "";
    int pipes[2][2];
    cr_assert_eq(put("key", "secret"), 0, "%s", err.message);
    laz_cleanup_fd int held = openat(deliver.generation, "key", O_RDONLY | O_CLOEXEC);
    const char *mapped = mmap(NULL, 6, PROT_READ, MAP_SHARED, held, 0);
    cr_assert(mapped != MAP_FAILED && memcmp(mapped, "secret", 6) == 0);
    for (size_t i = 0; i < 2; i++) {
        off_t at = 0;
        cr_assert_eq(pipe2(pipes[i], O_CLOEXEC), 0);
        ssize_t n = i == 0 ? sendfile(pipes[i][1], held, &at, 6)
                           : splice(held, &at, pipes[i][1], NULL, 6, 0);
        cr_assert_eq(n, 6, "%zu", i);
    }
    cr_assert_eq(laz_deliver_wipe(folder, &err), 0, "%s", err.message);
    for (size_t i = 0; i < 2; i++) {
        cr_assert_eq(read(pipes[i][0], text + 6 * i, 6), 6, "%zu", i);
        laz_fd_close(&pipes[i][0]);
        laz_fd_close(&pipes[i][1]);
    }
    cr_expect_str_eq(text, "secretsecret", "what was sent on");
    cr_expect_eq(memcmp(mapped, "\0\0\0\0\0\0", 6), 0, "what is mapped");
}

/* As root of a container that was left CAP_CHOWN and little else, who gives a file to somebody. */
Test(deliver, wipes_what_it_gave_away_without_the_right_to_open_it)
{
    struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
    struct __user_cap_data_struct few[2] = {{.effective = 1U << CAP_CHOWN}};
    const struct laz_deliver_as as = {.mode = 0400, .uid = 12345, .gid = 12345, .path = "k"};
    char text[8] = "";
    if (geteuid() != 0) {
        return;
    }
    few[0].permitted = few[0].effective;
    laz_cleanup_fd int value = value_of("secret");
    cr_assert_eq(laz_deliver_put(&deliver, value, &as, &err), 0, "%s", err.message);
    laz_cleanup_fd int held = openat(deliver.generation, "k", O_RDONLY | O_CLOEXEC);
    cr_assert_eq(syscall(SYS_capset, &header, few), 0);
    cr_expect_eq(
            openat(deliver.generation, "k", O_RDONLY | O_CLOEXEC), -1, "or this shows nothing");
    cr_assert_eq(laz_deliver_wipe(folder, &err), 0, "%s", err.message);
    cr_assert_eq(pread(held, text, 6, 0), 6);
    cr_expect_eq(memcmp(text, "\0\0\0\0\0\0", 6), 0, "whoever has it open reads zeros");
}

Test(deliver, says_what_is_in_the_way_of_a_name)
{
    cr_assert_eq(put("name", "secret"), 0, "%s", err.message);
    cr_assert_eq(mkdirat(folder, "name", 0700), 0);
    cr_expect_eq(laz_deliver_swap(&deliver, 1, &err), -1);
    cr_expect_eq(err.sys_errno, EEXIST);
    cr_expect_str_eq(err.message, "link a name to the generation");
    cr_expect_not(exists("..data"), "nothing of it shows");
    (void)unlinkat(folder, "name", AT_REMOVEDIR);
}

/* ---- a reader that never stops ---- */

#define ROUNDS      2000 /* 20,000 under LAZARET_LONG */
#define VALUE_BYTES 3000

/* What the reader has seen; shared with it. */
struct looks {
    _Atomic unsigned whole;
    _Atomic unsigned torn;  /* a file of two values */
    _Atomic unsigned mixed; /* two files of one folder, of two generations */
    _Atomic bool is_over;
};

static struct looks *share_looks(void)
{
    struct looks *looks =
            mmap(NULL, sizeof(*looks), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    cr_assert_neq(looks, MAP_FAILED);
    return looks;
}

/* Its letter; 0: it is not there, or not of one letter. */
static char letter_of(int at, const char *name, bool *ret_is_torn)
{
    char bytes[VALUE_BYTES + 1];
    laz_cleanup_fd int fd = openat(at, name, O_RDONLY | O_CLOEXEC);
    ssize_t n = fd < 0 ? -1 : read(fd, bytes, sizeof(bytes));
    if (n < 0) {
        return 0;
    }
    for (ssize_t i = 0; i < n; i++) {
        *ret_is_torn = *ret_is_torn || bytes[i] != bytes[0];
    }
    *ret_is_torn = *ret_is_torn || n != VALUE_BYTES;
    return *ret_is_torn ? 0 : bytes[0];
}

/* Pins the folder of one generation, and reads both of its files. */
static void look_on(struct looks *looks, const char *below)
{
    while (!looks->is_over) {
        bool is_torn = false;
        laz_cleanup_fd int pinned = openat(folder, below, O_PATH | O_DIRECTORY | O_CLOEXEC);
        char one = pinned < 0 ? 0 : letter_of(pinned, "one", &is_torn);
        char two = pinned < 0 ? 0 : letter_of(pinned, "two", &is_torn);
        looks->torn += is_torn;
        looks->mixed += one != 0 && two != 0 && one != two;
        looks->whole += one != 0 && one == two;
    }
    _exit(0);
}

static pid_t start_reader(struct looks *looks, const char *below)
{
    pid_t pid = fork();
    cr_assert_geq(pid, 0);
    if (pid == 0) {
        look_on(looks, below);
    }
    return pid;
}

static void end_reader(struct looks *looks, pid_t pid)
{
    looks->is_over = true;
    cr_assert_eq(waitpid(pid, NULL, 0), pid);
}

static void put_letter(const char *path, unsigned round)
{
    char text[VALUE_BYTES + 1];
    (void)memset(text, 'a' + (int)(round % 26), VALUE_BYTES);
    text[VALUE_BYTES] = '\0';
    cr_assert_eq(put(path, text), 0, "%s", err.message);
}

Test(deliver, a_reader_that_pins_the_folder_sees_one_generation_and_whole_files)
{
    struct looks *looks = share_looks();
    unsigned rounds = getenv("LAZARET_LONG") == NULL ? ROUNDS : 10 * ROUNDS;
    pid_t reader = 0;
    for (unsigned round = 1; round <= rounds; round++) {
        if (round > 1) {
            int again = fcntl(folder, F_DUPFD_CLOEXEC, 3);
            cr_assert_eq(laz_deliver_begin(&deliver, again, round, &err), 0, "%s", err.message);
        }
        put_letter("one", round);
        put_letter("two", round);
        cr_assert_eq(laz_deliver_swap(&deliver, round, &err), 0, "%s", err.message);
        reader = round == 1 ? start_reader(looks, "..data") : reader;
        if (round > 400) { /* as long as a grace is for a reader of two small files */
            cr_assert_eq(laz_deliver_retire(&deliver, round - 400, &err), 0, "%s", err.message);
        }
    }
    end_reader(looks, reader);
    cr_expect_eq(looks->torn, 0, "%u", looks->torn);
    cr_expect_eq(looks->mixed, 0, "%u", looks->mixed);
    cr_expect_gt(looks->whole, 100, "it has read too little to say");
}

/* The control: the same reader finds what is wrong with writing in place. */
Test(deliver, the_same_reader_sees_what_is_written_in_place)
{
    struct looks *looks = share_looks();
    char text[VALUE_BYTES];
    cr_assert_eq(mkdirat(folder, "..g7", 0700), 0);
    pid_t reader = start_reader(looks, "..g7");
    for (unsigned round = 0; round < 200000 && looks->torn + looks->mixed < 10; round++) {
        (void)memset(text, 'a' + (int)(round % 26), sizeof(text));
        for (int i = 0; i < 2; i++) {
            const char *name = i == 0 ? "..g7/one" : "..g7/two";
            laz_cleanup_fd int fd =
                    openat(folder, name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
            cr_assert_eq(write(fd, text, sizeof(text)), (ssize_t)sizeof(text));
        }
    }
    end_reader(looks, reader);
    cr_expect_geq(looks->torn + looks->mixed, 10);
}

Test(deliver, retires_what_nobody_sees_any_more_and_nothing_else)
{
    char bytes[8] = "";
    cr_assert_eq(put("key", "old"), 0, "%s", err.message);
    cr_assert_eq(laz_deliver_swap(&deliver, 1, &err), 0, "%s", err.message);
    laz_cleanup_fd int kept = openat(folder, "..data/key", O_RDONLY | O_CLOEXEC);
    cr_expect_eq(laz_deliver_retire(&deliver, 1, &err), -1, "it counts");
    cr_expect_eq(err.sys_errno, EBUSY);
    err = (struct laz_err){0};
    int again = fcntl(folder, F_DUPFD_CLOEXEC, 3);
    cr_assert_eq(laz_deliver_begin(&deliver, again, 2, &err), 0, "%s", err.message);
    cr_assert_eq(put("key", "half"), 0, "%s", err.message);
    cr_expect_eq(laz_deliver_retire(&deliver, 2, &err), 0, "it was not finished");
    cr_expect(!exists("..g2") && exists("..g1"));
    check_content("key", "old");
    again = fcntl(folder, F_DUPFD_CLOEXEC, 3);
    cr_assert_eq(laz_deliver_begin(&deliver, again, 3, &err), 0, "%s", err.message);
    cr_assert_eq(put("key", "new"), 0, "%s", err.message);
    cr_assert_eq(laz_deliver_swap(&deliver, 3, &err), 0, "%s", err.message);
    cr_assert_eq(laz_deliver_retire(&deliver, 1, &err), 0, "%s", err.message);
    cr_expect_not(exists("..g1"));
    check_content("key", "new");
    cr_assert_eq(pread(kept, bytes, 3, 0), 3);
    cr_expect_eq(memcmp(bytes, "\0\0\0", 3), 0, "whoever has the old one open reads zeros");
}
