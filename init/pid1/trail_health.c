/* SPDX-License-Identifier: Apache-2.0
 *
 * Records about health: what the role says, as words and no more. libc only.
 */
#include "init/pid1/trail_record.h"
#include "init/pid1/watch.h"

void laz_trail_health(struct laz_trail *trail, const struct laz_watch *watch)
{
    const struct laz_watch_verdict *verdict = &watch->verdict;
    int severity = !verdict->is_live ? 5 : !verdict->is_ready ? 3 : 1;
    struct laz_json *json = laz_trail_begin(trail, "health.state", severity, verdict->state,
            !verdict->is_live            ? "not-live"
                    : !verdict->is_ready ? "not-ready"
                                         : "ready");
    laz_json_string(json, "why", verdict->why);
    laz_json_u64(json, "missed", watch->missed);
    laz_trail_write(trail);
}

void laz_trail_drain_end(struct laz_trail *trail, const char *evidence, uint64_t ms)
{
    struct laz_json *json = laz_trail_begin(trail, "drain.end", 1, "lb-grace", "ended");
    laz_json_string(json, "evidence", evidence);
    laz_json_u64(json, "ms", ms);
    laz_trail_write(trail);
}
