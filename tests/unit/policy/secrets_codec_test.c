/* SPDX-License-Identifier: Apache-2.0
 *
 * lib/policy/codec: what the compiled policy says of secrets, for PID 1.
 */
#include <linux/audit.h>
#include <linux/seccomp.h>
#include <stdio.h>
#include <string.h>

#include <criterion/criterion.h>

#include "policy/image.h"
#include "tests/fixture/block.h"

static const struct sock_filter plain[] = {BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW)};

/* item, descriptor, mode (little-endian), path */
static const uint8_t deliveries[] = "\0\0\44\1keys/phi\0" /* 0444 */
                                    "\0\377\0\1\0"        /* 255 */
                                    "\1\24\0\1";          /* 20 */

/* Secrets and nothing else. */
static struct laz_image make_image(void)
{
    return (struct laz_image){.audit_arch = AUDIT_ARCH_AARCH64,
            .name = "",
            .cwd = "/",
            .exec_budget = -1,
            .with_events = {1, plain},
            .plain = {1, plain},
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
            .renewals = (const uint8_t *)"\1\1\1\1\0\1"};
}

static void encode(const struct laz_image *image, struct block *ret)
{
    struct laz_buf buf = block_buf(ret);
    struct laz_err err = {0};
    cr_assert_eq(laz_image_encode(image, &buf, &err), 0, "%s", err.message);
    ret->length = buf.len;
}

static const char *decode(const struct block *block, struct laz_image *ret)
{
    struct laz_err err = {0};
    int result = laz_image_decode(block->bytes, block->length, ret, &err);
    return block_wrong(result, &err, "");
}

Test(secrets_codec, walks_what_is_delivered)
{
    static const struct laz_image_delivery wanted[] = {
            {0, 0, 0444, "keys/phi"}, {0, 255, 0400, ""}, {1, 20, 0400, ""}};
    const struct laz_image in = make_image();
    struct laz_image out;
    struct block block;
    encode(&in, &block);
    cr_assert_null(decode(&block, &out));
    const char *at = out.fetched.first;
    cr_assert(out.fetched.n == 2 && out.inherited.n == 3);
    cr_expect_str_eq(laz_strings_next(&at), "key");
    cr_expect_str_eq(laz_strings_next(&at), "token");
    at = out.inherited.first;
    cr_expect_str_eq(laz_strings_next(&at), "");
    cr_expect_str_eq(laz_strings_next(&at), "TOKEN");
    const uint8_t *cursor = out.deliveries;
    cr_assert_eq(out.n_deliveries, 3);
    for (size_t i = 0; i < 3; i++) {
        struct laz_image_delivery got;
        laz_image_delivery_next(&cursor, &got);
        cr_expect_eq(got.item, wanted[i].item, "%zu", i);
        cr_expect_eq(got.fd, wanted[i].fd, "%zu", i);
        cr_expect_eq(got.mode, wanted[i].mode, "%zu", i);
        cr_expect_str_eq(got.path, wanted[i].path, "%zu", i);
    }
}

/* Secrets need no sinks, and what is not there is not in the block. */
Test(secrets_codec, says_nothing_of_secrets_where_there_are_none)
{
    struct laz_image in = make_image();
    struct laz_image out;
    struct block with;
    struct block without;
    encode(&in, &with);
    cr_assert_null(decode(&with, &out));
    cr_expect(out.fetches && out.n_deliveries == 3);
    in.fetches = false;
    encode(&in, &without);
    cr_assert_null(decode(&without, &out));
    cr_expect(!out.fetches && out.secrets_dir == NULL && out.fetch == NULL);
    cr_expect(out.fetched.n == 0 && out.n_deliveries == 0 && out.deliveries == NULL);
    /* the folder, four numbers, the section, two lists of names, the deliveries and renewal */
    cr_expect_eq(
            with.length - without.length, 13 + 8 + 5 + (4 + 10) + (4 + 8) + 4 + 23 + 18 + 4 + 6);
}

/* Each row is one delivery, or two. */
Test(secrets_codec, takes_deliveries_that_stay_where_they_begin)
{
    static const struct {
        const char *bytes;
        size_t length;
        bool fits;
    } rows[] = {
#define ROW(fits, bytes) {bytes, sizeof(bytes), fits}
            ROW(true, "\0\0\0\1a"), ROW(true, "\0\0\40\1a/b/c"),
            ROW(true, "\1\0\44\1.hidden/x.y/a.."),           /* ends in dots, begins with one */
            ROW(true, "\1\12\0\1"), ROW(false, "\2\0\0\1a"), /* no such item */
            ROW(false, "\0\0\1\1a"),                         /* 0401 */
            ROW(false, "\0\0\200\1a"),                       /* 0600 */
            ROW(false, "\0\0\0\0a"),                         /* 0 */
            ROW(false, "\0\0\0\11a"),                        /* 04400 */
            ROW(false, "\0\0\0\1"),                          /* neither */
            ROW(false, "\0\12\0\1a"),                        /* both */
            ROW(false, "\0\11\0\1"),                         /* descriptor 9 */
            ROW(false, "\0\12\44\1"),                        /* a descriptor that all may read */
            ROW(true, "\1\1\0\1NAME"), ROW(false, "\2\1\0\1NAME"), ROW(false, "\0\1\0\1"),
            ROW(false, "\0\1\44\1NAME"), ROW(false, "\0\1\0\1A=B"), /* variables */
            ROW(false, "\0\0\0\1/a"), ROW(false, "\0\0\0\1a/"), ROW(false, "\0\0\0\1a//b"),
            ROW(false, "\0\0\0\1."), ROW(false, "\0\0\0\1./a"), ROW(false, "\0\0\0\1a/./b"),
            ROW(false, "\0\0\0\1.."), ROW(false, "\0\0\0\1a/../b"), ROW(false, "\0\0\0\1..data"),
            ROW(false, "\0\0\0\1a/..g1"),
            ROW(false, "\0\12\0\1\0\1\12\0\1"), /* one descriptor twice */
#undef ROW
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct laz_image in = make_image();
        struct laz_image out;
        struct block block;
        in.deliveries = (const uint8_t *)rows[i].bytes;
        in.n_deliveries = i + 1 == sizeof(rows) / sizeof(rows[0]) ? 2 : 1;
        encode(&in, &block);
        const char *got = decode(&block, &out);
        cr_expect_eq(got == NULL, rows[i].fits, "row %zu: %s", i, got == NULL ? "taken" : got);
        if (!rows[i].fits && got != NULL) {
            cr_expect_str_eq(got, "compiled policy: a delivery does not fit together");
        }
    }
}

Test(secrets_codec, takes_no_path_that_is_too_long)
{
    struct laz_image in = make_image();
    struct laz_image out;
    struct block block;
    uint8_t bytes[4 + LAZ_IMAGE_BELOW_MAX + 2] = {0, 0, 0, 1};
    (void)memset(bytes + 4, 'a', LAZ_IMAGE_BELOW_MAX);
    in.deliveries = bytes;
    in.n_deliveries = 1;
    encode(&in, &block);
    cr_expect_null(decode(&block, &out));
    bytes[4 + LAZ_IMAGE_BELOW_MAX] = 'a';
    encode(&in, &block);
    cr_expect_str_eq(decode(&block, &out), "compiled policy: a delivery does not fit together");
}

Test(secrets_codec, takes_renewal_that_fits_together)
{
    static const struct {
        struct laz_image said; /* of which renewal alone counts */
        const char *bytes;
        const char *wrong; /* NULL: it is taken */
    } rows[] = {
#define SAID(interval, per_cent, least, stale, then, grace)                                        \
    {.refresh_ms = (interval),                                                                     \
            .refresh_jitter = (per_cent),                                                          \
            .refresh_least_ms = (least),                                                           \
            .stale_ms = (stale),                                                                   \
            .stale_then = (then),                                                                  \
            .retire_ms = (grace)}
            {SAID(10000, 50, 10000, 10001, LAZ_STALE_KEEP, 0), "\1\100\0\0\0\0", NULL},
            {SAID(0, 0, 0, 0, LAZ_STALE_STOP, 0), "\0\0\0\0\0\0", NULL},
            {SAID(10000, 0, 1, 20000, 0, 0), "\1\0\10\1\1\10", NULL},
            {SAID(0, 0, 0, 0, LAZ_STALE_STOP, 0), "\0\0\1\0\0\1", NULL},
            {SAID(10000, 0, 1, 20000, 0, 0), "\1\0\2\0\0\2",
                    "what is renewed does not fit together"},
            {SAID(10000, 0, 1, 20000, 0, 0), "\1\0\0\1\0\11",
                    "what is renewed does not fit together"},
            {SAID(10000, 51, 10000, 10001, 0, 0), "\1\0\0\0\0\0", "a number is out of range"},
            {SAID(10000, 0, 10001, 20000, 0, 0), "\1\0\0\0\0\0", "a number is out of range"},
            {SAID(10000, 0, 1, 20000, LAZ_STALE_THEN_COUNT, 0), "\1\0\0\0\0\0",
                    "a number is out of range"},
            {SAID(10000, 0, 1, 20000, 0, 0), "\2\0\0\0\0\0",
                    "what is renewed does not fit together"},
            {SAID(10000, 0, 1, 20000, 0, 0), "\1\101\0\0\0\0",
                    "what is renewed does not fit together"},
            {SAID(10000, 0, 1, 20000, 0, 0), "\1\0\0\0\1\0",
                    "what is renewed does not fit together"},
            {SAID(10000, 0, 1, 20000, 0, 0), "\0\0\0\0\0\0",
                    "when it is renewed does not fit together"},
            {SAID(10000, 0, 0, 20000, 0, 0), "\1\0\0\0\0\0",
                    "when it is renewed does not fit together"},
            {SAID(10000, 0, 1, 10000, 0, 0), "\1\0\0\0\0\0",
                    "when it is renewed does not fit together"},
            {SAID(0, 0, 0, 0, 0, 0), "\1\0\0\0\0\0", "when it is renewed does not fit together"},
            {SAID(0, 0, 0, 1, 0, 0), "\0\0\0\0\0\0", "when it is renewed does not fit together"},
            {SAID(0, 0, 0, 0, 0, 1), "\0\0\0\0\0\0", "when it is renewed does not fit together"},
#undef SAID
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct laz_image in = make_image();
        struct laz_image out;
        struct block block;
        in.refresh_ms = rows[i].said.refresh_ms;
        in.refresh_jitter = rows[i].said.refresh_jitter;
        in.refresh_least_ms = rows[i].said.refresh_least_ms;
        in.stale_ms = rows[i].said.stale_ms;
        in.stale_then = rows[i].said.stale_then;
        in.retire_ms = rows[i].said.retire_ms;
        in.renewals = (const uint8_t *)rows[i].bytes;
        encode(&in, &block);
        const char *got = decode(&block, &out);
        cr_expect_eq(
                got == NULL, rows[i].wrong == NULL, "row %zu: %s", i, got == NULL ? "taken" : got);
        if (got != NULL && rows[i].wrong != NULL) {
            char whole[128];
            (void)snprintf(whole, sizeof(whole), "compiled policy: %s", rows[i].wrong);
            cr_expect_str_eq(got, whole, "row %zu", i);
        }
    }
}
