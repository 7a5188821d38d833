/* SPDX-License-Identifier: Apache-2.0
 *
 * A record is written before its container is there, so one without a container may be of a
 * container that is just being created. Who creates therefore puts a mark beside it, by the number
 * of its process, which is the runtime's too: while that lives the record stays; when it has ended
 * the runtime has the container, or never will.
 */
#include "shim/sweep.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#include "core/fd.h"
#include "core/format.h"
#include "core/num.h"

#define MARK          ".create-" /* ID.create-PID */
#define RECORD        ".json"
#define NAME_SIZE     256
#define PATH_SIZE     4096 /* the kernel's PATH_MAX, with its NUL */
#define LENGTH(array) (sizeof(array) / sizeof((array)[0]))

/* ---- names ---- */

/* Ends the name with this, and a number behind it? */
static bool is_numbered(const char *name, const char *kind, pid_t *ret)
{
    uint64_t pid = 0;
    const char *digits = strrchr(name, '-');
    size_t length = strlen(kind);
    if (digits == NULL || (size_t)(++digits - name) <= length ||
            strncmp(digits - length, kind, length) != 0 ||
            !laz_parse_u64(digits, strlen(digits), INT32_MAX, &pid) || pid == 0) {
        return false;
    }
    *ret = (pid_t)pid;
    return true;
}

/* .NAME.PID-N: lib/core/replace.c had no time to rename it. */
static bool is_unfinished(const char *name, pid_t *ret)
{
    uint64_t pid = 0;
    const char *last = strrchr(name, '.');
    const char *dash = last == NULL ? NULL : strchr(last, '-');
    if (name[0] != '.' || last == name || dash == NULL ||
            !laz_parse_u64(last + 1, (size_t)(dash - last - 1), INT32_MAX, &pid) || pid == 0) {
        return false;
    }
    *ret = (pid_t)pid;
    return true;
}

static bool is_alive(pid_t pid)
{
    return kill(pid, 0) == 0 || errno != ESRCH;
}

static bool is_stale(const char *name)
{
    pid_t pid = 0;
    return (is_numbered(name, LAZ_SWEEP_COPY, &pid) || is_numbered(name, MARK, &pid) ||
                   is_unfinished(name, &pid)) &&
            !is_alive(pid);
}

/* ---- the folder ---- */

typedef void visit_fn(const struct laz_call *call, int folder, const char *name);

static void visit(const struct laz_call *call, int folder, visit_fn *visitor)
{
    int fd = openat(folder, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *entries = fd < 0 ? NULL : fdopendir(fd);
    struct dirent *entry = NULL;
    if (entries == NULL) {
        laz_fd_close(&fd);
        return;
    }
    while ((entry = readdir(entries)) != NULL) {
        visitor(call, folder, entry->d_name);
    }
    (void)closedir(entries);
}

static void remove_stale(const struct laz_call *call, int folder, const char *name)
{
    (void)call;
    if (is_stale(name)) {
        (void)unlinkat(folder, name, 0);
    }
}

void laz_sweep_files(int folder)
{
    visit(NULL, folder, remove_stale);
}

/* ---- which containers there are ---- */

/* In the runtime's root each container has a folder of its name. true also where that cannot be
 * known. */
static bool has_container(const struct laz_call *call, const char *id)
{
    static const char *const roots[] = {"/run/runc", "/run/crun"};
    const char *root = call->arguments->values[LAZ_OPTION_ROOT];
    bool is = false;
    for (size_t i = 0; !is && i < LENGTH(roots); i++) {
        char path[PATH_SIZE];
        is = laz_format(path, sizeof(path), "%s/%s", root == NULL ? roots[i] : root, id) >=
                        (int)sizeof(path) ||
                access(path, F_OK) == 0 || errno != ENOENT;
    }
    return is;
}

bool laz_sweep_is_there(const struct laz_call *call)
{
    return has_container(call, call->arguments->id);
}

/* Of others than runc and crun it is not known how they keep their containers. */
static bool is_known(const char *program)
{
    const char *slash = strrchr(program, '/');
    const char *name = slash == NULL ? program : slash + 1;
    return strncmp(name, "runc", strlen("runc")) == 0 || strncmp(name, "crun", strlen("crun")) == 0;
}

/* Once for each record without a container: there are few. */
static bool is_marked(int folder, const char *id)
{
    size_t length = strlen(id);
    int fd = openat(folder, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *entries = fd < 0 ? NULL : fdopendir(fd);
    struct dirent *entry = NULL;
    bool is = entries == NULL; /* not known: as if it were */
    if (entries == NULL) {
        laz_fd_close(&fd);
        return is;
    }
    while (!is && (entry = readdir(entries)) != NULL) {
        uint64_t pid = 0;
        const char *rest = entry->d_name + length;
        is = strncmp(entry->d_name, id, length) == 0 && strncmp(rest, MARK, strlen(MARK)) == 0 &&
                laz_parse_u64(rest + strlen(MARK), strlen(rest) - strlen(MARK), INT32_MAX, &pid) &&
                is_alive((pid_t)pid);
    }
    (void)closedir(entries);
    return is;
}

static void remove_orphan(const struct laz_call *call, int folder, const char *name)
{
    char id[NAME_SIZE];
    size_t length = strlen(name);
    if (name[0] == '.' || length <= strlen(RECORD) || length >= sizeof(id) ||
            strcmp(name + length - strlen(RECORD), RECORD) != 0) {
        return;
    }
    (void)laz_format(id, sizeof(id), "%.*s", (int)(length - strlen(RECORD)), name);
    /* in this order: a mark that is gone by now was of a runtime that has done its work */
    if (!has_container(call, id) && !is_marked(folder, id) && !has_container(call, id)) {
        (void)unlinkat(folder, name, 0);
    }
}

/* ---- creating ---- */

static int put_mark(const struct laz_call *call, int folder, struct laz_err *err)
{
    char name[NAME_SIZE];
    if (laz_format(name, sizeof(name), "%s" MARK "%d", call->arguments->id, (int)getpid()) >=
            (int)sizeof(name)) {
        return laz_err_set(err, LAZ_E_REQUEST, 0, "the container's name is too long");
    }
    laz_cleanup_fd int fd =
            openat(folder, name, O_WRONLY | O_CREAT | O_NOFOLLOW | O_CLOEXEC, S_IRUSR | S_IWUSR);
    return fd >= 0 ? 0
                   : laz_err_set(err, LAZ_E_OCI_STATE, errno, "%.200s: %s", name,
                             laz_err_errno_name(errno));
}

int laz_sweep_begin(const struct laz_call *call, int folder, struct laz_err *err)
{
    if (!laz_oci_is_id(call->arguments->id)) {
        return laz_err_set(err, LAZ_E_OCI_STATE, 0, "not the name of a container");
    }
    if (flock(folder, LOCK_EX) < 0) {
        return laz_err_set(err, LAZ_E_OCI_STATE, errno, "flock: %s", laz_err_errno_name(errno));
    }
    laz_sweep_files(folder);
    if (put_mark(call, folder, err) < 0) {
        return -1;
    }
    if (is_known(laz_runtime_program(call->runtime, call->argv0))) {
        visit(call, folder, remove_orphan);
    }
    return 0;
}
