/* SPDX-License-Identifier: Apache-2.0
 *
 * Who hears that something has been renewed, or taken back: the workload, by the signal of
 * on-change, once it would not be ended by it. libc only.
 */
#include <errno.h>
#include <signal.h>

#include "confine/attest.h"
#include "core/deadline.h"
#include "init/pid1/pid1.h"

#define SIGNAL_LOOK_NS (1000 * LAZ_NS_PER_MS)
/* So often in a row, and it holds a signal back to wait for it. libcs hold all of them back for
 * moments, while they make a thread or a process. */
#define HELD_LOOKS 8

/* By a handler, or because it waits for it. Anybody else would be ended by it. */
static bool would_take(struct laz_pid1 *pid1, int number)
{
    struct laz_process_state state = {0};
    struct laz_err ignored = {0};
    uint8_t *held = &pid1->renewal.held[number];
    bool is_read = laz_attest_read(pid1->workload.pid, &state, &ignored) == 0;
    if (is_read && (state.sig_catch >> (number - 1) & 1) != 0) {
        return true;
    }
    bool is_held = is_read && (state.sig_block >> (number - 1) & 1) != 0 &&
            laz_attest_holds_back(pid1->workload.pid, number);
    *held = is_held ? (uint8_t)(*held + 1) : 0;
    return *held >= HELD_LOOKS;
}

static void send_one(struct laz_pid1 *pid1, int number)
{
    struct laz_renewal *renewal = &pid1->renewal;
    uint32_t generation = pid1->helpers.secrets.current;
    uint64_t bit = LAZ_SIGNAL_BIT(number);
    if (!would_take(pid1, number)) {
        if ((renewal->deferred & bit) == 0) {
            renewal->deferred |= bit;
            laz_trail_told_of_change(&pid1->trail, number, generation, "deferred");
        }
        return;
    }
    bool is_sent = kill(pid1->workload.pid, number) == 0;
    laz_trail_told_of_change(
            &pid1->trail, number, generation, is_sent ? "sent" : laz_err_errno_name(errno));
    renewal->signals &= ~bit;
    renewal->deferred &= ~bit;
    renewal->held[number] = 0;
}

void laz_pid1_turn_signals(struct laz_pid1 *pid1, uint64_t now_ns)
{
    struct laz_renewal *renewal = &pid1->renewal;
    if (renewal->signals == 0 || renewal->signals_due_ns > now_ns || pid1->main_exited) {
        return;
    }
    for (int number = 1; number <= LAZ_SIGNAL_MAX; number++) {
        if ((renewal->signals & LAZ_SIGNAL_BIT(number)) != 0) {
            send_one(pid1, number);
        }
    }
    renewal->signals_due_ns = now_ns + SIGNAL_LOOK_NS;
}
