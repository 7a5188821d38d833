/* SPDX-License-Identifier: Apache-2.0
 *
 * What sense says of itself when it begins: what is watched, and what cannot be, and why.
 */
#include <stdio.h>
#include <string.h>

#include "init/sense/sense.h"

int laz_sense_check_required(const struct laz_sense *sense, struct laz_err *err)
{
    for (unsigned i = 0; i < LAZ_DETECTOR_COUNT; i++) {
        if (sense->config.level[i] == LAZ_LEVEL_REQUIRED && sense->why[i][0] != '\0') {
            return laz_err_set(err, LAZ_E_SENSE, 0, "sense.%s is required and cannot work: %s",
                    laz_detector_name((enum laz_detector)i), sense->why[i]);
        }
    }
    return 0;
}

static void put_detectors(const struct laz_sense *sense, struct laz_json *json)
{
    laz_json_array(json, "watching");
    for (unsigned i = 0; i < LAZ_DETECTOR_COUNT; i++) {
        if (laz_sense_is_on(sense, (enum laz_detector)i)) {
            laz_json_string(json, NULL, laz_detector_name((enum laz_detector)i));
        }
    }
    laz_json_array_end(json);
    laz_json_object(json, "unavailable");
    for (unsigned i = 0; i < LAZ_DETECTOR_COUNT; i++) {
        if (sense->why[i][0] != '\0') {
            laz_json_string(json, laz_detector_name((enum laz_detector)i), sense->why[i]);
        }
    }
    laz_json_object_end(json);
}

static void put_files(const struct laz_sense *sense, struct laz_json *json)
{
    const struct laz_sense_files *files = &sense->files;
    if (!laz_sense_is_on(sense, LAZ_DETECTOR_FILES)) {
        return;
    }
    laz_json_u64(json, "files", sense->state->n_files);
    laz_json_bool(json, "inotify", files->inotify >= 0);
    if (files->n_unreadable > 0) {
        laz_json_u64(json, "unreadable", files->n_unreadable);
        laz_json_string(json, "unreadable_first", files->first_unreadable);
    }
    if (files->n_unwatched > 0) {
        laz_json_u64(json, "unwatched", files->n_unwatched);
    }
}

static bool is_degraded(const struct laz_sense *sense)
{
    bool is = sense->is_late || sense->files.n_unreadable > 0 || sense->files.n_unwatched > 0;
    for (unsigned i = 0; i < LAZ_DETECTOR_COUNT; i++) {
        is = is || sense->why[i][0] != '\0';
    }
    return is || (sense->files.inotify < 0 && laz_sense_is_on(sense, LAZ_DETECTOR_FILES));
}

void laz_sense_tell_limit(
        struct laz_sense *sense, enum laz_detector detector, const char *what, uint32_t max)
{
    struct laz_find find;
    struct laz_json json;
    struct laz_buf detail;
    if (sense->limit_said[detector]) {
        return;
    }
    sense->limit_said[detector] = true;
    laz_sense_find(&find, LAZ_SENSE_EVENT_START, &json, &detail);
    (void)snprintf(find.obj, sizeof(find.obj), "%s", what);
    (void)snprintf(find.act, sizeof(find.act), "limited");
    laz_json_u64(&json, "max", max);
    laz_sense_tell(sense, &find, &detail);
}

void laz_sense_tell_start(struct laz_sense *sense)
{
    struct laz_find find;
    struct laz_json json;
    struct laz_buf detail;
    laz_sense_find(&find, LAZ_SENSE_EVENT_START, &json, &detail);
    (void)snprintf(find.obj, sizeof(find.obj), "%s", sense->config.name);
    (void)snprintf(find.act, sizeof(find.act), "%s", is_degraded(sense) ? "degraded" : "started");
    laz_json_u64(&json, "starts", sense->state->starts);
    if (sense->is_late) {
        laz_json_bool(&json, "late", true);
    }
    put_detectors(sense, &json);
    put_files(sense, &json);
    laz_sense_put_volumes(sense, &json);
    laz_json_u64(&json, "interval_ms", sense->config.interval_ms);
    laz_json_u64(&json, "ports_before", sense->state->sockets[sense->state->sockets_at & 1U].n);
    laz_json_i64(&json, "landlock_abi", sense->landlock_abi);
    laz_sense_tell(sense, &find, &detail);
}
