/* SPDX-License-Identifier: Apache-2.0
 *
 * Rendering. Nothing is decided here.
 */
#include "gate/report.h"

#include <inttypes.h>

#include "core/num.h"
#include "core/words.h"

#define MODES(X)     X(PROMOTE, "promote") X(VERIFY, "verify") X(RETIRE, "retire")
#define N_MODES      3
#define SCHEMA       "lazaret.gate/1"
#define CHECK_WIDTH  16
#define TARGET_WIDTH 28

LAZ_WORDS(laz_gate_mode_name, laz_gate_mode, MODES, (size_t)N_MODES)

static size_t count(const struct laz_gate_rows *rows, enum laz_gate_result result)
{
    size_t n = 0;
    for (size_t i = 0; i < rows->n; i++) {
        n += rows->items[i].result == result ? 1 : 0;
    }
    return n;
}

/* ---- Text ---- */

static void put_rows(const struct laz_gate_rows *rows, bool are_skipped, struct laz_buf *ret)
{
    for (size_t i = 0; i < rows->n; i++) {
        const struct laz_gate_row *row = &rows->items[i];
        bool is_bad = row->result == LAZ_GATE_FAIL || row->result == LAZ_GATE_INCONCLUSIVE;
        if ((row->result == LAZ_GATE_SKIPPED) != are_skipped) {
            continue;
        }
        laz_buf_printf(ret, "%-13s %-*s %-*s %s", laz_gate_result_name(row->result), CHECK_WIDTH,
                row->check, TARGET_WIDTH, row->target, row->observed);
        if (is_bad && row->wanted[0] != '\0') {
            laz_buf_printf(ret, " (wanted: %s)", row->wanted);
        }
        laz_buf_char(ret, '\n');
    }
}

void laz_gate_report_text(const struct laz_gate_report *report, struct laz_buf *ret)
{
    const struct laz_gate_rows *rows = report->rows;
    put_rows(rows, false, ret);
    put_rows(rows, true, ret);
    laz_buf_printf(ret, "gate %s: %s (%zu passed, %zu failed, %zu inconclusive, %zu skipped)\n",
            laz_gate_mode_name(report->judged->mode), laz_gate_result_name(report->verdict),
            count(rows, LAZ_GATE_PASS), count(rows, LAZ_GATE_FAIL),
            count(rows, LAZ_GATE_INCONCLUSIVE), count(rows, LAZ_GATE_SKIPPED));
}

/* ---- JSON ---- */

static void put_hash(struct laz_json *json, const char *key, const uint8_t *hash)
{
    char text[2 * LAZ_SHA256_SIZE + 1];
    laz_format_hex(hash, LAZ_SHA256_SIZE, text);
    laz_json_string(json, key, text);
}

static void put_time(struct laz_json *json, const char *key, int64_t ms)
{
    char text[LAZ_GATE_TIME_MAX];
    laz_gate_time_write(ms, text);
    if (text[0] != '\0') {
        laz_json_string(json, key, text);
    }
}

static void put_inputs(struct laz_json *json, const struct laz_gate_case *judged)
{
    laz_json_array(json, "inputs");
    for (size_t i = 0; i < judged->n_inputs; i++) {
        const struct laz_gate_input *input = &judged->inputs[i];
        laz_json_object(json, NULL);
        laz_json_string(json, "input", laz_gate_input_name(input->kind));
        laz_json_string(json, "file", input->path);
        if (input->group[0] != '\0') {
            laz_json_string(json, "group", input->group);
        }
        if (input->text != NULL) {
            put_hash(json, "sha256", input->sha256);
            laz_json_u64(json, "bytes", input->length);
            put_time(json, "modified", input->modified_ms);
        } else {
            laz_json_string(json, "error", input->why);
        }
        laz_json_object_end(json);
    }
    laz_json_array_end(json);
}

void laz_gate_report_json(const struct laz_gate_report *report, struct laz_buf *ret)
{
    struct laz_json json;
    laz_json_init(&json, ret);
    laz_json_object(&json, NULL);
    laz_json_string(&json, "schema", SCHEMA);
    laz_json_string(&json, "gate", laz_gate_mode_name(report->judged->mode));
    laz_json_string(&json, "verdict", laz_gate_result_name(report->verdict));
    laz_json_bool(&json, "ok", report->verdict == LAZ_GATE_PASS);
    put_time(&json, "started", report->started_ms);
    put_time(&json, "ended", report->ended_ms);
    laz_json_string(&json, "lazaret", LAZARET_VERSION);
    laz_json_object(&json, "config");
    laz_json_string(&json, "file", report->config_path);
    put_hash(&json, "sha256", report->config_sha256);
    laz_json_object_end(&json);
    put_inputs(&json, report->judged);
    laz_json_array(&json, "checks");
    for (size_t i = 0; i < report->rows->n; i++) {
        const struct laz_gate_row *row = &report->rows->items[i];
        laz_json_object(&json, NULL);
        laz_json_string(&json, "check", row->check);
        laz_json_string(&json, "target", row->target);
        laz_json_string(&json, "result", laz_gate_result_name(row->result));
        laz_json_string(&json, "observed", row->observed);
        laz_json_string(&json, "wanted", row->wanted);
        laz_json_object_end(&json);
    }
    laz_json_array_end(&json);
    laz_gate_samples_write(report->judged->samples, &json);
    laz_json_object_end(&json);
    laz_buf_char(ret, '\n');
}

/* ---- JUnit ---- */

/* All of it is printable already: only what XML means by it is left. */
static void put_xml(struct laz_buf *ret, const char *text)
{
    for (; *text != '\0'; text++) {
        switch (*text) {
        case '&':
            laz_buf_str(ret, "&amp;");
            break;
        case '<':
            laz_buf_str(ret, "&lt;");
            break;
        case '>':
            laz_buf_str(ret, "&gt;");
            break;
        case '"':
            laz_buf_str(ret, "&quot;");
            break;
        default:
            laz_buf_char(ret, *text);
        }
    }
}

static void put_case(struct laz_buf *ret, const char *mode, const struct laz_gate_row *row)
{
    laz_buf_printf(ret, "  <testcase classname=\"lazaret.gate.%s.%s\" name=\"", mode, row->check);
    put_xml(ret, row->check);
    if (row->target[0] != '\0') {
        laz_buf_char(ret, ' ');
        put_xml(ret, row->target);
    }
    if (row->result == LAZ_GATE_PASS) {
        laz_buf_str(ret, "\"/>\n");
        return;
    }
    const char *element = row->result == LAZ_GATE_FAIL ? "failure"
            : row->result == LAZ_GATE_SKIPPED          ? "skipped"
                                                       : "error";
    laz_buf_printf(ret, "\">\n    <%s message=\"", element);
    put_xml(ret, row->observed);
    if (row->result != LAZ_GATE_SKIPPED) {
        laz_buf_printf(ret, "\" type=\"%s\">observed: ", laz_gate_result_name(row->result));
        put_xml(ret, row->observed);
        laz_buf_str(ret, "\nwanted: ");
        put_xml(ret, row->wanted);
        laz_buf_printf(ret, "</%s>\n  </testcase>\n", element);
    } else {
        laz_buf_str(ret, "\"/>\n  </testcase>\n");
    }
}

void laz_gate_report_junit(const struct laz_gate_report *report, struct laz_buf *ret)
{
    const struct laz_gate_rows *rows = report->rows;
    const char *mode = laz_gate_mode_name(report->judged->mode);
    /* The verdict is a case too: without one, a suite in which all is skipped would be green. */
    struct laz_gate_row verdict = {.check = "verdict", .result = report->verdict};
    struct laz_buf observed;
    laz_buf_init_fixed(&observed, verdict.observed, sizeof(verdict.observed));
    laz_buf_str(&observed, laz_gate_result_name(report->verdict));
    struct laz_buf wanted;
    laz_buf_init_fixed(&wanted, verdict.wanted, sizeof(verdict.wanted));
    laz_buf_str(&wanted, "pass");
    char started[LAZ_GATE_TIME_MAX];
    laz_gate_time_write(report->started_ms, started);
    int64_t took_ms =
            report->ended_ms > report->started_ms ? report->ended_ms - report->started_ms : 0;
    laz_buf_str(ret, "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuites>\n");
    laz_buf_printf(ret,
            " <testsuite name=\"lazaret.gate.%s\" tests=\"%zu\" failures=\"%zu\" errors=\"%zu\""
            " skipped=\"%zu\" timestamp=\"%s\" time=\"%" PRId64 ".%03u\">\n",
            mode, rows->n + 1,
            count(rows, LAZ_GATE_FAIL) + (report->verdict == LAZ_GATE_FAIL ? 1 : 0),
            count(rows, LAZ_GATE_INCONCLUSIVE) + (report->verdict == LAZ_GATE_INCONCLUSIVE ? 1 : 0),
            count(rows, LAZ_GATE_SKIPPED), started, took_ms / 1000, (unsigned)(took_ms % 1000));
    put_case(ret, mode, &verdict);
    for (size_t i = 0; i < rows->n; i++) {
        put_case(ret, mode, &rows->items[i]);
    }
    laz_buf_str(ret, " </testsuite>\n</testsuites>\n");
}

/* ---- One word ---- */

void laz_gate_report_ecs_hook(const struct laz_gate_report *report, struct laz_buf *ret)
{
    /* ECS asks again after IN_PROGRESS, until it gives up by itself: silence never shifts traffic.
     */
    laz_buf_printf(ret, "{\"hookStatus\":\"%s\"}\n",
            report->verdict == LAZ_GATE_PASS           ? "SUCCEEDED"
                    : report->verdict == LAZ_GATE_FAIL ? "FAILED"
                                                       : "IN_PROGRESS");
}

void laz_gate_report_codedeploy(const struct laz_gate_report *report, struct laz_buf *ret)
{
    /* It has no third answer, and does not ask again. */
    laz_buf_str(ret, report->verdict == LAZ_GATE_PASS ? "Succeeded\n" : "Failed\n");
}
