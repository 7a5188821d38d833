/* SPDX-License-Identifier: Apache-2.0
 *
 * lazaret verify PATH...: prints the three verdicts of each chain of the trails, and what
 * became of each host's file of records.
 */
#include "cli/output.h"
#include "cli/trails.h"
#include "cli/verdict.h"
#include "core/num.h"

/* Bytes; printed once there are so many: there can be any number of chains. */
#define PIECE_SIZE (1U << 20)

static void put_verdict(struct laz_buf *buf, const struct laz_chain_verdict *verdict)
{
    char id[2 * LAZ_CHAIN_ID_SIZE + 1];
    laz_format_hex(verdict->id, sizeof(verdict->id), id);
    laz_buf_printf(buf, "chain %s: ", id);
    if (verdict->records == 0) {
        laz_buf_str(buf, "no record\n");
    } else {
        laz_buf_printf(buf, "%llu records, %llu to %llu, the last of %.*s\n",
                (unsigned long long)verdict->records, (unsigned long long)verdict->first_seq,
                (unsigned long long)verdict->last_seq, (int)verdict->last_when.length,
                verdict->last_when.at);
    }
    laz_buf_str(buf, "  integrity     ");
    laz_verdict_integrity(buf, verdict);
    laz_buf_str(buf, "\n  completeness  ");
    laz_verdict_completeness(buf, verdict);
    laz_buf_str(buf, "\n  uniqueness    ");
    laz_verdict_uniqueness(buf, verdict);
    laz_buf_char(buf, '\n');
}

static void put_lines(struct laz_buf *buf, const struct laz_verify_lines *lines, uint64_t skipped)
{
    const struct {
        uint64_t n;
        const char *what;
    } rows[] = {
            {lines->malformed, "lines that begin like a record and are none"},
            {lines->repeated, "records that came once more"},
            {lines->unchained, "records of no chain"},
            {lines->foreign - lines->rendered, "lines that are no records"},
            {lines->rendered, "events of OCSF, a rendering of records and not the trail"},
            {skipped, "links and folders that were not read"},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        if (rows[i].n > 0) {
            laz_buf_printf(buf, "%s: %llu\n", rows[i].what, (unsigned long long)rows[i].n);
        }
    }
}

static void json_digests(struct laz_json *json, const struct laz_digests *digests)
{
    laz_json_object(json, "digests");
    laz_json_u64(json, "count", digests->n);
    laz_json_bool(json, "signed", digests->key != NULL);
    laz_json_u64(json, "undigested", digests->n_undigested);
    laz_json_array(json, "findings");
    const char *at = digests->findings.data;
    for (uint64_t i = 0; i < digests->n_findings && !digests->findings.overflow; i++) {
        size_t length = strcspn(at, "\n");
        laz_json_bytes(json, NULL, at, length);
        at += length + 1;
    }
    laz_json_array_end(json);
    laz_json_object_end(json);
}

static void put_digests(struct laz_buf *buf, const struct laz_digests *digests)
{
    laz_buf_printf(buf, "digests: %llu%s\n", (unsigned long long)digests->n,
            digests->key == NULL ? "; nobody vouches for them: there is no --digest-key"
                    : digests->n_findings == 0 ? ", each follows the one before and is signed by "
                                                 "this key"
                                               : "");
    if (digests->n_findings > 0) {
        laz_buf_put(buf, digests->findings.data, digests->findings.len);
    }
    if (digests->n_undigested > 0) {
        laz_buf_printf(buf, "files that no digest names: %llu\n",
                (unsigned long long)digests->n_undigested);
    }
}

static void put_host_files(struct laz_buf *buf, const struct laz_trails *trails)
{
    for (size_t i = 0; i < trails->n; i++) {
        if (trails->items[i].is_host_file) {
            laz_verdict_host_file(buf, trails->items[i].name, &trails->items[i].host);
        }
    }
}

static void json_host_files(struct laz_json *json, const struct laz_trails *trails)
{
    laz_json_array(json, "host_files");
    for (size_t i = 0; i < trails->n; i++) {
        if (trails->items[i].is_host_file) {
            laz_verdict_host_file_json(json, trails->items[i].name, &trails->items[i].host);
        }
    }
    laz_json_array_end(json);
}

/* Once there is enough of it. false: it cannot be, which has been said. */
static bool print_piece(struct laz_buf *buf)
{
    if (buf->len < PIECE_SIZE) {
        return true;
    }
    bool is_printed = laz_cli_print(buf, LAZ_EXIT_FINE) == LAZ_EXIT_FINE;
    buf->len = 0;
    return is_printed;
}

static int report_json(const struct laz_trails *trails, bool fine)
{
    const struct laz_verify *verify = trails->verify;
    struct laz_verify_lines lines;
    struct laz_json json;
    laz_cleanup_buf struct laz_buf buf;
    laz_buf_init_heap(&buf, LAZ_CLI_OUTPUT_MAX);
    laz_verify_lines(verify, &lines);
    laz_json_init(&json, &buf);
    laz_json_object(&json, NULL);
    laz_json_bool(&json, "ok", fine);
    laz_json_array(&json, "chains");
    for (size_t i = 0; i < laz_verify_count(verify); i++) {
        laz_verdict_json(&json, laz_verify_at(verify, i));
        if (!print_piece(&buf)) {
            return LAZ_EXIT_FINDINGS;
        }
    }
    laz_json_array_end(&json);
    laz_json_object(&json, "lines");
    laz_json_u64(&json, "repeated", lines.repeated);
    laz_json_u64(&json, "unchained", lines.unchained);
    laz_json_u64(&json, "foreign", lines.foreign);
    laz_json_u64(&json, "rendered", lines.rendered);
    laz_json_u64(&json, "malformed", lines.malformed);
    laz_json_object_end(&json);
    laz_json_u64(&json, "skipped", trails->skipped);
    if (trails->n_host_files > 0) {
        json_host_files(&json, trails);
    }
    if (trails->digests.n > 0 || trails->digests.n_findings > 0) {
        json_digests(&json, &trails->digests);
    }
    laz_json_object_end(&json);
    laz_buf_char(&buf, '\n');
    return laz_cli_print(&buf, fine ? LAZ_EXIT_FINE : LAZ_EXIT_FINDINGS);
}

static int report(const struct laz_trails *trails, bool fine)
{
    const struct laz_verify *verify = trails->verify;
    struct laz_verify_lines lines;
    laz_cleanup_buf struct laz_buf buf;
    laz_buf_init_heap(&buf, LAZ_CLI_OUTPUT_MAX);
    laz_verify_lines(verify, &lines);
    for (size_t i = 0; i < laz_verify_count(verify); i++) {
        put_verdict(&buf, laz_verify_at(verify, i));
        if (!print_piece(&buf)) {
            return LAZ_EXIT_FINDINGS;
        }
    }
    put_host_files(&buf, trails);
    put_lines(&buf, &lines, trails->skipped);
    if (trails->digests.n > 0 || trails->digests.n_findings > 0) {
        put_digests(&buf, &trails->digests);
    }
    if (laz_verify_count(verify) == 0 && trails->n_host_files == 0) {
        laz_buf_str(&buf,
                trails->has_segment
                        ? "there is no record of any chain: this looks like a spool; lazaret spool "
                          "read --key FILE DIR | lazaret verify - judges what is in it\n"
                        : lines.rendered > 0
                        ? "there is no record of any chain: these are events of OCSF, which "
                          "Lazaret made of records; the trail is where a sink of format "
                          "\"native\" writes\n"
                        : "there is no record of any chain: this is no audit trail\n");
    }
    return laz_cli_print(&buf, fine ? LAZ_EXIT_FINE : LAZ_EXIT_FINDINGS);
}

int laz_cli_verify(const struct laz_cli_arguments *arguments)
{
    struct laz_err err = {0};
    struct laz_trails trails;
    int result = 0;
    if (laz_trails_read(arguments, &trails, &err) < 0) {
        result = laz_cli_fail(&err, arguments->json);
    } else {
        bool fine = laz_trails_are_fine(&trails);
        result = arguments->json ? report_json(&trails, fine) : report(&trails, fine);
    }
    laz_trails_done(&trails);
    return result;
}
