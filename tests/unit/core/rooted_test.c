/* SPDX-License-Identifier: Apache-2.0
 *
 * lib/core/rooted: a folder that has passed is not looked at again, and nothing else counts as one.
 * What does not pass is shown with the programs (e2e_shim). lib/core/roots: each folder above.
 */
#include "core/rooted.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <criterion/criterion.h>

#include "core/roots.h"

#define PATH_SIZE 128

static char top[] = "/run/lazaret-rooted-XXXXXX"; /* /tmp is everybody's */

static const char *const folders[] = {"a", "a/b", "a/bc", "a/b/c"};
#define N_FOLDERS (sizeof(folders) / sizeof(folders[0]))

static char *path_of(char ret[PATH_SIZE], const char *name)
{
    (void)snprintf(ret, PATH_SIZE, "%s/%s", top, name);
    return ret;
}

static char *file_of(char ret[PATH_SIZE], const char *name)
{
    (void)snprintf(ret, PATH_SIZE, "%s/%s/file", top, name);
    return ret;
}

static void make(void)
{
    char path[PATH_SIZE];
    cr_assert_eq(geteuid(), 0, "what is root's is made here");
    cr_assert_not_null(mkdtemp(top));
    for (size_t i = 0; i < N_FOLDERS; i++) {
        cr_assert_eq(mkdir(path_of(path, folders[i]), 0755), 0, "%s", path);
        int fd = open(file_of(path, folders[i]), O_WRONLY | O_CREAT | O_CLOEXEC, 0644);
        cr_assert_geq(fd, 0, "%s", path);
        (void)close(fd);
    }
}

static void take(void)
{
    char path[PATH_SIZE];
    for (size_t i = N_FOLDERS; i-- > 0;) {
        (void)unlink(file_of(path, folders[i]));
        cr_assert_eq(rmdir(path_of(path, folders[i])), 0, "%s", path);
    }
    cr_assert_eq(rmdir(top), 0);
}

static enum laz_err_kind judge(struct laz_rooted *known, const char *name)
{
    int fd = -1;
    char path[PATH_SIZE];
    struct laz_err err = {0};
    cr_assert_eq(laz_rooted_open_known(known, path_of(path, name), &fd, &err),
            err.kind == LAZ_E_NONE ? 0 : -1);
    if (fd >= 0) {
        (void)close(fd);
    }
    return err.kind;
}

static void loosen(const char *name)
{
    char path[PATH_SIZE];
    cr_assert_eq(chmod(path_of(path, name), 0777), 0, "%s", path);
}

/* Only root can loosen it, so what has passed need not be asked again; all else is. */
Test(rooted, knows_the_folders_of_a_file_that_has_passed, .init = make, .fini = take, .timeout = 60)
{
    struct laz_rooted known = {0};
    cr_assert_eq(judge(&known, "a/b/file"), LAZ_E_NONE);
    cr_assert_eq(known.n, 1);
    cr_assert_eq(judge(&known, "a/b/file"), LAZ_E_NONE);
    cr_assert_eq(judge(&known, "a/file"), LAZ_E_NONE);
    cr_assert_eq(known.n, 1, "nothing new");
    loosen("a/b");
    cr_assert_eq(judge(&known, "a/b/file"), LAZ_E_NONE, "not looked at again");
    cr_assert_eq(judge(&known, "a/b/c/file"), LAZ_E_NONE, "nor as a part of another path");
    cr_assert_eq(known.n, 2);
    loosen("a/bc");
    cr_assert_eq(judge(&known, "a/bc/file"), LAZ_E_HOST_UNSAFE, "its name begins alike");
    cr_assert_eq(known.n, 2, "what does not pass is not known");
    struct laz_rooted fresh = {0};
    cr_assert_eq(judge(&fresh, "a/b/file"), LAZ_E_HOST_UNSAFE, "the control");
    cr_assert_eq(fresh.n, 0);
}

Test(rooted, looks_at_a_file_each_time, .init = make, .fini = take, .timeout = 60)
{
    struct laz_rooted known = {0};
    cr_assert_eq(judge(&known, "a/b/file"), LAZ_E_NONE);
    loosen("a/b/file");
    cr_assert_eq(judge(&known, "a/b/file"), LAZ_E_HOST_UNSAFE);
    cr_assert_eq(judge(&known, "a/b/../b/file"), LAZ_E_HOST_UNSAFE, "no plain path");
    cr_assert_eq(judge(&known, "a/b"), LAZ_E_HOST_UNSAFE, "a folder is no file");
    cr_assert_eq(judge(&known, "a/b/none"), LAZ_E_HOST_ABSENT);
}

Test(rooted, forgets_rather_than_overflows, .init = make, .fini = take, .timeout = 60)
{
    struct laz_rooted known = {.n = LAZ_ROOTED_FOLDERS};
    cr_assert_eq(judge(&known, "a/b/file"), LAZ_E_NONE);
    cr_assert_eq(known.n, LAZ_ROOTED_FOLDERS);
    loosen("a/b");
    cr_assert_eq(judge(&known, "a/b/file"), LAZ_E_HOST_UNSAFE);
}

/* How many levels above does not matter. */
Test(roots, looks_at_each_folder_above, .init = make, .fini = take, .timeout = 60)
{
    static const char *const above[] = {"a/b", "a", "."};
    static const struct {
        mode_t mode;
        uid_t uid;
        bool passes;
    } rows[] = {{0755, 0, true}, {0775, 0, false}, {0757, 0, false}, {01777, 0, true},
            {0755, 54321, false}, {01777, 54321, false}};
    char path[PATH_SIZE];
    int folder = open(path_of(path, "a/b/c"), O_PATH | O_DIRECTORY | O_CLOEXEC);
    cr_assert_geq(folder, 0);
    for (size_t i = 0; i < sizeof(above) / sizeof(above[0]); i++) {
        for (size_t k = 0; k < sizeof(rows) / sizeof(rows[0]); k++) {
            struct laz_err err = {0};
            (void)path_of(path, above[i]);
            cr_assert(chown(path, rows[k].uid, 0) == 0 && chmod(path, rows[k].mode) == 0);
            int result = laz_roots_folder(folder, "c", &err);
            cr_expect_eq(result, rows[k].passes ? 0 : -1, "%s, row %zu", above[i], k);
            cr_expect(rows[k].passes || strstr(err.message, "c is in a folder that ") != NULL,
                    "%s, row %zu: %s", above[i], k, err.message);
        }
        cr_assert(chown(path, 0, 0) == 0 && chmod(path, 0755) == 0);
    }
    (void)close(folder);
}
