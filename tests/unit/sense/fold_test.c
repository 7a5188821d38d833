/* SPDX-License-Identifier: Apache-2.0
 *
 * lib/sense/fold: the counts of what is said add up to what was found, whatever happens to whoever
 * says it.
 */
#include "sense/fold.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <criterion/criterion.h>

#include "sense/events.h"

#define WINDOW 100

static struct laz_find make_find(unsigned number)
{
    struct laz_find find = {.event = LAZ_SENSE_EVENT_NET_LISTEN, .pid = 7, .exe = "sh"};
    (void)snprintf(find.obj, sizeof(find.obj), "port %u", number);
    return find;
}

/* Everything that is due, said; how many finds that were, and in how many records. */
static uint64_t say(struct laz_fold *fold, uint64_t now, bool all, unsigned *ret_records)
{
    uint64_t count = 0;
    struct laz_fold_slot *slot = laz_fold_next(fold, NULL, now, all);
    for (; slot != NULL; slot = laz_fold_next(fold, slot, now, all)) {
        count += slot->count;
        *ret_records += 1;
        laz_fold_said(slot, now, WINDOW);
    }
    laz_fold_sweep(fold, now);
    return count;
}

static struct laz_fold *make_fold(void)
{
    struct laz_fold *fold = calloc(1, sizeof(*fold));
    cr_assert_not_null(fold);
    return fold;
}

Test(sense_fold, says_the_first_at_once_and_sums_up_the_others)
{
    struct laz_fold *fold = make_fold();
    const struct laz_find find = make_find(1);
    unsigned records = 0;
    cr_assert(laz_fold_add(fold, &find, 0, WINDOW));
    cr_expect_eq(say(fold, 0, false, &records), 1);
    for (uint64_t now = 1; now < WINDOW; now++) {
        cr_assert(laz_fold_add(fold, &find, now, WINDOW));
        cr_expect_eq(say(fold, now, false, &records), 0);
    }
    cr_expect_eq(records, 1);
    cr_expect_eq(say(fold, WINDOW, false, &records), WINDOW - 1);
    cr_expect_eq(records, 2);
    /* what was summed up has begun a window */
    cr_assert(laz_fold_add(fold, &find, WINDOW + 1, WINDOW));
    cr_expect_eq(say(fold, WINDOW + 1, false, &records), 0);
    cr_expect_eq(say(fold, 2 * WINDOW, false, &records), 1);
    /* and after a quiet one, the first is said at once again */
    cr_expect_eq(say(fold, 3 * WINDOW, false, &records), 0);
    cr_assert(laz_fold_add(fold, &find, 3 * WINDOW + 1, WINDOW));
    cr_expect_eq(say(fold, 3 * WINDOW + 1, false, &records), 1);
    free(fold);
}

Test(sense_fold, keeps_apart_what_is_not_alike)
{
    struct laz_fold *fold = make_fold();
    unsigned records = 0;
    struct laz_find find = make_find(1);
    cr_assert(laz_fold_add(fold, &find, 0, WINDOW));
    find.event = LAZ_SENSE_EVENT_FIM_CHANGE;
    cr_assert(laz_fold_add(fold, &find, 0, WINDOW));
    find.exe[0] = 'x';
    cr_assert(laz_fold_add(fold, &find, 0, WINDOW));
    find.obj[0] = 'x';
    cr_assert(laz_fold_add(fold, &find, 0, WINDOW));
    find.pid = 8; /* is the same find by somebody else */
    (void)snprintf(find.act, sizeof(find.act), "other");
    cr_assert(laz_fold_add(fold, &find, 0, WINDOW));
    cr_expect_eq(say(fold, 0, false, &records), 5);
    cr_expect_eq(records, 4);
    free(fold);
}

/* Texts that differ only where they are cut are two finds, and each says that it is cut. `at` is
 * where `fill` puts them, in a member of `size` bytes. */
static void keep_apart(bool (*fill)(struct laz_find *, const char *), size_t at, size_t size)
{
    struct laz_fold *fold = make_fold();
    unsigned records = 0;
    char text[LAZ_FOLD_OBJ_MAX + 100] = "";
    for (unsigned i = 0; i < 4; i++) {
        struct laz_find find = make_find(1);
        (void)memset(text, 'a', sizeof(text) - 1);
        text[sizeof(text) - 2] = (char)('a' + i % 2);
        cr_expect(!fill(&find, text));
        cr_expect_eq(strlen((const char *)&find + at), size - 1);
        cr_assert(laz_fold_add(fold, &find, 0, WINDOW));
    }
    struct laz_find find = make_find(1);
    text[size - 1] = '\0';
    cr_expect(fill(&find, text), "it fits, to its last byte");
    cr_expect_str_eq((const char *)&find + at, text);
    cr_assert(laz_fold_add(fold, &find, 0, WINDOW));
    cr_expect_eq(say(fold, 0, false, &records), 5);
    cr_expect_eq(records, 3);
    free(fold);
}

Test(sense_fold, keeps_apart_what_is_too_long)
{
    keep_apart(laz_find_name, offsetof(struct laz_find, obj), LAZ_FOLD_OBJ_MAX);
    keep_apart(laz_find_program, offsetof(struct laz_find, exe), LAZ_FOLD_EXE_MAX);
}

Test(sense_fold, leaves_what_tells_a_program_to_a_name_that_fits)
{
    struct laz_find find = make_find(1);
    char text[LAZ_FOLD_EXE_MAX + 1] = "";
    (void)memset(text, 'a', sizeof(text) - 1);
    cr_expect(!laz_find_program(&find, text) && find.rest != 0);
    cr_expect(laz_find_name(&find, "short") && find.rest != 0);
}

Test(sense_fold, says_everything_at_the_end)
{
    struct laz_fold *fold = make_fold();
    unsigned records = 0;
    const struct laz_find find = make_find(1);
    cr_assert(laz_fold_add(fold, &find, 0, WINDOW));
    (void)say(fold, 0, false, &records);
    cr_assert(laz_fold_add(fold, &find, 1, WINDOW));
    cr_expect_eq(say(fold, 1, true, &records), 1);
    free(fold);
}

Test(sense_fold, refuses_what_it_has_no_room_for)
{
    struct laz_fold *fold = make_fold();
    unsigned records = 0;
    for (unsigned i = 0; i < LAZ_FOLD_SLOTS + 3; i++) {
        const struct laz_find find = make_find(i);
        cr_expect_eq(laz_fold_add(fold, &find, 0, WINDOW), i < LAZ_FOLD_SLOTS);
    }
    const struct laz_find known = make_find(0);
    cr_expect(laz_fold_add(fold, &known, 0, WINDOW), "there is room for one more of a kind");
    cr_expect_eq(say(fold, 0, false, &records), LAZ_FOLD_SLOTS + 1);
    const struct laz_find find = make_find(LAZ_FOLD_SLOTS);
    cr_expect(laz_fold_add(fold, &find, 1, WINDOW), "all has been said: a window ends early");
    cr_expect_eq(say(fold, 1, false, &records), 1);
    cr_expect_eq(records, LAZ_FOLD_SLOTS + 1);
    free(fold);
}

/* Whenever what is due is said, or not, the sum is what was found. */
Test(sense_fold, loses_and_doubles_nothing)
{
    struct laz_fold *fold = make_fold();
    uint64_t found = 0;
    uint64_t said = 0;
    unsigned records = 0;
    uint32_t random = 1;
    for (uint64_t now = 0; now < 20000; now++) {
        random = random * 1664525U + 1013904223U;
        if ((random >> 28) < 9) {
            const struct laz_find find = make_find(random >> 24 & 7U);
            found += laz_fold_add(fold, &find, now, WINDOW) ? 1 : 0;
        }
        if ((random >> 20 & 15U) < 5) {
            said += say(fold, now, false, &records);
        }
    }
    said += say(fold, 20000, true, &records);
    cr_expect_eq(said, found);
    cr_expect_lt(records, found / 2, "and it does fold");
    free(fold);
}

Test(sense_fold, makes_empty_what_does_not_hold)
{
    struct laz_fold *fold = make_fold();
    unsigned records = 0;
    for (unsigned i = 0; i < 6; i++) {
        const struct laz_find find = make_find(i);
        cr_assert(laz_fold_add(fold, &find, 0, WINDOW));
    }
    fold->slots[0].used = 2;
    fold->slots[1].find.event = LAZ_SENSE_EVENT_COUNT;
    (void)memset(fold->slots[2].find.obj, 'x', sizeof(fold->slots[2].find.obj));
    (void)memset(fold->slots[3].find.detail, 'x', sizeof(fold->slots[3].find.detail));
    fold->slots[4].said = 2;
    cr_expect_eq(laz_fold_repair(fold), 5);
    cr_expect_eq(say(fold, 0, false, &records), 1);
    cr_expect_eq(laz_fold_repair(fold), 0);
    free(fold);
}
