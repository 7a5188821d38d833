/* SPDX-License-Identifier: Apache-2.0
 *
 * A report as one JSON object. Members of records are copied as they stand.
 */
#include "cli/output.h"
#include "cli/report.h"
#include "cli/verdict.h"
#include "core/num.h"

/* A lexeme of a record, which is JSON already. */
static void put_lexeme(struct laz_json *json, const char *key, struct laz_span lexeme)
{
    laz_buf_printf(json->buf, "%s\"%s\":", json->comma ? "," : "", key);
    laz_buf_put(json->buf, lexeme.at, lexeme.length);
    json->comma = true;
}

static void put_member(struct laz_json *json, const char *key, const struct laz_json_doc *doc,
        const struct laz_json_node *node)
{
    if (node != NULL) {
        put_lexeme(json, key, (struct laz_span){doc->text + node->start, node->end - node->start});
    }
}

static void put_start(struct laz_json *json, const struct laz_report *report,
        const struct laz_report_entry *start)
{
    static const char *const keys[] = {"version", "kernel", "pid1", "policy_sha256",
            "filter_sha256", "fips", "read", "probed", "degraded", "relaxations"};
    struct laz_json_doc doc;
    if (start == NULL || !laz_report_read(report, start, &doc)) {
        return;
    }
    const struct laz_json_node *root = laz_json_root(&doc);
    const struct laz_json_node *data = laz_json_member(&doc, root, "d");
    laz_json_object(json, "start");
    laz_json_bytes(json, "at", start->when.at, start->when.length);
    put_lexeme(json, "policy", start->obj);
    put_lexeme(json, "mode", start->act);
    put_member(json, "program", &doc, laz_json_member(&doc, root, "exe"));
    for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++) {
        put_member(json, keys[i], &doc, laz_json_member(&doc, data, keys[i]));
    }
    laz_json_object_end(json);
}

static void put_runs(struct laz_json *json, const struct laz_report *report)
{
    laz_json_array(json, "runs");
    for (size_t i = 0; i < report->n_runs; i++) {
        const struct laz_report_run *run = &report->runs[i];
        char id[2 * LAZ_CHAIN_ID_SIZE + 1];
        struct laz_json_doc doc;
        laz_format_hex(run->chain, sizeof(run->chain), id);
        laz_json_object(json, NULL);
        laz_json_string(json, "chain", id);
        put_start(json, report, run->start);
        if (run->stop != NULL && laz_report_read(report, run->stop, &doc)) {
            laz_json_object(json, "stop");
            laz_json_bytes(json, "at", run->stop->when.at, run->stop->when.length);
            put_lexeme(json, "why", run->stop->obj);
            put_lexeme(json, "act", run->stop->act);
            put_member(json, "exit", &doc,
                    laz_json_member(&doc, laz_json_member(&doc, laz_json_root(&doc), "d"), "exit"));
            laz_json_object_end(json);
        }
        laz_json_object_end(json);
    }
    laz_json_array_end(json);
}

static void put_events(struct laz_json *json, const struct laz_report *report)
{
    laz_json_array(json, "events");
    for (size_t i = 0; i < report->n_groups; i++) {
        const struct laz_report_group *group = &report->groups[i];
        laz_json_object(json, NULL);
        laz_json_bytes(json, "ev", group->ev.at, group->ev.length);
        put_lexeme(json, "obj", group->obj);
        put_lexeme(json, "act", group->act);
        laz_json_u64(json, "sev", group->sev);
        laz_json_u64(json, "count", group->count);
        laz_json_bytes(json, "first", group->first.at, group->first.length);
        laz_json_bytes(json, "last", group->last.at, group->last.length);
        laz_json_object_end(json);
    }
    laz_json_array_end(json);
}

static void put_names(
        struct laz_json *json, const struct laz_report *report, const char *key, bool is_relaxation)
{
    laz_json_array(json, key);
    for (size_t i = 0; i < report->n_names; i++) {
        if (report->names[i].is_relaxation == is_relaxation) {
            laz_json_object(json, NULL);
            put_lexeme(json, "name", report->names[i].name);
            laz_json_u64(json, "starts", report->names[i].n);
            laz_json_object_end(json);
        }
    }
    laz_json_array_end(json);
}

static void put_starts(struct laz_json *json, const struct laz_report_starts *starts)
{
    laz_json_object(json, "starts");
    laz_json_u64(json, "all", starts->all);
    laz_json_u64(json, "enforced", starts->enforced);
    laz_json_u64(json, "not_root", starts->not_root);
    laz_json_u64(json, "without_capabilities", starts->without_capabilities);
    laz_json_u64(json, "no_new_privs", starts->no_new_privs);
    laz_json_u64(json, "filtered", starts->filtered);
    laz_json_u64(json, "landlocked", starts->landlocked);
    laz_json_u64(json, "degraded", starts->degraded);
    laz_json_u64(json, "relaxed", starts->relaxed);
    laz_json_u64(json, "plain_enforced", starts->plain_enforced);
    laz_json_u64(json, "fips", starts->fips);
    laz_json_u64(json, "silent", starts->silent);
    laz_json_object_end(json);
}

static void put_watched(struct laz_json *json, const struct laz_report *report)
{
    laz_json_object(json, "watched");
    for (unsigned i = 0; i < LAZ_WATCH_COUNT; i++) {
        laz_json_u64(json, laz_report_watch_name(i), report->watched[i]);
    }
    laz_json_object_end(json);
}

/* Those lines of evidence that are to be explained, or all. */
static void put_evidence(
        struct laz_json *json, const char *key, const struct laz_buf *evidence, bool all)
{
    laz_json_array(json, key);
    for (const char *at = evidence->data; at != NULL && *at != '\0';) {
        size_t length = strcspn(at, "\n");
        size_t mark = *at == LAZ_REPORT_EXPLAIN;
        if (all || mark > 0) {
            laz_json_bytes(json, NULL, at + mark, length - mark);
        }
        at += length + 1;
    }
    laz_json_array_end(json);
}

static void put_controls(struct laz_json *json, const struct laz_report *report)
{
    const struct laz_control *control = NULL;
    laz_json_array(json, "controls");
    for (size_t i = 0; (control = laz_control_at(i)) != NULL; i++) {
        laz_cleanup_buf struct laz_buf evidence;
        laz_buf_init_heap(&evidence, LAZ_CLI_OUTPUT_MAX);
        enum laz_control_verdict verdict = control->judge(report, &evidence);
        laz_json_object(json, NULL);
        laz_json_string(json, "id", control->id);
        laz_json_string(json, "title", control->title);
        laz_json_string(json, "kind",
                control->is_standard              ? "standard"
                        : control->is_addressable ? "addressable"
                                                  : "required");
        laz_json_string(json, "verdict", laz_control_verdict_name(verdict));
        put_evidence(json, "evidence", &evidence, true);
        put_evidence(json, "explain", &evidence, false);
        laz_json_string(json, "limit", control->limit);
        laz_json_object_end(json);
    }
    laz_json_array_end(json);
}

void laz_report_json(const struct laz_report *report, struct laz_buf *buf)
{
    const struct laz_trails *trails = report->trails;
    struct laz_verify_lines lines;
    struct laz_json json;
    char now[32];
    laz_verify_lines(trails->verify, &lines);
    laz_report_now(now);
    laz_json_init(&json, buf);
    laz_json_object(&json, NULL);
    laz_json_string(&json, "schema", LAZ_REPORT_SCHEMA);
    laz_json_string(&json, "version", LAZARET_VERSION);
    laz_json_string(&json, "made", now);
    laz_json_bool(&json, "ok", laz_trails_are_fine(trails));
    laz_json_array(&json, "inputs");
    for (size_t i = 0; i < trails->n; i++) {
        char digest[2 * LAZ_SHA256_SIZE + 1];
        laz_report_digest(&trails->items[i], digest);
        laz_json_object(&json, NULL);
        laz_json_string(&json, "name", trails->items[i].name);
        laz_json_u64(&json, "bytes", trails->items[i].length);
        laz_json_string(&json, "sha256", digest);
        laz_json_object_end(&json);
    }
    laz_json_array_end(&json);
    laz_json_array(&json, "chains");
    for (size_t i = 0; i < laz_verify_count(trails->verify); i++) {
        laz_verdict_json(&json, laz_verify_at(trails->verify, i));
    }
    laz_json_array_end(&json);
    put_evidence(&json, "digest_findings", &trails->digests.findings, true);
    laz_json_u64(&json, "malformed", lines.malformed);
    laz_json_u64(&json, "unchained", lines.unchained);
    laz_json_u64(&json, "unread", report->unread);
    laz_json_u64(&json, "records", report->n_entries);
    laz_json_u64(&json, "log_lines", report->logs);
    put_starts(&json, &report->starts);
    put_watched(&json, report);
    put_runs(&json, report);
    put_names(&json, report, "degraded", false);
    put_names(&json, report, "relaxations", true);
    put_events(&json, report);
    put_controls(&json, report);
    laz_json_object_end(&json);
    laz_buf_char(buf, '\n');
}
