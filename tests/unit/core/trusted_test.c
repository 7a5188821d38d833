/* SPDX-License-Identifier: Apache-2.0
 *
 * lib/core/trusted: what a workload could have put in the place of a file is not opened, and what
 * others keep for it is. Trees are made in a folder of this test's own.
 */
#include "core/trusted.h"

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <limits.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <sys/xattr.h>
#include <time.h>
#include <unistd.h>

#include <criterion/criterion.h>

#define MINE  54321 /* the workload */
#define OTHER 54322

static const struct laz_party party = {
        .uid = MINE, .gid = MINE, .n_groups = 2, .groups = {54300, 54301}};

static char root[] = "/tmp/lazaret-trusted-XXXXXX";

static const char *at(const char *path)
{
    static char whole[4][PATH_MAX];
    static unsigned turn;
    char *ret = whole[turn++ % 4];
    (void)snprintf(ret, PATH_MAX, "%s/%s", root, path);
    return ret;
}

static void put_file(const char *path)
{
    int fd = open(at(path), O_CREAT | O_WRONLY | O_CLOEXEC, 0600);
    cr_assert(fd >= 0 && write(fd, path, strlen(path)) == (ssize_t)strlen(path), "%s", path);
    (void)close(fd);
}

static void put_folder(const char *path)
{
    cr_assert_eq(mkdir(at(path), 0755), 0, "%s", path);
}

static void put_link(const char *path, const char *target)
{
    cr_assert_eq(symlink(target, at(path)), 0, "%s", path);
}

/* As docs/reference/secrets.md has it: a volume of an agent's, and one that Kubernetes mounts. */
static void set_up(void)
{
    (void)umask(022);
    cr_assert_not_null(mkdtemp(root));
    cr_assert_eq(chmod(root, 0755), 0);
    put_folder("agent");
    put_file("agent/token");
    put_folder("k8s");
    put_folder("k8s/..2026");
    put_file("k8s/..2026/key");
    put_link("k8s/..data", "..2026");
    put_link("k8s/key", "..data/key");
    put_link("absolute", at("agent/token"));
    put_link("up", "k8s/../agent/./token");
    put_link("round", "round");
    put_folder("shared");
    put_folder("shared/own");
    put_file("shared/own/x");
    put_file("shared/x");
    put_link("shared/link", "own/x");
    cr_assert_eq(chmod(at("shared"), 01777), 0);
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

TestSuite(trusted, .init = set_up, .fini = tear_down);

/* 0, or the errno; -1: the party has a hand in it. */
static int open_it(const char *path, const struct laz_party *of, struct laz_err *err)
{
    int fd = -1;
    *err = (struct laz_err){0};
    if (laz_trusted_open(at(path), of, &fd, err) == 0) {
        struct stat status;
        cr_expect(fstat(fd, &status) == 0 && S_ISREG(status.st_mode), "%s", path);
        cr_expect((fcntl(fd, F_GETFD) & FD_CLOEXEC) != 0);
        (void)close(fd);
        return 0;
    }
    cr_expect_eq(fd, -1);
    cr_expect_eq(err->kind, err->sys_errno != 0 ? LAZ_E_SYSTEM : LAZ_E_SECRET, "%s", path);
    return err->sys_errno != 0 ? err->sys_errno : -1;
}

Test(trusted, opens_what_others_keep_and_links_that_lead_there)
{
    static const char *const good[] = {
            "agent/token", "k8s/key", "absolute", "up", "shared/own/x", "agent//./token"};
    struct laz_err err;
    for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
        cr_expect_eq(open_it(good[i], &party, &err), 0, "%s: %s", good[i], err.message);
    }
    int fd = -1;
    char text[16] = "";
    cr_assert_eq(laz_trusted_open(at("k8s/key"), &party, &fd, &err), 0);
    cr_expect(read(fd, text, sizeof(text) - 1) == 14 && strcmp(text, "k8s/..2026/key") == 0);
    (void)close(fd);
}

Test(trusted, says_why_it_cannot_be_had_as_the_kernel_would)
{
    static const struct {
        const char *path;
        int sys_errno;
    } rows[] = {{"absent", ENOENT}, {"absent/x", ENOENT}, {"agent/token/x", ENOTDIR},
            {"agent", EISDIR}, {"round", ELOOP}, {"k8s/..data", EISDIR}};
    char text[NAME_MAX + 2];
    struct laz_err err;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        cr_expect_eq(open_it(rows[i].path, &party, &err), rows[i].sys_errno, "%s: %s", rows[i].path,
                err.message);
        cr_expect_str_eq(err.message, strerror(rows[i].sys_errno));
    }
    (void)memset(text, 'a', sizeof(text) - 1);
    text[sizeof(text) - 1] = '\0';
    cr_expect_eq(open_it(text, &party, &err), ENAMETOOLONG, "%s", err.message);
    cr_assert_eq(mkfifo(at("fifo"), 0600), 0);
    cr_expect_eq(open_it("fifo", &party, &err), EINVAL, "%s", err.message);
}

struct change {
    const char *what;
    uid_t uid;
    gid_t gid;
    mode_t mode;
    const char *path;
    const char *why; /* NULL: it is opened */
};

static void make_change(const struct change *change)
{
    struct stat status;
    cr_assert_eq(lchown(at(change->what), change->uid, change->gid), 0, "%s", change->what);
    cr_assert_eq(lstat(at(change->what), &status), 0);
    if (!S_ISLNK(status.st_mode)) {
        cr_assert_eq(chmod(at(change->what), change->mode), 0, "%s", change->what);
    }
}

Test(trusted, names_the_part_in_which_the_workload_has_a_hand)
{
    static const struct change rows[] = {
            {"agent/token", MINE, 0, 0400, "agent/token", "agent/token belongs to the workload"},
            {"agent/token", MINE, 0, 0400, "absolute", "agent/token belongs to the workload"},
            {"agent", MINE, 0, 0500, "agent/token", "agent belongs to the workload, user 54321"},
            {"absolute", MINE, 0, 0, "absolute", "absolute belongs to the workload"},
            {"k8s/..data", MINE, 0, 0, "k8s/key", "k8s/..data belongs to the workload"},
            {"k8s", MINE, 0, 0755, "up", "k8s belongs to the workload"},
            {"agent", OTHER, OTHER, 0777, "up", "agent may be written by everybody, mode 0777"},
            {"agent/token", OTHER, OTHER, 0602, "agent/token", "by everybody, mode 0602"},
            {"agent", OTHER, MINE, 0770, "agent/token", "by the workload's group 54321, mode 0770"},
            {"agent", OTHER, 54301, 0770, "agent/token", "by the workload's group 54301"},
            {"agent", OTHER, 54302, 0770, "agent/token", NULL},
            {"agent", OTHER, MINE, 0750, "agent/token", NULL},
            {"agent/token", OTHER, OTHER, 0660, "absolute", NULL},
            {"agent", OTHER, OTHER, 01777, "agent/token", "agent/token is in a folder where"},
            {"agent", OTHER, MINE, 01770, "agent/token", "agent/token is in a folder where"},
            {"agent", OTHER, OTHER, 01770, "agent/token", NULL},
            {"agent", MINE, OTHER, 01700, "agent/token", "agent belongs to the workload"},
            {"shared", OTHER, OTHER, 01777, "shared/x", "shared/x is in a folder where everybody"},
            {"shared", OTHER, OTHER, 01777, "shared/link", "shared/link is in a folder where"},
            {"shared/own", OTHER, OTHER, 0755, "shared/own/x", NULL},
            {"shared/own", OTHER, OTHER, 0777, "shared/own/x", "shared/own may be written"},
            {"absolute", OTHER, OTHER, 0, "absolute", NULL},
    };
    cr_assert_eq(geteuid(), 0, "files are given away here");
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct change back = rows[i];
        struct laz_err err;
        struct stat status;
        cr_assert_eq(lstat(at(back.what), &status), 0);
        make_change(&rows[i]);
        int result = open_it(rows[i].path, &party, &err);
        cr_expect_eq(
                result, rows[i].why == NULL ? 0 : -1, "row %zu: %d: %s", i, result, err.message);
        cr_expect(rows[i].why == NULL || strstr(err.message, rows[i].why) != NULL, "row %zu: %s", i,
                err.message);
        back.uid = back.gid = 0;
        back.mode = status.st_mode & 07777;
        make_change(&back);
    }
}

/* A list of the workload's own right: the group's bits are then the most that anybody has. */
Test(trusted, knows_access_control_lists_by_their_mask)
{
    static const struct {
        uint16_t tag;
        uint16_t rights;
        uint32_t id;
    } entries[] = {{1, 7, UINT32_MAX}, {2, 7, MINE}, {4, 5, UINT32_MAX}, {16, 7, UINT32_MAX},
            {32, 5, UINT32_MAX}};
    struct laz_err err;
    char list[4 + sizeof(entries)] = {2};
    (void)memcpy(list + 4, entries, sizeof(entries));
    cr_assert_eq(setxattr(at("agent"), "system.posix_acl_access", list, sizeof(list), 0), 0, "%s",
            strerror(errno));
    cr_expect_eq(open_it("agent/token", &party, &err), -1);
    cr_expect_not_null(strstr(err.message, "agent has an access control list, by which others"));
}

/* Where nobody can say whether there is one, there may be. */
Test(trusted, fails_closed_where_a_list_cannot_be_looked_for)
{
    struct laz_err err;
    cr_assert_eq(chmod(at("agent"), 0775), 0);
    cr_expect_eq(open_it("agent/token", &party, &err), 0, "%s", err.message);
    cr_assert_eq(unshare(CLONE_NEWNS), 0, "%s", strerror(errno));
    cr_assert_eq(mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL), 0);
    cr_assert_eq(mount("none", "/proc", "tmpfs", 0, NULL), 0, "%s", strerror(errno));
    cr_expect_eq(open_it("agent/token", &party, &err), -1);
    cr_expect_not_null(strstr(err.message, "agent may have an access control list: No such file"),
            "%s", err.message);
    cr_assert_eq(umount("/proc"), 0);
}

/* As Kubernetes does: the new folder, a link over the old link, and then the old folder goes. */
static void replace_volume(unsigned turn)
{
    char made[64] = "k8s/..2026";
    char key[sizeof(made) + sizeof("/key")];
    if (turn > 0) {
        (void)snprintf(made, sizeof(made), "k8s/..turn%u", turn - 1);
    }
    char gone[sizeof(made)];
    (void)memcpy(gone, made, sizeof(made));
    (void)snprintf(made, sizeof(made), "k8s/..turn%u", turn);
    put_folder(made);
    (void)snprintf(key, sizeof(key), "%s/key", made);
    put_file(key);
    put_link("k8s/..tmp", made + strlen("k8s/"));
    cr_assert_eq(rename(at("k8s/..tmp"), at("k8s/..data")), 0);
    (void)snprintf(key, sizeof(key), "%s/key", gone);
    cr_assert_eq(unlink(at(key)), 0);
    cr_assert_eq(rmdir(at(gone)), 0);
    put_file("agent/new");
    cr_assert_eq(rename(at("agent/new"), at("agent/token")), 0);
}

Test(trusted, does_not_fail_because_somebody_renames_meanwhile)
{
    static const struct timespec pause = {.tv_nsec = 300000};
    struct laz_err err;
    pid_t child = fork();
    if (child == 0) {
        for (unsigned turn = 0;; turn++) {
            replace_volume(turn);
            (void)nanosleep(&pause, NULL);
        }
    }
    cr_assert_gt(child, 0);
    int failed = 0;
    for (int i = 0; i < 10000; i++) {
        failed += open_it("k8s/key", &party, &err) != 0;
        failed += open_it("agent/token", &party, &err) != 0;
    }
    (void)kill(child, SIGKILL);
    (void)waitpid(child, NULL, 0);
    cr_expect_eq(failed, 0, "%d, the last one: %s", failed, err.message);
}

static int open_folder(const char *path, const struct laz_party *of, struct laz_err *err)
{
    int fd = -1;
    *err = (struct laz_err){0};
    if (laz_trusted_open_folder(at(path), of, &fd, err) == 0) {
        struct stat status;
        cr_expect(fstat(fd, &status) == 0 && S_ISDIR(status.st_mode), "%s", path);
        cr_expect_eq(fcntl(fd, F_GETFD), FD_CLOEXEC);
        (void)close(fd);
        return 0;
    }
    return err->sys_errno != 0 ? err->sys_errno : -1;
}

Test(trusted, opens_folders_by_the_same_rules)
{
    static const struct {
        const char *path;
        int result;
        const char *why;
    } rows[] = {{"agent", 0, ""}, {"agent/", 0, ""}, {"agent/.", 0, ""}, {"k8s/..data", 0, ""},
            {"k8s/..", 0, ""}, {"shared/own", 0, ""}, {"shared", -1, "shared is a folder where"},
            {"shared/.", -1, "shared is a folder where"}, {"shared/own/..", -1, "is a folder"},
            {"agent/token", ENOTDIR, ""}, {"absent", ENOENT, ""}, {"round", ELOOP, ""}};
    const struct laz_party root_itself = {.uid = 0};
    struct laz_err err;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        int result = open_folder(rows[i].path, &party, &err);
        cr_expect_eq(result, rows[i].result, "%s: %d: %s", rows[i].path, result, err.message);
        cr_expect_not_null(strstr(err.message, rows[i].why), "%s: %s", rows[i].path, err.message);
    }
    cr_assert_eq(chown(at("agent"), MINE, 0), 0);
    cr_expect_eq(open_folder("agent", &party, &err), -1);
    cr_expect_not_null(strstr(err.message, "agent belongs to the workload"));
    cr_expect_eq(open_folder("agent", &root_itself, &err), 0);
    cr_expect_eq(open_folder("shared", &root_itself, &err), 0);
    cr_expect_eq(open_folder("agent/token", &root_itself, &err), ENOTDIR);
}

static int make_folder(const char *path, const struct laz_party *of, struct laz_err *err)
{
    int fd = -1;
    struct stat named;
    struct stat held;
    *err = (struct laz_err){0};
    if (laz_trusted_make_folder(at(path), of, &fd, err) < 0) {
        cr_expect_eq(err->kind, err->sys_errno != 0 ? LAZ_E_SYSTEM : LAZ_E_SECRET, "%s", path);
        return err->sys_errno != 0 ? err->sys_errno : -1;
    }
    cr_expect(stat(at(path), &named) == 0 && fstat(fd, &held) == 0 && S_ISDIR(held.st_mode) &&
                    named.st_ino == held.st_ino,
            "%s", path);
    (void)close(fd);
    return 0;
}

Test(trusted, makes_what_is_missing_and_nothing_where_the_party_has_a_hand)
{
    static const struct {
        const char *path;
        int result;
        const char *why;
    } rows[] = {{"agent/a/b/c", 0, ""}, {"agent/a/b/c", 0, ""}, {"k8s/..data/new", 0, ""},
            {"shared/new/below", 0, ""}, {"shared", 0, ""}, {"given", 0, ""},
            {"given/new", -1, "given belongs to the workload, user 54321"},
            {"open/new", -1, "open may be written by everybody, mode 0777"},
            {"theirs/new", -1, "theirs belongs to the workload"}, {"k8s/..data", ELOOP, ""},
            {"absolute", ELOOP, ""}, {"agent/token", ENOTDIR, ""}, {"agent/token/x", ENOTDIR, ""},
            {"round/x", ELOOP, ""}};
    const struct laz_party root_itself = {.uid = 0};
    struct stat status;
    struct laz_err err;
    put_folder("given");
    put_folder("open");
    put_link("theirs", "agent");
    cr_assert(chown(at("given"), MINE, 0) == 0 && chmod(at("open"), 0777) == 0 &&
            lchown(at("theirs"), MINE, 0) == 0);
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        int result = make_folder(rows[i].path, &party, &err);
        cr_expect_eq(result, rows[i].result, "%s: %d: %s", rows[i].path, result, err.message);
        cr_expect_not_null(strstr(err.message, rows[i].why), "%s: %s", rows[i].path, err.message);
    }
    cr_expect(stat(at("agent/a/b"), &status) == 0 && (status.st_mode & 07777) == 0755);
    cr_expect(stat(at("agent/a/b/c"), &status) == 0 && (status.st_mode & 07777) == 0700);
    cr_expect(access(at("given/new"), F_OK) < 0 && access(at("open/new"), F_OK) < 0 &&
            access(at("agent/new"), F_OK) < 0);
    cr_expect_eq(make_folder("given/new", &root_itself, &err), 0, "%s", err.message);
}

/* A folder, held for its path alone and to be read. */
Test(trusted, says_of_what_is_held_whether_the_party_has_a_hand_in_it)
{
    static const struct {
        uid_t uid;
        gid_t gid;
        mode_t mode;
        const char *why; /* "": none */
    } rows[] = {{0, 0, 0755, ""}, {OTHER, OTHER, 0770, ""},
            {MINE, 0, 0700, "belongs to the workload, user 54321"},
            {0, 0, 01777, "may be written by everybody, mode 1777"},
            {0, 54301, 0770, "may be written by the workload's group 54301, mode 0770"}};
    static const int flags[] = {O_PATH, O_RDONLY};
    const struct laz_party everybody = {.uid = 0};
    for (size_t i = 0; i < 2 * sizeof(rows) / sizeof(rows[0]); i++) {
        struct laz_err err = {0};
        int fd = open(at("agent"), flags[i % 2] | O_DIRECTORY | O_CLOEXEC);
        cr_assert(fd >= 0 && chown(at("agent"), rows[i / 2].uid, rows[i / 2].gid) == 0 &&
                chmod(at("agent"), rows[i / 2].mode) == 0);
        bool has = laz_trusted_check(fd, &party, &err) < 0;
        cr_expect_eq(has, rows[i / 2].why[0] != '\0', "%zu: %s", i, err.message);
        cr_expect_str_eq(err.message, rows[i / 2].why);
        cr_expect_eq(err.kind, has ? LAZ_E_SECRET : LAZ_E_NONE, "%zu", i);
        cr_expect_eq(laz_trusted_check(fd, &everybody, &err), 0);
        (void)close(fd);
    }
}

Test(trusted, takes_anything_where_nobody_is_kept_apart)
{
    const struct laz_party everybody[] = {{.uid = 0}, {.uid = geteuid()}};
    struct laz_err err;
    cr_assert_eq(chmod(at("agent"), 0777), 0);
    cr_expect_eq(open_it("agent/token", &party, &err), -1);
    for (size_t i = 0; i < 2; i++) {
        cr_expect_eq(open_it("agent/token", &everybody[i], &err), 0, "%s", err.message);
        cr_expect_eq(open_it("agent", &everybody[i], &err), EISDIR);
        cr_expect_eq(open_it("absent", &everybody[i], &err), ENOENT);
    }
}
