/* SPDX-License-Identifier: Apache-2.0
 *
 * What others wrote for the gate, by the first byte: one file of each kind, or a rollout file. What
 * is no JSON never passes; whatever comes of it is printable, and our own evidence can be read
 * again, with the same samples.
 */
#include <stdlib.h>

#include "fuzz.h"
#include "gate/report.h"

#define NOW_MS INT64_C(1795307313000)

static void check_line(const char *text)
{
    for (const char *c = text; *c != '\0'; c++) {
        require(*c >= ' ' && *c <= '~');
    }
}

static void check_config(const char *text, size_t length)
{
    struct laz_diagnostics *diagnostics = calloc(1, sizeof(*diagnostics));
    struct laz_gate_config *config = calloc(1, sizeof(*config));
    struct laz_err err = {0};
    require(diagnostics != NULL && config != NULL);
    if (laz_gate_config_parse("r.yaml", text, length, diagnostics, config, &err) == 0) {
        require(diagnostics->n_errors == 0 && err.kind == LAZ_E_NONE);
        bool is_anything = false;
        for (int i = 0; i < LAZ_GATE_INPUT_COUNT; i++) {
            is_anything = is_anything || config->inputs[i];
        }
        require(is_anything && config->consecutive > 0 && config->min_targets > 0);
    } else {
        require(diagnostics->n_errors > 0 && diagnostics->items[0].message[0] != '\0');
    }
    free(diagnostics);
    free(config);
}

/* The evidence is one JSON value, from which the same samples are read. */
static void check_evidence(const struct laz_gate_report *report)
{
    struct laz_buf text;
    struct laz_gate_samples again = {0};
    struct laz_err err = {0};
    laz_buf_init_heap(&text, LAZ_GATE_REPORT_MAX);
    laz_gate_report_json(report, &text);
    require(!text.overflow);
    struct laz_gate_input input = {.text = malloc(text.len + 1), .length = text.len};
    require(input.text != NULL);
    (void)memcpy(input.text, text.data, text.len);
    laz_gate_input_parse(&input);
    require(input.is_good);
    const struct laz_gate_samples *samples = report->judged->samples;
    if (samples->n > 0) {
        require(laz_gate_samples_read(&input, "x", &again, &err) == 0);
        require(again.n == samples->n);
        for (size_t i = 0; i < again.n; i++) {
            const struct laz_gate_sample *a = &again.items[i];
            const struct laz_gate_sample *b = &samples->items[i];
            require(strcmp(a->target, b->target) == 0 && a->has_document == b->has_document);
            require(strcmp(a->health.state, b->health.state) == 0);
            require(a->health.ready == b->health.ready);
            require(a->health.least_days == b->health.least_days);
            require(a->health.dropped == b->health.dropped);
            require(a->health.accepted == b->health.accepted);
        }
    }
    laz_gate_samples_done(&again);
    laz_gate_input_done(&input);
    laz_buf_done(&text);
}

static void check_reports(const struct laz_gate_report *report)
{
    struct laz_buf text;
    for (size_t i = 0; i < report->rows->n; i++) {
        check_line(report->rows->items[i].target);
        check_line(report->rows->items[i].observed);
        check_line(report->rows->items[i].wanted);
    }
    laz_buf_init_heap(&text, LAZ_GATE_REPORT_MAX);
    laz_gate_report_text(report, &text);
    laz_gate_report_junit(report, &text);
    laz_gate_report_ecs_hook(report, &text);
    laz_gate_report_codedeploy(report, &text);
    require(!text.overflow);
    laz_buf_done(&text);
    check_evidence(report);
}

static void check_input(
        enum laz_gate_input_kind kind, enum laz_gate_mode mode, const char *text, size_t length)
{
    const struct laz_gate_config config = {.consecutive = 1,
            .min_targets = 1,
            .max_age_ms = INT64_MAX / 4,
            .clock_skew_ms = 30000,
            .target_group = "green",
            .require = {.state = "ready"}};
    static const uint8_t digest[LAZ_SHA256_SIZE];
    struct laz_gate_input input = {
            .kind = kind, .path = "f", .length = length, .modified_ms = NOW_MS};
    struct laz_gate_samples samples = {0};
    struct laz_gate_rows rows = {0};
    struct laz_gate_counts counts;
    struct laz_err err = {0};
    input.text = malloc(length + 1);
    require(input.text != NULL);
    (void)memcpy(input.text, text, length);
    laz_gate_input_parse(&input);
    require(input.is_good || input.why[0] != '\0');
    bool has_samples = kind == LAZ_GATE_INPUT_HEALTH || kind == LAZ_GATE_INPUT_BASELINE;
    if (input.is_good && has_samples && laz_gate_samples_read(&input, "it", &samples, &err) < 0) {
        input.is_good = false;
    }
    const char *targets[] = {samples.n > 0 ? samples.items[0].target : "t"};
    const struct laz_gate_case judged = {.mode = mode,
            .config = &config,
            .now_ms = NOW_MS,
            .inputs = &input,
            .n_inputs = 1,
            .samples = &samples,
            .baseline = &samples,
            .targets = targets,
            .n_targets = samples.n > 0 ? 1 : 0};
    laz_gate_judge_files(&judged, &rows, &counts);
    laz_gate_judge_targets(&judged, &counts, &rows);
    const struct laz_gate_report report = {.judged = &judged,
            .rows = &rows,
            .verdict = laz_gate_rows_verdict(&rows),
            .started_ms = NOW_MS,
            .ended_ms = NOW_MS,
            .config_path = "r",
            .config_sha256 = digest};
    require(input.is_good || report.verdict != LAZ_GATE_PASS);
    check_reports(&report);
    laz_gate_rows_done(&rows);
    laz_gate_samples_done(&samples);
    laz_gate_input_done(&input);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 1 || size > 20000) {
        return 0;
    }
    const char *text = (const char *)data + 1;
    unsigned kind = data[0] & 15U;
    if (kind >= LAZ_GATE_INPUT_COUNT) {
        check_config(text, size - 1);
    } else {
        check_input((enum laz_gate_input_kind)kind, (enum laz_gate_mode)(data[0] / 16U % 3U), text,
                size - 1);
    }
    return 0;
}
