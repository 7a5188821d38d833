/* SPDX-License-Identifier: Apache-2.0
 *
 * lib/policy/codec: a value that is out of range is named, whichever it is.
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
    const struct laz_image good = image_block_make();
    struct block block;
    for (int row = 0; row < 37; row++) {
        struct laz_image in = good;
        static const uint16_t unsorted[] = {443, 80};
        static const struct sock_filter endless[] = {BPF_STMT(BPF_LD | BPF_W | BPF_ABS, 0)};
        const char *wanted = NULL;
        size_t at = 0; /* or one byte of the block is changed */
        uint8_t value = 0;
        image_block_encode(&good, &block);
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
            at = find(&block, in.tcp_bind, in.n_tcp_bind * sizeof(*in.tcp_bind)) - 1;
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
        case 31:
            at = find(&block, "h\0i\2jk", 6) - 2;
            value = 1;
            wanted = "what health is told is too long";
            break;
        case 32:
            in.health_identity[1] = 2;
            wanted = "an identity is of items that there are not";
            break;
        case 33:
            in.reported.n = 1;
            wanted = "what is reported does not fit together";
            break;
        case 34:
            at = find(&block, "/bin/true", 10);
            value = 'b';
            wanted = "a command is not one";
            break;
        case 35:
            at = find(&block, "/bin/app", 9) - 8;
            value = LAZ_IMAGE_COMMANDS_MAX + 1;
            wanted = "too many commands";
            break;
        default:
            at = find(&block, in.deliveries, IMAGE_BLOCK_DELIVERIES) - 4;
            value = LAZ_IMAGE_DELIVERIES_MAX + 1;
            wanted = "too many deliveries";
            break;
        }
        if (block.length < whole) {
            image_block_seal(&block);
        } else if (at == 0) {
            image_block_encode(&in, &block);
        } else {
            block.bytes[at] = value;
            image_block_seal(&block);
        }
        char message[128];
        (void)snprintf(message, sizeof(message), "compiled policy: %s", wanted);
        const char *got = image_block_decode(&block, &out);
        cr_assert_not_null(got, "row %d: %s", row, wanted);
        cr_expect_str_eq(got, message, "row %d", row);
    }
}
