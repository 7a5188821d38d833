/* SPDX-License-Identifier: Apache-2.0
 *
 * The digests of a folder: each follows the one before, and the files are still what they say.
 */
#include "cli/digests.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cli/key_file.h"
#include "core/fd.h"
#include "core/num.h"

#define FINDINGS_MAX (1U << 20)
#define DIGITS       8

void laz_digests_init(struct laz_digests *digests, const struct laz_digest_key *key)
{
    *digests = (struct laz_digests){.key = key};
    laz_buf_init_heap(&digests->findings, FINDINGS_MAX);
}

static void forget_folder(struct laz_digests *digests)
{
    for (size_t i = 0; i < digests->n_files; i++) {
        free(digests->files[i].name);
    }
    free(digests->files);
    free(digests->last_text);
    digests->files = NULL;
    digests->last_text = NULL;
    digests->n_files = digests->cap = 0;
}

void laz_digests_done(struct laz_digests *digests)
{
    forget_folder(digests);
    laz_buf_done(&digests->findings);
}

uint32_t laz_digest_number(const char *name)
{
    uint64_t number = 0;
    bool is_digest = strlen(name) == LAZ_DIGEST_NAME_SIZE - 1 &&
            strcmp(name + DIGITS, LAZ_DIGEST_SUFFIX) == 0 && strspn(name, "0123456789") == DIGITS;
    for (size_t i = 0; is_digest && i < DIGITS; i++) {
        number = 10 * number + (uint64_t)(name[i] - '0');
    }
    return (uint32_t)number;
}

void laz_digest_name(uint64_t number, char ret[LAZ_DIGEST_NAME_SIZE])
{
    (void)snprintf(
            ret, LAZ_DIGEST_NAME_SIZE, "%08u" LAZ_DIGEST_SUFFIX, (unsigned)(number % 100000000));
}

static void found(struct laz_digests *digests, const char *name, const char *what)
{
    digests->n_findings++;
    laz_buf_printf(&digests->findings, "%.255s: %s\n", name, what);
}

int laz_digest_read_file(
        int folder, const char *name, char **ret, size_t *ret_length, struct laz_err *err)
{
    struct stat status;
    *ret = NULL;
    *ret_length = 0;
    laz_cleanup_fd int fd = openat(folder, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
    if (fd < 0 && (errno == ELOOP || errno == ENOENT)) {
        return 0;
    }
    if (fd < 0 || fstat(fd, &status) < 0) {
        return laz_err_set(err, LAZ_E_SYSTEM, errno, "%.256s: %s", name, strerror(errno));
    }
    if (!S_ISREG(status.st_mode)) {
        return 0;
    }
    char *text = malloc((size_t)status.st_size + 1);
    if (text == NULL) {
        return laz_err_set(err, LAZ_E_MEMORY, 0, "%.256s: no memory", name);
    }
    while (*ret_length < (size_t)status.st_size) { /* as long as it was: it may be written to */
        ssize_t got = read(fd, text + *ret_length, (size_t)status.st_size - *ret_length);
        if (got < 0 && errno == EINTR) {
            continue;
        }
        if (got < 0) {
            free(text);
            return laz_err_set(err, LAZ_E_SYSTEM, errno, "%.256s: %s", name, strerror(errno));
        }
        if (got == 0) {
            break;
        }
        *ret_length += (size_t)got;
    }
    *ret = text;
    return 0;
}

int laz_digest_read_key(
        const char *path, bool is_private, struct laz_digest_key **ret, struct laz_err *err)
{
    laz_cleanup_key_file struct laz_key_file file;
    if (laz_key_file_read(path, &file, err) < 0) {
        return -1;
    }
    *ret = laz_digest_key_new(file.pem, is_private, err);
    return *ret == NULL ? laz_err_context(err, "%.256s", path) : 0;
}

static struct laz_digested *find(const struct laz_digests *digests, const char *name)
{
    for (size_t i = digests->n_files; i > 0; i--) {
        if (strcmp(digests->files[i - 1].name, name) == 0) {
            return &digests->files[i - 1];
        }
    }
    return NULL;
}

const struct laz_digested *laz_digests_find(const struct laz_digests *digests, const char *name)
{
    return find(digests, name);
}

/* The place of one more; NULL without memory. */
static struct laz_digested *new_file(struct laz_digests *digests)
{
    if (digests->n_files == digests->cap) {
        size_t cap = digests->cap == 0 ? 64 : 2 * digests->cap;
        struct laz_digested *grown = reallocarray(digests->files, cap, sizeof(*grown));
        if (grown == NULL) {
            return NULL;
        }
        digests->files = grown;
        digests->cap = cap;
    }
    return &digests->files[digests->n_files];
}

static int note_file(struct laz_digests *digests, const struct laz_digest_file *file,
        uint64_t number, struct laz_err *err)
{
    char *name = strndup(file->name.at, file->name.length);
    struct laz_digested *slot = name == NULL ? NULL : find(digests, name);
    bool is_new = slot == NULL;
    if (is_new && name != NULL) {
        slot = new_file(digests);
    }
    if (slot == NULL) {
        free(name);
        return laz_err_set(err, LAZ_E_MEMORY, 0, "no memory for digests");
    }
    if (is_new) {
        digests->n_files++;
    } else {
        free(slot->name);
    }
    *slot = (struct laz_digested){.name = name, .size = file->size, .number = number};
    (void)memcpy(slot->sha256, file->sha256, sizeof(file->sha256));
    return 0;
}

static const char *what_is_wrong(const struct laz_digests *digests, const struct laz_digest *digest)
{
    const struct laz_digest *last = digests->last_text == NULL ? NULL : &digests->last;
    const char *why = digests->key == NULL ? NULL : laz_digest_check(digest, digests->key);
    if (why != NULL) {
        return why;
    }
    if (last == NULL) {
        return digest->number > 1 || !digest->has_before ? NULL : "it has one before it";
    }
    if (!digest->has_before || memcmp(digest->before, last->hash, sizeof(last->hash)) != 0 ||
            memcmp(digest->before_signature, last->signature, sizeof(last->signature)) != 0 ||
            digest->start.length != last->end.length ||
            memcmp(digest->start.at, last->end.at, last->end.length) != 0) {
        return "it does not follow the digest before it";
    }
    return NULL;
}

static int read_digest(
        struct laz_digests *digests, int folder, uint32_t number, struct laz_err *err)
{
    char name[LAZ_DIGEST_NAME_SIZE];
    char *text = NULL;
    size_t length = 0;
    struct laz_digest digest;
    laz_digest_name(number, name);
    if (laz_digest_read_file(folder, name, &text, &length, err) < 0) {
        return -1;
    }
    digests->n++;
    if (text == NULL || !laz_digest_parse(text, length, &digest) || digest.number != number) {
        found(digests, name, "it is no digest of this number");
        free(text);
        return 0;
    }
    const char *why = what_is_wrong(digests, &digest);
    if (why != NULL) {
        found(digests, name, why);
    }
    free(digests->last_text);
    digests->last_text = text;
    digests->last = digest;
    struct laz_digest_file file;
    while (laz_digest_next_file(&digest, &file)) {
        if (note_file(digests, &file, number, err) < 0) {
            return -1;
        }
    }
    return 0;
}

static int check_file(struct laz_digests *digests, int folder, const struct laz_digested *file,
        struct laz_err *err)
{
    char *text = NULL;
    size_t length = 0;
    uint8_t sha256[LAZ_SHA256_SIZE];
    if (laz_digest_read_file(folder, file->name, &text, &length, err) < 0) {
        return -1;
    }
    if (text == NULL) {
        found(digests, file->name, "a digest names it, and it is not there");
    } else if (length < file->size) {
        found(digests, file->name, "it is shorter than when it was digested");
    } else {
        laz_sha256_of(text, (size_t)file->size, sha256);
        if (memcmp(sha256, file->sha256, sizeof(sha256)) != 0) {
            found(digests, file->name, "it is not what was digested");
        }
    }
    free(text);
    return 0;
}

static int is_name(const struct dirent *entry)
{
    return entry->d_name[0] != '.';
}

int laz_digests_read(struct laz_digests *digests, int folder, const char *path, struct laz_err *err)
{
    struct dirent **entries = NULL;
    forget_folder(digests);
    int n = scandirat(folder, ".", &entries, is_name, alphasort);
    if (n < 0) {
        return laz_err_set(err, LAZ_E_SYSTEM, errno, "%.256s: %s", path, strerror(errno));
    }
    int result = 0;
    uint32_t due = 1;
    bool is_any = false;
    for (int i = 0; i < n && result == 0; i++) {
        uint32_t number = laz_digest_number(entries[i]->d_name);
        for (; number > due; due++) {
            char name[LAZ_DIGEST_NAME_SIZE];
            laz_digest_name(due, name);
            found(digests, name, "it is missing, and a later one is there");
        }
        if (number == due) {
            result = read_digest(digests, folder, number, err);
            is_any = true;
            due++;
        }
    }
    for (size_t i = 0; i < digests->n_files && result == 0; i++) {
        result = check_file(digests, folder, &digests->files[i], err);
    }
    for (int i = 0; i < n; i++) {
        bool is_digest = laz_digest_number(entries[i]->d_name) > 0;
        digests->n_undigested +=
                is_any && !is_digest && laz_digests_find(digests, entries[i]->d_name) == NULL;
        free(entries[i]);
    }
    free(entries);
    return result;
}
