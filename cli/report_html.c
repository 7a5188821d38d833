/* SPDX-License-Identifier: Apache-2.0
 *
 * A report as one HTML page: readable in a browser, on paper and without colours. It loads nothing
 * and runs nothing, and what came from outside can neither become markup nor turn a line around.
 */
#include "cli/output.h"
#include "cli/report.h"
#include "cli/verdict.h"
#include "core/num.h"

#define ROWS_MAX 500U /* of a table; all of them are in the JSON */

static const char style[] =
        ":root{color-scheme:light dark;--ink:#1d2329;--soft:#5b6670;--line:#d5dbe1;--paper:#fff;"
        "--card:#f5f7f9;--good:#14713d;--bad:#b3261e;--calm:#52606d}"
        "@media(prefers-color-scheme:dark){:root{--ink:#e6e9ec;--soft:#a3adb8;--line:#3a434c;"
        "--paper:#14181c;--card:#1d2329;--good:#6fd39b;--bad:#ff9d94;--calm:#a9b4bf}}"
        "body{margin:0 auto;max-width:60rem;padding:2rem 1.25rem 4rem;background:var(--paper);"
        "color:var(--ink);font:1rem/1.5 system-ui,sans-serif}"
        "h1{font-size:1.7rem;line-height:1.2;margin:0 0 .3rem}h2{font-size:1.2rem;margin:2.5rem 0 "
        ".6rem;border-bottom:1px solid var(--line);padding-bottom:.25rem}h3{font-size:1rem;margin:"
        "0}p{margin:.4rem 0}.soft{color:var(--soft)}"
        ".scroll{overflow-x:auto}table{border-collapse:collapse;width:100%;font-size:.9rem}"
        "th,td{text-align:left;vertical-align:top;padding:.35rem .7rem .35rem 0;border-bottom:1px "
        "solid var(--line);overflow-wrap:break-word}th{font-weight:600;color:var(--soft);"
        "white-space:nowrap}td.x{overflow-wrap:anywhere;min-width:7rem}td.n{text-align:right;font-"
        "variant-numeric:"
        "tabular-nums}"
        "code{font:.85em/1.4 "
        "ui-monospace,monospace;overflow-wrap:anywhere}code.w{white-space:nowrap}"
        ".pill{display:inline-block;border:1.5px solid;border-radius:1rem;padding:0 .6rem;"
        "font-size:.8rem;font-weight:600;white-space:nowrap}.good{color:var(--good)}.bad{color:"
        "var(--bad)}.calm{color:var(--calm)}"
        ".card{background:var(--card);border:1px solid var(--line);border-radius:.4rem;padding:"
        ".8rem 1rem;margin:.7rem 0;break-inside:avoid}.head{display:flex;gap:.8rem;"
        "justify-content:space-between;align-items:baseline;flex-wrap:wrap}"
        ".card ul{margin:.5rem 0;padding-left:1.2rem}"
        "@media screen and (max-width:46rem){.wide table{width:44rem}.wide::before{content:'wider "
        "than this screen: scroll sideways \\2192';display:block;position:sticky;left:0;font-size:"
        ".8rem;color:var(--calm)}}"
        "@media print{body{max-width:none;padding:0}}";

/* ---- Text ---- */

/* Characters that turn the direction of what follows are shown by number. */
static bool turns(const unsigned char *at, size_t length)
{
    return length == 3 && at[0] == 0xe2 &&
            ((at[1] == 0x80 &&
                     (at[2] == 0x8e || at[2] == 0x8f || (at[2] >= 0xaa && at[2] <= 0xae))) ||
                    (at[1] == 0x81 && at[2] >= 0xa6 && at[2] <= 0xa9));
}

static void put_text(struct laz_buf *buf, const char *text, size_t length)
{
    for (size_t i = 0; i < length;) {
        size_t n = laz_utf8_length(text + i, length - i);
        const unsigned char *at = (const unsigned char *)text + i;
        if (n == 0) {
            laz_buf_str(buf, "\xef\xbf\xbd");
            n = 1;
        } else if (n == 1 && (*at < 0x20 || *at == 0x7f)) {
            laz_buf_printf(buf, "\\u%04x", (unsigned)*at);
        } else if (n == 1 && strchr("&<>\"'", *at) != NULL) {
            laz_buf_printf(buf, "&#%u;", (unsigned)*at);
        } else if (turns(at, n)) {
            laz_buf_printf(
                    buf, "\\u20%02x", (unsigned)(at[1] == 0x80 ? at[2] - 0x80U : at[2] - 0x40U));
        } else {
            laz_buf_put(buf, at, n);
        }
        i += n;
    }
}

static void put_span(struct laz_buf *buf, struct laz_span span)
{
    put_text(buf, span.at, span.length);
}

/* A member of a record: strings decoded, anything else as it stands. */
static void put_node(
        struct laz_buf *buf, const struct laz_json_doc *doc, const struct laz_json_node *node)
{
    laz_cleanup_buf struct laz_buf text;
    laz_buf_init_heap(&text, LAZ_TRAIL_LINE_MAX);
    if (node == NULL) {
        return;
    }
    if (laz_json_text(doc, node, &text)) {
        put_text(buf, text.data == NULL ? "" : text.data, text.len);
    } else {
        put_text(buf, doc->text + node->start, node->end - node->start);
    }
}

/* A lexeme alone. */
static void put_word(struct laz_buf *buf, struct laz_span lexeme)
{
    struct laz_json_node node[1];
    struct laz_json_room room = {.nodes = node, .max = 1, .kind = LAZ_E_SYSTEM};
    struct laz_json_doc doc;
    struct laz_err err = {0};
    if (laz_json_read(lexeme.at, lexeme.length, &room, &doc, &err) == 0) {
        put_node(buf, &doc, laz_json_root(&doc));
    } else {
        put_span(buf, lexeme);
    }
}

/* To the second: a table has no room for more, and the JSON has it. */
static void put_when(struct laz_buf *buf, struct laz_span when)
{
    const char *point = memchr(when.at, '.', when.length);
    put_text(buf, when.at, point == NULL ? when.length : (size_t)(point - when.at));
    laz_buf_str(buf, point == NULL ? "" : "Z");
}

static void pill(struct laz_buf *buf, const char *kind, const char *text)
{
    laz_buf_printf(buf, "<span class=\"pill %s\">%s</span>", kind, text);
}

/* The head of a table, columns parted by '|'. One of many columns does not fit a telephone. */
static void table(struct laz_buf *buf, const char *columns)
{
    size_t n = 1;
    for (const char *at = columns; (at = strchr(at, '|')) != NULL; at++) {
        n++;
    }
    laz_buf_printf(buf, "<div class=\"scroll%s\"><table><thead><tr>", n > 3 ? " wide" : "");
    while (*columns != '\0') {
        size_t length = strcspn(columns, "|");
        laz_buf_printf(buf, "<th>%.*s</th>", (int)length, columns);
        columns += length + (columns[length] == '|');
    }
    laz_buf_str(buf, "</tr></thead><tbody>\n");
}

static void table_end(struct laz_buf *buf, size_t n)
{
    laz_buf_str(buf, "</tbody></table></div>\n");
    if (n > ROWS_MAX) {
        laz_buf_printf(
                buf, "<p class=\"soft\">and %zu more, which the JSON has.</p>\n", n - ROWS_MAX);
    }
}

static void put_id(struct laz_buf *buf, const uint8_t *chain)
{
    char id[2 * LAZ_CHAIN_ID_SIZE + 1];
    laz_format_hex(chain, LAZ_CHAIN_ID_SIZE, id);
    laz_buf_printf(buf, "<code>%s</code>", id);
}

/* ---- Parts ---- */

static void put_head(const struct laz_report *report, struct laz_buf *buf)
{
    char now[32];
    laz_report_now(now);
    bool fine = laz_trails_are_fine(report->trails);
    laz_buf_printf(buf,
            "<!DOCTYPE html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">"
            "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src "
            "'unsafe-inline'\"><meta name=\"viewport\" content=\"width=device-width\">"
            "<title>Lazaret report</title><style>%s</style></head><body>\n<h1>What was enforced, "
            "refused and recorded</h1>\n<p class=\"soft\">Made by <code>lazaret report</code> %s "
            "on "
            "%s from the trails below, and from nothing else.</p>\n<p>",
            style, LAZARET_VERSION, now);
    pill(buf, fine ? "good" : "bad",
            fine ? "the trails are whole" : "something is to be explained");
    laz_buf_printf(buf,
            " trails: %zu; records in them: %llu, and of these lines of the services: %llu.</p>\n"
            "<p class=\"soft\">It says what records say. It certifies nothing, and no safeguard is "
            "met by it alone.</p>\n",
            laz_verify_count(report->trails->verify),
            (unsigned long long)report->n_entries + (unsigned long long)report->logs,
            (unsigned long long)report->logs);
    if (!fine) {
        laz_buf_str(buf,
                "<p>What, is red in the next table, or stands at the end of the page "
                "(lines that are no records, digests that do not match).</p>\n");
    }
}

static void put_chains(const struct laz_report *report, struct laz_buf *buf)
{
    const struct laz_verify *verify = report->trails->verify;
    size_t n = laz_verify_count(verify);
    laz_buf_str(buf,
            "<h2>Can the trails be believed?</h2>\n<p class=\"soft\">Integrity: nothing that is "
            "there was changed. Completeness: nothing is missing that was written. Uniqueness: "
            "there are no two stories.</p>\n");
    table(buf, "trail|records|integrity|completeness|uniqueness");
    for (size_t i = 0; i < n && i < ROWS_MAX; i++) {
        const struct laz_chain_verdict *verdict = laz_verify_at(verify, i);
        laz_cleanup_buf struct laz_buf words;
        laz_buf_init_heap(&words, LAZ_CLI_OUTPUT_MAX);
        laz_buf_str(buf, "<tr><td>");
        put_id(buf, verdict->id);
        laz_buf_printf(buf, "</td><td class=\"n\">%llu</td><td class=\"%s\">",
                (unsigned long long)verdict->records,
                verdict->integrity == LAZ_INTEGRITY_OK ? "good" : "bad");
        laz_verdict_integrity(&words, verdict);
        put_text(buf, words.data, words.len);
        words.len = 0;
        laz_buf_printf(buf, "</td><td class=\"%s\">",
                verdict->completeness == LAZ_COMPLETE_CLOSED ? "good" : "bad");
        laz_verdict_completeness(&words, verdict);
        put_text(buf, words.data, words.len);
        words.len = 0;
        laz_buf_printf(buf, "</td><td class=\"%s\">",
                verdict->uniqueness == LAZ_UNIQUE_SINGLE ? "good" : "bad");
        laz_verdict_uniqueness(&words, verdict);
        put_text(buf, words.data, words.len);
        laz_buf_str(buf, "</td></tr>\n");
    }
    table_end(buf, n);
}

static void put_run(
        const struct laz_report *report, const struct laz_report_run *run, struct laz_buf *buf)
{
    struct laz_json_doc doc;
    laz_buf_str(buf, "<tr><td>");
    if (run->start != NULL && laz_report_read(report, run->start, &doc)) {
        const struct laz_json_node *root = laz_json_root(&doc);
        const struct laz_json_node *data = laz_json_member(&doc, root, "d");
        const struct laz_json_node *read = laz_json_member(&doc, data, "read");
        put_when(buf, run->start->when);
        laz_buf_str(buf, "</td><td>");
        put_word(buf, run->start->obj);
        laz_buf_str(buf, "<br><code>");
        put_node(buf, &doc, laz_json_member(&doc, data, "policy_sha256"));
        laz_buf_str(buf, "</code></td><td>");
        put_word(buf, run->start->act);
        laz_buf_str(buf, "</td><td class=\"x\">");
        put_node(buf, &doc, laz_json_member(&doc, root, "exe"));
        laz_buf_str(buf, "<br>as ");
        put_node(buf, &doc, laz_json_member(&doc, read, "uid"));
        laz_buf_char(buf, ':');
        put_node(buf, &doc, laz_json_member(&doc, read, "gid"));
        laz_buf_str(buf, ", capabilities <code>");
        put_node(buf, &doc, laz_json_member(&doc, read, "cap_eff"));
        laz_buf_str(buf, "</code>, Landlock ABI ");
        put_node(buf, &doc,
                laz_json_member(&doc, laz_json_member(&doc, data, "probed"), "landlock_abi"));
        laz_buf_str(buf, "</td><td>");
    } else {
        laz_buf_str(buf,
                "</td><td colspan=\"3\" class=\"soft\">no program was started, or its "
                "record is not here</td><td>");
    }
    if (run->stop != NULL && laz_report_read(report, run->stop, &doc)) {
        put_word(buf, run->stop->act);
        laz_buf_str(buf, ": ");
        put_word(buf, run->stop->obj);
        laz_buf_str(buf, ", code ");
        put_node(buf, &doc,
                laz_json_member(&doc, laz_json_member(&doc, laz_json_root(&doc), "d"), "exit"));
    }
    laz_buf_str(buf, "</td></tr>\n");
}

static void put_names(
        const struct laz_report *report, struct laz_buf *buf, const char *title, bool is_relaxation)
{
    bool any = false;
    for (size_t i = 0; i < report->n_names; i++) {
        if (report->names[i].is_relaxation != is_relaxation) {
            continue;
        }
        laz_buf_printf(buf, "%s", any ? ", " : title);
        laz_buf_str(buf, "<code>");
        put_word(buf, report->names[i].name);
        laz_buf_printf(buf, "</code> (%llu)", (unsigned long long)report->names[i].n);
        any = true;
    }
    laz_buf_str(buf, any ? ".</p>\n" : "");
}

static void put_enforced(const struct laz_report *report, struct laz_buf *buf)
{
    laz_buf_str(buf,
            "<h2>What was enforced</h2>\n<p class=\"soft\">Each start as the kernel showed it, "
            "before the program could execute anything.</p>\n");
    table(buf, "started|policy|mode|program|end");
    for (size_t i = 0; i < report->n_runs && i < ROWS_MAX; i++) {
        put_run(report, &report->runs[i], buf);
    }
    table_end(buf, report->n_runs);
    put_names(report, buf, "<p>Less than the policy prefers, and in how many starts: ", false);
    put_names(report, buf, "<p>Given up by the policy itself: ", true);
}

static bool is_refusal(const struct laz_report_group *group)
{
    static const char *const events[] = {
            "seccomp.deny", "exec.budget", "tunnel.refused", "helper.refused"};
    if (laz_span_is(group->act, "\"observed\"")) {
        return false; /* it was let through */
    }
    for (size_t i = 0; i < sizeof(events) / sizeof(events[0]); i++) {
        if (laz_span_is(group->ev, events[i])) {
            return true;
        }
    }
    return laz_span_is(group->act, "\"refused\"");
}

static void put_groups(
        const struct laz_report *report, struct laz_buf *buf, bool refusals, const char *none)
{
    size_t n = 0;
    for (size_t i = 0; i < report->n_groups; i++) {
        const struct laz_report_group *group = &report->groups[i];
        if (is_refusal(group) != refusals) {
            continue;
        }
        if (n++ == 0) {
            table(buf, "times|event|what|outcome|severity|first|last");
        }
        if (n > ROWS_MAX) {
            continue;
        }
        laz_buf_printf(buf, "<tr><td class=\"n\">%llu</td><td><code class=\"w\">",
                (unsigned long long)group->count);
        put_span(buf, group->ev);
        laz_buf_str(buf, "</code></td><td class=\"x\">");
        put_word(buf, group->obj);
        laz_buf_str(buf, "</td><td>");
        put_word(buf, group->act);
        laz_buf_printf(buf, "</td><td class=\"n%s\">%llu</td><td>", group->sev >= 6 ? " bad" : "",
                (unsigned long long)group->sev);
        put_when(buf, group->first);
        laz_buf_str(buf, "</td><td>");
        put_when(buf, group->last);
        laz_buf_str(buf, "</td></tr>\n");
    }
    if (n > 0) {
        table_end(buf, n);
    } else {
        laz_buf_printf(buf, "<p>%s</p>\n", none);
    }
}

static void put_control(
        const struct laz_report *report, const struct laz_control *control, struct laz_buf *buf)
{
    laz_cleanup_buf struct laz_buf evidence;
    laz_buf_init_heap(&evidence, LAZ_CLI_OUTPUT_MAX);
    enum laz_control_verdict verdict = control->judge(report, &evidence);
    static const char *const kinds[] = {"good", "bad", "calm"};
    static const char *const words[] = {
            "records speak for it", "some records are to be explained", "no record speaks of it"};
    laz_buf_printf(buf, "<section class=\"card\"><div class=\"head\"><h3>&#167; %s %s</h3>",
            control->id, control->title);
    pill(buf, kinds[verdict], words[verdict]);
    laz_buf_printf(buf, "</div><p class=\"soft\">%s</p>",
            control->is_standard              ? "Standard"
                    : control->is_addressable ? "Implementation specification, addressable"
                                              : "Implementation specification, required");
    if (evidence.len > 0) {
        laz_buf_str(buf, "<ul>");
        for (const char *at = evidence.data; *at != '\0';) {
            size_t length = strcspn(at, "\n");
            size_t mark = *at == LAZ_REPORT_EXPLAIN;
            laz_buf_str(buf,
                    mark > 0 ? "<li><strong class=\"bad\">To be explained:</strong> " : "<li>");
            put_text(buf, at + mark, length - mark);
            laz_buf_str(buf, "</li>");
            at += length + 1;
        }
        laz_buf_str(buf, "</ul>");
    }
    laz_buf_printf(
            buf, "<p><strong>What no record can show:</strong> %s</p></section>\n", control->limit);
}

static void put_inputs(const struct laz_report *report, struct laz_buf *buf)
{
    const struct laz_trails *trails = report->trails;
    struct laz_verify_lines lines;
    laz_verify_lines(trails->verify, &lines);
    laz_buf_str(buf, "<h2>What it was made from</h2>\n");
    table(buf, "file|bytes|SHA-256");
    for (size_t i = 0; i < trails->n && i < ROWS_MAX; i++) {
        char digest[2 * LAZ_SHA256_SIZE + 1];
        laz_report_digest(&trails->items[i], digest);
        laz_buf_str(buf, "<tr><td class=\"x\">");
        put_text(buf, trails->items[i].name, strlen(trails->items[i].name));
        laz_buf_printf(buf, "</td><td class=\"n\">%zu</td><td><code>%s</code></td></tr>\n",
                trails->items[i].length, digest);
    }
    table_end(buf, trails->n);
    const struct laz_buf *findings = &trails->digests.findings;
    for (size_t at = 0; at < findings->len;) {
        size_t length = strcspn(findings->data + at, "\n");
        laz_buf_str(buf, "<p><strong class=\"bad\">To be explained:</strong> ");
        put_text(buf, findings->data + at, length);
        laz_buf_str(buf, "</p>\n");
        at += length + 1;
    }
    laz_buf_printf(buf,
            "<p class=\"soft\">Not of any trail: %llu records, %llu other lines; %llu lines begin "
            "like a record and are none. Of %llu records only the form could be read.</p>\n",
            (unsigned long long)lines.unchained, (unsigned long long)lines.foreign,
            (unsigned long long)lines.malformed, (unsigned long long)report->unread);
}

void laz_report_html(const struct laz_report *report, struct laz_buf *buf)
{
    const struct laz_control *control = NULL;
    put_head(report, buf);
    put_chains(report, buf);
    put_enforced(report, buf);
    laz_buf_str(buf, "<h2>What was refused</h2>\n");
    put_groups(report, buf, true, "Nothing, in these trails.");
    laz_buf_str(buf,
            "<h2>The technical safeguards, one by one</h2>\n<p class=\"soft\">45 CFR 164.312 of "
            "the "
            "HIPAA Security Rule. For each: what records say, and what they cannot.</p>\n");
    for (size_t i = 0; (control = laz_control_at(i)) != NULL; i++) {
        put_control(report, control, buf);
    }
    laz_buf_str(buf, "<h2>What else was recorded</h2>\n");
    put_groups(report, buf, false, "Nothing.");
    put_inputs(report, buf);
    laz_buf_str(buf, "</body></html>\n");
}
