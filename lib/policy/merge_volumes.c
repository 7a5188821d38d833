/* SPDX-License-Identifier: Apache-2.0
 *
 * volumes: what must be encrypted where the workload keeps its data. An item is one value: a later
 * file that names its path replaces it. It is the helper `sense` that looks.
 */
#include <inttypes.h>
#include <string.h>

#include "policy/merge.h"

static struct laz_node *child_of(const struct laz_node *item, enum laz_field_id field)
{
    return laz_check_child(item, field);
}

void laz_merge_volumes(struct laz_merge *merge, struct laz_document *document)
{
    struct laz_policy_volumes *volumes = &merge->policy->volumes;
    struct laz_node *list = document->at[LAZ_FIELD_VOLUMES];
    struct laz_quoted quoted;
    for (struct laz_node *item = laz_check_item(list, NULL); item != NULL;
            item = laz_check_item(list, item)) {
        if (item->has_bad) {
            continue;
        }
        const char *path = child_of(item, LAZ_FIELD_VOLUME_PATH)->text;
        uint32_t slot = 0;
        while (slot < volumes->n &&
                strcmp(child_of(volumes->items[slot], LAZ_FIELD_VOLUME_PATH)->text, path) != 0) {
            slot++;
        }
        const struct laz_node *other = slot < volumes->n ? volumes->items[slot] : NULL;
        if (other != NULL && other->pos.file == item->pos.file) {
            laz_report_node(merge->report, LAZ_E_POLICY_INVALID,
                    child_of(item, LAZ_FIELD_VOLUME_PATH),
                    "%s is the path of another one, at line %" PRIu32,
                    laz_quote(&quoted, path, strlen(path)), other->pos.line);
            continue;
        }
        if (slot == LAZ_SENSE_VOLUMES_MAX) {
            laz_report_node(merge->report, LAZ_E_POLICY_TOO_LARGE, item, "more than %d volumes",
                    LAZ_SENSE_VOLUMES_MAX);
            return;
        }
        volumes->items[slot] = item;
        volumes->n += slot == volumes->n ? 1 : 0;
    }
}

void laz_finish_volumes(struct laz_merge *merge)
{
    const struct laz_policy_volumes *volumes = &merge->policy->volumes;
    struct laz_sensing *sensing = &merge->policy->sensing;
    struct laz_sense_config *config = &sensing->config;
    for (uint32_t i = 0; i < volumes->n; i++) {
        const struct laz_node *require = child_of(volumes->items[i], LAZ_FIELD_VOLUME_REQUIRE);
        config->volumes[i] = (struct laz_sense_volume){
                .path = laz_merge_text(merge, child_of(volumes->items[i], LAZ_FIELD_VOLUME_PATH)),
                .require = require == NULL ? LAZ_VOLUME_REQUIRE_ENCRYPTED
                                           : (enum laz_volume_require)require->number,
                .attested_by = laz_merge_text(
                        merge, child_of(volumes->items[i], LAZ_FIELD_VOLUME_ATTESTED_BY)),
        };
    }
    config->n_volumes = volumes->n;
    for (unsigned i = 0; volumes->n > 0 && !sensing->is_said && i < LAZ_DETECTOR_COUNT; i++) {
        config->level[i] = LAZ_LEVEL_DISABLED; /* it looks at volumes, and at nothing else */
    }
}

/* ---- Contradictions ---- */

static void check_attestation(struct laz_merge *merge, uint32_t i)
{
    const struct laz_node *item = merge->policy->volumes.items[i];
    const struct laz_sense_volume *volume = &merge->policy->sensing.config.volumes[i];
    struct laz_node *said = child_of(item, LAZ_FIELD_VOLUME_ATTESTED_BY);
    struct laz_node *require = child_of(item, LAZ_FIELD_VOLUME_REQUIRE);
    static const char *const kinds[] = {":volume/vol-", ":file-system/fs-", ":volume/fsvol-"};
    bool is_arn = false;
    for (size_t i_kind = 0; said != NULL && i_kind < sizeof(kinds) / sizeof(kinds[0]); i_kind++) {
        is_arn = is_arn ||
                (strncmp(said->text, "arn:", 4) == 0 && strstr(said->text, kinds[i_kind]) != NULL);
    }
    if (said != NULL && !is_arn) {
        laz_report_node(merge->report, LAZ_E_POLICY_INVALID, said,
                "must be the ARN of an EBS volume or of a file system of EFS or FSx, "
                "\"arn:aws:ec2:R:A:volume/vol-ID\"");
    } else if (said != NULL && volume->require == LAZ_VOLUME_REQUIRE_ENCRYPTED) {
        laz_report_node(merge->report, LAZ_E_POLICY_INVALID, said,
                "counts for nothing where dm-crypt has to be seen: say \"require: attested\"");
    } else if (said == NULL && volume->require == LAZ_VOLUME_REQUIRE_ATTESTED) {
        laz_report_node(merge->report, LAZ_E_POLICY_INVALID, require,
                "needs \"attested-by\": what is it that somebody has encrypted?");
    }
}

/* The kernel makes up what is there. */
static void check_path(struct laz_merge *merge, uint32_t i)
{
    static const char *const made_up[] = {"/proc", "/sys", "/dev"};
    struct laz_node *path = child_of(merge->policy->volumes.items[i], LAZ_FIELD_VOLUME_PATH);
    for (size_t k = 0; k < sizeof(made_up) / sizeof(made_up[0]); k++) {
        if (laz_path_is_at_or_below(path->text, made_up[k]) &&
                strcmp(path->text, "/dev/shm") != 0) {
            laz_report_node(merge->report, LAZ_E_POLICY_INVALID, path,
                    "has files that the kernel makes up: name what holds data");
        }
    }
}

void laz_complete_volumes(struct laz_merge *merge)
{
    const struct laz_policy_volumes *volumes = &merge->policy->volumes;
    if (volumes->n == 0 || laz_complete_is_wrong(merge, LAZ_FIELD_VOLUMES)) {
        return;
    }
    for (uint32_t i = 0; i < volumes->n; i++) {
        check_attestation(merge, i);
        check_path(merge, i);
    }
    if (!laz_policy_ships(merge->policy, LAZ_SHIP_CLASS_IDS) &&
            !laz_complete_is_wrong(merge, LAZ_FIELD_SINKS)) {
        laz_report_at(merge->report, LAZ_E_POLICY_INVALID,
                merge->policy->key_pos[LAZ_FIELD_VOLUMES],
                "volumes: no sink takes class \"ids\": nobody would hear of a volume that changes");
    }
    if (!merge->policy->sensing.is_said) {
        laz_complete_sense_length(merge, LAZ_FIELD_VOLUMES);
    }
}

void laz_relaxations_volumes(struct laz_merge *merge)
{
    const struct laz_policy *policy = merge->policy;
    for (uint32_t i = 0; i < policy->volumes.n; i++) {
        const struct laz_sense_volume *volume = &policy->sensing.config.volumes[i];
        if (volume->require == LAZ_VOLUME_REQUIRE_ANY) {
            laz_relaxations_add(merge, policy->volumes.items[i]->pos,
                    "volumes: %s need not be encrypted", volume->path);
        }
    }
}
