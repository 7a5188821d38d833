/* SPDX-License-Identifier: Apache-2.0
 *
 * What PID 1 tells `health` of the run, and what it does of its own at health's word: end the time
 * for the load balancer, and end a run that does not start up. libc only.
 */
#include <string.h>

#include "core/deadline.h"
#include "init/pid1/pid1.h"

_Static_assert(LAZ_STATUS_ITEMS_MAX >= LAZ_IMAGE_FETCHED_MAX, "room for every item");

static uint32_t put_items(const struct laz_secrets *secrets, struct laz_status_item *ret)
{
    uint32_t n = secrets->image->fetched.n;
    bool is_planned = secrets->rotation.image != NULL;
    for (uint32_t i = 0; i < n; i++) {
        ret[i].state = is_planned ? laz_control_state_of(secrets, i) : LAZ_CONTROL_GOOD;
        ret[i].expires = secrets->items[i].now.expires;
    }
    return n;
}

void laz_pid1_tell_health(struct laz_pid1 *pid1)
{
    struct laz_status status = {.phase = pid1->state.phase};
    const struct laz_helper *health = laz_helpers_of(&pid1->helpers, LAZ_ROLE_HEALTH);
    if (health == NULL || health->chan < 0) {
        return; /* the start is refused; or the next one is told with everything else */
    }
    bool runs = pid1->gate_open && !pid1->main_exited;
    status.exit_code = pid1->state.exit_code;
    status.forced_code = pid1->state.forced_code;
    status.stop_signal = pid1->state.stop.number;
    status.stop_ns = pid1->stop_ns;
    status.started_ns = pid1->gate_open ? pid1->started_ns : 0;
    status.pid = runs ? pid1->workload.pid : 0;
    status.denied = pid1->listener.denied;
    status.held = pid1->listener.held_ever;
    status.reaped = pid1->totals.reaped;
    status.signals = pid1->n_signals;
    status.restarts = pid1->n_restarts;
    status.degraded = pid1->degraded;
    status.mode = (uint8_t)pid1->image.mode;
    status.has_started = pid1->helpers.watch.has_started;
    status.n_items = pid1->image.fetches ? put_items(&pid1->helpers.secrets, status.items) : 0;
    laz_watch_status(&pid1->helpers.watch, &status);
}

void laz_pid1_drain_ended(struct laz_pid1 *pid1, enum laz_event_type why, uint64_t now_ns)
{
    laz_trail_drain_end(&pid1->trail,
            why == LAZ_EVENT_DRAINED           ? pid1->helpers.watch.evidence
                    : why == LAZ_EVENT_TIMEOUT ? "lb-grace is over"
                    : why == LAZ_EVENT_SIGNAL  ? "another stop request"
                                               : "the workload ended, or was ended",
            (now_ns - pid1->stop_ns) / LAZ_NS_PER_MS);
}

/* Written down at most once a second, and never behind the record of the end. */
static void write_verdict(struct laz_pid1 *pid1, uint64_t now_ns)
{
    struct laz_watch *watch = &pid1->helpers.watch;
    if (watch->has_verdict && pid1->gate_open && !pid1->end_told &&
            now_ns >= watch->told_ns + LAZ_WATCH_TELL_NS) {
        laz_trail_health(&pid1->trail, watch);
        watch->told_ns = now_ns;
        watch->has_verdict = false;
        watch->missed = 0;
    }
}

uint64_t laz_pid1_health_due_ns(const struct laz_pid1 *pid1)
{
    const struct laz_watch *watch = &pid1->helpers.watch;
    bool waits = pid1->image.watches && watch->has_verdict && pid1->gate_open && !pid1->end_told;
    return waits ? watch->told_ns + LAZ_WATCH_TELL_NS : 0;
}

void laz_pid1_turn_health(struct laz_pid1 *pid1, uint64_t now_ns)
{
    struct laz_watch *watch = &pid1->helpers.watch;
    if (!pid1->image.watches) {
        return;
    }
    if (watch->wants_status) {
        laz_pid1_tell_health(pid1);
    }
    if (laz_watch_is_drained(watch, pid1->stop_ns, now_ns)) {
        const struct laz_event event = {.type = LAZ_EVENT_DRAINED};
        laz_pid1_event(pid1, &event, now_ns);
    }
    if (laz_watch_is_overdue(watch, pid1->gate_open ? pid1->started_ns : 0, now_ns)) {
        const struct laz_event event = {.type = LAZ_EVENT_START_OVERDUE};
        laz_pid1_event(pid1, &event, now_ns);
    }
    write_verdict(pid1, now_ns);
    if (watch->has_renewed && !pid1->end_told) {
        watch->has_renewed = false;
        laz_trail_identity(&pid1->trail, watch->renewed, watch->renewed_not);
    }
    laz_watch_look(watch, pid1->helpers.reaped);
    laz_watch_run(watch, pid1->helpers.launcher_chan, pid1->gate_open && !pid1->main_exited);
}
