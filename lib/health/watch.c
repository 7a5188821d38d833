/* SPDX-License-Identifier: Apache-2.0
 *
 * Checks, counted.
 */
#include "health/watch.h"

#include <stdio.h>

#define NS_PER_MS UINT64_C(1000000)

void laz_health_watch_init(struct laz_health_watch *watch, const struct laz_health_check *check,
        const struct laz_health_config *config)
{
    bool is_live = check->list == LAZ_HEALTH_LIVE;
    *watch = (struct laz_health_watch){.check = check, .is_up = is_live, .rise = 1, .fall = 1};
    if (is_live) {
        watch->fall = config->live_fall;
    } else if (check->list == LAZ_HEALTH_READY) {
        watch->rise = config->ready_rise;
        watch->fall = config->ready_fall;
    }
}

static bool is_over(const struct laz_health_watch *watch)
{
    return watch->check->list == LAZ_HEALTH_STARTUP && watch->is_up;
}

bool laz_health_watch_is_due(const struct laz_health_watch *watch, uint64_t now_ns)
{
    return watch->began_ns == 0 && !is_over(watch) && now_ns >= watch->next_ns;
}

uint64_t laz_health_watch_next(const struct laz_health_watch *watch)
{
    if (watch->began_ns != 0) {
        return watch->began_ns + watch->check->timeout_ms * NS_PER_MS;
    }
    return is_over(watch) ? UINT64_MAX : watch->next_ns;
}

void laz_health_watch_begin(struct laz_health_watch *watch, uint64_t now_ns)
{
    watch->began_ns = now_ns;
    watch->next_ns = now_ns + watch->check->every_ms * NS_PER_MS;
}

bool laz_health_watch_is_overdue(const struct laz_health_watch *watch, uint64_t now_ns)
{
    return watch->began_ns != 0 && now_ns >= laz_health_watch_next(watch);
}

/* Other people's words go into documents: bytes that are none become dots. */
static void copy_printable(char ret[LAZ_HEALTH_WHY_MAX + 1], const char *text)
{
    size_t i = 0;
    for (; text[i] != '\0' && i < LAZ_HEALTH_WHY_MAX; i++) {
        ret[i] = text[i];
        if (text[i] < ' ' || text[i] > '~') {
            ret[i] = '.';
        }
    }
    ret[i] = '\0';
}

void laz_health_watch_end(struct laz_health_watch *watch, uint64_t now_ns, const char *why)
{
    bool is_ok = why == NULL;
    uint64_t ms = (now_ns - watch->began_ns) / NS_PER_MS;
    watch->last_ms = ms > UINT32_MAX ? UINT32_MAX : (uint32_t)ms;
    watch->began_ns = 0;
    watch->in_a_row = watch->has_ended && watch->last_ok == is_ok ? watch->in_a_row : 0;
    watch->in_a_row += watch->in_a_row < UINT32_MAX ? 1 : 0;
    watch->has_ended = true;
    watch->last_ok = is_ok;
    watch->n_ended++;
    if (is_ok) {
        watch->is_up = watch->is_up || watch->in_a_row >= watch->rise;
        watch->why[0] = '\0';
        return;
    }
    watch->n_failures++;
    watch->is_up = watch->is_up && watch->in_a_row < watch->fall;
    copy_printable(watch->why, why);
}
