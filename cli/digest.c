/* SPDX-License-Identifier: Apache-2.0
 *
 * lazaret digest FOLDER: one more digest of what lies there. Never signs over a file that is no
 * longer what an earlier digest says of it, and changes no file but the one that it makes.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "cli/command.h"
#include "cli/digests.h"
#include "cli/output.h"
#include "cli/replace.h"
#include "core/fd.h"
#include "core/record.h"

#define DIGEST_MAX ((size_t)256 << 20)
#define PATH_SIZE  4096

struct making {
    const char *path;
    int folder;
    struct laz_digest_key *key;
    struct laz_digests digests;
    struct laz_buf text;
    struct laz_json json;
    uint64_t n_files;
};

/* It is new, or it has grown. */
static int add_file(struct making *making, const char *name, struct laz_err *err)
{
    char *text = NULL;
    size_t length = 0;
    if (laz_digest_read_file(making->folder, name, &text, &length, err) < 0) {
        return -1;
    }
    const struct laz_digested *known = laz_digests_find(&making->digests, name);
    int result = 0;
    if (text != NULL && (known == NULL || known->size != length)) {
        making->n_files++;
        result = laz_digest_can_name(name)
                ? laz_digest_file(&making->json, name, text, length, err)
                : laz_err_set(err, LAZ_E_SYSTEM, 0,
                          "%.200s: a digest can only name files of printable ASCII without blanks",
                          name);
    }
    free(text);
    return result;
}

static int is_trail(const struct dirent *entry)
{
    return entry->d_name[0] != '.' && laz_digest_number(entry->d_name) == 0;
}

static int add_files(struct making *making, struct laz_err *err)
{
    struct dirent **entries = NULL;
    int n = scandirat(making->folder, ".", &entries, is_trail, alphasort);
    if (n < 0) {
        return laz_err_set(err, LAZ_E_SYSTEM, errno, "%.256s: %s", making->path, strerror(errno));
    }
    int result = 0;
    for (int i = 0; i < n; i++) {
        result = result == 0 ? add_file(making, entries[i]->d_name, err) : result;
        free(entries[i]);
    }
    free(entries);
    return result;
}

static int write_digest(struct making *making, struct laz_err *err)
{
    char name[LAZ_DIGEST_NAME_SIZE];
    char memory[PATH_SIZE];
    struct laz_buf path;
    uint64_t number = making->digests.last_text == NULL ? 1 : making->digests.last.number + 1;
    laz_digest_name(number, name);
    laz_buf_init_fixed(&path, memory, sizeof(memory));
    laz_buf_printf(&path, "%s/%s", making->path, name);
    if (path.overflow) {
        return laz_err_set(err, LAZ_E_USAGE, 0, "the folder's name is too long");
    }
    return laz_cli_replace_file(path.data, making->text.data, making->text.len, 0644, err);
}

static int make(struct making *making, struct laz_err *err)
{
    char when[LAZ_RECORD_TIME_SIZE];
    struct timespec now;
    (void)clock_gettime(CLOCK_REALTIME, &now);
    laz_record_time(&now, when);
    const struct laz_digest *before =
            making->digests.last_text == NULL ? NULL : &making->digests.last;
    laz_digest_begin(&making->json, &making->text, making->key, before, when);
    if (add_files(making, err) < 0 || laz_digest_end(&making->json, making->key, err) < 0) {
        return -1;
    }
    return write_digest(making, err);
}

/* 1: made; 0: what is there is not what was digested, and that was said. */
static int run(
        struct making *making, const struct laz_cli_arguments *arguments, struct laz_err *err)
{
    if (arguments->key == NULL) {
        return laz_err_set(err, LAZ_E_USAGE, 0, "digest needs --key FILE");
    }
    if (laz_digest_read_key(arguments->key, true, &making->key, err) < 0) {
        return -1;
    }
    making->digests.key = making->key;
    making->folder = open(making->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (making->folder < 0) {
        return laz_err_set(err, LAZ_E_SYSTEM, errno, "%.256s: %s", making->path, strerror(errno));
    }
    if (laz_digests_read(&making->digests, making->folder, making->path, err) < 0) {
        return -1;
    }
    if (making->digests.n_findings > 0) {
        laz_cli_note(&making->digests.findings);
        return 0;
    }
    return make(making, err) < 0 ? -1 : 1;
}

static int report(const struct making *making)
{
    char name[LAZ_DIGEST_NAME_SIZE];
    laz_cleanup_buf struct laz_buf out;
    laz_buf_init_heap(&out, LAZ_CLI_OUTPUT_MAX);
    laz_digest_name(making->digests.last_text == NULL ? 1 : making->digests.last.number + 1, name);
    laz_buf_printf(&out, "%s/%s: %llu files that are new or have grown\n", making->path, name,
            (unsigned long long)making->n_files);
    return laz_cli_print(&out, LAZ_EXIT_FINE);
}

int laz_cli_digest(const struct laz_cli_arguments *arguments)
{
    struct laz_err err = {0};
    struct making making = {.path = arguments->operands[0], .folder = -1};
    laz_digests_init(&making.digests, NULL);
    laz_buf_init_heap(&making.text, DIGEST_MAX);
    int made = run(&making, arguments, &err);
    int result = LAZ_EXIT_FINDINGS;
    if (made < 0) {
        result = laz_cli_fail(&err, false);
    } else if (made == 1) {
        result = report(&making);
    }
    laz_fd_close(&making.folder);
    laz_digests_done(&making.digests);
    laz_digest_key_free(making.key);
    laz_buf_done(&making.text);
    return result;
}
