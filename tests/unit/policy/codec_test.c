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

#define HEADER_SIZE 48 /* magic, version, length, digest */

static const struct sock_filter with_events[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, 0),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, 59, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_USER_NOTIF),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
};
static const struct sock_filter plain[] = {BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW)};
static const uint16_t bind_ports[] = {80, 8080, 65535};
static const uint16_t connect_ports[] = {443};

/* item, descriptor, mode (little-endian), path */
static const uint8_t deliveries[] = "\0\0\44\1keys/phi\0" /* 0444 */
                                    "\0\377\0\1\0"        /* 255 */
                                    "\1\24\0\1";          /* 20 */

/* Every field has a value of its own. */
static struct laz_image make_image(void)
{
    struct laz_image image = {
            .audit_arch = AUDIT_ARCH_X86_64,
            .name = "claims-api",
            .mode = LAZ_MODE_OBSERVE,
            .landlock_min_abi = 4,
            .uid = 10001,
            .gid = 10002,
            .n_groups = 2,
            .groups = {7, 4294967294},
            .cwd = "/app",
            .umask = 0027,
            .env_pass = {2, "PATH\0LANG"},
            .env_set = {1, "TZ=UTC"},
            .exec_budget = 3,
            .keep_capabilities = UINT64_C(0x8000000000000401),
            .n_limits = 2,
            .limits = {{RLIMIT_CORE, 0}, {RLIMIT_NOFILE, 4096}},
            .n_paths = 2,
            .paths = (const uint8_t *)"\1\0/usr\0\2\1/tmp/a",
            .isolate_signals = true,
            .tcp_connect_any = true,
            .tls_plain = LAZ_PLAIN_ENFORCE,
            .n_tcp_bind = 3,
            .tcp_bind = bind_ports,
            .n_tcp_connect = 1,
            .tcp_connect = connect_ports,
            .with_events = {4, with_events},
            .plain = {1, plain},
            .flood_burst = 200,
            .flood_per_second = 50,
            .flood_hold_ms = 51,
            .flood_kill_after = 20000,
            .signal_guard = 1,
            .signal_group = 2,
            .signal_stop = UINT64_C(0x8000000000000004),
            .n_exit_map = 1,
            .exit_map = {{143, 0, true}},
            .stop_timeout_ms = 10000,
            .lb_grace_ms = 1,
            .grace_ms = 2,
            .drain_ms = 3,
            .flush_ms = 4,
            .relaxations = {1, "allow-root"},
            .ships = true,
            .capture = true,
            .start_acked = true,
            .pipe_bytes = 65536,
            .start_wait_ms = 1234,
            .spool_dir = "/run/spool",
            .ship = (const uint8_t *)"a\0b\377",
            .ship_length = 4,
            .sense = (const uint8_t *)"c\0d",
            .sense_length = 3,
            .sense_required = true,
            .fetches = true,
            .secrets_dir = "/run/secrets",
            .fetch_wait_ms = 60001,
            .fetch = (const uint8_t *)"e\0f\1g",
            .fetch_length = 5,
            .fetched = {2, "key\0token"},
            .inherited = {3, "\0TOKEN\0"},
            .n_deliveries = 3,
            .deliveries = deliveries,
            .refresh_ms = 300000,
            .refresh_jitter = 20,
            .refresh_least_ms = 5000,
            .stale_ms = 86400000,
            .stale_then = LAZ_STALE_NOT_READY,
            .retire_ms = 30000,
            .renewals = (const uint8_t *)"\1\1\0\0\0\0",
    };
    for (size_t i = 0; i < sizeof(image.source_digest); i++) {
        image.source_digest[i] = (uint8_t)(i + 1);
    }
    for (size_t i = 0; i < LAZ_REQUIRE_COUNT; i++) {
        image.require[i] = (enum laz_level)(i % LAZ_LEVEL_COUNT);
    }
    for (size_t i = 0; i <= LAZ_SIGNAL_MAX; i++) {
        image.signal_map[i] = (uint8_t)(LAZ_SIGNAL_MAX - i);
    }
    return image;
}

static void encode(const struct laz_image *image, struct block *ret)
{
    struct laz_buf buf = block_buf(ret);
    struct laz_err err = {0};
    cr_assert_eq(laz_image_encode(image, &buf, &err), 0, "%s", err.message);
    ret->length = buf.len;
}

/* Make header and body agree again after a change of the body. */
static void seal(struct block *block)
{
    for (unsigned i = 0; i < 4; i++) {
        block->bytes[12 + i] = (uint8_t)(block->length >> (8 * i));
    }
    laz_sha256_of(block->bytes + HEADER_SIZE, block->length - HEADER_SIZE, block->bytes + 16);
}

static const char *decode(const struct block *block, struct laz_image *ret)
{
    struct laz_err err = {0};
    int result = laz_image_decode(block->bytes, block->length, ret, &err);
    return block_wrong(result, &err, "");
}

static bool rewrite(const struct block *block, struct block *ret_again)
{
    struct laz_image out = {.uid = 77};
    if (decode(block, &out) != NULL) {
        cr_assert(out.uid == 77 && out.name == NULL, "the result is left alone");
        return false;
    }
    encode(&out, ret_again);
    return true;
}

static const struct block_codec as_is = {.rewrite = rewrite};
static const struct block_codec sealed = {
        .rewrite = rewrite, .seal = seal, .head_size = HEADER_SIZE};

Test(image_codec, reads_back_every_field)
{
    const struct laz_image in = make_image();
    struct laz_image out;
    struct block block;
    encode(&in, &block);
    cr_assert_null(decode(&block, &out));
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
    cr_expect_eq(memcmp(out.tcp_bind, in.tcp_bind, sizeof(bind_ports)), 0);
    cr_expect_eq(out.n_tcp_connect, in.n_tcp_connect);
    cr_expect_eq(memcmp(out.tcp_connect, in.tcp_connect, sizeof(connect_ports)), 0);
    cr_expect_eq(out.with_events.n, in.with_events.n);
    cr_expect_eq(memcmp(out.with_events.insns, with_events, sizeof(with_events)), 0);
    cr_expect_eq(out.plain.n, in.plain.n);
    cr_expect_eq(memcmp(out.plain.insns, plain, sizeof(plain)), 0);
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
}

/* Without sinks nothing of it is in the block, and nothing of it is set. */
Test(image_codec, says_nothing_of_shipping_where_there_is_none)
{
    struct laz_image in = make_image();
    struct laz_image out;
    struct block with;
    struct block without;
    encode(&in, &with);
    in.ships = false;
    encode(&in, &without);
    cr_assert_null(decode(&without, &out));
    cr_expect(!out.ships && !out.capture && !out.start_acked);
    cr_expect(out.spool_dir == NULL && out.ship == NULL && out.sense == NULL);
    cr_expect_eq(out.flush_ms, in.flush_ms);
    /* four booleans, two numbers, the string, and two lengths with what they count */
    cr_expect_eq(with.length - without.length, 4 + 8 + 11 + 4 + 4 + 4 + 3);
}

Test(image_codec, walks_strings_and_paths)
{
    const struct laz_image in = make_image();
    struct laz_image out;
    struct block block;
    encode(&in, &block);
    cr_assert_null(decode(&block, &out));
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
    const struct laz_image in = {.audit_arch = AUDIT_ARCH_AARCH64,
            .name = "",
            .cwd = "/",
            .exec_budget = -1,
            .with_events = {1, plain},
            .plain = {1, plain}};
    struct laz_image out;
    struct block block;
    encode(&in, &block);
    cr_assert_null(decode(&block, &out));
    cr_assert_eq(out.exec_budget, -1);
}

Test(image_codec, is_appended_to_what_is_there)
{
    const struct laz_image in = make_image();
    struct block block;
    struct block other;
    struct laz_buf buf;
    struct laz_err err = {0};
    encode(&in, &block);
    laz_buf_init_fixed(&buf, (char *)other.bytes, sizeof(other.bytes));
    laz_buf_str(&buf, "odd"); /* alignment counts from the block's own start */
    cr_assert_eq(laz_image_encode(&in, &buf, &err), 0);
    cr_assert_eq(buf.len, block.length + 3);
    cr_assert_eq(memcmp(other.bytes + 3, block.bytes, block.length), 0);
}

Test(image_codec, refuses_every_truncation_and_extension)
{
    const struct laz_image in = make_image();
    struct laz_image out;
    struct block block;
    encode(&in, &block);
    block_cut_everywhere(&block, &as_is);
    block.bytes[block.length++] = 0;
    cr_assert_str_eq(decode(&block, &out), "compiled policy: its length is not what it says");
}

/* The same with a header that agrees: what the digest does not catch, the fields do. */
Test(image_codec, refuses_every_sealed_truncation_and_extension)
{
    const struct laz_image in = make_image();
    struct laz_image out;
    struct block block;
    encode(&in, &block);
    block_cut_everywhere(&block, &sealed);
    block.bytes[block.length++] = 0;
    seal(&block);
    cr_assert_str_eq(decode(&block, &out), "compiled policy: bytes are left over");
}

Test(image_codec, refuses_every_flipped_bit)
{
    const struct laz_image in = make_image();
    struct block block;
    encode(&in, &block);
    cr_assert_eq(block_flip_every_bit(&block, &as_is), 0);
}

/* With a digest that agrees, a flipped bit is another image or none; it is never a second way to
 * write one. */
Test(image_codec, has_one_block_for_each_image)
{
    const struct laz_image in = make_image();
    struct block block;
    encode(&in, &block);
    cr_assert_gt(block_flip_every_bit(&block, &sealed), 100);
}

/* ---- Values out of range ---- */

static size_t find(const struct block *block, const void *bytes, size_t size)
{
    for (size_t i = HEADER_SIZE; i + size <= block->length; i++) {
        if (memcmp(block->bytes + i, bytes, size) == 0) {
            return i;
        }
    }
    cr_assert(false, "not in the block");
    return 0;
}

Test(image_codec, names_what_is_out_of_range)
{
    struct laz_image out;
    const struct laz_image good = make_image();
    struct block block;
    for (int row = 0; row < 32; row++) {
        struct laz_image in = good;
        static const uint16_t unsorted[] = {443, 80};
        static const struct sock_filter endless[] = {BPF_STMT(BPF_LD | BPF_W | BPF_ABS, 0)};
        const char *wanted = NULL;
        size_t at = 0; /* or one byte of the block is changed */
        uint8_t value = 0;
        encode(&good, &block);
        const size_t whole = block.length;
        size_t mode_at = find(&block, "claims-api", 11) + 11;
        size_t flags_at = find(&block, "/tmp/a", 7) + 7;
        switch (row) {
        case 0:
            in.audit_arch = AUDIT_ARCH_I386;
            wanted = "an unknown architecture";
            break;
        case 1:
            at = mode_at;
            value = LAZ_MODE_COUNT;
            wanted = "an unknown mode";
            break;
        case 2:
            at = mode_at + 1;
            value = LAZ_LEVEL_COUNT;
            wanted = "an unknown level";
            break;
        case 3:
            in.uid = UINT32_MAX;
            wanted = "a user or group has no such number";
            break;
        case 4:
            in.gid = UINT32_MAX;
            wanted = "a user or group has no such number";
            break;
        case 5:
            in.groups[1] = UINT32_MAX;
            wanted = "a user or group has no such number";
            break;
        case 6:
            in.cwd = "app";
            wanted = "the directory or the exec budget is out of range";
            break;
        case 7:
            in.umask = 01000;
            wanted = "the umask is out of range";
            break;
        case 8:
            in.exec_budget = 0;
            wanted = "the directory or the exec budget is out of range";
            break;
        case 9:
            in.exec_budget = -2;
            wanted = "the directory or the exec budget is out of range";
            break;
        case 10:
            in.limits[1].resource = LAZ_LIMIT_COUNT;
            wanted = "an unknown limit";
            break;
        case 11:
            in.limits[1].resource = in.limits[0].resource;
            wanted = "limits are out of order";
            break;
        case 12:
            at = find(&block, "/usr", 5) - 2;
            value = LAZ_PATH_COUNT;
            wanted = "an unknown class of path";
            break;
        case 13:
            at = find(&block, "/usr", 5) - 1;
            value = 2;
            wanted = "a boolean is neither 0 nor 1";
            break;
        case 14:
            at = find(&block, "/usr", 5);
            value = 'u';
            wanted = "a path is not absolute";
            break;
        case 15:
            at = flags_at;
            value = 2;
            wanted = "a boolean is neither 0 nor 1";
            break;
        case 16:
            in.tcp_bind = unsorted;
            in.n_tcp_bind = 2;
            wanted = "ports are out of order";
            break;
        case 17:
            in.plain = (struct laz_image_bpf){1, endless};
            wanted = "a filter is not one that the kernel takes";
            break;
        case 18:
            in.with_events.n = 0;
            wanted = "a filter is not one that the kernel takes";
            break;
        case 19:
            in.signal_map[9] = LAZ_SIGNAL_MAX + 1;
            wanted = "an unknown signal";
            break;
        case 20:
            at = find(&block, bind_ports, sizeof(bind_ports)) - 1;
            value = 1;
            wanted = "padding is not zero";
            break;
        case 21:
            block.length = mode_at - 3; /* inside the name */
            wanted = "a string does not end";
            break;
        case 22:
            at = find(&block, "allow-root", 11) + 11;
            value = 2;
            wanted = "a boolean is neither 0 nor 1";
            break;
        case 23:
            in.pipe_bytes = LAZ_IMAGE_PIPE_MAX + 1;
            wanted = "a pipe is too large";
            break;
        case 24:
            in.spool_dir = "spool";
            wanted = "a path is not absolute";
            break;
        case 25:
            at = find(&block, "a\0b\377", 4) - 2; /* 65536 and more */
            value = 1;
            wanted = "what ship is told is too long";
            break;
        case 26:
            at = find(&block, "c\0d", 3) - 2;
            value = 1;
            wanted = "what sense is told is too long";
            break;
        case 27:
            at = find(&block, "e\0f\1g", 5) - 2;
            value = 1;
            wanted = "what fetch is told is too long";
            break;
        case 28:
            in.secrets_dir = "run/secrets";
            wanted = "a path is not absolute";
            break;
        case 29:
            in.inherited.n = 1;
            wanted = "the names of secrets do not fit together";
            break;
        case 30:
            in.fetched.n = 0;
            in.inherited.n = 0;
            wanted = "the names of secrets do not fit together";
            break;
        default:
            at = find(&block, deliveries, sizeof(deliveries)) - 4;
            value = LAZ_IMAGE_DELIVERIES_MAX + 1;
            wanted = "too many deliveries";
            break;
        }
        if (block.length < whole) {
            seal(&block);
        } else if (at == 0) {
            encode(&in, &block);
        } else {
            block.bytes[at] = value;
            seal(&block);
        }
        char message[128];
        (void)snprintf(message, sizeof(message), "compiled policy: %s", wanted);
        const char *got = decode(&block, &out);
        cr_assert_not_null(got, "row %d: %s", row, wanted);
        cr_expect_str_eq(got, message, "row %d", row);
    }
}

Test(image_codec, names_what_is_not_its_format)
{
    const struct laz_image in = make_image();
    struct laz_image out;
    struct block block;
    encode(&in, &block);
    block.bytes[0] = 'l';
    cr_expect_str_eq(decode(&block, &out), "compiled policy: this is not one");
    encode(&in, &block);
    block.bytes[8] = 2;
    cr_expect_str_eq(
            decode(&block, &out), "compiled policy: format 2, this program reads format 4");
    encode(&in, &block);
    block.bytes[12] ^= 1;
    cr_expect_str_eq(decode(&block, &out), "compiled policy: its length is not what it says");
    encode(&in, &block);
    block.bytes[16] ^= 1;
    cr_expect_str_eq(
            decode(&block, &out), "compiled policy: its digest does not match its content");
}

/* What is borrowed from a block that is not aligned would not be either. */
Test(image_codec, refuses_a_block_that_is_not_aligned)
{
    const struct laz_image in = make_image();
    struct laz_image out;
    struct block block;
    struct block moved;
    struct laz_err err = {0};
    encode(&in, &block);
    (void)memcpy(moved.bytes + 4, block.bytes, block.length);
    cr_assert_eq(laz_image_decode(moved.bytes + 4, block.length, &out, &err), -1);
    cr_expect_eq(err.kind, LAZ_E_INTERNAL);
}

Test(image_codec, refuses_to_write_what_is_too_large)
{
    for (int row = 0; row < 17; row++) {
        struct laz_image in = make_image();
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
    struct laz_image in = make_image();
    struct laz_buf buf;
    struct laz_err err = {0};
    char memory[256];
    laz_buf_init_fixed(&buf, memory, sizeof(memory));
    cr_expect_eq(laz_image_encode(&in, &buf, &err), -1);
    cr_expect_str_eq(err.message, "the compiled policy is larger than 131072 bytes");
}

Test(image_filter_digest, is_the_digest_of_both_programs)
{
    struct laz_image image = make_image();
    uint8_t bytes[sizeof(with_events) + sizeof(plain)];
    uint8_t wanted[LAZ_SHA256_SIZE];
    uint8_t got[LAZ_SHA256_SIZE];
    (void)memcpy(bytes, with_events, sizeof(with_events));
    (void)memcpy(bytes + sizeof(with_events), plain, sizeof(plain));
    laz_sha256_of(bytes, sizeof(bytes), wanted);
    laz_image_filter_digest(&image, got);
    cr_assert_eq(memcmp(got, wanted, sizeof(got)), 0);
}
