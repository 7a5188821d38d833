/* SPDX-License-Identifier: Apache-2.0
 *
 * What is put into a spool comes out of it, to those who have a key, until it is released, and
 * nothing else ever does.
 */
#include "audit/bytes.h"
#include "tests/unit/audit/spool_fixture.h"

#define SMALL 300 /* bytes of a block's records */

Test(spool, blocks_come_back_as_they_were)
{
    struct folder folder = new_folder();
    struct laz_spool *spool = open_run(&folder, 1);
    struct laz_err err = {0};
    struct laz_spool_at at = laz_spool_first(spool);
    for (uint32_t n = 0; n < 40; n++) {
        append(spool, n, 100000); /* several segments */
        cr_assert_eq(read_blocks(spool, &at, n, 100000, &err), 1, "%s", err.message);
        cr_assert_eq(at.segment, laz_spool_end(spool).segment);
        cr_assert_eq(at.offset, laz_spool_end(spool).offset);
        expect_tail(spool, n);
    }
    cr_assert_gt(at.segment, 3);
    expect_blocks(spool, 0, 40, 100000);
    cr_assert_eq(laz_spool_sync(spool, &err), 0);
    laz_spool_free(spool);
    spool = open_run(&folder, 1); /* a successor */
    expect_tail(spool, 39);
    append(spool, 40, 100000);
    expect_blocks(spool, 0, 41, 100000);
    laz_spool_free(spool);
    drop_folder(&folder);
}

Test(spool, any_size_of_block_up_to_the_largest)
{
    struct folder folder = new_folder();
    struct laz_spool *spool = open_run(&folder, 1);
    struct laz_err err = {0};
    const size_t sizes[] = {0, 1, 2, 4095, 4096, 65536, TEXT_MAX};
    struct laz_spool_at at = laz_spool_first(spool);
    for (uint32_t n = 0; n < sizeof(sizes) / sizeof(sizes[0]); n++) {
        append(spool, n, sizes[n]);
        cr_assert_eq(read_blocks(spool, &at, n, sizes[n], &err), 1, "%zu bytes", sizes[n]);
    }
    char *large = calloc(1, LAZ_SPOOL_BLOCK_MAX + 1);
    uint8_t meta[LAZ_SPOOL_META_MAX + 1] = {7};
    const struct laz_place place = {0};
    struct laz_buf buf;
    laz_buf_init_heap(&buf, LAZ_SPOOL_BLOCK_MAX + 1);
    struct laz_spool_block block = {.meta = meta,
            .meta_length = LAZ_SPOOL_META_MAX,
            .records = large,
            .length = LAZ_SPOOL_BLOCK_MAX};
    cr_assert_eq(laz_spool_append(spool, &block, &place, &err), 0, "%s", err.message);
    cr_assert_eq(laz_spool_read(spool, &at, &buf, &err), 1);
    cr_assert_eq(buf.len, LAZ_SPOOL_BLOCK_MAX);
    cr_assert_eq(laz_spool_tail(spool, meta), LAZ_SPOOL_META_MAX);
    block.length++;
    cr_expect_eq(laz_spool_append(spool, &block, &place, &err), -1);
    cr_expect_eq(err.kind, LAZ_E_INTERNAL);
    err = (struct laz_err){0};
    block.length = 0;
    block.meta_length++;
    cr_expect_eq(laz_spool_append(spool, &block, &place, &err), -1);
    cr_expect_eq(err.kind, LAZ_E_INTERNAL);
    laz_buf_done(&buf);
    free(large);
    laz_spool_free(spool);
    drop_folder(&folder);
}

Test(spool, a_buffer_that_is_too_small_moves_nothing)
{
    struct folder folder = new_folder();
    struct laz_spool *spool = open_run(&folder, 1);
    struct laz_err err = {0};
    char memory[SMALL];
    struct laz_buf small;
    append(spool, 0, SMALL);
    struct laz_spool_at at = laz_spool_first(spool);
    laz_buf_init_fixed(&small, memory, sizeof(memory)); /* one less, for the NUL */
    cr_expect_eq(laz_spool_read(spool, &at, &small, &err), -1);
    cr_expect_eq(err.kind, LAZ_E_MEMORY);
    cr_expect_eq(small.len, 0);
    err = (struct laz_err){0};
    cr_expect_eq(read_blocks(spool, &at, 0, SMALL, &err), 1);
    laz_spool_free(spool);
    drop_folder(&folder);
}

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
        bytes[i] = how == GARBAGE ? (uint8_t)(i * 131 + (i >> 8) + 7) : 0;
    }
    /* the first of the two last blocks is what is overwritten, not all that was allocated */
    size_t size = how == CUT ? at : how == GARBAGE ? torn->ends[CUT_BLOCKS - 1] : torn->size;
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

Test(spool, a_power_cut_at_any_byte_costs_no_block_before_it, .timeout = 240)
{
    static struct torn torn;
    struct folder folder = new_folder();
    make_torn(&folder, &torn);
    size_t tried = 0;
    for (size_t at = torn.ends[CUT_BLOCKS - 3]; at <= torn.ends[CUT_BLOCKS - 1]; at += 1) {
        for (enum ruin how = CUT; how < RUINS; how++) {
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
    cr_assert_gt(tried, 2000);
    drop_folder(&folder);
}

/* As above, but another run finds it: with the key, and without. */
Test(spool, a_torn_tail_of_another_run_is_left_alone, .timeout = 240)
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
Test(spool, one_bit_anywhere_is_found, .timeout = 240)
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
Test(spool, damage_in_the_last_segment_is_no_torn_tail)
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

/* A segment that lacks its last block, or is an older one of the same number. */
Test(spool, a_segment_that_was_exchanged_is_found)
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

/* ---- Keys ---- */

static struct folder sealed_folder(size_t n_keys, const char *const *keys)
{
    struct folder folder = new_folder();
    struct laz_spool_options options = options_of(&folder, 1);
    struct laz_spool_left left;
    options.n_seal_to = n_keys;
    options.seal_to = keys;
    struct laz_spool *spool = open_with(&options, &left);
    for (uint32_t n = 0; n < 3; n++) {
        append(spool, n, SMALL);
    }
    kill_writer(spool);
    return folder;
}

Test(spool, each_recovery_key_opens_it_and_no_other)
{
    const char *const keys[] = {x25519_public, rsa_public, other_public};
    const char *const openers[] = {x25519_private, rsa_private, other_private};
    for (size_t n_keys = 0; n_keys <= 3; n_keys++) {
        for (size_t i = 0; i < 3; i++) {
            struct folder folder = sealed_folder(n_keys, keys);
            struct laz_spool_options options = options_of(&folder, 2);
            struct laz_spool_left left;
            options.open_with = openers[i];
            struct laz_spool *spool = open_with(&options, &left);
            cr_expect_eq(left.readable, i < n_keys, "key %zu of %zu", i, n_keys);
            cr_expect_eq(left.segments, 1);
            cr_expect(left.has_place);
            cr_expect_eq(left.place.seq, 29);
            cr_expect_eq(left.place.h[5], 2);
            expect_blocks(spool, 0, i < n_keys ? 3 : 0, SMALL);
            laz_spool_release(spool, laz_spool_end(spool));
            cr_expect_eq(has_file(&folder, "00000001.lzs"), i >= n_keys,
                    "only what could be read is deleted");
            laz_spool_free(spool);
            drop_folder(&folder);
        }
    }
}

Test(spool, keys_that_are_none_are_refused)
{
    struct folder folder = new_folder();
    const char *const wrong_public[] = {
            "", "nonsense", x25519_private, short_public, signing_public};
    const char *const wrong_private[] = {"", "nonsense", x25519_public, locked_private};
    struct laz_spool *spool = NULL;
    struct laz_spool_left left;
    for (size_t i = 0; i < sizeof(wrong_public) / sizeof(wrong_public[0]); i++) {
        struct laz_err err = {0};
        struct laz_spool_options options = options_of(&folder, 1);
        options.n_seal_to = 1;
        options.seal_to = &wrong_public[i];
        cr_expect_eq(laz_spool_open(&options, &spool, &left, &err), -1, "public %zu", i);
        cr_expect_eq(err.kind, LAZ_E_SPOOL);
        cr_expect_not_null(strstr(err.message, "recovery key 1: "), "%s", err.message);
    }
    for (size_t i = 0; i < sizeof(wrong_private) / sizeof(wrong_private[0]); i++) {
        struct laz_err err = {0};
        struct laz_spool_options options = options_of(&folder, 1);
        options.open_with = wrong_private[i];
        cr_expect_eq(laz_spool_open(&options, &spool, &left, &err), -1, "private %zu", i);
        cr_expect_eq(err.kind, LAZ_E_SPOOL);
        cr_expect_not_null(strstr(err.message, "no private key"), "%s", err.message);
    }
    cr_expect_null(spool);
    drop_folder(&folder);
}

/* The caller's mistake: the chain of another run with a key of its own. Nothing is cut. */
Test(spool, a_wrong_run_key_cuts_nothing)
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
    laz_spool_release(spool, laz_spool_end(spool));
    laz_spool_free(spool);
    size_t size = get_file(&folder, "00000001.lzs", after, sizeof(after));
    cr_expect_eq(size, torn.size);
    cr_expect_eq(memcmp(after, torn.bytes, size), 0);
    drop_folder(&folder);
}

/* ---- Nonces ---- */

#define LIVES 24

struct nonce {
    uint8_t salt[LAZ_SPOOL_SALT_SIZE];
    uint8_t bytes[LAZ_SPOOL_NONCE_SIZE];
};

/* The nonces of all blocks of a file. */
static size_t collect_nonces(const struct folder *folder, const char *name, struct nonce *ret)
{
    static uint8_t bytes[2 * MIB];
    struct laz_spool_head head;
    struct laz_spool_block_head block;
    size_t n = 0;
    size_t size = get_file(folder, name, bytes, sizeof(bytes));
    cr_assert_null(laz_spool_head_decode(bytes, size, &head));
    for (size_t at = head.length;
            at + LAZ_SPOOL_BLOCK_MORE <= size && laz_spool_block_decode(&head, bytes + at, &block);
            at += LAZ_SPOOL_BLOCK_MORE + block.length) {
        memcpy(ret[n].salt, head.salt, sizeof(head.salt));
        memcpy(ret[n++].bytes, laz_spool_block_nonce(bytes + at), LAZ_SPOOL_NONCE_SIZE);
    }
    return n;
}

/* Half of the lives lose all files of the ones before, so that numbers come again. */
Test(spool, no_key_ever_sees_a_nonce_twice)
{
    static struct nonce nonces[16 * LIVES];
    struct folder folder = new_folder();
    size_t n = 0;
    for (int life = 0; life < LIVES; life++) {
        if (life % 2 == 1) {
            empty_folder(&folder);
        }
        struct laz_spool *spool = open_run(&folder, 1);
        char name[LAZ_SPOOL_NAME_SIZE];
        laz_spool_name(laz_spool_end(spool).segment, name);
        for (uint32_t i = 0; i < 5; i++) {
            append(spool, i, SMALL);
        }
        n += collect_nonces(&folder, name, nonces + n);
        kill_writer(spool);
    }
    cr_assert_eq(n, 5 * LIVES);
    for (size_t i = 0; i < n; i++) {
        for (size_t k = 0; k < i; k++) {
            cr_assert_neq(memcmp(&nonces[i], &nonces[k], sizeof(nonces[i])), 0);
            if (i / 5 != k / 5) {
                cr_assert_neq(memcmp(nonces[i].salt, nonces[k].salt, sizeof(nonces[i].salt)), 0);
            }
        }
    }
    drop_folder(&folder);
}

/* ---- Cursors ---- */

Test(spool, a_cursor_comes_back_or_the_sink_begins_anew)
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
Test(spool, a_cursor_of_another_segment_with_the_same_number_is_none)
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

Test(spool, a_full_spool_keeps_its_reserve_for_what_is_urgent)
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

Test(spool, a_full_spool_opens_if_it_can_become_less_full)
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
Test(spool, what_a_killed_run_did_not_use_is_given_back)
{
    struct folder folder = new_folder();
    struct laz_spool_left left;
    for (uint8_t run = 1; run <= 60; run++) {
        struct laz_spool_options options = options_of(&folder, run);
        options.max_bytes = 2 * MIB;
        struct laz_spool *spool = open_with(&options, &left);
        cr_assert_eq(left.segments, run - 1);
        append(spool, run, SMALL);
        kill_writer(spool);
    }
    cr_assert_lt(bytes_in(&folder), 2 * MIB);
    drop_folder(&folder);
}

Test(spool, only_what_is_released_is_deleted)
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
    laz_spool_release(spool, (struct laz_spool_at){.segment = 1}); /* back is no release */
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

/* ---- From run to run ---- */

/* Whoever ends in order and has nothing left leaves only a place, for as long as the next chain
 * needs it. */
Test(spool, the_last_place_outlives_what_was_released)
{
    struct folder folder = new_folder();
    struct laz_spool *spool = open_run(&folder, 1);
    struct laz_err err = {0};
    for (uint32_t n = 0; n < 5; n++) {
        append(spool, n, 300000);
    }
    laz_spool_release(spool, laz_spool_end(spool));
    laz_spool_free(spool);
    for (uint8_t run = 2; run < 5; run++) { /* none of these gets as far as its genesis */
        struct laz_spool_options options = options_of(&folder, run);
        struct laz_spool_left left;
        spool = open_with(&options, &left);
        cr_expect_eq(left.segments, 0);
        cr_expect(!left.readable);
        cr_expect(left.has_place);
        cr_expect_eq(left.place.seq, 49);
        cr_expect_eq(left.place.chain[15], 1);
        struct laz_spool_at at = laz_spool_first(spool);
        cr_expect_eq(read_blocks(spool, &at, 0, 1, &err), 0);
        laz_spool_free(spool);
        cr_expect(has_file(&folder, "00000002.lzs"));
    }
    spool = open_run(&folder, 5);
    append(spool, 0, SMALL);
    cr_expect(!has_file(&folder, "00000002.lzs"), "the genesis has taken it up");
    cr_expect(!has_file(&folder, "done"));
    laz_spool_free(spool);
    struct laz_spool_options options = options_of(&folder, 6);
    struct laz_spool_left left;
    spool = open_with(&options, &left);
    cr_expect_eq(left.segments, 1, "this one was not released");
    cr_expect_eq(left.place.seq, 9);
    laz_spool_free(spool);
    drop_folder(&folder);
}

Test(spool, what_several_runs_left_is_read_in_order_and_then_gone)
{
    struct folder folder = new_folder();
    const char *const keys[] = {rsa_public};
    struct laz_spool_left left;
    for (uint8_t run = 1; run <= 3; run++) {
        struct laz_spool_options options = options_of(&folder, run);
        options.n_seal_to = 1;
        options.seal_to = keys;
        for (uint32_t life = 0; life < 2; life++) {
            struct laz_spool *spool = open_with(&options, &left);
            append(spool, 2 * (run - 1U) + life, SMALL);
            kill_writer(spool);
        }
    }
    struct laz_spool_options options = options_of(&folder, 4);
    options.open_with = rsa_private;
    struct laz_spool *spool = open_with(&options, &left);
    cr_expect_eq(left.segments, 6);
    cr_expect(left.readable);
    cr_expect_eq(left.place.chain[0], 3);
    cr_expect_eq(left.place.seq, 59);
    expect_blocks(spool, 0, 6, SMALL);
    append(spool, 6, SMALL);
    expect_blocks(spool, 0, 7, SMALL);
    laz_spool_release(spool, laz_spool_end(spool));
    for (uint32_t number = 1; number <= 6; number++) {
        char name[LAZ_SPOOL_NAME_SIZE];
        laz_spool_name(number, name);
        cr_expect(!has_file(&folder, name), "%s", name);
    }
    laz_spool_free(spool);
    drop_folder(&folder);
}

/* ---- The folder ---- */

static void expect_refused(
        const struct laz_spool_options *options, enum laz_err_kind kind, const char *words)
{
    struct laz_spool *spool = NULL;
    struct laz_spool_left left;
    struct laz_err err = {0};
    cr_expect_eq(laz_spool_open(options, &spool, &left, &err), -1, "%s", words);
    cr_expect_eq(err.kind, kind, "%s", err.message);
    cr_expect_not_null(strstr(err.message, words), "%s", err.message);
    cr_expect_null(spool);
}

Test(spool, one_writer_at_a_time)
{
    struct folder folder = new_folder();
    struct laz_spool *spool = open_run(&folder, 1);
    const struct laz_spool_options options = options_of(&folder, 2);
    expect_refused(&options, LAZ_E_SPOOL, "another process writes");
    laz_spool_free(spool);
    laz_spool_free(open_run(&folder, 2));
    drop_folder(&folder);
}

Test(spool, what_cannot_be_a_spool_is_refused)
{
    struct folder folder = new_folder();
    struct laz_spool_options options = options_of(&folder, 1);
    put_file(&folder, "file", "x", 1);
    options.dir = openat(folder.fd, "file", O_RDONLY | O_CLOEXEC);
    expect_refused(&options, LAZ_E_SPOOL, "Not a directory");
    laz_fd_close(&options.dir);
    options = options_of(&folder, 1);
    options.segment_bytes = MIB - 1;
    expect_refused(&options, LAZ_E_INTERNAL, "sizes");
    options = options_of(&folder, 1);
    options.reserve_bytes = options.max_bytes;
    expect_refused(&options, LAZ_E_INTERNAL, "sizes");
    options = options_of(&folder, 1);
    put_file(&folder, "99999999.lzs", "x", 1);
    expect_refused(&options, LAZ_E_SPOOL, "no number");
    cr_expect_eq(unlinkat(folder.fd, "lock", 0), 0);
    cr_expect_eq(symlinkat("file", folder.fd, "lock"), 0);
    expect_refused(&options, LAZ_E_SPOOL, "lock");
    drop_folder(&folder);
}

Test(spool, links_and_strangers_are_left_alone)
{
    static const char *const strangers[] = {"00000000.lzs", "0000001.lzs", "000000001.lzs",
            "0000000a.lzs", "00000001.lzs.old", "+0000001.lzs", "README", ".hidden"};
    struct folder folder = new_folder();
    struct laz_err err = {0};
    put_file(&folder, "victim", "precious", 8);
    for (size_t i = 0; i < sizeof(strangers) / sizeof(strangers[0]); i++) {
        put_file(&folder, strangers[i], "x", 1);
    }
    cr_assert_eq(symlinkat("victim", folder.fd, "00000005.lzs"), 0);
    cr_assert_eq(mkdirat(folder.fd, "00000006.lzs", 0700), 0);
    cr_assert_eq(mkfifoat(folder.fd, "00000007.lzs", 0600), 0);
    put_file(&folder, "00000008.lzs", "LZSP, but not for long", 22);
    put_file(&folder, "00000009.lzs", "", 0);
    cr_assert_eq(symlinkat("victim", folder.fd, "segment.new"), 0);
    cr_assert_eq(symlinkat("victim", folder.fd, "siem.cursor"), 0);
    cr_assert_eq(symlinkat("victim", folder.fd, "siem.cursor.new"), 0);
    struct laz_spool_options options = options_of(&folder, 1);
    struct laz_spool_left left;
    options.open_with = x25519_private;
    struct laz_spool *spool = open_with(&options, &left);
    cr_expect_eq(left.segments, 2, "two files could have been segments");
    cr_expect(!left.readable);
    cr_expect(!left.has_place);
    cr_expect_eq(laz_spool_end(spool).segment, 10);
    append(spool, 0, SMALL);
    struct laz_spool_at at = laz_spool_first(spool);
    cr_expect_eq(read_blocks(spool, &at, 0, SMALL, &err), 0);
    cr_expect_not_null(
            strstr(err.message, "00000008.lzs at 0: it is no segment"), "%s", err.message);
    err = (struct laz_err){0};
    cr_expect_eq(read_blocks(spool, &at, 0, SMALL, &err), 0);
    cr_expect_not_null(strstr(err.message, "00000009.lzs"), "%s", err.message);
    err = (struct laz_err){0};
    cr_expect_eq(read_blocks(spool, &at, 0, SMALL, &err), 1);
    cr_expect_eq(laz_spool_save_cursor(spool, "siem", at, &err), 0, "%s", err.message);
    laz_spool_release(spool, laz_spool_end(spool));
    laz_spool_free(spool);
    static uint8_t bytes[64];
    cr_expect_eq(get_file(&folder, "victim", bytes, sizeof(bytes)), 8);
    cr_expect_eq(memcmp(bytes, "precious", 8), 0);
    for (size_t i = 0; i < sizeof(strangers) / sizeof(strangers[0]); i++) {
        cr_expect(has_file(&folder, strangers[i]), "%s", strangers[i]);
    }
    for (uint32_t number = 5; number <= 9; number++) {
        char name[LAZ_SPOOL_NAME_SIZE];
        laz_spool_name(number, name);
        cr_expect(has_file(&folder, name), "%s", name);
    }
    drop_folder(&folder);
}
