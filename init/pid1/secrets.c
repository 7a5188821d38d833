/* SPDX-License-Identifier: Apache-2.0
 *
 * PID 1's side of what is fetched. Believes nothing that `fetch` says: a value that could still
 * change, or that is larger than any value may be, ends it. libc only.
 */
#include "init/pid1/secrets.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <linux/magic.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <unistd.h>

#include "core/fd.h"
#include "core/format.h"

#define SEALS     (F_SEAL_WRITE | F_SEAL_GROW | F_SEAL_SHRINK | F_SEAL_SEAL)
#define VALUE_MAX (2 * LAZ_IMAGE_SECRET_MAX + 1) /* in hex, with a line feed */
/* A value raw, as it is delivered and its members, each with its length. */
#define MASKS_MAX   ((off_t)4 * LAZ_IMAGE_SECRET_MAX + VALUE_MAX)
#define FOLDER_MODE 0755

/* ---- before anything is fetched ---- */

/* Whoever may rename in the folder gives the workload files of its own choice. */
static bool is_somebody_elses(int fd, uid_t workload)
{
    struct stat folder;
    return fstat(fd, &folder) < 0 ||
            (folder.st_uid != 0 && folder.st_uid != geteuid() && folder.st_uid != workload) ||
            ((folder.st_mode & (S_IWGRP | S_IWOTH)) != 0 && (folder.st_mode & S_ISVTX) == 0);
}

static int open_folder(const char *path, uid_t workload, struct laz_err *err)
{
    const int flags = O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC;
    struct statfs status;
    int fd = open(path, flags);
    bool is_made = fd < 0 && errno == ENOENT && mkdir(path, S_IRWXU) == 0;
    if (is_made) {
        fd = open(path, flags);
    }
    if (fd < 0 || (is_made && fchmod(fd, FOLDER_MODE) < 0) || fstatfs(fd, &status) < 0) {
        (void)laz_err_set(
                err, LAZ_E_DELIVERY, errno, "secrets.dir: %.128s: %s", path, strerror(errno));
    } else if (status.f_type != TMPFS_MAGIC) {
        (void)laz_err_set(err, LAZ_E_DELIVERY, 0,
                "secrets.dir: %.128s is not on a tmpfs: what is written there could reach a disk",
                path);
    } else if (is_somebody_elses(fd, workload)) {
        (void)laz_err_set(err, LAZ_E_DELIVERY, 0, "secrets.dir: others may write to %.128s", path);
    } else {
        return fd;
    }
    laz_fd_close(&fd);
    if (is_made) {
        (void)rmdir(path);
    }
    return -1;
}

/* The workload's numbers, kept free until there is something to put there: the table is shared with
 * the child until its execve, and what we open ourselves must not be in the way. */
static int reserve(struct laz_secrets *secrets, uint32_t number, struct laz_err *err)
{
    int fd = fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, (int)number);
    if (fd == (int)number) {
        secrets->fds[secrets->n_fds++] = fd;
        return 0;
    }
    int cause = fd < 0 ? errno : EBUSY;
    laz_fd_close(&fd);
    return laz_err_set(err, LAZ_E_DELIVERY, cause, "secrets: descriptor %u: %s", number,
            cause == EINVAL ? "above the limit of open files" : strerror(cause));
}

static bool may_give(const struct laz_probe *probe, const struct laz_image *image)
{
    return probe->uid == image->uid || (probe->effective >> CAP_CHOWN & 1) != 0;
}

static int memory_file(const void *bytes, size_t length, struct laz_err *err)
{
    int fd = memfd_create("lazaret-inherited", MFD_CLOEXEC | MFD_ALLOW_SEALING);
    if (fd < 0 || laz_fd_write_all(fd, bytes, length, err) < 0 ||
            fcntl(fd, F_ADD_SEALS, SEALS) < 0) {
        (void)laz_err_set_errno(err, LAZ_E_SYSTEM, "memfd");
        laz_fd_close(&fd);
    }
    return fd;
}

static const char *value_of(const char *entry, const char *name)
{
    size_t length = strlen(name);
    return strncmp(entry, name, length) == 0 && entry[length] == '=' ? entry + length + 1 : NULL;
}

static const char *find(char *const *environment, const char *name)
{
    for (; *environment != NULL; environment++) {
        const char *value = value_of(*environment, name);
        if (value != NULL) {
            return value;
        }
    }
    return NULL;
}

/* Whoever is started after this does not inherit it, and /proc/1/environ does not show it. */
static void remove_variable(char **environment, const char *name)
{
    char **kept = environment;
    for (; *environment != NULL; environment++) {
        if (value_of(*environment, name) != NULL) {
            explicit_bzero(*environment, strlen(*environment));
        } else {
            *kept++ = *environment;
        }
    }
    *kept = NULL;
}

static int inherit(struct laz_secrets *secrets, char **environment, struct laz_err *err)
{
    const struct laz_strings *names = &secrets->image->inherited;
    const char *cursor = names->first;
    for (uint32_t i = 0; i < names->n; i++) {
        const char *name = laz_strings_next(&cursor);
        const char *value = name[0] == '\0' ? NULL : find(environment, name);
        secrets->inherited[i] = -1;
        if (value == NULL) {
            continue;
        }
        secrets->inherited[i] = memory_file(value, strlen(value), err);
        if (secrets->inherited[i] < 0) {
            return -1;
        }
    }
    cursor = names->first; /* two items may name the same one */
    for (uint32_t i = 0; i < names->n; i++) {
        const char *name = laz_strings_next(&cursor);
        if (name[0] != '\0') {
            remove_variable(environment, name);
        }
    }
    return 0;
}

/* Of one run: every fetch of it makes the same fingerprint of the same value, and no other run
 * does. */
static int make_key(struct laz_secrets *secrets, struct laz_err *err)
{
    uint8_t key[LAZ_FINGERPRINT_KEY_SIZE];
    if (getrandom(key, sizeof(key), 0) != (ssize_t)sizeof(key) ||
            getrandom(&secrets->seed, sizeof(secrets->seed), 0) != (ssize_t)sizeof(secrets->seed)) {
        return laz_err_set_errno(err, LAZ_E_SYSTEM, "getrandom");
    }
    secrets->key = memory_file(key, sizeof(key), err);
    explicit_bzero(key, sizeof(key));
    return secrets->key < 0 ? -1 : 0;
}

/* None of what an item owns is there yet. */
static void clear_items(struct laz_secrets *secrets)
{
    for (uint32_t i = 0; i < secrets->image->fetched.n; i++) {
        struct laz_secret_item *item = &secrets->items[i];
        item->value = item->fresh = item->fresh_masks = -1;
        for (unsigned k = 0; k < LAZ_MASKS_KEPT; k++) {
            item->masks[k] = -1;
        }
    }
}

int laz_secrets_begin(struct laz_secrets *secrets, const struct laz_image *image,
        const struct laz_probe *probe, char **environment, struct laz_err *err)
{
    bool has_files = false;
    secrets->image = image;
    secrets->phase = LAZ_SECRETS_WAITING;
    secrets->folder = secrets->key = -1;
    secrets->next = image->deliveries;
    secrets->generation = 1;
    clear_items(secrets);
    const uint8_t *cursor = image->deliveries;
    for (uint32_t i = 0; i < image->n_deliveries; i++) {
        struct laz_image_delivery delivery;
        laz_image_delivery_next(&cursor, &delivery);
        has_files = has_files || delivery.fd == 0;
        if (delivery.fd >= LAZ_IMAGE_FD_MIN && reserve(secrets, delivery.fd, err) < 0) {
            return -1;
        }
    }
    if (!may_give(probe, image)) {
        return laz_err_set(err, LAZ_E_DELIVERY, EPERM,
                "secrets: lazaret-init lacks CAP_CHOWN, and cannot give a secret to user %u",
                image->uid);
    }
    if (has_files) {
        secrets->folder = open_folder(image->secrets_dir, image->uid, err);
        if (secrets->folder < 0) {
            return -1;
        }
    }
    return inherit(secrets, environment, err) < 0 ? -1 : make_key(secrets, err);
}

/* ---- what fetch says ---- */

uint32_t laz_secrets_all(const struct laz_secrets *secrets)
{
    return UINT32_MAX >> (LAZ_IMAGE_FETCHED_MAX - secrets->image->fetched.n);
}

void laz_secrets_forget(struct laz_secrets *secrets, uint32_t wanted)
{
    for (uint32_t i = 0; i < secrets->image->fetched.n; i++) {
        struct laz_secret_item *item = &secrets->items[i];
        laz_fd_close(&item->fresh);
        laz_fd_close(&item->fresh_masks);
        item->said.is_known = item->is_changed = false;
    }
    secrets->wanted = wanted;
    secrets->is_done = false;
}

bool laz_secrets_differs(const struct laz_secret_item *item)
{
    return item->now.outcome != LAZ_OUTCOME_FETCHED ||
            strcmp(item->now.fingerprint, item->said.fingerprint) != 0;
}

void laz_secrets_push_masks(struct laz_secret_item *item)
{
    laz_fd_close(&item->masks[LAZ_MASKS_KEPT - 2]);
    for (unsigned i = LAZ_MASKS_KEPT - 2; i > 0; i--) {
        item->masks[i] = item->masks[i - 1];
    }
    item->masks[0] = item->fresh_masks;
    item->fresh_masks = -1;
}

static int broken(struct laz_err *err, const char *what)
{
    return laz_err_set(err, LAZ_E_SECRET, 0, "lazaret-helper fetch sent %s", what);
}

/* Whoever still has it cannot change it any more. */
static int check_sealed(int fd, off_t most, struct laz_err *err)
{
    struct stat status;
    int seals = fcntl(fd, F_GET_SEALS);
    if (seals < 0 || ((unsigned)seals & SEALS) != SEALS) {
        return broken(err, "a value that is not sealed");
    }
    if (fstat(fd, &status) < 0 || !S_ISREG(status.st_mode) || status.st_size > most) {
        return broken(err, "a value that is too large");
    }
    return 0;
}

/* Of this item fetch may speak. */
static bool is_wanted(const struct laz_secrets *secrets, uint32_t item)
{
    return item < secrets->image->fetched.n && (secrets->wanted >> item & 1) != 0;
}

static bool is_first(const struct laz_secrets *secrets)
{
    return secrets->phase == LAZ_SECRETS_FETCHING;
}

static int on_item(struct laz_secrets *secrets, struct laz_fields *fields, struct laz_err *err)
{
    uint32_t number = laz_fields_u32(fields);
    uint8_t outcome = laz_fields_u8(fields);
    uint64_t renew = laz_fields_u64(fields);
    uint64_t expires = laz_fields_u64(fields);
    const char *version = laz_fields_string(fields);
    const char *fingerprint = laz_fields_string(fields);
    const char *why = laz_fields_string(fields);
    if (!laz_fields_done(fields) || !is_wanted(secrets, number) || outcome >= LAZ_OUTCOME_COUNT ||
            (outcome == LAZ_OUTCOME_FAILED && is_first(secrets)) ||
            strlen(version) > LAZ_SECRET_VERSION_MAX ||
            strlen(fingerprint) > LAZ_SECRET_FINGERPRINT_MAX || strlen(why) > LAZ_WHY_MAX) {
        return broken(err, "what came of an item that there is not");
    }
    struct laz_secret_seen *said = &secrets->items[number].said;
    said->is_known = true;
    said->outcome = (enum laz_outcome)outcome;
    said->renew = renew;
    said->expires = expires;
    (void)laz_format(said->version, sizeof(said->version), "%s", version);
    (void)laz_format(said->fingerprint, sizeof(said->fingerprint), "%s", fingerprint);
    if (why[0] != '\0') {
        (void)laz_format(secrets->why[number], sizeof(secrets->why[number]), "%s", why);
        laz_format_printable(secrets->why[number]);
    }
    return 0;
}

static int on_value(
        struct laz_secrets *secrets, struct laz_fields *fields, int *fd, struct laz_err *err)
{
    uint32_t number = laz_fields_u32(fields);
    if (!laz_fields_done(fields) || !is_wanted(secrets, number)) {
        return broken(err, "the value of an item that there is not");
    }
    if (check_sealed(*fd, VALUE_MAX, err) < 0) {
        return laz_err_context(err, "item \"%s\"", laz_secrets_name(secrets, number));
    }
    laz_fd_close(&secrets->items[number].fresh);
    secrets->items[number].fresh = *fd;
    *fd = -1;
    return 0;
}

static int on_masks(
        struct laz_secrets *secrets, struct laz_fields *fields, int *fd, struct laz_err *err)
{
    uint32_t number = laz_fields_u32(fields);
    if (!laz_fields_done(fields) || !is_wanted(secrets, number)) {
        return broken(err, "the masks of an item that there is not");
    }
    if (check_sealed(*fd, MASKS_MAX, err) < 0) {
        return laz_err_context(err, "item \"%s\"", laz_secrets_name(secrets, number));
    }
    laz_fd_close(&secrets->items[number].fresh_masks);
    secrets->items[number].fresh_masks = *fd;
    *fd = -1;
    return 0;
}

/* All of them were wanted, and all are there: what was said is what is so. */
static void take_first(struct laz_secrets *secrets)
{
    for (uint32_t i = 0; i < secrets->image->fetched.n; i++) {
        struct laz_secret_item *item = &secrets->items[i];
        laz_fd_close(&secrets->inherited[i]);
        item->value = item->fresh;
        item->fresh = -1;
        item->now = item->said;
        item->masks[LAZ_MASKS_KEPT - 1] = item->fresh_masks; /* -1: it is not there */
        item->fresh_masks = -1;
    }
    if (secrets->image->refresh_ms == 0) {
        laz_fd_close(&secrets->inherited[secrets->image->fetched.n]);
    }
    secrets->phase = LAZ_SECRETS_DELIVERING;
}

static int on_done(struct laz_secrets *secrets, struct laz_fields *fields, struct laz_err *err)
{
    bool is_whole = laz_fields_done(fields);
    for (uint32_t i = 0; i < secrets->image->fetched.n; i++) {
        const struct laz_secret_item *item = &secrets->items[i];
        bool is_there = item->fresh >= 0 && item->fresh_masks >= 0;
        is_whole = is_whole &&
                (!is_wanted(secrets, i) ||
                        (item->said.is_known &&
                                is_there == (item->said.outcome == LAZ_OUTCOME_FETCHED)));
    }
    if (!is_whole) {
        return broken(err, "the end, and not everything before it");
    }
    secrets->is_done = true;
    if (is_first(secrets)) {
        take_first(secrets);
    } else {
        secrets->phase = LAZ_SECRETS_REFETCHED;
    }
    return 0;
}

int laz_secrets_told(struct laz_secrets *secrets, struct laz_message *message, struct laz_err *err)
{
    struct laz_fields fields;
    laz_cleanup_fd int fd = message->n_fds > 0 ? message->fds[0] : -1;
    laz_fields_begin(&fields, message);
    if (!is_first(secrets) && secrets->phase != LAZ_SECRETS_REFETCHING) {
        return 0; /* it may not have heard yet that it is over */
    }
    if (message->type == LAZ_MESSAGE_ITEM) {
        return on_item(secrets, &fields, err);
    }
    if (message->type == LAZ_MESSAGE_VALUE) {
        return on_value(secrets, &fields, &fd, err);
    }
    if (message->type == LAZ_MESSAGE_MASKS) {
        return on_masks(secrets, &fields, &fd, err);
    }
    return message->type == LAZ_MESSAGE_DONE ? on_done(secrets, &fields, err) : 0;
}

void laz_secrets_refuse(struct laz_secrets *secrets, const struct laz_err *why)
{
    (void)laz_err_set(&secrets->err, why->kind, why->sys_errno, "%s", why->message);
    secrets->phase = LAZ_SECRETS_OVER;
}
