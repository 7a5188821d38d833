/* SPDX-License-Identifier: Apache-2.0
 *
 * STATUS comes out as it went in, and nothing else is taken for one.
 */
#include "ipc/status.h"

#include <criterion/criterion.h>

static char memory[LAZ_STATUS_MAX];
static struct laz_buf buf;
static struct laz_status given, taken;

static void set_up(void)
{
    laz_buf_init_fixed(&buf, memory, sizeof(memory));
    given = (struct laz_status){.phase = LAZ_PHASE_LB_GRACE,
            .exit_code = -1,
            .forced_code = 107,
            .stop_signal = 15,
            .stop_ns = UINT64_MAX,
            .started_ns = 2,
            .pid = 3,
            .denied = 4,
            .held = 5,
            .reaped = 6,
            .signals = 7,
            .restarts = 8,
            .degraded = UINT64_C(1) << 63,
            .mode = 1,
            .has_started = true,
            .n_items = LAZ_STATUS_ITEMS_MAX};
    for (uint32_t i = 0; i < LAZ_STATUS_ITEMS_MAX; i++) {
        given.items[i].state = (enum laz_control_state)(i % LAZ_CONTROL_STATE_COUNT);
        given.items[i].expires = UINT64_C(1) << i;
    }
}

TestSuite(status, .init = set_up);

static bool take(size_t length)
{
    const struct laz_message message = {.type = LAZ_MESSAGE_STATUS,
            .fields = (const uint8_t *)buf.data + LAZ_MESSAGE_HEADER,
            .length = length};
    return laz_status_take(&message, &taken);
}

static size_t put(void)
{
    laz_message_begin(&buf, LAZ_MESSAGE_STATUS);
    laz_status_put(&buf, &given);
    cr_assert(laz_message_end(&buf), "LAZ_STATUS_MAX has room for all of it");
    return buf.len - LAZ_MESSAGE_HEADER;
}

Test(status, comes_out_as_it_went_in)
{
    size_t length = put();
    cr_assert(take(length));
    cr_expect(taken.phase == given.phase && taken.exit_code == -1 && taken.forced_code == 107 &&
            taken.stop_signal == 15 && taken.stop_ns == UINT64_MAX && taken.started_ns == 2 &&
            taken.pid == 3 && taken.denied == 4 && taken.held == 5 && taken.reaped == 6);
    cr_expect(taken.signals == 7 && taken.restarts == 8 && taken.degraded == given.degraded &&
            taken.mode == 1 && taken.has_started && taken.n_items == LAZ_STATUS_ITEMS_MAX);
    for (uint32_t i = 0; i < LAZ_STATUS_ITEMS_MAX; i++) {
        cr_expect(taken.items[i].state == given.items[i].state &&
                        taken.items[i].expires == given.items[i].expires,
                "item %u", i);
    }
}

Test(status, of_another_length_is_none)
{
    size_t length = put();
    for (size_t n = 0; n < length; n++) {
        cr_expect_not(take(n), "%zu bytes of %zu", n, length);
    }
    laz_message_u8(&buf, 0);
    cr_expect_not(take(length + 1));
}

Test(status, with_what_there_is_not_is_none)
{
    const size_t has_started_at = LAZ_MESSAGE_HEADER + 1 + 3 * 4 + 2 * 8 + 4 + 6 * 8 + 1;
    given.phase = LAZ_PHASE_COUNT;
    cr_expect_not(take(put()), "a phase");
    given.phase = LAZ_PHASE_DONE;
    given.items[31].state = LAZ_CONTROL_STATE_COUNT;
    cr_expect_not(take(put()), "a state");
    given.items[31].state = LAZ_CONTROL_EXPIRED;
    cr_expect(take(put()), "and the same that is one");
    put();
    buf.data[has_started_at] = 2;
    cr_expect_not(take(buf.len - LAZ_MESSAGE_HEADER), "neither yes nor no");
    put();
    const size_t n_items_at = has_started_at + 1;
    cr_assert_eq((uint8_t)buf.data[n_items_at], LAZ_STATUS_ITEMS_MAX);
    buf.data[n_items_at] = (char)(LAZ_STATUS_ITEMS_MAX + 1);
    laz_message_u8(&buf, 0);
    laz_message_u64(&buf, 0);
    cr_expect_not(take(buf.len - LAZ_MESSAGE_HEADER), "an item too many");
}
