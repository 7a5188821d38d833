/* SPDX-License-Identifier: Apache-2.0
 *
 * How a record of PID 1 is begun and ended; for the files that make records alone.
 */
#ifndef LAZ_INIT_PID1_TRAIL_RECORD_H
#define LAZ_INIT_PID1_TRAIL_RECORD_H

#include "init/pid1/trail.h"

/* Whom a record is about. */
struct laz_subject {
    pid_t pid;
    const char *exe; /* "" if unknown */
};

/* One record: this, the members of its d into what it returns, and laz_trail_write at the end. A
 * gap before it is said first. */
struct laz_json *laz_trail_begin(
        struct laz_trail *trail, const char *ev, int severity, const char *obj, const char *act);
struct laz_json *laz_trail_begin_about(struct laz_trail *trail, struct laz_subject who,
        const char *ev, int severity, const char *obj, const char *act);
struct laz_subject laz_trail_workload(const struct laz_trail *trail);
/* Written whole, or counted as lost. */
void laz_trail_write(struct laz_trail *trail);

#endif
