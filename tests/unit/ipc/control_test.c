/* SPDX-License-Identifier: Apache-2.0
 *
 * Packets of the control socket: what was put in comes out, and nothing else is taken for one.
 */
#include "ipc/control.h"

#include <criterion/criterion.h>

static char memory[LAZ_CONTROL_PACKET_MAX];
static struct laz_buf buf;

static void set_up(void)
{
    laz_buf_init_fixed(&buf, memory, sizeof(memory));
}

TestSuite(control, .init = set_up);

static const struct laz_control_item example = {
        .name = "db-password",
        .state = LAZ_CONTROL_STALE,
        .is_renewed = true,
        .generation = 7,
        .failures = 3,
        .age_s = 90000,
        .next_s = LAZ_CONTROL_NEVER,
        .expires = 1800000000,
        .version = "v1",
        .fingerprint = "0011223344556677",
        .why = "denied: no (id 1)",
};

Test(control, a_request_comes_out_as_it_went_in_and_no_part_of_it_is_one)
{
    enum laz_control_verb verb = LAZ_CONTROL_STATUS;
    const char *name = NULL;
    laz_control_put_request(&buf, LAZ_CONTROL_ROTATE, "db-password");
    cr_assert(laz_control_take_request(memory, buf.len, &verb, &name));
    cr_expect_eq(verb, LAZ_CONTROL_ROTATE);
    cr_expect_str_eq(name, "db-password");
    for (size_t n = 0; n < buf.len; n++) {
        cr_expect_not(laz_control_take_request(memory, n, &verb, &name), "%zu bytes", n);
    }
    cr_expect_not(laz_control_take_request(memory, buf.len + 1, &verb, &name), "a byte more");
}

Test(control, a_request_of_another_version_kind_or_verb_is_none)
{
    enum laz_control_verb verb = LAZ_CONTROL_STATUS;
    const char *name = NULL;
    for (size_t at = 0; at < 3; at++) {
        laz_control_put_request(&buf, LAZ_CONTROL_ROTATE, "a");
        memory[at] = (char)(memory[at] + 1);
        cr_expect_not(laz_control_take_request(memory, buf.len, &verb, &name), "byte %zu", at);
    }
    char long_name[LAZ_CONTROL_NAME_MAX + 2];
    (void)memset(long_name, 'a', sizeof(long_name) - 1);
    long_name[sizeof(long_name) - 1] = '\0';
    laz_control_put_request(&buf, LAZ_CONTROL_ROTATE, long_name);
    cr_expect_not(laz_control_take_request(memory, buf.len, &verb, &name));
    laz_control_put_request(&buf, LAZ_CONTROL_ROTATE, long_name + 1);
    cr_expect(laz_control_take_request(memory, buf.len, &verb, &name));
}

Test(control, an_answer_comes_out_as_it_went_in_and_no_part_of_it_is_one)
{
    struct laz_control_item item;
    enum laz_control_result result = LAZ_CONTROL_BROKEN;
    laz_control_put_item(&buf, &example);
    cr_assert_eq(laz_control_take_answer(memory, buf.len, &item, &result), LAZ_CONTROL_ITEM);
    cr_expect_str_eq(item.name, example.name);
    cr_expect(item.state == LAZ_CONTROL_STALE && item.is_renewed);
    cr_expect(item.generation == 7 && item.failures == 3 && item.age_s == 90000);
    cr_expect(item.next_s == LAZ_CONTROL_NEVER && item.expires == 1800000000);
    cr_expect_str_eq(item.version, example.version);
    cr_expect_str_eq(item.fingerprint, example.fingerprint);
    cr_expect_str_eq(item.why, example.why);
    for (size_t n = 0; n < buf.len; n++) {
        cr_expect_eq(
                laz_control_take_answer(memory, n, &item, &result), LAZ_CONTROL_NOTHING, "%zu", n);
    }
    laz_control_put_end(&buf, LAZ_CONTROL_UNKNOWN);
    cr_assert_eq(laz_control_take_answer(memory, buf.len, &item, &result), LAZ_CONTROL_END);
    cr_expect_eq(result, LAZ_CONTROL_UNKNOWN);
    memory[2] = (char)LAZ_CONTROL_RESULT_COUNT;
    cr_expect_eq(laz_control_take_answer(memory, buf.len, &item, &result), LAZ_CONTROL_NOTHING);
}

Test(control, has_a_word_for_each_state_and_result)
{
    cr_expect_str_eq(laz_control_state_name(LAZ_CONTROL_EXPIRED), "expired");
    cr_expect_str_eq(laz_control_result_text(LAZ_CONTROL_UNKNOWN), "there is no such item");
    cr_expect_str_eq(laz_control_state_name(LAZ_CONTROL_STATE_COUNT), "?");
    cr_expect_str_eq(laz_control_result_text(LAZ_CONTROL_RESULT_COUNT), "?");
}
