/* SPDX-License-Identifier: Apache-2.0
 *
 * The verdicts on a chain, as text and as JSON.
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
