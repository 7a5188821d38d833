/* SPDX-License-Identifier: Apache-2.0
 *
 * What identities were before their last renewal, for as long as rollback.h may want it back. The
 * values are sealed files that nobody maps, like all that PID 1 holds of secrets. libc only.
 */
#include "core/fd.h"
#include "init/pid1/secrets.h"

static bool is_of(const struct laz_secrets *secrets, uint32_t item, uint32_t first)
{
    return (secrets->rotation.items[first].members >> item & 1) != 0;
}

/* An identity is a group. What was not there before cannot be so again. */
static bool can_be_again(const struct laz_secrets *secrets, uint32_t first)
{
    bool is_changed = false;
    for (uint32_t i = first; i < secrets->image->fetched.n; i++) {
        const struct laz_secret_item *item = &secrets->items[i];
        if (is_of(secrets, i, first) && item->is_changed) {
            is_changed = true;
            if (item->value < 0) {
                return false;
            }
        }
    }
    return is_changed && laz_image_renewal_at(secrets->image, first).group != 0;
}

static uint32_t identities_that_change(const struct laz_secrets *secrets)
{
    uint32_t items = 0;
    for (uint32_t i = 0; i < secrets->image->fetched.n; i++) {
        items |= can_be_again(secrets, i) ? secrets->rotation.items[i].members : 0;
    }
    return items;
}

void laz_secrets_drop_before(struct laz_secrets *secrets)
{
    for (uint32_t i = 0; secrets->kept != 0; i++, secrets->kept >>= 1) {
        if ((secrets->kept & 1) != 0) {
            laz_fd_close(&secrets->before[i].value);
        }
    }
}

void laz_secrets_keep_before(struct laz_secrets *secrets, enum laz_checks checks, uint64_t until_ns)
{
    uint32_t items = identities_that_change(secrets);
    if (items == 0 || secrets->rollback.phase == LAZ_ROLLBACK_WANTED) {
        return;
    }
    laz_secrets_drop_before(secrets);
    if (!laz_rollback_begin(&secrets->rollback, items, checks, until_ns)) {
        return;
    }
    for (uint32_t i = 0; i < secrets->image->fetched.n; i++) {
        struct laz_secret_item *item = &secrets->items[i];
        if ((items >> i & 1) == 0) {
            continue;
        }
        secrets->before[i].seen = item->now;
        if (item->is_changed) {
            secrets->before[i].value = item->value;
            secrets->kept |= UINT32_C(1) << i;
            item->value = -1;
        }
    }
}

void laz_secrets_restore(struct laz_secrets *secrets, uint32_t number)
{
    struct laz_secret_item *item = &secrets->items[number];
    struct laz_secret_before *before = &secrets->before[number];
    (void)memcpy(before->refused, item->now.fingerprint, sizeof(before->refused));
    item->fresh = before->value;
    item->said = before->seen;
    item->is_changed = true;
    secrets->kept &= ~(UINT32_C(1) << number);
}

void laz_secrets_be_as_before(struct laz_secrets *secrets, uint32_t first)
{
    for (uint32_t i = first; i < secrets->image->fetched.n; i++) {
        if (is_of(secrets, i, first)) {
            secrets->items[i].now = secrets->before[i].seen;
        }
    }
}

bool laz_secrets_was_taken_back(const struct laz_secrets *secrets, uint32_t first)
{
    if (laz_image_renewal_at(secrets->image, first).group == 0) {
        return false; /* nothing of it is ever kept, and the page need not be there */
    }
    for (uint32_t i = first; i < secrets->image->fetched.n; i++) {
        const struct laz_secret_item *item = &secrets->items[i];
        if (is_of(secrets, i, first) && item->is_changed &&
                strcmp(secrets->before[i].refused, item->said.fingerprint) != 0) {
            return false;
        }
    }
    return true;
}
