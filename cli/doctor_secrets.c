/* SPDX-License-Identifier: Apache-2.0
 *
 * What a policy's secrets need here: their folder on a tmpfs, and the sources that are in the
 * container. Fetches nothing, and reads no value.
 */
#include <errno.h>
#include <linux/magic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cli/doctor.h"

static void look_at_folder(struct laz_doctor *doctor, const struct laz_policy_secrets *secrets)
{
    struct statfs status;
    struct laz_doctor_line *line = laz_doctor_add(doctor, "secrets", LAZ_DOCTOR_YES);
    line->is_vital = true;
    line->means = "secrets.dir is where the files of secrets are: they must not reach a disk";
    bool is_there = statfs(secrets->dir, &status) == 0;
    if (is_there && status.f_type == TMPFS_MAGIC) {
        laz_doctor_say(line, "%.900s is on a tmpfs", secrets->dir);
        return;
    }
    line->state = LAZ_DOCTOR_NO;
    line->remedy = "Mount a tmpfs at secrets.dir.";
    laz_doctor_say(line, "%.900s: %s", secrets->dir,
            is_there ? laz_doctor_file_system(&status) : strerror(errno));
}

/* Of an item that must be there, what of it is missing here; NULL: nothing that shows. */
static const char *what_is_missing(const struct laz_fetch_item *item)
{
    struct stat status;
    if (item->source == LAZ_SECRET_FILE) {
        return stat(item->from, &status) < 0   ? strerror(errno)
                : !S_ISREG(status.st_mode)     ? "not a regular file"
                : access(item->from, R_OK) < 0 ? strerror(errno)
                                               : NULL;
    }
    return item->source == LAZ_SECRET_VARIABLE && getenv(item->from) == NULL ? "not set" : NULL;
}

static void look_at_sources(struct laz_doctor *doctor, const struct laz_fetch_config *config)
{
    struct laz_doctor_line *line = laz_doctor_add(doctor, "sources", LAZ_DOCTOR_YES);
    line->means = "a secret that is not optional must be there at the start (103)";
    for (uint32_t i = 0; i < config->n_items; i++) {
        const struct laz_fetch_item *item = &config->items[i];
        const char *missing = item->optional ? NULL : what_is_missing(item);
        if (missing != NULL) {
            line->state = LAZ_DOCTOR_NO;
            line->is_vital = true;
            line->remedy = "Put it there, or make the item optional.";
            laz_doctor_say(line, "%s: %.800s: %s", item->name, item->from, missing);
            return;
        }
    }
    laz_doctor_say(
            line, "files and variables are there; what AWS and Vault have was not asked for");
}

void laz_doctor_look_at_secrets(struct laz_doctor *doctor, const struct laz_policy *policy)
{
    look_at_folder(doctor, &policy->secrets);
    look_at_sources(doctor, &policy->secrets.config);
}
