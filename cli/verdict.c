/* SPDX-License-Identifier: Apache-2.0
 *
 * The verdicts on a chain, and on a host's file of records, as text and as JSON.
 */
#include "cli/verdict.h"

#include "core/num.h"

void laz_verdict_integrity(struct laz_buf *buf, const struct laz_chain_verdict *verdict)
{
    if (verdict->integrity != LAZ_INTEGRITY_OK) {
        laz_buf_printf(buf, "broken at %llu: %s", (unsigned long long)verdict->broken_seq,
                verdict->broken_why);
        return;
    }
    laz_buf_str(buf, "ok");
    if (verdict->unvouched > 0) {
        laz_buf_printf(buf,
                "; but nothing vouches for %llu log records: others of their blocks are missing",
                (unsigned long long)verdict->unvouched);
    }
}

void laz_verdict_uniqueness(struct laz_buf *buf, const struct laz_chain_verdict *verdict)
{
    if (verdict->uniqueness == LAZ_UNIQUE_SINGLE) {
        laz_buf_str(buf, "single");
    } else {
        laz_buf_printf(buf, "forked at %llu: there are two stories",
                (unsigned long long)verdict->forked_seq);
    }
}

void laz_verdict_completeness(struct laz_buf *buf, const struct laz_chain_verdict *verdict)
{
    laz_buf_printf(buf, "%s", laz_completeness_name(verdict->completeness));
    switch (verdict->completeness) {
    case LAZ_COMPLETE_CLOSED:
        laz_buf_str(buf, ": from the genesis to the final record");
        break;
    case LAZ_COMPLETE_GAP:
        laz_buf_str(buf, ": what is missing is named");
        break;
    case LAZ_COMPLETE_OPEN:
        laz_buf_printf(buf, ": no final record; %llu behind the last signature",
                (unsigned long long)verdict->tail);
        break;
    case LAZ_COMPLETE_HEADLESS:
        laz_buf_printf(buf, ": begins at %llu", (unsigned long long)verdict->first_seq);
        break;
    case LAZ_COMPLETE_TRUNCATED:
        if (verdict->missing > 0) {
            laz_buf_printf(
                    buf, ": %llu missing and not named", (unsigned long long)verdict->missing);
        } else {
            laz_buf_str(buf, ": a record that somebody has seen is not there");
        }
        break;
    }
    if (verdict->lost > 0) {
        laz_buf_printf(buf, "; %llu lost and named", (unsigned long long)verdict->lost);
    }
    if (verdict->unjudged > 0) {
        laz_buf_printf(buf, "; %llu log records are not in this copy, and not judged",
                (unsigned long long)verdict->unjudged);
    }
}

void laz_verdict_json(struct laz_json *json, const struct laz_chain_verdict *verdict)
{
    char id[2 * LAZ_CHAIN_ID_SIZE + 1];
    laz_format_hex(verdict->id, sizeof(verdict->id), id);
    laz_json_object(json, NULL);
    laz_json_string(json, "chain", id);
    if (verdict->integrity == LAZ_INTEGRITY_OK) {
        laz_json_string(json, "integrity", "ok");
    } else {
        laz_json_string(json, "integrity", "broken");
        laz_json_u64(json, "broken_seq", verdict->broken_seq);
        laz_json_string(json, "why", verdict->broken_why);
    }
    laz_json_string(json, "completeness", laz_completeness_name(verdict->completeness));
    laz_json_u64(json, "missing", verdict->missing);
    laz_json_u64(json, "unjudged", verdict->unjudged);
    if (verdict->uniqueness == LAZ_UNIQUE_SINGLE) {
        laz_json_string(json, "uniqueness", "single");
    } else {
        laz_json_string(json, "uniqueness", "forked");
        laz_json_u64(json, "forked_seq", verdict->forked_seq);
    }
    laz_json_u64(json, "first", verdict->first_seq);
    laz_json_u64(json, "last", verdict->last_seq);
    laz_json_u64(json, "records", verdict->records);
    laz_json_u64(json, "lost", verdict->lost);
    laz_json_u64(json, "unvouched", verdict->unvouched);
    laz_json_u64(json, "tail", verdict->tail);
    laz_json_bytes(json, "last_ts", verdict->last_when.length > 0 ? verdict->last_when.at : "",
            verdict->last_when.length);
    laz_json_object_end(json);
}

static void put_place(struct laz_buf *buf, const struct laz_host_place *place)
{
    laz_buf_printf(buf, "line %llu, byte %llu", (unsigned long long)place->line,
            (unsigned long long)place->byte);
}

static void put_host_chain(struct laz_buf *buf, const struct laz_host_verdict *verdict)
{
    if (verdict->breaks == 0) {
        laz_buf_str(buf, "ok");
        return;
    }
    laz_buf_str(buf, "broken at ");
    put_place(buf, &verdict->broken);
    laz_buf_printf(buf, ": %s", verdict->broken_why);
    if (verdict->breaks > 1) {
        laz_buf_printf(buf, "; %llu breaks in all", (unsigned long long)verdict->breaks);
    }
}

static void put_host_completeness(struct laz_buf *buf, const struct laz_host_verdict *verdict)
{
    const bool is_headless = verdict->is_headless;
    if (is_headless) {
        laz_buf_printf(buf, "headless: begins at %llu", (unsigned long long)verdict->first_seq);
    }
    if (verdict->torn > 0) {
        laz_buf_printf(buf, "%storn: %llu were begun and not written to their end, the first at ",
                is_headless ? "; " : "", (unsigned long long)verdict->torn);
        put_place(buf, &verdict->tear);
    }
    if (verdict->end.line > 0) {
        laz_buf_printf(buf, "%storn at its end, ", is_headless || verdict->torn > 0 ? "; " : "");
        put_place(buf, &verdict->end);
    }
    if (!is_headless && verdict->torn + verdict->end.line == 0) {
        laz_buf_str(buf, "open: all from its first record on; nothing says which is the last");
    }
}

void laz_verdict_host_file(
        struct laz_buf *buf, const char *name, const struct laz_host_verdict *verdict)
{
    laz_buf_printf(buf, "host's file %s: %llu records, %llu to %llu, the last of %.*s\n", name,
            (unsigned long long)verdict->records, (unsigned long long)verdict->first_seq,
            (unsigned long long)verdict->last_seq, (int)verdict->last_when.length,
            verdict->last_when.at);
    laz_buf_str(buf, "  integrity     ");
    put_host_chain(buf, verdict);
    laz_buf_str(buf, "\n  completeness  ");
    put_host_completeness(buf, verdict);
    if (verdict->files > 1) {
        laz_buf_printf(buf, "\n  files         %llu, one behind the other: the second begins at ",
                (unsigned long long)verdict->files);
        put_place(buf, &verdict->second);
    }
    laz_buf_char(buf, '\n');
}

/* Nothing where it is nowhere. */
static void json_place(struct laz_json *json, const char *key, const struct laz_host_place *place)
{
    if (place->line > 0) {
        laz_json_object(json, key);
        laz_json_u64(json, "line", place->line);
        laz_json_u64(json, "byte", place->byte);
        laz_json_object_end(json);
    }
}

void laz_verdict_host_file_json(
        struct laz_json *json, const char *name, const struct laz_host_verdict *verdict)
{
    bool is_torn = verdict->torn > 0 || verdict->end.line > 0;
    laz_json_object(json, NULL);
    laz_json_string(json, "file", name);
    laz_json_bool(json, "ok", laz_host_file_is_fine(verdict));
    laz_json_string(json, "integrity", verdict->breaks == 0 ? "ok" : "broken");
    laz_json_u64(json, "breaks", verdict->breaks);
    json_place(json, "broken", &verdict->broken);
    if (verdict->breaks > 0) {
        laz_json_string(json, "why", verdict->broken_why);
    }
    laz_json_string(json, "completeness",
            verdict->is_headless ? "headless"
                    : is_torn    ? "torn"
                                 : "open");
    laz_json_u64(json, "torn", verdict->torn);
    json_place(json, "tear", &verdict->tear);
    json_place(json, "torn_end", &verdict->end);
    laz_json_u64(json, "first", verdict->first_seq);
    laz_json_u64(json, "last", verdict->last_seq);
    laz_json_u64(json, "records", verdict->records);
    laz_json_bytes(json, "first_ts", verdict->first_when.at, verdict->first_when.length);
    laz_json_bytes(json, "last_ts", verdict->last_when.at, verdict->last_when.length);
    laz_json_u64(json, "files", verdict->files);
    json_place(json, "second", &verdict->second);
    laz_json_object_end(json);
}
