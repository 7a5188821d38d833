/* SPDX-License-Identifier: Apache-2.0
 *
 * PID 1's side of the secrets. Believes nothing that `fetch` says: a value that could still change,
 * or that is larger than any value may be, ends it. libc only.
 */
#include "init/pid1/secrets.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <linux/magic.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <unistd.h>

#include "core/fd.h"
#include "core/format.h"
#include "init/pid1/deliver.h"

#define SEALS     (F_SEAL_WRITE | F_SEAL_GROW | F_SEAL_SHRINK | F_SEAL_SEAL)
#define VALUE_MAX (2 * LAZ_IMAGE_SECRET_MAX + 1) /* in hex, with a line feed */
/* Each value raw and as it is delivered, with its length. */
#define MASKS_MAX   ((off_t)LAZ_IMAGE_FETCHED_MAX * (LAZ_IMAGE_SECRET_MAX + VALUE_MAX + 8))
#define FOLDER_MODE 0755
#define OWNER_MODE  0400
#define GENERATION  1

/* ---- before anything is fetched ---- */

static int open_folder(const char *path, struct laz_err *err)
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

static int memory_file(const char *text, struct laz_err *err)
{
    int fd = memfd_create("lazaret-inherited", MFD_CLOEXEC | MFD_ALLOW_SEALING);
    if (fd < 0 || laz_fd_write_all(fd, text, strlen(text), err) < 0 ||
            fcntl(fd, F_ADD_SEALS, SEALS) < 0) {
        (void)laz_err_set(err, LAZ_E_SYSTEM, errno, "memfd: %s", strerror(errno));
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
        if (value == NULL) {
            continue;
        }
        secrets->items[i].inherited = memory_file(value, err);
        if (secrets->items[i].inherited < 0) {
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

int laz_secrets_begin(struct laz_secrets *secrets, const struct laz_image *image,
        const struct laz_probe *probe, char **environment, struct laz_err *err)
{
    bool has_files = false;
    secrets->image = image;
    secrets->phase = LAZ_SECRETS_WAITING;
    secrets->folder = secrets->masks = -1;
    secrets->next = image->deliveries;
    for (size_t i = 0; i < LAZ_IMAGE_FETCHED_MAX; i++) {
        secrets->items[i].value = secrets->items[i].inherited = -1;
    }
    const uint8_t *cursor = image->deliveries;
    for (uint32_t i = 0; i < image->n_deliveries; i++) {
        struct laz_image_delivery delivery;
        laz_image_delivery_next(&cursor, &delivery);
        has_files = has_files || delivery.fd == 0;
        if (delivery.fd != 0 && reserve(secrets, delivery.fd, err) < 0) {
            return -1;
        }
    }
    if (!may_give(probe, image)) {
        return laz_err_set(err, LAZ_E_DELIVERY, EPERM,
                "secrets: lazaret-init lacks CAP_CHOWN, and cannot give a secret to user %u",
                image->uid);
    }
    if (has_files) {
        secrets->folder = open_folder(image->secrets_dir, err);
        if (secrets->folder < 0) {
            return -1;
        }
    }
    return inherit(secrets, environment, err);
}

/* ---- what fetch says ---- */

const char *laz_secrets_name(const struct laz_secrets *secrets, uint32_t item)
{
    const char *cursor = secrets->image->fetched.first;
    const char *name = "?";
    for (uint32_t i = 0; i <= item && i < secrets->image->fetched.n; i++) {
        name = laz_strings_next(&cursor);
    }
    return name;
}

void laz_secrets_forget(struct laz_secrets *secrets)
{
    for (uint32_t i = 0; i < secrets->image->fetched.n; i++) {
        laz_fd_close(&secrets->items[i].value);
        secrets->items[i].is_known = false;
    }
    laz_fd_close(&secrets->masks);
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

static int on_item(struct laz_secrets *secrets, struct laz_fields *fields, struct laz_err *err)
{
    uint32_t number = laz_fields_u32(fields);
    uint8_t outcome = laz_fields_u8(fields);
    const char *version = laz_fields_string(fields);
    const char *fingerprint = laz_fields_string(fields);
    if (!laz_fields_done(fields) || number >= secrets->image->fetched.n ||
            outcome >= LAZ_OUTCOME_COUNT || strlen(version) > LAZ_SECRET_VERSION_MAX ||
            strlen(fingerprint) > LAZ_SECRET_FINGERPRINT_MAX) {
        return broken(err, "what came of an item that there is not");
    }
    struct laz_secret_item *item = &secrets->items[number];
    item->is_known = true;
    item->outcome = (enum laz_outcome)outcome;
    (void)laz_format(item->version, sizeof(item->version), "%s", version);
    (void)laz_format(item->fingerprint, sizeof(item->fingerprint), "%s", fingerprint);
    return 0;
}

static int on_value(
        struct laz_secrets *secrets, struct laz_fields *fields, int *fd, struct laz_err *err)
{
    uint32_t number = laz_fields_u32(fields);
    if (!laz_fields_done(fields) || number >= secrets->image->fetched.n) {
        return broken(err, "the value of an item that there is not");
    }
    if (check_sealed(*fd, VALUE_MAX, err) < 0) {
        return laz_err_context(err, "secrets.items[%s]", laz_secrets_name(secrets, number));
    }
    laz_fd_close(&secrets->items[number].value);
    secrets->items[number].value = *fd;
    *fd = -1;
    return 0;
}

static int on_masks(
        struct laz_secrets *secrets, struct laz_fields *fields, int *fd, struct laz_err *err)
{
    if (!laz_fields_done(fields)) {
        return broken(err, "masks with words");
    }
    if (check_sealed(*fd, MASKS_MAX, err) < 0) {
        return -1;
    }
    laz_fd_close(&secrets->masks);
    secrets->masks = *fd;
    *fd = -1;
    return 0;
}

static int on_done(struct laz_secrets *secrets, struct laz_fields *fields, struct laz_err *err)
{
    bool is_whole = laz_fields_done(fields);
    for (uint32_t i = 0; i < secrets->image->fetched.n; i++) {
        struct laz_secret_item *item = &secrets->items[i];
        bool is_there = item->value >= 0;
        is_whole = is_whole && item->is_known && is_there == (item->outcome == LAZ_OUTCOME_FETCHED);
    }
    if (!is_whole) {
        return broken(err, "the end, and not everything before it");
    }
    for (uint32_t i = 0; i < secrets->image->fetched.n; i++) {
        laz_fd_close(&secrets->items[i].inherited);
    }
    secrets->phase = LAZ_SECRETS_DELIVERING;
    return 0;
}

int laz_secrets_told(struct laz_secrets *secrets, struct laz_message *message, struct laz_err *err)
{
    struct laz_fields fields;
    laz_cleanup_fd int fd = message->n_fds > 0 ? message->fds[0] : -1;
    laz_fields_begin(&fields, message);
    if (secrets->phase != LAZ_SECRETS_FETCHING) {
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

/* ---- what launch is told ---- */

bool laz_secrets_next(const struct laz_secrets *secrets, const uint8_t **cursor, unsigned *n,
        struct laz_image_delivery *ret)
{
    while (*n < secrets->image->n_deliveries) {
        (*n)++;
        laz_image_delivery_next(cursor, ret);
        if (secrets->items[ret->item].outcome == LAZ_OUTCOME_FETCHED) {
            return true;
        }
    }
    return false;
}

static void refuse(struct laz_secrets *secrets, int cause, const char *step)
{
    struct laz_err err = {0};
    const char *hint = cause == ENOSPC ? "; the tmpfs at secrets.dir is too small"
            : cause == EPERM           ? "; lazaret-init needs CAP_CHOWN for it"
                                       : "";
    (void)laz_err_set(&err, LAZ_E_DELIVERY, cause, "%s: %s%s", step, strerror(cause), hint);
    if (secrets->ordered == LAZ_SECRETS_ORDER_PUT) {
        (void)laz_err_context(
                &err, "secrets.items[%s]", laz_secrets_name(secrets, secrets->at.item));
    } else {
        (void)laz_err_context(&err, "secrets.dir: %.128s", secrets->image->secrets_dir);
    }
    laz_secrets_refuse(secrets, &err);
}

static void begin_order(
        struct laz_secrets *secrets, struct laz_buf *message, enum laz_secrets_order order)
{
    static const uint8_t types[] = {
            [LAZ_SECRETS_ORDER_FOLDER] = LAZ_MESSAGE_FOLDER,
            [LAZ_SECRETS_ORDER_PUT] = LAZ_MESSAGE_PUT,
            [LAZ_SECRETS_ORDER_SWAP] = LAZ_MESSAGE_SWAP,
            [LAZ_SECRETS_ORDER_WIPE] = LAZ_MESSAGE_WIPE,
    };
    secrets->ordered = order;
    laz_message_begin(message, (enum laz_message_type)types[order]);
}

/* The message for what comes next, and the descriptor that goes with it, or -1. False: all is done.
 */
static bool next_order(struct laz_secrets *secrets, struct laz_buf *message, int *ret_fd)
{
    const struct laz_image *image = secrets->image;
    *ret_fd = -1;
    if (secrets->folder >= 0 && !secrets->has_folder) {
        begin_order(secrets, message, LAZ_SECRETS_ORDER_FOLDER);
        laz_message_u32(message, GENERATION);
        secrets->has_folder = true;
        *ret_fd = secrets->folder;
        return true;
    }
    if (laz_secrets_next(secrets, &secrets->next, &secrets->n_given, &secrets->at)) {
        begin_order(secrets, message, LAZ_SECRETS_ORDER_PUT);
        laz_message_u32(message, secrets->n_given - 1);
        laz_message_u32(message, secrets->at.fd != 0 ? OWNER_MODE : secrets->at.mode);
        laz_message_u32(message, image->uid);
        laz_message_u32(message, image->gid);
        laz_message_string(message, secrets->at.path);
        *ret_fd = secrets->items[secrets->at.item].value;
        return true;
    }
    if (secrets->folder >= 0 && secrets->ordered != LAZ_SECRETS_ORDER_SWAP) {
        begin_order(secrets, message, LAZ_SECRETS_ORDER_SWAP);
        laz_message_u32(message, GENERATION);
        return true;
    }
    return false;
}

/* Is it a part of an identity that `tunnel` shows? Then every later one needs it, too. */
static bool is_shown(const struct laz_image *image, uint32_t item)
{
    for (uint32_t i = 0; i < 2 * image->n_identities; i++) {
        if (image->identities[i] == item) {
            return true;
        }
    }
    return false;
}

static void close_values(struct laz_secrets *secrets)
{
    for (uint32_t i = 0; i < secrets->image->fetched.n; i++) {
        if (!is_shown(secrets->image, i)) {
            laz_fd_close(&secrets->items[i].value);
        }
    }
}

/* Of those numbers that were kept free, what nothing came for is not the workload's. */
static void free_numbers(struct laz_secrets *secrets)
{
    const uint8_t *cursor = secrets->image->deliveries;
    uint32_t n_kept = 0;
    uint32_t n = 0;
    for (uint32_t i = 0; i < secrets->image->n_deliveries; i++) {
        struct laz_image_delivery delivery;
        laz_image_delivery_next(&cursor, &delivery);
        if (delivery.fd == 0) {
            continue;
        }
        int fd = secrets->fds[n++];
        if (secrets->items[delivery.item].outcome == LAZ_OUTCOME_FETCHED) {
            secrets->fds[n_kept++] = fd;
        } else {
            laz_fd_close(&fd);
        }
    }
    secrets->n_fds = n_kept;
}

void laz_secrets_deliver(struct laz_secrets *secrets, int launcher_chan)
{
    char memory[LAZ_IMAGE_BELOW_MAX + 64];
    struct laz_buf message;
    struct laz_err err = {0};
    int fd = -1;
    if (secrets->phase != LAZ_SECRETS_DELIVERING || secrets->n_ordered > 0) {
        return;
    }
    laz_buf_init_fixed(&message, memory, sizeof(memory));
    if (!next_order(secrets, &message, &fd)) {
        close_values(secrets);
        free_numbers(secrets);
        secrets->phase = LAZ_SECRETS_HIDING;
        return;
    }
    if (!laz_message_end(&message) ||
            laz_chan_send(launcher_chan, &message, &fd, fd >= 0, &err) < 0) {
        (void)laz_err_set(&err, LAZ_E_DELIVERY, 0, "the process that delivers does not answer");
        err.kind = LAZ_E_DELIVERY;
        laz_secrets_refuse(secrets, &err);
        return;
    }
    secrets->n_ordered++;
}

/* A description of its own, for reading alone, from the first byte on, at the number that was kept
 * free for it. */
static int place(const struct laz_secrets *secrets)
{
    char path[64];
    (void)laz_format(
            path, sizeof(path), "/proc/self/fd/%d", secrets->items[secrets->at.item].value);
    laz_cleanup_fd int fd = open(path, O_RDONLY | O_CLOEXEC);
    return fd < 0 ? -1 : dup3(fd, (int)secrets->at.fd, O_CLOEXEC);
}

void laz_secrets_delivered(struct laz_secrets *secrets, const struct laz_message *message)
{
    struct laz_fields fields;
    laz_fields_begin(&fields, message);
    (void)laz_fields_u32(&fields);
    int32_t result = (int32_t)laz_fields_u32(&fields);
    const char *step = laz_fields_string(&fields);
    if (!laz_fields_done(&fields) || secrets->n_ordered == 0) {
        return;
    }
    secrets->n_ordered--;
    if (secrets->phase != LAZ_SECRETS_DELIVERING) {
        return;
    }
    if (result < 0) {
        refuse(secrets, -result, step);
    } else if (secrets->ordered == LAZ_SECRETS_ORDER_PUT && secrets->at.fd != 0 &&
            place(secrets) < 0) {
        refuse(secrets, errno, "open it for the workload");
    }
}

/* ---- its end ---- */

void laz_secrets_part(struct laz_secrets *secrets)
{
    if (secrets->image == NULL) {
        return;
    }
    for (uint32_t i = 0; i < secrets->n_fds; i++) {
        laz_fd_close(&secrets->fds[i]);
    }
    secrets->n_fds = 0;
    laz_fd_close(&secrets->folder);
}

static void wipe_ourselves(struct laz_secrets *secrets)
{
    struct laz_err ignored = {0}; /* as far as it is possible */
    if (!secrets->is_narrow && secrets->has_folder && secrets->folder >= 0) {
        laz_ignore(laz_deliver_wipe(secrets->folder, &ignored));
    }
}

void laz_secrets_wipe(struct laz_secrets *secrets, int launcher_chan)
{
    char memory[64];
    struct laz_buf message;
    struct laz_err ignored = {0};
    if (secrets->image == NULL || secrets->ordered == LAZ_SECRETS_ORDER_WIPE) {
        return;
    }
    secrets->phase = LAZ_SECRETS_OVER;
    if (!secrets->has_folder) {
        return;
    }
    laz_buf_init_fixed(&message, memory, sizeof(memory));
    begin_order(secrets, &message, LAZ_SECRETS_ORDER_WIPE);
    if (launcher_chan >= 0 && laz_message_end(&message) &&
            laz_chan_send(launcher_chan, &message, NULL, 0, &ignored) == 0) {
        secrets->n_ordered++;
    } else {
        secrets->n_ordered = 0;
        wipe_ourselves(secrets);
    }
}

bool laz_secrets_are_wiped(const struct laz_secrets *secrets)
{
    return secrets->image == NULL || secrets->n_ordered == 0;
}

void laz_secrets_lose_launch(struct laz_secrets *secrets)
{
    static const struct laz_err gone = {
            .kind = LAZ_E_DELIVERY, .message = "the process that delivers secrets has ended"};
    if (secrets->image == NULL) {
        return;
    }
    bool was_wiping = secrets->ordered == LAZ_SECRETS_ORDER_WIPE && secrets->n_ordered > 0;
    secrets->n_ordered = 0;
    if (secrets->phase < LAZ_SECRETS_HIDING) {
        laz_secrets_refuse(secrets, &gone);
    }
    if (was_wiping) {
        wipe_ourselves(secrets);
    }
}
