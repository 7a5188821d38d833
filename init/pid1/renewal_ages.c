/* SPDX-License-Identifier: Apache-2.0
 *
 * What is too old: secrets that are stale or have expired are said, and are a reason not to be
 * ready. Ends are times of the wall clock, which may be set while we run: that is looked at. Plans
 * nothing. libc only.
 */
#include <time.h>

#include "core/deadline.h"
#include "init/pid1/pid1.h"

#define LOOK_NS (60000 * LAZ_NS_PER_MS)

uint64_t laz_pid1_wall_s(void)
{
    struct timespec now = {0};
    (void)clock_gettime(CLOCK_REALTIME, &now);
    return (uint64_t)now.tv_sec;
}

void laz_pid1_set_unready(struct laz_pid1 *pid1, enum laz_unready reason, uint32_t item, bool holds)
{
    struct laz_readiness *readiness = &pid1->renewal.readiness;
    pid1->helpers.watch.wants_status = true;
    if (laz_readiness_set(readiness, reason, item, holds)) {
        laz_trail_ready(&pid1->trail, laz_readiness_is_ready(readiness), laz_unready_name(reason),
                laz_secrets_name(&pid1->helpers.secrets, item));
    }
}

/* Of what is stale alone: what has expired is not ready, and goes on. */
static void stop_for_it(struct laz_pid1 *pid1, uint64_t now_ns)
{
    const struct laz_event event = {.type = LAZ_EVENT_SECRET_STALE};
    if (pid1->image.stale_then == LAZ_STALE_STOP && !pid1->renewal.is_stopped) {
        laz_pid1_event(pid1, &event, now_ns);
    }
}

static void on_aged(struct laz_pid1 *pid1, uint32_t items, enum laz_unready reason, uint64_t now_ns)
{
    struct laz_secrets *secrets = &pid1->helpers.secrets;
    bool is_expired = reason == LAZ_UNREADY_EXPIRED;
    bool counts = is_expired || pid1->image.stale_then != LAZ_STALE_KEEP;
    for (uint32_t i = 0; i < secrets->image->fetched.n; i++) {
        if ((items >> i & 1) != 0) {
            uint64_t age_ns = now_ns - secrets->rotation.items[i].good_ns;
            laz_trail_aged(&pid1->trail, secrets, i, is_expired, age_ns / (1000 * LAZ_NS_PER_MS));
            if (counts) {
                laz_pid1_set_unready(pid1, reason, i, true);
            }
        }
    }
    if (items != 0 && !is_expired) {
        stop_for_it(pid1, now_ns);
    }
}

/* What had expired by a clock that was wrong is ready again. */
static void look_at_clock(struct laz_pid1 *pid1, uint64_t now_ns)
{
    struct laz_secrets *secrets = &pid1->helpers.secrets;
    if (now_ns < pid1->renewal.look_ns) {
        return;
    }
    pid1->renewal.look_ns = now_ns + LOOK_NS;
    uint32_t valid = laz_rotation_look(&secrets->rotation, laz_pid1_wall_s(), now_ns);
    for (uint32_t i = 0; valid != 0 && i < secrets->image->fetched.n; i++) {
        if ((valid >> i & 1) != 0) {
            laz_pid1_set_unready(pid1, LAZ_UNREADY_EXPIRED, i, false);
        }
    }
}

void laz_pid1_turn_ages(struct laz_pid1 *pid1, uint64_t now_ns)
{
    struct laz_rotation *rotation = &pid1->helpers.secrets.rotation;
    look_at_clock(pid1, now_ns);
    on_aged(pid1, laz_rotation_stale(rotation, now_ns), LAZ_UNREADY_STALE, now_ns);
    on_aged(pid1, laz_rotation_expired(rotation, now_ns), LAZ_UNREADY_EXPIRED, now_ns);
}
