/* SPDX-License-Identifier: Apache-2.0
 *
 * Volumes that the policy names: looked at before the workload starts, which one that is not as it
 * should be prevents, and again whenever something is mounted. Opens nothing of a volume.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/fd.h"
#include "init/sense/sense.h"

/* Owned; NULL with errno: it cannot be read. */
static char *read_table(const struct laz_sense *sense, size_t *ret_length)
{
    laz_cleanup_fd int fd = openat(sense->volumes.proc, "self/mountinfo", O_RDONLY | O_CLOEXEC);
    char *table = fd < 0 ? NULL : malloc(LAZ_MOUNTS_MAX);
    size_t length = 0;
    ssize_t n = table == NULL ? 0 : 1;
    while (n > 0 && length < LAZ_MOUNTS_MAX) {
        n = read(fd, table + length, LAZ_MOUNTS_MAX - length);
        length += n > 0 ? (size_t)n : 0;
    }
    if (table != NULL && (n < 0 || length == LAZ_MOUNTS_MAX)) {
        errno = n < 0 ? errno : EFBIG;
        free(table);
        return NULL;
    }
    *ret_length = length;
    return table;
}

/* "" if each part of the path is a folder; or what it is not. A link could lead elsewhere. */
static const char *check_path(const char *path)
{
    char part[LAZ_SENSE_PATH_MAX];
    struct stat status;
    for (const char *at = path; *at != '\0';) {
        at += 1 + strcspn(at + 1, "/");
        (void)snprintf(part, sizeof(part), "%.*s", (int)(at - path), path);
        if (lstat(part, &status) < 0) {
            return strerror(errno);
        }
        if (S_ISLNK(status.st_mode)) {
            return "a part of it is a link";
        }
    }
    return "";
}

/* What it has no right to look at is as it was. */
static bool is_led_away(const char *path)
{
    const char *wrong = check_path(path);
    return wrong[0] != '\0' && strcmp(wrong, strerror(EACCES)) != 0;
}

static void put_mount(struct laz_json *json, const struct laz_mount *mount)
{
    char device[32];
    (void)snprintf(device, sizeof(device), "%u:%u", mount->major, mount->minor);
    laz_json_string(json, "fs", mount->type);
    laz_json_string(json, "source", mount->source);
    laz_json_string(json, "device", device);
}

static void tell(struct laz_sense *sense, uint32_t i, const struct laz_volume_seen *was,
        const struct laz_volume_seen *now)
{
    const struct laz_sense_volume *volume = &sense->config.volumes[i];
    struct laz_find find;
    struct laz_json json;
    struct laz_buf detail;
    bool is_good = laz_volume_is_good(volume, now->state);
    bool was_good = laz_volume_is_good(volume, was->state);
    laz_sense_find(&find, LAZ_SENSE_EVENT_VOLUME_CHANGE, &json, &detail);
    (void)snprintf(find.obj, sizeof(find.obj), "%s", volume->path);
    (void)snprintf(find.act, sizeof(find.act), "%s",
            !is_good           ? "violated"
                    : was_good ? "changed"
                               : "restored");
    laz_json_string(&json, "state", laz_volume_state_name(now->state));
    laz_json_string(&json, "was", laz_volume_state_name(was->state));
    laz_json_string(&json, "require", laz_volume_require_name(volume->require));
    put_mount(&json, &now->mount);
    laz_sense_tell(sense, &find, &detail);
}

static bool is_same(const struct laz_volume_seen *a, const struct laz_volume_seen *b)
{
    return a->state == b->state && a->mount.id == b->mount.id;
}

static void look(struct laz_sense *sense, uint32_t i, const char *table, size_t length,
        struct laz_volume_seen *ret)
{
    *ret = (struct laz_volume_seen){.state = LAZ_VOLUME_ABSENT};
    if (table != NULL && !is_led_away(sense->config.volumes[i].path)) {
        laz_volume_look(&sense->config.volumes[i], table, length, sense->volumes.sys, ret);
    }
}

static int refuse(const struct laz_sense *sense, uint32_t i, const char *why, struct laz_err *err)
{
    const struct laz_sense_volume *volume = &sense->config.volumes[i];
    const struct laz_mount *mount = &sense->volumes.seen[i].mount;
    if (mount->type[0] == '\0') {
        return laz_err_set(err, LAZ_E_VOLUME, 0, "volumes[%s]: %s", volume->path, why);
    }
    return laz_err_set(err, LAZ_E_VOLUME, 0, "volumes[%s]: %s: %s, %s of %s; required is %s",
            volume->path, laz_volume_state_name(sense->volumes.seen[i].state), why, mount->type,
            mount->source, laz_volume_require_name(volume->require));
}

int laz_sense_volumes_begin(struct laz_sense *sense, struct laz_err *err)
{
    struct laz_sense_volumes *volumes = &sense->volumes;
    size_t length = 0;
    if (sense->config.n_volumes == 0) {
        return 0;
    }
    volumes->proc = open("/proc", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    volumes->sys = open("/sys", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    volumes->mounts = openat(volumes->proc, "self/mountinfo", O_RDONLY | O_CLOEXEC);
    char *table = volumes->mounts < 0 ? NULL : read_table(sense, &length);
    int result = table != NULL ? 0
                               : laz_err_set(err, LAZ_E_VOLUME, errno,
                                         "volumes: /proc/self/mountinfo: %s", strerror(errno));
    for (uint32_t i = 0; result == 0 && i < sense->config.n_volumes; i++) {
        const struct laz_sense_volume *volume = &sense->config.volumes[i];
        const char *wrong = check_path(volume->path);
        look(sense, i, table, length, &volumes->seen[i]);
        if (wrong[0] != '\0') {
            volumes->seen[i] = (struct laz_volume_seen){.state = LAZ_VOLUME_ABSENT};
        }
        if (sense->is_first && !laz_volume_is_good(volume, volumes->seen[i].state)) {
            result = refuse(sense, i,
                    wrong[0] != '\0' ? wrong : laz_volume_state_text(volumes->seen[i].state), err);
        }
    }
    free(table);
    return result;
}

/* After a predecessor: what it said is not known, and what is wrong now is said once more. */
void laz_sense_volumes_told(struct laz_sense *sense)
{
    for (uint32_t i = 0; !sense->is_first && i < sense->config.n_volumes; i++) {
        const struct laz_volume_seen *seen = &sense->volumes.seen[i];
        if (!laz_volume_is_good(&sense->config.volumes[i], seen->state)) {
            tell(sense, i, seen, seen);
        }
    }
}

void laz_sense_put_volumes(const struct laz_sense *sense, struct laz_json *json)
{
    if (sense->config.n_volumes == 0) {
        return;
    }
    laz_json_object(json, "volumes");
    for (uint32_t i = 0; i < sense->config.n_volumes; i++) {
        laz_json_string(json, sense->config.volumes[i].path,
                laz_volume_state_name(sense->volumes.seen[i].state));
    }
    laz_json_object_end(json);
}

/* Something was mounted, or a path leads elsewhere, of which the table of mounts knows nothing. */
static bool is_to_be_looked_at(const struct laz_sense *sense)
{
    struct pollfd mounts = {.fd = sense->volumes.mounts, .events = POLLPRI};
    bool is = poll(&mounts, 1, 0) == 1;
    for (uint32_t i = 0; i < sense->config.n_volumes && !is; i++) {
        bool was_led_away = sense->volumes.seen[i].state == LAZ_VOLUME_ABSENT;
        is = is_led_away(sense->config.volumes[i].path) != was_led_away;
    }
    return is;
}

void laz_sense_look_at_volumes(struct laz_sense *sense)
{
    size_t length = 0;
    if (sense->config.n_volumes == 0 || !is_to_be_looked_at(sense)) {
        return;
    }
    char *table = read_table(sense, &length);
    for (uint32_t i = 0; i < sense->config.n_volumes; i++) {
        struct laz_volume_seen now;
        look(sense, i, table, length, &now);
        if (!is_same(&now, &sense->volumes.seen[i])) {
            tell(sense, i, &sense->volumes.seen[i], &now);
            sense->volumes.seen[i] = now;
        }
    }
    free(table);
}
