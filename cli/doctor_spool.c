/* SPDX-License-Identifier: Apache-2.0
 *
 * The folder of a policy's spool, as it is: can it be had, what is it on, how full is it? Makes
 * nothing and changes nothing there; holds no lock, so that a container may be using it.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "audit/spool_format.h"
#include "cli/doctor.h"
#include "core/fd.h"
#include "core/num.h"

#define LEAST       4096 /* beside its head, what a segment is begun for */
#define NEARLY_FULL 5    /* of which four parts are taken */
#define MIB(bytes)  ((unsigned long long)((bytes) >> 20))

/* The nearest folder that is there. */
static void find_there(const char *path, char *ret, size_t size)
{
    struct stat status;
    (void)snprintf(ret, size, "%s", path);
    for (char *slash = strrchr(ret, '/'); slash != NULL && stat(ret, &status) < 0;
            slash = strrchr(ret, '/')) {
        slash[slash == ret ? 1 : 0] = '\0';
        if (slash == ret) {
            return;
        }
    }
}

static const char *lasts(const struct statfs *status)
{
    switch (status->f_type) {
    case TMPFS_MAGIC:
    case RAMFS_MAGIC:
        return "in memory: what no sink has acknowledged ends with the container";
    case OVERLAYFS_SUPER_MAGIC:
        return "of the container's own layer: what no sink has acknowledged ends with it";
    default:
        return "what no sink has acknowledged lasts as long as that file system";
    }
}

/* 0, or an errno. */
static int judge_folder(const char *dir, const char *there, struct statfs *ret)
{
    struct stat status;
    if (lstat(dir, &status) == 0 && S_ISLNK(status.st_mode)) {
        return ELOOP; /* lazaret-helper follows none */
    }
    if (stat(there, &status) < 0 || statfs(there, ret) < 0) {
        return errno;
    }
    if (!S_ISDIR(status.st_mode)) {
        return ENOTDIR;
    }
    return access(there, W_OK | X_OK) < 0 ? errno : 0;
}

static void look_at_folder(
        struct laz_doctor *doctor, const struct laz_policy_shipping *shipping, uint64_t used)
{
    char there[LAZ_DOCTOR_TEXT_MAX / 2];
    struct statfs system;
    const char *dir = shipping->spool_dir;
    struct laz_doctor_line *line = laz_doctor_add(doctor, "spool", LAZ_DOCTOR_YES);
    find_there(dir, there, sizeof(there));
    bool is_there = strcmp(there, dir) == 0;
    int why = judge_folder(dir, there, &system);
    if (why != 0) {
        line->state = LAZ_DOCTOR_NO;
        line->is_vital = true;
        laz_doctor_say(line, "%.400s: %s%.400s%s", dir, is_there ? "" : there, is_there ? "" : ": ",
                strerror(why));
        line->means = "no policy with sinks starts without its spool (106)";
        line->remedy = "Mount a volume or a tmpfs there that this user may write to.";
        return;
    }
    uint64_t max = shipping->config.spool_max_bytes;
    uint64_t wanted = max > used ? max - used : 0;
    laz_doctor_say(line, "%.400s %s: %s, %llu MiB free, %llu MiB wanted", dir,
            is_there ? "is there and may be written to" : "can be made",
            laz_doctor_file_system(&system), MIB(laz_doctor_free(&system)), MIB(wanted));
    line->means = lasts(&system);
    if (laz_doctor_free(&system) < wanted) {
        line->state = LAZ_DOCTOR_NO;
        line->remedy = "Make room, or lower spool.max: a spool that finds no room is full early.";
    }
}

struct content {
    unsigned segments;
    unsigned sealed; /* to somebody */
    uint64_t bytes;
    uint64_t sealed_bytes;
};

static bool is_segment(const char *name)
{
    return strlen(name) == LAZ_SPOOL_NAME_SIZE - 1 && strspn(name, "0123456789") == 8 &&
            strcmp(name + 8, ".lzs") == 0;
}

/* Whether its key can be had by anybody: the number of seals stands in its head. */
static bool is_sealed(int folder, const char *name)
{
    uint8_t bytes[LAZ_SPOOL_HEAD_MAX];
    struct laz_spool_head head;
    laz_cleanup_fd int fd = openat(folder, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
    ssize_t n = fd < 0 ? -1 : read(fd, bytes, sizeof(bytes));
    return n > 0 && laz_spool_head_decode(bytes, (size_t)n, &head) == NULL && head.n_seals > 0;
}

static bool count(const char *dir, struct content *ret)
{
    DIR *folder = opendir(dir);
    if (folder == NULL) {
        return false;
    }
    for (const struct dirent *entry = readdir(folder); entry != NULL; entry = readdir(folder)) {
        struct stat status;
        if (!is_segment(entry->d_name) ||
                fstatat(dirfd(folder), entry->d_name, &status, AT_SYMLINK_NOFOLLOW) < 0 ||
                !S_ISREG(status.st_mode)) {
            continue;
        }
        bool sealed = is_sealed(dirfd(folder), entry->d_name);
        ret->segments++;
        ret->bytes += (uint64_t)status.st_size;
        ret->sealed += sealed ? 1 : 0;
        ret->sealed_bytes += sealed ? (uint64_t)status.st_size : 0;
    }
    (void)closedir(folder);
    return true;
}

/* What is sealed and cannot be opened here stays, run after run. */
static void look_at_content(struct laz_doctor *doctor, const struct laz_policy_shipping *shipping,
        const struct content *content)
{
    uint64_t max = shipping->config.spool_max_bytes;
    bool stays = shipping->config.open_with[0] == '\0' && content->sealed > 0;
    struct laz_doctor_line *line = laz_doctor_add(doctor, "spool-content", LAZ_DOCTOR_YES);
    laz_doctor_say(line,
            "%u segments, %llu of %llu KiB; %u of them, %llu KiB, sealed to a "
            "recovery key",
            content->segments, (unsigned long long)content->bytes >> 10,
            (unsigned long long)max >> 10, content->sealed,
            (unsigned long long)content->sealed_bytes >> 10);
    line->means = content->segments == 0 ? "nothing is left of earlier runs"
            : stays ? "what a run before this one left stays until somebody takes it out; what a "
                      "container writes there now counts too"
                    : "the next run ships or drops what earlier ones left";
    if (stays && content->sealed_bytes >= max / NEARLY_FULL * (NEARLY_FULL - 1)) {
        line->state = LAZ_DOCTOR_NO;
        line->is_vital = content->sealed_bytes + LAZ_SPOOL_HEAD_FIXED + LEAST > max;
        line->means = line->is_vital ? "the next run finds no room, and refuses with 106"
                                     : "nearly full: a run that finds no room refuses with 106";
        line->remedy = "lazaret spool read --key recovery.key DIR > left.jsonl, keep that, and "
                       "remove the segments while no container uses them; or name the key in "
                       "spool.open-with.";
    }
}

void laz_doctor_look_at_spool(struct laz_doctor *doctor, const struct laz_policy_shipping *shipping)
{
    struct content content = {0};
    bool is_there = count(shipping->spool_dir, &content);
    look_at_folder(doctor, shipping, content.bytes);
    if (is_there) {
        look_at_content(doctor, shipping, &content);
    }
}
