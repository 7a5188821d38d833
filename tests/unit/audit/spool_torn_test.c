/* SPDX-License-Identifier: Apache-2.0
 *
 * Spools that lost power, or in which bytes were changed: no block before that is lost, and nothing
 * comes out that was not put in.
 */
#include "tests/unit/audit/spool_fixture.h"

/* ---- Power cuts ---- */

#define CUT_BLOCKS 5

enum ruin {
    CUT,
    ZEROS,
    GARBAGE,
    RUINS
};

/* The file of a writer that was killed, and where its blocks end. */
struct torn {
    uint8_t bytes[2 * 1024 * 1024];
    size_t size;
    size_t ends[CUT_BLOCKS];
};

static void make_torn(struct folder *folder, struct torn *ret)
{
    struct laz_spool_options options = options_of(folder, 1);
    const char *keys[] = {x25519_public};
    struct laz_spool_left left;
    options.n_seal_to = 1;
    options.seal_to = keys;
    struct laz_spool *spool = open_with(&options, &left);
    for (uint32_t n = 0; n < CUT_BLOCKS; n++) {
        append(spool, n, SMALL);
        ret->ends[n] = laz_spool_end(spool).offset;
    }
    kill_writer(spool);
    ret->size = get_file(folder, "00000001.lzs", ret->bytes, sizeof(ret->bytes));
    cr_assert_eq(ret->size, MIB, "a segment is allocated whole");
}

static void ruin(const struct folder *folder, const struct torn *torn, size_t at, enum ruin how)
{
    static uint8_t bytes[sizeof(torn->bytes)];
    empty_folder(folder);
    memcpy(bytes, torn->bytes, torn->size);
    for (size_t i = at; i < torn->size; i++) {
        bytes[i] = how == GARBAGE ? (uint8_t)(bytes[i] ^ (1 + i % 255)) : 0; /* never the same */
    }
    size_t last = torn->ends[CUT_BLOCKS - 1];
    size_t size = how == CUT ? at : how == GARBAGE ? last : last + 4096;
    put_file(folder, "00000001.lzs", bytes, size > at ? size : at);
}

static uint32_t whole_before(const struct torn *torn, size_t at, enum ruin how)
{
    uint32_t n = 0;
    /* zeros behind a block whose last bytes were zeros change nothing */
    while (n < CUT_BLOCKS && torn->ends[n] <= at) {
        n++;
    }
    if (how == ZEROS && n < CUT_BLOCKS) {
        bool same = true;
        for (size_t i = at; i < torn->ends[n]; i++) {
            same = same && torn->bytes[i] == 0;
        }
        n += same ? 1 : 0;
    }
    return n;
}

/* Cut at each byte of the last two blocks; overwritten at some, at all of them under LAZARET_LONG.
 */
Test(spool_torn, a_power_cut_at_any_byte_costs_no_block_before_it, .timeout = 240)
{
    static struct torn torn;
    bool all = getenv("LAZARET_LONG") != NULL;
    struct folder folder = new_folder();
    make_torn(&folder, &torn);
    size_t tried = 0;
    for (size_t at = torn.ends[CUT_BLOCKS - 3]; at <= torn.ends[CUT_BLOCKS - 1]; at++) {
        for (enum ruin how = CUT; how < (all || at % 3 == 0 ? RUINS : ZEROS); how++) {
            uint32_t n = whole_before(&torn, at, how);
            ruin(&folder, &torn, at, how);
            struct laz_spool *spool = open_run(&folder, 1);
            expect_blocks(spool, 0, n, SMALL);
            expect_tail(spool, n - 1);
            append(spool, n, SMALL);
            expect_blocks(spool, 0, n + 1, SMALL);
            struct stat status;
            cr_assert_eq(fstatat(folder.fd, "00000001.lzs", &status, 0), 0);
            cr_assert_eq((size_t)status.st_size, torn.ends[n - 1], "its torn tail is cut off");
            kill_writer(spool);
            tried++;
        }
    }
    cr_assert_gt(tried, 1200);
    drop_folder(&folder);
}

/* As above, but another run finds it: with the key, and without. */
Test(spool_torn, a_torn_tail_of_another_run_is_left_alone, .timeout = 240)
{
    static struct torn torn;
    static uint8_t after[2 * MIB];
    struct folder folder = new_folder();
    make_torn(&folder, &torn);
    for (size_t at = torn.ends[CUT_BLOCKS - 3]; at <= torn.ends[CUT_BLOCKS - 1]; at += 7) {
        for (int with_key = 0; with_key < 2; with_key++) {
            struct laz_spool_options options = options_of(&folder, 2);
            struct laz_spool_left left;
            uint32_t n = whole_before(&torn, at, GARBAGE);
            ruin(&folder, &torn, at, GARBAGE);
            options.open_with = with_key ? x25519_private : NULL;
            struct laz_spool *spool = open_with(&options, &left);
            cr_assert_eq(left.readable, with_key == 1);
            cr_assert_eq(left.segments, 1);
            cr_assert(left.has_place);
            cr_assert_eq(left.place.chain[0], 1);
            /* without a key, the head of a torn block counts as soon as it is whole */
            bool has_head = n < CUT_BLOCKS && at >= torn.ends[n - 1] + LAZ_SPOOL_BLOCK_HEAD;
            cr_assert_eq(left.place.seq, 10 * (n - 1 + (!with_key && has_head ? 1 : 0)) + 9);
            expect_blocks(spool, 0, with_key ? n : 0, SMALL);
            append(spool, 77, SMALL);
            laz_spool_free(spool);
            size_t size = get_file(&folder, "00000001.lzs", after, sizeof(after));
            cr_assert_eq(size, torn.ends[CUT_BLOCKS - 1], "nothing is cut off but zeros");
            cr_assert_eq(memcmp(after, torn.bytes, at), 0);
        }
    }
    drop_folder(&folder);
}

/* ---- Changed bytes ---- */

/* Every byte of a segment that is not the run's last. Whatever is changed, it is said, and what
 * comes out was put in. */
Test(spool_torn, one_bit_anywhere_is_found, .timeout = 240)
{
    static uint8_t bytes[2 * MIB];
    static uint8_t next[2 * MIB];
    struct folder folder = new_folder();
    struct laz_spool_options options = options_of(&folder, 1);
    const char *keys[] = {other_public, x25519_public};
    struct laz_spool_left left;
    options.n_seal_to = 2;
    options.seal_to = keys;
    for (uint32_t life = 0; life < 2; life++) {
        struct laz_spool *spool = open_with(&options, &left);
        for (uint32_t n = 0; n < 3; n++) {
            append(spool, 3 * life + n, SMALL);
        }
        kill_writer(spool);
    }
    size_t size = get_file(&folder, "00000001.lzs", bytes, sizeof(bytes));
    size_t next_size = get_file(&folder, "00000002.lzs", next, sizeof(next));
    cr_assert_lt(size, 3000, "its successor has cut it");
    for (size_t i = 0; i < size; i++) {
        struct laz_spool_options reader = options_of(&folder, 2);
        struct laz_err err = {0};
        reader.open_with = x25519_private;
        empty_folder(&folder);
        bytes[i] ^= (uint8_t)(1 << (i % 8));
        put_file(&folder, "00000001.lzs", bytes, size);
        bytes[i] ^= (uint8_t)(1 << (i % 8));
        put_file(&folder, "00000002.lzs", next, next_size);
        struct laz_spool *spool = open_with(&reader, &left);
        struct laz_spool_at at = laz_spool_first(spool);
        uint32_t n = read_blocks(spool, &at, 0, SMALL, &err);
        cr_assert_eq(err.kind, LAZ_E_SPOOL_CORRUPT, "byte %zu", i);
        cr_assert_not_null(strstr(err.message, "00000001.lzs at "), "%s", err.message);
        cr_assert_lt(n, 3, "byte %zu", i);
        cr_assert_eq(at.segment, 2, "it goes on behind it");
        cr_assert_eq(at.offset, 0);
        err = (struct laz_err){0};
        cr_assert_eq(read_blocks(spool, &at, 3, SMALL, &err), 3, "byte %zu", i);
        laz_spool_release(spool, laz_spool_end(spool));
        cr_assert(has_file(&folder, "00000001.lzs"), "byte %zu: evidence", i);
        cr_assert(!has_file(&folder, "00000002.lzs"), "byte %zu: read and released", i);
        laz_spool_free(spool);
    }
    drop_folder(&folder);
}

/* In the last segment, which no other names the end of, later blocks show that it is no tear. */
Test(spool_torn, damage_in_the_last_segment_is_no_torn_tail)
{
    static struct torn torn;
    static uint8_t bytes[2 * MIB];
    struct folder folder = new_folder();
    make_torn(&folder, &torn);
    const size_t fields[] = {0, 4, 12, 16, 24, 56, 60, 68, 72, 80}; /* of the second block */
    for (size_t i = 0; i < sizeof(fields) / sizeof(fields[0]); i++) {
        for (uint8_t run = 1; run <= 2; run++) {
            struct laz_spool_options options = options_of(&folder, run);
            struct laz_spool_left left;
            struct laz_err err = {0};
            options.open_with = run == 2 ? x25519_private : NULL;
            empty_folder(&folder);
            memcpy(bytes, torn.bytes, torn.size);
            bytes[torn.ends[0] + fields[i]] ^= 1;
            put_file(&folder, "00000001.lzs", bytes, torn.size);
            struct laz_spool *spool = open_with(&options, &left);
            struct laz_spool_at at = laz_spool_first(spool);
            cr_assert_eq(read_blocks(spool, &at, 0, SMALL, &err), 1, "field at %zu", fields[i]);
            cr_assert_eq(err.kind, LAZ_E_SPOOL_CORRUPT);
            if (run == 1) {
                expect_tail(spool, CUT_BLOCKS - 1); /* the chain had come as far as that */
            } else {
                cr_assert_eq(left.place.seq, 10 * (CUT_BLOCKS - 1) + 9);
            }
            laz_spool_release(spool, laz_spool_end(spool));
            laz_spool_free(spool);
            cr_assert(has_file(&folder, "00000001.lzs"));
        }
    }
    drop_folder(&folder);
}

/* Whole blocks in another order: of the second to the fifth, these, one behind the other. */
Test(spool_torn, no_block_is_left_out_moved_or_repeated)
{
    static struct torn torn;
    static uint8_t bytes[2 * MIB];
    static const struct {
        const char *what;
        uint32_t n_before; /* blocks that come out in front of the damage */
        int order[6];
    } rows[] = {
            {"left out", 1, {0, 2, 3, 4, -1}},
            {"moved", 1, {0, 2, 1, 3, 4, -1}},
            {"repeated", 2, {0, 1, 1, 2, 3, 4}},
            {"the first left out", 0, {1, 2, 3, 4, -1}},
    };
    struct folder folder = new_folder();
    make_torn(&folder, &torn);
    size_t block = torn.ends[1] - torn.ends[0];
    size_t head = torn.ends[0] - block;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct laz_err err = {0};
        size_t size = head;
        memcpy(bytes, torn.bytes, head);
        for (size_t k = 0; k < 6 && rows[i].order[k] >= 0; k++) {
            memcpy(bytes + size, torn.bytes + head + block * (size_t)rows[i].order[k], block);
            size += block;
        }
        empty_folder(&folder);
        put_file(&folder, "00000001.lzs", bytes, size);
        struct laz_spool *spool = open_run(&folder, 1);
        struct laz_spool_at at = laz_spool_first(spool);
        cr_expect_eq(read_blocks(spool, &at, 0, SMALL, &err), rows[i].n_before, "%s", rows[i].what);
        cr_expect_eq(err.kind, LAZ_E_SPOOL_CORRUPT, "%s", rows[i].what);
        kill_writer(spool);
    }
    drop_folder(&folder);
}

/* A segment that lacks its last block, or is an older one of the same number. */
Test(spool_torn, a_segment_that_was_exchanged_is_found)
{
    static struct torn torn;
    struct folder folder = new_folder();
    make_torn(&folder, &torn);
    struct laz_spool *spool = open_run(&folder, 1);
    append(spool, CUT_BLOCKS, SMALL);
    kill_writer(spool);
    put_file(&folder, "00000001.lzs", torn.bytes, torn.ends[CUT_BLOCKS - 2]);
    struct laz_spool_options options = options_of(&folder, 1);
    struct laz_spool_left left;
    struct laz_err err = {0};
    spool = open_with(&options, &left);
    struct laz_spool_at at = laz_spool_first(spool);
    cr_expect_eq(read_blocks(spool, &at, 0, SMALL, &err), CUT_BLOCKS - 1);
    cr_expect_eq(
            err.kind, LAZ_E_SPOOL_CORRUPT, "a block is missing at the end of a closed segment");
    kill_writer(spool);
    drop_folder(&folder);
}

/* The caller's mistake: the chain of another run with a key of its own. Nothing is cut. */
Test(spool_torn, a_wrong_run_key_cuts_nothing)
{
    static struct torn torn;
    static uint8_t after[2 * MIB];
    struct folder folder = new_folder();
    make_torn(&folder, &torn);
    struct laz_spool_options options = options_of(&folder, 1);
    struct laz_spool_left left;
    struct laz_err err = {0};
    memset(options.key, 1, sizeof(options.key));
    struct laz_spool *spool = open_with(&options, &left);
    struct laz_spool_at at = laz_spool_first(spool);
    cr_expect_eq(read_blocks(spool, &at, 0, SMALL, &err), 0);
    cr_expect_eq(err.kind, LAZ_E_SPOOL_CORRUPT);
    cr_expect_not_null(strstr(err.message, "key of its run"), "%s", err.message);
    laz_spool_release(spool, everything);
    laz_spool_free(spool);
    size_t size = get_file(&folder, "00000001.lzs", after, sizeof(after));
    cr_expect_eq(size, torn.size);
    cr_expect_eq(memcmp(after, torn.bytes, size), 0);
    drop_folder(&folder);
}
