/* SPDX-License-Identifier: Apache-2.0
 *
 * The rows of the table of events.
 */
#include "sense/events.h"

#include <assert.h>
#include <string.h>

#include "policy/sense.h"

/* The policy's warnings rely on it. */
#define LAZ_SENSE_EVENT(id, name, sev, lev, techniques, sentence)                                  \
    static_assert((sev) <= LAZ_SENSE_SEVERITY_MAX, "more severe than policy/sense.h says");
#include "sense/events.def"
#undef LAZ_SENSE_EVENT

static const struct laz_sense_event events[LAZ_SENSE_EVENT_COUNT] = {
#define LAZ_SENSE_EVENT(id, name, sev, lev, techniques, sentence)                                  \
    [LAZ_SENSE_EVENT_##id] = {.ev = (name),                                                        \
            .severity = (sev),                                                                     \
            .level = (lev),                                                                        \
            .attack = (techniques),                                                                \
            .says = (sentence)},
#include "sense/events.def"
#undef LAZ_SENSE_EVENT
};

const struct laz_sense_event *laz_sense_event_at(enum laz_sense_event_id id)
{
    return &events[id < LAZ_SENSE_EVENT_COUNT ? id : LAZ_SENSE_EVENT_START];
}

const struct laz_sense_event *laz_sense_event_find(const char *ev, size_t length)
{
    for (size_t i = 0; i < LAZ_SENSE_EVENT_COUNT; i++) {
        if (strlen(events[i].ev) == length && memcmp(events[i].ev, ev, length) == 0) {
            return &events[i];
        }
    }
    return NULL;
}
