/* SPDX-License-Identifier: Apache-2.0
 *
 * How a record of PID 1 is begun and ended; for the files that make records alone.
 */
#ifndef LAZ_INIT_PID1_TRAIL_RECORD_H
#define LAZ_INIT_PID1_TRAIL_RECORD_H

#include "core/json.h"
#include "init/pid1/trail.h"

/* `memory` has LAZ_RECORD_MAX bytes. A gap before it is said first. */
void laz_trail_begin(struct laz_trail *trail, struct laz_json *json, struct laz_buf *line,
        char *memory, struct laz_record *record);
/* Written whole, or counted as lost. */
void laz_trail_write(struct laz_trail *trail, struct laz_json *json);

/* One record: this, the members of its d, and laz_trail_write at the end. */
#define LAZ_TRAIL_BEGIN(trail, json, ...)                                                          \
    char memory[LAZ_RECORD_MAX];                                                                   \
    struct laz_buf line;                                                                           \
    struct laz_json json;                                                                          \
    struct laz_record record = {__VA_ARGS__};                                                      \
    laz_trail_begin(trail, &json, &line, memory, &record)

#endif
