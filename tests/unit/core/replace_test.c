/* SPDX-License-Identifier: Apache-2.0
 *
 * lib/core/replace: the new file has its content, mode and owner, or the old one is whole and
 * nothing lies beside it; and only a regular file is read.
 */
#include "core/replace.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <criterion/criterion.h>

static char root[] = "/tmp/lazaret-replace-XXXXXX";
static int folder = -1;

static void make_folder(void)
{
    cr_assert_not_null(mkdtemp(root));
    folder = open(root, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    cr_assert_geq(folder, 0);
}

/* How many there are; with `take`, they go. */
static unsigned entries(bool take)
{
    unsigned n = 0;
    DIR *dir = opendir(root);
    cr_assert_not_null(dir);
    for (struct dirent *entry = readdir(dir); entry != NULL; entry = readdir(dir)) {
        if (entry->d_name[0] == '.' && strspn(entry->d_name, ".") == strlen(entry->d_name)) {
            continue;
        }
        n++;
        if (take && unlinkat(folder, entry->d_name, 0) < 0) {
            (void)unlinkat(folder, entry->d_name, AT_REMOVEDIR);
        }
    }
    (void)closedir(dir);
    return n;
}

static void take_folder(void)
{
    (void)entries(true);
    (void)close(folder);
    cr_assert_eq(rmdir(root), 0);
}

static void put(const char *name, const char *content, mode_t mode)
{
    int fd = openat(folder, name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    cr_assert(fd >= 0 && write(fd, content, strlen(content)) == (ssize_t)strlen(content));
    cr_assert_eq(fchmod(fd, mode), 0);
    (void)close(fd);
}

static void expect(const char *name, const char *content, mode_t mode)
{
    struct laz_err err = {0};
    struct laz_buf text;
    struct stat is;
    laz_buf_init_heap(&text, 4096);
    cr_assert_eq(laz_read_at(folder, name, &text, &is, &err), 0, "%s", err.message);
    cr_assert(text.len == strlen(content) && memcmp(text.data, content, text.len) == 0, "%s", name);
    cr_assert_eq(is.st_mode & 07777, mode, "%o", is.st_mode);
    laz_buf_done(&text);
}

Test(replace, gives_the_new_file_what_was_asked_for_whatever_the_umask, .init = make_folder,
        .fini = take_folder)
{
    static const mode_t modes[] = {0644, 0600, 0640, 0444, 04755};
    struct laz_err err = {0};
    (void)umask(0777);
    for (size_t i = 0; i < sizeof(modes) / sizeof(modes[0]); i++) {
        struct laz_replace how = {.mode = modes[i], .sync = i % 2 == 0};
        how.has_owner = true;
        how.uid = getuid();
        how.gid = getgid();
        cr_assert_eq(laz_replace_at(folder, "file", &how, "new", 3, &err), 0, "%s", err.message);
        expect("file", "new", modes[i]);
    }
    cr_assert_eq(entries(false), 1, "nothing is left beside it");
}

Test(replace, a_link_is_replaced_and_not_followed, .init = make_folder, .fini = take_folder)
{
    struct laz_err err = {0};
    const struct laz_replace how = {.mode = 0600};
    put("target", "old", 0600);
    cr_assert_eq(symlinkat("target", folder, "file"), 0);
    cr_assert_eq(laz_replace_at(folder, "file", &how, "new", 3, &err), 0, "%s", err.message);
    expect("file", "new", 0600);
    expect("target", "old", 0600);
}

Test(replace, leaves_the_old_file_and_nothing_else_where_it_fails, .init = make_folder,
        .fini = take_folder)
{
    struct laz_err err = {0};
    const struct laz_replace how = {.mode = 0600};
    cr_assert_eq(mkdirat(folder, "file", 0700), 0);
    cr_assert_eq(
            laz_replace_at(folder, "file", &how, "new", 3, &err), -1, "a folder is in the way");
    cr_assert_eq(err.kind, LAZ_E_SYSTEM);
    cr_assert_eq(err.sys_errno, EISDIR);
    cr_assert_str_eq(err.message, "rename: Is a directory");
    cr_assert_eq(entries(false), 1);
    err = (struct laz_err){0};
    cr_assert_eq(laz_replace_at(folder, "no/file", &how, "new", 3, &err), -1);
    cr_assert_eq(err.sys_errno, ENOENT);
}

/* Names that a killed run with our pid left, and that somebody put there for us. */
Test(replace, takes_no_file_that_is_there, .init = make_folder, .fini = take_folder)
{
    struct laz_err err = {0};
    const struct laz_replace how = {.mode = 0600};
    char name[64];
    put("bait", "old", 0600);
    for (int i = 0; i < 15; i++) {
        (void)snprintf(name, sizeof(name), ".file.%d-%d", (int)getpid(), i);
        cr_assert_eq(symlinkat("bait", folder, name), 0);
    }
    cr_assert_eq(laz_replace_at(folder, "file", &how, "new", 3, &err), 0, "%s", err.message);
    (void)snprintf(name, sizeof(name), ".file.%d-15", (int)getpid());
    cr_assert_eq(symlinkat("bait", folder, name), 0);
    cr_assert_eq(laz_replace_at(folder, "file", &how, "newer", 5, &err), -1);
    cr_assert_eq(err.sys_errno, EEXIST);
    cr_assert_str_eq(err.message, "cannot create a file beside it: File exists");
    expect("bait", "old", 0600);
    expect("file", "new", 0600);
}

Test(read_at, takes_regular_files_alone, .init = make_folder, .fini = take_folder, .timeout = 60)
{
    static const struct {
        const char *name;
        int sys_errno;
        const char *message;
    } rows[] = {
            {"link", ELOOP, "a link"},
            {"loose", ELOOP, "a link"},
            {"fifo", EINVAL, "not a regular file"},
            {"folder", EINVAL, "not a regular file"},
            {"large", EFBIG, "too large"},
            {"absent", ENOENT, "open: No such file or directory"},
    };
    put("file", "content", 0644);
    put("large", "0123456789abcdef", 0644);
    cr_assert_eq(symlinkat("file", folder, "link"), 0);
    cr_assert_eq(symlinkat("nowhere", folder, "loose"), 0);
    cr_assert_eq(mkfifoat(folder, "fifo", 0600), 0);
    cr_assert_eq(mkdirat(folder, "folder", 0700), 0);
    expect("file", "content", 0644);
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct laz_err err = {0};
        struct laz_buf text;
        struct stat is;
        laz_buf_init_heap(&text, 16);
        cr_assert_eq(laz_read_at(folder, rows[i].name, &text, &is, &err), -1, "%s", rows[i].name);
        cr_assert_eq(err.kind, LAZ_E_SYSTEM);
        cr_assert_eq(err.sys_errno, rows[i].sys_errno, "%s: %s", rows[i].name, err.message);
        cr_assert_str_eq(err.message, rows[i].message, "%s: %s", rows[i].name, err.message);
        laz_buf_done(&text);
    }
}

/* What is expected is of a moment ago: the file may have grown or shrunk since, and of a pipe
 * nobody knows. */
Test(read_rest, takes_all_that_is_there, .init = make_folder, .fini = take_folder, .timeout = 60)
{
    static const char bytes[] = "0123456789abcdef";
    static const struct {
        size_t expected;
        size_t max; /* with the NUL */
        bool fits;
    } rows[] = {{16, 17, true}, {16, 16, false}, {15, 17, true}, {15, 16, false}, {0, 17, true},
            {0, 16, false}, {1, 17, true}, {40, 100, true}, {40, 17, false}};
    put("file", bytes, 0644);
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct laz_err err = {0};
        struct laz_buf text;
        laz_buf_init_heap(&text, rows[i].max);
        int fd = openat(folder, "file", O_RDONLY | O_CLOEXEC);
        int result = laz_read_rest(fd, rows[i].expected, &text, &err);
        cr_assert_eq(result, rows[i].fits ? 0 : -1, "row %zu", i);
        cr_assert_eq(err.sys_errno, rows[i].fits ? 0 : EFBIG, "row %zu", i);
        cr_assert(!rows[i].fits || (text.len == 16 && strcmp(text.data, bytes) == 0), "row %zu", i);
        (void)close(fd);
        laz_buf_done(&text);
    }
}

Test(read_rest, goes_on_behind_what_is_there_already, .timeout = 60)
{
    int ends[2];
    struct laz_err err = {0};
    struct laz_buf text;
    laz_buf_init_heap(&text, 4096);
    laz_buf_str(&text, "before, ");
    cr_assert_eq(pipe(ends), 0);
    cr_assert_eq(write(ends[1], "in a pipe", 9), 9);
    (void)close(ends[1]);
    cr_assert_eq(laz_read_rest(ends[0], 4, &text, &err), 0, "%s", err.message);
    cr_assert_str_eq(text.data, "before, in a pipe");
    (void)close(ends[0]);
    laz_buf_done(&text);
}
