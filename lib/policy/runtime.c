/* SPDX-License-Identifier: Apache-2.0
 *
 * The host's file: read and checked against its rows of the field table, then what it says as a
 * structure. One file, nothing is merged.
 */
#include "policy/runtime.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/fd.h"
#include "core/rooted.h"
#include "policy/merge.h"
#include "policy/scalar.h"

struct reader {
    const struct laz_policy_source *source;
    struct laz_runtime *runtime;
    struct laz_report report;
    struct laz_document document;
};

void laz_runtime_free(struct laz_runtime *runtime)
{
    if (runtime != NULL) {
        laz_arena_done(&runtime->memory);
        free(runtime);
    }
}

/* ---- The bytes ---- */

static int open_file(const struct laz_policy_source *source, int *ret, struct laz_err *err)
{
    if (source->check_ownership) {
        return laz_rooted_open(source->path, ret, err);
    }
    *ret = open(source->path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    return *ret >= 0 ? 0
                     : laz_err_set(err, LAZ_E_HOST_ABSENT, errno, "cannot open %s: %s",
                               source->path, strerror(errno));
}

static int read_file(struct reader *reader, struct laz_err *err)
{
    struct laz_file *file = &reader->runtime->file;
    laz_cleanup_fd int fd = -1;
    struct stat status;
    if (open_file(reader->source, &fd, err) < 0) {
        return -1;
    }
    if (fstat(fd, &status) < 0) {
        return laz_err_set(err, LAZ_E_SYSTEM, errno, "fstat %s: %s", file->name, strerror(errno));
    }
    if (!S_ISREG(status.st_mode)) {
        return laz_err_set(err, LAZ_E_HOST_ABSENT, 0, "%s is not a regular file", file->name);
    }
    if (status.st_size > LAZ_POLICY_FILE_MAX) {
        return laz_err_set(err, LAZ_E_POLICY_TOO_LARGE, 0, "%s is larger than %d bytes", file->name,
                LAZ_POLICY_FILE_MAX);
    }
    file->text = laz_arena_take(&reader->runtime->memory, (size_t)status.st_size + 1, 1);
    if (file->text == NULL) {
        return laz_err_set(err, LAZ_E_MEMORY, ENOMEM, "no memory for %s", file->name);
    }
    return laz_fd_read_all(fd, file->text, (size_t)status.st_size, &file->length, err);
}

static int take_text(struct reader *reader, struct laz_err *err)
{
    const struct laz_policy_source *source = reader->source;
    struct laz_arena *arena = &reader->runtime->memory;
    struct laz_file *file = &reader->runtime->file;
    file->name = laz_arena_copy(arena, source->path, strlen(source->path));
    if (source->text == NULL) {
        return file->name == NULL ? 0 : read_file(reader, err); /* the arena says what is missing */
    }
    if (source->text_length > LAZ_POLICY_FILE_MAX) {
        return laz_err_set(err, LAZ_E_POLICY_TOO_LARGE, 0, "%s is larger than %d bytes",
                source->path, LAZ_POLICY_FILE_MAX);
    }
    file->text = laz_arena_copy(arena, source->text, source->text_length);
    file->length = source->text_length;
    return 0;
}

/* ---- What it says ---- */

static const struct laz_node *at(const struct reader *reader, enum laz_field_id id)
{
    const struct laz_node *node = reader->document.at[id];
    return node == NULL || node->is_bad ? NULL : node;
}

/* NULL where it is not said and has no default. */
static const char *text_of(struct reader *reader, const struct laz_node *node, const char *preset)
{
    const char *text = node == NULL ? preset : node->text;
    return text == NULL ? NULL : laz_arena_copy(&reader->runtime->memory, text, strlen(text));
}

static const char *text_at(struct reader *reader, enum laz_field_id id, struct laz_pos *ret_pos)
{
    const struct laz_node *node = at(reader, id);
    if (node != NULL && ret_pos != NULL) {
        *ret_pos = node->pos;
    }
    return text_of(reader, node, laz_field_at(id)->preset);
}

static uint64_t number_at(const struct reader *reader, enum laz_field_id id)
{
    const struct laz_node *node = at(reader, id);
    return node == NULL ? laz_preset_number(laz_field_at(id)) : node->number;
}

static void put_names(struct reader *reader)
{
    struct laz_runtime *runtime = reader->runtime;
    struct laz_node *list = reader->document.at[LAZ_FIELD_RUNTIME_BY_NAME];
    for (struct laz_node *item = laz_check_item(list, NULL); item != NULL;
            item = laz_check_item(list, item)) {
        if (runtime->n_names == LAZ_RUNTIME_NAMES_MAX) {
            laz_report_node(&reader->report, LAZ_E_POLICY_TOO_LARGE, item, "more than %d names",
                    LAZ_RUNTIME_NAMES_MAX);
            return;
        }
        runtime->names[runtime->n_names++] = (struct laz_runtime_name){
                .name = laz_arena_copy(&runtime->memory, item->key, item->key_length),
                .program = text_of(reader, item, NULL),
                .pos = item->pos};
    }
}

/* A rule that holds of everything would hide those behind it. false: there are too many. */
static bool put_rule(struct reader *reader, struct laz_node *item)
{
    struct laz_runtime *runtime = reader->runtime;
    struct laz_node *policy = laz_check_child(item, LAZ_FIELD_RUNTIME_SELECT_POLICY);
    const struct laz_node *name = laz_check_child(item, LAZ_FIELD_RUNTIME_SELECT_NAME);
    const struct laz_node *cgroups = laz_check_child(item, LAZ_FIELD_RUNTIME_SELECT_CGROUPS);
    if (runtime->n_rules == LAZ_RUNTIME_RULES_MAX) {
        laz_report_node(&reader->report, LAZ_E_POLICY_TOO_LARGE, item, "more than %d rules",
                LAZ_RUNTIME_RULES_MAX);
        return false;
    }
    if (name == NULL && cgroups == NULL) {
        laz_report_node(&reader->report, LAZ_E_POLICY_INVALID, item,
                "holds of every container: say \"runtime-name\" or \"cgroups-path\", or make it "
                "\"default-policy\"");
        return true;
    }
    runtime->rules[runtime->n_rules++] =
            (struct laz_runtime_rule){.name = text_of(reader, name, NULL),
                    .cgroups_path = text_of(reader, cgroups, NULL),
                    .policy = text_of(reader, policy, NULL),
                    .pos = policy->pos};
    return true;
}

static void put_rules(struct reader *reader)
{
    struct laz_node *list = reader->document.at[LAZ_FIELD_RUNTIME_SELECT];
    for (struct laz_node *item = laz_check_item(list, NULL); item != NULL;
            item = laz_check_item(list, item)) {
        if (!item->has_bad && !put_rule(reader, item)) {
            return;
        }
    }
}

/* In the form in which it will be compared. */
static bool is_digest(const char *text)
{
    return strlen(text) == (size_t)2 * LAZ_SHA256_SIZE &&
            strspn(text, "0123456789abcdef") == strlen(text);
}

static void put_inits(struct reader *reader)
{
    struct laz_runtime *runtime = reader->runtime;
    struct laz_node *list = reader->document.at[LAZ_FIELD_RUNTIME_KNOWN_INITS];
    for (struct laz_node *item = laz_check_item(list, NULL); item != NULL;
            item = laz_check_item(list, item)) {
        const char *text = item->is_bad ? NULL : text_of(reader, item, NULL);
        if (runtime->n_known_inits == LAZ_RUNTIME_INITS_MAX) {
            laz_report_node(&reader->report, LAZ_E_POLICY_TOO_LARGE, item, "more than %d digests",
                    LAZ_RUNTIME_INITS_MAX);
            return;
        }
        if (text != NULL && !is_digest(text)) {
            laz_report_node(&reader->report, LAZ_E_POLICY_INVALID, item,
                    "\"%.80s\" is no SHA-256 in 64 lower-case hexadecimal digits", text);
        } else if (text != NULL) {
            runtime->known_inits[runtime->n_known_inits++] = text;
        }
    }
}

static void put_all(struct reader *reader)
{
    struct laz_runtime *runtime = reader->runtime;
    runtime->program = text_at(reader, LAZ_FIELD_RUNTIME_PROGRAM, &runtime->program_pos);
    runtime->default_policy =
            text_at(reader, LAZ_FIELD_RUNTIME_DEFAULT, &runtime->default_policy_pos);
    runtime->infra_policy = text_at(reader, LAZ_FIELD_RUNTIME_INFRA, &runtime->infra_policy_pos);
    runtime->unknown_container = (uint32_t)number_at(reader, LAZ_FIELD_RUNTIME_UNKNOWN);
    runtime->log = text_at(reader, LAZ_FIELD_RUNTIME_LOG, NULL);
    runtime->audit_file = text_at(reader, LAZ_FIELD_RUNTIME_AUDIT_FILE, NULL);
    runtime->audit_required = number_at(reader, LAZ_FIELD_RUNTIME_AUDIT_REQUIRED) != 0;
    runtime->audit_arguments = number_at(reader, LAZ_FIELD_RUNTIME_AUDIT_ARGUMENTS) != 0;
    runtime->audit_health_checks = number_at(reader, LAZ_FIELD_RUNTIME_AUDIT_HEALTH) != 0;
    runtime->image_init = (uint32_t)number_at(reader, LAZ_FIELD_RUNTIME_IMAGE_INIT);
    put_names(reader);
    put_rules(reader);
    put_inits(reader);
}

/* What only the whole shows. */
static void complete(struct reader *reader)
{
    const struct laz_runtime *runtime = reader->runtime;
    struct laz_node *unknown = reader->document.at[LAZ_FIELD_RUNTIME_UNKNOWN];
    bool has_default = runtime->default_policy != NULL &&
            strcmp(runtime->default_policy, LAZ_RUNTIME_PASS_THROUGH) != 0;
    if (unknown != NULL && runtime->unknown_container == LAZ_UNKNOWN_CLAMP_DEFAULT &&
            !has_default) {
        laz_report_node(&reader->report, LAZ_E_POLICY_INVALID, unknown,
                "\"clamp-default\" needs a \"default-policy\" that is a policy");
    }
}

/* ---- The whole ---- */

static int read_runtime(struct reader *reader, struct laz_err *err)
{
    struct laz_runtime *runtime = reader->runtime;
    const struct laz_file *file = &runtime->file;
    if (take_text(reader, err) < 0) {
        return -1;
    }
    if (!runtime->memory.failed &&
            laz_yaml_parse(file->text, file->length, 0, &runtime->memory, &reader->report,
                    &reader->document.root) == 0) {
        laz_check(&reader->document, LAZ_FIELD_RUNTIME, &reader->report);
        put_all(reader);
        complete(reader);
    }
    if (runtime->memory.failed) {
        return laz_err_set(err, LAZ_E_MEMORY, ENOMEM, "no memory for the host's file");
    }
    if (reader->report.diagnostics->n_errors > 0) {
        return laz_report_first(&reader->report, err);
    }
    laz_sha256_of(file->text, file->length, runtime->digest);
    return 0;
}

int laz_runtime_load(const struct laz_policy_source *source,
        struct laz_diagnostics *ret_diagnostics, struct laz_runtime **ret, struct laz_err *err)
{
    laz_diagnostics_clear(ret_diagnostics);
    struct reader *reader = calloc(1, sizeof(*reader));
    struct laz_runtime *runtime = calloc(1, sizeof(*runtime));
    if (reader == NULL || runtime == NULL) {
        free(reader);
        free(runtime);
        return laz_err_set(err, LAZ_E_MEMORY, ENOMEM, "no memory for the host's file");
    }
    *reader = (struct reader){.source = source,
            .runtime = runtime,
            .report = {.diagnostics = ret_diagnostics, .files = &runtime->file}};
    int result = read_runtime(reader, err);
    free(reader);
    if (result < 0) {
        laz_runtime_free(runtime);
        return -1;
    }
    *ret = runtime;
    return 0;
}

/* ---- Policies by name ---- */

int laz_runtime_policy_path(
        const char *name, char ret[LAZ_RUNTIME_POLICY_PATH_MAX], struct laz_err *err)
{
    static const struct laz_field field = {.type = LAZ_TYPE_NAME};
    const struct laz_scalar scalar = {.text = name, .length = strlen(name)};
    uint64_t unused = 0;
    if (strcmp(name, LAZ_RUNTIME_PASS_THROUGH) == 0) {
        return laz_err_set(err, LAZ_E_POLICY_INVALID, 0,
                "\"" LAZ_RUNTIME_PASS_THROUGH "\" is no policy, and only runtime.yaml may say it");
    }
    if (laz_scalar_parse(&field, &scalar, &unused, err) < 0) {
        return laz_err_context(err, "the name of a policy");
    }
    struct laz_buf buf;
    laz_buf_init_fixed(&buf, ret, LAZ_RUNTIME_POLICY_PATH_MAX);
    laz_buf_printf(&buf, "%s/%s.yaml", LAZ_RUNTIME_POLICIES, name);
    return 0;
}

int laz_runtime_policy_load(const char *name, struct laz_diagnostics *ret_diagnostics,
        struct laz_policy **ret_policy, struct laz_err *err)
{
    char path[LAZ_RUNTIME_POLICY_PATH_MAX];
    laz_diagnostics_clear(ret_diagnostics);
    laz_cleanup_fd int fd = -1;
    if (laz_runtime_policy_path(name, path, err) < 0 || laz_rooted_open(path, &fd, err) < 0) {
        return -1;
    }
    const struct laz_policy_source source = {.path = path, .check_ownership = true};
    return laz_policy_load(&source, ret_diagnostics, ret_policy, err);
}
