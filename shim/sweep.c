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
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "core/deadline.h"
#include "core/fd.h"
#include "core/format.h"
#include "core/lock.h"
#include "core/num.h"
#include "core/started.h"
#include "shim/clamp.h"

#define MARK      ".create-" /* ID.create-PID */
#define NAME_SIZE 256
#define TEXT_SIZE 48  /* a number, or a path below /proc with one */
#define TICKS     100 /* in a second: the kernel's USER_HZ on both architectures */

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

/* ---- processes ---- */

static bool is_alive(pid_t pid)
{
    return kill(pid, 0) == 0 || errno != ESRCH;
}

/* Since the boot, as /proc counts them. The kernel's own call: to find that of libc would take
 * longer than all else that a mark needs. */
static uint64_t ticks_now(void)
{
    struct timespec now = {0};
    (void)syscall(SYS_clock_gettime, CLOCK_BOOTTIME, &now);
    return (uint64_t)now.tv_sec * TICKS + (uint64_t)now.tv_nsec / (1000 / TICKS * LAZ_NS_PER_MS);
}

/* A mark has the time at which it was made. What was started later is another one of the same
 * number; what is not known to have ended has not. */
static bool has_ended(int folder, const char *mark, pid_t pid)
{
    char path[TEXT_SIZE];
    char text[TEXT_SIZE];
    uint64_t made = 0;
    uint64_t started = 0;
    if (!is_alive(pid)) {
        return true;
    }
    laz_cleanup_fd int fd = openat(folder, mark, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
    ssize_t n = fd < 0 ? -1 : read(fd, text, sizeof(text));
    (void)laz_format(path, sizeof(path), "/proc/%d/stat", (int)pid);
    return n > 0 && laz_parse_u64(text, (size_t)n, UINT64_MAX, &made) &&
            laz_started_read(AT_FDCWD, path, &started) && started > made;
}

static bool is_stale(int folder, const char *name)
{
    pid_t pid = 0;
    if (is_numbered(name, MARK, &pid)) {
        return has_ended(folder, name, pid);
    }
    return (is_numbered(name, LAZ_SWEEP_COPY, &pid) || is_unfinished(name, &pid)) && !is_alive(pid);
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
    if (is_stale(folder, name)) {
        (void)unlinkat(folder, name, 0);
    }
}

void laz_sweep_files(int folder)
{
    visit(NULL, folder, remove_stale);
}

/* ---- which containers there are ---- */

static const char *root_of(const struct laz_call *call)
{
    const char *root = call->arguments->values[LAZ_OPTION_ROOT];
    return root == NULL ? "" : root;
}

static bool is_a(const char *kind, const char *program)
{
    const char *slash = strrchr(program, '/');
    return strncmp(slash == NULL ? program : slash + 1, kind, strlen(kind)) == 0;
}

bool laz_sweep_knows(const struct laz_call *call)
{
    const char *program = laz_runtime_program(call->runtime, call->argv0);
    return is_a("runc", program) || is_a("crun", program);
}

/* The only variable that is looked at, as crun does: the first one counts. */
static const char *find_session(char *const *environment)
{
    static const char name[] = "XDG_RUNTIME_DIR=";
    for (; *environment != NULL; environment++) {
        if (strncmp(*environment, name, sizeof(name) - 1) == 0) {
            return *environment + sizeof(name) - 1;
        }
    }
    return "";
}

/* One that is cut is longer than any path: nothing is found there, by crun either. */
void laz_sweep_put_root(const char *program, char *const *environment,
        struct laz_arguments *arguments, char ret[LAZ_OCI_ROOT_SIZE])
{
    const char *session = find_session(environment);
    if (arguments->values[LAZ_OPTION_ROOT] == NULL && is_a("crun", program) && session[0] != '\0') {
        (void)laz_format(ret, LAZ_OCI_ROOT_SIZE, "%s/crun", session);
        arguments->values[LAZ_OPTION_ROOT] = ret;
    }
}

/* By another process than this one. Once for each record without a container: there are few. */
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
    for (errno = 0; !is && (entry = readdir(entries)) != NULL; errno = 0) {
        uint64_t pid = 0;
        const char *rest = entry->d_name + length;
        is = strncmp(entry->d_name, id, length) == 0 && strncmp(rest, MARK, strlen(MARK)) == 0 &&
                laz_parse_u64(rest + strlen(MARK), strlen(rest) - strlen(MARK), INT32_MAX, &pid) &&
                pid != (uint64_t)getpid() && !has_ended(folder, entry->d_name, (pid_t)pid);
    }
    is = is || errno != 0; /* likewise */
    (void)closedir(entries);
    return is;
}

static void remove_orphan(const struct laz_call *call, int folder, const char *name)
{
    char id[NAME_SIZE];
    size_t length = strlen(name);
    if (name[0] == '.' || length <= strlen(LAZ_OCI_RECORD_END) || length >= sizeof(id) ||
            strcmp(name + length - strlen(LAZ_OCI_RECORD_END), LAZ_OCI_RECORD_END) != 0) {
        return;
    }
    (void)laz_format(id, sizeof(id), "%.*s", (int)(length - strlen(LAZ_OCI_RECORD_END)), name);
    /* in this order: a mark that is gone by now was of a runtime that has done its work */
    if (!laz_oci_root_has(root_of(call), id) && !is_marked(folder, id) &&
            !laz_oci_root_has(root_of(call), id)) {
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
    laz_cleanup_fd int fd = openat(
            folder, name, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, S_IRUSR | S_IWUSR);
    char text[TEXT_SIZE];
    if (fd < 0) {
        return laz_err_set(
                err, LAZ_E_OCI_STATE, errno, "%.200s: %s", name, laz_err_errno_name(errno));
    }
    int length = laz_format(text, sizeof(text), "%llu", (unsigned long long)ticks_now());
    return laz_fd_write_all(fd, text, (size_t)length, err);
}

int laz_sweep_begin(const struct laz_call *call, int folder, struct laz_err *err)
{
    if (!laz_oci_is_id(call->arguments->id)) {
        return laz_err_set(err, LAZ_E_OCI_STATE, 0, "not the name of a container");
    }
    if (laz_lock_take(folder, "the folder of this runtime's containers in " LAZ_OCI_RECORD_FOLDER,
                err) < 0) {
        return -1;
    }
    laz_sweep_files(folder);
    if (put_mark(call, folder, err) < 0) {
        return -1;
    }
    if (laz_sweep_knows(call)) {
        visit(call, folder, remove_orphan);
        return laz_oci_root_save(folder, root_of(call), err);
    }
    return 0;
}

bool laz_sweep_is_there(const struct laz_call *call, int folder)
{
    const char *id = call->arguments->id;
    return laz_oci_root_has(root_of(call), id) || is_marked(folder, id);
}

/* ---- what comes to nothing ---- */

static void remove_own(const struct laz_call *call, int folder, const char *kind)
{
    char name[NAME_SIZE];
    if (laz_format(name, sizeof(name), "%s%s%d", call->arguments->id, kind, (int)getpid()) <
            (int)sizeof(name)) {
        (void)unlinkat(folder, name, 0);
    }
}

/* The record first: as long as the mark is there nobody else's can be in its place. */
void laz_sweep_undo(const struct laz_call *call)
{
    struct laz_err ignored = {0};
    laz_cleanup_fd int folder = -1;
    if (call->arguments->id == NULL || !laz_oci_is_id(call->arguments->id) ||
            laz_clamp_open_records(call->arguments, false, &folder, &ignored) < 0 || folder < 0) {
        return;
    }
    if (call->has_record) {
        laz_ignore(laz_oci_record_remove(folder, call->arguments->id, &ignored));
    }
    remove_own(call, folder, LAZ_SWEEP_COPY);
    remove_own(call, folder, MARK);
}
