/* SPDX-License-Identifier: Apache-2.0
 *
 * Messages: what was put in comes out; every other bytes, sender, receiver or number of descriptors
 * are refused, or say nothing that could do harm.
 */
#include <string.h>

#include <criterion/criterion.h>

#include "ipc/msg.h"

#define FDS_TRIED 4

static const struct {
    unsigned from; /* sets of roles */
    unsigned to;
    size_t n_fds;
    const char *name;
} catalogue[] = {
#define LAZ_MESSAGE(id, from, to, fds, says) {LAZ_ROLES_##from, LAZ_ROLES_##to, fds, #id},
#include "ipc/msg.def"
#undef LAZ_MESSAGE
};

static char memory[LAZ_MESSAGE_MAX + 64];
static struct laz_buf buf;
static struct laz_message message;
static struct laz_err err;

static void set_up(void)
{
    laz_buf_init_fixed(&buf, memory, sizeof(memory));
    err = (struct laz_err){0};
}

TestSuite(message, .init = set_up);

static const uint8_t *bytes(void)
{
    return (const uint8_t *)buf.data;
}

static int parse(size_t length)
{
    err = (struct laz_err){0};
    return laz_message_parse(
            bytes(), length, 0, (struct laz_route){LAZ_ROLE_INIT, LAZ_ROLE_SHIP}, &message, &err);
}

/* A message with one field of each kind. */
static void build(void)
{
    laz_message_begin(&buf, LAZ_MESSAGE_FACTS);
    laz_message_u8(&buf, 0xAB);
    laz_message_u32(&buf, 0xDEADBEEF);
    laz_message_u64(&buf, UINT64_C(0x0123456789ABCDEF));
    laz_message_string(&buf, "");
    laz_message_string(&buf, "spool");
    cr_assert(laz_message_end(&buf));
}

static bool is_as_built(void)
{
    struct laz_fields fields;
    laz_fields_begin(&fields, &message);
    bool same = laz_fields_u8(&fields) == 0xAB && laz_fields_u32(&fields) == 0xDEADBEEF &&
            laz_fields_u64(&fields) == UINT64_C(0x0123456789ABCDEF) &&
            strcmp(laz_fields_string(&fields), "") == 0 &&
            strcmp(laz_fields_string(&fields), "spool") == 0;
    return same && laz_fields_done(&fields);
}

Test(message, comes_out_as_it_went_in)
{
    build();
    cr_assert_eq(parse(buf.len), 0, "%s", err.message);
    cr_assert_eq(message.type, LAZ_MESSAGE_FACTS);
    cr_assert(is_as_built());
}

Test(message, of_which_a_bit_is_changed_is_refused_or_another)
{
    build();
    size_t length = buf.len;
    for (size_t bit = 0; bit < 8 * length; bit++) {
        buf.data[bit / 8] = (char)(uint8_t)((uint8_t)buf.data[bit / 8] ^ 1U << bit % 8);
        bool in_head = bit / 8 < LAZ_MESSAGE_HEADER;
        int result = parse(length);
        cr_expect(result < 0 || !in_head || message.type != LAZ_MESSAGE_FACTS, "bit %zu", bit);
        cr_expect(result == 0 || err.kind == LAZ_E_INTERNAL, "bit %zu", bit);
        cr_expect(result < 0 || in_head || !is_as_built(), "bit %zu", bit);
        buf.data[bit / 8] = (char)(uint8_t)((uint8_t)buf.data[bit / 8] ^ 1U << bit % 8);
    }
}

Test(message, of_another_length_is_refused)
{
    build();
    size_t length = buf.len;
    for (size_t n = 0; n < length + 16; n++) {
        cr_expect_eq(parse(n) == 0, n == length, "%zu bytes of %zu", n, length);
    }
}

Test(message, is_for_whom_the_catalogue_says_and_with_as_many_descriptors)
{
    for (int type = -1; type <= LAZ_MESSAGE_COUNT; type++) {
        laz_message_begin(&buf, (enum laz_message_type)type);
        cr_assert(laz_message_end(&buf));
        for (size_t at = 0; at < (size_t)LAZ_ROLE_COUNT * LAZ_ROLE_COUNT * FDS_TRIED; at++) {
            enum laz_role from = (enum laz_role)(at / FDS_TRIED / LAZ_ROLE_COUNT);
            enum laz_role to = (enum laz_role)(at / FDS_TRIED % LAZ_ROLE_COUNT);
            size_t n_fds = at % FDS_TRIED;
            bool allowed = type >= 0 && type < LAZ_MESSAGE_COUNT &&
                    (catalogue[type].from >> from & 1) != 0 &&
                    (catalogue[type].to >> to & 1) != 0 && catalogue[type].n_fds == n_fds;
            err = (struct laz_err){0};
            int result = laz_message_parse(
                    bytes(), buf.len, n_fds, (struct laz_route){from, to}, &message, &err);
            cr_expect_eq(result == 0, allowed, "message %d from %s to %s with %zu descriptors: %s",
                    type, laz_role_name(from), laz_role_name(to), n_fds, err.message);
            cr_expect(result == 0 || strstr(err.message, laz_role_name(from)) != NULL, "%s",
                    err.message);
        }
    }
}

Test(message, of_the_catalogue_goes_from_init_or_to_init_with_room_for_its_descriptors)
{
    cr_assert_eq(sizeof(catalogue) / sizeof(catalogue[0]), LAZ_MESSAGE_COUNT);
    for (size_t i = 0; i < LAZ_MESSAGE_COUNT; i++) {
        cr_expect_eq(catalogue[i].from & catalogue[i].to, 0, "%s", catalogue[i].name);
        cr_expect(catalogue[i].from == LAZ_ROLES_INIT || catalogue[i].to == LAZ_ROLES_INIT, "%s",
                catalogue[i].name);
        cr_expect_leq(catalogue[i].n_fds, LAZ_MESSAGE_FDS_MAX, "%s", catalogue[i].name);
        /* What helpers may give to init: words; and secrets and sockets that listen, which init
         * does not look into. */
        bool is_kept =
                i == LAZ_MESSAGE_VALUE || i == LAZ_MESSAGE_MASKS || i == LAZ_MESSAGE_LISTENER;
        cr_expect(catalogue[i].from == LAZ_ROLES_INIT || catalogue[i].n_fds == is_kept, "%s",
                catalogue[i].name);
    }
}

Test(message, that_does_not_fit_is_not_closed)
{
    char small[LAZ_MESSAGE_HEADER + 3];
    laz_buf_init_fixed(&buf, small, sizeof(small));
    laz_message_begin(&buf, LAZ_MESSAGE_FACTS);
    laz_message_u32(&buf, 1);
    cr_expect_not(laz_message_end(&buf), "it had no room");
    laz_buf_init_fixed(&buf, memory, sizeof(memory));
    laz_message_begin(&buf, LAZ_MESSAGE_CONFIG);
    for (size_t i = LAZ_MESSAGE_HEADER; i < LAZ_MESSAGE_MAX; i++) {
        laz_message_u8(&buf, 1);
    }
    cr_expect(laz_message_end(&buf), "the largest");
    laz_message_u8(&buf, 1);
    cr_expect_not(laz_message_end(&buf), "one byte more");
    buf.len = LAZ_MESSAGE_HEADER - 1;
    cr_expect_not(laz_message_end(&buf), "less than a head");
}

Test(message, fields_that_are_not_there_fail_and_so_do_all_behind_them)
{
    struct laz_fields fields;
    laz_message_begin(&buf, LAZ_MESSAGE_FACTS);
    laz_message_u8(&buf, 7);
    laz_message_u8(&buf, 0);
    cr_assert(laz_message_end(&buf));
    cr_assert_eq(parse(buf.len), 0);
    laz_fields_begin(&fields, &message);
    cr_expect_eq(laz_fields_u32(&fields), 0, "two bytes are no u32");
    cr_expect_eq(laz_fields_u8(&fields), 0, "though a byte is there");
    cr_expect_str_eq(laz_fields_string(&fields), "");
    cr_expect_not(laz_fields_done(&fields));
    laz_fields_begin(&fields, &message);
    cr_expect_eq(laz_fields_u8(&fields), 7);
    cr_expect_not(laz_fields_done(&fields), "a byte is left");
    cr_expect_str_eq(laz_fields_string(&fields), "");
    cr_expect(laz_fields_done(&fields));
}

Test(message, a_string_ends_inside_the_message_or_is_none)
{
    struct laz_fields fields;
    laz_message_begin(&buf, LAZ_MESSAGE_FACTS);
    laz_message_u8(&buf, 'a');
    laz_message_u8(&buf, 'b');
    cr_assert(laz_message_end(&buf));
    memory[buf.len] = '\0'; /* behind it, where nobody may look */
    cr_assert_eq(parse(buf.len), 0);
    laz_fields_begin(&fields, &message);
    cr_expect_str_eq(laz_fields_string(&fields), "");
    cr_expect_not(laz_fields_done(&fields));
}
