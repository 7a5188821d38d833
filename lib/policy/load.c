/* SPDX-License-Identifier: Apache-2.0
 *
 * One policy from its files: read and check, merge, hold against sealed parents, hand over. The
 * order of the steps, and nothing else.
 */
#include "policy/load.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "policy/merge.h"
#include "policy/narrow.h"

void laz_policy_free(struct laz_policy *policy)
{
    if (policy != NULL) {
        laz_arena_done(&policy->memory);
        free(policy);
    }
}

void laz_policy_pos_format(
        const struct laz_policy *policy, struct laz_pos pos, char *ret, size_t size)
{
    struct laz_buf buf;
    laz_buf_init_fixed(&buf, ret, size);
    if (pos.line == 0 || pos.file >= policy->n_files) {
        laz_buf_str(&buf, "default");
        return;
    }
    laz_buf_printf(&buf, "%s:%u:%u", policy->files[pos.file].name, pos.line, pos.col);
}

struct laz_pos laz_policy_pos_of(const struct laz_policy *policy, const char *key)
{
    enum laz_field_id id = laz_field_by_path(key);
    if (id == LAZ_FIELD_ROOT || policy->key_pos == NULL) {
        return (struct laz_pos){0};
    }
    return policy->key_pos[id];
}

/* SHA-256 over all files in load order, each preceded by its length as eight bytes, least first. */
static void digest_files(struct laz_policy *policy)
{
    struct laz_sha256 hash;
    laz_sha256_init(&hash);
    for (size_t i = 0; i < policy->n_files; i++) {
        uint64_t length = policy->files[i].length;
        uint8_t bytes[sizeof(length)];
        for (size_t k = 0; k < sizeof(bytes); k++) {
            bytes[k] = (uint8_t)(length >> (8 * k));
        }
        laz_sha256_add(&hash, bytes, sizeof(bytes));
        laz_sha256_add(&hash, policy->files[i].text, policy->files[i].length);
    }
    laz_sha256_end(&hash, policy->source_digest);
}

/* ---- Sealed parents ---- */

static void report_widening(struct laz_load *load, uint16_t file, const struct laz_widening *found)
{
    const struct laz_policy *policy = load->policy;
    struct laz_quoted value;
    char parent[LAZ_DIAGNOSTIC_FILE_MAX];
    laz_policy_pos_format(policy, found->parent_pos, parent, sizeof(parent));
    struct laz_pos pos = found->child_pos;
    if (pos.line == 0) {
        pos = load->documents[0].root->pos;
    }
    (void)laz_quote(&value, found->value, strlen(found->value));
    if (found->is_less) {
        laz_report_at(&load->report, LAZ_E_POLICY_WIDENED, pos,
                "%s: %s is not what the sealed policy %s requires (%s)", found->key, value.text,
                policy->files[file].name, found->parent_pos.line > 0 ? parent : "by default");
        return;
    }
    laz_report_at(&load->report, LAZ_E_POLICY_WIDENED, pos,
            "%s: %s is more than the sealed policy %s allows (%s)", found->key, value.text,
            policy->files[file].name,
            found->parent_pos.line > 0 ? parent : "it does not mention it");
}

/* Merge a sealed parent for itself and compare. Its own messages are not of interest here. */
static void hold_against(struct laz_load *load, uint16_t file)
{
    struct laz_diagnostics *ignored = laz_arena_take(&load->arena, 1, sizeof(*ignored));
    struct laz_policy *parent = laz_arena_take(&load->arena, 1, sizeof(*parent));
    if (ignored == NULL || parent == NULL) {
        return;
    }
    parent->n_files = load->policy->n_files;
    (void)memcpy(parent->files, load->policy->files, sizeof(parent->files));
    struct laz_report report = {.diagnostics = ignored, .files = parent->files};
    laz_merge(load, &report, file, parent);
    struct laz_widening found = {0};
    if (!load->arena.failed && laz_policy_find_widening(load->policy, parent, &found)) {
        report_widening(load, file, &found);
    }
}

static void hold_against_sealed_parents(struct laz_load *load)
{
    for (size_t i = 0; i < load->n_order; i++) {
        uint16_t file = load->order[i];
        const struct laz_node *sealed = load->documents[file].at[LAZ_FIELD_SEALED];
        if (file != 0 && sealed != NULL && sealed->number != 0) {
            hold_against(load, file);
        }
    }
}

/* ---- One load ---- */

static int load_policy(struct laz_load *load, struct laz_err *err)
{
    if (laz_documents_load(load, err) < 0) {
        return -1;
    }
    laz_merge(load, &load->report, 0, load->policy);
    if (load->report.diagnostics->n_errors == 0 && !load->arena.failed) {
        hold_against_sealed_parents(load);
    }
    if (load->arena.failed) {
        return laz_err_set(err, LAZ_E_MEMORY, ENOMEM, "no memory for the policy");
    }
    if (load->report.diagnostics->n_errors > 0) {
        return laz_report_first(&load->report, err);
    }
    digest_files(load->policy);
    return 0;
}

int laz_policy_load(const struct laz_policy_source *source, struct laz_diagnostics *ret_diagnostics,
        struct laz_policy **ret_policy, struct laz_err *err)
{
    laz_diagnostics_clear(ret_diagnostics);
    struct laz_load *load = calloc(1, sizeof(*load));
    struct laz_policy *policy = calloc(1, sizeof(*policy));
    if (load == NULL || policy == NULL) {
        free(load);
        free(policy);
        return laz_err_set(err, LAZ_E_MEMORY, ENOMEM, "no memory for the policy");
    }
    load->source = source;
    load->policy = policy;
    load->report = (struct laz_report){.diagnostics = ret_diagnostics, .files = policy->files};
    int result = load_policy(load, err);
    policy->memory = load->arena;
    free(load);
    if (result < 0) {
        laz_policy_free(policy);
        return -1;
    }
    *ret_policy = policy;
    return 0;
}
