/* SPDX-License-Identifier: Apache-2.0
 *
 * Finds that are alike become one record. The first is said at once; others of the same event, exe
 * and obj within the window are counted, and said when it ends. Nothing is forgotten before it is
 * said: what could not be written stays. Plain data without pointers: it lies in memory that
 * outlives the process, and says what a killed predecessor had not said.
 */
#ifndef LAZ_SENSE_FOLD_H
#define LAZ_SENSE_FOLD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define LAZ_FOLD_SLOTS      256
#define LAZ_FOLD_EXE_MAX    128
#define LAZ_FOLD_OBJ_MAX    512
#define LAZ_FOLD_ACT_MAX    24
#define LAZ_FOLD_DETAIL_MAX 1024 /* bytes: the members of d, as JSON */

/* One find. */
struct laz_find {
    uint32_t event; /* enum laz_sense_event_id */
    int32_t pid;
    uint64_t rest; /* of an obj or exe that is cut, what tells it from others; else 0 */
    char exe[LAZ_FOLD_EXE_MAX];
    char obj[LAZ_FOLD_OBJ_MAX];
    char act[LAZ_FOLD_ACT_MAX];
    char detail[LAZ_FOLD_DETAIL_MAX];
};

/* Its obj, once. False: it is longer than there is room for, and was cut. */
bool laz_find_name(struct laz_find *find, const char *obj);
/* Its exe, likewise. */
bool laz_find_program(struct laz_find *find, const char *exe);

struct laz_fold_slot {
    uint32_t used;
    uint32_t said;        /* the record of the first has been written */
    uint64_t ends_ns;     /* of the window */
    uint64_t count;       /* finds that no record counts yet */
    struct laz_find find; /* the last of them */
};

struct laz_fold {
    uint64_t lost; /* finds for which there was no slot and no room in the pipe */
    struct laz_fold_slot slots[LAZ_FOLD_SLOTS];
};

/* After a predecessor: whatever does not hold is made empty. Returns how many were. */
size_t laz_fold_repair(struct laz_fold *fold);

/* Count it. False if there is no slot: all of them hold something that is to be said first. */
bool laz_fold_add(
        struct laz_fold *fold, const struct laz_find *find, uint64_t now_ns, uint64_t window_ns);

/* The next slot whose find is to be said now, or NULL. Start with NULL as `previous`. */
struct laz_fold_slot *laz_fold_next(
        struct laz_fold *fold, struct laz_fold_slot *previous, uint64_t now_ns, bool all);

/* Its record, with its count, has been written. */
void laz_fold_said(struct laz_fold_slot *slot, uint64_t now_ns, uint64_t window_ns);

/* Windows that ended with nothing left to say make room. */
void laz_fold_sweep(struct laz_fold *fold, uint64_t now_ns);

#endif
