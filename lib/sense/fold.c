/* SPDX-License-Identifier: Apache-2.0
 *
 * Folds finds that are alike. Each change of a slot leaves it in a state that says the truth, or
 * counts what it holds once more: a find is rather said twice than not at all.
 */
#include "sense/fold.h"

#include <string.h>

#include "core/sha256.h"
#include "sense/events.h"

static bool is_text(const char *text, size_t size)
{
    return memchr(text, '\0', size) != NULL;
}

static bool holds(const struct laz_fold_slot *slot)
{
    const struct laz_find *find = &slot->find;
    return slot->used == 1 && slot->said <= 1 && find->event < LAZ_SENSE_EVENT_COUNT &&
            is_text(find->exe, sizeof(find->exe)) && is_text(find->obj, sizeof(find->obj)) &&
            is_text(find->act, sizeof(find->act)) && is_text(find->detail, sizeof(find->detail));
}

size_t laz_fold_repair(struct laz_fold *fold)
{
    size_t n = 0;
    for (size_t i = 0; i < LAZ_FOLD_SLOTS; i++) {
        struct laz_fold_slot *slot = &fold->slots[i];
        if (slot->used != 0 && !holds(slot)) {
            *slot = (struct laz_fold_slot){0};
            n++;
        }
    }
    return n;
}

/* What fits of it; of the rest, a number that tells it from others. */
static bool keep(char *ret, size_t size, const char *text, uint64_t *rest)
{
    uint8_t hash[LAZ_SHA256_SIZE];
    uint64_t number = 0;
    size_t length = strlen(text);
    size_t n = length < size ? length : size - 1;
    (void)memcpy(ret, text, n);
    ret[n] = '\0';
    if (n == length) {
        return true;
    }
    laz_sha256_of(text, length, hash);
    (void)memcpy(&number, hash, sizeof(number));
    *rest ^= number;
    return false;
}

bool laz_find_name(struct laz_find *find, const char *obj)
{
    return keep(find->obj, sizeof(find->obj), obj, &find->rest);
}

bool laz_find_program(struct laz_find *find, const char *exe)
{
    return keep(find->exe, sizeof(find->exe), exe, &find->rest);
}

static bool is_alike(const struct laz_find *a, const struct laz_find *b)
{
    return a->event == b->event && a->rest == b->rest && strcmp(a->exe, b->exe) == 0 &&
            strcmp(a->obj, b->obj) == 0;
}

/* Where it belongs: to those that are alike, or where nothing is, or, at last, in place of a window
 * with nothing left to say, which ends early. */
static struct laz_fold_slot *find_slot(struct laz_fold *fold, const struct laz_find *find)
{
    struct laz_fold_slot *empty = NULL;
    struct laz_fold_slot *quiet = NULL;
    for (size_t i = 0; i < LAZ_FOLD_SLOTS; i++) {
        struct laz_fold_slot *slot = &fold->slots[i];
        if (slot->used != 0 && is_alike(&slot->find, find)) {
            return slot;
        }
        empty = empty == NULL && slot->used == 0 ? slot : empty;
        quiet = quiet == NULL && slot->used != 0 && slot->count == 0 ? slot : quiet;
    }
    if (empty == NULL && quiet != NULL) {
        quiet->used = 0;
        empty = quiet;
    }
    return empty;
}

bool laz_fold_add(
        struct laz_fold *fold, const struct laz_find *find, uint64_t now_ns, uint64_t window_ns)
{
    struct laz_fold_slot *slot = find_slot(fold, find);
    if (slot == NULL) {
        return false;
    }
    slot->find = *find;
    slot->count++;
    if (slot->used == 0) {
        slot->said = 0;
        slot->count = 1;
        slot->ends_ns = now_ns + window_ns;
        slot->used = 1;
    }
    return true;
}

struct laz_fold_slot *laz_fold_next(
        struct laz_fold *fold, struct laz_fold_slot *previous, uint64_t now_ns, bool all)
{
    size_t i = previous == NULL ? 0 : (size_t)(previous - fold->slots) + 1;
    for (; i < LAZ_FOLD_SLOTS; i++) {
        struct laz_fold_slot *slot = &fold->slots[i];
        if (slot->used != 0 && slot->count > 0 &&
                (all || slot->said == 0 || now_ns >= slot->ends_ns)) {
            return slot;
        }
    }
    return NULL;
}

void laz_fold_said(struct laz_fold_slot *slot, uint64_t now_ns, uint64_t window_ns)
{
    slot->count = 0;
    if (slot->said != 0) { /* those that were summed up begin a window of their own */
        slot->ends_ns = now_ns + window_ns;
    }
    slot->said = 1;
}

void laz_fold_sweep(struct laz_fold *fold, uint64_t now_ns)
{
    for (size_t i = 0; i < LAZ_FOLD_SLOTS; i++) {
        struct laz_fold_slot *slot = &fold->slots[i];
        if (slot->used != 0 && slot->count == 0 && now_ns >= slot->ends_ns) {
            slot->used = 0;
        }
    }
}
