/* SPDX-License-Identifier: Apache-2.0
 *
 * The image, and its two ways.
 */
#include "tests/unit/policy/image_block.h"

#include <linux/audit.h>
#include <linux/seccomp.h>
#include <string.h>
#include <sys/resource.h>

#include <criterion/criterion.h>

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

_Static_assert(sizeof(deliveries) == IMAGE_BLOCK_DELIVERIES, "as the header says");

/* Every field has a value of its own. */
struct laz_image image_block_make(void)
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
            .watches = true,
            .health_shows = true,
            .health_identity = {1, 0},
            .startup_deadline_ms = 120000,
            .lb_least_ms = 1,
            .reported = {2, "COLOR\0"},
            .n_commands = 2,
            .commands = (const uint8_t *)"\2\0\0\0/bin/app\0--ping\0\1\0\0\0/bin/true",
            .health = (const uint8_t *)"h\0i\2jk",
            .health_length = 6,
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

void image_block_encode(const struct laz_image *image, struct block *ret)
{
    struct laz_buf buf = block_buf(ret);
    struct laz_err err = {0};
    cr_assert_eq(laz_image_encode(image, &buf, &err), 0, "%s", err.message);
    ret->length = buf.len;
}

void image_block_seal(struct block *block)
{
    for (unsigned i = 0; i < 4; i++) {
        block->bytes[12 + i] = (uint8_t)(block->length >> (8 * i));
    }
    laz_sha256_of(block->bytes + HEADER_SIZE, block->length - HEADER_SIZE, block->bytes + 16);
}

const char *image_block_decode(const struct block *block, struct laz_image *ret)
{
    struct laz_err err = {0};
    int result = laz_image_decode(block->bytes, block->length, ret, &err);
    return block_wrong(result, &err, "");
}
