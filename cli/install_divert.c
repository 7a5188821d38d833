/* SPDX-License-Identifier: Apache-2.0
 *
 * By links and renames alone: runc gets a second name, runtime.yaml that name, and only then the
 * first name is given to the shim, by one rename. Back in the other order.
 */
#include "cli/install_divert.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cli/install.h"
#include "cli/programs.h"
#include "core/fd.h"
#include "core/replace.h"
#include "core/rooted.h"
#include "policy/runtime.h"

#define DPKG_DIVERT "/usr/bin/dpkg-divert"
#define DIVERSIONS  "/var/lib/dpkg/diversions"
#define RECORD      LAZ_DIVERT_PART ".json"
#define PATH_SIZE   128
#define LIST_MAX    ((size_t)4 << 20)

static const struct {
    const char *place;
    const char *real;
} places[] = {
        {"/usr/bin/runc", "/usr/bin/runc.real"},
        {"/usr/sbin/runc", "/usr/sbin/runc.real"},
};

static int refuse(struct laz_err *err, const char *path, const char *why)
{
    return laz_err_set(err, LAZ_E_ENGINE_FILE, 0, "%s %s", path, why);
}

static int fail(struct laz_err *err, const char *path, const char *what)
{
    return laz_err_set(err, LAZ_E_SYSTEM, errno, "%s: %s: %s", path, what, strerror(errno));
}

/* ---- What is there ---- */

static bool is_shim(const char *path)
{
    char target[PATH_SIZE];
    ssize_t length = readlink(path, target, sizeof(target));
    return length == (ssize_t)strlen(LAZ_PROGRAMS_SHIM) &&
            memcmp(target, LAZ_PROGRAMS_SHIM, (size_t)length) == 0;
}

/* A program of root's, and none of ours. */
static int look_at_program(const char *path, struct laz_err *err)
{
    char says[LAZ_PROGRAM_SAYS];
    struct stat status;
    laz_cleanup_fd int fd = -1;
    if (laz_rooted_open(path, &fd, err) < 0) {
        return -1;
    }
    if (fstat(fd, &status) < 0 || (status.st_mode & S_IXUSR) == 0) {
        return refuse(err, path, "is not executable");
    }
    laz_program_says(fd, says);
    return says[0] == '\0' ? 0 : refuse(err, path, "is a program of Lazaret, and no runc");
}

/* The one that is diverted already; else the first that has a runc. */
static int find_place(struct laz_divert *ret, struct laz_err *err)
{
    const size_t n = sizeof(places) / sizeof(places[0]);
    for (size_t i = 0; i < 2 * n; i++) {
        *err = (struct laz_err){0}; /* of the last one */
        ret->place = places[i % n].place;
        ret->real = places[i % n].real;
        ret->is_link = is_shim(ret->place);
        if (ret->is_link || (i >= n && look_at_program(ret->place, err) == 0)) {
            return 0;
        }
    }
    return -1;
}

/* Three lines for each: whose, where to, and for which package. */
static int look_at_dpkg(struct laz_divert *ret, struct laz_err *err)
{
    struct stat status;
    laz_cleanup_buf struct laz_buf text;
    laz_buf_init_heap(&text, LIST_MAX);
    struct laz_err why = {0};
    ret->has_dpkg = access(DPKG_DIVERT, X_OK) == 0;
    if (laz_read_at(AT_FDCWD, DIVERSIONS, &text, &status, &why) < 0) {
        return why.sys_errno == ENOENT
                ? 0
                : laz_err_set(err, LAZ_E_SYSTEM, why.sys_errno, DIVERSIONS ": %s", why.message);
    }
    char *rest = text.len == 0 ? NULL : text.data;
    for (char *from = strsep(&rest, "\n"); from != NULL && rest != NULL;
            from = strsep(&rest, "\n")) {
        const char *to = strsep(&rest, "\n");
        laz_ignore(rest == NULL || strsep(&rest, "\n") == NULL);
        if (strcmp(from, ret->place) == 0) {
            ret->is_known = strcmp(to, ret->real) == 0;
            return ret->is_known
                    ? 0
                    : laz_err_set(err, LAZ_E_ENGINE_FILE, 0,
                              "%s is diverted to %s already, says dpkg-divert", from, to);
        }
    }
    return 0;
}

/* What is called runc.real must be runc. */
static int look_at_real(struct laz_divert *ret, struct laz_err *err)
{
    struct stat place;
    struct stat real;
    if (lstat(ret->real, &real) < 0) {
        ret->has_real = false;
        return errno == ENOENT ? 0 : fail(err, ret->real, "lstat");
    }
    ret->has_real = true;
    if (look_at_program(ret->real, err) < 0) {
        return -1;
    }
    ret->is_stale = !ret->is_link &&
            (lstat(ret->place, &place) < 0 || place.st_dev != real.st_dev ||
                    place.st_ino != real.st_ino);
    return ret->is_stale && !ret->has_record
            ? refuse(err, ret->real, "is there, and is not what would be called so")
            : 0;
}

int laz_divert_look(struct laz_divert *ret, struct laz_err *err)
{
    *ret = (struct laz_divert){0};
    ret->has_record = access(LAZ_INSTALL_STATE "/" RECORD, F_OK) == 0;
    return find_place(ret, err) < 0 || look_at_dpkg(ret, err) < 0 || look_at_real(ret, err) < 0 ||
                    laz_runtime_line_look(ret->place, &ret->is_renamed, err) < 0
            ? -1
            : 0;
}

bool laz_divert_is_done(const struct laz_divert *divert)
{
    return divert->is_link && divert->has_real && divert->is_renamed &&
            (divert->is_known || !divert->has_dpkg);
}

void laz_divert_show(const struct laz_divert *divert, struct laz_buf *ret)
{
    const char *place = divert->place;
    const char *real = divert->real;
    if (divert->has_dpkg && !divert->is_known) {
        laz_buf_printf(
                ret, "  dpkg-divert --local --no-rename --divert %s --add %s\n", real, place);
    }
    if (!divert->has_real || divert->is_stale) {
        laz_buf_printf(ret, "  ln %s %s\n", place, real);
    }
    if (!divert->is_renamed) {
        laz_buf_printf(ret, "  /etc/lazaret/runtime.yaml: runtime: %s\n", real);
    }
    if (!divert->is_link) {
        laz_buf_printf(ret, "  ln -s " LAZ_PROGRAMS_SHIM " %s, in the place of runc\n", place);
    }
}

/* ---- Steps ---- */

static _Noreturn void exec_in_child(char *const *words)
{
    char path[] = "PATH=/usr/sbin:/usr/bin:/sbin:/bin";
    char *const environment[] = {path, NULL};
    if (dup2(STDERR_FILENO, STDOUT_FILENO) >= 0) { /* where ours is one object of JSON */
        (void)execve(DPKG_DIVERT, words, environment);
    }
    _exit(127);
}

static int tell_dpkg(const struct laz_divert *divert, const char *how, struct laz_err *err)
{
    const char *const words[] = {DPKG_DIVERT, "--quiet", "--local", "--no-rename", "--divert",
            divert->real, how, divert->place, NULL};
    int status = 0;
    pid_t child = fork();
    if (child < 0) {
        return fail(err, DPKG_DIVERT, "fork");
    }
    if (child == 0) {
        exec_in_child(laz_unconst(words));
    }
    while (waitpid(child, &status, 0) < 0) {
        if (errno != EINTR) {
            return fail(err, DPKG_DIVERT, "waitpid");
        }
    }
    return WIFEXITED(status) && WEXITSTATUS(status) == 0
            ? 0
            : laz_err_set(
                      err, LAZ_E_SYSTEM, 0, DPKG_DIVERT " %s %s has failed", how, divert->place);
}

static int open_folder(const char *path, int *ret, struct laz_err *err)
{
    unsigned unused = 0;
    laz_cleanup_fd int held = -1;
    if (laz_install_folder(path, false, &held, &unused, err) < 0) {
        return -1;
    }
    *ret = openat(held, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    return *ret < 0 ? fail(err, path, "its folder") : 0;
}

/* Something new gets a name, of which what was there before has been until then: a link to `target`
 * or, where there is none, another name of the file `source`. */
static int put(const char *path, const char *target, const char *source, struct laz_err *err)
{
    char name[PATH_SIZE];
    laz_cleanup_fd int folder = -1;
    if (open_folder(path, &folder, err) < 0) {
        return -1;
    }
    laz_install_sweep(folder, "runc");
    (void)snprintf(name, sizeof(name), ".runc.%d-0", (int)getpid());
    int made = target != NULL ? symlinkat(target, folder, name)
                              : linkat(AT_FDCWD, source, folder, name, 0);
    if (made < 0) {
        return fail(err, path, "a link beside it");
    }
    if (renameat(folder, name, AT_FDCWD, path) < 0) {
        int result = fail(err, path, "rename");
        (void)unlinkat(folder, name, 0); /* the first error is the one to tell */
        return result;
    }
    return fsync(folder) < 0 ? fail(err, path, "fsync of its folder") : 0;
}

static int give_second_name(const struct laz_divert *divert, struct laz_err *err)
{
    return divert->has_real && !divert->is_stale ? 0 : put(divert->real, NULL, divert->place, err);
}

static int write_record(const struct laz_divert *divert, int state, struct laz_err *err)
{
    const struct laz_replace how = {.mode = 0644, .sync = true};
    char memory[PATH_SIZE];
    struct laz_buf text;
    laz_buf_init_fixed(&text, memory, sizeof(memory));
    laz_buf_printf(&text, "{\"version\":1,\"file\":\"%s\"}\n", divert->place);
    laz_install_sweep(state, RECORD);
    return laz_replace_at(state, RECORD, &how, text.data, text.len, err) < 0
            ? laz_err_context(err, LAZ_INSTALL_STATE "/" RECORD)
            : 0;
}

int laz_divert_apply(const struct laz_divert *divert, struct laz_err *err)
{
    laz_cleanup_fd int state = -1;
    if (divert->is_link && !divert->has_real) {
        return refuse(err, divert->real, "is absent: there is no runc behind the shim");
    }
    if (laz_install_lock(&state, err) < 0 || write_record(divert, state, err) < 0 ||
            (divert->has_dpkg && !divert->is_known && tell_dpkg(divert, "--add", err) < 0) ||
            give_second_name(divert, err) < 0 ||
            laz_runtime_line_change(divert->place, divert->real, err) < 0) {
        return -1;
    }
    return divert->is_link ? 0 : put(divert->place, LAZ_PROGRAMS_SHIM, NULL, err);
}

static int remove_names(const struct laz_divert *divert, int state, struct laz_err *err)
{
    if (divert->is_known && tell_dpkg(divert, "--remove", err) < 0) {
        return -1;
    }
    if (unlink(divert->real) < 0 && errno != ENOENT) {
        return fail(err, divert->real, "unlink");
    }
    laz_install_sweep_beside(divert->place);
    laz_install_sweep_beside(LAZ_RUNTIME_FILE);
    if (unlinkat(state, RECORD, 0) < 0 && errno != ENOENT) {
        return fail(err, LAZ_INSTALL_STATE "/" RECORD, "unlink");
    }
    return 0;
}

int laz_divert_undo(const struct laz_divert *divert, struct laz_err *err)
{
    laz_cleanup_fd int state = -1;
    if (divert->is_link && !divert->has_real) {
        return refuse(err, divert->real, "is absent: there would be no runc");
    }
    if (laz_install_lock(&state, err) < 0 ||
            (divert->is_link && put(divert->place, NULL, divert->real, err) < 0) ||
            laz_runtime_line_change(divert->real, divert->place, err) < 0) {
        return -1;
    }
    return remove_names(divert, state, err);
}
