/* SPDX-License-Identifier: Apache-2.0
 *
 * lib/policy/codec: what is written is read back, and nothing else is taken.
 */
#include <linux/audit.h>
#include <linux/seccomp.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>

#include <criterion/criterion.h>

#include "policy/image.h"
#include "tests/fixture/block.h"
#include "tests/unit/policy/image_block.h"

static bool rewrite(const struct block *block, struct block *ret_again)
{
    struct laz_image out = {.uid = 77};
    if (image_block_decode(block, &out) != NULL) {
        cr_assert(out.uid == 77 && out.name == NULL, "the result is left alone");
        return false;
    }
    image_block_encode(&out, ret_again);
    return true;
}

static const struct block_codec as_is = {.rewrite = rewrite};
static const struct block_codec sealed = {
        .rewrite = rewrite, .seal = image_block_seal, .head_size = HEADER_SIZE};

Test(image_codec, reads_back_every_field)
{
    const struct laz_image in = image_block_make();
    struct laz_image out;
    struct block block;
    image_block_encode(&in, &block);
    cr_assert_null(image_block_decode(&block, &out));
    cr_expect_eq(out.audit_arch, in.audit_arch);
    cr_expect_eq(memcmp(out.source_digest, in.source_digest, sizeof(in.source_digest)), 0);
    cr_expect_str_eq(out.name, in.name);
    cr_expect_eq(out.mode, in.mode);
    cr_expect_eq(memcmp(out.require, in.require, sizeof(in.require)), 0);
    cr_expect_eq(out.landlock_min_abi, in.landlock_min_abi);
    cr_expect_eq(out.uid, in.uid);
    cr_expect_eq(out.gid, in.gid);
    cr_expect_eq(out.n_groups, in.n_groups);
    cr_expect_eq(memcmp(out.groups, in.groups, sizeof(in.groups)), 0);
    cr_expect_str_eq(out.cwd, in.cwd);
    cr_expect_eq(out.umask, in.umask);
    cr_expect_eq(out.exec_budget, in.exec_budget);
    cr_expect_eq(out.keep_capabilities, in.keep_capabilities);
    cr_expect_eq(out.n_limits, in.n_limits);
    cr_expect_eq(out.limits[1].resource, in.limits[1].resource);
    cr_expect_eq(out.limits[1].value, in.limits[1].value);
    cr_expect_eq(out.isolate_signals, in.isolate_signals);
    cr_expect_eq(out.isolate_abstract_sockets, in.isolate_abstract_sockets);
    cr_expect_eq(out.tcp_bind_any, in.tcp_bind_any);
    cr_expect_eq(out.tcp_connect_any, in.tcp_connect_any);
    cr_expect_eq(out.tls_plain, in.tls_plain);
    cr_expect_eq(out.n_tcp_bind, in.n_tcp_bind);
    cr_expect_eq(memcmp(out.tcp_bind, in.tcp_bind, in.n_tcp_bind * sizeof(*in.tcp_bind)), 0);
    cr_expect_eq(out.n_tcp_connect, in.n_tcp_connect);
    cr_expect_eq(
            memcmp(out.tcp_connect, in.tcp_connect, in.n_tcp_connect * sizeof(*in.tcp_connect)), 0);
    cr_expect_eq(out.with_events.n, in.with_events.n);
    cr_expect_eq(memcmp(out.with_events.insns, in.with_events.insns,
                         in.with_events.n * sizeof(*in.with_events.insns)),
            0);
    cr_expect_eq(out.plain.n, in.plain.n);
    cr_expect_eq(memcmp(out.plain.insns, in.plain.insns, in.plain.n * sizeof(*in.plain.insns)), 0);
    cr_expect_eq(out.flood_burst, in.flood_burst);
    cr_expect_eq(out.flood_per_second, in.flood_per_second);
    cr_expect_eq(out.flood_hold_ms, in.flood_hold_ms);
    cr_expect_eq(out.flood_kill_after, in.flood_kill_after);
    cr_expect_eq(memcmp(out.signal_map, in.signal_map, sizeof(in.signal_map)), 0);
    cr_expect_eq(out.signal_guard, in.signal_guard);
    cr_expect_eq(out.signal_group, in.signal_group);
    cr_expect_eq(out.signal_stop, in.signal_stop);
    cr_expect_eq(out.n_exit_map, in.n_exit_map);
    cr_expect_eq(out.exit_map[0].from, in.exit_map[0].from);
    cr_expect_eq(out.exit_map[0].to, in.exit_map[0].to);
    cr_expect_eq(out.exit_map[0].only_if_stop_requested, in.exit_map[0].only_if_stop_requested);
    cr_expect_eq(out.stop_timeout_ms, in.stop_timeout_ms);
    cr_expect_eq(out.lb_grace_ms, in.lb_grace_ms);
    cr_expect_eq(out.grace_ms, in.grace_ms);
    cr_expect_eq(out.drain_ms, in.drain_ms);
    cr_expect_eq(out.flush_ms, in.flush_ms);
    cr_expect(out.ships && out.capture && !out.passthrough && out.start_acked);
    cr_expect_eq(out.pipe_bytes, in.pipe_bytes);
    cr_expect_eq(out.start_wait_ms, in.start_wait_ms);
    cr_expect_str_eq(out.spool_dir, in.spool_dir);
    cr_assert_eq(out.ship_length, in.ship_length);
    cr_expect_eq(memcmp(out.ship, in.ship, in.ship_length), 0);
    cr_assert_eq(out.sense_length, in.sense_length);
    cr_expect_eq(out.sense_required, in.sense_required);
    cr_expect_eq(memcmp(out.sense, in.sense, in.sense_length), 0);
    cr_expect_str_eq(out.secrets_dir, in.secrets_dir);
    cr_expect(out.fetches && out.fetch_wait_ms == in.fetch_wait_ms);
    cr_assert_eq(out.fetch_length, in.fetch_length);
    cr_expect_eq(memcmp(out.fetch, in.fetch, in.fetch_length), 0);
    cr_expect(out.watches && out.health_shows);
    cr_expect_eq(memcmp(out.health_identity, in.health_identity, 2), 0);
    cr_expect(out.startup_deadline_ms == 120000 && out.lb_least_ms == 1);
    cr_expect_str_eq(out.reported.first, "COLOR");
    cr_assert_eq(out.health_length, in.health_length);
    cr_expect_eq(memcmp(out.health, in.health, in.health_length), 0);
    cr_assert_eq(out.n_commands, 2);
    cr_expect_eq(laz_image_command(&out, 0).n, 2);
    cr_expect_str_eq(laz_image_command(&out, 0).first, "/bin/app");
    cr_expect_eq(laz_image_command(&out, 1).n, 1);
    cr_expect_str_eq(laz_image_command(&out, 1).first, "/bin/true");
}

/* Without sinks nothing of it is in the block, and nothing of it is set. */
Test(image_codec, says_nothing_of_shipping_where_there_is_none)
{
    struct laz_image in = image_block_make();
    struct laz_image out;
    struct block with;
    struct block without;
    image_block_encode(&in, &with);
    in.ships = false;
    image_block_encode(&in, &without);
    cr_assert_null(image_block_decode(&without, &out));
    cr_expect(!out.ships && !out.capture && !out.start_acked);
    cr_expect(out.spool_dir == NULL && out.ship == NULL && out.sense == NULL);
    cr_expect_eq(out.flush_ms, in.flush_ms);
    /* four booleans, two numbers, the string, and two lengths with what they count */
    cr_expect_eq(with.length - without.length, 4 + 8 + 11 + 4 + 4 + 4 + 3);
}

Test(image_codec, walks_strings_and_paths)
{
    const struct laz_image in = image_block_make();
    struct laz_image out;
    struct block block;
    image_block_encode(&in, &block);
    cr_assert_null(image_block_decode(&block, &out));
    const char *at = out.env_pass.first;
    cr_assert_eq(out.env_pass.n, 2);
    cr_expect_str_eq(laz_strings_next(&at), "PATH");
    cr_expect_str_eq(laz_strings_next(&at), "LANG");
    at = out.env_set.first;
    cr_expect_str_eq(laz_strings_next(&at), "TZ=UTC");
    at = out.relaxations.first;
    cr_expect_str_eq(laz_strings_next(&at), "allow-root");
    const uint8_t *cursor = out.paths;
    struct laz_image_path path;
    cr_assert_eq(out.n_paths, 2);
    laz_image_path_next(&cursor, &path);
    cr_expect(path.class == LAZ_PATH_READ_EXEC && !path.optional && strcmp(path.path, "/usr") == 0);
    laz_image_path_next(&cursor, &path);
    cr_expect(path.class == LAZ_PATH_WRITE && path.optional && strcmp(path.path, "/tmp/a") == 0);
}

Test(image_codec, takes_the_smallest_image)
{
    const struct laz_image whole = image_block_make();
    const struct laz_image in = {.audit_arch = AUDIT_ARCH_AARCH64,
            .name = "",
            .cwd = "/",
            .exec_budget = -1,
            .with_events = whole.plain,
            .plain = whole.plain};
    struct laz_image out;
    struct block block;
    image_block_encode(&in, &block);
    cr_assert_null(image_block_decode(&block, &out));
    cr_assert_eq(out.exec_budget, -1);
}

Test(image_codec, is_appended_to_what_is_there)
{
    const struct laz_image in = image_block_make();
    struct block block;
    struct block other;
    struct laz_buf buf;
    struct laz_err err = {0};
    image_block_encode(&in, &block);
    laz_buf_init_fixed(&buf, (char *)other.bytes, sizeof(other.bytes));
    laz_buf_str(&buf, "odd"); /* alignment counts from the block's own start */
    cr_assert_eq(laz_image_encode(&in, &buf, &err), 0);
    cr_assert_eq(buf.len, block.length + 3);
    cr_assert_eq(memcmp(other.bytes + 3, block.bytes, block.length), 0);
}

Test(image_codec, refuses_every_truncation_and_extension)
{
    const struct laz_image in = image_block_make();
    struct laz_image out;
    struct block block;
    image_block_encode(&in, &block);
    block_cut_everywhere(&block, &as_is);
    block.bytes[block.length++] = 0;
    cr_assert_str_eq(
            image_block_decode(&block, &out), "compiled policy: its length is not what it says");
}

/* The same with a header that agrees: what the digest does not catch, the fields do. */
Test(image_codec, refuses_every_sealed_truncation_and_extension)
{
    const struct laz_image in = image_block_make();
    struct laz_image out;
    struct block block;
    image_block_encode(&in, &block);
    block_cut_everywhere(&block, &sealed);
    block.bytes[block.length++] = 0;
    image_block_seal(&block);
    cr_assert_str_eq(image_block_decode(&block, &out), "compiled policy: bytes are left over");
}

Test(image_codec, refuses_every_flipped_bit)
{
    const struct laz_image in = image_block_make();
    struct block block;
    image_block_encode(&in, &block);
    cr_assert_eq(block_flip_every_bit(&block, &as_is), 0);
}

/* With a digest that agrees, a flipped bit is another image or none; it is never a second way to
 * write one. */
Test(image_codec, has_one_block_for_each_image)
{
    const struct laz_image in = image_block_make();
    struct block block;
    image_block_encode(&in, &block);
    cr_assert_gt(block_flip_every_bit(&block, &sealed), 100);
}

Test(image_codec, names_what_is_not_its_format)
{
    const struct laz_image in = image_block_make();
    struct laz_image out;
    struct block block;
    image_block_encode(&in, &block);
    block.bytes[0] = 'l';
    cr_expect_str_eq(image_block_decode(&block, &out), "compiled policy: this is not one");
    image_block_encode(&in, &block);
    block.bytes[8] = 2;
    cr_expect_str_eq(image_block_decode(&block, &out),
            "compiled policy: format 2, this program reads format 5");
    image_block_encode(&in, &block);
    block.bytes[12] ^= 1;
    cr_expect_str_eq(
            image_block_decode(&block, &out), "compiled policy: its length is not what it says");
    image_block_encode(&in, &block);
    block.bytes[16] ^= 1;
    cr_expect_str_eq(image_block_decode(&block, &out),
            "compiled policy: its digest does not match its content");
}

/* What is borrowed from a block that is not aligned would not be either. */
Test(image_codec, refuses_a_block_that_is_not_aligned)
{
    const struct laz_image in = image_block_make();
    struct laz_image out;
    struct block block;
    struct block moved;
    struct laz_err err = {0};
    image_block_encode(&in, &block);
    (void)memcpy(moved.bytes + 4, block.bytes, block.length);
    cr_assert_eq(laz_image_decode(moved.bytes + 4, block.length, &out, &err), -1);
    cr_expect_eq(err.kind, LAZ_E_INTERNAL);
}

Test(image_codec, refuses_to_write_what_is_too_large)
{
    for (int row = 0; row < 17; row++) {
        struct laz_image in = image_block_make();
        uint32_t *counts[] = {&in.n_groups, &in.n_limits, &in.n_exit_map, &in.n_paths,
                &in.n_tcp_bind, &in.n_tcp_connect, &in.env_pass.n, &in.env_set.n, &in.relaxations.n,
                &in.with_events.n, &in.plain.n, &in.ship_length, &in.sense_length, &in.fetch_length,
                &in.fetched.n, &in.inherited.n, &in.n_deliveries};
        static const uint32_t ceilings[] = {LAZ_IMAGE_GROUPS_MAX, LAZ_LIMIT_COUNT,
                LAZ_IMAGE_EXIT_MAP_MAX, LAZ_IMAGE_STRINGS_MAX, LAZ_IMAGE_PORTS_MAX,
                LAZ_IMAGE_PORTS_MAX, LAZ_IMAGE_STRINGS_MAX, LAZ_IMAGE_STRINGS_MAX,
                LAZ_IMAGE_STRINGS_MAX, LAZ_IMAGE_BPF_MAX, LAZ_IMAGE_BPF_MAX, LAZ_IMAGE_SHIP_MAX,
                LAZ_IMAGE_SENSE_MAX, LAZ_IMAGE_FETCH_MAX, LAZ_IMAGE_FETCHED_MAX,
                LAZ_IMAGE_FETCHED_MAX + 1, LAZ_IMAGE_DELIVERIES_MAX};
        struct laz_buf buf;
        struct laz_err err = {0};
        char memory[BLOCK_MAX];
        laz_buf_init_fixed(&buf, memory, sizeof(memory));
        *counts[row] = ceilings[row] + 1;
        cr_expect_eq(laz_image_encode(&in, &buf, &err), -1, "row %d", row);
        cr_expect_eq(err.kind, LAZ_E_POLICY_TOO_LARGE, "row %d", row);
        cr_expect_eq(buf.len, 0, "row %d", row);
    }
    struct laz_image in = image_block_make();
    struct laz_buf buf;
    struct laz_err err = {0};
    char memory[256];
    laz_buf_init_fixed(&buf, memory, sizeof(memory));
    cr_expect_eq(laz_image_encode(&in, &buf, &err), -1);
    cr_expect_str_eq(err.message, "the compiled policy is larger than 131072 bytes");
}

Test(image_filter_digest, is_the_digest_of_both_programs)
{
    struct laz_image image = image_block_make();
    uint8_t bytes[1024];
    size_t first = image.with_events.n * sizeof(*image.with_events.insns);
    size_t second = image.plain.n * sizeof(*image.plain.insns);
    uint8_t wanted[LAZ_SHA256_SIZE];
    uint8_t got[LAZ_SHA256_SIZE];
    cr_assert_leq(first + second, sizeof(bytes));
    (void)memcpy(bytes, image.with_events.insns, first);
    (void)memcpy(bytes + first, image.plain.insns, second);
    laz_sha256_of(bytes, first + second, wanted);
    laz_image_filter_digest(&image, got);
    cr_assert_eq(memcmp(got, wanted, sizeof(got)), 0);
}
