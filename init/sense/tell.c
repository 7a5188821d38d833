/* SPDX-License-Identifier: Apache-2.0
 *
 * What sense has found, folded, as records into the pipe that ship reads. Never waits for the pipe:
 * what does not go in stays in the fold, which outlives us, and is tried again.
 */
#include <errno.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "core/deadline.h"
#include "core/record.h"
#include "init/sense/sense.h"

#define OBJ_AT_LAST 160 /* bytes of obj where the whole would be no record */

uint64_t laz_sense_now_ns(void)
{
    struct timespec now = {0};
    (void)clock_gettime(CLOCK_BOOTTIME, &now);
    return (uint64_t)now.tv_sec * UINT64_C(1000000000) + (uint64_t)now.tv_nsec;
}

uint64_t laz_sense_used_ns(void)
{
    struct timespec used = {0};
    (void)clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &used);
    return (uint64_t)used.tv_sec * UINT64_C(1000000000) + (uint64_t)used.tv_nsec;
}

void laz_sense_find(struct laz_find *ret, enum laz_sense_event_id event, struct laz_json *json,
        struct laz_buf *detail)
{
    *ret = (struct laz_find){.event = (uint32_t)event};
    laz_buf_init_fixed(detail, ret->detail, sizeof(ret->detail));
    laz_json_init(json, detail);
}

bool laz_sense_try(struct laz_sense *sense, struct laz_find *find, struct laz_buf *detail)
{
    uint64_t now_ns = laz_sense_now_ns();
    uint64_t window_ns = sense->config.window_ms * LAZ_NS_PER_MS;
    if (detail->overflow) { /* half a member is none */
        (void)memcpy(find->detail, "\"cut\":true", sizeof("\"cut\":true"));
    }
    if (laz_fold_add(&sense->state->fold, find, now_ns, window_ns)) {
        return true;
    }
    laz_sense_flush(sense, true); /* so many at once: there is no waiting for those of a look */
    return laz_fold_add(&sense->state->fold, find, now_ns, window_ns);
}

void laz_sense_tell(struct laz_sense *sense, struct laz_find *find, struct laz_buf *detail)
{
    if (!laz_sense_try(sense, find, detail)) {
        sense->state->fold.lost++;
    }
}

static void put_attack(struct laz_json *json, const char *attack)
{
    laz_json_array(json, "attack");
    while (*attack != '\0') {
        size_t length = strcspn(attack, " ");
        laz_json_bytes(json, NULL, attack, length);
        attack += length + (attack[length] == ' ' ? 1 : 0);
    }
    laz_json_array_end(json);
}

/* False: it is longer than a record may be. */
static bool put_record(const struct laz_sense *sense, const struct laz_fold_slot *slot,
        bool has_detail, struct laz_buf *line)
{
    const struct laz_find *find = &slot->find;
    const struct laz_sense_event *event = laz_sense_event_at((enum laz_sense_event_id)find->event);
    bool is_degraded = find->event == LAZ_SENSE_EVENT_START && strcmp(find->act, "started") != 0;
    struct laz_record record = {.ev = event->ev,
            .severity = is_degraded ? 3 : event->severity,
            .task = "",
            .ctr = sense->config.name,
            .pid = find->pid,
            .exe = find->exe,
            .obj = find->obj,
            .act = find->act};
    struct laz_json json;
    (void)clock_gettime(CLOCK_REALTIME, &record.when);
    laz_record_begin(&json, line, &record);
    laz_json_u64(&json, "count", slot->count);
    laz_json_i64(&json, "level", event->level);
    put_attack(&json, event->attack);
    if (sense->state->fold.lost > 0) {
        laz_json_u64(&json, "lost", sense->state->fold.lost);
    }
    if (has_detail && find->detail[0] != '\0') {
        laz_buf_char(line, ',');
        laz_buf_str(line, find->detail);
    } else if (!has_detail) {
        laz_json_bool(&json, "cut", true);
    }
    return laz_record_end(&json) && line->len <= LAZ_RECORD_MAX;
}

/* The whole record or nothing: it is no longer than what a pipe takes in one piece. */
static bool write_record(const struct laz_sense *sense, const struct laz_fold_slot *slot)
{
    char memory[LAZ_RECORD_MAX + 1];
    struct laz_buf line;
    laz_buf_init_fixed(&line, memory, sizeof(memory));
    if (!put_record(sense, slot, true, &line)) {
        struct laz_fold_slot shorter =
                *slot; /* a name of control characters takes six times itself */
        shorter.find.obj[OBJ_AT_LAST] = '\0';
        laz_buf_init_fixed(&line, memory, sizeof(memory));
        if (!put_record(sense, &shorter, false, &line)) {
            return true; /* it cannot be */
        }
    }
    ssize_t n = write(sense->events, line.data, line.len);
    return n == (ssize_t)line.len || (n < 0 && errno == EPIPE);
}

void laz_sense_flush(struct laz_sense *sense, bool all)
{
    struct laz_fold *fold = &sense->state->fold;
    uint64_t now_ns = laz_sense_now_ns();
    uint64_t window_ns = sense->config.window_ms * LAZ_NS_PER_MS;
    struct laz_fold_slot *slot = laz_fold_next(fold, NULL, now_ns, all);
    for (; slot != NULL; slot = laz_fold_next(fold, slot, now_ns, all)) {
        if (!write_record(sense, slot)) {
            return; /* full: later */
        }
        laz_fold_said(slot, now_ns, window_ns);
        fold->lost = 0;
    }
    laz_fold_sweep(fold, now_ns);
}
