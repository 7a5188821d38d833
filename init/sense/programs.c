/* SPDX-License-Identifier: Apache-2.0
 *
 * What the workload executes, and which of its processes has a socket open. The kernel shows that
 * only to the same user, or with CAP_SYS_PTRACE; where we are neither, nobody calls this.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "core/fd.h"
#include "init/sense/sense.h"
#include "sense/executable.h"

#define NS_PER_S 1000000000

static int64_t ns_of(struct statx_timestamp when)
{
    return when.tv_sec * NS_PER_S + when.tv_nsec;
}

static void read_name(const struct laz_sense *sense, pid_t pid, char *ret, size_t size)
{
    char path[48];
    (void)snprintf(path, sizeof(path), "%d/comm", (int)pid);
    laz_cleanup_fd int fd = openat(sense->proc, path, O_RDONLY | O_CLOEXEC);
    ssize_t n = fd < 0 ? -1 : read(fd, ret, size - 1);
    ret[n > 0 ? n : 0] = '\0';
    ret[strcspn(ret, "\n")] = '\0';
}

static void begin(struct laz_sense *sense, struct laz_find *find, enum laz_sense_event_id event,
        pid_t pid, struct laz_json *json, struct laz_buf *detail)
{
    char name[LAZ_PROCESS_NAME_MAX];
    laz_sense_find(find, event, json, detail);
    find->pid = pid;
    read_name(sense, pid, name, sizeof(name));
    laz_json_string(json, "name", name);
}

static void tell_hidden(struct laz_sense *sense, struct laz_sense_known *known)
{
    struct laz_find find;
    struct laz_json json;
    struct laz_buf detail;
    begin(sense, &find, LAZ_SENSE_EVENT_EXEC_DRIFT, known->pid, &json, &detail);
    (void)snprintf(find.obj, sizeof(find.obj), "hidden");
    (void)snprintf(find.act, sizeof(find.act), "unreadable");
    laz_sense_tell(sense, &find, &detail);
    known->flags |= LAZ_SENSE_HIDDEN;
}

/* `link` is "" where the kernel has no room for it either. */
static void tell_program(struct laz_sense *sense, const struct laz_sense_known *known,
        const char *link, enum laz_origin origin, const struct statx *status)
{
    struct laz_find find;
    struct laz_json json;
    struct laz_buf detail;
    bool is_memory = origin == LAZ_ORIGIN_MEMFD;
    begin(sense, &find, is_memory ? LAZ_SENSE_EVENT_EXEC_MEMFD : LAZ_SENSE_EVENT_EXEC_DRIFT,
            known->pid, &json, &detail);
    if (!laz_find_program(&find, link) || link[0] == '\0') {
        laz_json_bool(&json, "cut", true);
    }
    find.rest = link[0] == '\0' ? known->program : find.rest;
    (void)snprintf(find.obj, sizeof(find.obj), "%s", laz_origin_name(origin));
    (void)snprintf(find.act, sizeof(find.act), "executed");
    laz_json_u64(&json, "uid", status->stx_uid);
    laz_json_u64(&json, "inode", status->stx_ino);
    laz_json_u64(&json, "size", status->stx_size);
    if ((status->stx_mask & STATX_BTIME) != 0) {
        laz_json_i64(&json, "born", status->stx_btime.tv_sec);
    }
    laz_json_i64(&json, "changed", status->stx_ctime.tv_sec);
    laz_sense_tell(sense, &find, &detail);
}

/* Who it is, as far as one number can say: never 0. */
static uint64_t identity(const struct statx *status)
{
    uint64_t device = makedev(status->stx_dev_major, status->stx_dev_minor);
    uint64_t number = (device * UINT64_C(0x9e3779b97f4a7c15)) ^ status->stx_ino ^
            ((uint64_t)ns_of(status->stx_ctime) << 1);
    return number == 0 ? 1 : number;
}

/* A program whose path is longer than a page has none that the kernel would say. */
static bool read_link(const struct laz_sense *sense, const char *path, char *ret, size_t size)
{
    ssize_t n = readlinkat(sense->proc, path, ret, size - 1);
    ret[n > 0 ? n : 0] = '\0';
    return n >= 0 || errno == ENAMETOOLONG;
}

void laz_sense_look_at_program(
        struct laz_sense *sense, struct laz_sense_known *known, bool may_be_hidden)
{
    char path[LAZ_SENSE_PROC_PATH];
    char link[LAZ_SENSE_PATH_MAX + 16]; /* "... (deleted)" */
    struct statx status;
    laz_sense_path(sense, known, "exe", path, sizeof(path));
    if (!read_link(sense, path, link, sizeof(link)) ||
            statx(sense->proc, path, 0, STATX_BASIC_STATS | STATX_BTIME, &status) < 0) {
        bool is_hidden = errno == EACCES || errno == EPERM;
        if (is_hidden && (known->flags & LAZ_SENSE_HIDDEN) == 0 && !may_be_hidden) {
            tell_hidden(sense, known);
        }
        return;
    }
    bool has_birth = (status.stx_mask & STATX_BTIME) != 0;
    const struct laz_executable executable = {.link = link,
            .links = status.stx_nlink,
            .born_ns = has_birth ? ns_of(status.stx_btime) : 0,
            .changed_ns = ns_of(status.stx_ctime)};
    uint64_t program = identity(&status);
    if (program == known->program) {
        return;
    }
    known->program = program;
    enum laz_origin origin = laz_executable_judge(&executable, sense->state->since_ns);
    if (origin != LAZ_ORIGIN_IMAGE) {
        tell_program(sense, known, link, origin, &status);
    }
}

/* ---- Sockets ---- */

static bool has_socket(
        const struct laz_sense *sense, const struct laz_sense_known *known, const char *wanted)
{
    char path[LAZ_SENSE_PROC_PATH];
    laz_sense_path(sense, known, "fd", path, sizeof(path));
    int fd = openat(sense->proc, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *folder = fd < 0 ? NULL : fdopendir(fd);
    bool found = false;
    if (folder == NULL) {
        laz_fd_close(&fd);
        return false;
    }
    for (const struct dirent *entry = readdir(folder); entry != NULL && !found;
            entry = readdir(folder)) {
        char link[64];
        ssize_t n = readlinkat(dirfd(folder), entry->d_name, link, sizeof(link) - 1);
        link[n > 0 ? n : 0] = '\0';
        found = strcmp(link, wanted) == 0;
    }
    (void)closedir(folder);
    return found;
}

pid_t laz_sense_find_owner(struct laz_sense *sense, uint64_t inode, char *ret_name, size_t size)
{
    const struct laz_sense_processes *list =
            &sense->state->processes[sense->state->processes_at & 1U];
    char wanted[64];
    (void)snprintf(wanted, sizeof(wanted), "socket:[%llu]", (unsigned long long)inode);
    ret_name[0] = '\0';
    for (uint32_t i = 0; sense->sees_sockets && i < list->n; i++) {
        if (has_socket(sense, &list->items[i], wanted)) {
            read_name(sense, list->items[i].pid, ret_name, size);
            return list->items[i].pid;
        }
    }
    return 0;
}
