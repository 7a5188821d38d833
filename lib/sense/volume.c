/* SPDX-License-Identifier: Apache-2.0
 *
 * Devices as sysfs shows them, and what a mount and its device come to.
 */
#include "sense/volume.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "core/fd.h"
#include "sense/proc_text.h"

#define DEVICES_MAX  64  /* that one volume is made of */
#define WORD_MAX     256 /* bytes of a file of sysfs */
#define SYS_PATH_MAX 512

const char *laz_volume_state_name(enum laz_volume_state state)
{
#define X(id, word, text) word,
    static const char *const words[] = {LAZ_VOLUME_STATES(X)};
#undef X
    return (size_t)state < LAZ_VOLUME_STATE_COUNT ? words[state] : "?";
}

const char *laz_volume_state_text(enum laz_volume_state state)
{
#define X(id, word, text) text,
    static const char *const texts[] = {LAZ_VOLUME_STATES(X)};
#undef X
    return (size_t)state < LAZ_VOLUME_STATE_COUNT ? texts[state] : "?";
}

/* ---- sysfs ---- */

/* Without the line feed and blanks at its ends; false: there is no such file. */
static bool read_word(int sys, const char *path, char ret[WORD_MAX])
{
    laz_cleanup_fd int fd = openat(sys, path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    ssize_t n = fd < 0 ? -1 : read(fd, ret, WORD_MAX - 1);
    while (n > 0 && (ret[n - 1] == '\n' || ret[n - 1] == ' ')) {
        n--;
    }
    ret[n > 0 ? n : 0] = '\0';
    return n >= 0;
}

/* "254:0" */
static bool read_device(int sys, const char *path, uint32_t *ret_major, uint32_t *ret_minor)
{
    char word[WORD_MAX];
    uint64_t major = 0;
    uint64_t minor = 0;
    if (!read_word(sys, path, word)) {
        return false;
    }
    struct laz_proc_text text = {.at = word, .end = word + strlen(word)};
    bool is_read = laz_proc_text_number(&text, LAZ_DIGITS_10, UINT32_MAX, &major) &&
            laz_proc_text_char(&text, ':') &&
            laz_proc_text_number(&text, LAZ_DIGITS_10, UINT32_MAX, &minor);
    *ret_major = (uint32_t)major;
    *ret_minor = (uint32_t)minor;
    return is_read;
}

/* Others that cryptsetup makes (VERITY, INTEGRITY) change nothing of what is written. */
static bool is_of_dm_crypt(int sys, uint32_t major, uint32_t minor)
{
    static const char *const kinds[] = {
            "LUKS1-", "LUKS2-", "PLAIN-", "LOOPAES-", "TCRYPT-", "BITLK-", "FVAULT2-"};
    static const char crypt[] = "CRYPT-";
    char path[SYS_PATH_MAX];
    char uuid[WORD_MAX];
    (void)snprintf(path, sizeof(path), "dev/block/%u:%u/dm/uuid", major, minor);
    if (!read_word(sys, path, uuid) || strncmp(uuid, crypt, strlen(crypt)) != 0) {
        return false;
    }
    for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
        if (strncmp(uuid + strlen(crypt), kinds[i], strlen(kinds[i])) == 0) {
            return true;
        }
    }
    return false;
}

struct device {
    uint32_t major;
    uint32_t minor;
};

/* What is still to be looked at: all of it has to be encrypted. */
struct devices {
    struct device items[DEVICES_MAX];
    size_t n;
};

static bool add(struct devices *devices, struct device device)
{
    if (devices->n == DEVICES_MAX) {
        return false;
    }
    devices->items[devices->n++] = device;
    return true;
}

/* What it is made of; false if that is nothing, or more than there is room for. */
static bool add_slaves(int sys, struct device device, struct devices *devices)
{
    char path[SYS_PATH_MAX];
    (void)snprintf(path, sizeof(path), "dev/block/%u:%u/slaves", device.major, device.minor);
    int fd = openat(sys, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *folder = fd < 0 ? NULL : fdopendir(fd);
    if (folder == NULL) {
        laz_fd_close(&fd);
        return false;
    }
    unsigned n = 0;
    bool is_good = true;
    for (const struct dirent *entry = readdir(folder); entry != NULL; entry = readdir(folder)) {
        struct device slave = {0};
        if (entry->d_name[0] == '.') {
            continue;
        }
        (void)snprintf(path, sizeof(path), "dev/block/%u:%u/slaves/%.255s/dev", device.major,
                device.minor, entry->d_name);
        is_good = is_good && read_device(sys, path, &slave.major, &slave.minor) &&
                add(devices, slave);
        n++;
    }
    (void)closedir(folder);
    return is_good && n > 0;
}

/* The whole of which this is a partition; false if it is none. */
static bool find_disk(int sys, struct device device, struct device *ret)
{
    char path[SYS_PATH_MAX];
    char word[WORD_MAX];
    (void)snprintf(path, sizeof(path), "dev/block/%u:%u/partition", device.major, device.minor);
    if (!read_word(sys, path, word)) {
        return false;
    }
    (void)snprintf(path, sizeof(path), "dev/block/%u:%u/../dev", device.major, device.minor);
    return read_device(sys, path, &ret->major, &ret->minor);
}

/* One that is made of itself comes to an end, too: there is no room for all of it. */
bool laz_device_is_encrypted(int sys, uint32_t major, uint32_t minor)
{
    struct devices devices = {.items = {{.major = major, .minor = minor}}, .n = 1};
    for (size_t i = 0; sys >= 0 && i < devices.n; i++) {
        const struct device device = devices.items[i];
        struct device disk = {0};
        size_t before = devices.n;
        if (is_of_dm_crypt(sys, device.major, device.minor) || add_slaves(sys, device, &devices)) {
            continue;
        }
        bool has_slaves = devices.n > before;
        if (has_slaves || !find_disk(sys, device, &disk) || !add(&devices, disk)) {
            return false;
        }
    }
    return sys >= 0;
}

void laz_device_serial(int sys, uint32_t major, uint32_t minor, char *ret, size_t size)
{
    struct device device = {.major = major, .minor = minor};
    char path[SYS_PATH_MAX];
    char word[WORD_MAX];
    (void)find_disk(sys, device, &device);
    (void)snprintf(path, sizeof(path), "dev/block/%u:%u/device/serial", device.major, device.minor);
    bool is_read = read_word(sys, path, word);
    (void)snprintf(ret, size, "%s", is_read ? word : "");
}

/* ---- what it comes to ---- */

static bool is_any(const char *word, const char *const *words)
{
    while (*words != NULL && strcmp(*words, word) != 0) {
        words++;
    }
    return *words != NULL;
}

/* efs-utils mounts from this host, where its TLS tunnel listens. */
static bool is_of_this_host(const char *source)
{
    return strncmp(source, "127.0.0.1:", 10) == 0 || strncmp(source, "[::1]:", 6) == 0;
}

/* An EBS volume's NVMe serial number is its id without the hyphen. */
static bool is_another(
        const struct laz_sense_volume *volume, int sys, const struct laz_mount *mount)
{
    char serial[WORD_MAX];
    const char *id = strstr(volume->attested_by, ":volume/vol-");
    if (id == NULL || sys < 0) {
        return false;
    }
    id += strlen(":volume/vol-");
    laz_device_serial(sys, mount->major, mount->minor, serial, sizeof(serial));
    return strncmp(serial, "vol", 3) == 0 && strcmp(serial + 3, id) != 0;
}

void laz_volume_look(const struct laz_sense_volume *volume, const char *table, size_t length,
        int sys, struct laz_volume_seen *ret)
{
    static const char *const in_memory[] = {"tmpfs", "ramfs", NULL};
    static const char *const by_network[] = {"nfs", "nfs4", "cifs", "smb3", "lustre", "ceph", "9p",
            "afs", "fuse.glusterfs", "fuse.ceph", "fuse.ceph-fuse", NULL};
    const struct laz_mount *mount = &ret->mount;
    *ret = (struct laz_volume_seen){.state = LAZ_VOLUME_ABSENT};
    if (!laz_mount_find(table, length, volume->path, &ret->mount)) {
        return;
    }
    if (is_any(mount->type, in_memory)) {
        ret->state = LAZ_VOLUME_MEMORY;
    } else if (is_any(mount->type, by_network) && !mount->is_private &&
            !is_of_this_host(mount->source)) {
        ret->state = LAZ_VOLUME_CLEAR;
    } else if (is_another(volume, sys, mount)) {
        ret->state = LAZ_VOLUME_OTHER;
    } else if (mount->major != 0 && laz_device_is_encrypted(sys, mount->major, mount->minor)) {
        ret->state = LAZ_VOLUME_ENCRYPTED;
    } else if (volume->attested_by[0] == '\0') {
        ret->state = LAZ_VOLUME_UNKNOWN;
    } else { /* who attests a volume does not mean the layer below its path */
        bool is_layer = mount->is_root && strcmp(volume->path, "/") != 0;
        ret->state = is_layer ? LAZ_VOLUME_LAYER : LAZ_VOLUME_ATTESTED;
    }
}

bool laz_volume_is_good(const struct laz_sense_volume *volume, enum laz_volume_state state)
{
    switch (state) {
    case LAZ_VOLUME_MEMORY:
    case LAZ_VOLUME_ENCRYPTED:
        return true;
    case LAZ_VOLUME_ATTESTED:
        return volume->require != LAZ_VOLUME_REQUIRE_ENCRYPTED;
    case LAZ_VOLUME_UNKNOWN:
    case LAZ_VOLUME_LAYER:
        return volume->require == LAZ_VOLUME_REQUIRE_ANY;
    case LAZ_VOLUME_CLEAR:
    case LAZ_VOLUME_OTHER:
    case LAZ_VOLUME_ABSENT:
    case LAZ_VOLUME_STATE_COUNT:
        break;
    }
    return false;
}
