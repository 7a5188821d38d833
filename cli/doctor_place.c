/* SPDX-License-Identifier: Apache-2.0
 *
 * Where a container would be: file systems in memory, its IPC namespace, locked memory, and whether
 * the helpers' users are free. Only reads.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cli/doctor.h"
#include "core/fd.h"
#include "core/num.h"
#include "core/resolve.h"
#include "ipc/control.h"

#define IPC_FIRST    UINT64_C(0xefffffff) /* the kernel's own number of its first IPC namespace */
#define HELPER_FIRST 65311
#define HELPER_LAST  65315
#define DATABASE_MAX 1048576

const char *laz_doctor_file_system(const struct statfs *status)
{
    static const struct {
        uint64_t magic;
        const char *name;
    } known[] = {{TMPFS_MAGIC, "tmpfs"}, {RAMFS_MAGIC, "ramfs"}, {OVERLAYFS_SUPER_MAGIC, "overlay"},
            {EXT4_SUPER_MAGIC, "ext4"}, {XFS_SUPER_MAGIC, "xfs"}, {BTRFS_SUPER_MAGIC, "btrfs"},
            {NFS_SUPER_MAGIC, "nfs"}, {FUSE_SUPER_MAGIC, "fuse"}, {SQUASHFS_MAGIC, "squashfs"},
            {V9FS_MAGIC, "9p"}};
    for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++) {
        if ((uint64_t)status->f_type == known[i].magic) {
            return known[i].name;
        }
    }
    return "another file system";
}

uint64_t laz_doctor_free(const struct statfs *status)
{
    return (uint64_t)status->f_bavail * (uint64_t)status->f_bsize;
}

static void look_at_tmpfs(struct laz_doctor *doctor)
{
    static const char *const folders[] = {"/run", "/dev/shm", "/tmp"};
    struct laz_doctor_line *line = laz_doctor_add(doctor, "tmpfs", LAZ_DOCTOR_NO);
    struct laz_buf text;
    laz_buf_init_fixed(&text, line->seen, sizeof(line->seen));
    for (size_t i = 0; i < sizeof(folders) / sizeof(folders[0]); i++) {
        struct statfs status;
        laz_buf_printf(&text, "%s%s: ", i == 0 ? "" : "; ", folders[i]);
        if (statfs(folders[i], &status) < 0) {
            laz_buf_str(&text, strerror(errno));
            continue;
        }
        laz_buf_printf(&text, "%s, %llu MiB free", laz_doctor_file_system(&status),
                (unsigned long long)(laz_doctor_free(&status) >> 20));
        line->state = status.f_type == TMPFS_MAGIC ? LAZ_DOCTOR_YES : line->state;
    }
    line->means = "what lies on a tmpfs is in memory and ends with the container";
    line->remedy = line->state == LAZ_DOCTOR_YES ? NULL : "Mount a tmpfs at /run.";
}

static void look_at_ipc(struct laz_doctor *doctor)
{
    static const char start[] = "ipc:[";
    char text[64];
    uint64_t number = 0;
    ssize_t n = readlink("/proc/self/ns/ipc", text, sizeof(text) - 1);
    text[n > 0 ? n : 0] = '\0';
    const char *digits = text + (n > 0 ? sizeof(start) - 1 : 0);
    struct laz_doctor_line *line = laz_doctor_add(doctor, "ipc-namespace", LAZ_DOCTOR_UNKNOWN);
    line->means = "System V shared memory and message queues are the container's own";
    if (n <= 0 || strncmp(text, start, sizeof(start) - 1) != 0 ||
            !laz_parse_u64(digits, strcspn(digits, "]"), UINT32_MAX, &number)) {
        laz_doctor_say(line, "/proc/self/ns/ipc: %s", n < 0 ? strerror(errno) : "of another form");
        return;
    }
    line->state = number == IPC_FIRST ? LAZ_DOCTOR_NO : LAZ_DOCTOR_YES;
    laz_doctor_say(line, "%s", number == IPC_FIRST ? "the host's" : "one of its own");
    if (number == IPC_FIRST) {
        line->means = "System V shared memory and message queues are shared with the host";
        line->remedy = "Start the container without the host's IPC namespace.";
    }
}

static void look_at_locked_memory(struct laz_doctor *doctor)
{
    struct rlimit limit = {0};
    bool is_known = getrlimit(RLIMIT_MEMLOCK, &limit) == 0;
    struct laz_doctor_line *line =
            laz_doctor_add(doctor, "locked-memory", is_known ? LAZ_DOCTOR_YES : LAZ_DOCTOR_UNKNOWN);
    if (!is_known) {
        laz_doctor_say(line, "getrlimit: %s", strerror(errno));
    } else if (limit.rlim_max == RLIM_INFINITY) {
        laz_doctor_say(line, "no limit");
    } else {
        laz_doctor_say(line, "%llu KiB may be locked, %llu KiB at most",
                (unsigned long long)limit.rlim_cur >> 10, (unsigned long long)limit.rlim_max >> 10);
    }
    line->means = "limits.locked-memory can be anything up to that; Lazaret itself locks none";
}

/* ---- The helpers' users ---- */

static bool is_helpers(uint64_t id)
{
    return id >= HELPER_FIRST && id <= HELPER_LAST;
}

/* The third field of a line of passwd or group; the first is the name. */
static bool take_id(const char *line, uint64_t *ret)
{
    for (unsigned i = 0; i < 2; i++) {
        size_t length = strcspn(line, ":\n");
        if (line[length] != ':') {
            return false;
        }
        line += length + 1;
    }
    return laz_parse_u64(line, strcspn(line, ":\n"), UINT32_MAX, ret);
}

static bool find_in(const char *root, const char *file, struct laz_doctor_line *line)
{
    char path[LAZ_DOCTOR_TEXT_MAX / 2];
    struct laz_err ignored = {0};
    size_t length = 0;
    int n = snprintf(path, sizeof(path), "%s%s", root, file);
    laz_cleanup_fd int fd = n > 0 && (size_t)n < sizeof(path)
            ? laz_resolve_open_in(root, file, O_RDONLY | O_NONBLOCK | O_NOCTTY)
            : -1;
    char *text = fd < 0 ? NULL : calloc(1, DATABASE_MAX + 1);
    bool found = false;
    if (text != NULL && laz_fd_read_all(fd, text, DATABASE_MAX, &length, &ignored) == 0) {
        for (const char *at = text; *at != '\0' && !found;) {
            uint64_t id = 0;
            found = take_id(at, &id) && is_helpers(id);
            if (found) {
                laz_doctor_say(line, "%llu is %.*s in %s", (unsigned long long)id,
                        (int)strcspn(at, ":"), at, path);
            }
            at += strcspn(at, "\n");
            at += *at == '\n' ? 1 : 0;
        }
    }
    free(text);
    return found;
}

static bool is_lazarets(const char *pid)
{
    char path[64];
    char name[32] = "";
    (void)snprintf(path, sizeof(path), "/proc/%.20s/comm", pid);
    laz_cleanup_fd int fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t n = fd < 0 ? -1 : read(fd, name, sizeof(name) - 1);
    return n > 0 && strncmp(name, "lazaret-", strlen("lazaret-")) == 0;
}

static bool find_running(struct laz_doctor_line *line)
{
    DIR *folder = opendir("/proc");
    bool found = false;
    const struct dirent *entry = folder == NULL ? NULL : readdir(folder);
    for (; entry != NULL && !found; entry = readdir(folder)) {
        struct stat status;
        uint64_t pid = 0;
        found = laz_parse_u64(entry->d_name, strlen(entry->d_name), INT32_MAX, &pid) &&
                fstatat(dirfd(folder), entry->d_name, &status, AT_SYMLINK_NOFOLLOW) == 0 &&
                is_helpers(status.st_uid) && !is_lazarets(entry->d_name);
        if (found) {
            laz_doctor_say(line, "process %s runs as user %u", entry->d_name, status.st_uid);
        }
    }
    if (folder != NULL) {
        (void)closedir(folder);
    }
    return found;
}

static void look_at_helper_users(struct laz_doctor *doctor, const char *root)
{
    struct laz_doctor_line *line = laz_doctor_add(doctor, "helper-users", LAZ_DOCTOR_YES);
    laz_doctor_say(line, "%d to %d are nobody's", HELPER_FIRST, HELPER_LAST);
    line->means = "the helpers of a container that starts as root have users of their own";
    if (find_in(root, "/etc/passwd", line) || find_in(root, "/etc/group", line) ||
            find_running(line)) {
        line->state = LAZ_DOCTOR_NO;
        line->means = "who shares a helper's user or group can read what the helper can";
        line->remedy = "Give it another number.";
    }
}

/* Ours, or one that we could make. Nothing is made here. */
static bool can_have(const char *folder)
{
    char parent[LAZ_DOCTOR_TEXT_MAX];
    struct stat status;
    int flags = AT_EACCESS;
    if (lstat(folder, &status) == 0) {
        return S_ISDIR(status.st_mode) && status.st_uid == geteuid() &&
                faccessat(AT_FDCWD, folder, W_OK | X_OK, flags) == 0;
    }
    int n = snprintf(parent, sizeof(parent), "%.*s", (int)(strrchr(folder, '/') - folder), folder);
    return n > 0 && faccessat(AT_FDCWD, parent, W_OK | X_OK, flags) == 0;
}

bool laz_doctor_has_sockets(void)
{
    for (unsigned i = 0; i < LAZ_CONTROL_FOLDER_COUNT; i++) {
        if (can_have(laz_control_folder(i))) {
            return true;
        }
    }
    return false;
}

void laz_doctor_look_around(struct laz_doctor *doctor, const char *root)
{
    look_at_tmpfs(doctor);
    look_at_ipc(doctor);
    look_at_locked_memory(doctor);
    look_at_helper_users(doctor, root);
}
