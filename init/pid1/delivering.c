/* SPDX-License-Identifier: Apache-2.0
 *
 * PID 1's side of the delivery of secrets: what `launch` is told, one order at a time, until a
 * generation is whole. Never reads or maps a value. libc only.
 */
#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "core/fd.h"
#include "core/format.h"
#include "init/pid1/deliver.h"
#include "init/pid1/secrets.h"

#define OWNER_MODE 0400

const char *laz_secrets_name(const struct laz_secrets *secrets, uint32_t item)
{
    const char *cursor = secrets->image->fetched.first;
    const char *name = "?";
    for (uint32_t i = 0; i <= item && i < secrets->image->fetched.n; i++) {
        name = laz_strings_next(&cursor);
    }
    return name;
}

/* ---- what launch is told ---- */

bool laz_secrets_next(const struct laz_secrets *secrets, const uint8_t **cursor, unsigned *n,
        struct laz_image_delivery *ret)
{
    while (*n < secrets->image->n_deliveries) {
        (*n)++;
        laz_image_delivery_next(cursor, ret);
        const struct laz_secret_item *item = &secrets->items[ret->item];
        if (item->is_changed || item->now.outcome == LAZ_OUTCOME_FETCHED) {
            return true;
        }
    }
    return false;
}

static bool is_again(const struct laz_secrets *secrets)
{
    return secrets->phase == LAZ_SECRETS_REDELIVERING;
}

/* The owner is the only thing that CAP_CHOWN is for. Anything else is refused where the folder is
 * sticky, and holds what another user has made. */
static const char *hint_at(int cause, const char *step)
{
    bool is_owner = strcmp(step, "set the owner") == 0;
    return cause == ENOSPC   ? "; the tmpfs at secrets.dir is too small"
            : cause != EPERM ? ""
            : is_owner       ? "; lazaret-init needs CAP_CHOWN for it"
                             : "; another user's files are in that folder, which is sticky: "
                               "lazaret-init needs CAP_FOWNER, or a folder of its own";
}

static void refuse(struct laz_secrets *secrets, int cause, const char *step)
{
    struct laz_err err = {0};
    (void)laz_err_set(
            &err, LAZ_E_DELIVERY, cause, "%s: %s%s", step, strerror(cause), hint_at(cause, step));
    if (secrets->ordered == LAZ_SECRETS_ORDER_PUT) {
        (void)laz_err_context(&err, "item \"%s\"", laz_secrets_name(secrets, secrets->at.item));
    } else {
        (void)laz_err_context(&err, "secrets.dir: %.128s", secrets->image->secrets_dir);
    }
    if (secrets->phase != LAZ_SECRETS_DELIVERING) {
        secrets->err = err;
        secrets->phase = is_again(secrets) ? LAZ_SECRETS_NOT_REDELIVERED : LAZ_SECRETS_NOT_RETIRED;
    } else {
        laz_secrets_refuse(secrets, &err);
    }
}

static void begin_order(
        struct laz_secrets *secrets, struct laz_buf *message, enum laz_secrets_order order)
{
    static const uint8_t types[] = {
            [LAZ_SECRETS_ORDER_FOLDER] = LAZ_MESSAGE_FOLDER,
            [LAZ_SECRETS_ORDER_PUT] = LAZ_MESSAGE_PUT,
            [LAZ_SECRETS_ORDER_SWAP] = LAZ_MESSAGE_SWAP,
            [LAZ_SECRETS_ORDER_RETIRE] = LAZ_MESSAGE_RETIRE,
            [LAZ_SECRETS_ORDER_WIPE] = LAZ_MESSAGE_WIPE,
    };
    secrets->ordered = order;
    laz_message_begin(message, (enum laz_message_type)types[order]);
}

/* What the generation is to have of an item: what is new, or what the one before has. */
static int value_for(const struct laz_secret_item *item)
{
    return item->is_changed ? item->fresh : item->value;
}

/* Of another generation, files alone: a descriptor stays what it is. A variable is the child's to
 * read. */
static bool next_delivery(struct laz_secrets *secrets)
{
    while (laz_secrets_next(secrets, &secrets->next, &secrets->n_given, &secrets->at)) {
        if (secrets->at.fd == 0 || (!is_again(secrets) && secrets->at.fd >= LAZ_IMAGE_FD_MIN)) {
            return true;
        }
    }
    return false;
}

/* The message for what comes next, and the descriptor that goes with it, or -1. False: all is done.
 */
static bool next_order(struct laz_secrets *secrets, struct laz_buf *message, int *ret_fd)
{
    const struct laz_image *image = secrets->image;
    *ret_fd = -1;
    if (secrets->phase == LAZ_SECRETS_RETIRING) {
        begin_order(secrets, message, LAZ_SECRETS_ORDER_RETIRE);
        laz_message_u32(message, secrets->retiring);
        return true;
    }
    if (secrets->folder >= 0 && !secrets->is_begun) {
        begin_order(secrets, message, LAZ_SECRETS_ORDER_FOLDER);
        laz_message_u32(message, secrets->generation);
        secrets->has_folder = secrets->is_begun = true;
        *ret_fd = secrets->folder;
        return true;
    }
    if (next_delivery(secrets)) {
        begin_order(secrets, message, LAZ_SECRETS_ORDER_PUT);
        laz_message_u32(message, secrets->n_given - 1);
        laz_message_u32(message, secrets->at.fd != 0 ? OWNER_MODE : secrets->at.mode);
        laz_message_u32(message, image->uid);
        laz_message_u32(message, image->gid);
        laz_message_string(message, secrets->at.path);
        *ret_fd = value_for(&secrets->items[secrets->at.item]);
        return true;
    }
    if (secrets->folder >= 0 && secrets->ordered != LAZ_SECRETS_ORDER_SWAP) {
        begin_order(secrets, message, LAZ_SECRETS_ORDER_SWAP);
        laz_message_u32(message, secrets->generation);
        return true;
    }
    return false;
}

/* Is it a part of an identity that `tunnel` or `health` shows? Then every later one needs it, too.
 */
static bool is_shown(const struct laz_image *image, uint32_t item)
{
    const uint8_t *health = image->health_identity;
    if (image->health_shows && (health[0] == item || health[1] == item)) {
        return true;
    }
    for (uint32_t i = 0; i < 2 * image->n_identities; i++) {
        if (image->identities[i] == item) {
            return true;
        }
    }
    return false;
}

void laz_secrets_close(struct laz_secrets *secrets)
{
    for (uint32_t i = 0; secrets->image->refresh_ms == 0 && i < secrets->image->fetched.n; i++) {
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
        if (delivery.fd < LAZ_IMAGE_FD_MIN) {
            continue;
        }
        int fd = secrets->fds[n++];
        if (secrets->items[delivery.item].now.outcome == LAZ_OUTCOME_FETCHED) {
            secrets->fds[n_kept++] = fd;
        } else {
            laz_fd_close(&fd);
        }
    }
    secrets->n_fds = n_kept;
}

static void finish_first(struct laz_secrets *secrets)
{
    free_numbers(secrets);
    secrets->current = secrets->generation;
    secrets->phase = LAZ_SECRETS_HIDING;
}

static bool is_delivering(const struct laz_secrets *secrets)
{
    return secrets->phase == LAZ_SECRETS_DELIVERING || is_again(secrets) ||
            secrets->phase == LAZ_SECRETS_RETIRING;
}

void laz_secrets_lose_answer(struct laz_secrets *secrets)
{
    struct laz_err err = {0};
    (void)laz_err_set(&err, LAZ_E_DELIVERY, 0, "the process that delivers does not answer");
    if (secrets->phase == LAZ_SECRETS_DELIVERING) {
        laz_secrets_refuse(secrets, &err);
        return;
    }
    secrets->err = err;
    secrets->phase = is_again(secrets) ? LAZ_SECRETS_NOT_REDELIVERED : LAZ_SECRETS_NOT_RETIRED;
}

/* A description of its own, for reading alone, from the first byte on, at the number that was kept
 * free for it. Before it is given away: without CAP_DAC_OVERRIDE we could not open it any more. */
static int place(const struct laz_secrets *secrets)
{
    char path[64];
    (void)laz_format(
            path, sizeof(path), "/proc/self/fd/%d", secrets->items[secrets->at.item].value);
    laz_cleanup_fd int fd = open(path, O_RDONLY | O_CLOEXEC);
    return fd < 0 ? -1 : dup3(fd, (int)secrets->at.fd, O_CLOEXEC);
}

void laz_secrets_deliver(struct laz_secrets *secrets, int launcher_chan)
{
    char memory[LAZ_IMAGE_BELOW_MAX + 64];
    struct laz_buf message;
    struct laz_err err = {0};
    int fd = -1;
    if (!is_delivering(secrets) || secrets->n_ordered > 0) {
        return;
    }
    laz_buf_init_fixed(&message, memory, sizeof(memory));
    if (!next_order(secrets, &message, &fd)) {
        if (is_again(secrets)) {
            secrets->phase = LAZ_SECRETS_REDELIVERED;
        } else {
            finish_first(secrets);
        }
        return;
    }
    if (secrets->ordered == LAZ_SECRETS_ORDER_PUT && secrets->at.fd != 0 && place(secrets) < 0) {
        refuse(secrets, errno, "open it for the workload");
        return;
    }
    if (!laz_message_end(&message) ||
            laz_chan_send(launcher_chan, &message, &fd, fd >= 0, &err) < 0) {
        laz_secrets_lose_answer(secrets);
        return;
    }
    secrets->n_ordered++;
}

/* ---- another generation ---- */

static bool changes_files(const struct laz_secrets *secrets)
{
    const uint8_t *cursor = secrets->image->deliveries;
    for (uint32_t i = 0; i < secrets->image->n_deliveries; i++) {
        struct laz_image_delivery delivery;
        laz_image_delivery_next(&cursor, &delivery);
        if (delivery.fd == 0 && secrets->items[delivery.item].is_changed) {
            return true;
        }
    }
    return false;
}

void laz_secrets_begin_generation(struct laz_secrets *secrets)
{
    secrets->is_begun = false;
    if (!changes_files(secrets)) {
        secrets->phase = LAZ_SECRETS_REDELIVERED; /* it is for `tunnel` alone */
        return;
    }
    secrets->generation++;
    secrets->ordered = LAZ_SECRETS_ORDER_NONE;
    secrets->next = secrets->image->deliveries;
    secrets->n_given = 0;
    secrets->err = (struct laz_err){0};
    secrets->phase = LAZ_SECRETS_REDELIVERING;
}

void laz_secrets_adopt(struct laz_secrets *secrets, uint64_t until_ns)
{
    for (uint32_t i = 0; i < secrets->image->fetched.n; i++) {
        struct laz_secret_item *item = &secrets->items[i];
        if (item->is_changed) {
            laz_fd_close(&item->value);
            item->value = item->fresh;
            item->fresh = -1;
            item->now = item->said;
            item->is_changed = false;
        }
    }
    if (secrets->is_begun && secrets->n_old < LAZ_GENERATIONS_OLD) {
        secrets->old[secrets->n_old++] =
                (struct laz_generation){.number = secrets->current, .until_ns = until_ns};
    }
    secrets->current = secrets->is_begun ? secrets->generation : secrets->current;
    secrets->phase = LAZ_SECRETS_THERE;
}

void laz_secrets_retire(struct laz_secrets *secrets, uint32_t generation)
{
    secrets->retiring = generation;
    secrets->ordered = LAZ_SECRETS_ORDER_NONE;
    secrets->phase = LAZ_SECRETS_RETIRING;
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
    if (!is_delivering(secrets) || secrets->ordered == LAZ_SECRETS_ORDER_NONE) {
        return; /* it is about what was given up */
    }
    if (result < 0) {
        refuse(secrets, -result, step);
    } else if (secrets->phase == LAZ_SECRETS_RETIRING) {
        secrets->phase = LAZ_SECRETS_THERE;
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
    if (secrets->image->refresh_ms == 0) {
        laz_fd_close(&secrets->folder);
    }
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
    struct laz_err gone = {0};
    (void)laz_err_set(&gone, LAZ_E_DELIVERY, 0, "the process that delivers secrets has ended");
    if (secrets->image == NULL) {
        return;
    }
    bool was_wiping = secrets->ordered == LAZ_SECRETS_ORDER_WIPE && secrets->n_ordered > 0;
    secrets->n_ordered = 0;
    secrets->rotation.is_over = true; /* what is there stays, and grows old */
    if (secrets->phase < LAZ_SECRETS_HIDING) {
        laz_secrets_refuse(secrets, &gone);
    } else if (is_again(secrets)) {
        secrets->err = gone;
        secrets->phase = LAZ_SECRETS_NOT_REDELIVERED;
    } else if (secrets->phase == LAZ_SECRETS_RETIRING) {
        secrets->err = gone;
        secrets->phase = LAZ_SECRETS_NOT_RETIRED;
    }
    if (was_wiping) {
        wipe_ourselves(secrets);
    }
}
