/* SPDX-License-Identifier: Apache-2.0
 *
 * How far the sinks have come, and the room that is left: cursors, ceilings, what is released.
 */
#include "audit/bytes.h"
#include "tests/unit/audit/spool_fixture.h"

/* ---- Cursors ---- */

Test(spool_room, a_cursor_comes_back_or_the_sink_begins_anew)
{
    static uint8_t good[256];
    static uint8_t older[256];
    struct folder folder = new_folder();
    struct laz_spool *spool = open_run(&folder, 1);
    struct laz_err err = {0};
    struct laz_buf buf;
    laz_buf_init_heap(&buf, TEXT_MAX);
    for (uint32_t n = 0; n < 6; n++) {
        append(spool, n, SMALL);
    }
    struct laz_spool_at first = laz_spool_first(spool);
    struct laz_spool_at at = first;
    cr_assert_eq(laz_spool_load_cursor(spool, "siem").offset, first.offset, "none is there");
    cr_assert_eq(laz_spool_read(spool, &at, &buf, &err), 1);
    cr_assert_eq(laz_spool_save_cursor(spool, "siem", at, &err), 0, "%s", err.message);
    size_t size = get_file(&folder, "siem.cursor", older, sizeof(older));
    cr_assert_eq(size, 48);
    struct laz_spool_at old = at;
    cr_assert_eq(laz_spool_read(spool, &at, &buf, &err), 1);
    cr_assert_eq(laz_spool_save_cursor(spool, "siem", at, &err), 0);
    kill_writer(spool);
    spool = open_run(&folder, 1);
    cr_expect_eq(laz_spool_load_cursor(spool, "siem").offset, at.offset);
    cr_expect_eq(laz_spool_load_cursor(spool, "siem").segment, at.segment);
    (void)get_file(&folder, "siem.cursor", good, sizeof(good));
    put_file(&folder, "siem.cursor", older, size); /* rolled back: what follows comes twice */
    cr_expect_eq(laz_spool_load_cursor(spool, "siem").offset, old.offset);
    for (size_t i = 0; i < size; i++) {
        good[i] ^= 4;
        put_file(&folder, "siem.cursor", good, size);
        cr_expect_eq(laz_spool_load_cursor(spool, "siem").offset, first.offset, "byte %zu", i);
        good[i] ^= 4;
        put_file(&folder, "siem.cursor", good, i);
        cr_expect_eq(laz_spool_load_cursor(spool, "siem").offset, first.offset, "%zu bytes", i);
    }
    for (uint32_t offset = 0; offset < 2000; offset++) { /* vouched for, but no block is there */
        (void)laz_put_be(good + 4, offset, 4);
        laz_sha256_of(good, 16, good + 16);
        put_file(&folder, "siem.cursor", good, size);
        struct laz_spool_at loaded = laz_spool_load_cursor(spool, "siem");
        cr_expect(loaded.offset == offset || loaded.offset == first.offset);
        err = (struct laz_err){0};
        cr_expect_eq(laz_spool_read(spool, &loaded, &buf, &err), 1, "offset %u", offset);
    }
    cr_expect_eq(laz_spool_save_cursor(spool, "../etc", at, &err), -1);
    cr_expect_eq(err.kind, LAZ_E_INTERNAL);
    laz_spool_free(spool);
    laz_buf_done(&buf);
    drop_folder(&folder);
}

/* A cursor knows its segment by more than the number: nothing is left out where all is new. */
Test(spool_room, a_cursor_of_another_segment_with_the_same_number_is_none)
{
    static uint8_t cursor[256];
    struct folder folder = new_folder();
    struct laz_spool *spool = open_run(&folder, 1);
    struct laz_err err = {0};
    append(spool, 0, SMALL);
    append(spool, 1, SMALL);
    cr_assert_eq(laz_spool_save_cursor(spool, "siem", laz_spool_end(spool), &err), 0);
    size_t size = get_file(&folder, "siem.cursor", cursor, sizeof(cursor));
    kill_writer(spool);
    empty_folder(&folder);
    put_file(&folder, "siem.cursor", cursor, size);
    spool = open_run(&folder, 2);
    append(spool, 0, SMALL);
    append(spool, 1, SMALL);
    struct laz_spool_at at = laz_spool_load_cursor(spool, "siem");
    cr_expect_eq(read_blocks(spool, &at, 0, SMALL, &err), 2);
    laz_spool_free(spool);
    drop_folder(&folder);
}

/* ---- Room ---- */

static uint64_t bytes_in(const struct folder *folder)
{
    uint64_t sum = 0;
    DIR *entries = fdopendir(openat(folder->fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    const struct dirent *entry = NULL;
    while ((entry = readdir(entries)) != NULL) {
        struct stat status;
        if (laz_spool_number(entry->d_name) > 0 &&
                fstatat(folder->fd, entry->d_name, &status, 0) == 0) {
            sum += (uint64_t)status.st_size;
        }
    }
    (void)closedir(entries);
    return sum;
}

Test(spool_room, a_full_spool_keeps_its_reserve_for_what_is_urgent)
{
    struct folder folder = new_folder();
    struct laz_spool_options options = options_of(&folder, 1);
    struct laz_spool_left left;
    options.max_bytes = 4 * MIB;
    options.reserve_bytes = MIB;
    struct laz_spool *spool = open_with(&options, &left);
    for (int round = 0; round < 2; round++) {
        struct laz_err err = {0};
        uint32_t n = 0;
        while (try_append(spool, n, 60000, false, &err) == 0) {
            cr_assert_leq(bytes_in(&folder), options.max_bytes);
            n++;
        }
        cr_assert_eq(err.kind, LAZ_E_SPOOL_FULL, "%s", err.message);
        cr_assert(laz_spool_used(spool) > 3 * MIB - 130000 && laz_spool_used(spool) <= 3 * MIB,
                "%lu", (unsigned long)laz_spool_used(spool));
        err = (struct laz_err){0};
        while (try_append(spool, n, 60000, true, &err) == 0) {
            cr_assert_leq(bytes_in(&folder), options.max_bytes);
            n++;
        }
        cr_assert_eq(err.kind, LAZ_E_SPOOL_FULL, "%s", err.message);
        cr_assert_gt(laz_spool_used(spool), 4 * MIB - 130000);
        struct laz_spool_at at = laz_spool_first(spool);
        if (round == 1) { /* the segment with the tail of the first round was still there */
            struct laz_buf buf;
            laz_buf_init_heap(&buf, TEXT_MAX);
            while (at.segment < 5) {
                cr_assert_eq(laz_spool_read(spool, &at, &buf, &err), 1);
            }
            laz_buf_done(&buf);
        } else {
            err = (struct laz_err){0};
            cr_assert_eq(read_blocks(spool, &at, 0, 60000, &err), n, "%s", err.message);
        }
        laz_spool_release(spool, laz_spool_end(spool));
        cr_assert_lt(laz_spool_used(spool), 2 * MIB);
    }
    laz_spool_free(spool);
    drop_folder(&folder);
}

Test(spool_room, a_full_spool_opens_if_it_can_become_less_full)
{
    struct folder folder = new_folder();
    struct laz_spool_options options = options_of(&folder, 1);
    struct laz_spool_left left;
    struct laz_err err = {0};
    const char *const keys[] = {x25519_public};
    options.max_bytes = MIB;
    options.n_seal_to = 1;
    options.seal_to = keys;
    struct laz_spool *spool = open_with(&options, &left);
    uint32_t n = 0;
    while (try_append(spool, n, 3000, false, &err) == 0) {
        n++;
    }
    kill_writer(spool);
    struct laz_spool_options next = options_of(&folder, 2);
    next.max_bytes = MIB;
    err = (struct laz_err){0};
    cr_expect_eq(laz_spool_open(&next, &spool, &left, &err), -1);
    cr_expect_eq(err.kind, LAZ_E_SPOOL);
    cr_expect_not_null(strstr(err.message, "nobody here can read"), "%s", err.message);
    for (uint8_t run = 1; run <= 2; run++) { /* a successor; another run with the key */
        struct laz_spool_options again = options_of(&folder, run);
        again.max_bytes = MIB;
        again.open_with = x25519_private;
        spool = open_with(&again, &left);
        expect_blocks(spool, 0, n, 3000);
        err = (struct laz_err){0};
        cr_expect_eq(try_append(spool, n, 3000, true, &err), -1);
        cr_expect_eq(err.kind, LAZ_E_SPOOL_FULL);
        if (run == 2) {
            laz_spool_release(spool, laz_spool_end(spool));
            append(spool, n, 3000);
        }
        kill_writer(spool);
    }
    drop_folder(&folder);
}

/* A container that is killed over and over must not fill its volume with what is allocated. */
Test(spool_room, what_a_killed_run_did_not_use_is_given_back)
{
    static const char *const seal_to[] = {x25519_public};
    struct folder folder = new_folder();
    struct laz_spool_left left;
    for (uint8_t run = 1; run <= 60; run++) {
        struct laz_spool_options options = options_of(&folder, run);
        options.max_bytes = 2 * MIB;
        options.n_seal_to = 1;
        options.seal_to = seal_to;
        struct laz_spool *spool = open_with(&options, &left);
        cr_assert_eq(left.segments, run - 1);
        append(spool, run, SMALL);
        kill_writer(spool);
    }
    cr_assert_lt(bytes_in(&folder), 2 * MIB);
    drop_folder(&folder);
}

/* Kept, what nobody will ever read would fill the folder, and then no run could begin. */
Test(spool_room, what_is_sealed_to_nobody_goes_with_the_next_run_and_is_counted)
{
    struct folder folder = new_folder();
    struct laz_spool_left left;
    for (uint8_t run = 1; run <= 20; run++) {
        struct laz_spool_options options = options_of(&folder, run);
        char before[LAZ_SPOOL_NAME_SIZE];
        options.max_bytes = 2 * MIB;
        laz_spool_name(run - 1U, before);
        struct laz_spool *spool = open_with(&options, &left);
        cr_assert_eq(left.segments, 0);
        cr_assert_eq(left.gone_segments, run == 1 ? 0 : 1);
        cr_assert_eq(left.gone_bytes > 0, run > 1);
        cr_assert_eq(left.has_place, run > 1, "the genesis names it");
        cr_assert(run == 1 || left.place.chain[0] == run - 1);
        cr_expect(run == 1 || has_file(&folder, before), "it waits for the genesis");
        append(spool, run, 300000);
        append(spool, run + 1U, 300000);
        cr_expect(!has_file(&folder, before), "%s", before);
        kill_writer(spool);
    }
    drop_folder(&folder);
}

Test(spool_room, a_run_that_came_to_nothing_leaves_nothing)
{
    struct folder folder = new_folder();
    struct laz_spool_left left;
    for (uint8_t run = 1; run <= 5; run++) {
        const struct laz_spool_options options = options_of(&folder, run);
        struct laz_spool *spool = open_with(&options, &left);
        cr_expect_eq(left.segments, 0);
        cr_expect(!left.has_place);
        kill_writer(spool);
        char name[LAZ_SPOOL_NAME_SIZE];
        laz_spool_name(run, name);
        cr_expect(has_file(&folder, name));
        laz_spool_name(run - 1U, name);
        cr_expect(!has_file(&folder, name), "%s", name);
    }
    drop_folder(&folder);
}

Test(spool_room, only_what_is_released_is_deleted)
{
    struct folder folder = new_folder();
    struct laz_spool *spool = open_run(&folder, 1);
    for (uint32_t n = 0; n < 12; n++) {
        append(spool, n, 300000); /* three in a segment */
    }
    struct laz_spool_at at = laz_spool_first(spool);
    struct laz_err err = {0};
    struct laz_buf buf;
    laz_buf_init_heap(&buf, TEXT_MAX);
    for (uint32_t n = 0; n < 12; n++) {
        laz_spool_release(spool, at);
        for (uint32_t number = 1; number <= 4; number++) {
            char name[LAZ_SPOOL_NAME_SIZE];
            laz_spool_name(number, name);
            cr_expect_eq(has_file(&folder, name), number > n / 3, "after %u: %s", n, name);
        }
        cr_assert_eq(laz_spool_read(spool, &at, &buf, &err), 1, "block %u: %s", n, err.message);
    }
    laz_spool_release(spool, at);
    cr_expect(has_file(&folder, "00000004.lzs"), "it is written to");
    append(spool, 12, 300000);
    append(spool, 13, 300000);
    laz_spool_release(spool, laz_spool_end(spool));
    cr_expect(!has_file(&folder, "00000004.lzs"));
    laz_buf_done(&buf);
    laz_spool_free(spool);
    drop_folder(&folder);
}
