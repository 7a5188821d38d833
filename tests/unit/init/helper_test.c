/* SPDX-License-Identifier: Apache-2.0
 *
 * PID 1's patience with a helper, without one: what is due when, and when it is over.
 */
#include "init/pid1/helper.h"

#include <errno.h>

#include <criterion/criterion.h>

#include "core/fd.h"
#include "init/pid1/secrets.h"

#define NOW    UINT64_C(5000000000)
#define MS     UINT64_C(1000000)
#define MINUTE (LAZ_HELPER_ABSENT_MAX_MS * MS)

/* One that was ready once, and that nothing runs without. */
static struct laz_helper needed_one(void)
{
    struct laz_helper helper;
    laz_helper_init(&helper, LAZ_ROLE_SHIP, LAZ_E_AUDIT);
    helper.is_needed = helper.was_ever_ready = true;
    return helper;
}

Test(helper, waits_for_nothing_while_one_is_ready)
{
    struct laz_helper helper = needed_one();
    cr_assert_eq(laz_helper_due_ns(&helper), 0);
    laz_helper_check(&helper, NOW + 10 * MINUTE);
    cr_assert_not(helper.is_lost);
}

Test(helper, is_lost_when_none_is_ready_for_a_minute)
{
    struct laz_helper helper = needed_one();
    helper.pid = 77; /* lives, and says nothing */
    helper.absent_ns = NOW;
    cr_assert_eq(laz_helper_due_ns(&helper), NOW + MINUTE);
    laz_helper_check(&helper, NOW + MINUTE - 1);
    cr_assert_not(helper.is_lost);
    laz_helper_check(&helper, NOW + MINUTE);
    cr_assert(helper.is_lost);
    cr_assert_eq(helper.err.kind, LAZ_E_AUDIT);
    cr_assert_str_eq(helper.err.message, "lazaret-helper has not come back");
    cr_assert_eq(laz_helper_due_ns(&helper), 0, "and nothing more is due");
}

Test(helper, that_is_not_needed_is_tried_for_ever)
{
    struct laz_helper helper = needed_one();
    helper.is_needed = false;
    helper.absent_ns = NOW;
    laz_helper_check(&helper, NOW + MINUTE);
    cr_assert(helper.is_lost);
    cr_assert_eq(laz_helper_due_ns(&helper), NOW + 2 * MINUTE);
    laz_helper_ended(&helper, 1 << 8, true, NOW + MINUTE + MS);
    cr_assert_gt(helper.due_ns, NOW + MINUTE);
}

Test(helper, wakes_for_the_next_start_before_it_gives_up)
{
    struct laz_helper helper = needed_one();
    helper.absent_ns = NOW;
    helper.due_ns = NOW + 100;
    cr_assert_eq(laz_helper_due_ns(&helper), NOW + 100);
    helper.due_ns = NOW + 2 * MINUTE;
    cr_assert_eq(laz_helper_due_ns(&helper), NOW + MINUTE);
}

/* How long after its end the next one is due, in milliseconds. */
static uint64_t pause_after_end(struct laz_helper *helper, uint64_t now_ns)
{
    laz_helper_ended(helper, 9, true, now_ns);
    return (helper->due_ns - now_ns) / MS;
}

Test(helper, that_dies_right_after_ready_is_started_less_and_less_often)
{
    struct laz_helper helper = needed_one();
    const uint64_t pauses_ms[] = {100, 200, 400, 800, 1000, 1000};
    for (size_t i = 0; i < sizeof(pauses_ms) / sizeof(pauses_ms[0]); i++) {
        helper.ready_ns = NOW;
        cr_assert_eq(pause_after_end(&helper, NOW + MS), pauses_ms[i], "failure %zu", i);
    }
    helper.ready_ns = NOW; /* this one has worked for long enough */
    cr_assert_eq(pause_after_end(&helper, NOW + LAZ_HELPER_STEADY_MS * MS), 100);
}

Test(helper, that_is_not_needed_is_tried_every_ten_seconds_at_last)
{
    struct laz_helper helper = needed_one();
    uint64_t pause_ms = 0;
    helper.is_needed = helper.was_ever_ready = false;
    for (unsigned i = 0; i < 12; i++) {
        pause_ms = pause_after_end(&helper, NOW);
    }
    cr_assert(helper.is_lost);
    cr_assert_eq(pause_ms, LAZ_HELPER_LOST_MS);
}

Test(helper, that_never_came_up_is_lost_at_the_third_try)
{
    struct laz_helper helper = needed_one();
    helper.was_ever_ready = false;
    for (unsigned i = 0; i < LAZ_HELPER_START_TRIES; i++) {
        cr_assert_not(helper.is_lost);
        laz_helper_ended(&helper, 1 << 8, true, NOW);
    }
    cr_assert(helper.is_lost);
    cr_assert_str_eq(helper.err.message,
            "lazaret-helper does not stay up: lazaret-helper ship ended by exit 1");
}

Test(helper, that_cannot_be_started_is_lost_with_the_reason)
{
    struct laz_helper helper = needed_one();
    helper.was_ever_ready = false;
    for (unsigned i = 0; i < LAZ_HELPER_START_TRIES; i++) {
        cr_assert_not(helper.is_lost);
        helper.is_starting = true;
        laz_helper_started(&helper, -EAGAIN, NOW);
    }
    cr_assert(helper.is_lost);
    cr_assert_eq(helper.err.kind, LAZ_E_AUDIT);
    cr_assert_str_eq(helper.err.message,
            "lazaret-helper does not stay up: lazaret-helper ship cannot be started: "
            "Resource temporarily unavailable");
}

/* What a helper says, by its channel. */
/* Its end, where it could not be given an identity whose key is `value`, and where it has gone. */
static const char *end_untold(struct laz_helper *helper, int value, bool has_gone)
{
    static struct laz_secrets secrets;
    const uint8_t items[] = {0, 0};
    struct laz_err err = {0};
    int pair[2];
    cr_assert_eq(laz_chan_pair(pair, &err), 0);
    laz_helper_init(helper, LAZ_ROLE_HEALTH, LAZ_E_HEALTH);
    helper->chan = pair[0];
    secrets.items[0].value = value;
    if (has_gone) {
        laz_fd_close(&pair[1]);
    }
    cr_assert_not(laz_helper_say_identity(helper->chan, 0, &secrets, items));
    laz_helper_drop_untold(helper);
    cr_assert_eq(helper->chan, -1, "it is dropped");
    laz_fd_close(&pair[1]);
    laz_helper_ended(helper, 3 << 8, true, NOW);
    cr_assert_eq(helper->err.kind, LAZ_E_HEALTH);
    return helper->err.message;
}

Test(helper, that_cannot_be_told_what_it_needs_ends_with_the_reason)
{
    struct laz_helper helper;
    cr_assert_str_eq(end_untold(&helper, -1, false),
            "lazaret-helper health cannot be told what it needs: Bad file descriptor");
    cr_assert_eq(helper.err.sys_errno, EBADF);
    cr_assert_str_eq(end_untold(&helper, 0, true), "lazaret-helper health ended by exit 3",
            "of one that has gone its end says more");
}

static void say(int chan, enum laz_message_type type, const char *text)
{
    char memory[LAZ_ERR_MESSAGE_MAX + 64];
    struct laz_buf message;
    struct laz_err err = {0};
    laz_buf_init_fixed(&message, memory, sizeof(memory));
    laz_message_begin(&message, type);
    if (type == LAZ_MESSAGE_FAILED) {
        laz_message_u32(&message, LAZ_E_SPOOL);
    }
    if (text != NULL) {
        laz_message_string(&message, text);
    }
    cr_assert(laz_message_end(&message));
    cr_assert_eq(laz_chan_send(chan, &message, NULL, 0, &err), 0, "%s", err.message);
}

Test(helper, keeps_the_trouble_of_sinks_and_shows_nothing_else_of_it)
{
    struct laz_helper helper = needed_one();
    struct laz_err err = {0};
    int pair[2];
    cr_assert_eq(laz_chan_pair(pair, &err), 0, "%s", err.message);
    helper.chan = pair[0];
    say(pair[1], LAZ_MESSAGE_TROUBLE, "sink a: \033[2J\nlazaret-init: \xC3\xA9");
    laz_helper_read(&helper, NOW);
    cr_assert_str_eq(helper.trouble, "sink a: ?[2J?lazaret-init: ??");
    say(pair[1], LAZ_MESSAGE_TROUBLE, "");
    laz_helper_read(&helper, NOW);
    cr_assert_str_eq(helper.trouble, "");
    say(pair[1], LAZ_MESSAGE_TROUBLE, "sink a: gone");
    say(pair[1], LAZ_MESSAGE_READY, NULL); /* another ship, which knows of nothing yet */
    laz_helper_read(&helper, NOW);
    laz_helper_read(&helper, NOW);
    cr_assert_str_eq(helper.trouble, "");
    say(pair[1], LAZ_MESSAGE_FAILED, "spool.dir:\a /x");
    laz_helper_read(&helper, NOW);
    cr_assert_str_eq(helper.err.message, "spool.dir:? /x");
    cr_assert_eq(helper.err.kind, LAZ_E_SPOOL);
}
