/* SPDX-License-Identifier: Apache-2.0
 *
 * What stands at the head of a profile that goes around another filter: for which ABIs it is, and
 * what it answers to what it does not name.
 */
#include <string.h>

#include <criterion/criterion.h>

#include "filter/profile.h"
#include "tests/fixture/policy.h"

#define ROOM (1024 * 1024)

static const struct laz_profile_outer fence = {.is_loose = false};
static const struct laz_profile_outer loose = {.is_loose = true};

static void expect_begin(
        const struct fixture *fixture, const struct laz_profile_outer *outer, const char *expected)
{
    struct laz_err err = {0};
    laz_cleanup_buf struct laz_buf json;
    laz_cleanup_buf struct laz_buf text;
    laz_buf_init_heap(&json, ROOM);
    laz_buf_init_heap(&text, ROOM);
    struct laz_profile_losses losses = {.text = &text};
    cr_assert_eq(laz_profile_export(&fixture->policy, LAZ_ARCH_X86_64, outer, &json, &losses, &err),
            0, "%s", err.message);
    cr_expect_eq(
            strncmp(json.data, expected, strlen(expected)), 0, "%s: %.200s", expected, json.data);
}

/* Three conditions of 32 bits each, none of one value: 32768 cubes. */
Test(filter_outer, of_a_call_with_too_many_conditions_our_programs_keep_what_they_need)
{
    static const struct laz_profile_call flag = {"openat", "flags", 1, 1};
    static const struct laz_profile_outer own = {.calls = &flag, .n = 1};
    cleanup_fixture struct fixture *fixture = fixture_new();
    struct laz_decision *call = decision_of(fixture, "openat");
    struct laz_clause *clause = add_clause(fixture, &call->allow, verdict_of(LAZ_ACTION_ALLOW, 0));
    struct laz_err err = {0};
    laz_cleanup_buf struct laz_buf json;
    laz_cleanup_buf struct laz_buf text;
    for (uint8_t i = 0; i < 3; i++) {
        (void)add_cond(fixture, clause, HAS_ANY(i, UINT32_MAX), (uint64_t[]){7}, 1);
    }
    laz_buf_init_heap(&json, ROOM);
    laz_buf_init_heap(&text, ROOM);
    struct laz_profile_losses losses = {.text = &text};
    cr_assert_eq(
            laz_profile_export(&fixture->policy, LAZ_ARCH_X86_64, &own, &json, &losses, &err), 0);
    cr_expect_not_null(strstr(text.data, "conditions: openat would need more than 1024 rules"));
    cr_expect_not_null(strstr(json.data,
                               "\"syscalls\":[{\"names\":[\"openat\"],\"action\":"
                               "\"SCMP_ACT_ALLOW\",\"args\":[{\"index\":2,\"value\":1,"
                               "\"valueTwo\":1,\"op\":\"SCMP_CMP_MASKED_EQ\"}]}]"),
            "%.500s", json.data);
}

Test(filter_outer, a_loose_one_leaves_the_conditions_of_what_is_allowed_to_the_filter_inside)
{
    cleanup_fixture struct fixture *fixture = fixture_new();
    struct laz_decision *call = decision_of(fixture, "openat");
    struct laz_err err = {0};
    laz_cleanup_buf struct laz_buf json;
    laz_cleanup_buf struct laz_buf text;
    call->base = verdict_of(LAZ_ACTION_ERRNO, 1);
    call->otherwise = verdict_of(LAZ_ACTION_ERRNO, 1);
    (void)add_cond(fixture, add_clause(fixture, &call->allow, verdict_of(LAZ_ACTION_ALLOW, 0)),
            IS(0), (uint64_t[]){7}, 1);
    laz_buf_init_heap(&json, ROOM);
    laz_buf_init_heap(&text, ROOM);
    struct laz_profile_losses losses = {.text = &text};
    cr_assert_eq(
            laz_profile_export(&fixture->policy, LAZ_ARCH_X86_64, &loose, &json, &losses, &err), 0);
    cr_expect_not_null(strstr(json.data, "\"open\",\"open_by_handle_at\""), "%.500s", json.data);
    cr_expect_not_null(strstr(json.data, "\"openat\""));
    cr_expect_null(strstr(json.data, "MASKED_EQ"));
}

#define REFUSES "{\"defaultAction\":\"SCMP_ACT_ERRNO\",\"defaultErrnoRet\":1,\"architectures\":["
#define NATIVE  "\"SCMP_ARCH_X86_64\"]"
#define ALL     "\"SCMP_ARCH_X86_64\",\"SCMP_ARCH_X86\",\"SCMP_ARCH_X32\"]"

Test(filter_outer, only_a_loose_one_hands_other_abis_on_and_only_where_there_is_an_event_for_them)
{
    cleanup_fixture struct fixture *fixture = fixture_new();
    fixture->policy.foreign_abi_verdict = verdict_of(LAZ_ACTION_NOTIFY, 38);
    expect_begin(fixture, NULL, REFUSES NATIVE);
    expect_begin(fixture, &fence, REFUSES NATIVE);
    expect_begin(fixture, &loose, REFUSES ALL);
    fixture->policy.foreign_abi_verdict = verdict_of(LAZ_ACTION_ERRNO, 38);
    expect_begin(fixture, &fence, REFUSES NATIVE);
    expect_begin(fixture, &loose, REFUSES NATIVE);
}

Test(filter_outer, kills_for_nothing_that_is_not_named)
{
    cleanup_fixture struct fixture *fixture = fixture_new();
    fixture->policy.default_verdict = verdict_of(LAZ_ACTION_KILL, 0);
    expect_begin(fixture, NULL, "{\"defaultAction\":\"SCMP_ACT_KILL_PROCESS\",");
    expect_begin(fixture, &fence, REFUSES);
    expect_begin(fixture, &loose, REFUSES);
}
