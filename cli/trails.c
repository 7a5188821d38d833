/* SPDX-License-Identifier: Apache-2.0
 *
 * Reads files of trails, folders of them and standard input, and has them judged.
 */
#include "cli/trails.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/fd.h"
#include "core/num.h"

#define STREAM_CHUNK     8192
#define FINDING_PATH_MAX 255

void laz_trails_done(struct laz_trails *trails)
{
    for (size_t i = 0; i < trails->n; i++) {
        free(trails->items[i].name);
        free(trails->items[i].text);
    }
    free(trails->items);
    laz_verify_free(trails->verify);
    laz_digests_done(&trails->digests);
    laz_digest_key_free(trails->digest_key);
}

static int refused(const char *path, struct laz_err *err)
{
    return laz_err_set(err, LAZ_E_SYSTEM, errno, "%.256s: %s", path, strerror(errno));
}

static char *new_piece(struct laz_trails *trails, const char *path, size_t size)
{
    if (trails->n == trails->cap) {
        size_t cap = trails->cap == 0 ? 16 : 2 * trails->cap;
        struct laz_trail_piece *grown = reallocarray(trails->items, cap, sizeof(*grown));
        if (grown == NULL) {
            return NULL;
        }
        trails->items = grown;
        trails->cap = cap;
    }
    struct laz_trail_piece piece = {.name = strdup(path), .text = malloc(size)};
    if (piece.name == NULL || piece.text == NULL) {
        free(piece.name);
        free(piece.text);
        return NULL;
    }
    trails->items[trails->n++] = piece;
    return piece.text;
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

/* The last piece, of which this is what counts. */
static int judge_piece(struct laz_trails *trails, size_t length, struct laz_err *err)
{
    struct laz_trail_piece *piece = &trails->items[trails->n - 1];
    piece->length = length;
    piece->is_host_file = laz_host_file_is(piece->text, length);
    if (!piece->is_host_file) {
        return laz_verify_add(trails->verify, piece->text, length, err);
    }
    trails->n_host_files++;
    laz_host_file_judge(piece->text, length, &piece->host);
    return 0;
}

static int add_file(struct laz_trails *trails, int fd, const char *path, struct laz_err *err)
{
    struct stat status;
    if (fstat(fd, &status) < 0) {
        return refused(path, err);
    }
    size_t length = 0;
    char *piece = new_piece(trails, path, (size_t)status.st_size + 1);
    if (piece == NULL) {
        return laz_err_set(err, LAZ_E_MEMORY, 0, "%.256s: no memory", path);
    }
    if (read_piece(fd, piece, (size_t)status.st_size, &length) < 0) {
        return refused(path, err);
    }
    trails->has_segment = trails->has_segment || (length >= 4 && memcmp(piece, "LZSP", 4) == 0);
    while (trails->is_running && length > 0 && piece[length - 1] != '\n') {
        length--; /* a line that is being written */
    }
    return judge_piece(trails, length, err);
}

/* To its end, however long that is. */
static int add_stream(struct laz_trails *trails, struct laz_err *err)
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
    char *piece = text.overflow ? NULL : new_piece(trails, "-", text.len + 1);
    if (piece == NULL) {
        return laz_err_set(err, LAZ_E_MEMORY, 0, "standard input: no memory");
    }
    if (text.len > 0) {
        (void)memcpy(piece, text.data, text.len);
    }
    return judge_piece(trails, text.len, err);
}

static int is_name(const struct dirent *entry)
{
    return strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0;
}

static int add_entry(struct laz_trails *trails, int folder, const char *path, const char *name,
        struct laz_err *err)
{
    struct stat status;
    laz_cleanup_fd int fd = openat(folder, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
    if (fd < 0 && errno == ELOOP) {
        trails->skipped++;
        return 0;
    }
    if (fd < 0 || fstat(fd, &status) < 0) {
        (void)refused(name, err);
        return laz_err_context(err, "%.200s", path);
    }
    if (!S_ISREG(status.st_mode)) {
        trails->skipped++;
        return 0;
    }
    return add_file(trails, fd, name, err);
}

static int add_folder(struct laz_trails *trails, int fd, const char *path, struct laz_err *err)
{
    struct dirent **entries = NULL;
    int n = scandirat(fd, ".", &entries, is_name, alphasort);
    if (n < 0) {
        return refused(path, err);
    }
    int result = 0;
    for (int i = 0; i < n; i++) {
        if (result == 0 && laz_digest_number(entries[i]->d_name) == 0) {
            result = add_entry(trails, fd, path, entries[i]->d_name, err);
        }
        free(entries[i]);
    }
    free(entries);
    return result == 0 ? laz_digests_read(&trails->digests, fd, path, err) : -1;
}

static int add_path(struct laz_trails *trails, const char *path, struct laz_err *err)
{
    struct stat status;
    if (strcmp(path, "-") == 0) {
        return add_stream(trails, err);
    }
    laz_cleanup_fd int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0 || fstat(fd, &status) < 0) {
        return refused(path, err);
    }
    if (S_ISDIR(status.st_mode)) {
        return add_folder(trails, fd, path, err);
    }
    if (!S_ISREG(status.st_mode)) {
        return laz_err_set(err, LAZ_E_SYSTEM, 0, "%.256s: neither a file nor a folder", path);
    }
    return add_file(trails, fd, path, err);
}

/* Digests of one folder vouch for no other operand, and for nothing that came without a folder. */
static int add_operand(struct laz_trails *trails, const char *path, struct laz_err *err)
{
    struct laz_digests *digests = &trails->digests;
    uint64_t before = digests->n;
    if (add_path(trails, path, err) < 0) {
        return -1;
    }
    if (trails->digest_key != NULL && digests->n == before) {
        size_t length = strcspn(path, "\n"); /* a finding is one line */
        digests->n_findings++;
        laz_buf_printf(&digests->findings, "%.*s: there is no digest, and a key was given\n",
                (int)(length < FINDING_PATH_MAX ? length : FINDING_PATH_MAX), path);
    }
    return 0;
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

bool laz_trails_are_fine(const struct laz_trails *trails)
{
    struct laz_verify_lines lines;
    laz_verify_lines(trails->verify, &lines);
    bool fine = laz_verify_count(trails->verify) + trails->n_host_files > 0 &&
            lines.malformed == 0 && trails->digests.n_findings == 0;
    for (size_t i = 0; i < laz_verify_count(trails->verify); i++) {
        fine = fine && is_fine(laz_verify_at(trails->verify, i), trails->is_running);
    }
    for (size_t i = 0; i < trails->n; i++) {
        const struct laz_trail_piece *piece = &trails->items[i];
        fine = fine && (!piece->is_host_file || laz_host_file_is_fine(&piece->host));
    }
    return fine;
}

int laz_trails_read(
        const struct laz_cli_arguments *arguments, struct laz_trails *ret, struct laz_err *err)
{
    *ret = (struct laz_trails){.is_running = arguments->running};
    laz_digests_init(&ret->digests, NULL);
    ret->verify = laz_verify_new();
    if (ret->verify == NULL) {
        return laz_err_set(err, LAZ_E_MEMORY, 0, "no memory to verify");
    }
    if (arguments->digest_key != NULL &&
            laz_digest_read_key(arguments->digest_key, false, &ret->digest_key, err) < 0) {
        return -1;
    }
    ret->digests.key = ret->digest_key;
    if (arguments->no_logs) {
        laz_verify_without_logs(ret->verify);
    }
    for (size_t i = 0; i < arguments->n_anchors; i++) {
        if (add_anchor(ret->verify, arguments->anchors[i], err) < 0) {
            return -1;
        }
    }
    for (size_t i = 0; i < arguments->n_operands; i++) {
        if (add_operand(ret, arguments->operands[i], err) < 0) {
            return -1;
        }
    }
    return laz_verify_run(ret->verify, err);
}
