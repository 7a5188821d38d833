/* SPDX-License-Identifier: Apache-2.0
 *
 * Volumes that the policy names: what of them is known, and when they are looked at.
 */
#ifndef LAZ_INIT_SENSE_VOLUMES_H
#define LAZ_INIT_SENSE_VOLUMES_H

#include "core/json.h"
#include "sense/volume.h"

struct laz_sense;

struct laz_sense_volumes {
    int proc;   /* the folder /proc */
    int sys;    /* the folder /sys; -1: it cannot be read */
    int mounts; /* which says when something is mounted */
    struct laz_volume_seen seen[LAZ_SENSE_VOLUMES_MAX];
};

/* With root's eyes, which its user's are not. LAZ_E_VOLUME if one is not as it has to be, and we
 * are the first to look. */
LAZ_MUST_CHECK int laz_sense_volumes_begin(struct laz_sense *sense, struct laz_err *err);
void laz_sense_volumes_told(struct laz_sense *sense);
void laz_sense_look_at_volumes(struct laz_sense *sense);
void laz_sense_put_volumes(const struct laz_sense *sense, struct laz_json *json);

#endif
