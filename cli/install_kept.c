/* SPDX-License-Identifier: Apache-2.0
 *
 * What was installed by the records of it, and is not there any more: an administrator or a tool
 * that keeps files as they were has put an engine's older file back, and nobody else says so.
 */
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "cli/install.h"
#include "cli/install_divert.h"
#include "core/num.h"
#include "core/replace.h"

#define PATH_SIZE 128 /* of a record: the longest name is containerd.before */

struct kept {
    struct laz_err *errors;
    size_t n;
    size_t max;
};

static bool is_recorded(const char *part)
{
    char path[PATH_SIZE];
    (void)snprintf(path, sizeof(path), LAZ_INSTALL_STATE "/%s.json", part);
    return access(path, F_OK) == 0;
}

static void find(struct kept *kept, const struct laz_err *err)
{
    if (err->kind != LAZ_E_NONE && kept->n < kept->max) {
        kept->errors[kept->n++] = *err;
    }
}

/* The record does not say so; but what was there before, changed so, is what it knows. */
static bool was_default(
        const struct laz_install_engine *engine, const struct laz_install_record *record)
{
    char path[PATH_SIZE];
    char id[LAZ_INSTALL_ID_SIZE];
    uint8_t digest[LAZ_SHA256_SIZE];
    struct stat status;
    struct laz_err ignored = {0};
    laz_cleanup_buf struct laz_buf before;
    laz_cleanup_buf struct laz_buf after;
    laz_buf_init_heap(&before, LAZ_INSTALL_FILE_MAX);
    laz_buf_init_heap(&after, LAZ_INSTALL_FILE_MAX);
    bool was_there = strcmp(record->before, LAZ_INSTALL_ABSENT) != 0;
    (void)snprintf(path, sizeof(path), LAZ_INSTALL_STATE "/%s.before", engine->name);
    if ((was_there && laz_read_at(AT_FDCWD, path, &before, &status, &ignored) < 0) ||
            engine->edit(was_there ? &before : NULL, true, &after, &ignored) < 0) {
        return false;
    }
    laz_sha256_of(after.len == 0 ? "" : after.data, after.len, digest);
    laz_format_hex(digest, sizeof(digest), id);
    return strcmp(id, record->known[0]) == 0 || strcmp(id, record->known[1]) == 0;
}

static bool is_same(const struct laz_buf *a, const struct laz_buf *b)
{
    return a->len == b->len && (a->len == 0 || memcmp(a->data, b->data, a->len) == 0);
}

static void look_at_file(const struct laz_install_engine *engine,
        const struct laz_install_file *file, struct laz_err *err)
{
    laz_cleanup_buf struct laz_buf wanted;
    laz_buf_init_heap(&wanted, LAZ_INSTALL_FILE_MAX);
    bool is_default = was_default(engine, &file->record);
    if (engine->edit(file->exists ? &file->text : NULL, is_default, &wanted, err) == 0 &&
            !(file->exists && is_same(&file->text, &wanted))) {
        (void)laz_err_set(err, LAZ_E_NOT_INSTALLED, 0,
                "%s does not name lazaret-shim any more%s: lazaret install runtime --engine %s%s",
                file->path, is_default ? " as the default runtime" : "", engine->name,
                is_default ? " --default" : "");
    }
}

static void look_at_engine(const struct laz_install_engine *engine, struct laz_err *err)
{
    struct laz_install_file file;
    if (laz_install_file_open(engine->name, engine->path, engine->by_hand, &file, err) == 0) {
        if (file.record.exists) {
            look_at_file(engine, &file, err);
        }
        laz_install_file_done(&file);
    }
}

static void look_at_place(struct kept *kept, struct laz_err *err)
{
    struct laz_divert divert;
    if (laz_divert_look(&divert, err) < 0) {
        return;
    }
    if (!laz_divert_is_done(&divert)) {
        (void)laz_err_set(err, LAZ_E_NOT_INSTALLED, 0,
                "%s is not diverted to lazaret-shim any more: lazaret install runtime "
                "--divert-runc",
                divert.place);
    }
    kept->n += laz_divert_others(&divert, &kept->errors[kept->n], kept->max - kept->n);
}

size_t laz_install_kept(struct laz_err *ret, size_t max)
{
    struct kept kept = {.errors = ret, .max = max};
    for (size_t i = 0; laz_install_engines[i] != NULL; i++) {
        struct laz_err err = {0};
        if (is_recorded(laz_install_engines[i]->name)) {
            look_at_engine(laz_install_engines[i], &err);
        }
        find(&kept, &err);
    }
    struct laz_err err = {0};
    if (is_recorded(LAZ_DIVERT_PART)) {
        look_at_place(&kept, &err);
    }
    find(&kept, &err);
    return kept.n;
}
