/* SPDX-License-Identifier: Apache-2.0
 *
 * What is put into a spool comes out of it, to those who have a key, until it is released, and
 * nothing else ever does.
 */
#include "audit/bytes.h"
#include "tests/unit/audit/spool_fixture.h"

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
            cr_expect_eq(left.segments, n_keys == 0 ? 0 : 1);
            cr_expect_eq(left.gone_segments, n_keys == 0 ? 1 : 0, "sealed to nobody");
            cr_expect(left.has_place);
            cr_expect_eq(left.place.seq, 29);
            cr_expect_eq(left.place.h[5], 2);
            expect_blocks(spool, 0, i < n_keys ? 3 : 0, SMALL);
            laz_spool_release(spool, everything);
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
        for (uint32_t i = 0; i < 5; i++) {
            append(spool, i, SMALL);
        }
        laz_spool_name(laz_spool_end(spool).segment, name);
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
    laz_spool_release(spool, (struct laz_spool_at){.segment = 1}); /* takes nothing back */
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
    cr_expect_eq(left.gone_segments, 1, "this one was not released");
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

/* Two ends are the same place where nothing is between them. */
Test(spool, the_end_is_behind_the_last_block)
{
    struct folder folder = new_folder();
    struct laz_err err = {0};
    struct laz_spool *spool = open_run(&folder, 1);
    struct laz_spool_at at = laz_spool_first(spool);
    cr_expect_eq(
            memcmp(&at, &(struct laz_spool_at){.segment = 1, .offset = at.offset}, sizeof(at)), 0);
    struct laz_spool_at end = laz_spool_end(spool);
    cr_expect_eq(memcmp(&at, &end, sizeof(at)), 0, "nothing is there");
    append(spool, 0, SMALL);
    cr_expect_eq(read_blocks(spool, &at, 0, SMALL, &err), 1);
    cr_expect_eq(laz_spool_save_cursor(spool, "siem", at, &err), 0);
    kill_writer(spool);
    spool = open_run(&folder, 1); /* which has begun a segment of its own */
    at = laz_spool_load_cursor(spool, "siem");
    end = laz_spool_end(spool);
    cr_expect_eq(memcmp(&at, &end, sizeof(at)), 0, "nothing has come since");
    cr_expect_eq(read_blocks(spool, &at, 1, SMALL, &err), 0);
    append(spool, 1, SMALL);
    cr_expect_eq(read_blocks(spool, &end, 1, SMALL, &err), 1);
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
    append(spool, 0, SMALL);
    cr_expect_eq(laz_spool_end(spool).segment, 10);
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
