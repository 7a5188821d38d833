/* SPDX-License-Identifier: Apache-2.0
 *
 * The keys of a rollout file are one table. Values are read as a policy's are, by their type in the
 * table and never by their looks.
 */
#include "gate/config.h"

#include <string.h>

#include "core/num.h"
#include "policy/policy.h"
#include "policy/report.h"
#include "policy/scalar.h"

enum kind {
    VERSION,
    INPUTS,
    DURATION,
    COUNT,
    COUNT_OR_ANY,
    POLICY, /* a digest, or any */
    IMAGE,  /* sha256: and a digest, or any */
    WORD,
    GROUP,
    REQUIRE,
};

struct row {
    const char *key;
    enum kind kind;
    bool is_required;
    uint64_t min; /* and max, of numbers; durations in milliseconds */
    uint64_t max;
    size_t offset; /* in struct laz_gate_config */
    size_t also;   /* of the bool that `any` sets */
    const char *const *words;
};

static const char *const states[] = {"init", "starting", "warming", "ready", "not-ready",
        "draining", "stopping", "exited", "failed", NULL};
static const char *const modes[] = {"enforce", "observe", NULL};
static const char *const clocks[] = {"SYNCHRONIZED", "NOT_SYNCHRONIZED", NULL};

#define AT(member) offsetof(struct laz_gate_config, member)
#define HOUR_MS    UINT64_C(3600000)
#define WEEK_MS    (168 * HOUR_MS)

static const struct row top[] = {
        {.key = "version", .kind = VERSION, .is_required = true, .min = 1, .max = 1},
        {.key = "inputs", .kind = INPUTS, .is_required = true},
        {.key = "bake", .kind = DURATION, .min = 1000, .max = 24 * HOUR_MS, .offset = AT(bake_ms)},
        {.key = "every", .kind = DURATION, .min = 100, .max = 300000, .offset = AT(every_ms)},
        {.key = "consecutive", .kind = COUNT, .min = 1, .max = 1000, .offset = AT(consecutive)},
        {.key = "failure-limit", .kind = COUNT, .max = 1000, .offset = AT(failure_limit)},
        {.key = "min-targets",
                .kind = COUNT,
                .min = 1,
                .max = LAZ_GATE_TARGETS_MAX,
                .offset = AT(min_targets)},
        {.key = "max-age", .kind = DURATION, .min = 1000, .max = WEEK_MS, .offset = AT(max_age_ms)},
        {.key = "clock-skew",
                .kind = DURATION,
                .min = 1,
                .max = 600000,
                .offset = AT(clock_skew_ms)},
        {.key = "quiet", .kind = DURATION, .min = 1000, .max = WEEK_MS, .offset = AT(quiet_ms)},
        {.key = "probes-per-minute", .kind = COUNT, .max = 10000, .offset = AT(probes_per_minute)},
        {.key = "target-group", .kind = GROUP, .offset = AT(target_group)},
        {.key = "require", .kind = REQUIRE},
        {.key = NULL},
};

static const struct row require[] = {
        {.key = "state", .kind = WORD, .offset = AT(require.state), .words = states},
        {.key = "policy-sha256",
                .kind = POLICY,
                .offset = AT(require.policy_sha256),
                .also = AT(require.any_policy)},
        {.key = "image-digest",
                .kind = IMAGE,
                .offset = AT(require.image_digest),
                .also = AT(require.any_image)},
        {.key = "mode", .kind = WORD, .offset = AT(require.mode), .words = modes},
        {.key = "tls-min-days",
                .kind = COUNT_OR_ANY,
                .max = 3650,
                .offset = AT(require.tls_min_days)},
        {.key = "violations",
                .kind = COUNT_OR_ANY,
                .max = UINT32_MAX,
                .offset = AT(require.violations)},
        {.key = "log-dropped",
                .kind = COUNT_OR_ANY,
                .max = UINT32_MAX,
                .offset = AT(require.log_dropped)},
        {.key = "restarts",
                .kind = COUNT_OR_ANY,
                .max = UINT32_MAX,
                .offset = AT(require.restarts)},
        {.key = "eb-requests",
                .kind = COUNT_OR_ANY,
                .max = UINT32_MAX,
                .offset = AT(require.eb_requests)},
        {.key = "clock", .kind = WORD, .offset = AT(require.clock), .words = clocks},
        {.key = NULL},
};

struct reader {
    struct laz_report report;
    struct laz_gate_config config;
};

static const char *key_at(const void *context, size_t i)
{
    return ((const struct row *)context)[i].key;
}

static const char *word_at(const void *context, size_t i)
{
    return ((const char *const *)context)[i];
}

static const char *input_at(const void *context, size_t i)
{
    (void)context;
    return i < LAZ_GATE_INPUT_COUNT ? laz_gate_input_name((enum laz_gate_input_kind)i) : NULL;
}

static void *member(struct reader *reader, size_t offset)
{
    return (char *)&reader->config + offset;
}

static void refuse(
        struct reader *reader, struct laz_node *node, const char *wanted, const char *suggestion)
{
    struct laz_quoted quoted;
    struct laz_quoted near;
    laz_report_node(&reader->report, LAZ_E_POLICY_INVALID, node, "must be %s, not %s%s", wanted,
            laz_quote(&quoted, node->text, node->length), laz_quote_suggestion(&near, suggestion));
}

/* ---- Values ---- */

static void put_number(struct reader *reader, const struct row *row, struct laz_node *node)
{
    const struct laz_field field = {
            .type = row->kind == DURATION ? LAZ_TYPE_DURATION : LAZ_TYPE_INT,
            .min = (int64_t)row->min,
            .max = row->max};
    const struct laz_scalar scalar = {
            .text = node->text, .length = node->length, .is_plain = node->is_plain};
    struct laz_err err = {0};
    uint64_t number = 0;
    if (laz_scalar_parse(&field, &scalar, &number, &err) < 0) {
        laz_report_node(&reader->report, err.kind, node, "%s", err.message);
        return;
    }
    if (row->kind != VERSION) {
        (void)memcpy(member(reader, row->offset), &number, sizeof(number));
    }
}

static bool is_digest(const char *text, size_t length)
{
    return length == 64 && strspn(text, "0123456789abcdef") == length;
}

static void put_digest(struct reader *reader, const struct row *row, struct laz_node *node)
{
    size_t prefix = row->kind == IMAGE ? strlen("sha256:") : 0;
    if (strncmp(node->text, "sha256:", prefix) != 0 || node->length < prefix ||
            !is_digest(node->text + prefix, node->length - prefix)) {
        refuse(reader, node,
                row->kind == IMAGE ? "sha256: and 64 lower-case hexadecimal digits, or any"
                                   : "64 lower-case hexadecimal digits, or any",
                NULL);
        return;
    }
    (void)memcpy(member(reader, row->offset), node->text, node->length + 1);
}

static void put_word(struct reader *reader, const struct row *row, struct laz_node *node)
{
    for (const char *const *word = row->words; *word != NULL; word++) {
        if (strcmp(*word, node->text) == 0) {
            (void)memcpy(member(reader, row->offset), node->text, node->length + 1);
            return;
        }
    }
    refuse(reader, node, "one of the words of the reference",
            laz_suggest(node->text, node->length, word_at, row->words));
}

static void put_group(struct reader *reader, const struct row *row, struct laz_node *node)
{
    if (node->length == 0 || node->length >= LAZ_GATE_GROUP_MAX ||
            strchr(node->text, '=') != NULL) {
        refuse(reader, node, "the name or the ARN of a target group", NULL);
        return;
    }
    (void)memcpy(member(reader, row->offset), node->text, node->length + 1);
}

static void put_any(struct reader *reader, const struct row *row)
{
    if (row->kind == COUNT_OR_ANY) {
        const uint64_t any = LAZ_GATE_ANY;
        (void)memcpy(member(reader, row->offset), &any, sizeof(any));
    } else {
        const bool yes = true;
        (void)memcpy(member(reader, row->also), &yes, sizeof(yes));
    }
}

static void put_inputs(struct reader *reader, struct laz_node *list)
{
    for (struct laz_node *node = list->first; node != NULL; node = node->next) {
        int kind = 0;
        while (node->kind == LAZ_NODE_SCALAR && kind < LAZ_GATE_INPUT_COUNT &&
                strcmp(node->text, laz_gate_input_name((enum laz_gate_input_kind)kind)) != 0) {
            kind++;
        }
        if (node->kind != LAZ_NODE_SCALAR) {
            laz_report_node(&reader->report, LAZ_E_POLICY_INVALID, node, "must be a word");
        } else if (kind == LAZ_GATE_INPUT_COUNT) {
            refuse(reader, node, "the name of an input",
                    laz_suggest(node->text, node->length, input_at, NULL));
        } else if (reader->config.inputs[kind]) {
            laz_report_node(&reader->report, LAZ_E_POLICY_INVALID, node, "is there twice");
        } else {
            reader->config.inputs[kind] = true;
        }
    }
    if (list->n_children == 0) {
        laz_report_node(&reader->report, LAZ_E_POLICY_INVALID, list,
                "must name at least one input: a gate that needs nothing decides nothing");
    }
}

static void put_scalar(struct reader *reader, const struct row *row, struct laz_node *node)
{
    switch (row->kind) {
    case VERSION:
    case DURATION:
    case COUNT:
    case COUNT_OR_ANY:
        put_number(reader, row, node);
        return;
    case POLICY:
    case IMAGE:
        put_digest(reader, row, node);
        return;
    case WORD:
        put_word(reader, row, node);
        return;
    case GROUP:
        put_group(reader, row, node);
        return;
    case INPUTS:
    case REQUIRE:
        break; /* no scalars: read by their own */
    }
}

/* ---- The file ---- */

static bool takes_any(const struct row *row)
{
    return row->kind == COUNT_OR_ANY || row->kind == POLICY || row->kind == IMAGE;
}

static void put(struct reader *reader, const struct row *row, struct laz_node *node)
{
    if (row->kind == INPUTS && node->kind == LAZ_NODE_SEQUENCE) {
        put_inputs(reader, node);
    } else if (row->kind == REQUIRE && node->kind == LAZ_NODE_MAPPING) {
        return; /* by put_all, with rows of its own */
    } else if (row->kind == INPUTS || row->kind == REQUIRE || node->kind != LAZ_NODE_SCALAR) {
        laz_report_node(&reader->report, LAZ_E_POLICY_INVALID, node, "must be a %s",
                row->kind == INPUTS            ? "list"
                        : row->kind == REQUIRE ? "mapping"
                                               : "single value");
    } else if (takes_any(row) && strcmp(node->text, "any") == 0) {
        put_any(reader, row);
    } else {
        put_scalar(reader, row, node);
    }
}

static void put_mapping(struct reader *reader, const struct row *rows, struct laz_node *mapping)
{
    for (struct laz_node *node = mapping->first; node != NULL; node = node->next) {
        size_t i = 0;
        while (rows[i].key != NULL && strcmp(rows[i].key, node->key) != 0) {
            i++;
        }
        if (node->is_bad) {
            continue;
        }
        if (rows[i].key != NULL) {
            put(reader, &rows[i], node);
            continue;
        }
        struct laz_quoted quoted;
        struct laz_quoted near;
        laz_report_at(&reader->report, LAZ_E_POLICY_INVALID, node->key_pos, "unknown key %s%s",
                laz_quote(&quoted, node->key, node->key_length),
                laz_quote_suggestion(
                        &near, laz_suggest(node->key, node->key_length, key_at, rows)));
    }
    for (const struct row *row = rows; row->key != NULL; row++) {
        const struct laz_node *node = mapping->first;
        while (node != NULL && strcmp(node->key, row->key) != 0) {
            node = node->next;
        }
        if (row->is_required && node == NULL) {
            laz_report_at(&reader->report, LAZ_E_POLICY_INVALID, mapping->pos, "\"%s\" is missing",
                    row->key);
        }
    }
}

static void put_all(struct reader *reader, struct laz_node *root)
{
    put_mapping(reader, top, root);
    for (struct laz_node *node = root->first; node != NULL; node = node->next) {
        if (!node->is_bad && node->kind == LAZ_NODE_MAPPING && strcmp(node->key, "require") == 0) {
            put_mapping(reader, require, node);
        }
    }
}

static const struct laz_gate_config presets = {
        .bake_ms = 60000,
        .every_ms = 5000,
        .consecutive = 12,
        .min_targets = 2,
        .max_age_ms = 600000,
        .clock_skew_ms = 30000,
        .quiet_ms = 1800000,
        .require = {.state = "ready", .tls_min_days = LAZ_GATE_ANY},
};

int laz_gate_config_parse(const char *path, const char *text, size_t length,
        struct laz_diagnostics *diagnostics, struct laz_gate_config *ret, struct laz_err *err)
{
    const struct laz_file file = {
            .name = laz_unconst(path), .text = laz_unconst(text), .length = length};
    struct reader reader = {
            .report = {.diagnostics = diagnostics, .files = &file}, .config = presets};
    struct laz_arena arena = {0};
    struct laz_node *root = NULL;
    if (length > LAZ_GATE_CONFIG_MAX) {
        laz_report_at(&reader.report, LAZ_E_POLICY_TOO_LARGE, (struct laz_pos){0},
                "larger than %d bytes", LAZ_GATE_CONFIG_MAX);
    } else if (laz_yaml_parse(text, length, 0, &arena, &reader.report, &root) == 0) {
        if (root->kind == LAZ_NODE_MAPPING) {
            put_all(&reader, root);
        } else {
            laz_report_node(&reader.report, LAZ_E_POLICY_INVALID, root, "must be a mapping");
        }
    }
    laz_arena_done(&arena);
    if (root == NULL && diagnostics->n_errors == 0) {
        return laz_err_set(err, LAZ_E_MEMORY, 0, "no memory for %.256s", path);
    }
    if (diagnostics->n_errors > 0) {
        return laz_err_set(err, diagnostics->items[0].kind, 0, "%.256s: %zu error%s", path,
                diagnostics->n_errors, diagnostics->n_errors == 1 ? "" : "s");
    }
    *ret = reader.config;
    return 0;
}
