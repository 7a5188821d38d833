/* SPDX-License-Identifier: Apache-2.0
 *
 * The table of what `sense` may say. Whoever takes its records takes these names and no others.
 */
#ifndef LAZ_SENSE_EVENTS_H
#define LAZ_SENSE_EVENTS_H

#include <stddef.h>

enum laz_sense_event_id {
#define LAZ_SENSE_EVENT(id, ev, severity, level, attack, says) LAZ_SENSE_EVENT_##id,
#include "sense/events.def"
#undef LAZ_SENSE_EVENT
    LAZ_SENSE_EVENT_COUNT
};

struct laz_sense_event {
    const char *ev;
    int severity;       /* of the record */
    int level;          /* of an OSSEC rule */
    const char *attack; /* techniques, between spaces; "" if it is none */
    const char *says;
};

/* static; borrowed forever. */
const struct laz_sense_event *laz_sense_event_at(enum laz_sense_event_id id);

/* The event of that name, or NULL: it is nothing that sense may say. */
const struct laz_sense_event *laz_sense_event_find(const char *ev, size_t length);

#endif
