/* SPDX-License-Identifier: Apache-2.0
 *
 * lazaret verify PATH...: reads trails, prints the three verdicts of each chain. Reads files whole
 * and once, - as standard input; follows no link in a folder.
 */
#include "audit/verify.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cli/command.h"
#include "cli/digests.h"
#include "cli/output.h"
#include "core/fd.h"
#include "core/num.h"

#define STREAM_CHUNK 8192
/* Bytes; printed once there are so many: there can be any number of chains. */
#define PIECE_SIZE (1U << 20)

/* Everything that was read, kept until the verdicts are printed. */
struct pieces {
    size_t n;
    size_t cap;
    char **items;
    uint64_t skipped; /* links and folders inside a folder */
    bool is_running;
    bool has_segment; /* a segment of a spool, which is no trail */
    struct laz_verify *verify;
    struct laz_digest_key *digest_key; /* NULL: not given */
    struct laz_digests digests;
};

static void pieces_free(struct pieces *pieces)
{
    for (size_t i = 0; i < pieces->n; i++) {
        free(pieces->items[i]);
    }
    free(pieces->items);
    laz_verify_free(pieces->verify);
    laz_digests_done(&pieces->digests);
    laz_digest_key_free(pieces->digest_key);
}

static int refused(const char *path, struct laz_err *err)
{
    return laz_err_set(err, LAZ_E_SYSTEM, errno, "%.256s: %s", path, strerror(errno));
}

static char *new_piece(struct pieces *pieces, size_t size)
{
    if (pieces->n == pieces->cap) {
        size_t cap = pieces->cap == 0 ? 16 : 2 * pieces->cap;
        char **grown = reallocarray(pieces->items, cap, sizeof(*grown));
        if (grown == NULL) {
            return NULL;
        }
        pieces->items = grown;
        pieces->cap = cap;
    }
    char *piece = malloc(size);
    if (piece != NULL) {
        pieces->items[pieces->n++] = piece;
    }
    return piece;
}

/* As much as there was when it was opened: a trail may be written meanwhile. */
static int read_piece(int fd, char *piece, size_t size, size_t *ret_length)
{
    size_t length = 0;
    while (length < size) {
        ssize_t n = read(fd, piece + length, size - length);
        if (n < 0 && errno != EINTR) {
            return -1;
        }
        if (n == 0) {
            break;
        }
        length += n > 0 ? (size_t)n : 0;
    }
    *ret_length = length;
    return 0;
}

static int add_file(struct pieces *pieces, int fd, const char *path, struct laz_err *err)
{
    struct stat status;
    if (fstat(fd, &status) < 0) {
        return refused(path, err);
    }
    size_t length = 0;
    char *piece = new_piece(pieces, (size_t)status.st_size + 1);
    if (piece == NULL) {
        return laz_err_set(err, LAZ_E_MEMORY, 0, "%.256s: no memory", path);
    }
    if (read_piece(fd, piece, (size_t)status.st_size, &length) < 0) {
        return refused(path, err);
    }
    pieces->has_segment = pieces->has_segment || (length >= 4 && memcmp(piece, "LZSP", 4) == 0);
    while (pieces->is_running && length > 0 && piece[length - 1] != '\n') {
        length--; /* a line that is being written */
    }
    return laz_verify_add(pieces->verify, piece, length, err);
}

/* To its end, however long that is. */
static int add_stream(struct pieces *pieces, struct laz_err *err)
{
    laz_cleanup_buf struct laz_buf text;
    char chunk[STREAM_CHUNK];
    size_t n = 0;
    laz_buf_init_heap(&text, SIZE_MAX / 4);
    do {
        if (read_piece(STDIN_FILENO, chunk, sizeof(chunk), &n) < 0) {
            return refused("standard input", err);
        }
        laz_buf_put(&text, chunk, n);
    } while (n == sizeof(chunk));
    char *piece = text.overflow ? NULL : new_piece(pieces, text.len + 1);
    if (piece == NULL) {
        return laz_err_set(err, LAZ_E_MEMORY, 0, "standard input: no memory");
    }
    if (text.len > 0) {
        (void)memcpy(piece, text.data, text.len);
    }
    return laz_verify_add(pieces->verify, piece, text.len, err);
}

static int is_name(const struct dirent *entry)
{
    return strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0;
}

static int add_entry(
        struct pieces *pieces, int folder, const char *path, const char *name, struct laz_err *err)
{
    struct stat status;
    laz_cleanup_fd int fd = openat(folder, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
    if (fd < 0 && errno == ELOOP) {
        pieces->skipped++;
        return 0;
    }
    if (fd < 0 || fstat(fd, &status) < 0) {
        (void)refused(name, err);
        return laz_err_context(err, "%.200s", path);
    }
    if (!S_ISREG(status.st_mode)) {
        pieces->skipped++;
        return 0;
    }
    return add_file(pieces, fd, name, err);
}

static int add_folder(struct pieces *pieces, int fd, const char *path, struct laz_err *err)
{
    struct dirent **entries = NULL;
    int n = scandirat(fd, ".", &entries, is_name, alphasort);
    if (n < 0) {
        return refused(path, err);
    }
    int result = 0;
    for (int i = 0; i < n; i++) {
        if (result == 0 && laz_digest_number(entries[i]->d_name) == 0) {
            result = add_entry(pieces, fd, path, entries[i]->d_name, err);
        }
        free(entries[i]);
    }
    free(entries);
    return result == 0 ? laz_digests_read(&pieces->digests, fd, path, err) : -1;
}

static int add_path(struct pieces *pieces, const char *path, struct laz_err *err)
{
    struct stat status;
    if (strcmp(path, "-") == 0) {
        return add_stream(pieces, err);
    }
    laz_cleanup_fd int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0 || fstat(fd, &status) < 0) {
        return refused(path, err);
    }
    if (S_ISDIR(status.st_mode)) {
        return add_folder(pieces, fd, path, err);
    }
    if (!S_ISREG(status.st_mode)) {
        return laz_err_set(err, LAZ_E_SYSTEM, 0, "%.256s: neither a file nor a folder", path);
    }
    return add_file(pieces, fd, path, err);
}

/* CHAIN:SEQ:H */
static int add_anchor(struct laz_verify *verify, const char *text, struct laz_err *err)
{
    struct laz_place place;
    const char *first = strchr(text, ':');
    const char *second = first == NULL ? NULL : strchr(first + 1, ':');
    if (second == NULL ||
            !laz_parse_hex(text, (size_t)(first - text), place.chain, sizeof(place.chain)) ||
            !laz_parse_u64(first + 1, (size_t)(second - first - 1), UINT64_MAX, &place.seq) ||
            !laz_parse_hex(second + 1, strlen(second + 1), place.h, sizeof(place.h))) {
        return laz_err_set(err, LAZ_E_USAGE, 0,
                "--anchor: \"%.128s\" is not CHAIN:SEQ:H (32 hexadecimal digits, a number, 64 "
                "hexadecimal digits)",
                text);
    }
    return laz_verify_anchor(verify, &place, err);
}

static bool is_fine(const struct laz_chain_verdict *verdict, bool running)
{
    return verdict->integrity == LAZ_INTEGRITY_OK && verdict->uniqueness == LAZ_UNIQUE_SINGLE &&
            (verdict->completeness == LAZ_COMPLETE_CLOSED ||
                    (running && verdict->completeness == LAZ_COMPLETE_OPEN));
}

static bool all_fine(const struct laz_verify *verify, bool running)
{
    struct laz_verify_lines lines;
    laz_verify_lines(verify, &lines);
    bool fine = laz_verify_count(verify) > 0 && lines.malformed == 0;
    for (size_t i = 0; i < laz_verify_count(verify); i++) {
        fine = fine && is_fine(laz_verify_at(verify, i), running);
    }
    return fine;
}

static void put_completeness(struct laz_buf *buf, const struct laz_chain_verdict *verdict)
{
    laz_buf_printf(buf, "  completeness  %s", laz_completeness_name(verdict->completeness));
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
    laz_buf_char(buf, '\n');
}

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
    if (verdict->integrity == LAZ_INTEGRITY_OK) {
        laz_buf_str(buf, "  integrity     ok");
        if (verdict->unvouched > 0) {
            laz_buf_printf(buf,
                    "; but nothing vouches for %llu log records: others of their blocks are "
                    "missing",
                    (unsigned long long)verdict->unvouched);
        }
        laz_buf_char(buf, '\n');
    } else {
        laz_buf_printf(buf, "  integrity     broken at %llu: %s\n",
                (unsigned long long)verdict->broken_seq, verdict->broken_why);
    }
    put_completeness(buf, verdict);
    if (verdict->uniqueness == LAZ_UNIQUE_SINGLE) {
        laz_buf_str(buf, "  uniqueness    single\n");
    } else {
        laz_buf_printf(buf, "  uniqueness    forked at %llu: there are two stories\n",
                (unsigned long long)verdict->forked_seq);
    }
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

static void json_verdict(struct laz_json *json, const struct laz_chain_verdict *verdict)
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

static int report_json(const struct pieces *pieces, bool fine)
{
    const struct laz_verify *verify = pieces->verify;
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
        json_verdict(&json, laz_verify_at(verify, i));
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
    laz_json_u64(&json, "skipped", pieces->skipped);
    if (pieces->digests.n > 0 || pieces->digests.n_findings > 0) {
        json_digests(&json, &pieces->digests);
    }
    laz_json_object_end(&json);
    laz_buf_char(&buf, '\n');
    return laz_cli_print(&buf, fine ? LAZ_EXIT_FINE : LAZ_EXIT_FINDINGS);
}

static int report(const struct pieces *pieces, bool fine)
{
    const struct laz_verify *verify = pieces->verify;
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
    put_lines(&buf, &lines, pieces->skipped);
    if (pieces->digests.n > 0 || pieces->digests.n_findings > 0) {
        put_digests(&buf, &pieces->digests);
    }
    if (laz_verify_count(verify) == 0) {
        laz_buf_str(&buf,
                pieces->has_segment
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

static int collect(
        const struct laz_cli_arguments *arguments, struct pieces *pieces, struct laz_err *err)
{
    pieces->verify = laz_verify_new();
    if (pieces->verify == NULL) {
        return laz_err_set(err, LAZ_E_MEMORY, 0, "no memory to verify");
    }
    if (arguments->digest_key != NULL &&
            laz_digest_read_key(arguments->digest_key, false, &pieces->digest_key, err) < 0) {
        return -1;
    }
    pieces->digests.key = pieces->digest_key;
    if (arguments->no_logs) {
        laz_verify_without_logs(pieces->verify);
    }
    for (size_t i = 0; i < arguments->n_anchors; i++) {
        if (add_anchor(pieces->verify, arguments->anchors[i], err) < 0) {
            return -1;
        }
    }
    for (size_t i = 0; i < arguments->n_operands; i++) {
        if (add_path(pieces, arguments->operands[i], err) < 0) {
            return -1;
        }
    }
    if (pieces->digest_key != NULL && pieces->digests.n == 0) {
        pieces->digests.n_findings++;
        laz_buf_str(&pieces->digests.findings, "there is no digest, and a key was given\n");
    }
    return laz_verify_run(pieces->verify, err);
}

int laz_cli_verify(const struct laz_cli_arguments *arguments)
{
    struct laz_err err = {0};
    struct pieces pieces = {.is_running = arguments->running};
    laz_digests_init(&pieces.digests, NULL);
    int result = 0;
    if (collect(arguments, &pieces, &err) < 0) {
        result = laz_cli_fail(&err, arguments->json);
    } else {
        bool fine = all_fine(pieces.verify, arguments->running) && pieces.digests.n_findings == 0;
        result = arguments->json ? report_json(&pieces, fine) : report(&pieces, fine);
    }
    pieces_free(&pieces);
    return result;
}
